#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# badimage.sh: modules with a damaged image, and one for another kernel, are refused and leave nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

# refused NAME SENTENCE
refused() {
	dmesg -c > /dev/null
	check "$1: insmod fails" fails insmod "/images/$1.ko"
	check "$1: the log says why" logged "$2"
	check "$1: no file is left" fails test -e /proc/mercury
	check "$1: no module is left" fails grep -q mercury_vmx /proc/modules
}

free_kib() {
	sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

before=$(free_kib)
refused magic "it does not begin with Mercury's header"
refused abi-version "it was built for another version of the module"
refused checksum "its checksum is wrong"
refused file-size "its length is not what its header says"
refused segments "its segments do not fit together"
refused entry "its entry or its boot data lie outside their segments"
refused text "its checksum is wrong"
refused other-kernel "version magic"
lost=$((before - $(free_kib)))
check "no memory is lost (MemFree fell by $lost KiB)" test "$lost" -lt 2048

check "the good module still loads" modprobe mercury-vmx
check "and switches" sysctl -q mercury.mode=virtual
check "and goes" rmmod mercury_vmx
conclude
