# SPDX-License-Identifier: GPL-2.0-only
# Counts of events to predicted cycles: first a file of weights, then lines NAME EVENT COUNT. For each NAME,
# as they come, one line NAME LOW MID HIGH. An event is one of the weights', or an instruction's name that
# stands for one. A file of measured weights need not have all: the others are the first file's.

function fail(text) {
	print "predict: " text > "/dev/stderr"
	failed = 1
	exit 2
}

BEGIN {
	# Operations of the port, and the debugger's names of instructions, that are another event.
	n = split("sgdt store sidt store str store sldt store lar store lsl store vmresume roundtrip " \
		"write_cr0 cr write_cr4 cr write_cr3 cr3 wrmsr_safe wrmsr rdmsr_safe rdmsr vmxoff_safe vmxoff " \
		"vmclear_safe vmclear", word, " ")
	for (i = 1; i < n; i += 2)
		event_of[word[i]] = word[i + 1]
}

/^#/ || !NF { next }

FILENAME != counts {
	if (NF < 4 || $2 > $3 || $3 > $4)
		fail(FILENAME ": '" $0 "' is not: event, low, mid, high, how come by")
	low[$1] = $2
	mid[$1] = $3
	high[$1] = $4
	next
}

{
	event = $2
	sub(/^entry_/, "", event)
	if (event in event_of)
		event = event_of[event]
	if (!(event in mid))
		fail("there is no weight for '" $2 "'")
	if (!($1 in known)) {
		known[$1]
		name[++names] = $1
	}
	sum_low[$1] += $3 * low[event]
	sum_mid[$1] += $3 * mid[event]
	sum_high[$1] += $3 * high[event]
}

END {
	for (i = 1; i <= names && !failed; i++)
		printf "%s %.0f %.0f %.0f\n", name[i], sum_low[name[i]], sum_mid[name[i]], sum_high[name[i]]
	exit failed ? 2 : 0
}
