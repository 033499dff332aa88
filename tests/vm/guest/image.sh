#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# image.sh: whole images into /out, for the tools that read them, and what is to be found there: processes
# that were there before and after. Needs mercury, makedumpfile, pivot, tasks.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=SCRIPTDIR/tasklist.sh
. "$(dirname "$0")/tasklist.sh"

modprobe mercury-vmx || exit 1
pivot run > /dev/null &
pids > "$WORK/before"
mercury snapshot /out/now.vmcore > "$WORK/said" 2>&1 &
maker=$!
wait "$maker"
is "the image: exit status" $? 0
sed 's/^/# /' "$WORK/said"
pids > "$WORK/after"
has_tasks "the image" /out/now.vmcore "$maker"
cp "$WORK/stayed" /out/pids
succeeds "its kernel's part, compressed" mercury snapshot --kernel-only --compress /out/kernel.vmcore
is "nothing else is left" "$(cd /out && echo *)" "kernel.vmcore now.vmcore pids"
du -k /out/* | sed "s/^/# /"
finish
