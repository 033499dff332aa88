#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# badimage.sh: modules with a damaged image, and one for another kernel, are refused and leave nothing.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# refused NAME SENTENCE
refused() {
	dmesg -c > /dev/null
	if insmod "/images/$1.ko" 2> /dev/null; then
		not_ok "$1: insmod fails"
		rmmod mercury_vmx
	else
		ok "$1: insmod fails"
	fi
	succeeds "$1: the log says why" sh -c "dmesg | grep -F \"$2\""
	is "$1: nothing is left" "$(ls /proc/mercury 2> /dev/null; grep mercury /proc/modules)" ""
}

before=$(in_use)
while read -r name sentence; do
	refused "$name" "$sentence"
done << 'END'
magic it does not begin with Mercury's header
abi-version it was built for another version of the module
checksum its checksum is wrong
file-size its length is not what its header says
text-end its segments do not fit together
rodata-end its segments do not fit together
memory-size its segments do not fit together
entry its entry or its boot data lie outside their segments
entry-low its checksum is wrong
boot its entry or its boot data lie outside their segments
text its checksum is wrong
other-kernel disagrees about version of symbol module_layout
END
after=$(in_use)
succeeds "no memory is lost" test $((${after% *} - ${before% *})) -lt 2048

succeeds "the good module still loads" modprobe mercury-vmx
succeeds "and switches" sysctl -q mercury.mode=virtual
succeeds "and goes" rmmod mercury_vmx
finish
