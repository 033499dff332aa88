# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# crash, from Debian 13: Debian 12's 8.0.2 finds no task of a kernel whose `struct pid` ends in an array
# without a size, which 6.1.y has taken over from 6.5. Unpacked into the cache, with that release's own
# libraries; nothing is installed.

readonly CRASH_SUITE=trixie

# crash_unpack: whole or not at all. Under the lock.
crash_unpack() {
	local to=$CACHE_DIR/crash/$CRASH_SUITE tmp

	[[ -e $to ]] && return
	say "fetching crash from Debian $CRASH_SUITE"
	tmp=$(mktemp -d "$CACHE_DIR/crash/.new.XXXXXX") || return 1
	if mmdebstrap --quiet --mode=chrootless --variant=extract --include=crash "$CRASH_SUITE" \
		"$tmp/root" >"$tmp/log" 2>&1; then
		mv -T "$tmp/root" "$to"
	else
		say "no crash from $CRASH_SUITE: $(grep -m 1 '^E' "$tmp/log" || tail -n 1 "$tmp/log")"
	fi
	rm -rf "$tmp"
	[[ -e $to ]]
}

# crash_prepare: sets CRASH_ROOT.
crash_prepare() {
	need mmdebstrap mmdebstrap
	CRASH_ROOT=$CACHE_DIR/crash/$CRASH_SUITE
	mkdir -p "$CACHE_DIR/crash"
	with_lock "$CACHE_DIR/crash/.lock" crash_unpack
}

# crash_run VMLINUX IMAGE: reads commands from stdin.
crash_run() {
	local libraries=$CRASH_ROOT/usr/lib/x86_64-linux-gnu

	timeout 300 "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
		"$CRASH_ROOT/usr/bin/crash" -s "$1" "$2" 2>&1
}
