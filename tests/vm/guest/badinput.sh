#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Bad input to /proc/mercury, the sysctls and the module's parameters: each is refused with a clear
# error, nothing changes and nothing leaks. Needs poke, hv, modprobe, rmmod and the module.
set -u

# shellcheck source=tests/vm/guest/lib.sh
. "$(dirname "$0")/lib.sh"

# One more KiB than this missing after five loads and unloads is a leak; a load takes 2 MiB or more.
MISSING_TOLERANCE=4096

# What a refused command must not change.
state() {
	echo "mode $(mode), switches $(field switches)"
}

# is_unchanged TEXT STATE: STATE from before; also asks every CPU.
is_unchanged() {
	if [ "$(state)" != "$2" ]; then
		not_ok "$1" "$2 became $(state)"
	elif ! hv --expect "$(mode)" >"$WORK/hv"; then
		not_ok "$1" "$(cat "$WORK/hv")"
	else
		ok "$1"
	fi
}

# refused TEXT FILE ANSWER POKE-ARGUMENT...: poke answers ANSWER in every line; nothing changes.
refused() {
	refused_text="$1, $(basename "$2") while $(mode)"
	refused_file=$2
	refused_answer=$3
	shift 3
	refused_state=$(state)
	is "$refused_text: $refused_answer" \
		"$(poke "$refused_file" "$@" 2>&1 | sort -u | tr '\n' ' ')" "$refused_answer "
	is_unchanged "$refused_text: nothing changed" "$refused_state"
}

# Words that are no mode. The opposite mode is in them, so that taking a part of one would show.
refuse_words() {
	refuse_other=$(other "$(mode)")
	refused "an unknown word" "$1" EINVAL write "garbage\n"
	like "last error tells what to write" "$(field 'last error')" "*garbage*native or virtual*"
	refused "a mode with a letter too many" "$1" EINVAL write "${refuse_other}s\n"
	refused "a mode in capitals" "$1" EINVAL write "$(echo "$refuse_other" | tr '[:lower:]' '[:upper:]')"
	refused "a beginning of a mode" "$1" EINVAL write "$(echo "$refuse_other" | cut -c 1-3)"
	refused "two words" "$1" EINVAL write "$refuse_other $refuse_other\n"
	refused "only white space" "$1" EINVAL write " \n"
	refused "bytes above 127" "$1" EINVAL write '\xff\xfe\x80'
	refused "64 KiB" "$1" EINVAL fill 65536
	refused "a NUL in front" "$1" EINVAL write "\\0$refuse_other"
	refused "a NUL inside" "$1" EINVAL write "$refuse_other\\0$(mode)"
	refused "only NULs" "$1" EINVAL write '\0\0\0\0'
	refused "byte by byte" "$1" EINVAL bytes "$refuse_other"
	refused "an unmapped buffer" "$1" EFAULT fault
	like "last error is one sentence" "$(field 'last error' | wc -l)" 1
}

# An empty write may be refused or do nothing; it must not switch.
empty_write() {
	empty_state=$(state)
	empty_answer=$(poke "$1" write '')
	[ "$empty_answer" = 0 ] || is "an empty write, $(basename "$1")" "$empty_answer" EINVAL
	is_unchanged "an empty write, $(basename "$1"): nothing changed" "$empty_state"
}

# Whatever a write elsewhere than at the start does, its answer has to be true.
answer_is_true() {
	true_before=$(mode)
	true_answer=$(poke "$2" "$3" "$4" "$5" | tail -n 1)
	case $true_answer in
	E*) is "$1, $(basename "$2"): refused, so unchanged" "$(mode)" "$6" ;;
	*) is "$1, $(basename "$2"): taken, so done" "$(mode)" "$5" ;;
	esac
	succeeds "$1: every CPU agrees" hv --expect "$(mode)"
	set_mode "$true_before"
}

without_capability() {
	without_other=$(other "$(mode)")
	refused "without CAP_SYS_ADMIN" "$1" EPERM nocap "$without_other"
	like "last error names the capability" "$(field 'last error')" "*CAP_SYS_ADMIN*"
	refused "opened with, written without CAP_SYS_ADMIN" "$1" EPERM nocap-open "$without_other"
	refused "garbage without CAP_SYS_ADMIN" "$1" EPERM nocap garbage
}

same_mode() {
	same_state=$(state)
	same_costs=$(grep -E '^(enter|leave) ' "$PROC")
	is "the mode it has, $(basename "$1"): succeeds" "$(poke "$1" repeat 3 "$(mode)")" \
		"0 of 3 refused"
	is_unchanged "the mode it has, $(basename "$1"): nothing changed" "$same_state"
	is "the mode it has, $(basename "$1"): no cost counted" \
		"$(grep -E '^(enter|leave) ' "$PROC")" "$same_costs"
}

# refuse_in MODE: all of the above in that mode, through both files.
refuse_in() {
	succeeds "set mode $1" set_mode "$1"
	is "mode is $1" "$(mode)" "$1"
	for file in "$PROC" "$CTL/mode"; do
		refuse_words "$file"
		empty_write "$file"
		without_capability "$file"
		same_mode "$file"
		answer_is_true "at offset 3" "$file" at 3 "$(other "$1")" "$1"
		answer_is_true "a second write in one open" "$file" two "$1" "$(other "$1")" "$1"
	done
}

# In native mode, where no counter moves by itself.
small_buffers() {
	for file in "$PROC" "$CTL/mode" "$CTL/backend" "$CTL/status"; do
		poke "$file" read 65536 >"$WORK/whole"
		succeeds "$(basename "$file") has a text" test -s "$WORK/whole"
		for size in 1 7 64 4096; do
			poke "$file" read "$size" >"$WORK/pieces"
			succeeds "$(basename "$file") read $size bytes at a time: same text" \
				cmp "$WORK/whole" "$WORK/pieces"
		done
	done
}

read_only_files() {
	for name in backend status; do
		before=$(cat "$CTL/$name")
		like "mercury.$name cannot be written" "$(poke "$CTL/$name" write vmx)" "*E[AP]*"
		is "mercury.$name is unchanged" "$(cat "$CTL/$name")" "$before"
	done
}

switch_difference() {
	field switches | sed 's/\([0-9]*\) to virtual, \([0-9]*\) to native/\1 - \2/'
}

concurrent_writers() {
	writers=
	for i in 1 2 3 4; do
		poke "$PROC" repeat 20 virtual >"$WORK/writer.v$i" 2>&1 &
		writers="$writers $!"
		poke "$CTL/mode" repeat 20 native >"$WORK/writer.n$i" 2>&1 &
		writers="$writers $!"
	done
	for writer in $writers; do
		wait "$writer"
	done
	is "8 concurrent writers, 20 times each: none refused" \
		"$(sort -u "$WORK"/writer.*)" "0 of 20 refused"
	succeeds "after them every CPU is as mode says ($(mode))" hv --expect "$(mode)"
	if [ "$(mode)" = virtual ]; then
		is "the switch counts agree with mode" "$(($(switch_difference)))" 1
	else
		is "the switch counts agree with mode" "$(($(switch_difference)))" 0
	fi
}

# parameter_refused PARAMETERS ERROR WORD: modprobe fails with ERROR, the kernel log has WORD.
parameter_refused() {
	dmesg -c >/dev/null
	# shellcheck disable=SC2086 # several parameters are several words
	if modprobe mercury-vmx $1 >"$WORK/modprobe" 2>&1; then
		not_ok "modprobe mercury-vmx $1 is refused" "it was loaded"
		rmmod mercury_vmx
	else
		like "modprobe mercury-vmx $1 is refused" "$(cat "$WORK/modprobe")" "*$2*"
	fi
	succeeds "it leaves no $PROC" test ! -e "$PROC"
	# With what to write instead: the kernel's own line on a bad parameter has not got that.
	like "the kernel log says why $1 is refused" "$(dmesg | grep -i mercury)" "*$3*"
}

module_parameters() {
	parameter_refused backend=foo "nvalid argument" "*foo*auto*ring1*"
	parameter_refused backend= "nvalid argument" "*backend*auto*ring1*"
	parameter_refused ept=foo "nvalid argument" "*foo*auto*off*"
	parameter_refused "backend=vmx ept=1" "nvalid argument" "*ept*auto*off*"
}

unload_while_virtual() {
	succeeds "set mode virtual" set_mode virtual
	succeeds "every CPU is virtual" hv --expect virtual
	succeeds "unload while virtual" rmmod mercury_vmx
	succeeds "every CPU is native after it" hv --expect native
	succeeds "$PROC is gone" test ! -e "$PROC"
}

# shellcheck disable=SC2317 # called through succeeds
load_and_unload() {
	for i in 1 2 3 4 5; do
		modprobe mercury-vmx && set_mode virtual && rmmod mercury_vmx || return
	done
}

modprobe mercury-vmx && rmmod mercury_vmx || exit 1
used_before=$(in_use)
module_parameters
succeeds "modprobe mercury-vmx" modprobe mercury-vmx
memory_before=$(field memory)
like "the memory is accounted for" "$memory_before" "used *allocated *"
is "nothing was refused yet" "$(field 'last error')" none
small_buffers
read_only_files
refuse_in native
refuse_in virtual
is "200 writes of 64 KiB are refused" "$(poke "$PROC" flood 65536 200)" \
	"200 of 200 refused: EINVAL"
concurrent_writers
succeeds "set mode native" set_mode native
is "the memory used is what it was at load" "$(field memory)" "$memory_before"
unload_while_virtual
succeeds "loads and unloads five times" load_and_unload
used_after=$(in_use)
missing=$((${used_after% *} - ${used_before% *}))
echo "# in use ${used_before% *} KiB before, ${used_after% *} KiB after"
succeeds "no memory is missing after unload" test "$missing" -le "$MISSING_TOLERANCE"
finish
