#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lockdown.sh: what Secure Boot's lockdown takes away and what it does not, as docs/secure-boot.md has it.
# The module is loaded before, for it is not signed. Needs mercury, hv.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

LOCKDOWN=/sys/kernel/security/lockdown
DEBUGFS=/sys/kernel/debug

# lookup: asks the P2M of one address.
lookup() {
	(echo 0x1000 > $DEBUGFS/mercury/lookup) 2> /dev/null
}

modprobe msr
mercury check > "$WORK/check"
is "check: not locked down" "$(grep -c '^ok  *lockdown ' "$WORK/check")" 1
succeeds "the module loads" modprobe mercury-vmx
succeeds "the P2M may be asked" lookup

echo integrity > $LOCKDOWN
mercury check > "$WORK/check"
is "check: what is loaded is loaded" "$(grep -c '^ok  *lockdown ' "$WORK/check")" 1
is "check: MSRs may still be read" "$(grep -c '^ok  *vt-x ' "$WORK/check")" 1
succeeds "to virtual" mercury virtual
succeeds "every CPU is a guest" hv --expect virtual
succeeds "state: debugfs may still be read" mercury state
is "the P2M may not be asked any more" "$(lookup || echo refused)" refused
succeeds "a snapshot is still taken" mercury snapshot --range 0x100000-0x200000 "$WORK/core"

# Root can raise it, and nobody can lower it.
echo confidentiality > $LOCKDOWN
mercury snapshot --range 0x100000-0x200000 "$WORK/core2" 2> "$WORK/refused"
is "a snapshot is not" $? 1
like "it says why, and what to do" "$(cat "$WORK/refused")" \
	"*locked down and keeps memory to itself*next: boot with lockdown=integrity*"
succeeds "to native" mercury native
succeeds "every CPU is native" hv --expect native

succeeds "the module goes" rmmod mercury_vmx
mercury check > "$WORK/check"
is "check: locked down" "$(grep -A 1 '^unknown  *lockdown ' "$WORK/check" | tail -n 1 | tr -s ' ')" \
	" next: sign the module with a key that the kernel trusts, or switch Secure Boot off"
is "and does not load any more, unsigned" "$(modprobe mercury-vmx 2>&1 | grep -o 'Operation not permitted')" \
	"Operation not permitted"
dmesg > "$WORK/dmesg"
# Busybox's modprobe tries twice.
succeeds "the kernel says why" grep -q 'Lockdown: modprobe: unsigned module loading is restricted' "$WORK/dmesg"
finish
