// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAUSE-loop exiting for the guests of KVM's guests. KVM (6.1, 6.12) turns that on in their VMCS as in that of its
 * own guests, but writes PLE_Gap into the latter alone. With a gap of 0 no PAUSE ever belongs to a loop: SDM
 * vol. 3, 27.1.3, Instructions That Cause VM Exits Conditionally. Then a guest's guest that waits with interrupts
 * off for another CPU never exits in Bochs, whose VM entries keep interrupts masked: docs/lab.md, On KVM.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <asm/vmx.h>

#define GAP 128 /* ticks, as KVM has them for its guests */
#define WINDOW 4096

static atomic_long_t written;

static bool vmread(unsigned long field, unsigned long *value)
{
	bool ok;

	asm volatile("vmread %2, %1" : "=@cca"(ok), "=r"(*value) : "r"(field) : "memory");
	return ok;
}

static void vmwrite(unsigned long field, unsigned long value)
{
	asm volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "cc", "memory");
}

/* Interrupts are off, the VMCS is the current one. */
static int before_entry(struct kprobe *p, struct pt_regs *regs)
{
	unsigned long controls, gap;

	if (vmread(SECONDARY_VM_EXEC_CONTROL, &controls) &&
	    controls & SECONDARY_EXEC_PAUSE_LOOP_EXITING && vmread(PLE_GAP, &gap) && !gap) {
		vmwrite(PLE_GAP, GAP);
		vmwrite(PLE_WINDOW, WINDOW);
		atomic_long_inc(&written);
	}
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "vmx_vcpu_run",
	.pre_handler = before_entry,
};

static int __init ple_init(void)
{
	return register_kprobe(&probe);
}

static void __exit ple_exit(void)
{
	unregister_kprobe(&probe);
	pr_info("mercury-ple: %ld VMCSs had a PLE_Gap of 0\n", atomic_long_read(&written));
}

module_init(ple_init);
module_exit(ple_exit);
MODULE_DESCRIPTION("PAUSE-loop exiting for the guests of KVM's guests");
MODULE_LICENSE("GPL");
