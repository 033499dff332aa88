# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For scripts that drive the test port, after lib.sh. What they ask after each attempt is short and
# starts no program: there are hundreds of attempts.

PORT=/proc/mercury-port

# plan WORD...: as tests/vm/port/mercury-port.c describes it.
plan() {
	echo "$*" > "$PORT"
}

# result TEXT: why says why not.
result() {
	if [ -z "$why" ]; then
		ok "$1"
	else
		not_ok "$1" "$why"
	fi
}

# go MODE
go() {
	echo "$1" 2> /dev/null > "$CTL/mode"
}

# plan_of CPU: sets fired of its plan; sent, taken, late of its NMIs; "none" without a plan.
plan_of() {
	fired=none sent=none taken=none late=none
	while read -r what whose _ one _ two _ three; do
		case "$what $whose" in
		"plan cpu$1") fired=$three ;;
		"nmis cpu$1") sent=$one taken=$two late=$three && break ;;
		esac
	done < "$PORT"
}

# all_native, all_virtual: every CPU is.
all_native() {
	read -r now < "$CTL/mode"
	[ "$now" = native ]
}

all_virtual() {
	read -r now < "$CTL/status"
	[ "$now" = "virtual on $CPUS of $CPUS CPUs" ]
}

CPUS=$(nproc)
