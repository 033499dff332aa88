#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# nested.sh CPUS: tests/vm/run --machine kvm on this machine, whose VT-x is emulated: Mercury under a KVM. The outer
# machine's programs are those of the Debian on the disk (tests/deb/outer), by chroot.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

HOST=/host
cpus=$1

# guest COMMAND...: in a guest of KVM's.
guest() {
	chroot "$HOST" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		MERCURY_KO=/mercury/build/mercury-vmx.ko /mercury/tests/vm/run --machine kvm --smp "$cpus" --timeout 500 \
		--add /mercury/build/guest/hv --add /mercury/build/guest/workload \
		--add /mercury/tests/vm/guest/lib.sh --add /mercury/tests/vm/guest/kvmguest.sh:/root/kvmguest.sh \
		-- "$@" > "$WORK/guest" 2>&1
}

# refused TEXT PATTERN
refused() {
	guest true
	is "$1: there is no guest" $? 125
	like "$1: it says what to do" "$(cat "$WORK/guest")" "$2"
}

ln -s /proc/self/fd /dev/fd
mkdir -p $HOST
mount -t ext4 "$(cat /etc/mercury-vm/disk)" $HOST || exit 1
for dir in proc sys dev; do mount --rbind /$dir $HOST/$dir || exit 1; done
mount -t tmpfs tmpfs $HOST/run
mount -t tmpfs tmpfs $HOST/tmp

refused "without kvm_intel" "*not loaded here: modprobe kvm_intel*"
succeeds "kvm_intel loads, not to be nested" modprobe kvm_intel nested=0
refused "without nested VT-x" "*modprobe -r kvm_intel; modprobe kvm_intel nested=1*"
succeeds "it goes" modprobe -r kvm_intel
succeeds "it loads to be nested" modprobe kvm_intel nested=1
# Only with several CPUs does one of a guest's wait for another.
[ "$cpus" -eq 1 ] || succeeds "its guest's guests have PAUSE-loop exiting" insmod mercury-ple.ko

guest sh kvmguest.sh
is "Mercury works in KVM's guest" $? 0
sed 's/^/# /' "$WORK/guest"
is "it had as many CPUs as it should" "$(grep -c '^cpu.*: hypervisor "MercuryVMMv1"' "$WORK/guest")" "$cpus"
finish
