// SPDX-License-Identifier: GPL-2.0-only
/* The hardware port over the simulated CPU: all but VMX. A fault nobody expects fails the test. */
#include "unit.h"

#include "fake.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/segment.h"

/* --- Model-specific registers ----------------------------------------------------------------- */

static uint64_t *find_msr(uint32_t number)
{
	unsigned int i;

	if (number == MSR_IA32_FS_BASE)
		return &fake.cpu.fs.base;
	if (number == MSR_IA32_GS_BASE)
		return &fake.cpu.gs.base;
	for (i = 0; i < FAKE_MSRS; i++)
		if (fake.msr[i].present && fake.msr[i].number == number)
			return &fake.msr[i].value;
	return NULL;
}

void fake_set_msr(uint32_t number, uint64_t value)
{
	uint64_t *msr = find_msr(number);
	unsigned int i;

	if (msr) {
		*msr = value;
		return;
	}
	for (i = 0; i < FAKE_MSRS && fake.msr[i].present; i++)
		;
	assert_true(i < FAKE_MSRS);
	fake.msr[i].number = number;
	fake.msr[i].value = value;
	fake.msr[i].present = true;
}

void fake_remove_msr(uint32_t number)
{
	unsigned int i;

	for (i = 0; i < FAKE_MSRS; i++)
		if (fake.msr[i].number == number)
			fake.msr[i].present = false;
}

uint64_t fake_get_msr(uint32_t number)
{
	uint64_t *msr = find_msr(number);

	if (!msr)
		fail_msg("#GP: RDMSR of %#x, which this CPU has not", number);
	return *msr;
}

uint64_t insn_rdmsr(uint32_t msr)
{
	uint64_t value = fake_get_msr(msr);

	fake_log(OP_RDMSR, msr, value, true);
	return value;
}

void insn_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t *m = find_msr(msr);

	if (!m)
		fail_msg("#GP: WRMSR of %#x, which this CPU has not", msr);
	*m = value;
	fake_log(OP_WRMSR, msr, value, true);
}

bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint64_t *m = find_msr(msr);

	if (m)
		*value = *m;
	fake_log(OP_RDMSR, msr, m ? *m : 0, m);
	return m;
}

bool insn_wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint64_t *m = fake.wrmsr_faults ? NULL : find_msr(msr);

	if (m)
		*m = value;
	fake_log(OP_WRMSR, msr, value, m);
	return m;
}

/* --- Control registers ------------------------------------------------------------------------ */

uint64_t insn_read_cr0(void)
{
	fake_log(OP_READ_CR, 0, fake.cpu.cr0, true);
	return fake.cpu.cr0;
}

/* The first thing that a handler of exceptions does: no place for another one. */
uint64_t insn_read_cr2(void)
{
	return fake.cr2;
}

uint64_t insn_read_cr3(void)
{
	fake_log(OP_READ_CR, 3, fake.cpu.cr3, true);
	return fake.cpu.cr3;
}

uint64_t insn_read_cr4(void)
{
	fake_log(OP_READ_CR, 4, fake.cpu.cr4, true);
	return fake.cpu.cr4;
}

uint64_t insn_read_dr6(void)
{
	fake_log(OP_READ_DR, 6, fake.dr6, true);
	return fake.dr6;
}

void insn_write_dr6(uint64_t value)
{
	fake.dr6 = value;
	fake_log(OP_WRITE_DR, 6, value, true);
}

uint64_t insn_read_dr7(void)
{
	fake_log(OP_READ_DR, 7, fake.cpu.dr7, true);
	return fake.cpu.dr7;
}

uint64_t insn_read_rflags(void)
{
	fake_log(OP_READ_RFLAGS, 0, fake.cpu.rflags, true);
	return fake.cpu.rflags;
}

void insn_write_cr0(uint64_t value)
{
	if (!(value & CR0_PE) || !(value & CR0_PG))
		fail_msg("#GP: MOV CR0 %#lx", value);
	fake.cpu.cr0 = value;
	fake_log(OP_CR0, value, 0, true);
}

/* SDM vol. 2, MOV - Move to/from Control Registers */
void insn_write_cr3(uint64_t value)
{
	if (value & CR3_NOFLUSH && !(fake.cpu.cr4 & CR4_PCIDE))
		fail_msg("#GP: bit 63 in MOV CR3 %#lx without CR4.PCIDE", value);
	tlb_mov_cr3(value);
	fake.cpu.cr3 = value & ~CR3_NOFLUSH;
	fake_log(OP_CR3, value, 0, true);
}

void insn_write_cr4(uint64_t value)
{
	uint64_t old = fake.cpu.cr4;

	if (!(old & CR4_PCIDE) && value & CR4_PCIDE && fake.cpu.cr3 & CR3_PCID)
		fail_msg("#GP: CR4.PCIDE set with CR3 %#lx", fake.cpu.cr3);
	if (!(value & CR4_VMXE) && fake.cpu.mode != FAKE_OFF)
		fail_msg("#GP: CR4.VMXE cleared in VMX operation");
	fake.cpu.cr4 = value;
	tlb_mov_cr4(old, value);
	fake_log(OP_CR4, value, old, true);
}

void insn_invlpg(uint64_t address)
{
	fake_log(OP_INVLPG, address, 0, true);
}

bool insn_xsetbv_safe(uint32_t index, uint64_t value)
{
	bool ok = index == 0 && value & XSTATE_X87 && !fake.xsetbv_faults;

	if (ok)
		fake.cpu.xcr0 = value;
	fake_log(OP_XSETBV, index, value, ok);
	return ok;
}

void insn_wbinvd(void)
{
	fake_log(OP_WBINVD, 0, 0, true);
}

static uint64_t tsc;

uint64_t insn_rdtsc(void)
{
	return ++tsc;
}

void insn_pause(void)
{
}

void insn_stop(void)
{
	fake_continue(FAKE_STOPPED);
}

void insn_shut_down(void)
{
	fake_continue(FAKE_SHUT_DOWN);
}

/* --- Descriptor tables and segments ----------------------------------------------------------- */

void insn_sgdt(struct descriptor_table_register *out)
{
	*out = fake.cpu.gdtr;
	fake_log(OP_SGDT, out->base, out->limit, true);
}

void insn_sidt(struct descriptor_table_register *out)
{
	*out = fake.cpu.idtr;
	fake_log(OP_SIDT, out->base, out->limit, true);
}

void insn_lgdt(const struct descriptor_table_register *table)
{
	fake.cpu.gdtr = *table;
	fake_log(OP_LGDT, table->base, table->limit, true);
}

void insn_lidt(const struct descriptor_table_register *table)
{
	fake.cpu.idtr = *table;
	fake_log(OP_LIDT, table->base, table->limit, true);
}

uint16_t insn_str(void)
{
	fake_log(OP_STR, fake.cpu.tr.selector, 0, true);
	return fake.cpu.tr.selector;
}

uint16_t insn_sldt(void)
{
	fake_log(OP_SLDT, fake.cpu.ldtr.selector, 0, true);
	return fake.cpu.ldtr.selector;
}

/* SDM vol. 2, LTR: wants an available TSS, and writes "busy" through GDTR. */
void insn_ltr(uint16_t selector)
{
	struct segment_descriptor *d = (void *)(fake.cpu.gdtr.base + (selector & SELECTOR_INDEX));

	if ((d->access & SEGMENT_AR_TYPE) != SEGMENT_TYPE_TSS_AVAILABLE)
		fail_msg("#GP: LTR of descriptor type %u", d->access & SEGMENT_AR_TYPE);
	if (fake.cpu.gdtr.base == (uint64_t)linux_at(LINUX_GDT))
		fail_msg("#PF: LTR writes to Linux's read-only mapping of its GDT");
	d->access |= SEGMENT_TYPE_TSS_BUSY;
	fake_load_system(&fake.cpu.tr, selector);
	fake_log(OP_LTR, selector, 0, true);
}

bool insn_lldt(uint16_t selector)
{
	bool ok = true;

	if (!(selector & ~SELECTOR_RPL))
		fake.cpu.ldtr = (struct segment){ selector, SEGMENT_AR_UNUSABLE, 0, 0 };
	else
		fake_load_system(&fake.cpu.ldtr, selector);
	fake_log(OP_LLDT, selector, 0, ok);
	return ok;
}

#define SEGMENT_PORT(reg)                                                                          \
	uint16_t insn_read_##reg(void)                                                             \
	{                                                                                          \
		fake_log(OP_READ_SEGMENT, fake.cpu.reg.selector, 0, true);                         \
		return fake.cpu.reg.selector;                                                      \
	}
#define SEGMENT_LOAD(reg)                                                                          \
	bool insn_load_##reg(uint16_t selector)                                                    \
	{                                                                                          \
		bool ok = fake_load_segment(&fake.cpu.reg, selector);                              \
                                                                                                   \
		fake_log(OP_LOAD_SEGMENT, selector, 0, ok);                                        \
		return ok;                                                                         \
	}

SEGMENT_PORT(es)
SEGMENT_PORT(cs)
SEGMENT_PORT(ss)
SEGMENT_PORT(ds)
SEGMENT_PORT(fs)
SEGMENT_PORT(gs)
SEGMENT_LOAD(es)
SEGMENT_LOAD(ss)
SEGMENT_LOAD(ds)
SEGMENT_LOAD(fs)
SEGMENT_LOAD(gs)
