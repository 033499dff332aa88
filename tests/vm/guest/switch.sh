#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# switch.sh N [MODULE PARAMETERS]: N round trips under a verifying load, state compared at each gate.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

rounds=$1
shift

succeeds "the module loads" modprobe mercury-vmx verify=1 "$@"
succeeds "it starts native" hv --expect native
memory=$(field memory)
case " $* " in
*" ept=off "*) like "status says that nothing is hidden" "$(cat $CTL/status)" "native, ready on *nothing hidden*" ;;
esac

# wait_for REGEX: a line of the load's; not if it ends.
wait_for() {
	until grep -q "$1" "$WORK/load" || ! kill -0 "$load" 2> /dev/null; do
		sleep 0.1
	done
}

# The load outlasts the switches: it ends when it is told to. Each kind has had a round when they begin,
# so that native results are what all later ones are compared with.
workload --seconds 3600 > "$WORK/load" 2>&1 &
load=$!
wait_for "^workload: started"
kill -USR1 "$load"
wait_for "^checkpoint 1:"
# An odd number: checks fall on virtual and on native. --first: each switch would wait for all of the load.
succeeds "$rounds round trips under load" \
	storm --pause 2000 --first --check-every 51 $((2 * rounds))
sed 's/^/# /' "$WORK/output"
kill -TERM "$load"
wait "$load"
is "the load ends well" $? 0
like "its results are right" "$(tail -n 1 "$WORK/load")" "workload: * kinds good"
sed 's/^/# /' "$WORK/load"

# Ring 1 only, where Linux's code was patched.
[ -z "$(field "code check")" ] ||
	like "the code is as it was after every leave" "$(field "code check")" "equal in *"
like "the state is equal at every gate" "$(field "state check")" "equal in *"
is "all went through" "$(field switches)" "$rounds to virtual, $rounds to native"
is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(grep -c "without a command [1-9]" /proc/mercury)" 0
is "in ring 1 the emulator knew all it met" "$(grep '^unknown cpu' /proc/mercury)" ""
is "no memory was taken or lost" "$(field memory)" "$memory"
sed -n '/^enter/p; /^leave/p; /^exits/p; /^state/p' /proc/mercury | sed 's/^/# /'

succeeds "one more time: virtual" sysctl -q mercury.mode=virtual
succeeds "every CPU is a guest" hv --expect virtual
# With several CPUs Bochs at times forgets it, without a VMM as well.
[ "$(nproc)" -gt 1 ] || succeeds "MOV SS holds a single step back" workload --only movss --rounds 20
backend=$(cat $CTL/backend)
succeeds "the module unloads while virtual" rmmod mercury_vmx
# In ring 1 hv asks /proc/mercury, which is gone.
[ "$backend" = ring1 ] || succeeds "every CPU is native again" hv --expect native
succeeds "task-independent state is as it was at load" \
	sh -c 'dmesg | grep "state check" | tail -n 1 | grep "equal in"'
is "no CPU's state differs" "$(dmesg | grep -c "state check: [0-9]* differences")" 0
is "its files are gone" "$(ls /proc/mercury 2> /dev/null)" ""
finish
