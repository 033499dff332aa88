#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sleep.sh WAY...: the machine is virtual, sleeps in each WAY and is virtual again. WAY is mem (S3); reboot
# (hibernation over a reset, resume.sh ends it) or test_resume (without one), which need a disk
# (tests/vm/run --disk); or refused (another does not let it sleep), or within (it is suspended, and
# wakes, while hibernation is being prepared).
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ERRORS=/sys/kernel/debug/notifier-error-inject/pm/actions/PM_SUSPEND_PREPARE/error

# lines TEXT: of the kernel log.
lines() {
	dmesg | grep -c "$1"
}

# --- Each way ---------------------------------------------------------------------------------------

sleep_s3() {
	succeeds "mem: the machine sleeps (S3)" sh -c 'echo mem > /sys/power/state'
	is "mem: it has been off" "$(lines 'Low-level resume complete')" 1
}

# The image knows that it was made, but not that it was written: whoever goes on is the image.
hibernate() {
	succeeds "$1: the machine hibernates" \
		sh -c "echo $1 > /sys/power/disk && echo disk > /sys/power/state"
	is "$1: an image was made" "$(lines 'Need to copy [0-9]* pages')" 1
	is "$1: what goes on is the image" "$(lines 'Image saving done')" 0
}

# It is notified after us.
refuse() {
	succeeds "refused: another will refuse to sleep" \
		modprobe pm-notifier-error-inject priority=-1
	echo -12 > "$ERRORS"
	if echo mem > /sys/power/state 2> "$WORK/refused"; then
		not_ok "refused: the machine does not sleep"
	else
		like "refused: the machine does not sleep" "$(cat "$WORK/refused")" "*memory*"
	fi
	rmmod pm-notifier-error-inject
}

# Who has the file open is about to hibernate.
within() {
	exec 3< /dev/snapshot
	is "within: native for hibernation" "$(mode)" native
	succeeds "within: the machine is suspended and wakes" sh -c 'echo mem > /sys/power/state'
	is "within: it stays native" "$(mode)" native
	succeeds "within: every CPU" hv --expect native
	if set_mode virtual 2> "$WORK/refused"; then
		not_ok "within: and is held there"
	else
		last_error="the machine stays native: it is about to sleep; wait until it is awake"
		is "within: and is held there" "$(field "last error")" "$last_error"
	fi
	exec 3<&-
}

# one_way WAY
one_way() {
	dmesg -c > /dev/null
	switches_before=$(field switches)
	case $1 in
	mem) sleep_s3 ;;
	refused) refuse ;;
	within) within ;;
	*) hibernate "$1" ;;
	esac
	like "$1: native meanwhile, then virtual" "$switches_before became $(field switches)" \
		"$slept to virtual, $((slept - 1)) to native became $((slept + 1)) to virtual, $slept to native"
	slept=$((slept + 1))
	is "$1: the mode is virtual" "$(mode)" virtual
	succeeds "$1: every CPU is virtual" hv --expect virtual
	is "$1: status counts them" "$(cat "$CTL/status")" "virtual on $(nproc) of $(nproc) CPUs$(nature)"
}

# --- All of them --------------------------------------------------------------------------------------

if [ -e /etc/mercury-vm/disk ]; then
	disk=$(cat /etc/mercury-vm/disk)
	succeeds "there is a place for the image" sh -c "mkswap $disk && swapon $disk"
fi
succeeds "the module loads" modprobe mercury-vmx verify=1
memory=$(field memory)
succeeds "to virtual" set_mode virtual
# The kinds that do not wait with a time limit, which runs out while the machine sleeps.
workload --seconds 3600 --only exec,file,x87,avx,fault,segment > "$WORK/load" 2>&1 &
load=$!
last_error=none
slept=1
for way; do
	one_way "$way"
done
kill -TERM "$load"
wait "$load"
is "the load ends well" $? 0
like "its results are right" "$(tail -n 1 "$WORK/load")" "workload: 6 of 6 kinds good"
sed '/digest/d; s/^/# /' "$WORK/load"

is "no other command was refused" "$(field "last error")" "$last_error"
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state is equal at every gate" "$(field "state check")" "equal in *"
succeeds "to native" set_mode native
succeeds "every CPU is native" hv --expect native
succeeds "the module goes" rmmod mercury_vmx
is "no CPU's state differs" "$(lines 'state check: [0-9]* differences')" 0
finish
