#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# interrupted.sh nmi|mc: an NMI, or a machine check, right before each operation of a switch, on every
# CPU: Linux takes each once, an NMI before the next VM exit, and the switch is none the worse for it.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/port.sh"

event=$1

# counts NAME: every count of the port into variables NAME_cpuN_OPERATION; sets operations to those of
# CPU 0 that are not zero.
counts() {
	operations=''
	while read -r cpu operation count rest; do
		case $cpu$rest in
		cpu[0-9] | cpu[0-9][0-9]) eval "$1_${cpu}_$operation=$count" ;;
		*) continue ;;
		esac
		[ "$cpu" != cpu0 ] || [ "$count" = 0 ] || operations="$operations $operation"
	done < "$PORT"
}

# made OPERATION: sets n to the calls between the two counts on the CPU that made most, and all to
# those of all CPUs.
made() {
	n=0 all=0 cpu=0 calls=0
	while [ $cpu -lt "$CPUS" ]; do
		eval "calls=\$((after_cpu${cpu}_$1 - before_cpu${cpu}_$1))"
		[ "$n" -ge $calls ] || n=$calls
		all=$((all + calls))
		cpu=$((cpu + 1))
	done
}

# mcs_taken: by Linux, on all CPUs.
mcs_taken() {
	awk '$1 == "MCE:" { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

# take: after a step. Adds to hit what the CPUs' plans sent; fails, why says so, if since the last step
# an NMI was not taken, or too late.
take() {
	cpu=0 now_amiss=0
	while [ $cpu -lt "$CPUS" ]; do
		plan_of $cpu
		hit=$((hit + fired)) now_amiss=$((now_amiss + sent - taken + late))
		cpu=$((cpu + 1))
	done
	[ $now_amiss = $amiss ] || why="$why; call $nth: of the NMIs $((now_amiss - amiss)) were lost or late"
	amiss=$now_amiss
	[ -z "$why" ]
}

# walked TEXT EXPECTED: the result of a walk.
walked() {
	plan clear
	total=$((total + hit))
	[ "$hit" = "$2" ] || why="$why; $hit were sent"
	[ "$event" = nmi ] || [ "$(mcs_taken)" = $total ] || why="$why; Linux took $(mcs_taken) of $total"
	result "$1"
}

# count_round: the calls of a round trip.
count_round() {
	plan clear
	counts before
	go virtual && go native
	counts after
}

# walk OPERATION: before each of its calls in a round trip, on every CPU in the same one. A round may have one call
# more or less than another (what is written is what differs from what was read): then they are counted anew.
walk() {
	for attempt in 1 2 3; do
		made "$1"
		nth=0 hit=0 why=''
		while [ $nth -lt "$n" ]; do
			nth=$((nth + 1))
			plan "$event" "$1" nth $nth
			go virtual || why="$why; call $nth: not virtual"
			all_virtual || why="$why; call $nth: $now"
			go native || why="$why; call $nth: not native"
			take || break
		done
		if [ -n "$why" ] || [ "$hit" = "$all" ] || [ "$attempt" = 3 ]; then break; fi
		echo "# $1: $hit sent, $all counted: again"
		total=$((total + hit))
		count_round
	done
	walked "before each of $all $1" "$all"
}

# walk_exits N OPERATION: before each of its first N calls for an exit by CPUID, on every CPU.
walk_exits() {
	nth=0 hit=0 why=''
	go virtual || why="$why; not virtual"
	while [ $nth -lt "$1" ]; do
		nth=$((nth + 1))
		plan "$event" "$2" nth $nth
		cpu=0
		while [ $cpu -lt "$CPUS" ]; do
			taskset -c $cpu hv --expect virtual > /dev/null ||
				why="$why; call $nth: cpu$cpu is no guest"
			cpu=$((cpu + 1))
		done
		take || break
	done
	go native || why="$why; not native"
	walked "in exits by CPUID, before the first $1 $2" $(($1 * CPUS))
}

# A machine check of one CPU alone: the kernel would wait for the others.
for file in /sys/devices/system/machinecheck/machinecheck*/monarch_timeout; do
	[ "$event" = nmi ] || echo 0 > "$file"
done
succeeds "the module that plans" insmod mercury-port.ko
succeeds "the module with the port" modprobe mercury-vmx verify=1
go virtual && go native
counts before
go virtual && go native
counts after

total=0 amiss=0
for name in $operations; do
	made "$name"
	# How often a CPU waits for another is chance.
	[ "$n" = 0 ] || [ "$name" = pause ] || walk "$name"
done
walk_exits 2 vmexit_entry
walk_exits 8 entry_vmread
walk_exits 2 entry_vmwrite
walk_exits 2 entry_cpuid
walk_exits 2 entry_vmresume
walk_exits 8 vmread
walk_exits 1 cpuid
walk_exits 2 vmwrite

# In a call Linux's IDT serves until the VMM's is loaded, and at the very end of the way back.
made entry_sidt
outside=$((2 * all))
made leave
outside=$((outside + all))
what="machine checks"
[ "$event" = mc ] || what="NMIs in root"
inside=$(sum $PROC "$what")
echo "# $total brought about, $inside in the VMM"
is "all but the first and the last hit the VMM" "$inside" $((total - outside))

is "none was unknown to the kernel" "$(dmesg | grep -ci "unknown reason\|dazed")" 0
like "the state is equal at every gate" "$(field "state check")" "equal in *"
is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(grep -c "without a command [1-9]" $PROC)" 0
succeeds "the module goes" rmmod mercury_vmx
succeeds "every CPU is native" hv --expect native
finish
