#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# load.sh TIMES: the module comes and goes TIMES times, every tenth time while virtual, and nothing of it
# stays. Then many processes write modes at once, die in the middle of it, and write on while the module
# comes and goes.
# shellcheck disable=SC2317 # functions are called through succeeds
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

times=$1
WRITERS=16

# --- It comes and goes ---------------------------------------------------------------------------------

# load_times N
load_times() {
	for i in $(seq "$1"); do
		modprobe mercury-vmx || return
		[ $((i % 10)) -ne 0 ] || set_mode virtual || return
		rmmod mercury_vmx || return
	done
}

# What the first times leave behind stays for others: slabs, tables of the kernel's.
load_times 20
after=$(in_use) after=${after% *}
# What is lost each time is lost in each of them; what comes and goes by itself is not.
for batch in 1 2 3; do
	before=$after
	succeeds "batch $batch: it comes and goes $times times" load_times "$times"
	after=$(in_use)
	echo "# in use before: $before KiB, after: ${after% *} KiB; looks: ${after#* }"
	after=${after% *}
	[ $((after - before)) -ge $((2 * times)) ] || break
done
succeeds "no page is lost each time" test $((after - before)) -lt $((2 * times))
succeeds "every CPU is native" hv --expect native

# --- Many processes write modes ------------------------------------------------------------------------

# What a command may answer if not that it is done goes to stdout.
write_modes() {
	for i in $(seq 10); do
		echo virtual > "$1" && echo native > "$2" || echo "$i"
	done 2>&1
}

modprobe mercury-vmx verify=1
memory=$(field memory)
writers=
for n in $(seq $WRITERS); do
	write_modes "$PROC" "$CTL/mode" > "$WORK/writer.$n" &
	writers="$writers $!"
done
# shellcheck disable=SC2086 # each is a word
wait $writers
is "$WRITERS processes, 20 echoes each: none is refused" "$(cat "$WORK"/writer.*)" ""
echo "# switches: $(field switches)"
succeeds "every CPU is as the mode says" hv --expect "$(mode)"

writers=
for n in $(seq $WRITERS); do
	poke "$PROC" repeat 1000000 "$(other "$(mode)")" > "$WORK/writer.$n" 2>&1 &
	writers="$writers $!"
	poke "$CTL/mode" repeat 1000000 "$(mode)" > "$WORK/writer.$n" 2>&1 &
	writers="$writers $!"
done
sleep 0.2
# shellcheck disable=SC2086
kill -TERM $writers
ends=
for writer in $writers; do
	wait "$writer"
	[ $? -eq 143 ] || ends="$ends $writer"
done
is "each process can be ended in the middle" "$ends" ""
echo "# switches: $(field switches)"
succeeds "every CPU is as the mode says" hv --expect "$(mode)"
is "no command was refused" "$(field "last error")" none
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state is equal at every gate" "$(field "state check")" "equal in *"

# --- And it comes and goes meanwhile ---------------------------------------------------------------------

# Until there is a file $WORK/done. A file may be gone, or go while it is open, which is EIO; the machine
# that is held native for that is EBUSY.
write_on() {
	while [ ! -e "$WORK/done" ]; do
		echo virtual > "$PROC"
		echo native > "$CTL/mode"
	done 2>&1 | grep -vE 'nonexistent directory|No such file|resource busy|Input/output'
}

writers=
for n in $(seq 6); do
	write_on > "$WORK/writer.$n" &
	writers="$writers $!"
done
unload_and_load() {
	for i in $(seq 3); do
		rmmod mercury_vmx && modprobe mercury-vmx || return
		sleep 0.1
	done
	rmmod mercury_vmx
}
succeeds "it goes and comes while processes write modes" unload_and_load
touch "$WORK/done"
# shellcheck disable=SC2086
wait $writers
is "each is done, or refused for a good reason" "$(cat "$WORK"/writer.[1-6])" ""
is "no CPU failed" "$(dmesg | grep -c 'mercury: not ')" 0
succeeds "every CPU is native" hv --expect native
finish
