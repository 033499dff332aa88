# SPDX-License-Identifier: GPL-2.0-only
# The operations of ops natively, in ring 1 with every one trapping, with Linux's code patched, and natively
# again; and what switches cost with nothing patched, and with all.
set -u

# mode NAME PATCH: measure ops with the module's parameter patch.
mode() {
	echo "$2" > /sys/module/mercury_vmx/parameters/patch
	sysctl -q mercury.mode=virtual || exit 1
	grep '^patched' /proc/mercury
	ops "$1"
	sysctl -q mercury.mode=native
	ops "$1" switch
}

modprobe mercury-vmx backend=ring1 || exit 1
ops native
mode trap 0
mode patched 1
ops again
