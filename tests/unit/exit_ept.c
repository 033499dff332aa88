// SPDX-License-Identifier: GPL-2.0-only
/* EPT violations: first touch, writes to the hidden window, and what they interrupted. */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "mercury/snapshot.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"
#include "x86/vmx_cap.h"

#define GFN(pa) ((pa) / PAGE_4K)
#define BEYOND (UINT64_C(64) << 30) /* not mapped at load                                         */
#define GIB (UINT64_C(1) << 30)
#define HIDDEN UINT64_C(0x200000)
#define HIDDEN_PAGE UINT64_C(0x10005000)

static uint64_t rip;

static void machine(void)
{
	const struct fake_options options = { 0 };

	fake_machine(&options);
}

static int go_virtual(void)
{
	fake_boot();
	mercury_boot.nr_hidden = 2;
	mercury_boot.hidden[0] = (struct mercury_range){ HIDDEN, HIDDEN + PAGE_2M };
	mercury_boot.hidden[1] = (struct mercury_range){ HIDDEN_PAGE, HIDDEN_PAGE + PAGE_4K };
	fake_vmm_cpu()->mode = MODE_NATIVE;
	assert_int_equal(fake_gate(MERCURY_CALL_HIDE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	rip = fake.cpu.rip;
	return 0;
}

static int virtual_linux(void **unused)
{
	(void)unused;
	machine();
	return go_virtual();
}

/* The fake's second variable range, UC; it has 48 bits of physical address. */
static void set_uncached(uint64_t base, uint64_t size)
{
	fake_set_msr(MSR_IA32_MTRR_PHYSBASE(1), base | MEMORY_TYPE_UC);
	fake_set_msr(MSR_IA32_MTRR_PHYSMASK(1),
		     (0xfffffffff000 & ~(size - 1)) | MTRR_PHYSMASK_VALID);
}

/* EPT without pages of 1 GiB, as before Haswell; 64 KiB of UC in the second MByte above RAM. */
static int virtual_with_2m(void **unused)
{
	(void)unused;
	machine();
	fake_set_msr(MSR_IA32_VMX_EPT_VPID_CAP,
		     fake_get_msr(MSR_IA32_VMX_EPT_VPID_CAP) & ~VMX_CAP_EPT_1G);
	set_uncached(BEYOND + 0x100000, 0x10000);
	return go_virtual();
}

/* The upper half of the first GiB above RAM is UC. */
static int virtual_with_divided_gib(void **unused)
{
	(void)unused;
	machine();
	set_uncached(BEYOND + GIB / 2, GIB / 2);
	return go_virtual();
}

static enum fake_outcome violation(uint64_t pa, uint64_t qualification)
{
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, pa);
	fake_set_field(VMCS_GUEST_LINEAR_ADDRESS, pa);
	return fake_exit(VMX_REASON_EPT_VIOLATION, qualification, 2);
}

static struct p2m_page lookup(uint64_t pa)
{
	struct p2m_page page;

	assert_true(p2m_lookup(&machine_p2m, GFN(pa), &page));
	return page;
}

static bool steps(void)
{
	return fake_field(VMCS_PRIMARY_PROC_CONTROLS) & VMX_PRIMARY_MONITOR_TRAP_FLAG;
}

/* "eager for RAM and below 4 GiB, the rest on first touch": identity, and the instruction again. */
static void first_touch_maps_identity(void **unused)
{
	struct p2m_page page;

	(void)unused;
	assert_false(p2m_lookup(&machine_p2m, GFN(BEYOND), &page));
	assert_int_equal(violation(BEYOND + 0x1234, VMX_QUAL_EPT_READ), FAKE_VIRTUAL);
	page = lookup(BEYOND + 0x1234);
	assert_int_equal(page.mfn, GFN(BEYOND + 0x1234));
	assert_int_equal(page.access, P2M_ALL);
	/* As much as is empty and of one type. */
	assert_int_equal(page.order, P2M_ORDER_1G);
	assert_int_equal(fake.cpu.rip, rip);
	assert_false(steps());
}

/* One violation at `pa`, by reading; then it is there and the instruction runs again. */
static void touch(uint64_t pa)
{
	assert_int_equal(violation(pa, VMX_QUAL_EPT_READ), FAKE_VIRTUAL);
	assert_int_equal(lookup(pa).mfn, GFN(pa));
	assert_int_equal(fake.cpu.rip, rip);
	assert_false(steps());
}

static void assert_leaf(uint64_t pa, uint32_t order, uint32_t type)
{
	const struct p2m_page page = lookup(pa);

	assert_int_equal(page.mfn, GFN(pa));
	assert_int_equal(page.access, P2M_ALL);
	assert_int_equal(page.order, order);
	assert_int_equal(page.type, type);
}

static void assert_untouched(uint64_t pa)
{
	struct p2m_page page;

	assert_false(p2m_lookup(&machine_p2m, GFN(pa), &page));
}

/* Without pages of 1 GiB: the 2 MiB of the touch and no more. */
static void first_touch_with_2m_pages(void **unused)
{
	const uint64_t pa = BEYOND + 3 * PAGE_2M;

	(void)unused;
	assert_leaf(0x80000000, P2M_ORDER_2M, MEMORY_TYPE_WB);
	touch(pa + 0x1234);
	assert_leaf(pa, P2M_ORDER_2M, MEMORY_TYPE_WB);
	assert_leaf(pa + PAGE_2M - PAGE_4K, P2M_ORDER_2M, MEMORY_TYPE_WB);
	assert_untouched(pa - PAGE_4K);
	assert_untouched(pa + PAGE_2M);
	touch(pa + PAGE_2M);
	assert_leaf(pa + PAGE_2M, P2M_ORDER_2M, MEMORY_TYPE_WB);
	assert_untouched(pa + 2 * PAGE_2M);
	assert_untouched(BEYOND + GIB);
}

/* 2 MiB of two types: each page has its own, wherever in them the touch was. */
static void first_touch_of_divided_2m(void **unused)
{
	(void)unused;
	touch(BEYOND + 0x1ff000);
	assert_leaf(BEYOND, P2M_ORDER_4K, MEMORY_TYPE_WB);
	assert_leaf(BEYOND + 0xff000, P2M_ORDER_4K, MEMORY_TYPE_WB);
	assert_leaf(BEYOND + 0x100000, P2M_ORDER_4K, MEMORY_TYPE_UC);
	assert_leaf(BEYOND + 0x10f000, P2M_ORDER_4K, MEMORY_TYPE_UC);
	assert_leaf(BEYOND + 0x110000, P2M_ORDER_4K, MEMORY_TYPE_WB);
	assert_leaf(BEYOND + 0x1ff000, P2M_ORDER_4K, MEMORY_TYPE_WB);
	assert_untouched(BEYOND + PAGE_2M);
}

/* 1 GiB of two types: all of it at once, in pages that do not straddle the border. */
static void first_touch_of_a_divided_gib(void **unused)
{
	const uint64_t border = BEYOND + GIB / 2;

	(void)unused;
	touch(BEYOND + 0x1234);
	assert_leaf(BEYOND, P2M_ORDER_2M, MEMORY_TYPE_WB);
	assert_leaf(border - PAGE_4K, P2M_ORDER_2M, MEMORY_TYPE_WB);
	assert_leaf(border, P2M_ORDER_2M, MEMORY_TYPE_UC);
	assert_leaf(BEYOND + GIB - PAGE_4K, P2M_ORDER_2M, MEMORY_TYPE_UC);
	assert_untouched(BEYOND - PAGE_4K);
	assert_untouched(BEYOND + GIB);
	touch(BEYOND + GIB + 0x1234);
	assert_leaf(BEYOND + GIB, P2M_ORDER_1G, MEMORY_TYPE_WB);
}

/* The last page that 48 bits of physical address name. */
static void first_touch_of_the_last_page(void **unused)
{
	const uint64_t last = (UINT64_C(1) << 48) - PAGE_4K;

	(void)unused;
	touch(last);
	assert_leaf(last, P2M_ORDER_1G, MEMORY_TYPE_WB);
	assert_untouched(last - GIB);
}

/* Another CPU resolved it: "just try again". */
static void resolved_meanwhile(void **unused)
{
	(void)unused;
	assert_int_equal(violation(0x5000, VMX_QUAL_EPT_WRITE), FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.rip, rip);
	assert_false(steps());
	assert_int_equal(cpu_shared(fake_vmm_cpu())->dropped_writes, 0);
}

static void write_to_hidden(uint64_t pa)
{
	uint64_t dropped = cpu_shared(fake_vmm_cpu())->dropped_writes;
	struct p2m_page zero = lookup(pa), sink;

	assert_int_equal(zero.access, P2M_READ);
	assert_int_equal(violation(pa, VMX_QUAL_EPT_WRITE), FAKE_VIRTUAL);
	sink = lookup(pa);
	assert_int_equal(sink.access, P2M_READ | P2M_WRITE);
	assert_int_not_equal(sink.mfn, zero.mfn);
	assert_int_not_equal(sink.mfn, GFN(pa));
	assert_true(steps());
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->dropped_writes, dropped + 1);
	/* The instruction writes to the sink, and traps behind. */
	memset((void *)(sink.mfn * PAGE_4K), 0xee, PAGE_4K);
	assert_int_equal(fake_exit(VMX_REASON_MONITOR_TRAP_FLAG, 0, 0), FAKE_VIRTUAL);
	assert_false(steps());
	assert_int_equal(lookup(pa).mfn, zero.mfn);
	assert_int_equal(lookup(pa).access, P2M_READ);
	assert_int_equal(*(uint64_t *)(sink.mfn * PAGE_4K), 0);
	assert_int_equal(*(uint64_t *)(zero.mfn * PAGE_4K), 0);
}

/* "reads return zero, writes are counted and dropped" */
static void hidden_write_is_dropped(void **unused)
{
	(void)unused;
	write_to_hidden(HIDDEN_PAGE);
	write_to_hidden(HIDDEN_PAGE);
}

/*
 * "one shared EPT table of 512 entries to one zero page hangs in the PDE of every hidden 2 MiB
 * chunk"
 */
static void hidden_write_to_a_chunk_is_dropped(void **unused)
{
	(void)unused;
	write_to_hidden(HIDDEN + 7 * PAGE_4K);
}

/* After a dropped write the CPU must not go on using the sink: the translation is flushed. */
static void hiding_again_flushes(void **unused)
{
	unsigned int from;
	bool flushed = false;

	(void)unused;
	assert_int_equal(violation(HIDDEN_PAGE, VMX_QUAL_EPT_WRITE), FAKE_VIRTUAL);
	from = fake.ops;
	assert_int_equal(fake_exit(VMX_REASON_MONITOR_TRAP_FLAG, 0, 0), FAKE_VIRTUAL);
	for (; from < fake.ops; from++)
		flushed |= fake.log[from].kind == OP_INVEPT;
	assert_true(flushed);
}

/* Leaving in the middle of such an instruction hides the page and takes back the trap flag. */
static void leave_while_stepping(void **unused)
{
	(void)unused;
	assert_int_equal(violation(HIDDEN_PAGE, VMX_QUAL_EPT_WRITE), FAKE_VIRTUAL);
	assert_int_equal(fake_exit(VMX_REASON_IO_INSTRUCTION, 0, 2), FAKE_NATIVE);
	assert_int_equal(lookup(HIDDEN_PAGE).access, P2M_READ);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_false(steps());
}

/* What is neither is not the VMM's to answer: executing hidden memory. */
static void fetch_from_hidden_goes_native(void **unused)
{
	(void)unused;
	assert_int_equal(violation(HIDDEN_PAGE, VMX_QUAL_EPT_FETCH), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip);
}

static void assert_reinjected(uint32_t info)
{
	fake_set_field(VMCS_IDT_VECTORING_INFO, info);
	assert_int_equal(violation(BEYOND, VMX_QUAL_EPT_READ), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, info & ~VMX_EVENT_ENTRY_RESERVED);
}

/*
 * "EPT violation during event delivery re-injects the event (type, error code, instruction length)"
 */
static void interrupt_is_delivered_again(void **unused)
{
	(void)unused;
	assert_reinjected(vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 0xec));
	/* Bit 12 of the vectoring information is undefined and must not reach the entry field. */
	assert_reinjected(vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 0xec) | VMX_EVENT_NMI_UNBLOCKING);
}

static void exception_is_delivered_again(void **unused)
{
	(void)unused;
	fake_set_field(VMCS_IDT_VECTORING_ERROR_CODE, 0x15);
	assert_reinjected(vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_PF) |
			  VMX_EVENT_ERROR_CODE);
	assert_int_equal(fake.injected_error, 0x15);
}

static void software_interrupt_is_delivered_again(void **unused)
{
	static const enum vmx_event_type types[] = { VMX_EVENT_SOFTWARE_INTERRUPT,
						     VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION,
						     VMX_EVENT_SOFTWARE_EXCEPTION };
	unsigned int i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		fake.injected_length = 0;
		assert_reinjected(vmx_event(types[i], 0x80));
		assert_int_equal(fake.injected_length, 2);
		assert_int_equal(fake.cpu.rip, rip);
	}
}

/*
 * The first delivery blocked NMIs; VM entry with an NMI needs them unblocked and blocks them again.
 */
static void nmi_is_delivered_again(void **unused)
{
	(void)unused;
	fake.cpu.interruptibility = VMX_BLOCKING_NMI;
	assert_reinjected(vmx_event(VMX_EVENT_NMI, VECTOR_NMI));
	assert_int_equal(fake_field(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(fake.cpu.interruptibility, VMX_BLOCKING_NMI);
}

/* "and restores NMI blocking (qualification bit 12)": IRET had unblocked, and runs again. */
static void iret_blocks_again(void **unused)
{
	(void)unused;
	assert_int_equal(violation(BEYOND, VMX_QUAL_EPT_READ | VMX_QUAL_EPT_NMI_UNBLOCKING),
			 FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.interruptibility, VMX_BLOCKING_NMI);
}

/* SDM vol. 3, 28.2.3: bit 12 is undefined if the exit happened during event delivery. */
static void iret_bit_is_ignored_during_delivery(void **unused)
{
	(void)unused;
	fake_set_field(VMCS_IDT_VECTORING_INFO, vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 0x30));
	assert_int_equal(violation(BEYOND, VMX_QUAL_EPT_READ | VMX_QUAL_EPT_NMI_UNBLOCKING),
			 FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.interruptibility, 0);
}

/* "On the way to native the P2M must be the identity again." */
static void leave_is_refused_while_the_p2m_is_not_the_identity(void **unused)
{
	(void)unused;
	assert_int_equal(p2m_protect(&machine_p2m, 0x5000, 0x6000, P2M_READ), MERCURY_E_OK);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_P2M);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_VIRTUAL);
	assert_int_equal(p2m_protect(&machine_p2m, 0x5000, 0x6000, P2M_ALL), MERCURY_E_OK);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
}

/* First touch maps 2 MiB; what is hidden in them already stays hidden. */
static void first_touch_keeps_hidden_pages(void **unused)
{
	const uint64_t page = BEYOND + 3 * PAGE_4K;

	(void)unused;
	assert_int_equal(p2m_map_identity(&machine_p2m, page, page + PAGE_4K), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&machine_p2m, page, page + PAGE_4K), MERCURY_E_OK);
	assert_int_equal(violation(BEYOND, VMX_QUAL_EPT_READ), FAKE_VIRTUAL);
	assert_int_equal(lookup(BEYOND).mfn, GFN(BEYOND));
	assert_int_equal(lookup(page).access, P2M_READ);
	assert_int_not_equal(lookup(page).mfn, GFN(page));
}

/*
 * A process's own store, and what the processor writes for the kernel while one runs: the frame of an
 * interrupt, bits of a page table. The process waits, its share of the pages is used up; the kernel would
 * have one, whose list is not there: the snapshot is broken.
 */
static uint32_t after_a_write(uint64_t qualification, uint32_t vectoring)
{
	static struct mercury_snapshot meeting;

	meeting = (struct mercury_snapshot){
		.patience = UINT64_C(1) << 40,
		.bound = 100,
		.kept_max = 2,
		.kept = 1,
		.cpus = 1,
		.nr_ram = 1,
		.ram = { { 0, GIB } },
		.end = GIB,
		.directory = UINT64_MAX,
		.phase = MERCURY_SNAPSHOT_GATHERS,
	};
	snapshot_init(&meeting, &machine_p2m);
	assert_int_equal(fake_vmcall(MERCURY_CALL_FREEZE, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
	fake.cpu.ss.ar |= 3 << SEGMENT_AR_DPL_SHIFT;
	fake_set_field(VMCS_IDT_VECTORING_INFO, vectoring);
	while (meeting.phase == MERCURY_SNAPSHOT_FROZEN && !meeting.stalled)
		assert_int_equal(violation(0x5000, VMX_QUAL_EPT_WRITE | qualification),
				 FAKE_VIRTUAL);
	fake.cpu.ss.ar &= ~(3u << SEGMENT_AR_DPL_SHIFT);
	while (meeting.is_frozen)
		assert_int_equal(fake_vmcall(MERCURY_CALL_THAW, 0, 0), FAKE_VIRTUAL);
	assert_false(machine_p2m.frozen);
	return meeting.phase;
}

static void a_process_waits_for_the_reader(void **unused)
{
	(void)unused;
	assert_int_equal(after_a_write(VMX_QUAL_EPT_LINEAR_VALID | VMX_QUAL_EPT_LINEAR_TRANSLATED,
				       0),
			 MERCURY_SNAPSHOT_FROZEN);
}

static void what_the_processor_writes_does_not_wait(void **unused)
{
	(void)unused;
	assert_int_equal(after_a_write(VMX_QUAL_EPT_LINEAR_VALID, 0), MERCURY_SNAPSHOT_BROKEN);
	assert_int_equal(after_a_write(VMX_QUAL_EPT_LINEAR_VALID | VMX_QUAL_EPT_LINEAR_TRANSLATED,
				       vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 0xec)),
			 MERCURY_SNAPSHOT_BROKEN);
}

#define T(name) cmocka_unit_test_setup(name, virtual_linux)
static const struct CMUnitTest tests[] = {
	T(first_touch_maps_identity),
	cmocka_unit_test_setup(first_touch_with_2m_pages, virtual_with_2m),
	cmocka_unit_test_setup(first_touch_of_divided_2m, virtual_with_2m),
	cmocka_unit_test_setup(first_touch_of_a_divided_gib, virtual_with_divided_gib),
	T(first_touch_of_the_last_page),
	T(resolved_meanwhile),
	T(hidden_write_is_dropped),
	T(hidden_write_to_a_chunk_is_dropped),
	T(hiding_again_flushes),
	T(leave_while_stepping),
	T(fetch_from_hidden_goes_native),
	T(interrupt_is_delivered_again),
	T(exception_is_delivered_again),
	T(software_interrupt_is_delivered_again),
	T(nmi_is_delivered_again),
	T(iret_blocks_again),
	T(iret_bit_is_ignored_during_delivery),
	T(leave_is_refused_while_the_p2m_is_not_the_identity),
	T(first_touch_keeps_hidden_pages),
	T(a_process_waits_for_the_reader),
	T(what_the_processor_writes_does_not_wait),
};

UNIT_MAIN(tests)
