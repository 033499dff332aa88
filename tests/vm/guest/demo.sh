#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What `make run` shows: a running kernel becomes a guest and is native again, while a workload runs
# whose results are all verified. Exit status: 0 if every step did what it says.
set -u
# One stream, so that errors stand where they happened.
exec 2>&1

LOG=$(mktemp)
WORKLOAD=
PATIENCE=120
failed=0

heading() {
	printf '\n--- %s\n' "$*"
}

fail() {
	echo "FAILED: $*"
	failed=$((failed + 1))
}

# run COMMAND...: shows it as typed at a root prompt, and what it prints.
run() {
	echo "# $*"
	"$@" && return
	fail "$* ended with $?"
	return 1
}

# give_up: what follows would only fail for the same reason.
give_up() {
	grep '^last error' /proc/mercury 2>/dev/null
	stop_workload
	lsmod | grep -q '^mercury_vmx ' && run rmmod mercury_vmx
	conclude
}

conclude() {
	if [ "$failed" -eq 0 ]; then
		printf '\nBare metal, guest, bare metal again: every step did what it says.\n'
		exit 0
	fi
	printf '\nFAILED: %s of the steps above.\n' "$failed"
	exit 1
}

stop_workload() {
	[ -n "$WORKLOAD" ] || return
	kill -TERM "$WORKLOAD" 2>/dev/null
	wait "$WORKLOAD" || fail "the workload ended with $?"
	WORKLOAD=
}

# Whatever happens, no workload stays behind; the module takes the machine native when it goes.
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ -z "$WORKLOAD" ] || kill -KILL "$WORKLOAD" 2>/dev/null
	rm -f "$LOG"
}
trap cleanup EXIT

# wait_for REGEX: a line of the workload's log.
wait_for() {
	waited=0
	until grep -q "$1" "$LOG"; do
		if ! kill -0 "$WORKLOAD" 2>/dev/null || [ "$waited" -ge "$PATIENCE" ]; then
			fail "the workload printed no '$1' within $waited s"
			return 1
		fi
		sleep 1
		waited=$((waited + 1))
	done
}

start_workload() {
	echo "# workload --seconds 3600 &"
	workload --seconds 3600 >"$LOG" 2>&1 &
	WORKLOAD=$!
	wait_for "^workload: started"
}

# checkpoint N: until each kind of work has begun and completed a round from now on.
checkpoint() {
	kill -USR1 "$WORKLOAD" 2>/dev/null
	wait_for "^checkpoint $1:" || return
	line=$(grep "^checkpoint $1:" "$LOG")
	echo "workload, $line"
	case $line in
	*", 0 errors so far") ;;
	*) fail "the workload has found errors" ;;
	esac
}

heading "A stock kernel on bare metal"
run uname -sr
run hv --expect native

heading "Load the VMM: it is built and warmed, nothing changes yet"
run modprobe mercury-vmx || give_up
run sysctl mercury
run hv --expect native

heading "Start work whose every result is verified"
start_workload
checkpoint 1

heading "Put the VMM underneath, while all that runs"
run sysctl mercury.mode=virtual || give_up
run hv --expect virtual
checkpoint 2
run sysctl mercury.status
run grep -e ^exits -e ^traps /proc/mercury

heading "Take it away again"
run sysctl mercury.mode=native || give_up
run hv --expect native
checkpoint 3

heading "What each direction cost, per CPU"
run grep -e ^switches -e ^enter -e ^leave /proc/mercury

heading "What the workload did meanwhile"
echo "# kill \$!; wait \$!"
stop_workload
grep -vE '^(digest|checkpoint|workload: started)' "$LOG"

heading "Unload"
run rmmod mercury_vmx
run hv --expect native

conclude
