# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# One run from preparation to verdict: the emulator's process, the guest's streams, the clean-up.

# The disk of --out is sparse, so its size costs nothing.
readonly OUT_DISK_SIZE=8G

EMULATOR_PID='' RELAY_PIDS=() RUN_DIR='' GUEST_STATUS='' GUEST_TAINT=0 GUEST_STATE=booting
STOPPED=''

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
	stop ${EMULATOR_PID:+"$EMULATOR_PID"} "${RELAY_PIDS[@]}"
	[[ -n $RUN_DIR ]] && rm -rf "$RUN_DIR"
}

# module_build: sets MODULE_KO, empty where there is no module to build yet.
module_build() {
	MODULE_KO=${MERCURY_KO:-}
	if [[ -n $MODULE_KO ]]; then
		[[ -r $MODULE_KO ]] || die "$EXIT_USAGE" "MERCURY_KO: cannot read '$MODULE_KO'"
	elif [[ -e $TOP_DIR/Makefile && -d $TOP_DIR/module ]]; then
		with_lock "$TOP_DIR/build/.lock" \
			make -s -C "$TOP_DIR" module KDIR="$KERNEL_BUILD" >&2 ||
			die "$EXIT_NO_GUEST" "the module does not build for $KERNEL_RELEASE"
		MODULE_KO=$TOP_DIR/build/$KERNEL_RELEASE/mercury-vmx.ko
	fi
}

session_prepare() {
	kernel_prepare "$OPT_KERNEL" || exit "$EXIT_NO_GUEST"
	module_build
	base_initramfs || die "$EXIT_NO_GUEST" "the guest's file system could not be built"
	mkdir -p "$TOP_DIR/build/vm"
	RUN_DIR=$(mktemp -d "$TOP_DIR/build/vm/run.XXXXXX") || exit "$EXIT_NO_GUEST"
	if [[ $OPT_MACHINE == bochs ]]; then
		bochs_prepare || die "$EXIT_NO_GUEST" "there is no Bochs"
	else
		qemu_prepare
	fi
	run_initramfs "$RUN_DIR/tree" "${OPT_MACHINE/kvm/qemu}" "$MODULE_KO" &&
		pack "$RUN_DIR/tree" "$RUN_DIR/run.cpio" ||
		die "$EXIT_NO_GUEST" "the guest's file system could not be built"
	if [[ -n $OPT_OUT ]]; then
		out_disk "$RUN_DIR/out.img" || die "$EXIT_NO_GUEST" "the disk of --out could not be made"
	fi
}

out_disk() {
	truncate -s "$OUT_DISK_SIZE" "$1" &&
		mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1 "$1"
}

# emulator_exec: becomes the emulator; it dies with this script, however that one ends.
session_emulator() {
	local args

	if [[ $OPT_MACHINE == bochs ]]; then
		bochs_medium "$RUN_DIR" && bochs_config "$RUN_DIR" >"$RUN_DIR/bochsrc" || return 1
		bochs_start "$RUN_DIR" &
	else
		cat "$BASE_CPIO" "$RUN_DIR/run.cpio" >"$RUN_DIR/initrd"
		mapfile -t args < <(qemu_args "$RUN_DIR" "$KERNEL_IMAGE")
		exec_bound qemu-system-x86_64 "${args[@]}" </dev/null >"$RUN_DIR/emulator.out" 2>&1 &
	fi
	EMULATOR_PID=$!
}

# exec_bound COMMAND...: replaces the subshell; the kernel kills it when this script is gone.
exec_bound() {
	exec setpriv --pdeathsig KILL -- "$@"
}

# The relays read until every writer is gone. HOLD keeps the fifos open meanwhile, so that neither
# the emulator nor the relays block in open(), also if the emulator never gets that far.
session_streams() {
	mkfifo "$RUN_DIR"/{stdout,stderr,control}
	: >"$RUN_DIR/console.log"
	exec {HOLD_OUT}<>"$RUN_DIR/stdout" {HOLD_ERR}<>"$RUN_DIR/stderr" {CONTROL}<>"$RUN_DIR/control"
	exec_bound cat <"$RUN_DIR/stdout" {HOLD_OUT}>&- {HOLD_ERR}>&- &
	RELAY_PIDS+=($!)
	exec_bound cat <"$RUN_DIR/stderr" {HOLD_OUT}>&- {HOLD_ERR}>&- >&2 &
	RELAY_PIDS+=($!)
}

session_stop_emulator() {
	stop "$EMULATOR_PID"
	EMULATOR_PID=''
	exec {HOLD_OUT}>&- {HOLD_ERR}>&-
	wait "${RELAY_PIDS[@]}"
	RELAY_PIDS=()
}

# control_line LINE: what init says.
control_line() {
	local words

	read -ra words <<<"${1%$'\r'}"
	case ${words[0]:-} in
	ready)
		[[ $GUEST_STATE == booting ]] || STOPPED="the guest started again"
		GUEST_STATE=running
		progress_end
		;;
	exit)
		GUEST_STATE=done GUEST_STATUS=${words[1]} GUEST_TAINT=${words[2]}
		;;
	fail) STOPPED="the guest's init gave up: ${words[*]:1}" ;;
	esac
}

progress() {
	[[ -n $PROGRESS && $GUEST_STATE == booting ]] && printf . >&2
}

progress_end() {
	[[ -n $PROGRESS ]] && printf ' up after %d s\n' $((SECONDS - STARTED)) >&2
	PROGRESS=''
}

# session_watch: until the emulator ends, the time is up or the guest is beyond help.
session_watch() {
	local line second=$SECONDS

	STARTED=$SECONDS
	while [[ -z $STOPPED ]]; do
		if read -r -t 0.25 -u "$CONTROL" line; then
			control_line "$line"
			continue
		fi
		kill -0 "$EMULATOR_PID" 2>/dev/null || break
		((SECONDS > second)) && second=$SECONDS && progress
		if ((SECONDS - STARTED >= OPT_TIMEOUT)); then
			STOPPED=timeout
		elif grep -qa 'Kernel panic - not syncing' "$RUN_DIR/console.log"; then
			sleep 1
			STOPPED="the kernel panicked"
		fi
	done
	while read -r -t 0.1 -u "$CONTROL" line; do
		control_line "$line"
	done
	session_stop_emulator
}

# session_keep: what remains of the run, for whoever looks into it.
session_keep() {
	local kept=${OPT_OUT:-$TOP_DIR/build/vm/last-failure}

	mkdir -p "$kept"
	cp "$RUN_DIR/console.log" "$kept/console.log"
	if [[ -s $RUN_DIR/emulator.log ]]; then
		cp "$RUN_DIR/emulator.log" "$kept/emulator.log"
	fi
	KEPT=$kept
}

fetch_out() {
	debugfs -R "rdump / $OPT_OUT" "$RUN_DIR/out.img" >"$RUN_DIR/debugfs.log" 2>&1
	rmdir "$OPT_OUT/lost+found" 2>/dev/null
}

# session_verdict: the exit status, and on stderr why, unless it is the command's own.
session_verdict() {
	local bad why=''

	bad=$(kernlog_bad_lines "$RUN_DIR/console.log" "${OPT_ALLOW[@]}")
	if [[ -n $bad ]]; then
		say "bad lines in the kernel log:"
		printf '%s\n' "$bad" | head -n 20 >&2
		STATUS=$EXIT_BAD_LOG
	elif [[ $STOPPED == timeout ]]; then
		why="the time was up after $OPT_TIMEOUT s; the guest was $GUEST_STATE"
		STATUS=$EXIT_TIMEOUT
	elif [[ -z $GUEST_STATUS ]]; then
		why="the guest died while $GUEST_STATE${STOPPED:+: $STOPPED}"
		STATUS=$EXIT_NO_GUEST
	else
		STATUS=$GUEST_STATUS
		return
	fi
	[[ -z $why ]] || say "$why"
	session_keep
	say "kernel log: $KEPT/console.log"
}

session_run() {
	trap session_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	PROGRESS=${MERCURY_PROGRESS:-}
	[[ -t 2 ]] && PROGRESS=1
	session_prepare
	session_streams
	session_emulator || die "$EXIT_NO_GUEST" "the emulator could not be started"
	say "${BOCHS_VERSION:+Bochs $BOCHS_VERSION}${QEMU_VERSION:+QEMU $QEMU_VERSION}," \
		"$OPT_CPU, $OPT_SMP CPU(s), $OPT_MEM MiB, Linux $KERNEL_RELEASE"
	session_watch
	[[ -z $OPT_OUT ]] || fetch_out
	session_verdict
	exit "$STATUS"
}
