# SPDX-License-Identifier: GPL-2.0-only
# The image with the test port: make PORT=tests/vm/port/port.mk B=build/with-port image

port := tests/vm/port
port-made := $B/image/port

IMAGE_C += $(port)/port.c
IMAGE_ASM += $(port)/port.asm

# The APIC's page, and its register, in the window: no page of it lies there (include/abi/mercury.h).
IMAGE_LDFLAGS += @$(port-made)/wrap.args --defsym=port_apic=0xfffffe80003ff000 \
	--defsym=port_apic_icr=0xfffffe80003ff300

$B/image/$(port)/port.o: IMAGE_CFLAGS += -I$(port-made)
$B/image/$(port)/port.o: $(port-made)/operations.h $(port)/port.h
$B/image/$(port)/port.asm.o $B/image/arch/x86/entry.asm.o: $(port-made)/operations.inc $(port)/point.inc
$B/image/$(port)/port.asm.o $B/image/arch/x86/entry.asm.o: NASMFLAGS += -I$(port-made)/ -I$(port)/
$B/image/arch/x86/entry.asm.o: NASMFLAGS += -P$(port)/entry.inc
$B/image/arch/x86/entry.asm.o: $(port)/entry.inc
$B/mercury.elf: $(port-made)/wrap.args

$(port-made)/operations.h: port-form := c
$(port-made)/operations.inc: port-form := nasm
$(port-made)/wrap.args: port-form := ld
$(port-made)/operations.h $(port-made)/operations.inc $(port-made)/wrap.args: arch/x86/insn.h \
		$(port)/generate
	@mkdir -p $(@D)
	$(Q)$(port)/generate $(port-form) < $< > $@
