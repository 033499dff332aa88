#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vmcore.sh CPUS PANIC [CPUS HERE]: in the crash kernel, which is native on its CPUs: the dump of CPUS
# that died of PANIC is whole, and VMX is free.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

cpus=$1
panic=$2
here=${3:-1}

is "the crash kernel has its CPUs" "$(nproc)" "$here"
succeeds "and runs on bare metal" hv --expect native
like "readelf: a core file" "$(readelf -h /proc/vmcore | grep Type:)" "*CORE*"
is "readelf: each CPU's registers" "$(readelf -n /proc/vmcore | grep -c NT_PRSTATUS)" "$cpus"
succeeds "makedumpfile reads it" makedumpfile -d 31 /proc/vmcore "$WORK/vmcore"
succeeds "makedumpfile finds the kernel's log" makedumpfile --dump-dmesg /proc/vmcore "$WORK/dmesg"
is "the panic is in it" "$(grep -c "Kernel panic - not syncing: $panic" "$WORK/dmesg")" 1
is "Linux was virtual" "$(grep -c "kdump.sh: Linux is virtual" "$WORK/dmesg")" 1
succeeds "VMX is free: the module loads" modprobe mercury-vmx
succeeds "and goes virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
succeeds "and back" set_mode native
finish
