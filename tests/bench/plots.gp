# SPDX-License-Identifier: GPL-2.0-only
# The plots of docs/benchmarks.md: name and data come by -e. Nothing is drawn behind them, and lines, letters and
# bars are of a middle brightness, so that they can be read on light and dark pages.

set terminal svg size 900, 420 dynamic font "sans-serif,13"
grey = "#808080"
set border 3 linecolor rgb grey
set xtics textcolor rgb grey
set ytics textcolor rgb grey
set key textcolor rgb grey
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set tics nomirror
set grid ytics linecolor rgb grey linewidth 0.3
set datafile missing "?"
set style fill solid 0.9 noborder
array colour[7] = ["#8c8c8c", "#4a90d9", "#2e9e5b", "#8fbf3f", "#d9822b", "#b5534a", "#9467bd"]
array title[7] = ["plain Linux", "native", "virtual, EPT", "virtual, no EPT", "ring 1", "ring 1, patched", "KVM guest"]

if (name eq "figure2" || name eq "figure3") {
	set style data histogram
	set style histogram clustered gap 1.5
	set xtics rotate by -30
	set ylabel "instructions, plain Linux = 100"
	set logscale y
	set yrange [50:*]
	set autoscale noextend
	set ytics (50, 75, 100, 110, 125, 150, 200, 300, 500, 1000, 2000, 5000)
	set rmargin 10
	set key outside top center horizontal
	plot for [i = 1:7] data using (column(i + 1)):xtic(1) title title[i] linecolor rgb colour[i]
}
if (name eq "exits") {
	set style data histogram
	set style histogram clustered gap 1.5
	set xtics rotate by -30
	set ylabel "VM exits in a second of 50 million instructions"
	set logscale y
	set yrange [1:*]
	set key outside top center horizontal
	plot data using 2:xtic(1) title "virtual, EPT" linecolor rgb colour[3], \
		data using 3:xtic(1) title "KVM guest" linecolor rgb colour[7]
}
if (name eq "breakdown") {
	set xtics rotate by -45
	set ylabel "predicted cycles"
	set logscale y
	set yrange [10:*]
	set boxwidth 0.7
	unset key
	plot data using 0:2:xtic(1) with boxes linecolor rgb colour[2], \
		data using 0:3:(0):($4 - $3) with vectors heads size 0.15, 90 linecolor rgb grey
}
if (name eq "cpus") {
	set xlabel "CPUs"
	set ylabel "operations of one CPU"
	set yrange [0:*]
	set xrange [0:9]
	set xtics (1, 2, 4, 8)
	set key outside top center horizontal
	plot data using 1:2 with linespoints title "native to virtual, with the vote" linecolor rgb colour[2] linewidth 2 pointtype 7, \
		data using 1:3 with linespoints title "virtual to native" linecolor rgb colour[5] linewidth 2 pointtype 5
}
