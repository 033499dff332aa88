# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every script of the runner shares: messages, the checkout's top, the cache, locks.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOP_DIR=$(cd "$VM_DIR/../.." && pwd)
CACHE_DIR=${MERCURY_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mercury}
[[ $CACHE_DIR == /* ]] || CACHE_DIR=$PWD/$CACHE_DIR

# Exit statuses of tests/vm/run beside the command's own.
readonly EXIT_USAGE=2 EXIT_TIMEOUT=124 EXIT_NO_GUEST=125 EXIT_BAD_LOG=126

say() {
	printf 'vm: %s\n' "$*" >&2
}

# die STATUS TEXT...: ends the script; whoever needs cleaning up has a trap.
die() {
	local status=$1

	shift
	say "$@"
	exit "$status"
}

# need TOOL PACKAGE: a missing tool is named together with what brings it.
need() {
	command -v "$1" >/dev/null ||
		die "$EXIT_NO_GUEST" "$1 is missing; install it with: apt-get install $2" \
			"(tests/vm/deps installs everything)"
}

# with_lock FILE COMMAND...: one at a time over all runs that share FILE.
with_lock() {
	local lock=$1

	shift
	mkdir -p "$(dirname "$lock")"
	(
		flock 9
		"$@" 9>&-
	) 9>"$lock"
}
