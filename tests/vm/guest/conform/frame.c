// SPDX-License-Identifier: GPL-2.0-only
/* Returns from a signal with each kind of frame that a program can make, good and bad. */
#define SUBJECT "frame"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conform.h"

#define LANDING UINT64_C(1) /* RIP stays where the landing is */

/* What the frame's registers become. Zero selectors stay as they are. */
struct change {
	const char *name;
	uint64_t rip, flags, rsp;
	unsigned int cs, ss;
	void (*fpu)(struct _fpstate *state);
	bool keep_flags;
};

static const struct change *change;
static const struct code *landing;

SNIPPET(64, NULL, landing, "pushf\n pop %rax\n and $0xffffffffffffcfff, %rax");
SNIPPET(32, NULL, landing_32, "pushf\n pop %eax\n and $0xffffcfff, %eax");

/* --- FPU state ------------------------------------------------------------------------------------ */

struct software_bytes { /* struct _fpx_sw_bytes */
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t xstate_size, padding[7];
};

static struct software_bytes *software(struct _fpstate *state)
{
	return (struct software_bytes *)((char *)state + 464);
}

static void bad_mxcsr(struct _fpstate *state)
{
	state->mxcsr = 0xffffffff;
}

static void unmasked_mxcsr(struct _fpstate *state)
{
	state->mxcsr = 0x1f80 & ~0x80;
}

static void bad_magic(struct _fpstate *state)
{
	software(state)->magic1 = 0;
}

static void bad_size(struct _fpstate *state)
{
	software(state)->extended_size = 0xffffffff;
}

static void bad_features(struct _fpstate *state)
{
	software(state)->features = ~UINT64_C(0);
}

static void bad_header(struct _fpstate *state)
{
	if (software(state)->magic1)
		memset((char *)state + 512, 0xff, 64);
}

static void bad_reserved(struct _fpstate *state)
{
	if (software(state)->magic1)
		memset((char *)state + 512 + 16, 0xff, 8);
}

static void other_mxcsr(struct _fpstate *state)
{
	state->mxcsr = 0x9fc0;
}

static void pending_x87(struct _fpstate *state)
{
	state->cwd = 0x300;
	state->swd = 0x8081;
}

/* --- The table ------------------------------------------------------------------------------------ */

static const struct change changes[] = {
	{ .name = "same", .rip = LANDING },
	{ .name = "rip_0", .rip = 0 },
	{ .name = "rip_2^47-4096", .rip = 0x7ffffffff000 },
	{ .name = "rip_2^47-1", .rip = 0x7fffffffffff },
	{ .name = "rip_2^47", .rip = 0x800000000000 },
	{ .name = "rip_2^63", .rip = 0x8000000000000000 },
	{ .name = "rip_hole", .rip = 0xffff000000000000 },
	{ .name = "rip_direct_map", .rip = 0xffff800000000000 },
	{ .name = "rip_kernel", .rip = 0xffffffff81000000 },
	{ .name = "rip_window", .rip = 0xfffffe8000000000 },
	{ .name = "rip_window_code", .rip = 0xfffffe8000001000 },
	{ .name = "rip_last", .rip = 0xffffffffffffffff },
	{ .name = "rsp_not_canonical", .rip = LANDING, .rsp = 0x8000000000000000 },
	{ .name = "rsp_kernel", .rip = LANDING, .rsp = 0xffffffff81000000 },
	{ .name = "rsp_window", .rip = LANDING, .rsp = 0xfffffe8000002000 },
	{ .name = "cs_null", .rip = LANDING, .cs = 3, .ss = USER_DS },
	{ .name = "cs_kernel", .rip = LANDING, .cs = 0x10, .ss = USER_DS },
	{ .name = "cs_kernel_rpl_3", .rip = LANDING, .cs = 0x13, .ss = USER_DS },
	{ .name = "cs_kernel_32", .rip = LANDING, .cs = 0x08, .ss = USER_DS },
	{ .name = "cs_ring_1", .rip = LANDING, .cs = 0x81, .ss = 0x89 },
	{ .name = "cs_ring_1_rpl_0", .rip = LANDING, .cs = 0x80, .ss = 0x88 },
	{ .name = "cs_ring_1_rpl_3", .rip = LANDING, .cs = 0x83, .ss = 0x8b },
	{ .name = "cs_88", .rip = LANDING, .cs = 0x88, .ss = USER_DS },
	{ .name = "cs_tss", .rip = LANDING, .cs = 0x43, .ss = USER_DS },
	{ .name = "cs_vmm_tss", .rip = LANDING, .cs = 0x93, .ss = USER_DS },
	{ .name = "cs_data", .rip = LANDING, .cs = USER_DS, .ss = USER_DS },
	{ .name = "cs_32_rpl_0", .rip = LANDING, .cs = 0x20, .ss = USER_DS },
	{ .name = "cs_64_rpl_1", .rip = LANDING, .cs = 0x31, .ss = 0x29 },
	{ .name = "cs_64_rpl_2", .rip = LANDING, .cs = 0x32, .ss = 0x2a },
	{ .name = "cs_cpu_number", .rip = LANDING, .cs = 0x7b, .ss = USER_DS },
	{ .name = "cs_beyond", .rip = LANDING, .cs = 0xfff3, .ss = USER_DS },
	{ .name = "cs_empty_ldt", .rip = LANDING, .cs = 0xf7, .ss = USER_DS },
	{ .name = "cs_32", .rip = LANDING, .cs = USER_CS_32, .ss = USER_DS },
	{ .name = "cs_ldt", .rip = LANDING, .cs = LDT(LDT_CODE), .ss = USER_DS },
	{ .name = "cs_ldt_absent", .rip = LANDING, .cs = LDT(LDT_ABSENT_CODE), .ss = USER_DS },
	{ .name = "cs_ldt_data", .rip = LANDING, .cs = LDT(LDT_DATA), .ss = USER_DS },
	{ .name = "cs_ldt_conforming", .rip = LANDING, .cs = LDT(LDT_CONFORMING), .ss = USER_DS },
	{ .name = "cs_ldt_execute_only",
	  .rip = LANDING,
	  .cs = LDT(LDT_EXECUTE_ONLY),
	  .ss = USER_DS },
	{ .name = "ss_null", .rip = LANDING, .cs = USER_CS, .ss = 3 },
	{ .name = "ss_kernel", .rip = LANDING, .cs = USER_CS, .ss = 0x18 },
	{ .name = "ss_kernel_rpl_3", .rip = LANDING, .cs = USER_CS, .ss = 0x1b },
	{ .name = "ss_ring_1", .rip = LANDING, .cs = USER_CS, .ss = 0x89 },
	{ .name = "ss_ring_1_rpl_3", .rip = LANDING, .cs = USER_CS, .ss = 0x8b },
	{ .name = "ss_code", .rip = LANDING, .cs = USER_CS, .ss = USER_CS },
	{ .name = "ss_rpl_0", .rip = LANDING, .cs = USER_CS, .ss = 0x28 },
	{ .name = "ss_beyond", .rip = LANDING, .cs = USER_CS, .ss = 0xfffb },
	{ .name = "ss_ldt", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_DATA) },
	{ .name = "ss_ldt_read_only", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_READ_ONLY) },
	{ .name = "ss_ldt_absent", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_ABSENT_DATA) },
	{ .name = "ss_ldt_16", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_DATA_16) },
	{ .name = "ss_ldt_expand_down", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_EXPAND_DOWN) },
	{ .name = "ss_ldt_code", .rip = LANDING, .cs = USER_CS, .ss = LDT(LDT_CODE) },
	{ .name = "flags_0", .rip = LANDING, .keep_flags = true },
	{ .name = "flags_all", .rip = LANDING, .flags = ~UINT64_C(0x100), .keep_flags = true },
	{ .name = "flags_reserved",
	  .rip = LANDING,
	  .flags = 0xffffffffffc08028,
	  .keep_flags = true },
	{ .name = "flags_tf", .rip = LANDING, .flags = 0x302, .keep_flags = true },
	{ .name = "flags_nt", .rip = LANDING, .flags = 0x4202, .keep_flags = true },
	{ .name = "flags_ac", .rip = LANDING, .flags = 0x40202, .keep_flags = true },
	{ .name = "flags_rf", .rip = LANDING, .flags = 0x10202, .keep_flags = true },
	{ .name = "flags_vm", .rip = LANDING, .flags = 0x20202, .keep_flags = true },
	{ .name = "flags_iopl", .rip = LANDING, .flags = 0x3202, .keep_flags = true },
	{ .name = "flags_id", .rip = LANDING, .flags = 0x200202, .keep_flags = true },
	{ .name = "flags_vif_vip", .rip = LANDING, .flags = 0x180202, .keep_flags = true },
	{ .name = "flags_df", .rip = LANDING, .flags = 0x602, .keep_flags = true },
	{ .name = "flags_no_if", .rip = LANDING, .flags = 2, .keep_flags = true },
	{ .name = "fpu_bad_mxcsr", .rip = LANDING, .fpu = bad_mxcsr },
	{ .name = "fpu_unmasked_mxcsr", .rip = LANDING, .fpu = unmasked_mxcsr },
	{ .name = "fpu_other_mxcsr", .rip = LANDING, .fpu = other_mxcsr },
	{ .name = "fpu_bad_magic", .rip = LANDING, .fpu = bad_magic },
	{ .name = "fpu_bad_size", .rip = LANDING, .fpu = bad_size },
	{ .name = "fpu_bad_features", .rip = LANDING, .fpu = bad_features },
	{ .name = "fpu_bad_header", .rip = LANDING, .fpu = bad_header },
	{ .name = "fpu_bad_reserved", .rip = LANDING, .fpu = bad_reserved },
	{ .name = "fpu_pending_x87", .rip = LANDING, .fpu = pending_x87 },
};

/* Gives the frame the registers that the landing begins with, and the change. */
static void on_usr1(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *r = u->uc_mcontext.gregs;
	const struct start *s = &conform_start;

	(void)number, (void)info;
	r[REG_RAX] = (greg_t)s->rax, r[REG_RBX] = (greg_t)s->rbx, r[REG_RCX] = (greg_t)s->rcx;
	r[REG_RDX] = (greg_t)s->rdx, r[REG_RSI] = (greg_t)s->rsi, r[REG_RDI] = (greg_t)s->rdi;
	r[REG_RBP] = (greg_t)s->rbp, r[REG_R8] = (greg_t)s->r8, r[REG_R9] = (greg_t)s->r9;
	r[REG_R10] = (greg_t)s->r10, r[REG_R11] = (greg_t)s->r11, r[REG_R12] = (greg_t)s->r12;
	r[REG_R13] = (greg_t)s->r13, r[REG_R14] = (greg_t)s->r14, r[REG_R15] = (greg_t)s->r15;
	r[REG_RSP] = (greg_t)(change->rsp ? change->rsp : s->rsp);
	r[REG_RIP] = (greg_t)(change->rip == LANDING ? s->rip : change->rip);
	r[REG_EFL] = (greg_t)(change->keep_flags ? change->flags : FLAGS_START);
	if (change->cs)
		r[REG_CSGSFS] = (greg_t)(change->cs | (uint64_t)change->ss << 48);
	if (change->fpu)
		change->fpu((struct _fpstate *)u->uc_mcontext.fpregs);
}

/* The signal comes while the landing has begun: from its setup, so that it knows where it is. */
static void be_signalled(void)
{
	struct sigaction usr1 = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };

	make_ldt();
	conform_start.rip = (uint64_t)landing->start;
	conform_start.cs = change->cs ? change->cs : USER_CS;
	conform_start.ss = change->ss ? change->ss : USER_DS;
	sigaction(SIGUSR1, &usr1, NULL);
	raise(SIGUSR1);
	out("the frame was not taken ");
	finish();
}

static void return_changed(const void *argument)
{
	static struct code here;

	change = argument;
	landing = change->cs == USER_CS_32 || (change->cs && change->cs & 4) ? &code_landing_32 :
									       &code_landing;
	here = *landing;
	observe_as(&here);
	here.setup = be_signalled;
	run_code(&here);
}

GROUP(changed)
{
	char name[80];

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		snprintf(name, sizeof(name), SUBJECT "/%s", changes[i].name);
		in_child(name, return_changed, &changes[i]);
	}
}

/* --- Frames that are not there ---------------------------------------------------------------------- */

CODE(no_frame, "mov $15, %eax\n syscall");
CODE(frame_unmapped, "xor %esp, %esp\n mov $15, %eax\n syscall");
CODE(frame_in_kernel, "mov $0xffffffff81000000, %rsp\n mov $15, %eax\n syscall");
CODE(frame_in_window, "mov $0xfffffe8000000000, %rsp\n mov $15, %eax\n syscall");
CODE(frame_not_canonical, "mov $1, %rsp\n shl $63, %rsp\n mov $15, %eax\n syscall");
CODE32(no_frame_32, "mov $119, %eax\n int $0x80");
CODE32(no_rt_frame_32, "mov $173, %eax\n int $0x80");
