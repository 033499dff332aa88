# SPDX-License-Identifier: GPL-2.0-only
# From the image's symbols, by address, and the trace of Bochs's debugger: for the first whole way through
# the VMM in each direction its instructions by function, and how many of each kind. A way begins in
# vmm_call or insn_vmexit_entry, comes by switch_execute and ends where Linux goes on.

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

function begin() {
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
	of_kind[$6]++
	if ($6 == "vmlaunch")
		end()
}
