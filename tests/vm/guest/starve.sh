#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# starve.sh: whatever the module asks the kernel for while it loads fails once, then from there on: it is
# refused with ENOMEM, or works all the same where it can do without; all it took is given back.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

STARVE=/proc/mercury-starve
loads=0

# given_back: of everything as much as was taken.
given_back() {
	while read -r what _ taken _ given; do
		[ "$what" = requests ] || [ "$taken" = "$given" ] ||
			why="$why; of $what $taken were taken, $given given back"
	done < $STARVE
}

# requests: sets failed and last; and files: how often /proc/mercury has been there.
requests() {
	while read -r what _ count failed _ last; do
		case $what in
		proc) files=$count ;;
		requests) return 0 ;;
		esac
	done < $STARVE
	why="$why; $STARVE does not say"
}

# loaded: it has to work without what failed.
loaded() {
	loads=$((loads + 1))
	case $last in
	pages | debugfs) ;;
	*) why="$why; it loads without $last" ;;
	esac
	sysctl -q mercury.mode=virtual || why="$why; it does not go virtual"
	hv --expect virtual > /dev/null || why="$why; not every CPU is a guest"
	rmmod mercury_vmx || why="$why; it does not unload"
	outcome="it does without"
}

refused() {
	grep -q "Cannot allocate memory" "$WORK/error" || why="$why; $(cat "$WORK/error")"
	[ ! -e $PROC ] && [ ! -e $CTL ] || why="$why; its files are there"
	# Whoever slept in its poll() would be left in freed memory.
	[ "$files" = $loads ] || why="$why; $PROC was there before the module was"
	outcome="ENOMEM"
}

# starve HOW N: sets failed.
starve() {
	why=''
	echo "$1 $2" > $STARVE
	if ./modprobe mercury-vmx 2> "$WORK/error"; then
		requests
		loaded
	else
		requests
		refused
	fi
	[ "$failed" != 0 ] || return
	given_back
	if [ -z "$why" ]; then
		ok "$1 $2, $last: $outcome, all is given back"
	else
		not_ok "$1 $2, $last" "$why"
	fi
}

succeeds "the module that starves it" insmod mercury-starve.ko
for how in nth from; do
	n=1
	while [ $n -lt 100 ] && starve $how $n && [ "$failed" != 0 ]; do
		n=$((n + 1))
	done
	echo "# $how: $((n - 1)) requests"
done
succeeds "there is an end, and it is not soon" test "$n" -gt 8 -a "$n" -lt 100

echo none > $STARVE
succeeds "the next time it loads" ./modprobe mercury-vmx
succeeds "and goes virtual" sysctl -q mercury.mode=virtual
succeeds "and unloads" rmmod mercury_vmx
why=''
given_back
is "all is given back" "$why" ""
sed 's/^/# /' $STARVE
succeeds "the module that starved it goes" rmmod mercury_starve
finish
