#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# owned.sh: VMX belongs to KVM when the module is loaded: it loads cold and refuses to go virtual, with
# the reason; once KVM has gone it warms up and switches; while virtual KVM gets nothing. Linux 6.12,
# whose kvm_intel takes VMX as soon as it is loaded.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "KVM loads" modprobe kvm_intel
succeeds "the module loads all the same" modprobe mercury-vmx verify=1
OWNED="native, VMX owned by another (kvm_intel?); unload it before you switch"
is "native: status says why it is not ready" "$(cat $CTL/status)" "$OWNED"
if set_mode virtual 2> "$WORK/error"; then
	not_ok "to virtual is refused"
else
	like "to virtual is refused: busy" "$(cat "$WORK/error")" "*resource busy*"
fi
like "the reason names CPU, owner and what to do" "$(field "last error")" \
	"CPU 0, vote: VMX is owned by another*KVM*unload kvm_intel"
# Whoever asks again and again: ten answers in five seconds, each with a line of every CPU's, and a line
# for those left out. (On a console, 10,000 lines take minutes.)
times=10000
dmesg -n 1
dmesg -c > "$WORK/log"
is "the first refusal is in the log" "$(grep -c "mercury: not virtual: CPU 0, vote: VMX is owned" "$WORK/log")" 1
is "and the VMM's line of each CPU" "$(grep -c "mercury: vmm: cpu .*: VMX is owned" "$WORK/log")" "$(nproc)"
begun=$(cut -d . -f 1 /proc/uptime)
is "refused $times times" "$(poke "$CTL/mode" repeat "$times" virtual)" "$times of $times refused: EBUSY"
windows=$((($(cut -d . -f 1 /proc/uptime) - begun) / 5 + 2))
dmesg -c > "$WORK/log"
dmesg -n 5
lines=$(grep -c mercury "$WORK/log")
echo "# $lines lines of $times refusals, in up to $windows times 5 s"
succeeds "the log has few of them" test "$lines" -le $((windows * (10 * (1 + $(nproc)) + 1)))
succeeds "and tells how many it has not" grep "mercury_log_limit: [0-9]* callbacks suppressed" "$WORK/log"
like "the reason is there all the same" "$(field "last error")" "CPU 0, vote: VMX is owned by another*"
is "the mode is native" "$(mode)" native
succeeds "every CPU is native" hv --expect native
succeeds "KVM runs a machine meanwhile" kvm_smoke
is "nothing was switched" "$(field switches)" "0 to virtual, 0 to native"

succeeds "KVM goes" rmmod kvm_intel
like "status says that it is ready" "$(cat $CTL/status)" "native, ready on $(nproc) CPUs*"
succeeds "to virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
if modprobe kvm_intel 2> "$WORK/error"; then
	not_ok "virtual: KVM is refused"
else
	ok "virtual: KVM is refused"
fi
succeeds "virtual: every CPU is still a guest" hv --expect virtual
is "no CPU left by itself" "$(grep -c "without a command [1-9]" $PROC)" 0
succeeds "to native" set_mode native
like "status says warm" "$(cat $CTL/status)" "native, ready on $(nproc) CPUs*"
like "the state was equal at every gate" "$(field "state check")" "equal in *"
succeeds "KVM loads again" modprobe kvm_intel
is "status says so, though all CPUs are warm" "$(cat $CTL/status)" "$OWNED"
succeeds "and runs a machine" kvm_smoke
succeeds "the module goes" rmmod mercury_vmx
finish
