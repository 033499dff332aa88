#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh: everything at once, in rounds, until the runner's --tell says that the time is over: switches
# as fast as they go, CPUs that come and go, NMIs, backtraces of all CPUs, a VMM that fails, KVM that is
# refused (ring 1 has nothing against it), the module unloaded and loaded; under a load that verifies its
# results. Complaints are lines that say so; one line for each round, and one at the end. Needs a VMM that
# fails on request, mercury-nmi.ko, and a disk.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

NMI=/proc/mercury-nmi
DISK=$(cat /etc/mercury-vm/disk)
SECONDS_OF_SWITCHES=5
FAULTS_A_ROUND=3
FAULTS="invalid-opcode general-protection page-fault stack-overflow"
FAULTS_VMX="resume-fails entry-fails misconfigured"
# Beside the runner's words (tests/vm/lib/verdict.sh), which its console does not get to see.
BAD='Uhhuh|Dazed|state check: [0-9]* differences'
BAD="$BAD|BUG|WARNING|Oops|soft lockup|\[#[0-9]+\]|detected.* stall|blocked for more than|LOCKUP"

cpus=$(nproc)
complaints=0 rounds=0 switches=0 hotplugs=0 faults=0 loads=0 refusals=0 in_root=0

# complain TEXT
complain() {
	complaints=$((complaints + 1))
	echo "complaint: round $rounds: $1"
}

# must TEXT COMMAND...: else it is a complaint, with what the command said.
must() {
	must_text=$1
	shift
	"$@" > "$WORK/must" 2>&1 || complain "$must_text: $* ended with $?: $(tail -n 3 "$WORK/must")"
}

is_over() {
	blockdev --flushbufs "$DISK"
	[ "$(head -c 4 "$DISK")" = over ]
}

# number N: up to N - 1, at random.
number() {
	shuf -i "0-$(($1 - 1))" -n 1
}

is_vmx() {
	[ "$(cat $CTL/backend)" = vmx ]
}

load_module() {
	must "load" modprobe mercury-vmx verify=$((rounds % 4 == 1))
	loads=$((loads + 1))
}

# unload_module: what it counted is added up before.
unload_module() {
	switches=$((switches + $(sum $PROC "switches:") + $(sum $PROC "virtual,")))
	in_root=$((in_root + $(sum $PROC "NMIs in root")))
	grep -q "^state check: differs" $PROC && complain "$(grep "^state check" $PROC)"
	must "unload" rmmod mercury_vmx
	must "after unload" hv --expect native
}

# plug: every CPU but the first goes and comes, until there is a file to stop it.
plug() {
	while [ ! -e "$WORK/stop" ]; do
		for plug_cpu in $(seq 1 $((cpus - 1))); do
			for plug_to in 0 1; do
				echo $plug_to > /sys/devices/system/cpu/cpu"$plug_cpu"/online ||
					echo "cpu$plug_cpu to $plug_to" >> "$WORK/plug-failures"
				echo >> "$WORK/plugs"
			done
		done
	done
}

# everything_at_once: the switches, the CPUs, and a backtrace of all.
everything_at_once() {
	rm -f "$WORK/stop" "$WORK/plug-failures"
	: > "$WORK/plugs"
	plugger=
	[ "$cpus" -eq 1 ] || {
		plug &
		plugger=$!
	}
	storm --check-every 0 --seconds $SECONDS_OF_SWITCHES 1000000 > "$WORK/storm" 2>&1 &
	switcher=$!
	sleep 1
	echo l > /proc/sysrq-trigger
	wait "$switcher" || complain "$(tail -n 3 "$WORK/storm")"
	touch "$WORK/stop"
	[ -z "$plugger" ] || wait "$plugger"
	[ ! -e "$WORK/plug-failures" ] || complain "hotplug: $(head -n 3 "$WORK/plug-failures")"
	hotplugs=$((hotplugs + $(wc -l < "$WORK/plugs")))
	[ "$(field "last error")" = none ] || complain "last error: $(field "last error")"
	must "to native" set_mode native
	must "all CPUs" hv --expect native
}

# one_fault: some CPU, from user space or from the kernel.
one_fault() {
	possible=$FAULTS
	! is_vmx || possible="$possible $FAULTS_VMX"
	# shellcheck disable=SC2086 # a list of words
	fault=$(shuf -e $possible -n 1)
	where=$(shuf -e user kernel -n 1)
	must "to virtual, before a fault" set_mode virtual
	must "$fault" timeout 60 vmmfault "$(number "$cpus")" "$where" "$fault"
	faults=$((faults + 1))
	must "$where, $fault: native soon" is_native_soon
	must "$where, $fault: all native" hv --expect native
	set_mode virtual 2> /dev/null && complain "$fault: not refused afterwards"
	unload_module
	load_module
}

kvm_is_refused() {
	must "to virtual, before KVM" set_mode virtual
	modprobe kvm_intel 2> /dev/null && complain "kvm_intel loads while virtual"
	refusals=$((refusals + 1))
	must "to native, after KVM" set_mode native
}

# one_round
one_round() {
	rounds=$((rounds + 1))
	load_module
	everything_at_once
	[ "$rounds" -ne 1 ] || ! is_vmx || kvm_is_refused
	for _ in $(seq $FAULTS_A_ROUND); do one_fault; done
	unload_module
	dmesg | grep -E "$BAD" > "$WORK/log"
	[ ! -s "$WORK/log" ] || complain "$(head -n 3 "$WORK/log")"
	[ "$(sum $NMI lost)" -eq 0 ] || complain "NMIs were lost: $(cat $NMI)"
	dmesg -c > /dev/null
}

# report WHAT
report() {
	echo "soak: $1: $rounds rounds, $switches switches, $hotplugs hotplugs, $(sum $NMI taken) NMIs" \
		"($in_root in the VMM), $faults faults injected, $loads loads," \
		"$refusals refusals of KVM, $complaints complaints"
}

# Alarms and backtraces are for the log, which is looked at each round; of the boot the runner sees the console.
dmesg -n 1
dmesg -c > /dev/null
must "cpuid and msr" modprobe -a cpuid msr
must "what sends NMIs" insmod /root/mercury-nmi.ko
# The kinds that do not keep to a CPU, which may go.
workload --seconds 1000000 --only cpuid,exec,file,x87,avx,timer,fault,step,segment > "$WORK/load" 2>&1 &
load=$!
echo "on 1000" > $NMI
until is_over; do
	one_round
	report "so far"
done
echo off > $NMI
kill -TERM "$load"
wait "$load" || complain "the load: $(grep -E "^error|: 0 operations|[1-9][0-9]* errors" "$WORK/load")"
# What did not happen was not tried.
[ "$switches" -ge 50 ] || complain "there were hardly any switches"
[ "$(sum $NMI taken)" -ge 50 ] || complain "there were hardly any NMIs"
[ "$faults" -ge $FAULTS_A_ROUND ] || complain "the VMM did not fail"
[ "$cpus" -eq 1 ] || [ "$hotplugs" -gt 0 ] || complain "no CPU came or went"
report "end"
[ "$complaints" -eq 0 ]
