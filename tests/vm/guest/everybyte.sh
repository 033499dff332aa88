#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# everybyte.sh MIB TIMES: all of memory. At rest: an image of it is what memory holds. And while much of it is
# being written all the time: every byte as it was at one instant, with a pool that is much smaller; and what
# ends a snapshot then. Needs mercury, pattern, same.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

mib=$1
times=$2
cpus=$(nproc)
small=/root/small

# snapshot OPTION...: onto a pipe; what it says in $WORK/report, its exit status in $WORK/status.
snapshot() {
	mercury --json snapshot "$@" - 2> "$WORK/report"
	echo $? > "$WORK/status"
}

# reported KEY
reported() {
	sed -n "s/^ *\"$1\": *\([0-9.]*\).*/\1/p" "$WORK/report"
}

# A pipe between two CPUs goes through all free memory, whose pages are kept as any other.
taskset -p 1 $$ > /dev/null || exit 1
modprobe mercury-vmx || exit 1
tables=$(field tables)
succeeds "to virtual" set_mode virtual
echo 0 > /proc/sys/vm/compact_unevictable_allowed

# Writers that have stopped: what memory holds before and after, and the image between.
pattern run "$mib" "$WORK/layout" 2 > "$WORK/runs" &
writer=$!
until grep -q rests "$WORK/runs"; do sleep 0.1; done
same memory "$WORK/before"
snapshot | same core "$WORK/image"
same memory "$WORK/after"
# compare IMAGE
compare() {
	same compare "$WORK/before" "$1" "$WORK/after" "$WORK/layout"
}
pages=$((mib * 256))
compared=$(compare "$WORK/image")
echo "# $compared"
like "at rest the image is what memory holds" "$compared" "writers $pages of $pages the same, *"
# shellcheck disable=SC2086 # words
set -- $compared
succeeds "nearly all others too" [ "$8" -ge $((9 * ${13})) ]
succeeds "but for few that came back" [ $((${15} * 200)) -le "$8" ]
frame=$(($(od -A n -t d8 -j 8 -N 8 "$WORK/layout") / 4096))
cp "$WORK/image" "$WORK/other"
printf other | dd of="$WORK/other" bs=1 seek=$((frame * 24)) conv=notrunc 2> /dev/null
like "one page of it changed" "$(compare "$WORK/other")" "writers $((pages - 1)) of *"
kill $writer

# The check can tell.
like "a plain read" "$(pattern plain 8 "$WORK/layout")" "all pages, *, $cpus of $cpus threads torn"

pattern run "$mib" "$WORK/layout" > "$WORK/runs" &
writer=$!
until grep -q . "$WORK/runs"; do sleep 0.1; done

for time in $(seq "$times"); do
	is "every byte, $time" "$(snapshot --pool 16M --on-full stall | pattern check "$WORK/layout")" \
		"all pages, 0 pages wrong, 0 of $cpus threads torn"
	is "exit status" "$(cat "$WORK/status")" 0
	like "writers had to wait" "$(reported stalled)" "[1-9]*"
done
sed 's/^/# /' "$WORK/report"

# Nobody waits, or not for ever.
snapshot --pool 4M > /dev/null
is "on-full abort: exit status" "$(cat "$WORK/status")" 1
like "the pool is full" "$(cat "$WORK/report")" "*pool for old contents is full*larger --pool*"
snapshot --pool 4M --on-full stall | { sleep 3; cat > /dev/null; }
is "a reader that does not get on: exit status" "$(cat "$WORK/status")" 1
like "the pool is full then" "$(cat "$WORK/report")" "*pool for old contents is full*"

# The disk is full; the command is killed.
mkdir -p $small
mount -t tmpfs -o size=1M small $small
mercury snapshot --range 0x1000000-0x1800000 $small/core > "$WORK/output" 2>&1
is "a full disk: exit status" $? 1
like "it says so" "$(cat "$WORK/output")" "*No space left on device*next: free some space*"
is "no half file is left" "$(ls $small)" ""
snapshot --pool 16M --on-full stall | { sleep 2; } &
pipe=$!
sleep 1
kill -9 "$(pidof mercury)"
wait $pipe
is "killed" "$(cat "$WORK/status")" 137

# Nothing is left of all that.
snapshot --range 0x1000000-0x1800000 > /dev/null
is "another one" "$(cat "$WORK/status")" 0
kill $writer
succeeds "to native" set_mode native
is "no table of the P2M is left" "$(field tables)" "$tables"
succeeds "the module goes" rmmod mercury_vmx
finish
