# SPDX-License-Identifier: GPL-2.0-only
# The tables of docs/benchmarks.md, as one object NAME: text; and the data of its plots, as "data NAME". Input
# is an array: rows.json, switch.json, the table of columns, that of rows, and weights, each as [[field, ...]].
# All that is predicted says so.

.[0] as $rows | .[1] as $switch | .[2] as $columns | .[3] as $names | .[4] as $weights |

def thousands: tostring | explode | reverse | [range(length) as $i |
	if $i > 0 and $i % 3 == 0 then 44 else empty end, .[$i]] | reverse | implode;
def fixed($n): . as $x | (if $x < 0 then "-" else "" end) + (($x | fabs) * pow(10; $n) | round |
	tostring | ("0" * (if $n + 1 > length then $n + 1 - length else 0 end) // "") + . |
	if $n == 0 then . else .[:-$n] + "." + .[-n:] end);
def line: "| " + join(" | ") + " |";
def table($head): [($head | line), ($head | map("---") | line)] + map(line) | join("\n");
def weight($event): $weights | map(select(.[0] == $event))[-1] | [.[1], .[2], .[3]] | map(tonumber);
# Of an object of counts by event: predicted cycles, [low, mid, high].
def event_of: { sgdt: "store", sidt: "store", str: "store", sldt: "store" }[.] // .;
def known: . as $event | $weights | any(.[0] == $event);
def predicted: to_entries | map(.value as $n | .key | event_of |
		(if known then weight(.) else weight("instruction") end) | map(. * $n)) |
	if length == 0 then [0, 0, 0] else transpose | map(add) end;
def three: map(round | thousands) | join(" / ");
def us: map(. / 3000 | fixed(2)) | join(" / ");
def of($column; $row): $rows.rows | map(select(.column == $column and .row == $row))[0];
def exits: .exits // {} | add // 0;

# A CPUID exit of ours: 30 instructions, 5 VMREADs and a VMWRITE among them, and the CPUID.
{ roundtrip: 1, cpuid: 1, vmread: 5, vmwrite: 1, instruction: 23 } as $cpuid_exit |
($cpuid_exit | predicted) as $exit_cycles |
# The gate and the module, which the trace of the VMM does not see: two writes of CR3, one of CR4.
def window($way): $switch.steps[$way] as $s | ($switch.machines | map(select(.cpus == 1 and .mib == 512))[0][$way]) as $all |
	$s.kinds + { instruction: ($all - $s.instructions) } |
	. + { write_cr3: ((.write_cr3 // 0) + 2), cr: ((.cr // 0) + 1) } | .cr3 = .write_cr3 | del(.write_cr3);
def exit_hardware: if . == "leave" then weight("exit") else [0, 0, 0] end;
def sum($other): [., $other] | transpose | map(add);
def lines($way): $switch.steps[$way].lines | .code + .data;

def ratio($column; $row): of($column; $row) as $c | of("plain"; $row) as $p |
	if $c and $p then $c.instructions / $p.instructions else null end;

def rows_table($figure): $names | map(select(.[1] == $figure)) | map(.[0] as $row |
	[.[2]] + [of("plain"; $row) | if . then .instructions | thousands else "" end] +
	($columns | map(select(.[0] != "plain") | ratio(.[0]; $row) | if . then . * 100 | fixed(1) else "" end))) |
	table(["row", "plain Linux, instructions"] + ($columns | map(select(.[0] != "plain") | .[1] + ", %")));

def exits_table: $names | map(.[0] as $row | of("vmx"; $row) as $v | of("plain"; $row) as $p | of("kvm"; $row) as $k |
	select($v and $p) |
	[.[2], ($v | exits | thousands)] +
	(["ring1", "ring1-patched"] | map(of(.; $row) | if . then exits | thousands else "" end)) +
	[(if $k then $k | exits | thousands else "" end),
	 (if $k then $k.exits | to_entries | sort_by(-.value) | .[:3] | map("\(.key) \(.value)") | join(", ") else "" end),
	 ([range(3) as $i | ($v | exits) * $exit_cycles[$i] /
		($p.instructions * ($p.operations // 1) * weight("instruction")[$i]) * 100 | fixed(1)] | join(" / "))]) |
	table(["row", "exits, virtual with EPT", "traps, ring 1", "traps, ring 1 patched", "exits, KVM guest", "most of them", "predicted for silicon, EPT: % longer, low / mid / high"]);

def window_table: ["enter", "leave"] | map(. as $way | window($way) as $w | ($w | predicted | sum($way | exit_hardware)) as $warm |
	[if $way == "enter" then "native to virtual" else "virtual to native" end,
	 ($switch.machines | map(select(.cpus == 1 and .mib == 512))[0][$way] | thousands),
	 (lines($way) | tostring), ($warm | us),
	 ($warm | sum(weight("line") | map(. * lines($way))) | us)]) |
	table(["direction", "instructions, interrupts off", "cache lines touched by the VMM", "predicted us, all cached", "predicted us, no line cached"]);

def share($way): window($way) as $w | $w | to_entries | map(.key | event_of) | unique | map(select(known and . != "instruction"));
def breakdown_rows($way): window($way) as $w |
	($w | to_entries | map({ event: (.key | event_of | if known then . else "instruction" end), n: .value }) |
	 group_by(.event) | map({ event: .[0].event, n: (map(.n) | add) })) +
	(if $way == "leave" then [{ event: "exit", n: 1 }] else [] end) |
	sort_by(-(.n * weight(.event)[1]));
def breakdown_table($way): breakdown_rows($way) | map([.event, (.n | tostring), (.n as $n | weight(.event) | map(. * $n) | three)]) |
	table(["event", "times", "predicted cycles, low / mid / high"]);

def functions_table($way): $switch.steps[$way] | .instructions as $all | .functions | to_entries | sort_by(-.value) | .[:12] |
	map([.key, (.value | tostring), (.value / $all * 100 | fixed(1))]) | table(["function", "instructions", "%"]);

def operation($machine; $way; $op): $machine.operations | map([.[$way] | to_entries[] | select(.key == $op or .key == "entry_" + $op) | .value] | add // 0) | unique |
	map(tostring) | join("..");
def cpus_table: $switch.machines | map(select(.mib == 512)) | sort_by(.cpus) | map(. as $m |
	[(.cpus | tostring), operation($m; "enter"; "vmwrite"), operation($m; "leave"; "vmread"), operation($m; "enter"; "rdmsr"),
	 ($m.operations | map(.enter | del(.pause, .stop) | add) | unique | map(tostring) | join("..")),
	 ($m.operations | map(.leave | del(.pause, .stop) | add) | unique | map(tostring) | join("..")),
	 (.enter // "" | tostring), (.leave // "" | tostring), (.memory.used // "" | tostring)]) |
	table(["CPUs", "VMWRITEs in", "VMREADs out", "RDMSRs in, vote included", "operations in", "operations out", "instructions in", "instructions out", "KiB in all"]);
def memory_table: $switch.machines | map(select(.cpus == 1)) | sort_by(.mib) | map(
	[(.mib | tostring), (.enter // "" | tostring), (.leave // "" | tostring), (.memory.used // "" | tostring)]) |
	table(["MiB", "instructions in", "instructions out", "KiB that the VMM uses"]);

def lever($name; $before; $after): [$name, $before, $after];
def vmwrites($way): $switch.machines | map(select(.cpus == 1 and .mib == 512))[0].operations[0][$way] |
	((.vmwrite // 0) + (.entry_vmwrite // 0));
def levers_table: (weight("vmwrite") | map(. * vmwrites("load"))) as $saved |
	[(if vmwrites("load") == 0 then empty else
		lever("warm VMCS: constants are written when the module loads"; "\(vmwrites("load") + vmwrites("enter")) VMWRITEs in the window";
			"\(vmwrites("enter")); predicted \($saved | three) cycles less") end),
	 lever("CPUID answered in assembly";
		"\($switch.machines | map(select(.cpus == 1 and .mib == 512))[0].cpuid["00000001"] | .virtual - .native | round) instructions by C (leaf 1)";
		"\($switch.cpuid_ours)"),
	 lever("VPID and EPT always; CR3 not intercepted"; "an exit for each change of CR3"; "none")] |
	table(["lever", "without", "with"]);

def late_table: $switch.late | map(select(.phase)) | map(. as $l |
	[(.cpus | tostring), .phase, (.wakes | thousands), ((.median_us, .p99_us, .max_us) | . * 50 | thousands),
	 ($switch.late | map(select(.during == $l.phase and .cpus == $l.cpus) | .times)[0] // "" | tostring)]) |
	table(["CPUs", "meanwhile", "wake-ups", "median late, ticks", "99 %", "most", "how often"]);

def from: "\(.machine); Linux \(.kernel); commit \(.commit // (.commits | [.[]] | unique | join(", ")))";
# Bars: a row for each benchmark, a column for each way; ? where there is none.
def bars($figure): ($columns | map(.[0])) as $all |
	$names | map(select(.[1] == $figure)) | map(.[0] as $row | select(of("plain"; $row)) |
		"\"\(.[2])\" " + ($all | map(ratio(.; $row) | if . then . * 100 | fixed(2) else "?" end) | join(" "))) | join("\n");
def per_second: $names | map(.[0] as $row | of("vmx"; $row) as $v | of("kvm"; $row) as $k | select($v) |
	"\"\(.[2])\" " + ([$v, $k] | map(if . then (exits / (.ticks / 50e6)) | fixed(1) else "?" end) | join(" "))) | join("\n");

{ figure2: (($rows | from) + "\n\n" + rows_table("2")),
  figure3: rows_table("3"),
  exits: exits_table,
  "cpuid exit": "Predicted for silicon: \($exit_cycles | three) cycles (low / mid / high), that is \($cpuid_exit | to_entries | map("\(.value) \(.key)") | join(", ")).",
  window: (($switch | from) + "\n\n" + window_table),
  "breakdown in": breakdown_table("enter"), "breakdown out": breakdown_table("leave"),
  "functions in": functions_table("enter"), "functions out": functions_table("leave"),
  cpus: cpus_table, memory: memory_table, levers: levers_table, late: late_table,
  "data figure2": bars("2"), "data figure3": bars("3"), "data exits": per_second,
  "data breakdown": (["enter", "leave"] | map(. as $way | breakdown_rows($way) | map(select(.n * weight(.event)[1] >= 40)) |
	map("\"\(if $way == "enter" then "in" else "out" end): \(.event)\" \(.n * weight(.event)[1] | round) \(.n * weight(.event)[0] | round) \(.n * weight(.event)[2] | round)") | join("\n")) | join("\n")),
  "data cpus": ($switch.machines | map(select(.mib == 512)) | sort_by(.cpus) | map("\(.cpus) \(.operations | map(.enter | del(.pause, .stop) | add) | max) \(.operations | map(.leave | del(.pause, .stop) | add) | max)") | join("\n")) }
