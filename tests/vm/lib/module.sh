# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# mercury-vmx for the guest's kernel.

# module_build TO: builds the module and copies it to TO. Under the lock, so that no other run
# replaces the file while it is copied.
module_build() {
	make -s -C "$TOP_DIR" module KDIR="$KERNEL_BUILD" >&2 &&
		cp "$TOP_DIR/build/$KERNEL_RELEASE/mercury-vmx.ko" "$1"
}

# module_prepare TO: puts the module for KERNEL_RELEASE at TO.
module_prepare() {
	if [[ -n ${MERCURY_KO:-} ]]; then
		cp "$MERCURY_KO" "$1" 2>/dev/null ||
			die "$EXIT_USAGE" "MERCURY_KO: there is no readable file '$MERCURY_KO'"
		return
	fi
	need make build-essential
	with_lock "$TOP_DIR/build/.lock" module_build "$1" ||
		die "$EXIT_NO_GUEST" "mercury-vmx does not build for $KERNEL_RELEASE"
}
