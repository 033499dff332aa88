# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Building what a guest brings: the module for a Debian kernel, plain or around the test port, and test
# modules. From the top folder.

BUILT=$PWD/build/suite

# kernel_facts KERNEL: release, vmlinuz, build and modules directory into the array `kernel`.
kernel_facts() {
	mapfile -t kernel < <(tests/vm/kernel "$1")
	((${#kernel[@]} == 4))
}

# build_kernel KERNEL: the module for it.
build_kernel() {
	local kernel=()

	kernel_facts "$1" && make -s module KDIR="${kernel[2]}" >&2
}

# build_probe NAME KERNEL [TO]: a module of tests/vm/NAME for it, with tests/vm/lib's headers, in build/TO.
build_probe() {
	local to=build/${3:-$1} kernel=()

	kernel_facts "$2" && mkdir -p "$to" && cp -u tests/vm/lib/*.h "tests/vm/$1"/* "$to/" &&
		make -s -C "${kernel[2]}" M="$PWD/$to" CONFIG_DEBUG_INFO_BTF_MODULES= modules >&2
}

# build_with PORT KERNEL: the module around an image with that test port, of tests/vm/PORT.
build_with() {
	local kernel=()

	mkdir -p "$BUILT"
	kernel_facts "$2" &&
		make -s module B="build/with-$1" PORT="tests/vm/$1/port.mk" KDIR="${kernel[2]}" >&2 &&
		ln -sf "$PWD/build/with-$1/${kernel[0]}/mercury-vmx.ko" "$(module_with "$1" "$2")"
}

# build_port KERNEL: the module around an image with the port that counts, and Linux's end of that.
build_port() {
	build_with port "$1" && build_probe port "$1" "port-$1" &&
		ln -sf "$PWD/build/port-$1/mercury-port.ko" "$(port_control "$1")"
}

# build_starve KERNEL: the module that lets the kernel have nothing for mercury-vmx, which is built; it has
# to know every function by which that takes something.
build_starve() {
	local kernel=()

	build_probe starve "$1" "starve-$1" && kernel_facts "$1" || return 1
	nm -u "build/${kernel[0]}/mercury-vmx.ko" | awk '{ print $2 }' |
		grep -E 'alloc|create|register|setup|[a-z]map|get_.*page' |
		grep -vE '^unregister_|^(vmemmap_base|hugetlb_optimize_vmemmap_key|kmalloc_caches|__bitmap_.*|debugfs_create_file|load_fixmap_gdt|perf_trace_buf_alloc)$' |
		grep -vxF -f <(grep -oE '\w+' tests/vm/starve/calls.h) >&2 || return 0
	echo "tests/vm/starve/calls.h does not have these, which mercury-vmx calls" >&2
	return 1
}

# module_with PORT KERNEL, port_control KERNEL: where these put the two.
module_with() {
	echo "$BUILT/$1-$2.ko"
}

port_control() {
	echo "$BUILT/mercury-port-$1.ko"
}
