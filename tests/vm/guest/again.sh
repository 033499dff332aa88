#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# again.sh CPUS [kexec]: in the kernel that came behind kexec or a reset: native on every CPU, and VMX is free.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# restart.sh's word; a machine that is lost on the way may start again, too, but without it.
is "it came ${2:+by }${2:-by a reset}" "$(grep -c by_kexec /proc/cmdline)" "$([ "${2:-}" = kexec ] && echo 1 || echo 0)"
is "no CPU is missing" "$(nproc)" "$1"
succeeds "every CPU is native" hv --expect native
succeeds "the module loads" modprobe mercury-vmx
succeeds "virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
# It powers off while virtual.
finish
