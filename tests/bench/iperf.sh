#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# iperf.sh BYTES: so much by TCP over the loopback device. A client that comes before the server listens costs
# a fifth of the row in the emulator, so it waits first.
set -u

iperf3 -s -1 -B 127.0.0.1 > "$TMP/iperf.server" 2>&1 &
sleep 0.2
until iperf3 -c 127.0.0.1 -n "$1"; do sleep 0.05; done
wait
