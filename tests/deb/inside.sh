#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Inside a Debian that may be spoilt: install, upgrade, remove, purge. inside.sh VERSION NEXT RELEASE...,
# the packages of both versions being in /packages. Prints TAP without a plan.
set -u

version=$1 next=$2
shift 2
releases=("$@")
readonly HIDDEN=/packages/hidden

# shellcheck source=tests/deb/checks.sh
. /packages/checks.sh

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# A kernel's headers come, as its package's hook tells DKMS.
arrive() {
	mv "$HIDDEN/$1" /lib/modules/
	/etc/kernel/header_postinst.d/dkms "$1"
}

# traces: whatever is left of us.
traces() {
	find / -xdev \( -path /proc -o -path /sys -o -path /packages \) -prune -o -name '*mercury*' -print
}

mkdir "$HIDDEN"
cp /packages/vmlinuz /boot/vmlinuz-first
for release in "${releases[@]:1}"; do mv "/lib/modules/$release" "$HIDDEN/"; done

ok "the packages install" install "$version"
is "DKMS built the module for ${releases[0]}" "$(built)" "$(expected "$version" "${releases[0]}")"
is "modinfo finds it, with its version" "$(field "${releases[0]}" version)" "$version"
is "it is in updates/" "$(field "${releases[0]}" filename)" \
	"/lib/modules/${releases[0]}/updates/dkms/mercury-vmx.ko"
is "the command runs" "$(mercury --version)" "mercury $version"
is "with the shared library" "$(ldd "$(command -v mercury)" | grep -c libmercury.so.0)" 1
is "the kernel that is there has its table of sites" "$(ls /lib/firmware/mercury)" first.sites
cp /boot/vmlinuz-first /boot/vmlinuz-second
ok "a kernel comes, with its hook" run-parts --exit-on-error --arg=second /etc/kernel/postinst.d
is "and has its table" "$(ls /lib/firmware/mercury)" $'first.sites\nsecond.sites'
echo none > /boot/vmlinuz-third
ok "one that is none: its hook does not fail" run-parts --exit-on-error --arg=third /etc/kernel/postinst.d
ok "it goes, with its hook" /etc/kernel/postrm.d/mercury-sites second
is "and so does its table" "$(ls /lib/firmware/mercury)" first.sites
rm /boot/vmlinuz-second /boot/vmlinuz-third
is "nothing was loaded or switched: status says so" "$(mercury status)" "mode      not loaded"
ok "stopping the unit without the module is no failure" \
	sh -c "$(sed -n 's/^ExecStop=//p' /lib/systemd/system/mercury-mode@.service)"
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s /lib/systemd/system/mercury-mode@.service \
	/etc/systemd/system/multi-user.target.wants/mercury-mode@virtual.service

cat > /packages/program.c <<'C'
#include <mercury.h>
#include <string.h>

int main(int argc, char **argv)
{
	return strcmp(mercury_version(), argv[argc - 1]) != 0;
}
C
# shellcheck disable=SC2016 # the inner shell expands it
ok "a program builds with pkg-config" bash -c \
	'gcc -o /packages/program /packages/program.c $(pkg-config --cflags --libs libmercury)'
ok "and runs" /packages/program "$version"

# As where systemd runs: what it is told.
mkdir -p /run/systemd/system
printf '#!/bin/sh\necho "$*" >> /packages/systemctl\n' > /usr/local/bin/systemctl
chmod +x /usr/local/bin/systemctl
ok "they upgrade" install "$next"
is "systemd is told of the new unit" "$(sort -u /packages/systemctl)" "--system daemon-reload"
rm /packages/systemctl
is "DKMS has the new version only" "$(built)" "$(expected "$next" "${releases[0]}")"
is "modinfo too" "$(field "${releases[0]}" version)" "$next"

rm /etc/kernel/postinst.d/mercury-sites
ok "the hook, deleted: the package is configured without it" dpkg -i /packages/"$next"/mercury_*.deb

for release in "${releases[@]:1}"; do
	ok "a kernel comes: it builds for $release" arrive "$release"
	is "and is for that kernel" "$(field "$release" vermagic | cut -d ' ' -f 1)" "$release"
done
is "DKMS has it for every kernel" "$(built)" "$(expected "$next" "${releases[@]}")"

# Linux 5.10 by its name; the rest is another's. 77 is DKMS's word for "not meant for this kernel".
cp -a "/lib/modules/${releases[0]}" /lib/modules/5.10.0-1-amd64
dkms build "mercury/$next" -k 5.10.0-1-amd64 > "$LOG" 2>&1
is "a kernel that is not supported is left alone" "$?" 77
rm -rf /lib/modules/5.10.0-1-amd64

ok "they are removed" dpkg -r mercury mercury-dkms libmercury-dev libmercury0
is "systemd is told that the unit is gone" "$(tail -n 1 /packages/systemctl)" "--system daemon-reload"
is "no module is left" "$(find /lib/modules/ -name 'mercury*')" ""
is "no source is left, and nothing in DKMS" "$(ls -d /usr/src/mercury* /var/lib/dkms/mercury 2> /dev/null)" ""
ok "they are purged" dpkg -P mercury mercury-dkms libmercury-dev libmercury0
is "nothing at all is left" "$(traces)" ""
