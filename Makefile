# SPDX-License-Identifier: GPL-2.0-only
# Mercury's build: the VMM image, the module around it, and the ways to try and test them.
#
#	make			the image and the module for the running kernel
#	make module KDIR=DIR	the module for the kernel whose build directory is DIR
#	make run		boot a stock kernel in an emulator, go virtual, come back; with MACHINE=qemu or
#				CPU=athlon64_venice without VT-x, in ring 1
#	make test		every test, from unit to booted kernel; MACHINE=kvm: with nested VT-x
#	make test-long		the same, and every machine, kernel and number of CPUs
#	make unit lint		parts of it
#	make test-crash		a snapshot's image in crash and drgn; fetches the kernel's debug symbols
#	make bench		the benchmark, in an emulator, half an hour; MACHINE=host: on this machine, by root
#	make bench-docs		docs/benchmarks.md's tables and plots anew from the kept results
#	make bench-switch	what a switch costs, as a table; KERNEL=6.12, CPU=MODEL, SMP="1 2"
#	make bench-check	the same counts on one CPU against the recorded ones, with a verdict
#	make bench-steps	where the instructions of a switch go, by function
#	make bench-ring1	what ring 1 costs: native, trapping, patched; and its budgets
#	make soak TIME=600	everything at once for that many seconds, on SMP=2 CPUs, KERNEL=6.1; MACHINE
#				and CPU as for make run
#	make tools		build/tools/mercury, the command
#	make install		module, command and library; DESTDIR, PREFIX (/usr/local), KDIR
#	make uninstall		all that is gone again, the module for every kernel; DESTDIR, PREFIX
#	make deb		Debian packages, in build/deb; make test-deb installs and removes them
#	make format		lay out all C as .clang-format says
#	make transcript		make run, and its output into README.md
#	make feature-table	docs/features.md from arch/x86/vmx/feature.h

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -o pipefail -c
ifneq ($(words $(CURDIR)),1)
$(error the path '$(CURDIR)' has white space in it, which the kernel's build does not take; move it)
endif
.SECONDARY:

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo "  $(1)")

B := build
VERSION := $(shell cat VERSION)
KDIR ?= /lib/modules/$(shell uname -r)/build
# Asked only where it is needed: `make unit` works without any kernel.
KRELEASE = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' '$(KDIR)/include/generated/utsrelease.h' 2>/dev/null)

.PHONY: all image module tools install install-module install-source uninstall \
	deb install-deps run test test-long test-deb test-crash bench bench-docs bench-switch bench-check \
	bench-steps bench-ring1 soak \
	unit lint format feature-table transcript clean

all: module

# --- The image: freestanding, no SSE, no red zone, position as linked --------------------------------

IMAGE_CFLAGS := -std=gnu11 -O2 -ffreestanding -fno-builtin-printf -mno-red-zone -mgeneral-regs-only \
	-fpie -fno-stack-protector -fcf-protection=branch -fno-jump-tables \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-Wall -Wextra -Werror -Wstrict-prototypes -Wframe-larger-than=1024 \
	-Iinclude -Iarch/x86 -include include/mercury/hidden.h

IMAGE_C := $(wildcard src/*.c) $(filter-out arch/x86/constants.c,$(wildcard arch/x86/*.c)) \
	$(wildcard arch/x86/native/*.c arch/x86/vmx/*.c arch/x86/ring1/*.c)
IMAGE_ASM := $(wildcard arch/x86/*.asm arch/x86/ring1/*.asm)
# Every privileged instruction is a function, so that a test can link a port of its own before them.
PORT ?=
include $(PORT)

IMAGE_O := $(IMAGE_C:%.c=$B/image/%.o) $(IMAGE_ASM:%.asm=$B/image/%.asm.o)
HEADERS := $(wildcard include/*/*.h arch/x86/*.h arch/x86/*/*.h)

image: $B/mercury.img

$B/constants: arch/x86/constants.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(call say,HOSTCC  $@)
	$(Q)$(CC) -std=gnu11 -Wall -Wextra -Werror -Iinclude -Iarch/x86 -o $@ $<

$B/image/constants.inc: $B/constants
	@mkdir -p $(@D)
	$(Q)./$< > $@

$B/image/%.o: %.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(call say,CC      $@)
	$(Q)$(CC) $(IMAGE_CFLAGS) -c -o $@ $<

$B/image/%.asm.o: %.asm $B/image/constants.inc arch/x86/port.inc Makefile
	@mkdir -p $(@D)
	$(call say,NASM    $@)
	$(Q)nasm -Werror $(NASMFLAGS) -I$B/image/ -Iarch/x86/ -felf64 -o $@ $<

# --fatal-warnings and -z defs: no undefined symbol; a static link leaves no relocation.
$B/%.elf: $(IMAGE_O) arch/x86/image.ld
	$(call say,LD      $@)
	$(Q)$(LD) -static -nostdlib -z defs -z noexecstack --fatal-warnings --build-id=none \
		-T arch/x86/image.ld $(IMAGE_LDFLAGS) -o $@ $(filter %.o,$^)

# The CRC of all that follows the field itself is what gzip puts before the length. Whole or not at
# all: another make may be embedding it.
$B/%.img: $B/%.elf
	$(call say,IMAGE   $@)
	$(Q)objcopy -O binary $< $@.new
	$(Q)tail -c +17 $@.new | gzip -c1 | tail -c8 | head -c4 | \
		dd of=$@.new bs=1 seek=12 conv=notrunc status=none
	$(Q)mv $@.new $@

# --- The module, built in a directory of its own for each kernel -------------------------------------

module: $B/mercury.img
	@test -e '$(KDIR)/include/generated/utsrelease.h' || { \
		echo "no kernel build directory at $(KDIR): install linux-headers-$$(uname -r)," \
		     "or name one with KDIR=" >&2; exit 1; }
	@mkdir -p '$B/$(KRELEASE)/compat'
	@cp -u module/Kbuild module/*.[chS] '$B/$(KRELEASE)/'
	@cp -u module/compat/* '$B/$(KRELEASE)/compat/'
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)/$B/$(KRELEASE)' MERCURY='$(CURDIR)' \
		MERCURY_IMAGE='$(CURDIR)/$B/mercury.img' CONFIG_DEBUG_INFO_BTF_MODULES= modules

tools:
	$(Q)$(MAKE) -s -C tools

# --- Installing --------------------------------------------------------------------------------------

DESTDIR ?=
PREFIX ?= /usr/local
MODULES = $(DESTDIR)/lib/modules/$(KRELEASE)

install:
	$(Q)$(MAKE) -s -C tools may-install
	$(Q)$(MAKE) --no-print-directory install-module
	$(Q)$(MAKE) -s -C tools install
	$(if $(DESTDIR),,/etc/kernel/postinst.d/mercury-sites $(KRELEASE))

# depmod is for the machine itself; whoever packs the files runs it where they are unpacked.
install-module: module
	install -D -m 644 $B/$(KRELEASE)/mercury-vmx.ko '$(MODULES)/updates/mercury-vmx.ko'
	$(if $(DESTDIR),,depmod $(KRELEASE))

uninstall:
	$(Q)$(MAKE) -s -C tools uninstall
	for module in '$(DESTDIR)'/lib/modules/*/updates/mercury-vmx.ko; do \
		[[ -e $$module ]] || continue; \
		release=$${module%/updates/*} && rm "$$module" && \
			rmdir --ignore-fail-on-non-empty "$${module%/*}" && \
			{ [[ -n '$(DESTDIR)' ]] || depmod "$${release##*/}"; } || exit 1; \
	done

# What DKMS builds the module from, on the user's machine.
SOURCE = $(DESTDIR)$(PREFIX)/src/mercury-$(VERSION)
kernels = $(shell sed -n 's/^mercury-kernels := //p' module/compat/Makefile.compat)

install-source:
	install -d '$(SOURCE)'
	find Makefile VERSION src arch include module -type f ! -name '.*' ! -name README | \
		xargs -I{} install -D -m 644 {} '$(SOURCE)/{}'
	sed -e 's/@VERSION@/$(VERSION)/' \
		-e 's/@KERNELS@/$(subst .,\\.,$(subst $() ,|,$(kernels)))/' \
		module/dkms.conf > '$(SOURCE)/dkms.conf'
	chmod 644 '$(SOURCE)/dkms.conf'

# From a copy: packaging leaves files all over the tree.
deb:
	$(Q)debian/build

# --- Trying and testing ------------------------------------------------------------------------------

RUN_KERNEL ?= 6.1
RUN_SMP ?= 2
MACHINE ?= bochs
# By default that of tests/vm/run; that of QEMU has 5-level paging, which ring 1 refuses.
CPU ?=
RUN_CPU = $(or $(CPU),$(RUN_CPU_$(MACHINE)))
RUN_CPU_qemu := max,-la57

install-deps:
	$(Q)tests/vm/deps

run:
	$(Q)tests/vm/deps --run
	$(Q)$(MAKE) -s -C tests/vm/guest
	$(Q)MERCURY_PROGRESS=1 tests/vm/run --machine $(MACHINE) $(addprefix --cpu ,$(RUN_CPU)) \
		--kernel $(RUN_KERNEL) --smp $(RUN_SMP) \
		$(addprefix --add build/guest/,workload hv storm) \
		--add tests/vm/guest/lib.sh --add tests/vm/guest/demo.sh -- sh /root/demo.sh

# The kept output is a whole one of a run that succeeded.
transcript:
	$(Q)$(MAKE) -s run 2>&1 | docs/transcript --keep
	$(Q)docs/generate

test: install-deps
	$(Q)MACHINE=$(MACHINE) tests/run

test-long: install-deps
	$(Q)MACHINE=$(MACHINE) tests/run --long

test-deb: install-deps
	$(Q)tests/deb/packages.test
	$(Q)tests/deb/install.test
	$(Q)tests/deb/ansible.test

test-crash: install-deps
	$(Q)tests/vm/crash

BENCH_host := host
bench: install-deps
	$(Q)tests/bench/$(or $(BENCH_$(MACHINE)),emulator)

bench-docs: install-deps
	$(Q)tests/bench/document

bench-switch: install-deps
	$(Q)tests/bench/switch

bench-check: install-deps
	$(Q)tests/bench/check

bench-steps: install-deps
	$(Q)tests/bench/steps

bench-ring1: install-deps
	$(Q)tests/bench/ring1

TIME ?= 600
SMP ?= 2
KERNEL ?= 6.1

soak: install-deps
	$(Q)tests/vm/soak $(TIME) $(SMP) $(KERNEL) --machine $(MACHINE) $(addprefix --cpu ,$(RUN_CPU))

unit:
	$(Q)$(MAKE) -s -C tests/unit

lint: image
	$(Q)tests/lint/run

# As tests/lint/format.sh wants it; other versions of clang-format break other lines.
format:
	$(Q)git ls-files -co --exclude-standard '*.[ch]' | xargs clang-format-14 -i

# The unit test that compares the file with the table, told to write it.
feature-table:
	$(Q)MERCURY_WRITE_FEATURES=1 $(MAKE) -s -C tests/unit T=the_document_is_the_table

clean:
	rm -rf $B
