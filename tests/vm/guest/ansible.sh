#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ansible.sh: the Ansible role on this machine, which it installs on, switches and cleans up. The host is the
# Debian on the disk (tests/deb/image), by chroot: its packages, its Ansible, this kernel and its modules. In
# between its own systemd boots it, in a PID namespace. Needs hv.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

HOST=/host

enter() {
	chroot "$HOST" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ANSIBLE_LOCALHOST_WARNING=0 "$@"
}

# play TEXT MODE [OPTION...]: the rollout goes through; $WORK/play has what it says.
play() {
	play_text=$1 play_mode=$2
	shift 2
	if enter ansible-playbook -i localhost, -c local /mercury/rollout.yml \
		-e ansible_python_interpreter=/usr/bin/python3 -e @/root/packages.json \
		-e "mercury_mode=$play_mode" "$@" > "$WORK/play" 2>&1; then
		ok "$play_text"
	else
		not_ok "$play_text" "$(tail -n 40 "$WORK/play")"
	fi
	echo "# $(grep -E '^localhost +:' "$WORK/play")"
}

# changed: tasks of the last play that changed something.
changed() {
	sed -n 's/^localhost .* changed=\([0-9]*\).*/\1/p' "$WORK/play"
}

installed() {
	# shellcheck disable=SC2016 # dpkg-query's
	enter dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'mercury*' 'libmercury0' 2> /dev/null |
		sed -n 's/ installed$//p' | sort | tr '\n' ' '
}

# boot: the host's systemd, in the background.
boot() {
	unshare --mount --pid --fork chroot "$HOST" /bin/sh -c \
		'mount -t proc proc /proc && exec /lib/systemd/systemd' \
		> /dev/null 2>&1 < /dev/null &
	booted=$!
}

# shellcheck disable=SC2317 # by succeeds
# is_soon MODE: within a minute.
is_soon() {
	i=0
	while [ "$(mode)" != "$1" ] && [ "$i" -lt 60 ]; do
		sleep 1
		i=$((i + 1))
	done
	[ "$(mode)" = "$1" ]
}

# manage ARG...: systemctl, of the host that is booted.
manage() {
	nsenter -t "$(enter pgrep -P "$booted")" -m -p chroot "$HOST" systemctl "$@" 2>&1
}

# What udev would bring; dkms is bash, which reads from <(COMMAND).
ln -s /proc/self/fd /dev/fd
mkdir -p $HOST
mount -t ext4 "$(cat /etc/mercury-vm/disk)" $HOST || exit 1
for dir in proc sys dev; do mount --rbind /$dir $HOST/$dir || exit 1; done
mount -t tmpfs tmpfs $HOST/run
mkdir -p $HOST/usr/lib/modules
mount --bind /lib/modules $HOST/usr/lib/modules || exit 1
# What apt knows of Debian is fresh: there is no network.
touch $HOST/var/lib/apt/lists
# Headers: DKMS has nothing to build, for the module is there. In ring 1, for Python takes an hour in Bochs.
(cd $HOST/mercury && for deb in libmercury0_* mercury_* mercury-dkms_*; do echo "/mercury/$deb"; done) |
	sed 's/.*/"&"/' | tr '\n' ',' |
	sed 's/^\(.*\),$/{"mercury_packages": [\1], "mercury_headers": "make", "mercury_parameters": "backend=ring1"}/' > $HOST/root/packages.json

play "check mode: goes through" virtual --check
is "and installs nothing" "$(installed)" ""
succeeds "and loads nothing" test ! -e $PROC

play "virtual" virtual -e mercury_at_boot=true
is "the packages are there" "$(installed)" "libmercury0 mercury mercury-dkms "
succeeds "every CPU is a guest" hv --expect virtual
is "it reports the mode, and that of each CPU" "$(grep -c '"mode": "virtual"' "$WORK/play")" $(($(nproc) + 1))
is "and will be so at each boot" "$(enter systemctl is-enabled mercury-mode@virtual.service 2>&1)" enabled

succeeds "the module goes" rmmod mercury_vmx
boot
succeeds "booted by systemd, it is virtual" is_soon virtual
succeeds "every CPU is a guest" hv --expect virtual
is "the unit is active" "$(manage is-active mercury-mode@virtual)" active
is "it is stopped" "$(manage stop mercury-mode@virtual)" ""
succeeds "every CPU is native" hv --expect native
is "it is started" "$(manage start mercury-mode@virtual)" ""
succeeds "every CPU is a guest" hv --expect virtual
set_mode native
is "native by a command, it stays active" "$(manage is-active mercury-mode@virtual)" active
is "and is restarted" "$(manage restart mercury-mode@virtual)" ""
succeeds "every CPU is a guest" hv --expect virtual
succeeds "the module goes meanwhile" rmmod mercury_vmx
is "it is stopped without it" "$(manage stop mercury-mode@virtual)" ""
is "which is no failure" "$(manage is-active mercury-mode@virtual)" inactive
is "it is started again" "$(manage start mercury-mode@virtual)" ""
succeeds "every CPU is a guest" hv --expect virtual
is "no unit has failed" "$(manage list-units --failed --plain --no-legend 'mercury*')" ""
manage poweroff > "$WORK/output"
wait "$booted"
mount -o remount,rw $HOST # systemd has left it read-only
succeeds "it is native when it has gone down" hv --expect native

set_mode virtual
switches=$(field switches)
play "virtual again" virtual -e mercury_at_boot=true
is "changes nothing" "$(changed)" 0
play "check mode: to native" native --check
is "says what it would do" "$(grep -c "would go from virtual to native" "$WORK/play")" 1
succeeds "leaves every CPU a guest" hv --expect virtual
is "nothing was switched meanwhile" "$(field switches)" "$switches"
play "native" native
succeeds "every CPU is native" hv --expect native
is "and stays so at boot" "$(enter systemctl is-enabled mercury-mode@virtual.service 2>&1)" disabled

play "absent" absent
is "the packages are gone" "$(installed)" ""
succeeds "and the module" test ! -e $PROC
is "and what the role wrote" "$(ls $HOST/etc/modprobe.d/mercury.conf $HOST/var/cache/mercury-* 2> /dev/null)" ""
succeeds "every CPU is native" hv --expect native
# As on a host that never had it.
umount $HOST/usr/lib/modules
play "absent again, without the module" absent
is "changes nothing" "$(changed)" 0
finish
