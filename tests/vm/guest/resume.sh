#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# resume.sh: in the kernel that starts after a hibernation: it is virtual as well when it gives way to the
# image on the disk of tests/vm/run --disk.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "the second kernel: the module loads" modprobe mercury-vmx
succeeds "the second kernel: to virtual" set_mode virtual
succeeds "the second kernel: every CPU is a guest" hv --expect virtual
cat /etc/mercury-vm/disk > /sys/power/resume
not_ok "the second kernel gives way to the image" "$(dmesg | grep PM: | tail -n 5)"
finish
