// SPDX-License-Identifier: GPL-2.0-only
/* The fake machine: memory, page tables, the Linux that runs on it, and its log. */
#define _GNU_SOURCE
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "fake.h"
#include "ring1_port.h"
#include "trap.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"

struct fake fake;

/* The VMM's variables, see the Makefile; absent if a test links nothing that has any. */
extern char __start_vmm_data[] __attribute__((weak)), __stop_vmm_data[] __attribute__((weak));
extern char __start_vmm_bss[] __attribute__((weak)), __stop_vmm_bss[] __attribute__((weak));

/* Past ASan, which guards the space between variables. */
__attribute__((no_sanitize("address"))) static void copy(char *to, const char *from, size_t n)
{
	while (n--)
		*to++ = *from++;
}

/* Put the variables in [start, stop) back to what they were at the first call. */
static void reset(char **saved, char *start, const char *stop)
{
	size_t size = (size_t)(stop - start);

	if (!size)
		return;
	if (!*saved) {
		*saved = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		assert_true(*saved != MAP_FAILED);
		copy(*saved, start, size);
	}
	copy(start, *saved, size);
}

static void reset_vmm_data(void)
{
	static char *data, *bss;

	reset(&data, __start_vmm_data, __stop_vmm_data);
	reset(&bss, __start_vmm_bss, __stop_vmm_bss);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void map_at(uint64_t address, size_t size, int protection, int flags, int fd)
{
	void *at = mmap((void *)address, size, protection, flags | MAP_FIXED, fd, 0);

	assert_ptr_equal(at, (void *)address);
}

static void map_memory(void)
{
	int fd = memfd_create("linux", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FAKE_LINUX_SIZE), 0);
	map_at(FAKE_WINDOW, MERCURY_WINDOW_SIZE, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	map_at(FAKE_LINUX, FAKE_LINUX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	map_at(FAKE_LINUX + LINUX_GDT_RW, MERCURY_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	       fd);
	assert_int_equal(mprotect((void *)FAKE_LINUX, MERCURY_PAGE_SIZE, PROT_READ), 0);
	close(fd);
}

void *linux_at(uint64_t offset)
{
	return (void *)(FAKE_LINUX + offset);
}

struct cpu *fake_vmm_cpu(void)
{
	return (struct cpu *)(FAKE_WINDOW + MERCURY_WINDOW_CPUS + MERCURY_CPU_DATA);
}

/* Table `n` of 1 GiB pages maps the 512 GiB around `address`; hang it into `root`. */
static void hang(uint64_t *root, unsigned int n, uint64_t address)
{
	uint64_t *pdpt = linux_at(FAKE_PDPTS + n * MERCURY_PAGE_SIZE);
	uint64_t start = address & ~(PML4E_BYTES - 1);
	unsigned int i;

	for (i = 0; i < PAGING_ENTRIES; i++)
		pdpt[i] = (start + i * PAGE_1G) | PAGING_P | PAGING_RW | PAGING_PS;
	root[paging_index(address, 4)] = (uint64_t)pdpt | PAGING_P | PAGING_RW;
}

static uint64_t *transition_root(void)
{
	return cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);
}

/* Linux maps Linux, the VMM its window and image, the transition root both. */
static void build_roots(void)
{
	const uint64_t image = (uint64_t)&mercury_boot;

	hang(linux_at(LINUX_ROOT), 0, FAKE_LINUX);
	hang(linux_at(VMM_ROOT), 1, FAKE_WINDOW);
	hang(linux_at(VMM_ROOT), 2, image);
	hang(transition_root(), 0, FAKE_LINUX);
	hang(transition_root(), 1, FAKE_WINDOW);
	hang(transition_root(), 2, image);
}

bool fake_mapped(uint64_t cr3, uint64_t address)
{
	const uint64_t *root = (const uint64_t *)(cr3 & CR3_ADDRESS);
	uint64_t entry = root[paging_index(address, 4)];

	if (!(entry & PAGING_P))
		return false;
	return ((const uint64_t *)(entry & PAGING_ADDRESS))[paging_index(address, 3)] & PAGING_P;
}

/* --- The log ---------------------------------------------------------------------------------- */

/*
 * "At every instruction boundary the loaded IDT, GDT, TSS and IST stacks are mapped by the loaded
 * CR3"
 */
static const char *unmapped(void)
{
	static const uint8_t anytime[] = { VECTOR_DB, VECTOR_NMI, VECTOR_DF, VECTOR_MC };
	const struct tss64 *tss = (const struct tss64 *)fake.cpu.tr.base;
	const struct idt_gate *idt = (const struct idt_gate *)fake.cpu.idtr.base;
	uint64_t cr3 = fake.cpu.cr3;
	unsigned int i;

	if (!fake_mapped(cr3, fake.cpu.idtr.base))
		return "the IDT";
	if (!fake_mapped(cr3, fake.cpu.gdtr.base))
		return "the GDT";
	if (!fake_mapped(cr3, fake.cpu.tr.base))
		return "the TSS";
	for (i = 0; i < sizeof(anytime); i++) {
		unsigned int ist = idt[anytime[i]].ist;

		if (ist && !fake_mapped(cr3, tss->ist[ist - 1] - 8))
			return "an IST stack";
	}
	return NULL;
}

void fake_linux_takes(uint32_t events)
{
	fake.linux_nmis += !!(events & PENDING_NMI);
	fake.linux_mcs += !!(events & PENDING_MC);
}

/* As trap_nmi and trap_mc of trap.asm, or as Linux's own handlers. */
static void take_event(void)
{
	bool guest = fake.cpu.mode == FAKE_GUEST;

	if (!guest && fake.cpu.idtr.base == idt_register.base)
		fake_vmm_cpu()->pending |= fake.event;
	else if (guest && fake.event == PENDING_NMI &&
		 fake_field(VMCS_PIN_BASED_CONTROLS) & VMX_PIN_NMI_EXITING)
		fake.nmi_exit = true;
	else
		fake_linux_takes(fake.event);
}

/* An exception that nobody expects, if the VMM is what takes it. */
static void take_fault(void)
{
	struct trap_frame frame = {
		.vector = VECTOR_GP,
		.rip = 0x1234,
		.rsp = (uint64_t)fake_vmm_cpu() - 0x100,
	};

	if (fake.cpu.mode == FAKE_GUEST || fake.cpu.idtr.base == (uint64_t)linux_at(LINUX_IDT))
		return;
	fake.faults--;
	fake.fault_at = fake.faults ? (int)fake.ops : FAKE_NEVER;
	if (fake.cpu.idtr.base == idt_register.base)
		trap_handle(&frame);
	else
		fake_ring1_fault(&frame);
	fail_msg("the VMM went on behind an exception");
}

void fake_log(enum fake_op_kind kind, uint64_t a, uint64_t b, bool ok)
{
	struct fake_op *op = &fake.log[fake.ops];

	assert_true(fake.ops < FAKE_LOG_SIZE);
	*op = (struct fake_op){ kind, a, b, ok, fake.cpu, unmapped() };
	if (fake.event_at == (int)fake.ops++)
		take_event();
	if (fake.fault_at != FAKE_NEVER && fake.fault_at < (int)fake.ops)
		take_fault();
}

_Noreturn void fake_continue(enum fake_outcome outcome)
{
	if (!fake.armed)
		fail_msg("the VMM gave the CPU away (outcome %d) where it should have returned",
			 outcome);
	fake.armed = false;
	longjmp(fake.jump, (int)outcome);
}

/* --- Linux ------------------------------------------------------------------------------------ */

/* As Linux's: see arch/x86/include/asm/segment.h for the indices. */
#define GDT_CODE UINT64_C(0x00af9b000000ffff)
#define GDT_DATA UINT64_C(0x00cf93000000ffff)
#define GDT_USER_DATA UINT64_C(0x00cff3000000ffff)
#define GDT_TSS 8
#define GDT_LDT 10
#define GDT_TLS 12
#define LINUX_GDT_ENTRIES 16
#define TSS_LIMIT UINT64_C(0x206f)

void linux_set_descriptor(unsigned int index, uint64_t low)
{
	((uint64_t *)linux_at(LINUX_GDT_RW))[index] = low;
}

static void set_system(unsigned int index, uint64_t base, uint64_t limit, uint64_t access)
{
	linux_set_descriptor(index, (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 |
					    (limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56);
	linux_set_descriptor(index + 1, base >> 32);
}

static void set_gate(struct idt_gate *gate, uint64_t handler)
{
	*gate = (struct idt_gate){
		.offset_15_0 = handler & 0xffff,
		.selector = 0x10,
		.access = SEGMENT_AR_P | SEGMENT_TYPE_INTERRUPT_GATE,
		.offset_31_16 = handler >> 16 & 0xffff,
		.offset_63_32 = handler >> 32,
	};
}

static void build_linux(void)
{
	struct tss64 *tss = linux_at(LINUX_TSS);
	struct idt_gate *idt = linux_at(LINUX_IDT);
	unsigned int i;

	linux_set_descriptor(2, GDT_CODE);
	linux_set_descriptor(3, GDT_DATA);
	linux_set_descriptor(5, GDT_USER_DATA);
	set_system(GDT_TSS, (uint64_t)tss, TSS_LIMIT, 0x8b);
	set_system(GDT_LDT, (uint64_t)linux_at(LINUX_LDT), 0x1f, 0x82);
	linux_set_descriptor(GDT_TLS, GDT_USER_DATA);
	*(uint64_t *)linux_at(LINUX_LDT + 8) = GDT_USER_DATA;
	for (i = 0; i < 256; i++)
		set_gate(&idt[i], (uint64_t)linux_at(LINUX_HANDLERS + 8 * i));
	tss->rsp[0] = (uint64_t)linux_at(LINUX_ENTRY_STACK);
	tss->ist[0] = (uint64_t)linux_at(LINUX_IST);
	tss->ist[1] = (uint64_t)linux_at(LINUX_IST);
	idt[VECTOR_DF].ist = 1;
	idt[VECTOR_NMI].ist = 2;
}

bool fake_load_segment(struct segment *segment, uint16_t selector)
{
	const struct segment *ldt = &fake.cpu.ldtr;
	uint64_t base = selector & SELECTOR_TI ? ldt->base : fake.cpu.gdtr.base, d;
	uint32_t limit = selector & SELECTOR_TI ? ldt->limit : fake.cpu.gdtr.limit;

	if (!(selector & ~SELECTOR_RPL)) {
		*segment = (struct segment){ selector, SEGMENT_AR_UNUSABLE, 0, 0 };
		return true;
	}
	if ((selector & SELECTOR_TI && ldt->ar & SEGMENT_AR_UNUSABLE) ||
	    (selector & SELECTOR_INDEX) + 7u > limit)
		return false;
	d = *(const uint64_t *)(base + (selector & SELECTOR_INDEX));
	if (!(d >> 40 & SEGMENT_AR_P) || !(d >> 40 & SEGMENT_AR_S))
		return false;
	*segment = (struct segment){ selector, (d >> 40 & 0xf0ff) | SEGMENT_TYPE_ACCESSED,
				     (d & 0xffff) | (d >> 48 & 0xf) << 16,
				     (d >> 16 & 0xffffff) | (d >> 56) << 24 };
	if (segment->ar & SEGMENT_AR_G)
		segment->limit = segment->limit << 12 | 0xfff;
	return true;
}

void fake_load_system(struct segment *segment, uint16_t selector)
{
	const uint64_t *d = (const uint64_t *)(fake.cpu.gdtr.base + (selector & SELECTOR_INDEX));

	assert_true((selector & SELECTOR_INDEX) + 15u <= fake.cpu.gdtr.limit);
	*segment = (struct segment){ selector, d[0] >> 40 & 0xf0ff,
				     (d[0] & 0xffff) | (d[0] >> 48 & 0xf) << 16,
				     (d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32 };
}

static void start_linux(bool pcide)
{
	struct fake_cpu *c = &fake.cpu;

	*c = (struct fake_cpu){
		.rip = (uint64_t)linux_at(LINUX_RETURN),
		.rflags = RFLAGS_FIXED1 | RFLAGS_ZF,
		.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG,
		.cr3 = (uint64_t)linux_at(LINUX_ROOT) | (pcide ? 5 : 0),
		.cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE |
		       CR4_SMEP | (pcide ? CR4_PCIDE : 0),
		.dr7 = 0x401,
		.xcr0 = 7,
		.gdtr = { 8 * LINUX_GDT_ENTRIES - 1, (uint64_t)linux_at(LINUX_GDT) },
		.idtr = { 0xfff, (uint64_t)linux_at(LINUX_IDT) },
		.current_vmcs = FAKE_NO_VMCS,
	};
	fake_load_system(&c->tr, 8 * GDT_TSS);
	c->ldtr = (struct segment){ 0, SEGMENT_AR_UNUSABLE, 0, 0 };
	fake_load_segment(&c->cs, 0x10);
	fake_load_segment(&c->ss, 0x18);
	fake_load_segment(&c->ds, 0);
	fake_load_segment(&c->es, 0);
	fake_load_segment(&c->fs, 0);
	fake_load_segment(&c->gs, 0);
	c->fs.base = 0x7f0012345000;
	c->gs.base = 0xffff888012340000;
	/* clang-format off */
	c->gpr = (struct regs){ .rax = 0xa0, .rcx = 0xc0, .rdx = 0xd0, .rbx = 0xb0,
				.rsp = (uint64_t)linux_at(LINUX_STACK), .rbp = 0xb9, .rsi = 0x51,
				.rdi = 0xd1, .r8 = 8, .r9 = 9, .r10 = 10, .r11 = 11, .r12 = 12,
				.r13 = 13, .r14 = 14, .r15 = 15 };
	/* clang-format on */
}

/* --- The machine ------------------------------------------------------------------------------ */

#define CONTROLS(required, allowed) ((uint64_t)(allowed) << 32 | (required))
#define EPT_VPID_CAP                                                                               \
	(VMX_CAP_EPT_WALK_4 | VMX_CAP_EPT_UC | VMX_CAP_EPT_WB | VMX_CAP_EPT_2M | VMX_CAP_EPT_1G |  \
	 VMX_CAP_INVEPT | VMX_CAP_INVEPT_ALL | VMX_CAP_INVVPID | VMX_CAP_INVVPID_ALL)

static void set_vmx_msrs(const struct fake_options *o)
{
	uint32_t secondary = (o->no_ept ? 0 : VMX_SECONDARY_ENABLE_EPT) |
			     (o->no_vpid ? 0 : VMX_SECONDARY_ENABLE_VPID) |
			     VMX_SECONDARY_ENABLE_RDTSCP | VMX_SECONDARY_ENABLE_INVPCID |
			     VMX_SECONDARY_ENABLE_XSAVES_XRSTORS;

	fake_set_msr(MSR_IA32_VMX_BASIC,
		     0x12 | UINT64_C(0x1000) << 32 | UINT64_C(6) << 50 | VMX_BASIC_TRUE_CONTROLS);
	fake_set_msr(MSR_IA32_VMX_TRUE_PINBASED_CTLS, CONTROLS(0x16, 0x7f));
	fake_set_msr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, CONTROLS(0x04006172, 0xfff9fffe));
	fake_set_msr(MSR_IA32_VMX_PROCBASED_CTLS2, CONTROLS(0, secondary));
	fake_set_msr(MSR_IA32_VMX_TRUE_EXIT_CTLS, CONTROLS(0x00036dfb, 0x007fffff));
	fake_set_msr(MSR_IA32_VMX_TRUE_ENTRY_CTLS, CONTROLS(0x000011fb, 0x0000ffff));
	fake_set_msr(MSR_IA32_VMX_MISC, 0);
	fake_set_msr(MSR_IA32_VMX_CR0_FIXED0, 0x80000021);
	fake_set_msr(MSR_IA32_VMX_CR0_FIXED1, 0xffffffff);
	fake_set_msr(MSR_IA32_VMX_CR4_FIXED0, CR4_VMXE);
	fake_set_msr(MSR_IA32_VMX_CR4_FIXED1, 0x3767ff);
	fake_set_msr(MSR_IA32_VMX_EPT_VPID_CAP, EPT_VPID_CAP);
	fake_set_msr(MSR_IA32_FEATURE_CONTROL,
		     FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

/* All WB, but for the hole below 4 GiB. */
static void set_mtrrs(void)
{
	unsigned int i;

	fake_set_msr(MSR_IA32_MTRRCAP, 2);
	fake_set_msr(MSR_IA32_MTRR_DEF_TYPE, 6 | 1 << 11);
	for (i = 0; i < 2; i++) {
		fake_set_msr(MSR_IA32_MTRR_PHYSBASE(i), 0);
		fake_set_msr(MSR_IA32_MTRR_PHYSMASK(i), 0);
	}
	fake_set_msr(MSR_IA32_MTRR_PHYSBASE(0), 0xc0000000);
	fake_set_msr(MSR_IA32_MTRR_PHYSMASK(0), 0xffffc0000800);
}

static void set_msrs(const struct fake_options *o)
{
	fake_set_msr(MSR_IA32_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	fake_set_msr(MSR_IA32_DEBUGCTL, 0x2);
	fake_set_msr(MSR_IA32_SYSENTER_CS, 0x10);
	fake_set_msr(MSR_IA32_SYSENTER_ESP, 0xfffffe0000003000);
	fake_set_msr(MSR_IA32_SYSENTER_EIP, 0xffffffff81a01000);
	set_vmx_msrs(o);
	set_mtrrs();
}

void fake_machine(const struct fake_options *options)
{
	memset(&fake, 0, offsetof(struct fake, log));
	fake.options = *options;
	fake.fail_at = fake.drop_flush = fake.event_at = fake.fault_at = FAKE_NEVER;
	fake.drop_flushes = fake.faults = 1;
	fake.event = PENDING_NMI;
	reset_vmm_data();
	map_memory();
	build_roots();
	build_linux();
	set_msrs(options);
	start_linux(options->pcide);
}
