# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What came of a run: the kernel log judged, the exit status, what is kept to look into.

# Not every oops says so: Linux 6.1 prints "general protection fault: 0000 [#1]".
readonly KERNLOG_BAD='BUG|WARNING|Oops|Call Trace|soft lockup|panic|\[#[0-9]+\]|detected.* stall|blocked for more than|LOCKUP'
# Mercury's own, at a restart or power off.
readonly KERNLOG_OURS='mercury: .*a CPU d(id|oes) not go native'

# Lines within which a report has come to its call trace: registers and modules come before.
readonly TRACE_WITHIN=60

# Bits of /proc/sys/kernel/tainted: a bad page, an oops, a warning, a soft lockup; and the line that comes
# with each.
readonly TAINT_BAD=([5]='BUG: Bad ' [7]='\[#[0-9]+\]' [9]='WARNING: .* at ' [14]='soft lockup')

# Runs whose logs are kept, beside those of --out.
readonly KEEP_RUNS=20

# kernlog_candidates LOG -eREGEX...: the lines that say something bad, or match a REGEX, each with its
# number. Neither the kernel's own command line nor the name of a function in a trace is a message.
kernlog_candidates() {
	tr -d '\r\000' <"$1" | grep -anE -e "$KERNLOG_BAD" -e "$KERNLOG_OURS" "${@:2}" |
		grep -avE -e 'ommand line: ' -e ' panic\+0x'
}

# kernlog_allowed REGEX...: numbers those of the lines on stdin that a REGEX matches.
kernlog_allowed() {
	grep -anE "${@/#/-e}" | cut -d : -f 1
}

# kernlog_bad_lines LOG [REGEX]...: the bad lines that neither a REGEX nor a harmless one of the emulators allows.
# An allowed line, which need not be bad itself, takes the call trace that follows it along.
kernlog_bad_lines() {
	local log=$1 lines numbers texts allowed=' ' covered=0 harmless i

	mapfile -t harmless < <(sed -E '/^[[:space:]]*(#|$)/d' "$VM_DIR/allow.txt")
	set -- "${@:2}" "${harmless[@]}"
	mapfile -t lines < <(kernlog_candidates "$log" -e 'end trace' "${@/#/-e}")
	numbers=("${lines[@]%%:*}") texts=("${lines[@]#*:}")
	allowed+=$(printf '%s\n' "${texts[@]}" | kernlog_allowed "$@" | tr '\n' ' ')
	for i in "${!lines[@]}"; do
		if [[ $allowed == *" $((i + 1)) "* ]]; then
			covered=$((numbers[i] + TRACE_WITHIN))
		elif [[ ${texts[i]} == *'end trace'* ]]; then
			covered=0
		elif [[ ${texts[i]} == *'Call Trace'* ]] && ((numbers[i] <= covered)); then
			covered=0
		else
			covered=0
			printf '%s\n' "${texts[i]}"
		fi
	done
}

# taint_unexplained: a guest that silenced its console still cannot hide its taint.
taint_unexplained() {
	local bit

	for bit in "${!TAINT_BAD[@]}"; do
		((GUEST_TAINT >> bit & 1)) || continue
		grep -qaE -e "${TAINT_BAD[bit]}" "$RUN_DIR/console.log" ||
			echo "the kernel is tainted ($GUEST_TAINT, bit $bit), which its console does not explain"
	done
}

# expected_missing: what of --expect there is not.
expected_missing() {
	local regex

	for regex in "${OPT_EXPECT[@]}"; do
		tr -d '\r\000' <"$RUN_DIR/console.log" | grep -aE -e "$regex" | grep -qavF 'ommand line: ' ||
			echo "no line is like '$regex', which --expect wants"
	done
}

# verdict_log: prints what is wrong with the kernel log; nothing if all is well.
verdict_log() {
	kernlog_bad_lines "$RUN_DIR/console.log" "${OPT_ALLOW[@]}" "${OPT_EXPECT[@]}"
	taint_unexplained
	expected_missing
}

# verdict_crash: what made the emulator end, unless the guest powered off.
verdict_crash() {
	local log=$RUN_DIR/emulator.log

	[[ -s $log ]] || return
	if [[ $OPT_MACHINE == bochs ]]; then
		bochs_crash "$log"
	else
		qemu_crash "$log"
	fi
}

# verdict_end: sets STOPPED where the machine ended by itself without powering off.
verdict_end() {
	CRASH=$(verdict_crash)
	[[ -z $STOPPED ]] || return
	if [[ -n $CRASH ]]; then
		STOPPED="the machine crashed"
	elif [[ -z $GUEST_STATUS ]] || ! grep -qaF 'reboot: Power down' "$RUN_DIR/console.log"; then
		STOPPED="the machine ended without powering off"
	fi
}

# verdict_last_words: what an emulator wrote on its own output that did not get as far as a log.
verdict_last_words() {
	grep -aF '>>PANIC<<' "$RUN_DIR/emulator.out" || tail -n 5 "$RUN_DIR/emulator.out"
}

# verdict_emulator: what the emulator says about a failure.
verdict_emulator() {
	local text=$CRASH complaints=''

	if [[ $OPT_MACHINE == bochs && -s $RUN_DIR/emulator.log ]]; then
		complaints=$(bochs_complaints "$RUN_DIR/emulator.log")
		text=$complaints${complaints:+${CRASH:+$'\n'}}$CRASH
	fi
	[[ -n $text || -s $RUN_DIR/emulator.log ]] || text=$(verdict_last_words)
	[[ -z $text ]] || say "the emulator says:"$'\n'"$text"
}

# verdict_keep: puts the logs where they survive; in --out they are always wanted.
verdict_keep() {
	local to=$OPT_OUT runs=$TOP_DIR/build/vm old log

	if [[ -z $to ]]; then
		to=$runs/failed-$(date +%Y%m%d-%H%M%S)-$$
		mkdir -p "$to"
		printf '%s\n' "$runs"/failed-* | sort -r | tail -n +$((KEEP_RUNS + 1)) |
			while IFS= read -r old; do
				rm -rf "$old"
			done
	fi
	cp "$RUN_DIR/console.log" "$to/console.log"
	for log in emulator mokmanager; do
		[[ ! -s $RUN_DIR/$log.log ]] || cp "$RUN_DIR/$log.log" "$to/"
	done
	KEPT=$to
}

# verdict_status: sets STATUS, and says why unless it is COMMAND's own.
verdict_status() {
	local bad

	bad=$(verdict_log)
	STATUS=$GUEST_STATUS
	case $STOPPED in
	'') ;;
	timeout)
		STATUS=$EXIT_TIMEOUT
		say "the time was up after $OPT_TIMEOUT s while the guest was $GUEST_STATE"
		;;
	*)
		STATUS=$EXIT_NO_GUEST
		say "the guest was lost while $GUEST_STATE: $STOPPED"
		;;
	esac
	if [[ -n $bad ]]; then
		STATUS=$EXIT_BAD_LOG
		say "the kernel log is not as it should be:"
		head -n 20 <<<"$bad" >&2
	fi
}

# verdict: the whole of it; needs the state session.sh leaves. Sets STATUS.
verdict() {
	local complaints

	verdict_end
	verdict_status
	if [[ -n $OPT_OUT ]] && ! complaints=$(disk_read "$RUN_DIR/disk.img" "$OPT_OUT"); then
		say "--out: not everything could be brought back: $complaints"
		((STATUS != 0)) || STATUS=$EXIT_NO_GUEST
	fi
	if ((STATUS != 0)); then
		verdict_emulator
		verdict_keep
		say "exit status $STATUS; logs: $KEPT"
	elif [[ -n $OPT_OUT ]]; then
		verdict_keep
	fi
}
