#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hidden.sh: a virtual Linux reads zero where the VMM lies, and what it writes there is dropped.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

PEEK=/proc/mercury-peek
ALL=/proc/mercury-peek-all
MAGIC=5952554352454d00

# dropped: writes that the VMM counted, on all CPUs together.
dropped() {
	sum $PROC "dropped writes"
}

succeeds "the module loads" modprobe mercury-vmx
succeeds "native: the image is found in memory" insmod /root/mercury-peek.ko
is "native: its first bytes can be read" "$(cat $PEEK)" "$MAGIC"

like "native: many pages hold something" "$(cat $ALL)" "[1-9][0-9]* of * pages are not zero, *"
text=$(sed 's/.*text //' $ALL)
pages=$(sed 's/.* of \([0-9]*\) .*/\1/' $ALL)
succeeds "native: not all can be written" sh -c "! echo > $ALL 2> /dev/null"

succeeds "to virtual" set_mode virtual
like "virtual: zero is read in every page" "$(cat $ALL)" "0 of $pages pages are not zero, *"
is "virtual: zero is read there" "$(cat $PEEK)" 0000000000000000
i=0
while [ $i -lt 20 ]; do
	echo > $PEEK
	i=$((i + 1))
done
# An interrupt between the violation and the write makes it fault once more.
succeeds "virtual: twenty writes were dropped and counted" test "$(dropped)" -ge 20
before=$(dropped)
succeeds "virtual: every page is written to" sh -c "echo > $ALL"
succeeds "virtual: a write for each page was dropped and counted" test $(($(dropped) - before)) -ge "$pages"
like "virtual: still zero is read in every page" "$(cat $ALL)" "0 of $pages pages are not zero, *"
succeeds "virtual: every CPU is still a guest" hv --expect virtual

succeeds "to native" set_mode native
is "native: what lies there was never changed" "$(cat $PEEK)" "$MAGIC"
is "native: nor was the VMM's text" "$(sed 's/.*text //' $ALL)" "$text"
succeeds "to virtual once more" set_mode virtual
succeeds "and native" set_mode native
is "no CPU left by itself" "$(grep -c "without a command [1-9]" /proc/mercury)" 0
succeeds "the module goes" rmmod mercury_vmx
# Where it lay, Linux's data may be by now.
succeeds "unloaded: nothing of the image is left" test "$(cat $PEEK)" != "$MAGIC"
is "unloaded: nor of the text" "$(grep -c "$text" $ALL)" 0
succeeds "the prying module goes" rmmod mercury_peek
finish
