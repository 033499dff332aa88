#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# command.sh: the mercury command on a machine that can, or cannot: what check foretells is what the
# module says. Needs mercury, hv.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

# verdict NAME: of that finding, by check.
verdict() {
	mercury check | sed -n "s/^\([a-z]*\)  *$1 .*/\1/p"
}

# ends STATUS COMMAND...: its output in $WORK/output.
ends() {
	ends_with=$1
	shift
	"$@" > "$WORK/output" 2>&1
	is "$*: exit status" $? "$ends_with"
}

modprobe msr
ends 3 mercury status
ends 3 mercury virtual
like "it names the next step" "$(tail -n 1 "$WORK/output")" "mercury: next: modprobe mercury-vmx"

if [ "${1:-can}" = cannot ]; then
	ends 3 mercury check
	is "check foretells it" "$(verdict vt-x)" no
	sentence=$(sed -n 's/^no  *vt-x  *CPU 0: //p' "$WORK/output")
	next=$(sed -n '/^no  *vt-x /{n;s/^ *next: //p}' "$WORK/output")
	modprobe mercury-vmx
	like "the module says the same" "$(sysctl -n mercury.status)" "*${sentence}[:;] $next*"
	is "which is a sentence and a step" "$(echo "$sentence: $next" | wc -w | awk '{ print ($1 > 5) }')" 1
	ends 3 mercury virtual
	like "so does the command" "$(cat "$WORK/output")" "*$sentence*mercury check*"
	ends 3 mercury status
	ends 0 mercury native
	finish
fi

ends 0 mercury check
is "check foretells that it can" "$(verdict vt-x)" ok
modprobe mercury-vmx
ends 0 mercury status

# shellcheck disable=SC2317 # by succeeds
# refcnt: how many hold the module. held N: waits for it to be N, 10 s at most.
held() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(cat /sys/module/mercury_vmx/refcnt)" != "$1" ] || return 0
		sleep 1
	done
	return 1
}
timeout 60 mercury wait virtual &
waiter=$!
timeout 60 mercury wait virtual &
other=$!
succeeds "who waits for virtual holds the module" held 2
# What runs in the background ignores SIGINT.
kill -TERM "$other"
wait "$other" 2> /dev/null
is "a signal ends it" $? 143
succeeds "and lets go" held 1
is "it cannot be unloaded meanwhile" "$(rmmod mercury_vmx 2> /dev/null && echo gone)" ""
succeeds "the other waits on" kill -0 "$waiter"
ends 0 mercury virtual
wait "$waiter"
is "now it is" $? 0
succeeds "nobody holds the module" held 0
ends 0 mercury wait virtual
succeeds "every CPU is a guest, and has exits" hv --expect virtual
ends 0 mercury metrics "$WORK/metrics"
is "metrics: every CPU" "$(grep -c '^mercury_cpu_virtual.* 1$' "$WORK/metrics")" "$(nproc)"
is "metrics: exits" "$(grep -c '^mercury_exits_total{cpu="0",reason="CPUID"} [1-9]' "$WORK/metrics")" 1
ends 0 mercury state
is "state: CR4 of each CPU" "$(grep -c ' task  *CR4 ' "$WORK/output")" "$(nproc)"
ends 0 mercury log
like "log: from the load on" "$(cat "$WORK/output")" "*] mercury: loaded, backend vmx;*"
succeeds "every CPU is a guest" hv --expect virtual
is "status shows it for each CPU" "$(mercury status | grep -cE '^ +[0-9]+  virtual ')" "$(nproc)"
like "and as JSON" "$(mercury status --json)" '*"mode":"virtual",*"cpus":\[*'
ends 0 mercury check
ends 0 mercury virtual
ends 0 mercury bench --rounds 5
is "bench: what each CPU's switches cost" \
	"$(grep -cE "^(virtual|native) +$((5 * $(nproc))) +[1-9]" "$WORK/output")" 2
ends 0 mercury calibrate "$WORK/weights"
like "calibrate: in an emulator it says that it means nothing" "$(sed -n 's/^# kind: //p' "$WORK/weights")" \
	"meaningless, for the TSC counts instructions:*"
is "calibrate: an event, three figures in order, for each weight that can be measured" \
	"$(awk '/ measured/ && $2 <= $3 && $3 <= $4 { n++ } END { print n }' "$WORK/weights")" 19
sed 's/^/# /' "$WORK/weights"
succeeds "and the machine is virtual again" hv --expect virtual
ends 0 mercury native
succeeds "every CPU is native" hv --expect native
ends 0 mercury check
is "without the msr device it is not known" "$(rmmod msr && verdict vt-x)" unknown
echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >> /etc/passwd
ends 0 su -s /bin/sh nobody -c "mercury status"
ends 1 su -s /bin/sh nobody -c "mercury virtual"
like "not for everybody" "$(cat "$WORK/output")" "*not allowed*next: run it as root"

succeeds "kvm_intel owns VMX" modprobe kvm_intel
if [ -e /sys/module/kvm/parameters/enable_virt_at_load ]; then
	is "check says so" "$(verdict kvm)" no
	ends 1 mercury virtual
	like "and the command too" "$(cat "$WORK/output")" "*owned by another*next: end what owns VMX*"
else
	is "loaded, without a guest: nothing in the way" "$(verdict kvm)" ok
fi
finish
