// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts by instruction: INT n of every vector, INT3, INT1, INTO, BOUND, and undefined opcodes. */
#define SUBJECT "software"
#include <string.h>
#include <sys/mman.h>

#include "conform.h"

CODE(int3, "int3");
CODE(int3_long, ".byte 0xcd, 3");
CODE(int1, ".byte 0xf1");
CODE(int1_stepped, "pushf\n orl $0x100, (%rsp)\n popf\n .byte 0xf1\n nop");
CODE(into64, ".byte 0xce");
CODE(ud0, ".byte 0x0f, 0xff, 0xc0");
CODE(ud1, ".byte 0x0f, 0xb9, 0xc0");
CODE(ud2, "ud2");
CODE(lock_nop, ".byte 0xf0, 0x90");
CODE(push_es, ".byte 0x06");
CODE(far_jump_direct, ".byte 0xea, 0, 0, 0, 0, 0x33, 0");
CODE(int3_prefixed, ".byte 0x66, 0xcc");
CODE(int80_prefixed, "mov $24, %eax\n .byte 0x2e, 0xcd, 0x80\n xor %eax, %eax");

CODE32(int3_32, "int3");
CODE32(int4_32, "int $4");
CODE32(into_32, "mov $0x7fffffff, %eax\n add $1, %eax\n into");
CODE32(into_clear_32, "xor %eax, %eax\n into");
CODE32(bound_32, "movl $1, (%edi)\n movl $5, 4(%edi)\n mov $9, %eax\n bound %eax, (%edi)");
CODE32(bound_within_32, "movl $1, (%edi)\n movl $5, 4(%edi)\n mov $3, %eax\n bound %eax, (%edi)");
CODE32(int1_32, ".byte 0xf1");
CODE32(ud2_32, "ud2");
CODE32(aam_32, "mov $5, %eax\n aam $0");
CODE32(bound_memory_32, "xor %ecx, %ecx\n bound %eax, (%ecx)");

/* On a page of its own: INT n, and a way back. */
static void interrupts(const void *unused)
{
	unsigned char *code = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	uint64_t result;

	(void)unused;
	catch_signals();
	for (unsigned int vector = 0; vector < 256; vector++) {
		memcpy(code, (unsigned char[]){ 0xcd, (unsigned char)vector, 0xc3 }, 3);
		/* 24: getuid by INT 80h */
		TRY("call *%1",
		    : "=a"(result)
		    : "b"(code), "a"(24)
		    : "r8", "r9", "r10", "r11", "memory", "cc");
		out("int %#x ", vector);
		out_caught();
		out(" at %ld\n",
		    conform_caught.signal ? (long)(conform_caught.rip - (uint64_t)code) : 0);
	}
}

GROUP(interrupts)
{
	in_child(SUBJECT "/interrupts", interrupts, NULL);
}
