#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# cost.sh STOP FIRST: on one CPU, whose TSC counts instructions: all CPUs stop for at most STOP of them
# however large the machine is, and a page's first write takes at most FIRST; a load that does nothing but
# write pays that once. Needs pivot.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

modprobe mercury-vmx || exit 1
succeeds "to virtual" set_mode virtual
figures=$(pivot cost)
echo "# $(grep MemTotal /proc/meminfo): $figures"
# shellcheck disable=SC2086 # words
set -- "$1" "$2" $figures
succeeds "the stop takes $4 instructions, at most $1" [ "$4" -le "$1" ]
succeeds "a first write takes $6, at most $2" [ "$6" -le "$2" ]
succeeds "and the next one $8, as ever" [ "$8" -le 10 ]
figures=$(pivot load)
echo "# 1024 pages: $figures"
# shellcheck disable=SC2086 # words
set -- "$2" $figures
succeeds "the first round: the first writes on top" [ "$5" -le $(($3 + 1024 * $1)) ]
succeeds "the next round is as before" [ "$7" -le $(($3 * 101 / 100)) ]
succeeds "to native" set_mode native
finish
