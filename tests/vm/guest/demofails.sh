#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# demofails.sh: on a machine that cannot be virtual what `make run` shows fails, and its status says so.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

sh demo.sh > "$WORK/demo"
is "the demonstration's status is that of a failure" $? 1
like "it names the step, and counts one" "$(grep ^FAILED "$WORK/demo" | tr '\n' ' ')" \
	"FAILED: sysctl mercury.mode=virtual ended with [0-9]* FAILED: 1 of the steps above. "
like "and the reason" "$(grep "^last error" "$WORK/demo")" "last error: no usable backend: *"
is "the module is gone" "$(grep mercury /proc/modules)" ""
finish
