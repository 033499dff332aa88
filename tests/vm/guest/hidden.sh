#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hidden.sh: a virtual Linux reads zero where the VMM lies, and what it writes there is dropped.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

PEEK=/proc/mercury-peek
MAGIC=5952554352454d00

# dropped: writes that the VMM counted, on all CPUs together.
dropped() {
	sed -n 's/^events.*dropped writes \([0-9]*\).*/\1/p' /proc/mercury | awk '{ n += $1 } END { print n }'
}

succeeds "the module loads" modprobe mercury-vmx
succeeds "native: the image is found in memory" insmod /root/mercury-peek.ko
is "native: its first bytes can be read" "$(cat $PEEK)" "$MAGIC"

succeeds "to virtual" set_mode virtual
is "virtual: zero is read there" "$(cat $PEEK)" 0000000000000000
i=0
while [ $i -lt 20 ]; do
	echo > $PEEK
	i=$((i + 1))
done
# An interrupt between the violation and the write makes it fault once more.
succeeds "virtual: twenty writes were dropped and counted" test "$(dropped)" -ge 20
is "virtual: still zero is read there" "$(cat $PEEK)" 0000000000000000
succeeds "virtual: every CPU is still a guest" hv --expect virtual

succeeds "to native" set_mode native
is "native: what lies there was never changed" "$(cat $PEEK)" "$MAGIC"
is "no CPU left by itself" "$(grep -c "without a command [1-9]" /proc/mercury)" 0
succeeds "the prying module goes" rmmod mercury_peek
succeeds "the module goes" rmmod mercury_vmx
finish
