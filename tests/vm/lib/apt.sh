# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian packages whose files go into the cache: no root needed, nothing is installed, no service starts.

# cache_apt TOOL ARG...: on the cache's own package lists; the machine's stay as they are.
cache_apt() {
	local tool=$1 dir=$CACHE_DIR/apt

	shift
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	"$tool" -qq -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User= -o Debug::NoLocking=1 "$@"
}

cache_apt_update() {
	cache_apt apt-get update >&2
}

# cache_download DIR PACKAGE...: the lists may be missing or stale, so once more with new ones.
cache_download() (
	cd "$1" || return
	shift
	cache_apt apt-get download "$@" >/dev/null 2>&1 && return
	cache_apt_update
	cache_apt apt-get download "$@" >&2
)

# debs_unpack DIR TO: the files of all packages in DIR.
debs_unpack() {
	local deb

	for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$2" || return; done
}

cache_unpack_locked() {
	local to=$1 tmp

	[[ -e $to ]] && return
	shift
	say "fetching $*"
	tmp=$(mktemp -d "${to%/*}/.new.XXXXXX") || return
	mkdir "$tmp/debs" "$tmp/root"
	cache_download "$tmp/debs" "$@" && debs_unpack "$tmp/debs" "$tmp/root" && mv -T "$tmp/root" "$to"
	rm -rf "$tmp"
	[[ -e $to ]] || say "they cannot be had: are they in apt's sources?"
	[[ -e $to ]]
}

# cache_unpack TO PACKAGE...: the packages' files, without what they depend on; whole or not at all.
cache_unpack() {
	with_lock "${1%/*}/.lock" cache_unpack_locked "$@"
}
