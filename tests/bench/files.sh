# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the rows of the benchmark need beside their programs, made in a folder: rows_files DIR. From the top.

# The first part of dbench's load that leaves no file open; without its filler, which is megabytes of nothing.
dbench_load() {
	awk '{ handle = $1 == "NTCreateX" ? $5 : $2 }
		$1 == "NTCreateX" && tolower($2) ~ /filler/ { skip[handle] }
		!(handle in skip)' /usr/share/dbench/client.txt | awk -v most=2500 '
		{ line[NR] = $0 }
		$1 == "NTCreateX" && $NF == "NT_STATUS_OK" && !($5 in open) { open[$5]; n++ }
		$1 == "Close" && ($2 in open) { delete open[$2]; n-- }
		!n { good = NR }
		NR == most { exit }
		END { for (i = 1; i <= good; i++) print line[i] }'
}

rows_files() {
	mkdir -p "$1" && cp tests/bench/{rows,rows.sh,column.sh,guest.sh,sqlite.sh,iperf.sh} "$1/" &&
		cp -L /bin/true /bin/dash "$1/" && dbench_load > "$1/dbench.txt" &&
		gcc -std=gnu11 -ffreestanding -Iinclude -Iarch/x86 -E -P src/p2m.c > "$1/compile.i"
}

# Programs of the rows; gcc starts the compiler itself.
ROW_PROGRAMS=(perf stress-ng hackbench sqlite3 dbench gcc ping iperf3)
ROW_COMPILER=$(gcc -print-prog-name=cc1)

# each_row_file DIR COMMAND...: COMMAND with FILE:PATH of all that the rows need, DIR being rows_files's.
each_row_file() {
	local dir=$1 program file

	shift
	for program in "${ROW_PROGRAMS[@]}"; do
		"$@" "$(readlink -f "$(command -v "$program")"):/usr/bin/$program" || return 1
	done
	"$@" "$ROW_COMPILER:$ROW_COMPILER" || return 1
	for file in "$dir"/*; do "$@" "$file:/rows/${file##*/}" || return 1; done
	for program in measure spawn chase; do "$@" "build/guest/$program:/bin/$program" || return 1; done
}
