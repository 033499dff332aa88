#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# svm.sh: KVM on AMD needs ring 0: while it has SVM ring 1 is refused, and when it takes SVM in ring 1 the
# machine becomes native.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Older kernels ignore the parameter, for they know no other way.
succeeds "kvm loads" modprobe kvm enable_virt_at_load=0
succeeds "kvm_amd loads" modprobe kvm_amd
succeeds "KVM runs a machine" kvm_smoke
succeeds "mercury-vmx loads" modprobe mercury-vmx verify=1
is "the backend is ring1" "$(cat $CTL/backend)" ring1

kvm_smoke hold > "$WORK/held" 2>&1 &
holder=$!
until grep -q runs "$WORK/held"; do
	kill -0 "$holder" 2> "$WORK/gone" || break
	sleep 0.1
done
like "status says so, and why" "$(cat $CTL/status)" "native, SVM owned by another (kvm_amd?)*"
if set_mode virtual 2> "$WORK/error"; then
	not_ok "while a machine runs virtual is refused"
else
	like "while a machine runs virtual is refused" "$(field "last error")" \
		"CPU *, vote: SVM is in use*KVM*"
fi
kill -TERM "$holder"
wait "$holder"
is "the machine was not disturbed" $? 0
like "status is ready again" "$(cat $CTL/status)" "native, ready on $(nproc) CPUs*"

succeeds "after it: to virtual" set_mode virtual
succeeds "every CPU is in ring 1" hv --expect virtual
succeeds "KVM runs a machine all the same" kvm_smoke
succeeds "it is native for it" is_native_soon
succeeds "every CPU" hv --expect native
like "the reason tells of it" "$(field "last error")" "? of $(nproc) CPUs went native by themselves*"
for i in 1 2 3 4 5; do
	succeeds "$i: to virtual" set_mode virtual
	succeeds "$i: KVM runs a machine" kvm_smoke
	succeeds "$i: to virtual at once, before anybody looks" set_mode virtual
	succeeds "$i: every CPU is in ring 1" hv --expect virtual
	succeeds "$i: to native" set_mode native
done
succeeds "to virtual again" set_mode virtual
succeeds "every CPU is in ring 1 again" hv --expect virtual
succeeds "to native" set_mode native
is "no CPU's state differs" "$(dmesg | grep -c "state check: [0-9]* differences")" 0
succeeds "the module goes" rmmod mercury_vmx
succeeds "KVM runs a machine after all that" kvm_smoke
finish
