# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# TAP for the runner's own tests, and what there must be of it in a guest's output.

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

# unplanned: what is wrong with the plans (1..N) of the TAP on stdin. The last one ends it. What starts a second
# kernel has none, so there may be more results than planned, but never fewer.
unplanned() {
	awk '/^(not )?ok / { n++; open = 1 }
		/^1\.\.[0-9]+\r?$/ { planned += substr($0, 4); open = 0 }
		END { if (open) print "it ends without a plan"
			else if (planned > n) print "it plans " planned " checks and has " n }'
}
