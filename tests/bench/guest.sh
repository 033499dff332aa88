#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# guest.sh: the first process of the peer's guest: runs rows.sh with the words that the kernel's command line
# has behind rows=, on its serial port, and ends the machine.
set -u

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
exec < /dev/ttyS0 > /dev/ttyS0 2>&1
stty -echo
ip link set lo up
words=$(sed -n 's/.*rows=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
# shellcheck disable=SC2086 # words
MEASURE_ASK=/dev/ttyS0 sh /rows/rows.sh $words
reboot -f
