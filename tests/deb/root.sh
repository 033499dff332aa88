# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A small Debian to install into, and the headers of every kernel that Debian 12 offers; both cached.

# What the packages need, and what looks at them; nothing else.
readonly ROOT_PACKAGES=dkms,gcc,libc6-dev,libjson-c5,libncursesw6,make,nasm,pkgconf,libelf1,liblz4-1,liblzma5,libzstd1,zlib1g
# A host that Ansible looks after; control node and host in one.
readonly HOST_PACKAGES=$ROOT_PACKAGES,ansible-core,kmod,procps,python3-apt,sudo,systemd
# A machine that one builds and installs on from the sources, with what README names for that.
readonly SOURCE_PACKAGES=gcc,libc6-dev,make,nasm,libjson-c-dev,libncurses-dev,libelf-dev,liblz4-dev,liblzma-dev,libzstd-dev,zlib1g-dev,bash-completion,kmod,man-db,pkgconf,systemd
# Debian 13: a newer NASM, GCC and DKMS, and its own kernel's headers.
readonly NEWER_PACKAGES=$ROOT_PACKAGES,linux-headers-cloud-amd64 NEWER_SUITE=trixie
# A machine that boots guests on KVM; gcc is what tests/vm/run wants to see.
readonly OUTER_PACKAGES=busybox-static,cpio,gcc,kmod,procps,qemu-system-x86,util-linux,xz-utils,zstd
# By the names of tests/vm/kernel, which knows what they stand for today: headers and guests are of one release.
readonly KERNELS='6.1 6.12 6.1-generic 6.1-rt 6.12-generic 6.12-rt'

# sources: apt's files that name Debian itself, as this machine has them.
sources() {
	local file

	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		[[ ! -s $file ]] || echo "$file"
	done
}

# root_of PACKAGES [SUITE]: where the Debian with them is.
root_of() {
	echo "$CACHE_DIR/deb/root-$(cksum <<< "$*" | tr ' ' -)"
}

# root_make PACKAGES [SUITE]: whole or not at all; SUITE is this machine's, if not said. Under the lock.
root_make() {
	local to own suite files file work

	to=$(root_of "$@")

	[[ -d $to ]] && return
	need mmdebstrap mmdebstrap
	# shellcheck source=/dev/null
	own=$(. /etc/os-release && echo "$VERSION_CODENAME")
	suite=${2:-$own}
	say "making a Debian $suite to install into"
	mkdir -p "$(dirname "$to")"
	rm -rf "$to.new"
	work=$(mktemp -d)
	for file in $(sources); do sed "s/\b$own\b/$suite/g" "$file" > "$work/${file##*/}"; done
	files=("$work"/*)
	mmdebstrap --quiet --variant=apt --include="$1" "$suite" "$to.new" \
		"${files[@]}" > "$to.log" 2>&1 || {
		say "it cannot be made: $(grep -m 1 '^E' "$to.log" || tail -n 1 "$to.log")"
		rm -rf "$work"
		return 1
	}
	rm -rf "$work"
	mv -T "$to.new" "$to"
}

releases() {
	local name

	for name in $KERNELS; do with_lock "$CACHE_DIR/kernels/.lock" kernel_resolve "$name"; done
}

# Headers only, all in one tree, laid out for a merged /usr.
headers_unpack() {
	local to=$1 packages release

	shift
	mapfile -t packages < <(for release; do kernel_packages "$release"; done |
		grep -v '^linux-image-' | sort -u)
	mkdir -p "$to/debs"
	cache_download "$to/debs" "${packages[@]}" && debs_unpack "$to/debs" "$to" || return 1
	rm -rf "$to/debs" "${to:?}/usr/share"
	cp -a "$to/lib/." "$to/usr/lib/" && rm -rf "${to:?}/lib"
	for release; do kernel_relocate "$to" "$release"; done
}

# headers_make TO: whole or not at all; TO/releases has them, a line each. Under the lock.
headers_make() {
	local to=$1 all

	mapfile -t all < <(releases)
	((${#all[@]} > 0)) || { say "there are no linux-headers in apt's sources"; return 1; }
	[[ ${all[*]} != "$(paste -sd ' ' "$to/releases" 2> /dev/null)" ]] || return 0
	say "fetching headers of ${all[*]}"
	cache_apt_update || say "the package lists could not be refreshed"
	rm -rf "$to.new"
	headers_unpack "$to.new" "${all[@]}" || return 1
	printf '%s\n' "${all[@]}" > "$to.new/releases"
	rm -rf "$to"
	mv -T "$to.new" "$to"
}

# root_prepare PACKAGES: sets ROOT, HEADERS and RELEASES.
# shellcheck disable=SC2034 # read by whoever sources this
root_prepare() {
	ROOT=$(root_of "$1")
	HEADERS=$CACHE_DIR/deb/headers
	mkdir -p "$CACHE_DIR/deb"
	with_lock "$CACHE_DIR/deb/.lock" root_make "$1" || return 1
	with_lock "$CACHE_DIR/deb/.lock" headers_make "$HEADERS" || return 1
	mapfile -t RELEASES < "$HEADERS/releases"
}

# newer_prepare: sets NEWER, a Debian 13.
# shellcheck disable=SC2034 # read by whoever sources this
newer_prepare() {
	NEWER=$(root_of "$NEWER_PACKAGES" "$NEWER_SUITE")
	with_lock "$CACHE_DIR/deb/.lock" root_make "$NEWER_PACKAGES" "$NEWER_SUITE"
}
