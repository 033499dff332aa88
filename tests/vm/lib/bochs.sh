# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Bochs: fetches it into the cache, makes its boot medium and configuration, reads its log.

# Debian suites to take Bochs from, the best first: 3.0 is in trixie, 2.7 in bookworm.
readonly BOCHS_SUITES=${MERCURY_BOCHS_SUITES:-trixie bookworm}
readonly BOCHS_PACKAGES=bochs,bochsbios,vgabios,bochs-term

# Instructions that a CPU executes in a second of the guest's; also what its TSC counts.
readonly BOCHS_IPS=50000000

# idle=halt: Bochs's MWAIT loses wake-ups with several CPUs. loglevel=5: warnings must be in the
# console log, or the verdict on it would be blind. cryptomgr.notests, jent_mod_init: the tests of
# crypto code take more than a third of the boot's time. fsrm: with it the models from Ice Lake on stop
# during boot. tsc_early_khz: the models from Skylake on tell of a TSC that is up to 70 times faster
# than the instructions that are executed, and each second would last as much longer.
readonly BOCHS_KARGS="console=ttyS0,115200 nokaslr mitigations=off random.trust_cpu=on \
loglevel=5 cryptomgr.notests initcall_blacklist=jent_mod_init idle=halt clearcpuid=aperfmperf,fsrm \
tsc_early_khz=$((BOCHS_IPS / 1000))"

# bochs_extract SUITE: unpacks Bochs and its libraries. Nothing is installed, configured or run, so
# the mode that needs no root will do.
bochs_extract() {
	local suite=$1 tmp

	tmp=$(mktemp -d "$CACHE_DIR/bochs/.new.XXXXXX") || return 1
	if mmdebstrap --quiet --mode=chrootless --variant=extract --include="$BOCHS_PACKAGES" \
		"$suite" "$tmp/root" >"$tmp/log" 2>&1; then
		mv -T "$tmp/root" "$CACHE_DIR/bochs/$suite"
	else
		say "no Bochs from $suite: $(grep -m 1 '^E' "$tmp/log" || tail -n 1 "$tmp/log")"
	fi
	rm -rf "$tmp"
	[[ -d $CACHE_DIR/bochs/$suite ]]
}

# bochs_fetch: prints the root of the first suite that is there or can be had. Under the lock.
bochs_fetch() {
	local suite

	for suite in $BOCHS_SUITES; do
		if [[ ! -d $CACHE_DIR/bochs/$suite ]]; then
			need mmdebstrap mmdebstrap
			say "fetching Bochs from Debian $suite"
			bochs_extract "$suite" || continue
		fi
		echo "$CACHE_DIR/bochs/$suite"
		return
	done
	return 1
}

# bochs_prepare: sets BOCHS_ROOT and BOCHS_VERSION.
bochs_prepare() {
	local help

	need xorriso xorriso
	mkdir -p "$CACHE_DIR/bochs"
	BOCHS_ROOT=$(with_lock "$CACHE_DIR/bochs/.lock" bochs_fetch) ||
		die "$EXIT_NO_GUEST" "there is no Bochs; --machine qemu is a machine without VT-x"
	help=$(bochs_command '' --help cpu </dev/null 2>&1)
	BOCHS_VERSION=$(sed -n 's/^ *Bochs x86 Emulator \([0-9.]*\).*/\1/p' <<<"$help")
	[[ -n $BOCHS_VERSION ]] ||
		die "$EXIT_NO_GUEST" "Bochs does not start: $(head -n 1 <<<"$help")"
	grep -qxF "${OPT_CPU%%,*}" <<<"$help" ||
		usage_error "--cpu: Bochs $BOCHS_VERSION has no '${OPT_CPU%%,*}', but" \
			"$(sed -n 's/^[a-z0-9]\+_[a-z0-9_]\+$/&/p' <<<"$help" | tr '\n' ' ')"
}

# bochs_command WRAPPER ARG...: becomes Bochs, run by WRAPPER's words, with the libraries of its own
# root, so that no chroot is needed. Ends the shell it is called in. bookworm has /lib, too.
bochs_command() {
	local usr=$BOCHS_ROOT/usr arch=x86_64-linux-gnu loader wrapper

	read -ra wrapper <<<"$1"
	shift
	for loader in "$BOCHS_ROOT"/{usr/,}lib/"$arch/ld-linux-x86-64.so.2"; do
		[[ -e $loader ]] && break
	done
	export BXSHARE=$usr/share/bochs LTDL_LIBRARY_PATH=$usr/lib/$arch/bochs/plugins
	exec "${wrapper[@]}" "$loader" --library-path "$usr/lib/$arch:$BOCHS_ROOT/lib/$arch" \
		"$usr/bin/bochs-bin" "$@"
}

# bochs_medium DIR: a CD with the kernel, the cached base and the run's own part.
bochs_medium() {
	local dir=$1 iso=$1/iso modules=/usr/lib/syslinux/modules/bios

	mkdir "$iso"
	cp /usr/lib/ISOLINUX/isolinux.bin "$modules/ldlinux.c32" "$iso" || {
		say "install isolinux and syslinux-common (tests/vm/deps installs everything)"
		return 1
	}
	inflate_kernel
	ln -s "$BOOT_IMAGE" "$iso/vmlinuz"
	ln -s "$BASE_CPIO" "$iso/base"
	ln -s "$dir/run.cpio" "$iso/run"
	printf '%s\n' 'default run' 'prompt 0' 'label run' 'kernel vmlinuz' \
		"append initrd=base,run $(kernel_args "$BOCHS_KARGS")" >"$iso/isolinux.cfg"
	xorriso -as mkisofs -f -quiet -o "$dir/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table "$iso" >"$dir/xorriso.log" 2>&1 || {
		tail -n 3 "$dir/xorriso.log" >&2
		return 1
	}
}

# bochs_cpu: the CPU line; MODEL,+F,-F becomes the model and its added and excluded features.
bochs_cpu() {
	local words word add='' exclude=''

	IFS=, read -ra words <<<"$OPT_CPU"
	for word in "${words[@]:1}"; do
		case $word in
		+*) add+=" ${word#+}" ;;
		-*) exclude+=" ${word#-}" ;;
		esac
	done
	# A triple fault ends the run, but where the guest is to start again.
	echo "cpu: model=${words[0]}, count=$OPT_SMP, ips=$BOCHS_IPS," \
		"reset_on_triple_fault=$((${#OPT_THEN} > 0))," \
		"ignore_bad_msrs=1${add:+, add_features=\"${add# }\"}" \
		"${exclude:+, exclude_features=\"${exclude# }\"}"
}

# bochs_config DIR: prints the configuration file.
bochs_config() {
	local dir=$1

	bochs_cpu
	cat <<-TEXT
		display_library: rfb, options="timeout=0"
		romimage: file="$BOCHS_ROOT/usr/share/bochs/BIOS-bochs-latest", options=fastboot
		vgaromimage: file="$BOCHS_ROOT/usr/share/vgabios/vgabios.bin"
		megs: $OPT_MEM
		clock: sync=none, time0=946681200
		ata0-master: type=cdrom, path="$dir/boot.iso", status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev="$dir/console.log"
		com2: enabled=1, mode=file, dev="$dir/stdout"
		com3: enabled=1, mode=file, dev="$dir/stderr"
		com4: enabled=1, mode=file, dev="$dir/control"
		log: "$dir/emulator.log"
		panic: action=fatal
		error: action=report
		info: action=report
		debug: action=ignore
	TEXT
	if [[ -n $OPT_OUT$OPT_DISK ]]; then
		echo "ata1-master: type=disk, mode=flat, path=\"$dir/disk.img\""
	fi
}

# bochs_start DIR: becomes Bochs. A network namespace of its own, where it can be had, keeps the
# port of its display off the machine's interfaces.
bochs_start() {
	local dir=$1 under="setpriv --pdeathsig KILL --" debugger=()

	unshare -n true 2>/dev/null && under+=" unshare -n"
	# 2.7 always has its debugger on, which waits for the command to continue.
	if [[ $BOCHS_VERSION == 2.* ]]; then
		echo c >"$dir/debugger"
		debugger=(-rc "$dir/debugger")
	elif [[ -n $OPT_DEBUGGER ]]; then
		debugger=(-debugger -rc "$OPT_DEBUGGER")
		exec >"$OPT_DEBUGGER.out"
	fi
	bochs_command "$under" -q -f "$dir/bochsrc" "${debugger[@]}"
}

# bochs_crash LOG: what made Bochs stop, for a triple fault with the registers of that CPU; nothing
# where the guest powered off, which Bochs calls a panic too. With --then a triple fault is a reset, and a crash all
# the same unless the kernel was told to reset by one.
bochs_crash() {
	[[ -z $OPT_THEN || $OPT_APPEND == *' reboot=t'* ]] || grep -aF -m 1 'exception with no resolution' "$1"
	grep -qaF 'ACPI control: soft power off' "$1" && return
	grep -aF -m 1 '>>PANIC<<' "$1"
	sed -n '/>>PANIC<</,$p' "$1" | grep -aE '\| |>> ' | tail -n 27
}

# bochs_complaints LOG: VMX instructions and VM entries that failed a check, the last ones.
bochs_complaints() {
	grep -aE 'VMFAIL|VMENTER FAIL|VMX (Load|Store)MSRs' "$1" | tail -n 8
}
