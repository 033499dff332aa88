#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# image.sh: whole images into /out, for the tools that read them, and what is to be found there: processes
# that were there before and after. Needs mercury, makedumpfile, pivot.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

# pids: of all processes.
pids() {
	find /proc -maxdepth 1 -name '[0-9]*' | sed 's,/proc/,,' | sort -n
}

modprobe mercury-vmx || exit 1
pivot run > /dev/null &
pids > "$WORK/before"
succeeds "the image" mercury snapshot /out/now.vmcore
sed 's/^/# /' "$WORK/output"
pids > "$WORK/after"
grep -xF -f "$WORK/before" "$WORK/after" > /out/pids
succeeds "its kernel's part, compressed" mercury snapshot --kernel-only --compress /out/kernel.vmcore
is "nothing else is left" "$(cd /out && echo *)" "kernel.vmcore now.vmcore pids"
du -k /out/* | sed "s/^/# /"
finish
