# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Bochs: fetches it into the cache, makes its boot medium and configuration, starts it.

# Command line of the guest's kernel. idle=halt: Bochs's MWAIT loses wake-ups with several CPUs.
# loglevel=5: warnings must be in the console log, or the verdict on it would be blind.
readonly BOCHS_KARGS="console=ttyS0,115200 nokaslr mitigations=off panic=1 random.trust_cpu=on \
loglevel=5 idle=halt clearcpuid=aperfmperf"

# bochs_extract SUITE DIR: unpacks Bochs and its libraries; nothing is installed or configured.
bochs_extract() {
	local tmp

	tmp=$(mktemp -d "$CACHE_DIR/bochs/.new.XXXXXX") || return 1
	if mmdebstrap --quiet --variant=extract --include=bochs,bochsbios,vgabios,bochs-term \
		"$1" "$tmp/root" >"$tmp/log" 2>&1; then
		mv -T "$tmp/root" "$2"
	else
		say "no Bochs from $1: $(grep -m 1 -E '^E' "$tmp/log" || tail -n 1 "$tmp/log")"
	fi
	rm -rf "$tmp"
	[[ -d $2 ]]
}

bochs_prepare_locked() {
	local suite

	for suite in trixie bookworm; do
		[[ -d $CACHE_DIR/bochs/$suite ]] && return
	done
	need mmdebstrap mmdebstrap
	for suite in trixie bookworm; do
		say "fetching Bochs from Debian $suite"
		bochs_extract "$suite" "$CACHE_DIR/bochs/$suite" && return
	done
	return 1
}

# bochs_prepare: sets BOCHS_ROOT and BOCHS_VERSION.
bochs_prepare() {
	mkdir -p "$CACHE_DIR/bochs"
	with_lock "$CACHE_DIR/bochs/.lock" bochs_prepare_locked || return 1
	BOCHS_ROOT=$CACHE_DIR/bochs/trixie
	[[ -d $BOCHS_ROOT ]] || BOCHS_ROOT=$CACHE_DIR/bochs/bookworm
	BOCHS_VERSION=$(bochs_command --help cpu 2>&1 | sed -n 's/^ *Bochs x86 Emulator \([0-9.]*\).*/\1/p')
	[[ -n $BOCHS_VERSION ]] || { say "Bochs in $BOCHS_ROOT does not start"; return 1; }
}

# bochs_command ARG...: runs Bochs with the libraries of its own root, so that no chroot is needed.
bochs_command() {
	local lib=$BOCHS_ROOT/usr/lib/x86_64-linux-gnu

	BXSHARE=$BOCHS_ROOT/usr/share/bochs LTDL_LIBRARY_PATH=$lib/bochs/plugins \
		"$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$BOCHS_ROOT/usr/bin/bochs-bin" "$@"
}

# bochs_medium DIR: a CD with the kernel, the cached base and the run's own part.
bochs_medium() {
	local dir=$1 iso=$1/iso

	need xorriso xorriso
	mkdir "$iso"
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$iso" || return 1
	ln "$KERNEL_IMAGE" "$iso/vmlinuz" 2>/dev/null || cp "$KERNEL_IMAGE" "$iso/vmlinuz"
	ln "$BASE_CPIO.gz" "$iso/base.gz" 2>/dev/null || cp "$BASE_CPIO.gz" "$iso/base.gz"
	gzip -1 <"$dir/run.cpio" >"$iso/run.gz"
	cat >"$iso/isolinux.cfg" <<-TEXT
		default run
		prompt 0
		label run
		kernel vmlinuz
		append initrd=base.gz,run.gz $BOCHS_KARGS$OPT_APPEND
	TEXT
	xorriso -as mkisofs -quiet -o "$dir/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table "$iso" >"$dir/xorriso.log" 2>&1
}

bochs_config() {
	local dir=$1

	cat <<-TEXT
		display_library: rfb, options="timeout=0"
		romimage: file="$BOCHS_ROOT/usr/share/bochs/BIOS-bochs-latest"
		vgaromimage: file="$BOCHS_ROOT/usr/share/vgabios/vgabios.bin"
		megs: $OPT_MEM
		cpu: model=$OPT_CPU, count=$OPT_SMP, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
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
		private_colormap: enabled=0
		mouse: enabled=0
	TEXT
	if [[ -n $OPT_OUT ]]; then
		echo "ata1-master: type=disk, mode=flat, path=\"$dir/out.img\""
	fi
}

# bochs_start DIR: becomes Bochs. A network namespace of its own, where it can be had, keeps the
# display's port off the machine's interfaces.
bochs_start() {
	local dir=$1 lib=$BOCHS_ROOT/usr/lib/x86_64-linux-gnu net=()

	unshare -n true 2>/dev/null && net=(unshare -n)
	export BXSHARE=$BOCHS_ROOT/usr/share/bochs LTDL_LIBRARY_PATH=$lib/bochs/plugins
	exec setpriv --pdeathsig KILL -- "${net[@]}" "$lib/ld-linux-x86-64.so.2" --library-path "$lib" \
		"$BOCHS_ROOT/usr/bin/bochs-bin" -q -f "$dir/bochsrc" \
		</dev/null >"$dir/emulator.out" 2>&1
}
