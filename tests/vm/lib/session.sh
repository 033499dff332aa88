# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# One run of a guest: the emulator's process, the guest's streams, the watch over them, the clean-up.

# What is known of the run. GUEST_STATE: booting, running (COMMAND), running again (--then), powering
# off.
# HELPER_PIDS end with the emulator, RELAY_PIDS when all has been read.
EMULATOR_PID='' HELPER_PIDS=() RELAY_PIDS=() RUN_DIR=''
GUEST_STATE=booting GUEST_STATUS='' GUEST_TAINT=0
# Why the guest was stopped: timeout, a reason, or nothing.
STOPPED=''
# When the kernel began to panic, in SECONDS.
PANIC_SEEN=''
# When the guest is to be told that its time is over, in SECONDS.
TELL_AT=''
# The beginning of a line of init's.
CONTROL_PART=''

# stop PID...: ends processes of this run and waits until they are gone.
stop() {
	local pid

	for pid; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
}

session_cleanup() {
	trap '' INT TERM HUP
	stop ${EMULATOR_PID:+"$EMULATOR_PID"} "${HELPER_PIDS[@]}" "${RELAY_PIDS[@]}"
	[[ -z $RUN_DIR ]] || rm -rf "$RUN_DIR"
}

# sweep_runs: removes what runs left that were killed before they could clean up.
sweep_runs() {
	local dir pid

	mkdir -p "$TOP_DIR/build/vm"
	for dir in "$TOP_DIR"/build/vm/run.*.*; do
		pid=${dir##*/run.}
		[[ -e /proc/${pid%.*} || ! -d $dir ]] || rm -rf "$dir"
	done
}

session_prepare() {
	sweep_runs
	RUN_DIR=$(mktemp -d "$TOP_DIR/build/vm/run.$$.XXXXXX") || exit "$EXIT_NO_GUEST"
	if [[ $OPT_MACHINE == bochs ]]; then
		bochs_prepare
	else
		qemu_prepare
	fi
	kernel_prepare "$OPT_KERNEL" || exit "$EXIT_NO_GUEST"
	module_prepare "$RUN_DIR/mercury-vmx.ko"
	initramfs_prepare "$RUN_DIR" ||
		die "$EXIT_NO_GUEST" "the guest's file system could not be built"
	if [[ -n $OPT_OUT ]]; then
		disk_make "$RUN_DIR/disk.img"
	elif [[ -f $OPT_DISK ]]; then
		cp --sparse=always --reflink=auto "$OPT_DISK" "$RUN_DIR/disk.img"
	elif [[ -n $OPT_DISK ]]; then
		truncate -s "${OPT_DISK}M" "$RUN_DIR/disk.img"
	fi || die "$EXIT_NO_GUEST" "the guest's disk could not be made"
}

# session_streams: fifos between the guest's serial ports and this script's streams. HOLD keeps
# them open, so that neither the emulator nor the relays block in open(), also if the emulator never
# gets that far; the relays end when every writer is gone.
session_streams() {
	mkfifo "$RUN_DIR"/{stdout,stderr,control}
	: >"$RUN_DIR/console.log"
	exec {HOLD_OUT}<>"$RUN_DIR/stdout" {HOLD_ERR}<>"$RUN_DIR/stderr"
	exec {CONTROL}<>"$RUN_DIR/control"
	${OPT_SECURE_BOOT:+secure_}relay <"$RUN_DIR/stdout" {HOLD_OUT}>&- {HOLD_ERR}>&- &
	RELAY_PIDS+=($!)
	relay <"$RUN_DIR/stderr" {HOLD_OUT}>&- {HOLD_ERR}>&- >&2 &
	RELAY_PIDS+=($!)
}

# relay: copies; a reader that goes away must not block the guest, so the rest is swallowed then.
relay() {
	cat 2>/dev/null
	cat >/dev/null
}

# session_start: the kernel kills the emulator (pdeathsig) however this script ends.
session_start() {
	local args

	if [[ $OPT_MACHINE == bochs ]]; then
		bochs_medium "$RUN_DIR" || die "$EXIT_NO_GUEST" "the boot medium could not be made"
		bochs_config "$RUN_DIR" >"$RUN_DIR/bochsrc"
		bochs_start "$RUN_DIR" </dev/null >"$RUN_DIR/emulator.out" 2>&1 &
	else
		cat "$BASE_CPIO" "$RUN_DIR/run.cpio" >"$RUN_DIR/initrd"
		[[ -z $OPT_SECURE_BOOT ]] || secure_start "$RUN_DIR"
		mapfile -t args < <(qemu_args "$RUN_DIR" "$KERNEL_IMAGE")
		exec setpriv --pdeathsig KILL -- qemu-system-x86_64 "${args[@]}" \
			</dev/null >"$RUN_DIR/emulator.out" 2>&1 &
	fi
	EMULATOR_PID=$!
}

# control_line LINE: what the guest's init says.
control_line() {
	local words

	read -ra words <<<"${1%$'\r'}"
	case ${words[0]:-} in
	ready)
		[[ $GUEST_STATE == booting ]] || STOPPED="it started again"
		GUEST_STATE=running
		TELL_AT=${OPT_TELL:+$((SECONDS + OPT_TELL))}
		progress_end
		;;
	again)
		[[ $GUEST_STATE == running ]] || STOPPED="it started a third time"
		GUEST_STATE='running again'
		;;
	exit)
		[[ -z $OPT_THEN || $GUEST_STATE == 'running again' ]] || STOPPED="it did not start again"
		GUEST_STATE='powering off' GUEST_STATUS=${words[1]} GUEST_TAINT=${words[2]}
		;;
	fail) STOPPED=${words[*]:1} ;;
	esac
}

progress_end() {
	[[ -z $PROGRESS ]] || printf ' up after %d s\n' $((SECONDS - STARTED)) >&2
	PROGRESS=''
}

# panicked: true once the kernel's last message is complete, or has had 5 s to become so. A crash
# kernel's start is no end, however long it takes.
panicked() {
	local log=$RUN_DIR/console.log

	grep -qaF 'Kernel panic - not syncing' "$log" || return 1
	PANIC_SEEN=${PANIC_SEEN:-$SECONDS}
	grep -qaF 'end Kernel panic' "$log" ||
		{ [[ -z $OPT_THEN ]] && ((SECONDS - PANIC_SEEN >= 5)); }
}

# tell_when_over: writes to the guest's disk that the time of --tell is over.
tell_when_over() {
	[[ -n $TELL_AT ]] && ((SECONDS >= TELL_AT)) || return
	TELL_AT=''
	printf over | dd of="$RUN_DIR/disk.img" conv=notrunc status=none
}

# watch_once: looks after the emulator between two lines of init; fails when there is nothing left
# to watch.
watch_once() {
	kill -0 "$EMULATOR_PID" 2>/dev/null || return 1
	tell_when_over
	if ((SECONDS - STARTED >= OPT_TIMEOUT)); then
		STOPPED=timeout
	elif panicked; then
		STOPPED="the kernel panicked"
	fi
	[[ -z $STOPPED ]] || return 1
	if [[ -n $PROGRESS ]] && ((SECONDS > DOTTED)); then
		DOTTED=$SECONDS
		printf . >&2
	fi
}

# control_read SECONDS: takes a line of init, waiting SECONDS for it; fails where none is complete
# by then. Its bytes come one by one, so what has come of it is kept in CONTROL_PART.
control_read() {
	local part status

	IFS= read -r -t "$1" -u "$CONTROL" part
	status=$?
	CONTROL_PART+=$part
	((status == 0)) || return 1
	control_line "$CONTROL_PART"
	CONTROL_PART=''
}

# session_watch: until the emulator ends, the time is up or the guest is beyond help.
session_watch() {
	STARTED=$SECONDS DOTTED=$SECONDS
	while [[ -z $STOPPED ]]; do
		control_read 0.25 || watch_once || break
	done
	while control_read 0.1; do
		:
	done
	[[ -z $PROGRESS ]] || echo >&2
	stop "$EMULATOR_PID" "${HELPER_PIDS[@]}"
	EMULATOR_PID='' HELPER_PIDS=()
	exec {HOLD_OUT}>&- {HOLD_ERR}>&-
	wait "${RELAY_PIDS[@]}"
	RELAY_PIDS=()
}

# session_run: prepares, boots, watches, judges. Ends the script.
session_run() {
	trap session_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	PROGRESS=${MERCURY_PROGRESS:-}
	[[ ! -t 2 ]] || PROGRESS=1
	session_prepare
	session_streams
	session_start
	say "${BOCHS_VERSION:+Bochs $BOCHS_VERSION}${QEMU_VERSION:+QEMU $QEMU_VERSION}," \
		"$OPT_CPU, $OPT_SMP CPU(s), $OPT_MEM MiB, Linux $KERNEL_RELEASE"
	session_watch
	verdict
	exit "$STATUS"
}
