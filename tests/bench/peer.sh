#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# peer.sh SIZE [NAME...]: the always-on peer: the same rows in a guest of KVM's, of this machine's size, with
# this machine's kernel. Each row runs twice: undisturbed, and with a count of its exits by reason. Lines as
# column.sh's; needs /peer/vmlinuz, /peer/initrd and QEMU's microvm.
set -u

EVENT=/sys/kernel/tracing/events/kvm/kvm_exit
HIST='hist:keys=exit_reason'
CR=$(printf '\r')

# exits NAME: what was counted, by the reason's name in /peer/reasons.
exits() {
	sed -n 's/.*exit_reason: *\([0-9]*\) *} hitcount: *\([0-9]*\).*/\1 \2/p' $EVENT/hist |
		awk -v row="$1" 'NR == FNR { name[$1] = $2; next }
			{ print "exit", row, ($1 in name) ? name[$1] : "reason_" $1, $2 }' /peer/reasons -
}

# attend: answers the guest, and passes its lines on.
attend() {
	last='' counting=''
	while read -r word name rest; do
		rest=${rest%"$CR"} name=${name%"$CR"}
		case $word in
		ready)
			if [ "$name" = "$last" ]; then
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
mkfifo /tmp/to /tmp/from
exec 3<> /tmp/to
echo "$*" > /peer/words
qemu-system-x86_64-microvm -L /usr/share/qemu -M microvm,isa-serial=on -accel kvm -cpu host -m 512 -nodefaults \
	-display none -no-reboot -serial stdio -kernel /peer/vmlinuz -initrd /peer/initrd \
	-append "console=ttyS0 quiet loglevel=1 nokaslr mitigations=off cryptomgr.notests \
initcall_blacklist=jent_mod_init rdinit=/rows/guest.sh reboot=t panic=-1 rows=$(echo "$*" | tr ' ' ,)" \
	< /tmp/to > /tmp/from 2> /tmp/qemu.errors &
attend < /tmp/from
wait $! || cat /tmp/qemu.errors >&2
