#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm.sh: KVM and Mercury, of which only one can have VMX: whoever comes second is refused and told why,
# and neither harms the other. KVM takes VMX with its first machine here; owned.sh is about one that
# takes it as soon as it is loaded.
# shellcheck disable=SC2317 # functions are called through succeeds
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

OWNED="*VMX is owned by another*kvm_intel*"

# refused TEXT: to virtual fails because KVM has VMX, and nothing changes.
refused() {
	if set_mode virtual 2> "$WORK/error"; then
		not_ok "$1: virtual is refused"
		return
	fi
	like "$1: virtual is refused" "$(cat "$WORK/error")" "*esource busy*"
	like "$1: the reason names VMX and KVM" "$(field "last error")" "CPU *, vote: $OWNED"
	succeeds "$1: every CPU is native" hv --expect native
}

# no_vm TEXT: KVM makes no machine, and Mercury stays.
no_vm() {
	if kvm_smoke > "$WORK/vm" 2>&1; then
		not_ok "$1: KVM makes no machine"
	else
		like "$1: KVM makes no machine" "$(cat "$WORK/vm")" "kvm_smoke: KVM_CREATE_VM: *"
		sed 's/^/# /' "$WORK/vm"
	fi
	succeeds "$1: every CPU is a guest of ours" hv --expect virtual
}

# hold: a virtual machine in the background, which runs.
hold() {
	kvm_smoke hold > "$WORK/held" 2>&1 &
	holder=$!
	until grep -q runs "$WORK/held"; do
		kill -0 "$holder" 2> "$WORK/gone" || return
		sleep 0.1
	done
}

# let_go TEXT: it ends, and was never disturbed.
let_go() {
	kill -TERM "$holder"
	wait "$holder"
	is "$1: the machine was not disturbed" $? 0
	like "$1: it has run" "$(tail -n 1 "$WORK/held")" "kvm_smoke: ran [1-9]*"
}

# The last CPU, if there is more than one.
go_and_come() {
	go_file=/sys/devices/system/cpu/cpu$(($(nproc) - 1))/online
	[ ! -e "$go_file" ] || { echo 0 > "$go_file" && echo 1 > "$go_file"; }
}

to_and_fro() {
	set_mode virtual && hv --expect virtual && set_mode native && hv --expect native
}

# --- kvm_intel comes while virtual -------------------------------------------------------------------

# Older kernels ignore the parameter, for they know no other way.
succeeds "kvm loads" modprobe kvm enable_virt_at_load=0
succeeds "mercury-vmx loads" modprobe mercury-vmx verify=1
memory=$(field memory)
succeeds "to virtual" set_mode virtual
if modprobe kvm_intel 2> "$WORK/error"; then
	not_ok "kvm_intel does not load while virtual"
else
	like "kvm_intel does not load while virtual" "$(cat "$WORK/error")" "*not supported*"
fi
succeeds "every CPU is still a guest of ours" hv --expect virtual
succeeds "to native" set_mode native
succeeds "kvm_intel loads while native" modprobe kvm_intel
succeeds "KVM runs a machine" kvm_smoke

# --- It is idle --------------------------------------------------------------------------------------

succeeds "kvm_intel idle: to virtual" set_mode virtual
succeeds "kvm_intel idle: every CPU is a guest of ours" hv --expect virtual
no_vm "kvm_intel idle"
succeeds "kvm_intel idle: a CPU goes and comes while virtual" go_and_come
succeeds "kvm_intel idle: it is a guest of ours" hv --expect virtual
succeeds "kvm_intel idle: to native" set_mode native
succeeds "kvm_intel idle: KVM runs a machine" kvm_smoke

# --- It runs a machine -------------------------------------------------------------------------------

# Linux is told of our VMX operation, for Intel PT: not that KVM's is over.
TRACING=/sys/kernel/tracing
echo "p:pt intel_pt_handle_vmx on=%di:s32" > $TRACING/kprobe_events
echo 1 > $TRACING/events/kprobes/pt/enable
succeeds "a machine runs" hold
echo > $TRACING/trace
refused "a machine runs"
is "and Linux is told nothing of it" "$(grep -c ' pt: ' $TRACING/trace)" 0
echo 0 > $TRACING/events/kprobes/pt/enable
echo > $TRACING/kprobe_events
succeeds "a CPU goes and comes while a machine runs" go_and_come
refused "a machine runs, again"
let_go "a machine runs"
succeeds "after it: virtual and native" to_and_fro

succeeds "a machine runs while mercury-vmx loads" sh -c "rmmod mercury_vmx" && hold
succeeds "mercury-vmx loads cold" modprobe mercury-vmx verify=1
like "status says so, and why" "$(cat "$CTL/status")" "native, VMX owned by another (kvm_intel?)*"
refused "loaded beside a machine"
let_go "loaded beside a machine"
succeeds "the first vote warms up: virtual and native" to_and_fro

# --- Both at once: each gets it or is refused ---------------------------------------------------------

for exits in 10 20 30 40 50 60 70 80 90 100; do
	# 6.1 says that VMX is busy, 6.12 that it cannot be enabled.
	kvm_smoke $exits > "$WORK/vm" 2>&1
	smoke=$?
	[ $smoke -ne 0 ] || continue
	[ $smoke -eq 1 ] &&
		grep -qxE 'kvm_smoke: KVM_CREATE_VM: (Device or resource busy|Input/output error)' "$WORK/vm" ||
		echo "$exits exits: status $smoke: $(cat "$WORK/vm")"
done > "$WORK/race" &
race=$!
got=0
denied=0
: > "$WORK/errors"
while kill -0 "$race" 2> "$WORK/gone"; do
	if echo virtual > "$PROC"; then
		got=$((got + 1))
		echo native > "$PROC"
	else
		denied=$((denied + 1))
	fi 2>> "$WORK/errors"
done
wait "$race"
echo "# both at once: virtual $got times, refused $denied times"
is "both at once: KVM was refused as it should be" "$(cat "$WORK/race")" ""
is "both at once: so was virtual" "$(grep -v "esource busy" "$WORK/errors")" ""
succeeds "both at once: each had it at times" test $((got * denied)) -gt 0
succeeds "both at once: KVM runs a machine" kvm_smoke
succeeds "both at once: virtual and native" to_and_fro

# --- It goes while virtual -----------------------------------------------------------------------------

succeeds "to virtual" set_mode virtual
succeeds "kvm_intel goes while virtual" rmmod kvm_intel
succeeds "every CPU is a guest of ours" hv --expect virtual
succeeds "to native" set_mode native
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state is equal at every gate" "$(field "state check")" "equal in *"
succeeds "mercury-vmx goes" rmmod mercury_vmx
succeeds "kvm_intel comes" modprobe kvm_intel
succeeds "KVM runs a machine after all that" kvm_smoke
finish
