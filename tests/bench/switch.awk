# SPDX-License-Identifier: GPL-2.0-only
# The table of `make bench-switch`, from raw figures on stdin; status 1 if a budget is missed or a
# figure is not there. A line is
#
#	CPUS window enter|leave CPU INSTRUCTIONS	interrupts off; CPUS is that of the machine
#	CPUS op load|enter|leave CPU OPERATION COUNT	calls of the hardware port; load is the module's
#	CPUS cpuid LEAF NATIVE VIRTUAL			instructions for 100 CPUIDs
#	CPUS memory used|percpu KIB
#	- stub INSTRUCTIONS				of ours for a CPUID, as the unit test counts them
#
# Budgets come by -v: enter, leave, stub, vmwrite, vmread, kib.

BEGIN {
	# Every operation of the port belongs to one row; @ is a blank.
	rows = split("VMXON vmxon;VMXOFF vmxoff vmxoff_safe;VMPTRLD vmptrld;VMCLEAR vmclear vmclear_safe;VMWRITE vmwrite entry_vmwrite;" \
		"VMREAD vmread entry_vmread;INVEPT invept;INVVPID invvpid;VMLAUNCH entry_vmlaunch;VMCALL vmcall;" \
		"VMRESUME entry_vmresume;RDMSR rdmsr rdmsr_safe;WRMSR wrmsr wrmsr_safe;" \
		"CR@read read_cr0 read_cr2 read_cr3 read_cr4;CR@written write_cr0 write_cr3 write_cr4;" \
		"LGDT lgdt;LIDT lidt entry_lidt;LTR ltr;LLDT lldt;SGDT sgdt;SIDT sidt entry_sidt;" \
		"STR str;SLDT sldt;segment@read read_es read_cs read_ss read_ds read_fs read_gs;" \
		"segment@loaded load_es load_ss load_ds load_fs load_gs;CPUID cpuid entry_cpuid;INVLPG invlpg;" \
		"RDTSC rdtsc;DR@read read_dr6 read_dr7;DR@written write_dr6;RFLAGS@read read_rflags;XSETBV xsetbv_safe;WBINVD wbinvd", row, ";")
	for (i = 1; i <= rows; i++) {
		n = split(row[i], word, " ")
		sub(/@/, " ", word[1])
		row[i] = word[1]
		for (j = 2; j <= n; j++)
			row_of[word[j]] = word[1]
	}
	# No one instruction, or one that a CPU repeats while it waits for another.
	n = split("vmlaunch vmexit_entry leave abort_call shut_down stop pause", word, " ")
	for (j = 1; j <= n; j++)
		row_of[word[j]] = ""
}

# The least and the greatest of what belongs to a key.
function note(key, value) {
	if (!(key in least) || value < least[key])
		least[key] = value
	if (!(key in most) || value > most[key])
		most[key] = value
}

function fail(text) {
	print "bench: " text > "/dev/stderr"
	failed = 1
}

$1 != "-" && !($1 in known) { known[$1]; machine[++machines] = $1 }

$2 == "window" { note("window " $3 " " $1, $5 + 0); next }
$2 == "memory" { note("memory " $3 " " $1, $4 + 0); next }
$2 == "stub" { note("stub", $3 + 0); next }
$2 == "cpuid" {
	leaf[$3]
	note("cpuid " $3 " " $1, sprintf("%.1f", ($5 - $4) / 100) + 0)
	next
}
$2 == "op" {
	if (!($5 in row_of))
		fail("operation " $5 " is in no row of the table")
	else if (row_of[$5])
		sum[$1 " " $3 " " $4 " " row_of[$5]] += $6
	next
}
{ fail("not a figure: " $0) }

function cell(key) {
	if (!(key in least))
		return "-"
	return least[key] == most[key] ? least[key] : least[key] ".." most[key]
}

function line(title, cells, budget, verdict) {
	printf "%-34s%s%16s  %s\n", title, cells, budget, verdict
}

# PREFIX and each machine: the cells; sets lo and hi over all of them.
function cells_of(prefix, only_one,   i, key, text) {
	lo = hi = ""
	for (i = 1; i <= machines; i++) {
		key = prefix machine[i]
		if (only_one && machine[i] != 1)
			key = ""
		text = text sprintf("%12s", cell(key))
		if (!(key in least))
			continue
		if (lo == "" || least[key] < lo)
			lo = least[key]
		if (hi == "" || most[key] > hi)
			hi = most[key]
	}
	return text
}

function verdict(good) {
	if (!good)
		failed = 1
	return good ? "met" : "MISSED"
}

function bounded(title, prefix, budget, only_one,   cells) {
	cells = cells_of(prefix, only_one)
	line(title, cells, "<= " budget, verdict(hi != "" && hi <= budget))
}

function operations(phase, title,   i, key, cells, bound, good) {
	print "\n" title
	for (key in sum) {
		split(key, word, " ")
		if (word[2] == phase) {
			name = key
			sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", name)
			note("op " phase " " name " " word[1], sum[key])
		}
	}
	for (i = 1; i <= rows; i++) {
		cells = cells_of("op " phase " " row[i] " ")
		if (hi == "" || hi == 0)
			continue
		bound = row[i] == "VMWRITE" ? vmwrite : row[i] == "VMREAD" ? vmread : ""
		good = lo == hi && (bound == "" || hi <= bound)
		line("  " row[i], cells, bound == "" ? "equal" : "<= " bound ", equal", verdict(good))
		seen[phase] = 1
	}
	if (!seen[phase])
		fail("no operation was counted")
}

END {
	for (i = 1; i <= machines; i++)
		head = head sprintf("%12s", machine[i] (machine[i] == 1 ? " CPU" : " CPUs"))
	line("", head, "budget", "")
	print "Instructions with interrupts off"
	bounded("  native to virtual", "window enter ", enter, 1)
	bounded("  virtual to native", "window leave ", leave, 1)
	operations("enter", "Operations of each CPU, native to virtual (vote and switch)")
	operations("leave", "Operations of each CPU, virtual to native")
	print "\nA CPUID exit"
	line("  instructions of ours", sprintf("%12s", cell("stub")), "<= " stub,
		verdict("stub" in least && most["stub"] <= stub))
	for (name in leaf)
		names[++leaves] = name
	for (i = 1; i <= leaves; i++)
		for (j = i + 1; j <= leaves; j++)
			if (names[j] < names[i]) {
				name = names[i]
				names[i] = names[j]
				names[j] = name
			}
	for (i = 1; i <= leaves; i++)
		line("  virtual - native, leaf " names[i] "h", cells_of("cpuid " names[i] " ", 1))
	print "\nMemory, KiB"
	bounded("  used for each CPU", "memory percpu ", kib)
	line("  used in all", cells_of("memory used "))
	if (machines > 1)
		grown(machine[1], machine[machines])
	exit failed
}

# What more CPUs took, as the machines found it.
function grown(few, many,   growth) {
	growth = (least["memory used " many] - least["memory used " few]) / (many - few)
	line("  growth for each CPU", sprintf("%" 12 * machines ".1f", growth), "<= " kib,
		verdict(growth > 0 && growth <= kib))
}
