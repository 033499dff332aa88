# SPDX-License-Identifier: GPL-2.0-only
# From the image's symbols, by address, and the trace of Bochs's debugger: for the first whole way through
# the VMM in each direction its instructions by function, and how many of each kind; and the cache lines it
# comes by, of code and of data. A way begins in vmm_call or insn_vmexit_entry, comes by switch_execute and
# ends where Linux goes on.

function function_of(rip,   low, high, middle) {
	low = 1
	high = symbols
	while (low < high) {
		middle = int((low + high + 1) / 2)
		if (address[middle] <= rip)
			low = middle
		else
			high = middle - 1
	}
	return symbol[low]
}

# Which 64 bytes an address belongs to.
function cache_line(address,   n) {
	n = length(address)
	return substr(address, 1, n - 2) int((index("0123456789abcdef", substr(address, n - 1, 1)) - 1) / 4)
}

# What is not one instruction whatever it works on.
function kind_of(line, mnemonic) {
	if (mnemonic == "mov" && line ~ / mov cr3,/)
		return "write_cr3"
	if (mnemonic == "mov" && line ~ / mov cr[04],/)
		return "cr"
	return mnemonic
}

function begin() {
	delete code
	delete data
	code_lines = data_lines = 0
	delete in_function
	delete of_kind
	all = 0
	direction = ""
}

function end(   key) {
	if (direction && !(direction in told)) {
		told[direction]
		for (key in in_function)
			print direction, "function", in_function[key], key
		for (key in of_kind)
			print direction, "kind", of_kind[key], key
		print direction, "lines", code_lines, "code"
		print direction, "lines", data_lines, "data"
		print direction, "all", all
	}
	begin()
}

NR == FNR {
	address[++symbols] = $1
	symbol[symbols] = $3
	sub(/\..*/, "", symbol[symbols])
	next
}

# [CPU0 RD]: LIN 0x0123456789abcdef PHY ...
way && /^\[CPU0 (RD|WR|RW)\]: LIN / {
	line = cache_line($4)
	if (!(line in data)) {
		data[line]
		data_lines++
	}
	next
}

!/^\(0\)\.\[/ { next }

{
	split($3, pointer, ":")
	rip = pointer[2]
	if (rip !~ /^fffffe80/) {
		end()
		way = was = ""
		next
	}
	name = function_of(rip)
	if (name != was && (name == "vmm_call" || name == "insn_vmexit_entry")) {
		begin()
		way = name
	}
	was = name
	if (name == "switch_execute" && way)
		direction = way == "vmm_call" ? "enter" : "leave"
	all++
	in_function[name]++
	of_kind[kind_of($0, $6)]++
	line = cache_line(rip)
	if (!(line in code)) {
		code[line]
		code_lines++
	}
	if ($6 == "vmlaunch")
		end()
}
