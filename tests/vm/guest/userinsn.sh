#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# userinsn.sh [LINE|flag=NAME|log=TEXT]...: what instructions give in user space is the same before,
# while and after the machine is virtual, and while it switches. LINEs must be among what userinsn
# prints, NAMEs among the flags of /proc/cpuinfo and TEXTs in the kernel log, or the machine is not the
# one the case is for.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# same TEXT: userinsn prints what it printed on bare metal.
same() {
	userinsn > "$WORK/now" 2>&1
	if cmp -s "$WORK/bare" "$WORK/now"; then
		ok "$1"
	else
		not_ok "$1" "$(diff "$WORK/bare" "$WORK/now")"
	fi
}

# has WHAT: this machine is one on which the case means something.
has() {
	case $1 in
	log=*) like "the kernel's log has: ${1#log=}" "$(dmesg)" "*${1#log=}*" ;;
	flag=*) succeeds "the kernel sees ${1#flag=}" grep -qw "${1#flag=}" /proc/cpuinfo ;;
	*) succeeds "bare metal: $1" grep -qxF "$1" "$WORK/bare" ;;
	esac
}

# switch_meanwhile ROUNDS: runs userinsn that often while every CPU goes back and forth.
switch_meanwhile() {
	storm --pause 500 --check-every 51 100000 > "$WORK/storm" 2>&1 &
	storm=$!
	rounds=0
	different=
	while [ $rounds -lt "$1" ] && [ -z "$different" ]; do
		userinsn > "$WORK/now" 2>&1
		different=$(diff "$WORK/bare" "$WORK/now")
		rounds=$((rounds + 1))
	done
	kill "$storm" 2> /dev/null
	wait "$storm" 2> /dev/null
	is "it switched all the while" $? 143
	is "while switching: $1 times the same" "$different" ""
}

succeeds "bare metal: every instruction has a result" sh -c "userinsn > $WORK/bare"
sed 's/^/# /' "$WORK/bare"
for what; do has "$what"; done
same "bare metal: the same again"

succeeds "the module loads" modprobe mercury-vmx verify=1
same "loaded: the same"
succeeds "to virtual" set_mode virtual
same "virtual: the same"
same "virtual: the same again"
succeeds "virtual: every CPU is a guest" hv --expect virtual
succeeds "to native" set_mode native
same "native: the same"

before=$(field switches)
switch_meanwhile 40
succeeds "to native once more" set_mode native
echo "# switches: $(field switches)"

succeeds "it did switch" test "$before" != "$(field switches)"
is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(grep -c "without a command [1-9]" "$PROC")" 0
like "the state was equal at every gate" "$(field "state check")" "equal in *"
succeeds "the module goes" rmmod mercury_vmx
same "unloaded: the same"
finish
