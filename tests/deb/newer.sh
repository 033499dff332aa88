#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Inside a Debian 13 that may be spoilt: newer.sh VERSION installs the packages of /packages/VERSION, and DKMS
# builds the module for that Debian's kernel. Prints TAP without a plan.
set -u

version=$1

# shellcheck source=tests/deb/checks.sh
. /packages/checks.sh

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mapfile -t releases < <(find /lib/modules/ -mindepth 1 -printf '%f\n' -prune | sort -V)

is "on Debian 13: there are its kernel's headers" "$(printf '%s\n' "${releases[@]}" | cut -d . -f 1,2)" 6.12
ok "the packages install" install "$version"
for release in "${releases[@]}"; do
	is "DKMS built the module for $release" \
		"$(modinfo -F vermagic "/lib/modules/$release/updates/dkms"/mercury-vmx.ko* 2>&1 | cut -d ' ' -f 1)" "$release"
done
is "and says so" "$(built)" "$(expected "$version" "${releases[@]}")"
is "the command runs" "$(mercury --version)" "mercury $version"
