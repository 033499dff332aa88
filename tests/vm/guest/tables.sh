#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tables.sh MIB: writes in each 2 MiB of nearly all of memory while a snapshot is taken, MIB of it: with the
# tables that the module sets aside for 1 GiB, with those that it lends then, and with neither. Needs pivot.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

mib=$1

# scatters WHAT PARAMETERS [none]: nothing is left behind. What pivot says is in $WORK/said.
scatters() {
	# shellcheck disable=SC2086 # words
	succeeds "$1: the module loads" modprobe mercury-vmx $2
	tables=$(field tables)
	set_mode virtual
	# shellcheck disable=SC2086 # a word or none
	pivot scatter "$mib" ${3:-} > "$WORK/said"
	echo "# $(cat "$WORK/said")"
	is "$1: no table is left" "$(field tables)" "$tables"
	is "$1: again" "$(pivot device 1)" "1 snapshots, 0 torn, 0 moved, counting"
	set_mode native
	succeeds "$1: every CPU is native" hv --expect native
	succeeds "$1: the module goes" rmmod mercury_vmx
}

scatters "as it is" ""
like "a table for each" "$(cat "$WORK/said")" "* of 2 MiB, * tables: read"
succeeds "for nearly all of memory" [ "$(cut -d ' ' -f 1 "$WORK/said")" -ge $((mib / 2)) ]
scatters "lent" snapshot_gib=0
like "a table for each, of those lent" "$(cat "$WORK/said")" "* of 2 MiB, * tables: read"
scatters "none" snapshot_gib=0 none
like "used up" "$(cat "$WORK/said")" "* of 2 MiB, * tables: ENOSPC"
finish
