// SPDX-License-Identifier: GPL-2.0-only
/* The three register sets held across interrupts and a system call, in assembly. */
#include "hold.h"

/* Assembly, laid out by hand to the end. */
/* clang-format off */

/* About 1 ms on a 50 MHz emulator, so that timer and switch interrupts land inside. */
#define SPIN "mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
#define SPIN_CALL_SPIN SPIN "syscall\n" SPIN

#define XMM_CLOBBERS \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define X87_CLOBBERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

#define CALL_OPERANDS(call) "D" ((call)->first), "S" ((call)->second), "d" ((call)->third)

void hold_x87(const void *in, void *out, unsigned short *control, const struct hold_call *call)
{
	register void *to asm("r12") = out;
	register unsigned short *word asm("r13") = control;
	unsigned short old;
	long result = call->number;

	asm volatile("fnstcw %0" : "=m" (old));
	asm volatile("fninit\n fldcw (%[word])\n"
		     "fldt 0x70(%[in])\n fldt 0x60(%[in])\n fldt 0x50(%[in])\n fldt 0x40(%[in])\n"
		     "fldt 0x30(%[in])\n fldt 0x20(%[in])\n fldt 0x10(%[in])\n fldt 0x00(%[in])\n"
		     SPIN_CALL_SPIN
		     "fnstcw (%[word])\n"
		     "fstpt 0x00(%[to])\n fstpt 0x10(%[to])\n fstpt 0x20(%[to])\n fstpt 0x30(%[to])\n"
		     "fstpt 0x40(%[to])\n fstpt 0x50(%[to])\n fstpt 0x60(%[to])\n fstpt 0x70(%[to])\n"
		     : "+a" (result)
		     : [in] "r" (in), [to] "r" (to), [word] "r" (word), CALL_OPERANDS(call)
		     : "rcx", "r11", "cc", "memory", X87_CLOBBERS);
	asm volatile("fldcw %0" : : "m" (old));
}

#define EACH_XMM(move) \
	move(0) move(1) move(2) move(3) move(4) move(5) move(6) move(7) \
	move(8) move(9) move(10) move(11) move(12) move(13) move(14) move(15)
#define LOAD_XMM(n) "movups 16*" #n "(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n) "movups %%xmm" #n ", 16*" #n "(%[to])\n"
#define LOAD_YMM(n) "vmovups 32*" #n "(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovups %%ymm" #n ", 32*" #n "(%[to])\n"

void hold_sse2(const void *in, void *out, unsigned int *control, const struct hold_call *call)
{
	register void *to asm("r12") = out;
	register unsigned int *word asm("r13") = control;
	unsigned int old;
	long result = call->number;

	asm volatile("stmxcsr %0" : "=m" (old));
	asm volatile("ldmxcsr (%[word])\n" EACH_XMM(LOAD_XMM)
		     SPIN_CALL_SPIN
		     EACH_XMM(STORE_XMM) "stmxcsr (%[word])\n"
		     : "+a" (result)
		     : [in] "r" (in), [to] "r" (to), [word] "r" (word), CALL_OPERANDS(call)
		     : "rcx", "r11", "cc", "memory", XMM_CLOBBERS);
	asm volatile("ldmxcsr %0" : : "m" (old));
}

void hold_avx(const void *in, void *out, const struct hold_call *call)
{
	register void *to asm("r12") = out;
	long result = call->number;

	asm volatile(EACH_XMM(LOAD_YMM)
		     SPIN_CALL_SPIN
		     EACH_XMM(STORE_YMM) "vzeroupper\n"
		     : "+a" (result)
		     : [in] "r" (in), [to] "r" (to), CALL_OPERANDS(call)
		     : "rcx", "r11", "cc", "memory", XMM_CLOBBERS);
}
