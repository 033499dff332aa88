// SPDX-License-Identifier: GPL-2.0-only
/*
 * While Linux's code is written its handlers of NMIs and machine checks, which interrupts off do not keep away,
 * might execute half of an instruction. So each CPU has another IDT meanwhile, by which they are noted, and
 * raised behind it.
 */
#include <linux/percpu.h>
#include <linux/string.h>
#include <asm/desc.h>
#include <asm/trapnr.h>

#include "sites.h"
#include "sites_noted.h"

static gate_desc idt[IDT_ENTRIES] __aligned(PAGE_SIZE);

static DEFINE_PER_CPU(struct desc_ptr, linux_idt);
DEFINE_PER_CPU(u8, mercury_noted);

/*
 * On the stack it finds: those of Linux's handlers are theirs, and that of NMIs tells by what lies on it whether one
 * is under way.
 */
static void set_handler(unsigned int vector, void (*handler)(void))
{
	unsigned long address = (unsigned long)handler;

	idt[vector].bits.ist = 0;
	idt[vector].offset_low = address;
	idt[vector].offset_middle = address >> 16;
	idt[vector].offset_high = address >> 32;
}

/* Linux has one for all CPUs, and changes it no more once it is up. */
void mercury_quiet_load(void)
{
	struct desc_ptr idtr;

	store_idt(&idtr);
	memcpy(idt, (const void *)idtr.address, sizeof(idt));
	set_handler(X86_TRAP_NMI, mercury_note_nmi);
	set_handler(X86_TRAP_MC, mercury_note_mc);
}

void mercury_quiet_begin(void)
{
	const struct desc_ptr own = { .size = sizeof(idt) - 1, .address = (unsigned long)idt };

	store_idt(this_cpu_ptr(&linux_idt));
	native_load_idt(&own);
}

/*
 * LIDT serializes (SDM vol. 3, 9.3 "Serializing Instructions"). An NMI that was noted still blocks the next one:
 * the IRET of Linux's handler ends that.
 */
void mercury_quiet_end(void)
{
	u8 noted;

	native_load_idt(this_cpu_ptr(&linux_idt));
	noted = this_cpu_xchg(mercury_noted, 0);
	if (noted & MERCURY_NOTED_NMI)
		asm volatile("int %0" : : "i"(X86_TRAP_NMI) : "memory");
	if (noted & MERCURY_NOTED_MC)
		asm volatile("int %0" : : "i"(X86_TRAP_MC) : "memory");
}
