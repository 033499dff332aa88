#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# column.sh MODE PARAMETERS SIZE TRIES [NAME...]: one column of the benchmark: Linux is brought into that
# mode, the rows run (rows.sh), and it is looked whether the mode is still the same. PARAMETERS none: the
# module is not loaded, and never was.
set -u

mode=$1 parameters=$2
shift 2

ip link set lo up 2> /dev/null
if [ "$parameters" != none ]; then
	# shellcheck disable=SC2086 # words
	modprobe mercury-vmx $parameters || exit
	# Native is what it is after it has been virtual.
	sysctl -q -w mercury.mode=virtual && sysctl -q -w "mercury.mode=$mode" || exit
fi
case $parameters in
*patch=1*)
	grep -q '^patched: [1-9]' /proc/mercury || {
		echo "column: the kernel's code is not patched: $(grep '^patched' /proc/mercury); mercury-sites makes its table" >&2
		exit 1
	}
	;;
esac
sh "$(dirname "$0")/rows.sh" "$@"
[ "$parameters" = none ] || [ "$(cat /proc/sys/mercury/mode)" = "$mode" ] || {
	echo "column: the mode is not $mode any more; see dmesg" >&2
	exit 1
}
