# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts inside the guest share: TAP results, and reading Mercury's files.

PROC=/proc/mercury
CTL=/proc/sys/mercury
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

tests=0
failures=0

# ok TEXT
ok() {
	tests=$((tests + 1))
	echo "ok $tests - $1"
}

# not_ok TEXT [WHY]: WHY may have several lines.
not_ok() {
	tests=$((tests + 1))
	failures=$((failures + 1))
	echo "not ok $tests - $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

# is TEXT GOT WANT
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "got '$2', expected '$3'"
	fi
}

# like TEXT GOT PATTERN: PATTERN as in case.
like() {
	# shellcheck disable=SC2254 # it is meant as a pattern
	case $2 in
	$3) ok "$1" ;;
	*) not_ok "$1" "got '$2', expected '$3'" ;;
	esac
}

# succeeds TEXT COMMAND...
succeeds() {
	succeeds_text=$1
	shift
	if "$@" >"$WORK/output" 2>&1; then
		ok "$succeeds_text"
	else
		not_ok "$succeeds_text" "$* ended with $?
$(cat "$WORK/output")"
	fi
}

# finish: the plan, and the exit status.
finish() {
	echo "1..$tests"
	[ "$failures" -eq 0 ] && [ "$tests" -gt 0 ]
	exit $?
}

# pack_initramfs FILE: this guest's, for a second kernel; but for the kernel image in it.
pack_initramfs() {
	(cd / && find bin sbin lib lib64 usr init etc root -xdev | cpio -o -H newc > "$1")
}

# field KEY: the value of a line of /proc/mercury; nothing if it is not there.
field() {
	sed -n "s/^$1: *//p" "$PROC" 2>/dev/null
}

# mode: native, virtual, or nothing without the module.
mode() {
	cat "$CTL/mode" 2>/dev/null
}

# nature: how status goes on behind the CPUs that it counts.
nature() {
	[ "$(cat "$CTL/backend")" != ring1 ] || echo ", ring1 (cooperative: Linux can write the VMM)"
}

# set_mode MODE: as an administrator does it.
set_mode() {
	sysctl -q -w "mercury.mode=$1"
}

# is_native_soon: within the time that the module takes to look whether a CPU has gone native by itself.
is_native_soon() {
	i=0
	while [ "$(mode)" != native ] && [ "$i" -lt 50 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	[ "$(mode)" = native ]
}

# hold_snapshot: one that stays until release_snapshot; its answer in $WORK/held.
hold_snapshot() {
	rm -f "$WORK/held"
	[ -p "$WORK/line" ] || mkfifo "$WORK/line"
	pivot hold < "$WORK/line" > "$WORK/held" 2>&1 &
	holder=$!
	exec 3> "$WORK/line"
	until grep -q . "$WORK/held"; do sleep 0.1; done
}

# release_snapshot: its last word in $held. Not in a subshell, whose child it would not be.
release_snapshot() {
	echo >&3
	exec 3>&-
	wait "$holder"
	held=$(tail -n 1 "$WORK/held")
}

# KiB that the kernel uses for itself now, without what can be had back, and the free pages that each CPU keeps for
# itself: those come and go by megabytes.
in_use_now() {
	echo 3 > /proc/sys/vm/drop_caches
	sleep 1
	awk '/^MemTotal/ { used = $2 }
		/^(MemFree|Cached|AnonPages|PageTables|SReclaimable):/ { used -= $2 }
		$1 == "count:" { used -= 4 * $2 }
		END { print used }' /proc/meminfo /proc/zoneinfo
}

# The same once all that can be had back is back: work queues, RCU and shrinkers go on for a while. The least, when
# five looks have found no less, but for some pages; of 60 at most. Two numbers, the other one of looks.
in_use() {
	sync
	least=$(in_use_now) same=0 looks=1
	while [ "$same" -lt 5 ] && [ "$looks" -lt 60 ]; do
		now=$(in_use_now)
		looks=$((looks + 1))
		if [ "$now" -lt $((least - 32)) ]; then same=0; else same=$((same + 1)); fi
		[ "$now" -ge "$least" ] || least=$now
	done
	echo "$least $looks"
}

# sum FILE WORDS: of the numbers that follow the words (a regular expression) in its lines.
sum() {
	sed -n "s/.*$2 \([0-9]*\).*/\1/p" "$1" | awk '{ n += $1 } END { print n + 0 }'
}

# other MODE
other() {
	if [ "$1" = native ]; then
		echo virtual
	else
		echo native
	fi
}
