// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM entry's checks in software: a state of Linux's that passes, then each rule of the manual
 * broken alone, the rule above its case. Section numbers are those of the SDM, vol. 3.
 */
#include "unit.h"

#include "cpu.h"
#include "vmx/audit.h"
#include "x86/cr.h"
#include "x86/vmx.h"

#define MAXPHYADDR 39
#define UNUSABLE 0x10000u
#define BIT(n) (UINT64_C(1) << (n))
#define NON_CANONICAL UINT64_C(0x0000800000000000)

static const struct vmx_capability capability = {
	.cr0_fixed0 = 0x80000021,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000,
	.cr4_fixed1 = 0x3727ff,
};

/* What Linux 6.1 has at the gate, on a CPU that these capabilities are of. */
static struct state linux_state(void)
{
	const struct segment null = { .ar = UNUSABLE };

	return (struct state){
		.rip = 0xffffffffc0a01234,
		.rflags = 0x46,
		.cr0 = 0x80050033,
		.cr3 = 0x1074e8001,
		.cr4 = 0x1706f0,
		.dr7 = 0x400,
		.sysenter_cs = 0x10,
		.sysenter_esp = 0xfffffe0000003000,
		.sysenter_eip = 0xffffffff81c01650,
		.es = null,
		.ds = null,
		.cs = { 0x10, 0xa09b, 0xffffffff, 0 },
		.ss = { 0x18, 0xc093, 0xffffffff, 0 },
		.fs = { 0, UNUSABLE, 0, 0x7f0123456780 },
		.gs = { 0, UNUSABLE, 0, 0xffff88817bc00000 },
		.ldtr = null,
		.tr = { 0x40, 0x8b, 0x4087, 0xfffffe0000005000 },
		.gdtr = { 0x7f, 0xfffffe0000001000 },
		.idtr = { 0xfff, 0xfffffe0000000000 },
		.activity = VMX_ACTIVITY_ACTIVE,
	};
}

/* A register with what user space leaves in it, and an LDT, where a case is about those. */
static const struct segment user_data = { 0x2b, 0xc0f3, 0xffffffff, 0 };
static const struct segment ldt = { 0x50, 0x82, 0x1fff, 0xffff888100001000 };

/* What the cases below break: Linux's state, or the same with four usable data segments. */
static struct state good;

static int from_linux_state(void **state)
{
	(void)state;
	good = linux_state();
	return 0;
}

static int with_user_segments(void **state)
{
	from_linux_state(state);
	good.ds = good.es = good.fs = good.gs = user_data;
	return 0;
}

static void expect(const struct state *s, const char *word, const char *change)
{
	const char *problem = vmx_audit(s, &capability, MAXPHYADDR);

	if (!word && problem)
		fail_msg("%s: refused: %s", change, problem);
	if (word && (!problem || !strstr(problem, word)))
		fail_msg("%s: expected a sentence with '%s', got '%s'", change, word,
			 problem ? problem : "(accepted)");
}

/* The good state after some statements on `s`: accepted, or refused by a sentence with `word`. */
#define FINE(...)                                                                                  \
	do {                                                                                       \
		struct state s = good;                                                             \
		__VA_ARGS__;                                                                       \
		expect(&s, NULL, #__VA_ARGS__);                                                    \
	} while (0)
#define BROKEN(word, ...)                                                                          \
	do {                                                                                       \
		struct state s = good;                                                             \
		__VA_ARGS__;                                                                       \
		expect(&s, word, #__VA_ARGS__);                                                    \
	} while (0)

static void good_states(void **state)
{
	(void)state;
	FINE();
	FINE(s.es = s.ds = s.fs = s.gs = user_data);
	FINE(s.ldtr = ldt);
	/* A null SS is what 64-bit mode leaves after an interrupt from outer levels. */
	FINE(s.ss = (struct segment){ .ar = UNUSABLE });
}

/* --- 27.3.1.1, Checks on Guest Control Registers, Debug Registers, and MSRs ------------------- */

static void control_registers(void **state)
{
	unsigned int bit;

	(void)state;
	/* "The CR0 field must not set any bit to a value not supported in VMX operation" (24.8) */
	BROKEN("CR0", s.cr0 &= ~(uint64_t)CR0_NE);
	BROKEN("CR0", s.cr0 |= BIT(32));
	/* "If bit 31 in the CR0 field (PG) is 1, bit 0 (PE) must also be 1"; both are fixed to 1 */
	BROKEN("CR0", s.cr0 &= ~(uint64_t)CR0_PE);
	BROKEN("CR0", s.cr0 &= ~(uint64_t)CR0_PG);
	/* CR0.CD and NW are never checked nor loaded */
	FINE(s.cr0 |= CR0_CD | CR0_NW);
	/* "The CR4 field must not set any bit to a value not supported"; VMXE is set by us */
	BROKEN("CR4", s.cr4 |= CR4_LA57);
	BROKEN("CR4", s.cr4 |= BIT(63));
	FINE(s.cr4 |= CR4_VMXE);
	/* "If IA-32e mode guest is 1, bit 31 in CR0 (PG) and bit 5 in CR4 (PAE) must each be 1" */
	BROKEN("PAE", s.cr4 &= ~(uint64_t)CR4_PAE);
	/* "The CR3 field must be such that bits 63:52 and bits 51:32 beyond the width are 0" */
	for (bit = MAXPHYADDR; bit < 64; bit++)
		if (bit != 61 && bit != 62)
			BROKEN("CR3", s.cr3 |= BIT(bit));
	/* LAM: "CR3.LAM_U48 and LAM_U57", reserved only where the CPU lacks them */
	FINE(s.cr3 |= BIT(61));
	FINE(s.cr3 |= BIT(62));
	for (bit = 0; bit < MAXPHYADDR; bit++)
		FINE(s.cr3 |= BIT(bit));
}

/* CR0.PG and PE again, where a CPU with unrestricted guests would not fix them. */
static void paging_and_protection_are_required_anyway(void **state)
{
	static const uint64_t bits[] = { CR0_PE, CR0_PG };
	struct vmx_capability free = capability;
	unsigned int i;

	(void)state;
	free.cr0_fixed0 = 0;
	for (i = 0; i < 2; i++) {
		struct state s = linux_state();

		s.cr0 &= ~bits[i];
		assert_non_null(vmx_audit(&s, &free, MAXPHYADDR));
	}
}

static void debug_registers_and_msrs(void **state)
{
	unsigned int bit;

	(void)state;
	/* "If load debug controls is 1, bits 63:32 in the DR7 field must be 0" */
	for (bit = 32; bit < 64; bit++)
		BROKEN("DR7", s.dr7 |= BIT(bit));
	/* "... bits reserved in the IA32_DEBUGCTL MSR must be 0": 5:3 and 63:16 on every CPU */
	for (bit = 3; bit < 64; bit = bit == 5 ? 16 : bit + 1)
		BROKEN("DEBUGCTL", s.debugctl |= BIT(bit));
	FINE(s.debugctl = DEBUGCTL_LBR | DEBUGCTL_BTF | DEBUGCTL_FREEZE_LBRS_ON_PMI |
			  DEBUGCTL_FREEZE_PERFMON_ON_PMI | DEBUGCTL_FREEZE_WHILE_SMM);
	/*
	 * "The IA32_SYSENTER_ESP field and the IA32_SYSENTER_EIP field must each contain a
	 * canonical"
	 */
	BROKEN("SYSENTER", s.sysenter_esp = NON_CANONICAL);
	BROKEN("SYSENTER", s.sysenter_eip = NON_CANONICAL);
	/* 25.4.1, Guest Register State: IA32_SYSENTER_CS is a field of 32 bits */
	BROKEN("SYSENTER_CS", s.sysenter_cs = BIT(32));
	FINE(s.sysenter_cs = BIT(32) - 1);
}

/* --- 27.3.1.2, Checks on Guest Segment Registers ---------------------------------------------- */

/* The words of bits 15, 11:8 and 31:17, limit and so on are the same for each usable register. */
#define USABLE(reg)                                                                                \
	do {                                                                                       \
		/* "P (bit 7). If the register is usable, P must be 1" */                          \
		BROKEN("present", s.reg.ar &= ~SEGMENT_AR_P);                                      \
		/* "Bits 11:8 (reserved) must all be 0", "Bits 31:17 (reserved)" as well */        \
		for (bit = 8; bit < 12; bit++)                                                     \
			BROKEN("reserved", s.reg.ar |= 1u << bit);                                 \
		for (bit = 17; bit < 32; bit++)                                                    \
			BROKEN("reserved", s.reg.ar |= 1u << bit);                                 \
		/* "If any bit in the limit field in the range 11:0 is 0, G must be 0" */          \
		BROKEN("granularity", s.reg.limit = 0xfffffffe);                                   \
		BROKEN("granularity", s.reg.limit = 0xfff00000);                                   \
		/* "If any bit in the limit field in the range 31:20 is 1, G must be 1" */         \
		BROKEN("granularity", s.reg.ar &= ~SEGMENT_AR_G);                                  \
		BROKEN("granularity", s.reg.ar &= ~SEGMENT_AR_G, s.reg.limit = 0x100000);          \
		FINE(s.reg.ar &= ~SEGMENT_AR_G, s.reg.limit = 0xffffe);                            \
	} while (0)

static void code_segment(void **state)
{
	unsigned int bit, type;

	(void)state;
	/* 25.4.1: CS is used by every instruction; the checks on it hold whether usable or not */
	BROKEN("CS", s.cs.ar |= UNUSABLE);
	/* "Type: CS must be 9, 11, 13, or 15"; the last two are conforming, never the kernel's */
	for (type = 0; type < 16; type++)
		if (type != 9 && type != 11)
			BROKEN("CS", s.cs.ar = (s.cs.ar & ~0xfu) | type);
	FINE(s.cs.ar = (s.cs.ar & ~0xfu) | 9);
	/* "S (bit 4): 1 for CS" */
	BROKEN("code or data", s.cs.ar &= ~SEGMENT_AR_S);
	/* "DPL: if the Type is 9 or 11, the DPL must equal the DPL of SS", which is the CPL */
	BROKEN("CS", s.cs.ar |= 1 << 5);
	BROKEN("CS", s.cs.ar |= 3 << 5);
	/* "D/B: for CS, must be 0 if the guest will be IA-32e mode and L is 1" */
	BROKEN("CS", s.cs.ar |= SEGMENT_AR_DB);
	/* Linux's kernel runs in 64-bit mode at CPL 0: else this is not the kernel's CS */
	BROKEN("CS", s.cs.ar &= ~SEGMENT_AR_L);
	BROKEN("CS", s.cs.selector |= 3);
	USABLE(cs);
}

/* "Address. CS: bits 63:32 of the address must be zero" */
static void code_segment_base(void **state)
{
	(void)state;
	BROKEN("base", s.cs.base = BIT(32));
	BROKEN("base", s.cs.base = BIT(63));
}

static void stack_segment(void **state)
{
	unsigned int bit, type;

	(void)state;
	/* "SS: the RPL (bits 1:0) must equal the RPL of the selector field for CS" */
	BROKEN("RPL", s.ss.selector |= 3);
	/* "Type: SS: if usable, 3 or 7 (read/write, accessed)" */
	for (type = 0; type < 16; type++)
		if (type != 3 && type != 7)
			BROKEN("SS", s.ss.ar = (s.ss.ar & ~0xfu) | type);
	FINE(s.ss.ar = (s.ss.ar & ~0xfu) | 7);
	/* "DPL: SS: must equal the RPL from the selector field" */
	BROKEN("SS", s.ss.ar |= 3 << 5);
	/* "Address. SS, DS, ES: if usable, bits 63:32 of the address must be zero" */
	BROKEN("SS", s.ss.base = BIT(32));
	BROKEN("code or data", s.ss.ar &= ~SEGMENT_AR_S);
	USABLE(ss);
}

/* The rule on SS's DPL has no "if usable": it is the CPL, 25.4.1, Guest Register State. */
static void unusable_stack_segment(void **state)
{
	(void)state;
	BROKEN("SS", s.ss = (struct segment){ .ar = UNUSABLE | 3 << 5 });
}

#define DATA(reg)                                                                                  \
	do {                                                                                       \
		/* "Type: bit 0 must be 1 (accessed)" */                                           \
		BROKEN("accessed", s.reg.ar &= ~1u);                                               \
		/* "If bit 3 is 1 (code segment), then bit 1 must be 1 (readable)" */              \
		BROKEN("readable", s.reg.ar = (s.reg.ar & ~0xfu) | 9);                             \
		FINE(s.reg.ar = (s.reg.ar & ~0xfu) | 11);                                          \
		/* Read-only data is no code */                                                    \
		FINE(s.reg.ar = (s.reg.ar & ~0xfu) | 1);                                           \
		/* "DPL cannot be less than the RPL if Type is 0 to 11"; conforming code may */    \
		BROKEN("DPL", s.reg.ar = 0xc093);                                                  \
		BROKEN("DPL", s.reg.ar = 0xc0d3);                                                  \
		FINE(s.reg.ar = 0xc09f);                                                           \
		FINE(s.reg.ar = 0xc0f3, s.reg.selector &= ~3);                                     \
		BROKEN("code or data", s.reg.ar &= ~SEGMENT_AR_S);                                 \
		USABLE(reg);                                                                       \
	} while (0)

static void data_segments(void **state)
{
	unsigned int bit;

	(void)state;
	DATA(ds);
	DATA(es);
	DATA(fs);
	DATA(gs);
	/* "Address. DS, ES: if usable, bits 63:32 must be zero; FS, GS: canonical" */
	BROKEN("base", s.ds.base = BIT(32));
	BROKEN("base", s.es.base = BIT(32));
	BROKEN("base", s.fs.base = NON_CANONICAL);
	BROKEN("base", s.gs.base = NON_CANONICAL);
	FINE(s.fs.base = 0x7fffffffffff, s.gs.base = 0xffff800000000000);
}

static void unusable_data_segments(void **state)
{
	(void)state;
	/*
	 * "FS, GS: the address must be canonical", usable or not: the base is Linux's per-CPU one
	 */
	BROKEN("base", s.fs.base = NON_CANONICAL);
	BROKEN("base", s.gs.base = NON_CANONICAL);
	/* The other rules are for usable registers */
	FINE(s.ds.ar |= 0xf7f, s.ds.base = BIT(40), s.ds.limit = 0x12345, s.ds.selector = 3);
	FINE(s.gs.ar |= 0xf7f, s.gs.limit = 0x12345, s.gs.selector = 3);
}

static void task_register(void **state)
{
	unsigned int type;

	(void)state;
	/* "TR: the TI flag (bit 2) must be 0"; "Bit 16 (unusable). For TR, must be 0" */
	BROKEN("TR", s.tr.selector |= 4);
	BROKEN("TR", s.tr.ar |= UNUSABLE);
	/* "Type: if the guest will be IA-32e mode, 11 (64-bit busy TSS)" */
	for (type = 0; type < 16; type++)
		if (type != 11)
			BROKEN("TSS", s.tr.ar = (s.tr.ar & ~0xfu) | type);
	/* "P must be 1"; limit and G as for the others; "Address: TR: canonical" */
	BROKEN("TSS", s.tr.ar &= ~SEGMENT_AR_P);
	BROKEN("TR", s.tr.ar |= SEGMENT_AR_G);
	BROKEN("TR", s.tr.limit = 0x100fff);
	FINE(s.tr.ar |= SEGMENT_AR_G, s.tr.limit = 0x100fff);
	BROKEN("TR", s.tr.base = NON_CANONICAL);
}

/* "TR: S (bit 4) must be 0", "Bits 11:8 (reserved) must be 0", "Bits 31:17 (reserved)" */
static void task_register_reserved(void **state)
{
	unsigned int bit;

	(void)state;
	BROKEN("T", s.tr.ar |= SEGMENT_AR_S);
	for (bit = 8; bit < 32; bit = bit == 11 ? 17 : bit + 1)
		BROKEN("T", s.tr.ar |= 1u << bit);
}

static void local_descriptor_table(void **state)
{
	unsigned int type;

	(void)state;
	/* "LDTR: if usable, the TI flag must be 0", "Type must be 2 (LDT)", "P must be 1" */
	BROKEN("LDT", s.ldtr = ldt, s.ldtr.selector |= 4);
	for (type = 0; type < 16; type++)
		if (type != 2)
			BROKEN("LDT", s.ldtr = ldt, s.ldtr.ar = (s.ldtr.ar & ~0xfu) | type);
	BROKEN("LDT", s.ldtr = ldt, s.ldtr.ar &= ~SEGMENT_AR_P);
	/* "Address: LDTR: if usable, canonical"; limit and G */
	BROKEN("LDTR", s.ldtr = ldt, s.ldtr.base = NON_CANONICAL);
	BROKEN("LDTR", s.ldtr = ldt, s.ldtr.limit = 0x100fff);
	BROKEN("LDTR", s.ldtr = ldt, s.ldtr.ar |= SEGMENT_AR_G, s.ldtr.limit = 0xffe);
	FINE(s.ldtr.selector = 4, s.ldtr.base = NON_CANONICAL);
}

/* "LDTR: if usable, S must be 0", and the reserved bits as for TR */
static void local_descriptor_table_reserved(void **state)
{
	unsigned int bit;

	(void)state;
	BROKEN("LDT", s.ldtr = ldt, s.ldtr.ar |= SEGMENT_AR_S);
	for (bit = 8; bit < 32; bit = bit == 11 ? 17 : bit + 1)
		BROKEN("LDT", s.ldtr = ldt, s.ldtr.ar |= 1u << bit);
}

/* --- 27.3.1.3, Checks on Guest Descriptor-Table Registers; 27.3.1.4, RIP, RSP, and RFLAGS ----- */

static void descriptor_tables_rip_and_rflags(void **state)
{
	unsigned int bit;

	(void)state;
	/* "the base-address fields must contain canonical addresses" */
	BROKEN("GDTR", s.gdtr.base = NON_CANONICAL);
	BROKEN("IDTR", s.idtr.base = NON_CANONICAL);
	/* "RIP: bits 63:N must be identical if IA-32e mode guest and CS.L are 1" */
	BROKEN("RIP", s.rip = BIT(48));
	BROKEN("RIP", s.rip = ~BIT(63));
	/* "RFLAGS: reserved bits 63:22, bit 15, bit 5 and bit 3 must be 0, bit 1 must be 1" */
	for (bit = 22; bit < 64; bit++)
		BROKEN("RFLAGS", s.rflags |= BIT(bit));
	BROKEN("RFLAGS", s.rflags |= BIT(15));
	BROKEN("RFLAGS", s.rflags |= BIT(5));
	BROKEN("RFLAGS", s.rflags |= BIT(3));
	BROKEN("RFLAGS", s.rflags &= ~BIT(1));
	/* "The VM flag (bit 17) must be 0 if IA-32e mode guest is 1" */
	BROKEN("RFLAGS.VM", s.rflags |= BIT(17));
	FINE(s.rflags = 0x3f7fd7 & ~BIT(17));
}

/* --- 27.3.1.5, Checks on Guest Non-Register State --------------------------------------------- */

static void activity_and_interruptibility(void **state)
{
	unsigned int bit;

	(void)state;
	/* "The activity-state field must contain a value in the range 0-3"; ours runs */
	for (bit = 1; bit < 5; bit++)
		BROKEN("activity", s.activity = bit);
	/* "The reserved bits (31:5) must be 0"; SMI and enclave cannot be here */
	for (bit = 4; bit < 32; bit++)
		BROKEN("interruptibility", s.interruptibility = (uint32_t)BIT(bit));
	BROKEN("interruptibility", s.interruptibility = 1u << 2);
	FINE(s.interruptibility = 1u << 3);
	FINE(s.interruptibility = 1u << 1);
	/* "The field cannot indicate blocking by both STI and MOV SS" */
	BROKEN("exclude", s.interruptibility = 3, s.rflags |= RFLAGS_IF);
	/* "Bit 0 (blocking by STI) must be 0 if the IF flag (bit 9) is 0 in RFLAGS" */
	BROKEN("RFLAGS.IF", s.interruptibility = 1);
	FINE(s.interruptibility = 1, s.rflags |= RFLAGS_IF);
}

static void pending_debug_exceptions(void **state)
{
	unsigned int bit;

	(void)state;
	/* "Bits 10:4, bit 13, bit 15 and bits 63:17 must be 0"; 11 and 16 depend on the CPU */
	for (bit = 4; bit < 64; bit++)
		if (bit != 11 && bit != 12 && bit != 14 && bit != 16)
			BROKEN("pending debug", s.pending_debug = BIT(bit));
	FINE(s.pending_debug = BIT(0) | BIT(3) | BIT(12) | BIT(14));
}

/*
 * "If blocking by STI or by MOV SS: bit 14 (BS) must be 1 if the TF flag in RFLAGS is 1 and BTF in
 * IA32_DEBUGCTL is 0; it must be 0 if TF is 0 or BTF is 1"
 */
static void pending_single_step(void **state)
{
	(void)state;
	BROKEN("pending debug", s.interruptibility = 2, s.pending_debug = BIT(14));
	BROKEN("pending debug", s.interruptibility = 2, s.rflags |= RFLAGS_TF);
	BROKEN("pending debug", s.interruptibility = 2, s.rflags |= RFLAGS_TF, s.debugctl = 2,
	       s.pending_debug = BIT(14));
	FINE(s.interruptibility = 2, s.rflags |= RFLAGS_TF, s.pending_debug = BIT(14));
	FINE(s.interruptibility = 2, s.rflags |= RFLAGS_TF, s.debugctl = 2);
}

/* --- The way back ----------------------------------------------------------------------------- */

/* On the way to native CS is never reloaded: it must be the one that the VMM's own GDT has, too. */
static void selectors_of_the_vmm(void **state)
{
	(void)state;
	BROKEN("code selector", s.cs.selector = VMM_CS + 8);
	BROKEN("stack selector", s.ss.selector = VMM_DS + 8);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(good_states, from_linux_state),
	cmocka_unit_test_setup(control_registers, from_linux_state),
	cmocka_unit_test_setup(paging_and_protection_are_required_anyway, from_linux_state),
	cmocka_unit_test_setup(debug_registers_and_msrs, from_linux_state),
	cmocka_unit_test_setup(code_segment, from_linux_state),
	cmocka_unit_test_setup(code_segment_base, from_linux_state),
	cmocka_unit_test_setup(stack_segment, from_linux_state),
	cmocka_unit_test_setup(unusable_stack_segment, from_linux_state),
	cmocka_unit_test_setup(data_segments, with_user_segments),
	cmocka_unit_test_setup(unusable_data_segments, from_linux_state),
	cmocka_unit_test_setup(task_register, from_linux_state),
	cmocka_unit_test_setup(task_register_reserved, from_linux_state),
	cmocka_unit_test_setup(local_descriptor_table, from_linux_state),
	cmocka_unit_test_setup(local_descriptor_table_reserved, from_linux_state),
	cmocka_unit_test_setup(descriptor_tables_rip_and_rflags, from_linux_state),
	cmocka_unit_test_setup(activity_and_interruptibility, from_linux_state),
	cmocka_unit_test_setup(pending_debug_exceptions, from_linux_state),
	cmocka_unit_test_setup(pending_single_step, from_linux_state),
	cmocka_unit_test_setup(selectors_of_the_vmm, from_linux_state),
};

UNIT_MAIN(tests)
