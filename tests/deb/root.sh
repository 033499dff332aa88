# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A small Debian to install into, and the headers of every kernel that Debian 12 offers; both cached.

# What the packages need, and what looks at them; nothing else.
readonly ROOT_PACKAGES=dkms,gcc,libc6-dev,libjson-c5,libncursesw6,make,nasm,pkgconf,libelf1,liblz4-1,liblzma5,libzstd1,zlib1g
# A host that Ansible looks after; control node and host in one.
readonly HOST_PACKAGES=$ROOT_PACKAGES,ansible-core,kmod,procps,python3-apt,sudo,systemd
# A machine that one builds and installs on from the sources, with what README names for that.
readonly SOURCE_PACKAGES=gcc,libc6-dev,make,nasm,libjson-c-dev,libncurses-dev,libelf-dev,liblz4-dev,liblzma-dev,libzstd-dev,zlib1g-dev,bash-completion,kmod,man-db,pkgconf,systemd
# A machine that boots guests on KVM; gcc is what tests/vm/run wants to see.
readonly OUTER_PACKAGES=busybox-static,cpio,gcc,kmod,procps,qemu-system-x86,util-linux,xz-utils,zstd
readonly FLAVOURS='cloud-amd64 6.12-cloud-amd64 amd64 rt-amd64 6.12-amd64 6.12-rt-amd64'

# sources: apt's files that name Debian itself, as this machine has them.
sources() {
	local file

	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		[[ ! -s $file ]] || echo "$file"
	done
}

# root_of PACKAGES: where the Debian with them is.
root_of() {
	echo "$CACHE_DIR/deb/root-$(cksum <<< "$1" | tr ' ' -)"
}

# root_make PACKAGES: whole or not at all. Under the lock.
root_make() {
	local to suite files

	to=$(root_of "$1")

	[[ -d $to ]] && return
	need mmdebstrap mmdebstrap
	# shellcheck source=/dev/null
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mapfile -t files < <(sources)
	say "making a Debian $suite to install into"
	mkdir -p "$(dirname "$to")"
	rm -rf "$to.new"
	mmdebstrap --quiet --variant=apt --include="$1" "$suite" "$to.new" \
		"${files[@]}" > "$to.log" 2>&1 || {
		say "it cannot be made: $(grep -m 1 '^E' "$to.log" || tail -n 1 "$to.log")"
		return 1
	}
	mv -T "$to.new" "$to"
}

# The newest release of a flavour: what its metapackage depends on.
flavour_newest() {
	cache_apt apt-cache depends "linux-headers-$1" 2> /dev/null |
		sed -n 's/^ *Depends: linux-headers-//p' | head -n 1
}

releases() {
	local flavour

	for flavour in $FLAVOURS; do flavour_newest "$flavour"; done
}

# Headers only, all in one tree, laid out for a merged /usr.
headers_unpack() {
	local to=$1 packages release

	shift
	mapfile -t packages < <(for release; do kernel_packages "$release"; done |
		grep -v '^linux-image-' | sort -u)
	mkdir -p "$to/debs"
	(cd "$to/debs" && cache_apt apt-get download "${packages[@]}") >&2 || return 1
	debs_unpack "$to/debs" "$to" || return 1
	rm -rf "$to/debs" "${to:?}/usr/share"
	cp -a "$to/lib/." "$to/usr/lib/" && rm -rf "${to:?}/lib"
	for release; do kernel_relocate "$to" "$release"; done
}

# headers_make TO: whole or not at all; TO/releases has them, a line each. Under the lock.
headers_make() {
	local to=$1 all

	[[ -z $(find "$to/releases" -mtime -"$KERNEL_REFRESH_DAYS" 2> /dev/null) ]] || return 0
	cache_apt_update || say "the package lists could not be refreshed"
	mapfile -t all < <(releases)
	((${#all[@]} > 0)) || { say "there are no linux-headers in apt's sources"; return 1; }
	if [[ ${all[*]} != "$(paste -sd ' ' "$to/releases" 2> /dev/null)" ]]; then
		say "fetching headers of ${all[*]}"
		rm -rf "$to.new"
		headers_unpack "$to.new" "${all[@]}" || return 1
		rm -rf "$to"
		mv -T "$to.new" "$to"
	fi
	printf '%s\n' "${all[@]}" > "$to/releases"
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
