#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# livepatch.sh [MODULE PARAMETERS]: a live patch of Linux (tests/vm/livepatch) comes and goes, natively, while
# virtual, with switches in between, and while the kernel is in the middle of it.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

LIVE=/sys/kernel/livepatch/mercury_livepatch
TABLE=/lib/firmware/mercury/$(uname -r).sites
PATIENCE=60 # seconds

# of_livepatch: what a program sees of it; the third to the fifth show that other writes are as ever.
of_livepatch() {
	echo "$(grep -c '^mercury-livepatch$' /proc/cmdline)" "$(poke "$WORK/file" write %)" \
		"$(poke "$WORK/file" write other)" "$(poke "$WORK/file" fresh 65536)" "$(poke "$WORK/file" fault)"
}
OFF="0 1 5 65536 EFAULT"
ON="1 EFAULT 5 65536 EFAULT"

# eventually COMMAND...: not by sleep, for the patch lets nobody. And not busy: in QEMU's one thread each of
# the places that the kernel changes would have to wait for the end of this CPU's turn.
# shellcheck disable=SC2317,SC3045 # called by succeeds, as the others; Busybox's read has -t
eventually() {
	left=$PATIENCE
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		read -r -t 1 _ <&3 || :
	done
}

# shellcheck disable=SC2317
is_complete() {
	[ "$(cat "$LIVE/transition")" = 0 ]
}

# shellcheck disable=SC2317
put_on() {
	insmod mercury-livepatch.ko && eventually is_complete
}

# shellcheck disable=SC2317
take_off() {
	echo 0 > "$LIVE/enabled" && eventually [ ! -e "$LIVE" ] && eventually rmmod mercury_livepatch
}

# tries STEP...: natively and without the patch at the beginning and at the end.
tries() {
	story=
	want=$OFF
	for step; do
		story="${story:+$story, }$step"
		case $step in
		on)
			succeeds "$story: it is complete" put_on
			want=$ON
			;;
		off)
			succeeds "$story: it goes" take_off
			want=$OFF
			;;
		*) succeeds "$story" set_mode "$step" ;;
		esac
		is "$story: what a program sees" "$(of_livepatch)" "$want"
	done
}

# sites_in FUNCTION: how many STAC and CLAC the table has there.
sites_in() {
	from=$(awk -v name="$1" '$3 == "_text" || $3 == name { print $1 }' /proc/kallsyms | sort)
	next=$(awk -v name="$1" 'at && $1 != at { print $1; exit } $3 == name { at = $1 }' /proc/kallsyms)
	# shellcheck disable=SC2086 # two words
	set -- $from "$next"
	od -An -v -tu4 -j 40 -w24 "$TABLE" |
		awk -v from=$((0x$2 - 0x$1)) -v to=$((0x$3 - 0x$1)) '$1 >= from && $1 < to && $3 % 256 == 0' | wc -l
}

case " $* " in
*" backend=vmx "* | *" patch=0 "*) is_patched=false ;;
*) is_patched=true ;;
esac
: > "$WORK/file"
mkfifo "$WORK/nothing"
exec 3<> "$WORK/nothing"
is "without it" "$(of_livepatch)" "$OFF"
like "fault_in_readable has sites" "$(sites_in fault_in_readable)" "[2-9]"
succeeds "the module loads" modprobe mercury-vmx verify=1 "$@"

tries on virtual native off
tries virtual on native virtual off native
tries virtual on off on native off
tries on virtual off native

sleep 1000 &
succeeds "it comes while somebody sleeps" insmod mercury-livepatch.ko
is "and is not complete" "$(cat $LIVE/transition)" 1
succeeds "switches meanwhile" storm 5
is "it is virtual now" "$(mode)" virtual
is "and still not complete" "$(cat $LIVE/transition)" 1
kill $!
succeeds "it is, as soon as nobody sleeps" eventually is_complete
is "what a program sees" "$(of_livepatch)" "$ON"
if $is_patched; then
	like "all is patched" "$(field patched)" "[23]?? sites, 0 held by others"
	like "STAC and CLAC of the module trap" "$(field "traps cpu.")" "*STAC, CLAC *"
fi
succeeds "more switches" storm 21
is "natively it is as it was" "$(of_livepatch)" "$ON"
succeeds "it goes" take_off

sleep 1000 &
succeeds "it comes while somebody sleeps again" insmod mercury-livepatch.ko
succeeds "virtual" set_mode virtual
is "it is not complete" "$(cat $LIVE/transition)" 1
succeeds "it goes, without having been complete" take_off
is "and nobody sees any of it" "$(of_livepatch)" "$OFF"
kill $!
succeeds "native" set_mode native

! $is_patched || like "the code is as it was after every leave" "$(field "code check")" "equal in *"
like "and the state" "$(field "state check")" "equal in *"
succeeds "the module goes" rmmod mercury_vmx
is "all is as before" "$(of_livepatch)" "$OFF"
finish
