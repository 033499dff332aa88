#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# restart.sh HOW: go virtual, then start a second kernel: kexec; reboot; sysrq, a reset that tells nobody
# before. There again.sh goes on.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

if [ "$1" = kexec ]; then
	succeeds "the initramfs is packed" pack_initramfs "$WORK/initrd"
	succeeds "a kernel is loaded" kexec --load --no-checks --initrd="$WORK/initrd" --reuse-cmdline \
		--append=by_kexec /boot/vmlinuz
fi
succeeds "the module loads" modprobe mercury-vmx
succeeds "virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
[ "$failures" -eq 0 ] || finish
sleep 1
case $1 in
kexec) kexec --exec ;;
reboot) reboot -f ;;
sysrq) echo b > /proc/sysrq-trigger ;;
esac
sleep 10
not_ok "it restarts"
finish
