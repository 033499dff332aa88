# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian kernels: finds a release, unpacks its image and headers into the cache, ready to build for.

# shellcheck source=tests/vm/lib/apt.sh
. "$VM_DIR/lib/apt.sh"

# Refreshing what names such as 6.1 and 6.12-generic stand for is tried after so many days.
readonly KERNEL_REFRESH_DAYS=7

# kernel_flavour NAME: as Debian's packages have it.
kernel_flavour() {
	case $1 in
	*-generic) echo amd64 ;;
	*-rt) echo rt-amd64 ;;
	*) echo cloud-amd64 ;;
	esac
}

# kernel_metapackage NAME: the package whose dependency is the newest release of NAME. That of 6.1, which
# is bookworm's own, has no version.
kernel_metapackage() {
	local version=${1%-*}-

	echo "linux-image-${version#6.1-}$(kernel_flavour "$1")"
}

kernel_newest() {
	cache_apt apt-cache depends "$(kernel_metapackage "$1")" 2>/dev/null |
		sed -n "s/^ *Depends: linux-image-\(${1%-*}\..*-$(kernel_flavour "$1")\)\$/\1/p" |
		head -n 1
}

# kernel_resolve NAME: prints the release that 6.1, 6.12-generic, 6.1-rt or a full RELEASE means. Under the lock.
kernel_resolve() {
	local name=$1 known=$CACHE_DIR/kernels/$1.newest release

	if [[ ! $name =~ ^[0-9]+\.[0-9]+(-generic|-rt)?$ ]]; then
		echo "$name"
		return
	fi
	if [[ -n $(find "$known" -mtime -"$KERNEL_REFRESH_DAYS" 2>/dev/null) ]]; then
		cat "$known"
		return
	fi
	cache_apt_update || say "the package lists could not be refreshed"
	release=$(kernel_newest "$name")
	if [[ -n $release ]]; then
		echo "$release" >"$known"
	elif [[ -s $known ]]; then
		touch "$known"
	else
		say "no Debian kernel $name found: is the security suite in apt's sources?"
		return 1
	fi
	cat "$known"
}

# kernel_packages RELEASE: the packages that make up a release, image first.
kernel_packages() {
	echo "linux-image-$1"
	echo "linux-headers-$1"
	cache_apt apt-cache depends "linux-headers-$1" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-headers-.*-common.*\|linux-kbuild-.*\)$/\1/p'
}

kernel_download() {
	local dir=$1 release=$2 packages

	mapfile -t packages < <(kernel_packages "$release")
	(cd "$dir" && cache_apt apt-get download "${packages[@]}") >/dev/null 2>&1 && return
	say "refreshing the package lists"
	cache_apt_update
	mapfile -t packages < <(kernel_packages "$release")
	(cd "$dir" && cache_apt apt-get download "${packages[@]}") >&2
}

# Debian's headers name each other by absolute path; make that relative to where they are now.
kernel_relocate() {
	local makefile=$1/usr/src/linux-headers-$2/Makefile

	# shellcheck disable=SC2016 # make expands it
	sed -i -E 's|/usr/src/(linux-headers-)|$(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)/\1|' \
		"$makefile"
}

# kernel_unpack RELEASE: puts the release into the cache, whole or not at all. Under the lock.
kernel_unpack() {
	local release=$1 root=$CACHE_DIR/kernels/$1 tmp

	[[ -e $root/boot/vmlinuz-$release ]] && return
	say "fetching the Debian kernel $release"
	tmp=$(mktemp -d "$CACHE_DIR/kernels/.new.XXXXXX") || return 1
	mkdir "$tmp/debs" "$tmp/root"
	kernel_download "$tmp/debs" "$release" &&
		debs_unpack "$tmp/debs" "$tmp/root" &&
		kernel_relocate "$tmp/root" "$release" &&
		"$(kernel_tool depmod)" -b "$tmp/root" "$release" &&
		mv -T "$tmp/root" "$root"
	rm -rf "$tmp"
	[[ -e $root ]] || say "kernel $release cannot be had; a release is what uname -r prints"
	[[ -e $root ]]
}

# kernel_tool NAME: a tool of kmod, also where the user's PATH has no sbin.
kernel_tool() {
	command -v "$1" || PATH=$PATH:/usr/sbin:/sbin command -v "$1"
}

kernel_prepare_locked() {
	local release

	release=$(kernel_resolve "$1") && kernel_unpack "$release" && echo "$release"
}

# kernel_prepare NAME: makes NAME available and sets KERNEL_RELEASE, _IMAGE, _BUILD and _MODULES.
# shellcheck disable=SC2034 # read by whoever sources this
kernel_prepare() {
	mkdir -p "$CACHE_DIR/kernels"
	KERNEL_RELEASE=$(with_lock "$CACHE_DIR/kernels/.lock" kernel_prepare_locked "$1") ||
		return 1
	KERNEL_ROOT=$CACHE_DIR/kernels/$KERNEL_RELEASE
	KERNEL_IMAGE=$KERNEL_ROOT/boot/vmlinuz-$KERNEL_RELEASE
	KERNEL_BUILD=$KERNEL_ROOT/usr/src/linux-headers-$KERNEL_RELEASE
	KERNEL_MODULES=$KERNEL_ROOT/lib/modules/$KERNEL_RELEASE
}

# kernel_debug_unpack RELEASE: vmlinux with its debug symbols, whole or not at all. Under the lock.
kernel_debug_unpack() {
	local release=$1 to=$CACHE_DIR/kernels/$1/debug tmp

	[[ -e $to ]] && return
	say "fetching the debug symbols of $release, which are large"
	tmp=$(mktemp -d "$CACHE_DIR/kernels/.new.XXXXXX") || return 1
	cache_download "$tmp" "linux-image-$release-dbg" &&
		dpkg-deb --fsys-tarfile "$tmp"/*.deb |
		tar -x -C "$tmp" "./usr/lib/debug/boot/vmlinux-$release" &&
		mv -T "$tmp/usr/lib/debug/boot" "$to"
	rm -rf "$tmp"
	[[ -e $to ]]
}

# kernel_debug RELEASE: prints where its vmlinux with debug symbols is.
kernel_debug() {
	with_lock "$CACHE_DIR/kernels/.lock" kernel_debug_unpack "$1" &&
		echo "$CACHE_DIR/kernels/$1/debug/vmlinux-$1"
}
