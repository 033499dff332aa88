#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# secureboot.sh refused|enrolled: under Secure Boot, what docs/secure-boot.md says: the module is refused without a
# key that is trusted, by sentences that say why; the key is handed to shim's MOK manager, for the next start; then
# the module that DKMS has signed loads, and switches. Needs mercury, hv, mokutil, kmod, mok.pub, signed.ko.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

# Not busybox's, which is what sh finds.
KMOD=/usr/local/bin/modprobe
REFUSED="modprobe: ERROR: could not insert 'mercury_vmx': Key was rejected by service"
MODULE=/lib/modules/$(uname -r)/extra/mercury-vmx.ko

# started: by Secure Boot, and locked down for it.
started() {
	is "Secure Boot is on" "$(mokutil --sb-state)" "SecureBoot enabled"
	like "the kernel is locked down for it" "$(dmesg | grep -i 'locked down')" \
		"*Kernel is locked down from EFI Secure Boot*"
}

# is_refused WHAT WHY: modprobe says no, and the kernel why.
is_refused() {
	is "$1 is refused" "$($KMOD mercury-vmx 2>&1)" "$REFUSED"
	is "the kernel says why" "$(dmesg | grep -o 'Loading of .*' | tail -n 1)" "$2"
}

refused() {
	umount /sys/kernel/security
	mercury check > "$WORK/check"
	is "check, without securityfs: it cannot be told" "$(grep '^unknown  *lockdown ' "$WORK/check" | tr -s ' ')" \
		"unknown lockdown whether the kernel is locked down cannot be told: securityfs cannot be read"
	mount -t securityfs securityfs /sys/kernel/security
	mercury check > "$WORK/check"
	is "check: locked down" "$(grep '^unknown  *lockdown ' "$WORK/check" | tr -s ' ')" \
		"unknown lockdown the kernel is locked down: it loads signed modules only"
	is_refused "the module without a signature" "Loading of unsigned module is rejected"
	mercury virtual 2> "$WORK/output"
	is "virtual says what to do" "$(paste -sd ';' "$WORK/output")" \
		"mercury: the module mercury-vmx is not loaded;mercury: next: modprobe mercury-vmx; if its key is rejected, for the kernel is locked down: sign it with one that it trusts"

	cp signed.ko "$MODULE"
	is_refused "one that is signed by a key of nobody's" "Loading of module with unavailable key is rejected"
	is "the key is not enrolled" "$(mokutil --test-key mok.pub)" "mok.pub is not enrolled"
	printf 'password\npassword\n' > "$WORK/password"
	succeeds "it is handed over for that" sh -c "mokutil --import mok.pub < $WORK/password"
	mokutil --list-new > "$WORK/new"
	succeeds "and waits for the next start" grep -q 'CN=DKMS module signing key' "$WORK/new"
	# Nothing of this TAP's end is lost with the machine.
	echo "1..$tests"
	[ "$failures" -eq 0 ] || exit 1
	sleep 1
	reboot -f
}

enrolled() {
	is "lockdown" "$(cat /sys/kernel/security/lockdown)" "none [integrity] confidentiality"
	is "the key is enrolled" "$(mokutil --test-key mok.pub)" "mok.pub is already enrolled"
	is_refused "the module without a signature, still," "Loading of unsigned module is rejected"
	cp signed.ko "$MODULE"
	is "the other one names its key" "$(/usr/local/bin/modinfo -F signer mercury-vmx)" "DKMS module signing key"
	succeeds "and loads" $KMOD mercury-vmx
	succeeds "to virtual" mercury virtual
	succeeds "every CPU is a guest" hv --expect virtual
	mercury status > "$WORK/output"
	sed 's/^/# /' "$WORK/output"
	is "in ring 1" "$(cat $CTL/backend)" ring1
	like "the kernel's code is not patched" "$(field patched)" "nothing, the kernel is locked down, *"
	succeeds "to native" mercury native
	succeeds "every CPU is native" hv --expect native
	succeeds "the module goes" rmmod mercury_vmx

	echo confidentiality > /sys/kernel/security/lockdown
	is "locked down further, ring 1 is refused" "$($KMOD mercury-vmx backend=ring1 2>&1)" \
		"modprobe: ERROR: could not insert 'mercury_vmx': No such device"
	is "the log says why, and what to do" "$(dmesg | grep -o 'ring 1: .*' | tail -n 1)" \
		"ring 1: the kernel is locked down and does not tell where its symbols are: boot with lockdown=integrity"
	finish
}

started
"$1"
