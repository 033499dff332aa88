#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# nmi.sh SWITCHES BACKTRACES [MODULE PARAMETERS]: that many switches while every CPU sends counted NMIs to
# all, and as many backtraces of all CPUs, which are NMIs too: none is lost, none comes twice. In ring 1 none
# is handled while the kernel's code is written. Needs mercury-nmi.ko.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

NMI=/proc/mercury-nmi
switches=$1
backtraces=$2
shift 2
cpus=$(nproc)

# least COLUMN: of the CPU that has least.
least() {
	sed -n "s/^cpu.*$1 \([0-9]*\).*/\1/p" $NMI | sort -n | head -n 1
}

# sysrq_storm: N backtraces of all CPUs; how many CPUs showed one is counted in the kernel log.
# shellcheck disable=SC2317 # called in the background
sysrq_storm() {
	i=0
	while [ "$i" -lt "$backtraces" ]; do
		dmesg -c > /dev/null
		echo l > /proc/sysrq-trigger
		i=$((i + 1))
		dmesg | grep -c "NMI backtrace for cpu"
	done > "$WORK/backtraces"
}

echo "# $(dmesg | grep "Performance Events" | sed 's/^[^]]*\] //')"
succeeds "the module loads" modprobe mercury-vmx verify=1 "$@"
succeeds "what sends NMIs loads" insmod /root/mercury-nmi.ko during=write_ours,write_theirs
workload --seconds 3600 > "$WORK/load" 2>&1 &
load=$!
# Each of these is an exit, or a trap in ring 1, so that there is a VMM to be hit.
attack vmx > "$WORK/exits" 2>&1 &
attacker=$!
sleep 1

echo "on 200" > $NMI
succeeds "$switches switches while NMIs come" storm --pause 500 --check-every 101 "$switches"
echo off > $NMI
sed 's/^/# /' $NMI
is "every NMI that was sent was taken" "$(sum $NMI "cpu.*taken")" "$(sum $NMI "cpu.*sent")"
is "none was lost" "$(sum $NMI "cpu.*lost")" 0
during=$(sed -n 's/^during: //p' $NMI)
if [ "$(cat "$CTL/backend")" = ring1 ]; then
	like "each time the code is written an NMI comes" "$during" "sent [1-9]*"
	like "and none is handled before that is over" "$during" "*, taken 0"
fi
succeeds "each CPU took as many as there were switches" test "$(least taken)" -ge "$switches"
# With one CPU the one that sends is the one that takes, and is not in the VMM meanwhile. One in some
# thousands does.
hits=$(sum $PROC "NMIs in root")
echo "# NMIs that hit the VMM: $hits"
[ "$cpus" -eq 1 ] || [ "$switches" -lt 1000 ] || succeeds "some of them hit the VMM" test "$hits" -gt 0

# Their text, some kilobytes each, is for the log only.
dmesg | grep -E "Uhhuh|Dazed" > "$WORK/unknown"
dmesg -n 1
sysrq_storm &
backtracer=$!
storm --pause 2000 --check-every 101 1000000 > "$WORK/storm" 2>&1 &
switcher=$!
wait "$backtracer"
kill "$switcher" 2> /dev/null
wait "$switcher"
like "the backtraces came while it switched" "$?" "143"
dmesg -n 5
is "each time every CPU gave its backtrace" "$(sort -u "$WORK/backtraces")" "$cpus"
is "none was missing" "$(wc -l < "$WORK/backtraces")" "$backtraces"
dmesg | grep -E "Uhhuh|Dazed" >> "$WORK/unknown"
is "no NMI came that nobody had sent" "$(cat "$WORK/unknown")" ""

kill -TERM "$load"
wait "$load"
is "the load ends well" $? 0
sed '/digest/d; s/^/# /' "$WORK/load"
kill -TERM "$attacker"
wait "$attacker"
is "what makes exits ends well" $? 0
set_mode native
is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(grep -c "without a command [1-9]" $PROC)" 0
like "the state is equal at every gate" "$(field "state check")" "equal in *"
sed -n '/^switches/p; /^events/p' $PROC | sed 's/^/# /'
succeeds "all modules go" rmmod mercury_nmi mercury_vmx
finish
