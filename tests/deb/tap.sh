# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# TAP of a test that runs another one inside a Debian.

n=0 failed=0

# number: TAP without numbers on stdin, counted.
number() {
	local line

	while IFS= read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			n=$((n + 1))
			[[ $line != not* ]] || failed=$((failed + 1))
			echo "${line/ok - /ok $n - }"
			;;
		*) echo "$line" ;;
		esac
	done
}

# inside COMMAND...: its TAP counted. It has no plan, so whether it came to its end is told by its status.
inside() {
	number < <("$@" 2>&1)
	wait "$!" || verdict "the tests inside come to their end" "status $? of $*"
}

# verdict TEXT WHY: an empty reason is a success.
verdict() {
	if [[ -z $2 ]]; then
		number <<< "ok - $1"
	else
		number <<< "not ok - $1"$'\n'"# ${2//$'\n'/$'\n'# }"
	fi
}

# finish
finish() {
	echo "1..$n"
	((failed == 0 && n > 0))
	exit
}
