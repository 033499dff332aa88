#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# debugfs.sh: what developers see: the state, equal by diff; the P2M, its look-up, what it hides.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

DEBUG=/sys/kernel/debug/mercury
# Beyond RAM and all that was mapped at load; nothing answers there.
BEYOND=0x7f00000000

# What native mode must not change: each of these on every CPU.
REGISTERS="CR0 CR3 CR4 CR4_SHADOW XCR0 DR0 DR1 DR2 DR3 DR6 DR7 GDTR_BASE GDTR_LIMIT IDTR_BASE IDTR_LIMIT
XSS EFER PAT STAR LSTAR CSTAR FMASK SYSENTER_CS SYSENTER_ESP SYSENTER_EIP FS_BASE GS_BASE KERNEL_GS_BASE
TSC_AUX TSC_ADJUST DEBUGCTL SPEC_CTRL FEATURE_CONTROL MISC_ENABLE"
SEGMENTS="ES CS SS DS FS GS LDTR TR"

# state FILE: what belongs to the machine, not to the task that happens to run.
state() {
	grep ' machine ' $DEBUG/state > "$WORK/$1"
}

# missing_items: what the state has not got for each CPU.
missing_items() {
	for item in $REGISTERS; do
		[ "$(grep -c "^cpu[0-9]* [a-z]* *$item  *[0-9a-f]*$" $DEBUG/state)" = "$(nproc)" ] || echo "$item"
	done
	for item in $SEGMENTS; do
		for part in selector limit "access rights"; do
			[ "$(grep -c "^cpu[0-9]* [a-z]* *$item $part  *[0-9a-f]*$" $DEBUG/state)" = "$(nproc)" ] ||
				echo "$item $part"
		done
	done
}

# violations: EPT violations so far, on all CPUs.
violations() {
	sum $PROC EPT_VIOLATION
}

# look_up ADDRESS: both lines in one.
look_up() {
	echo "$1" > $DEBUG/lookup && tr '\n' ' ' < $DEBUG/lookup
}

# lines WORDS...: how many lines of the P2M hold that text.
lines() {
	grep -c -- "$*" $DEBUG/p2m
}

succeeds "the module loads" modprobe mercury-vmx
state loaded
succeeds "there is state of the machine" test -s "$WORK/loaded"
is "the state has every item on every CPU" "$(missing_items)" ""
native=$(devmem $BEYOND 32)
succeeds "to virtual" set_mode virtual
state virtual
succeeds "the state while virtual is the same" diff "$WORK/loaded" "$WORK/virtual"

end=$(sed -n 's/^ *[0-9a-f]*-\([0-9a-f]*\) : System RAM/\1/p' /proc/iomem | tail -n 1)
like "the last byte of RAM is mapped to itself" "$(look_up "0x$end")" \
	"p2m * -> *${end%???}000 rwx WB m2p *$end <- *$end *"
like "the local APIC is uncached" "$(look_up 0xfee00000)" "p2m 0000fee00000-* rwx UC m2p *"
like "far above RAM nothing is mapped yet" "$(look_up $BEYOND)" "p2m * first touched m2p *"
before=$(violations)
is "its first touch gives what it gives natively" "$(devmem $BEYOND 32)" "$native"
is "by one EPT violation" "$(violations)" $((before + 1))
like "then it is mapped to itself" "$(look_up $BEYOND)" "p2m *007f00000000-* -> *007f00000000 rwx * m2p *"
devmem $BEYOND 32 0x55
is "and touched again without one" "$(devmem $BEYOND 32), $(violations)" "$native, $((before + 1))"
succeeds "an address beyond 48 bits is refused" sh -c "! echo 0x1000000000000 > $DEBUG/lookup"
succeeds "garbage is refused" sh -c "! echo garbage > $DEBUG/lookup 2>/dev/null"
succeeds "the legacy hole is uncached" test "$(lines "0000000a0000-")" = 1

is "one range is hidden" "$(lines "r-- WB")" 1
hidden=$(sed -n 's/-.*r-- WB$//p' $DEBUG/p2m)
like "what it hides maps to zeroes and is nobody's" "$(look_up "0x$hidden")" \
	"p2m $hidden-* r-- WB m2p $hidden <- nothing*"
cp $DEBUG/p2m "$WORK/p2m"
sed 's/^/# /' "$WORK/p2m"

succeeds "to native" set_mode native
state native
succeeds "the state is the same again" diff "$WORK/loaded" "$WORK/native"
succeeds "native, the P2M is the same" diff "$WORK/p2m" $DEBUG/p2m
succeeds "the module goes" rmmod mercury_vmx
is "its directory too" "$(ls -d $DEBUG 2> /dev/null)" ""
finish
