# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The disk behind --out: ext4 in a sparse file, read without mounting it.

# Its size costs nothing until it is written.
readonly OUT_DISK_SIZE=8G

disk_make() {
	PATH=$PATH:/usr/sbin:/sbin
	need mke2fs e2fsprogs
	truncate -s "$OUT_DISK_SIZE" "$1" &&
		mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E assume_storage_prezeroed=1 "$1" &&
		debugfs -w -R 'rmdir lost+found' "$1" >/dev/null 2>&1
}

# disk_read IMAGE DIR: copies everything into DIR; prints what could not be copied and fails then.
# Whoever is not root cannot give files to root, which is no loss.
disk_read() {
	local complaints

	complaints=$(LC_ALL=C debugfs -R "rdump / \"$2\"" "$1" 2>&1 >/dev/null |
		grep -vE '^debugfs [0-9]|changing ownership')
	[[ -z $complaints ]] && return
	head -n 5 <<<"$complaints"
	return 1
}
