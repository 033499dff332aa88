#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# attack.sh: storms of instructions that a VMM must answer on every CPU, from user space and from the
# kernel, and prying at hidden memory, while the mode is switched: nothing leaves by itself, the
# counters agree, a verifying load stays right. Needs attack, workload, storm, hv and two modules.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

PEEK=/proc/mercury-peek
VIEW=/proc/mercury-view
MAGIC=5952554352454d00
WRITTEN=ffffffffffffffff
SWITCHES=500
WRITES=100
pids=

# start NAME COMMAND...: in the background, its output in a file of that name.
start() {
	start_name=$1
	shift
	"$@" > "$WORK/$start_name" 2>&1 &
	pids="$pids $start_name:$!"
}

# stop: ends what was started; each must end well.
stop() {
	for stop_pair in $pids; do
		kill -TERM "${stop_pair#*:}"
		wait "${stop_pair#*:}"
		stop_status=$?
		sed 's/^/# /' "$WORK/${stop_pair%%:*}"
		is "${stop_pair%%:*}: ends well, every answer was right" "$stop_status" 0
	done
	pids=
}

# probe NAME: what the kernel's probes of that name give on any CPU.
probe() {
	echo "$1" > $VIEW
	sed 's/^cpu[0-9]* //' $VIEW
}

# Wrong calls, wild writes to MSRs and CR4, every instruction that a VMM answers: from the kernel on all
# CPUs, until there is a file to stop it; what came of them.
kernel_attacks() {
	while [ ! -e "$WORK/stop" ]; do
		probe calls
		probe wild
		probe all
	done | sort -u
}

# One write and one read where the VMM lies; the value read.
# shellcheck disable=SC2317 # called by what start and under_attack call
pry_once() {
	echo > "$PEEK"
	read -r pry_value < "$PEEK"
	echo "$pry_value"
}

# The same until there is a file to stop it; the values read.
# shellcheck disable=SC2317 # called by start
pry() {
	while [ ! -e "$WORK/stop" ]; do
		pry_once
	done | sort -u
}

# subset TEXT FILE LINE...: the file has lines, and none but these.
subset() {
	subset_text=$1
	subset_file=$2
	shift 2
	printf '%s\n' "$@" > "$WORK/lines"
	succeeds "$subset_text: something was seen" test -s "$subset_file"
	is "$subset_text" "$(grep -vxF -f "$WORK/lines" "$subset_file" | sort | uniq -c)" ""
}

# attacked TEXT LINE...: the calls gave these lines, all else what it gave natively.
attacked() {
	attacked_text=$1
	shift
	{ printf '%s\n' "$@"; cat "$WORK/native"; } > "$WORK/lines"
	is "$attacked_text" "$(grep -vxF -f "$WORK/lines" "$WORK/attacks")" ""
	is "$attacked_text: each was tried" \
		"$(sed 's/:.*//' "$WORK/attacks" | sort -u)" "$(sed 's/:.*//' "$WORK/lines" | sort -u)"
}

# under_attack COMMAND...: while everything runs.
under_attack() {
	rm -f "$WORK/stop"
	start workload workload --seconds 3600
	start cpuid attack cpuid
	start vmx attack vmx
	kernel_attacks > "$WORK/attacks" 2>&1 &
	callers=$!
	"$@"
	touch "$WORK/stop"
	wait "$callers"
	stop
}

# shellcheck disable=SC2317 # called by under_attack
switches() {
	pry > "$WORK/pry" 2>&1 &
	prier=$!
	succeeds "$SWITCHES switches under attack" storm --pause 1000 --check-every 51 "$SWITCHES"
	touch "$WORK/stop"
	wait "$prier"
}

# shellcheck disable=SC2317 # called by under_attack
writes() {
	i=0
	while [ "$i" -lt "$WRITES" ]; do
		pry_once
		i=$((i + 1))
	done > "$WORK/pry"
}

succeeds "the module loads" modprobe mercury-vmx
succeeds "native: the image is found in memory" insmod /root/mercury-peek.ko
is "native: its first bytes can be read" "$(cat $PEEK)" $MAGIC
succeeds "the probes load" insmod /root/mercury-view.ko
{ probe wild; probe all; } | sort -u > "$WORK/native"
succeeds "native: the probes give something" test "$(wc -l < "$WORK/native")" -gt 50

under_attack switches
# Natively Linux owns all memory: there it reads what is there, and its writes do write.
subset "what was read is zero, or native memory" "$WORK/pry" 0000000000000000 $MAGIC $WRITTEN
attacked "wrong calls are undefined or get an error, all else is as it is natively" \
	"calls: 1" "calls: exception 6, 1"
is "every switch is counted" "$(field switches)" \
	"$((SWITCHES / 2)) to virtual, $((SWITCHES / 2)) to native"
is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(sum $PROC "without a command")" 0
succeeds "writes to hidden memory were dropped" test "$(sum $PROC "dropped writes")" -gt 0
succeeds "every CPU is native" hv --expect native

succeeds "to virtual" set_mode virtual
dropped=$(sum $PROC "dropped writes")
under_attack writes
subset "virtual: zero is read, whatever is written" "$WORK/pry" 0000000000000000
attacked "virtual: wrong calls get an error, all else is as it is natively" "calls: 1"
# One that an interrupt overtakes right behind the VM entry meets the hidden page twice.
succeeds "virtual: each write was dropped and counted" \
	test "$(($(sum $PROC "dropped writes") - dropped))" -ge $WRITES
succeeds "every CPU is a guest" hv --expect virtual
is "still no CPU left by itself" "$(sum $PROC "without a command")" 0
sed -n '/^exits/p; /^events/p' $PROC | sed 's/^/# /'

for name in mercury_peek mercury_view mercury_vmx; do
	succeeds "rmmod $name" rmmod $name
done
succeeds "every CPU is native again" hv --expect native
finish
