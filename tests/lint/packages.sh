#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is packed: one version, the library's symbols, manual pages that say all.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

version=$(cat VERSION)
{
	sed -nE '1s/^mercury \(([^)]*)\).*/debian\/changelog \1/p' debian/changelog
	sed -nE '/^## /{s/^## ([^ ]*).*/CHANGELOG.md \1/p;q}' CHANGELOG.md
} | grep -vE " ${version//./\\.}$" | sed "s|$| is not VERSION's $version|" |
	check "there is one version"

exported=$(sed -nE 's/^\t\t(mercury_[a-z_]+);$/\1/p' tools/libmercury/libmercury.map | sort)
code tools/libmercury/mercury.h | sed -nE 's/^[^:]*:[0-9]+:[a-z].*\b(mercury_[a-z_]+)\(.*/\1/p' |
	sort | diff - <(echo "$exported") | sed -n 's/^[<>]/& /p' |
	check "libmercury exports what its header declares"
sed -nE 's/^ (mercury_[a-z_]+)@.*/\1/p' debian/libmercury0.symbols | sort |
	diff - <(echo "$exported") | sed -n 's/^[<>]/& /p' |
	check "the symbols file of the package has each of them"

# What the kernel and the module offer is read by the library.
code_of '.*\.c' tools/mercury | grep -E '"/(proc|sys|dev)\b' | grep -v '"/dev/null"' |
	check "the command uses libmercury and no file of the module's"

name="mandoc and man have nothing to say of the manual pages"
if need mandoc mandoc "$name" && need man man-db "$name"; then
	for page in tools/man/*; do
		mandoc -T lint -W warning "$page" 2>&1
		MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 > /dev/null
	done | check "$name"
fi

# Of the options without their dashes, which mdoc adds: \-\-json is ".Fl -json".
code tools/mercury/main.c | grep -oE '"  --[a-z-]+|\{ "[a-z]+",' |
	sed -E 's/^"  -(-[a-z-]+)/Fl \1/; s/^\{ "([a-z]+)",/Cm \1/' | while IFS= read -r word; do
	grep -qE -e "$word( |$)" tools/man/mercury.8 || echo "tools/man/mercury.8 has no $word"
done | check "the manual has every command and option of --help"

# Those that are installed are looked at; what every Debian has is not for us to say.
questions=$(sed -nE "s/^(readonly QUESTIONS=')?([a-z0-9-]+) [a-z0-9-]+\/[a-z_]+'?$/\2/p" tests/vm/deps)
sed -E 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' tests/packages | while IFS= read -r package; do
	case $(dpkg-query -W -f '${Priority}' "$package" 2> /dev/null) in
	required | important | standard | '') continue ;;
	esac
	dpkg-query -L "$package" | grep -qE '/systemd/system/.*\.(service|socket|timer|path)$|^/etc/init\.d/.' || continue
	grep -qxF -e "$package" <<< "$questions" || echo "tests/packages has $package, which brings a service"
done | check "no package for the tests brings a service, unless it is told not to start"
