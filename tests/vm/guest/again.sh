#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# again.sh CPUS: in the kernel that came behind kexec or a reset: native on every CPU, and VMX is free.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

is "no CPU is missing" "$(nproc)" "$1"
succeeds "every CPU is native" hv --expect native
succeeds "the module loads" modprobe mercury-vmx
succeeds "virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
# It powers off while virtual.
finish
