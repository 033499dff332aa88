/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hardware port: one function per privileged instruction. insn.asm implements it for the
 * processor, tests/fake for user space; nothing else of the VMM touches the machine.
 *
 * Functions returning bool return true on success. Where a fault is an expected answer (an MSR that
 * does not exist, a selector whose descriptor is gone) the trap handler makes them return false.
 */
#ifndef ARCH_X86_INSN_H
#define ARCH_X86_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/segment.h"
#include "x86/vmcs.h"

struct cpu;
struct regs;

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);
uint64_t insn_rdmsr(uint32_t msr);
void insn_wrmsr(uint32_t msr, uint64_t value);
bool insn_rdmsr_safe(uint32_t msr, uint64_t *value);
bool insn_wrmsr_safe(uint32_t msr, uint64_t value);

uint64_t insn_read_cr0(void);
uint64_t insn_read_cr2(void);
uint64_t insn_read_cr3(void);
uint64_t insn_read_cr4(void);
uint64_t insn_read_dr6(void);
void insn_write_dr6(uint64_t value);
uint64_t insn_read_dr7(void);
uint64_t insn_read_rflags(void);
void insn_write_cr0(uint64_t value);
void insn_write_cr3(uint64_t value);
void insn_write_cr4(uint64_t value);
void insn_invlpg(uint64_t address);
bool insn_xsetbv_safe(uint32_t index, uint64_t value);
void insn_wbinvd(void);
uint64_t insn_vmcall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
void insn_pause(void);
uint64_t insn_rdtsc(void);
_Noreturn void insn_stop(void);
_Noreturn void insn_shut_down(void);

void insn_sgdt(struct descriptor_table_register *out);
void insn_sidt(struct descriptor_table_register *out);
void insn_lgdt(const struct descriptor_table_register *table);
void insn_lidt(const struct descriptor_table_register *table);
uint16_t insn_str(void);
uint16_t insn_sldt(void);
void insn_ltr(uint16_t selector);
bool insn_lldt(uint16_t selector);

uint16_t insn_read_es(void);
uint16_t insn_read_cs(void);
uint16_t insn_read_ss(void);
uint16_t insn_read_ds(void);
uint16_t insn_read_fs(void);
uint16_t insn_read_gs(void);
bool insn_load_es(uint16_t selector);
bool insn_load_ss(uint16_t selector);
bool insn_load_ds(uint16_t selector);
bool insn_load_fs(uint16_t selector);
bool insn_load_gs(uint16_t selector);

bool insn_vmxon(uint64_t region_pa);
void insn_vmxoff(void);
bool insn_vmxoff_safe(void);
bool insn_vmclear(uint64_t vmcs_pa);
bool insn_vmclear_safe(uint64_t vmcs_pa);
bool insn_vmptrld(uint64_t vmcs_pa);
bool insn_vmwrite(enum vmcs_field field, uint64_t value);
uint64_t insn_vmread(enum vmcs_field field); /* of the current VMCS: there is one            */
bool insn_invept(uint64_t type, uint64_t eptp);
bool insn_invvpid(uint64_t type, uint16_t vpid, uint64_t address);

/*
 * Load the general-purpose registers of `cpu` and VMLAUNCH. Returns false on VMfail; on success and
 * on a failed entry execution goes on at insn_vmexit_entry, on cpu's stack.
 */
bool insn_vmlaunch(struct cpu *cpu);

/* Where a VM exit arrives (HOST_RIP); calls vmx_handle_exit(). */
void insn_vmexit_entry(void);

/* Return to Linux from a call as if it had returned `error`; what is virtual has ended. */
_Noreturn void insn_abort_call(struct cpu *cpu, uint64_t error);

/* What the leaving CPU needs for its last steps, which run in Linux's text (the gate's tail). */
struct leave_frame {
	uint64_t tail; /* address of the gate's tail, or of insn_identity_tail                    */
	uint64_t rsp;  /* Linux stack; rbx, rdx, rcx, rax, rflags, rip lie there in this order    */
	uint64_t cr3;
	uint64_t dr7;
	uint64_t debugctl;
	uint64_t owed; /* PENDING_*                                                               */
};

/* Load the remaining general-purpose registers from `regs` and jump to the tail. */
_Noreturn void insn_leave(const struct regs *regs, const struct leave_frame *frame);

/* The VMM's own tail, for a Linux that does not map the gate's: runs at its physical address. */
void insn_identity_tail(void);

#endif
