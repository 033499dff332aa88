# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# TAP for the runner's own tests.

COUNT=0 FAILED=0

# is NAME WANTED GOT
is() {
	COUNT=$((COUNT + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $COUNT - $1"
		return
	fi
	echo "not ok $COUNT - $1"
	FAILED=$((FAILED + 1))
	printf '#   wanted: %s\n' "${2//$'\n'/$'\n#           '}" "   got: ${3//$'\n'/$'\n#           '}"
}

# like NAME REGEX GOT
like() {
	if [[ $3 =~ $2 ]]; then is "$1" "" ""; else is "$1" "something like $2" "$3"; fi
}

# finish: the plan; fails if one test did.
finish() {
	echo "1..$COUNT"
	((FAILED == 0)) && return
	echo "# $FAILED of $COUNT failed"
	return 1
}
