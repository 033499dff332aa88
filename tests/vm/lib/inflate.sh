# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A bzImage whose kernel is not compressed: inflating it costs an emulated CPU seconds (zstd: 4),
# this machine none. Everything else, its real-mode part first, is the stock image's.

# le SIZE VALUE: a little-endian number as bytes.
le() {
	local i

	for ((i = 0; i < $1; i++)); do
		# shellcheck disable=SC2059 # the format is the byte
		printf "\\x$(printf %02x $(($2 >> 8 * i & 255)))"
	done
}

# field FILE OFFSET SIZE: a little-endian number of a file.
field() {
	od -An -v -j "$2" -N "$3" -t "u$3" "$1" | tr -d ' '
}

# patch FILE OFFSET SIZE VALUE
patch() {
	le "$3" "$4" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# inflate_elf BZIMAGE: the kernel as ELF file on stdout. The last 4 bytes of the payload are its
# length, which the tools do not know.
inflate_elf() {
	local at size tool

	at=$((($(field "$1" 0x1f1 1) + 1) * 512 + $(field "$1" 0x248 4)))
	size=$(($(field "$1" 0x24c 4) - 4))
	case $(od -An -j "$at" -N 4 -t x1 "$1" | tr -d ' ') in
	02214c18) tool=lz4 ;;
	28b52ffd) tool=zstd ;;
	fd377a58) tool=xz ;;
	*) return 1 ;;
	esac
	tail -c +$((at + 1)) "$1" | head -c "$size" | "$tool" -dc
}

# inflate BZIMAGE DIR: makes DIR/bzimage, working in DIR.
inflate() {
	local image=$1 dir=$2 setup kernel size

	setup=$((($(field "$image" 0x1f1 1) + 1) * 512))
	kernel=$(field "$image" 0x258 8)
	inflate_elf "$image" >"$dir/elf" &&
		objcopy -O binary "$dir/elf" "$dir/flat" &&
		nasm -f bin -DKERNEL="$kernel" -DENTRY="$(field "$dir/elf" 24 8)" \
			-o "$dir/head" "$VM_DIR/lib/inflated.asm" &&
		head -c "$setup" "$image" >"$dir/bzimage" &&
		cat "$dir/head" "$dir/flat" >>"$dir/bzimage" || return 1
	# syssize, in paragraphs, and relocatable_kernel: this one runs where it is loaded.
	size=$(cat "$dir/head" "$dir/flat" | wc -c)
	patch "$dir/bzimage" 0x1f4 4 $(((size + 15) / 16))
	patch "$dir/bzimage" 0x234 1 0
}

inflate_cached() {
	local tmp status

	[[ -e $2 ]] && return
	tmp=$(mktemp -d "$CACHE_DIR/guest/.new.XXXXXX") &&
		inflate "$1" "$tmp" && mv "$tmp/bzimage" "$2"
	status=$?
	rm -rf "$tmp"
	return "$status"
}

# inflate_kernel: sets BOOT_IMAGE for KERNEL_IMAGE. KASLR is the decompressor's work: with it, and
# where inflating fails, the stock image is it.
inflate_kernel() {
	local key

	BOOT_IMAGE=$KERNEL_IMAGE
	[[ " $OPT_APPEND " != *' kaslr '* ]] || return 0
	mkdir -p "$CACHE_DIR/guest"
	key=$(cat "$VM_DIR"/lib/inflate{.sh,d.asm} | sha256sum | cut -c 1-16)
	if with_lock "$CACHE_DIR/guest/.lock" inflate_cached "$KERNEL_IMAGE" \
		"$CACHE_DIR/guest/bzimage-$KERNEL_RELEASE-$key"; then
		BOOT_IMAGE=$CACHE_DIR/guest/bzimage-$KERNEL_RELEASE-$key
	else
		say "the kernel could not be inflated beforehand; booting takes longer"
	fi
}
