#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# rows.sh emulator|silicon TRIES [NAME...]: runs the rows of the table beside it, all or those, each TRIES
# times by measure, whose lines come out; a row that does not work says so and is left out. A line
# "operations NAME N" follows where the row's command ran for a time.
set -u

ROWS=$(cd "$(dirname "$0")" && pwd)
TMP=${TMP:-/tmp}
export ROWS TMP
size=$1 tries=$2
shift 2

# trim TEXT
trim() {
	echo "$1" | sed 's/^ *//; s/ *$//'
}

# run NAME COMMAND COUNTED: with N in the environment.
run() {
	# shellcheck disable=SC2086 # the table's words
	eval measure "$1" $2 > "$TMP/row.lines"
	cat "$TMP/row.lines"
	if ! grep -q "^row $1 0 " "$TMP/row.lines"; then
		echo "rows: $1 failed:" >&2
		tail -n 3 /tmp/measure.out >&2
		return 1
	fi
	[ -z "$3" ] || echo "operations $1 $(awk "$3" /tmp/measure.out)"
}

# A machine whose fast string operations are off still shows programs ERMS, but KVM shows its guest none. Without it
# the C library copies by the same instructions in both; of REP MOVSB the emulator counts each byte.
[ "$size" != emulator ] || export GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS

grep -v '^#' "$ROWS/rows" > "$TMP/rows.table"
while IFS='|' read -r name _ _ emulator silicon command counted <&3; do
	name=$(trim "$name")
	[ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	case $size in
	emulator) N=$(trim "$emulator") ;;
	*) N=$(trim "$silicon") ;;
	esac
	export N
	try=0
	while [ $try -lt "$tries" ] && run "$name" "$(trim "$command")" "$(trim "$counted")"; do
		try=$((try + 1))
	done
done 3< "$TMP/rows.table"
