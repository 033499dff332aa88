// SPDX-License-Identifier: GPL-2.0-only
/*
 * A panic from an NMI on CPU 0. at=once: when the module is loaded, by CPU 0 itself. at=unknown: the same,
 * by an NMI that Linux finds no reason for. Within a switch: at=gate, at the gate to go virtual, and
 * at=tail, in its tail on the way back, where the page tables are the transition root and the descriptor
 * tables Linux's; at=entry, one that arrived while the VMM was on the way in and came with the VM entry.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#include "abi/mercury.h"

static char *at = "once";
module_param(at, charp, 0);

static bool sent;
static const u8 *behind_entry; /* where Linux goes on as a guest                                  */

static bool on_linux_page_tables(void)
{
	return read_cr3_pa() == __pa(current->active_mm->pgd);
}

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (!sent || smp_processor_id())
		return NMI_DONE;
	if (!behind_entry)
		nmi_panic(regs, on_linux_page_tables() ? "mercury-panic on page tables of its own" :
							 "mercury-panic on the transition root");
	else if (regs->ip == (unsigned long)behind_entry && cpuid_eax(0x40000000) == 0x40000001)
		nmi_panic(regs, "mercury-panic behind VM entry");
	return NMI_HANDLED;
}

static void send_nmi(void *unused)
{
	sent = true;
	apic->send_IPI(0, NMI_VECTOR);
	while (1)
		cpu_relax();
}

static unsigned int entries; /* of CPU 0, so far                                              */

/* A little later each time: one finds CPU 0 in the VMM. */
static void send_nmi_later(void *unused)
{
	unsigned int i;

	WRITE_ONCE(sent, true);
	for (i = 0; i < 100 * entries; i++)
		cpu_relax();
	apic->send_IPI(0, NMI_VECTOR);
}

static call_single_data_t other_cpu = CSD_INIT(send_nmi_later, NULL);

static int at_the_gate(struct kprobe *probe, struct pt_regs *regs)
{
	if (smp_processor_id() || regs->si != MERCURY_CALL_ENTER)
		return 0;
	if (!behind_entry)
		send_nmi(NULL);
	sent = false;
	entries++;
	if (smp_call_function_single_async(1, &other_cpu))
		return 0;
	while (!READ_ONCE(sent))
		cpu_relax();
	return 0;
}

static int at_the_tail(struct kprobe *probe, struct pt_regs *regs)
{
	if (!smp_processor_id())
		send_nmi(NULL);
	return 0;
}

static struct kprobe gate = { .symbol_name = "mercury_gate_call", .pre_handler = at_the_gate };
static struct kprobe tail = { .symbol_name = "mercury_gate_tail", .pre_handler = at_the_tail };

static const u8 *behind(const u8 *text, const char *code, unsigned int length)
{
	while (memcmp(text, code, length))
		text++;
	return text + length;
}

/* Behind MOV RAX to CR3, which loads the transition root. */
static int __init probe_gate(bool entry)
{
	const u8 *text;
	int error = register_kprobe(&gate);

	if (error)
		return error;
	text = (const u8 *)gate.addr;
	unregister_kprobe(&gate);
	gate = (struct kprobe){ .symbol_name = gate.symbol_name,
				.offset = behind(text, "\x0f\x22\xd8", 3) - text,
				.pre_handler = at_the_gate };
	/* CALL RAX */
	if (entry)
		behind_entry = behind(text, "\xff\xd0", 2);
	return register_kprobe(&gate);
}

static int __init arm(void)
{
	if (!strcmp(at, "gate") || !strcmp(at, "entry"))
		return probe_gate(!strcmp(at, "entry"));
	if (!strcmp(at, "tail"))
		return register_kprobe(&tail);
	return smp_call_function_single(0, send_nmi, NULL, 0);
}

/* There is no way back out: what is registered stays until the crash. */
static int __init panic_init(void)
{
	int error = 0;

	if (strcmp(at, "unknown"))
		error = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury-panic");
	if (error)
		return error;
	error = arm();
	if (error && strcmp(at, "unknown"))
		unregister_nmi_handler(NMI_LOCAL, "mercury-panic");
	return error;
}

module_init(panic_init);

MODULE_DESCRIPTION("Mercury's tests: a panic from an NMI");
MODULE_LICENSE("GPL");
