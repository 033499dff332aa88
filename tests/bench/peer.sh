#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# peer.sh SIZE [NAME...]: the always-on peer: the same rows in a guest of KVM's, of this machine's size, with
# this machine's kernel. Each row runs RUNS times, the last with a count of its exits by reason. Lines as
# column.sh's; needs /peer/vmlinuz, /peer/initrd and QEMU's microvm.
set -u

EVENT=/sys/kernel/tracing/events/kvm/kvm_exit
HIST='hist:keys=exit_reason'
CR=$(printf '\r')
RUNS=3

# exits NAME: what was counted, by the reason's name in /peer/reasons.
exits() {
	sed -n 's/.*exit_reason: *\([0-9]*\) *} hitcount: *\([0-9]*\).*/\1 \2/p' $EVENT/hist |
		awk -v row="$1" 'NR == FNR { name[$1] = $2; next }
			{ print "exit", row, ($1 in name) ? name[$1] : "reason_" $1, $2 }' /peer/reasons -
}

# attend: answers the guest, and passes its lines on.
attend() {
	last='' counting='' run=0
	while read -r word name rest; do
		rest=${rest%"$CR"} name=${name%"$CR"}
		case $word in
		ready)
			: > /tmp/spoke
			[ "$name" = "$last" ] || run=0
			run=$((run + 1))
			if [ $run -eq $RUNS ]; then
				echo "$HIST" > $EVENT/trigger
				counting=1
			fi
			last=$name
			echo go >&3
			;;
		row)
			# The one that is counted takes longer for it.
			if [ -n "$counting" ]; then
				exits "$name"
				echo "!$HIST" > $EVENT/trigger
				counting=''
			else
				echo "row $name $rest"
			fi
			;;
		operations) echo "operations $name $rest" ;;
		*) echo "guest: $word $name $rest" >&2 ;;
		esac
	done
}

modprobe kvm_intel || exit
mount -t tracefs none /sys/kernel/tracing 2> /dev/null
size=$1
shift
words=$(echo "$size" $RUNS "$@" | tr ' ' ,)
mkfifo /tmp/to /tmp/from
exec 3<> /tmp/to
# A rootfs takes half of the memory at most, and the files of the rows are more than 100 MiB. KVM's guest has fast
# string operations by IA32_MISC_ENABLE, which this machine has not: without them both copy by the same instructions.
qemu-system-x86_64-microvm -L /usr/share/qemu -M microvm,isa-serial=on -accel kvm -cpu host -m 1024 -nodefaults \
	-display none -no-reboot -serial stdio -kernel /peer/vmlinuz -initrd /peer/initrd \
	-append "console=ttyS0 quiet loglevel=1 nokaslr mitigations=off cryptomgr.notests clearcpuid=rep_good,erms \
initcall_blacklist=jent_mod_init rdinit=/rows/guest.sh reboot=t panic=-1 rows=$words" \
	< /tmp/to > /tmp/from 2> /tmp/qemu.errors &
qemu=$!
(
	sleep 200
	[ -e /tmp/spoke ] || { echo "peer: the guest said nothing for 200 s" >&2; kill $qemu; }
) &
attend < /tmp/from
wait $qemu || {
	cat /tmp/qemu.errors >&2
	exit 1
}
