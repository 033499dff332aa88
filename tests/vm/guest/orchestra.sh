#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# orchestra.sh: every operation of a switch that can fail fails on each CPU in turn: all CPUs are native
# again, the reason names the CPU and the step, the next attempt works, nothing is lost. So too at load.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/port.sh"

# VMCS fields, and masks for plans: CR0 without PG, RFLAGS without bit 1, a limit in the I/O bitmap.
HOST_CR0=0x6c00
GUEST_RFLAGS=0x6820
GUEST_RIP=0x681e
GUEST_TR_LIMIT=0x480e
NO_PG=0x7fffffff
NO_BIT_1=0xfffffffffffffffd
SHORT=0xfff

# attempt CPU: the plan for CPU is carried out, and all are native.
attempt() {
	! go virtual || why="$why; the attempt succeeds"
	plan_of "$1"
	[ "$fired" = 1 ] || why="$why; the plan was not carried out"
	all_native || why="$why; then the mode is $now"
}

# works: the next attempt, and the way back.
works() {
	go virtual || why="$why; the next attempt fails"
	all_virtual || why="$why; then: $now"
	go native || why="$why; the way back fails"
}

# is_whole: nothing was lost since the beginning, every state was equal.
is_whole() {
	[ "$(field memory)" = "$memory" ] || why="$why; memory: $(field memory)"
	case $(field "state check") in
	"equal in "*) ;;
	*) why="$why; state check: $(field "state check")" ;;
	esac
	hv --expect native > /dev/null || why="$why; hv does not find every CPU native"
}

# one CPU TEXT SENTENCE PLAN...: that plan, once.
one() {
	cpu=$1 text=$2 sentence=$3 why=''
	shift 3
	plan "$@" cpu "$cpu"
	attempt "$cpu"
	case $(field "last error") in
	"CPU $cpu, enter: $sentence"*) ;;
	*) why="$why; last error: $(field "last error")" ;;
	esac
	works
	is_whole
	result "cpu$cpu: $text"
}

# every CPU COUNT OPERATION SENTENCE: each of the COUNT calls of it that an entry makes, in turn.
every() {
	cpu=$1 count=$2 operation=$3 nth=0 why=''
	dmesg -c > /dev/null
	while [ $nth -lt "$count" ]; do
		nth=$((nth + 1))
		plan fail "$operation" cpu "$cpu" nth $nth
		attempt "$cpu"
		case $(field "last error") in
		"CPU $cpu, enter: $4"*) ;;
		*) why="$why; $nth, last error: $(field "last error")" ;;
		esac
		works
	done
	# One sentence is told ten times in five seconds at most.
	told=$((count < 10 ? count : 10))
	named=$(dmesg | grep -c "mercury: not virtual: CPU $cpu, enter: $4")
	[ "$named" -ge "$told" ] || why="$why; the log names the CPU and the step $named times"
	plan fail "$operation" cpu "$cpu" nth $((count + 1))
	go virtual || why="$why; there is one more"
	plan clear
	go native || why="$why; the way back fails"
	is_whole
	result "cpu$cpu: each of $count $operation fails"
}

# leaves CPU: native all the same if VMCLEAR fails; what it left behind is made anew.
leaves() {
	cpu=$1 why=''
	dmesg -c > /dev/null
	go virtual || why="$why; not virtual"
	plan fail vmclear cpu "$cpu"
	go native || why="$why; not native"
	plan_of "$cpu"
	[ "$fired" = 1 ] || why="$why; the plan was not carried out"
	dmesg | grep -q "vmm: cpu $cpu: VMCLEAR failed" || why="$why; the log does not say so"
	works
	is_whole
	result "cpu$cpu: VMCLEAR fails on the way back"
}

# leaves_twice CPU: the CPU is native before its call is over, which that call then says. The first of
# the VMCALLs is the state check's; each writes RIP.
leaves_twice() {
	cpu=$1 why=''
	go virtual || why="$why; not virtual"
	plan fail vmwrite $GUEST_RIP cpu "$cpu" nth 2
	! go native || why="$why; no error"
	plan_of "$cpu"
	[ "$fired" = 1 ] || why="$why; the plan was not carried out"
	all_native || why="$why; then the mode is $now"
	case $(field "last error") in
	"CPU $cpu, leave: the VMM put this CPU back to native by itself"*) ;;
	*) why="$why; last error: $(field "last error")" ;;
	esac
	works
	is_whole
	result "cpu$cpu: VMWRITE of RIP fails on the way back"
}

# loads_not CPU TEXT SENTENCE PLAN...: the module is refused.
loads_not() {
	cpu=$1 text=$2 sentence=$3 why=''
	shift 3
	dmesg -c > /dev/null
	plan "$@" cpu "$cpu"
	! ./modprobe mercury-vmx 2> "$WORK/error" || why="$why; it loads"
	grep -q "Input/output error" "$WORK/error" || why="$why; modprobe says $(cat "$WORK/error")"
	dmesg | grep -q "mercury: CPU $cpu, VT-x: $sentence" || why="$why; the log does not say why"
	[ ! -e $PROC ] && [ ! -e $CTL ] || why="$why; its files are there"
	result "cpu$cpu: at load $text fails"
}

succeeds "the module that plans" insmod mercury-port.ko
n=0
while [ $n -lt "$CPUS" ]; do
	loads_not $n "VMXON" "VMXON failed" fail vmxon
	loads_not $n "VMCLEAR" "VMCLEAR failed" fail vmclear
	loads_not $n "VMPTRLD" "VMPTRLD failed" fail vmptrld
	loads_not $n "the first VMWRITE" "VMWRITE failed" fail vmwrite
	loads_not $n "the last VMWRITE" "VMWRITE failed" fail vmwrite nth 37
	loads_not $n "the last VMCLEAR" "VMCLEAR failed" fail vmclear nth 2
	n=$((n + 1))
done
succeeds "the next time it loads" ./modprobe mercury-vmx verify=1
memory=$(field memory)
n=0
while [ $n -lt "$CPUS" ]; do
	one $n "VMLAUNCH with a wrong host state" "VMLAUNCH failed, VM-instruction error 8" \
		and vmwrite $HOST_CR0 $NO_PG
	one $n "VM entry with a wrong guest state" "VM entry failed" \
		and vmwrite $GUEST_RFLAGS $NO_BIT_1
	every $n 1 vmxon "VMXON failed"
	every $n 1 vmptrld "VMPTRLD failed"
	every $n 37 vmwrite "VMWRITE failed"
	every $n 1 invept "INVEPT or INVVPID failed"
	every $n 1 invvpid "INVEPT or INVVPID failed"
	every $n 1 vmlaunch "VMLAUNCH failed"
	leaves $n
	leaves_twice $n
	n=$((n + 1))
done

# The state check must be able to fail, too.
plan and vmwrite $GUEST_TR_LIMIT $SHORT cpu 0
succeeds "virtual with a wrong TR limit" go virtual
succeeds "and native" go native
like "the state check names the TR limit" "$(field "state check")" \
	"differs on cpu0: enter: TR limit *"
succeeds "the module goes" rmmod mercury_vmx
succeeds "the log has it too" sh -c 'dmesg | grep "state check: [0-9]* differences, first: enter: TR limit"'
succeeds "the module that planned goes" rmmod mercury_port
finish
