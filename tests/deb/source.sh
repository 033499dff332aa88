#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Inside a Debian that may be spoilt: source.sh RELEASE builds and installs the sources of /packages/tree as README
# says, looks whether all is found, and uninstalls it. Prints TAP without a plan.
set -u

# shellcheck source=tests/deb/checks.sh
. /packages/checks.sh

release=$1
export LC_ALL=C.UTF-8

# everything: files and links, with their sizes. What depmod and ldconfig make is theirs.
everything() {
	find / -xdev \( -path /proc -o -path /packages -o -path /tmp \) -prune -o ! -type d -printf '%p %l %s\n' |
		grep -vE '^(/usr)?/lib/modules/[^/]*/modules\.|^/etc/ld\.so\.cache|^/var/cache/' | sort
}

# The outer machine's kernel is another, so it is named to make.
mkdir -p /boot "/lib/modules/$release"
cp /packages/vmlinuz "/boot/vmlinuz-$release"
cp /packages/modules/* "/lib/modules/$release/"
depmod "$release"
ldconfig
everything > /packages/before
cd /packages/tree || exit 2

is "for a kernel with kCFI it is not made, which says why" \
	"$(make -s module KDIR="/lib/modules/$release/build" CONFIG_CFI_CLANG=y 2>&1 | grep -o "kernel is built with kCFI")" \
	"kernel is built with kCFI"
ok "make" make -s -j2 KDIR="/lib/modules/$release/build"
ok "make install" make -s install KDIR="/lib/modules/$release/build"
cd / || exit 2
is "the command is found, and finds its library" "$(mercury --version 2>&1)" "mercury $(< /packages/tree/VERSION)"
is "which is that of /usr/local" "$(ldd "$(command -v mercury)" | sed -n 's/.*libmercury.so.0 => \([^ ]*\) .*/\1/p')" \
	/usr/local/lib/libmercury.so.0
is "the system's cache of libraries has it" "$(ldconfig -p | grep -c 'libmercury\.so\.0 ')" 1
is "modprobe would load it" "$(modprobe -S "$release" -n --show-depends mercury-vmx 2>&1)" \
	"insmod /lib/modules/$release/updates/mercury-vmx.ko "
is "ring 1 has its table for the kernel" "$(ls /lib/firmware/mercury)" "$release.sites"
for page in 'mercury 8' 'mercury-sites 8' 'mercury-vmx 4'; do
	read -r name section <<< "$page"
	is "man $name" "$(realpath "$(man -w "$name" 2>&1)")" "/usr/local/share/man/man$section/$name.$section"
	ok "which can be read" bash -c "man $name | grep -A 1 '^NAME' | grep -q '$name '"
done
# shellcheck disable=SC2016 # the inner shell expands it
is "bash completes it" "$(bash -c '. /usr/share/bash-completion/bash_completion
	_completion_loader mercury; COMP_WORDS=(mercury vir) COMP_CWORD=1
	$(complete -p mercury | sed "s/.*-F \([^ ]*\).*/\1/") mercury vir mercury; echo "${COMPREPLY[@]}"' 2>&1)" virtual
# Of its own cron has this one.
path=$(sed -n 's/^ *PATH=//p' /packages/tree/docs/operators.md)
is "cron finds the command, by the document's line" \
	"$(env -i PATH="${path:-/usr/bin:/bin}" sh -c 'command -v mercury')" "$(command -v mercury)"
ok "systemd has the unit" systemctl enable mercury-mode@virtual
ok "and makes it so at each boot" systemctl is-enabled mercury-mode@virtual
is "by a command that is there" "$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' \
	/etc/systemd/system/multi-user.target.wants/mercury-mode@virtual.service)" "$(command -v mercury)"
is "the example for sysctl.d is a setting of ours" \
	"$(grep -v '^#' /usr/local/share/doc/mercury/examples/mercury.conf | grep -o '^-\?mercury\.mode')" -mercury.mode
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
ok "and runs" /packages/program "$(< /packages/tree/VERSION)"

ok "it is disabled" systemctl disable mercury-mode@virtual
ok "make uninstall" make -s -C /packages/tree uninstall
is "nothing at all is left" "$(everything | diff /packages/before -)" ""
is "no folder of ours either" "$(find / -xdev \( -path /proc -o -path /packages \) -prune -o -name '*mercury*' -print)" ""
is "modprobe does not know it any more" "$(modprobe -S "$release" -n mercury-vmx 2>&1)" \
	"modprobe: FATAL: Module mercury-vmx not found in directory /lib/modules/$release"
is "nor does the cache of libraries" "$(ldconfig -p | grep libmercury)" ""
ok "once more: nothing is there to be removed" make -s -C /packages/tree uninstall

# The kernel's hooks are at the same place in both. A package's go with the package, and so do the tables they make.
hook=/etc/kernel/postinst.d/mercury-sites
mkdir -p /packages/deb/DEBIAN "/packages/deb/${hook%/*}"
printf '%s\n' 'Package: mercury' 'Version: 9' 'Architecture: all' 'Maintainer: none <none@localhost>' \
	'Description: the hook alone' > /packages/deb/DEBIAN/control
echo "# a package's" > "/packages/deb$hook"
ok "it is installed again" make -s -C /packages/tree install KDIR="/lib/modules/$release/build"
ok "a package of it comes" bash -c 'dpkg-deb --build /packages/deb /packages/hook.deb && dpkg -i /packages/hook.deb'
is "make uninstall tells what stays, and why" "$(make -s -C /packages/tree uninstall 2>&1 | grep ^mercury)" \
	"mercury: a Debian package owns $hook: that stays; to remove it: apt-get purge mercury mercury-dkms libmercury0"
is "its hook does" "$(< "$hook")" "# a package's"
is "and the tables" "$(ls /lib/firmware/mercury)" "$release.sites"
is "all else is gone" "$(find / -xdev \( -path /proc -o -path /packages -o -path /var/lib/dpkg \) -prune -o -name '*mercury*' -print |
	sort)" "$(printf '%s\n' "$hook" "$(realpath /lib/firmware)/mercury")"
everything > /packages/with
is "make install is refused" "$(make -s -C /packages/tree install KDIR="/lib/modules/$release/build" 2>&1 | grep ^mercury)" \
	"mercury: a Debian package owns $hook: remove it first: apt-get purge mercury mercury-dkms libmercury0"
is "before it has changed anything" "$(everything | diff /packages/with -)" ""
ok "the package goes" dpkg -P mercury
ok "make uninstall takes the rest" make -s -C /packages/tree uninstall
is "and that is all" "$(find / -xdev \( -path /proc -o -path /packages \) -prune -o -name '*mercury*' -print)" ""
