# SPDX-License-Identifier: GPL-2.0-only
# Are two ways of running equally fast? Lines NAME PLAIN OTHER, a line for each interleaved pair of times. For
# each NAME two one-sided t-tests (5 % each) on the logarithms of the pairs' ratios, against -v margin, 0.005
# if not given: a line NAME PAIRS MEDIAN LOW HIGH VERDICT, the three in % that OTHER takes longer: the median,
# and the 90 % confidence interval of the mean, which has to lie within the margin. The verdict is equal,
# different (all of the interval is outside), or open: more pairs are needed. Status 1 unless all are equal.

function log_gamma(x,   i, sum, t) {
	# Lanczos; good to 1e-10 for x > 0.
	if (!lanczos_n)
		lanczos_n = split("76.18009172947146 -86.50532032941677 24.01409824083091 " \
			"-1.231739572450155 0.1208650973866179e-2 -0.5395239384953e-5", lanczos, " ")
	t = x + 5.5
	t -= (x + 0.5) * log(t)
	sum = 1.000000000190015
	for (i = 1; i <= lanczos_n; i++)
		sum += lanczos[i] / (x + i)
	return -t + log(2.5066282746310005 * sum / x)
}

# The continued fraction of the incomplete beta function, by Lentz's method.
function beta_fraction(a, b, x,   m, c, d, h, step) {
	c = 1
	d = 1 / (1 - (a + b) * x / (a + 1))
	h = d
	for (m = 1; m <= 300; m++) {
		step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
		d = 1 / (1 + step * d)
		c = 1 + step / c
		h *= d * c
		step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
		d = 1 / (1 + step * d)
		c = 1 + step / c
		h *= d * c
		if (d * c - 1 < 1e-12 && d * c - 1 > -1e-12)
			break
	}
	return h
}

function beta_regular(a, b, x,   front) {
	if (x <= 0 || x >= 1)
		return x >= 1
	front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log(1 - x))
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a
	return 1 - front * beta_fraction(b, a, 1 - x) / b
}

# The t that a Student's t of that many degrees of freedom exceeds with 5 %.
function t_95(freedom,   low, high, i, t) {
	high = 1000
	for (i = 0; i < 100; i++) {
		t = (low + high) / 2
		if (beta_regular(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2 > 0.05)
			low = t
		else
			high = t
	}
	return t
}

function percent(log_ratio) {
	return 100 * (exp(log_ratio) - 1)
}

function median(name, n,   i, j, swap, sorted) {
	for (i = 1; i <= n; i++) {
		sorted[i] = ratio[name, i]
		for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) {
			swap = sorted[j]
			sorted[j] = sorted[j - 1]
			sorted[j - 1] = swap
		}
	}
	return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function judge(name,   n, i, mean, square, half, low, high, verdict) {
	n = pairs[name]
	for (i = 1; i <= n; i++)
		mean += ratio[name, i] / n
	for (i = 1; i <= n; i++)
		square += (ratio[name, i] - mean) ^ 2
	half = n > 1 ? t_95(n - 1) * sqrt(square / (n - 1) / n) : 1000
	low = mean - half
	high = mean + half
	verdict = "open"
	if (low > -limit && high < limit)
		verdict = "equal"
	else if (low > limit || high < -limit)
		verdict = "different"
	if (verdict != "equal")
		unequal = 1
	if (n > 1)
		printf "%s %d %.3f %.3f %.3f %s\n", name, n, percent(median(name, n)), percent(low), percent(high), verdict
	else
		printf "%s %d %.3f - - %s\n", name, n, percent(median(name, n)), verdict
}

BEGIN { limit = log(1 + (margin ? margin : 0.005)) }

NF != 3 || $2 <= 0 || $3 <= 0 {
	print "equivalence: '" $0 "' is not: name and two times" > "/dev/stderr"
	failed = 1
	exit 2
}

{
	if (!($1 in pairs))
		name_of[++names] = $1
	ratio[$1, ++pairs[$1]] = log($3 / $2)
}

END {
	if (failed)
		exit 2
	for (i = 1; i <= names; i++)
		judge(name_of[i])
	exit unequal || !names
}
