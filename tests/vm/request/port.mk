# SPDX-License-Identifier: GPL-2.0-only
# The image that fails on request: make PORT=tests/vm/request/port.mk B=build/with-request image

IMAGE_ASM += tests/vm/request/request.asm
IMAGE_LDFLAGS += --wrap=insn_cpuid --wrap=insn_str --wrap=insn_ltr --wrap=insn_vmread \
	--wrap=insn_rdmsr_safe --wrap=insn_in --wrap=insn_sldt --wrap=pool_lend \
	--wrap=snapshot_stop
