# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the tests inside a Debian share: TAP without numbers or a plan.

readonly LOG=/packages/log

# ok TEXT COMMAND...: the command's output is the reason if it fails, with DKMS's own.
ok() {
	local text=$1

	shift
	if "$@" > "$LOG" 2>&1; then
		echo "ok - $text"
		return
	fi
	echo "not ok - $text"
	cat "$LOG" /var/lib/dkms/mercury/*/build/make.log 2> /dev/null | tail -n 40 | sed 's/^/# /'
}

# is TEXT GOT WANT
is() {
	if [[ $2 == "$3" ]]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '# got      %q\n# expected %q\n' "$2" "$3"
	fi
}

# Of the packages of a version, and of the module that DKMS builds.
install() { dpkg -i /packages/"$1"/*.deb; }
field() { modinfo -k "$1" -F "$2" mercury-vmx 2> /dev/null; }
built() { dkms status mercury 2> /dev/null | sed -nE "s|^mercury/([^,]*), ([^,]*),.*: installed.*|\1 \2|p" | sort; }
expected() { local r; for r in "${@:2}"; do echo "$1 $r"; done | sort; }
