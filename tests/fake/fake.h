/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fake machine: one simulated CPU behind the hardware port, its memory, its Linux, and the log
 * of what was done to it.
 *
 * Physical addresses are the host's virtual ones. Three regions, each in a slot of its own of the
 * PML4, so that page tables of 1 GiB pages tell them apart: the window (struct cpu, pool, shared
 * pages), the test program itself (the VMM's text and variables) and Linux's memory.
 */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/mercury.h"
#include "cpu.h"
#include "insn.h"
#include "state.h"

/* --- The CPU ---------------------------------------------------------------------------------- */

enum fake_mode { FAKE_OFF, FAKE_ROOT, FAKE_GUEST };

#define FAKE_NO_VMCS UINT64_MAX

struct fake_cpu {
	struct regs gpr; /* while Linux runs                                                      */
	uint64_t rip, rflags, cr0, cr3, cr4, dr7, xcr0;
	struct descriptor_table_register gdtr, idtr;
	struct segment es, cs, ss, ds, fs, gs, ldtr, tr;
	uint32_t interruptibility, activity;
	uint64_t pending_debug;
	enum fake_mode mode;
	uint64_t current_vmcs;
};

/* --- The log ---------------------------------------------------------------------------------- */

/* clang-format off */
#define FAKE_OPS(F)                                                                                \
	F(CPUID) F(RDMSR) F(WRMSR) F(READ_CR) F(READ_DR) F(WRITE_DR) F(READ_RFLAGS) F(CR0) F(CR3) F(CR4)      \
	F(INVLPG) F(XSETBV) F(WBINVD) F(SGDT) F(SIDT) F(LGDT) F(LIDT) F(STR) F(SLDT) F(LTR)        \
	F(LLDT) F(READ_SEGMENT) F(LOAD_SEGMENT) F(VMXON) F(VMXOFF) F(VMCLEAR) F(VMPTRLD)           \
	F(VMWRITE) F(VMREAD) F(VMCALL) F(INVEPT) F(INVVPID) F(VMLAUNCH) F(VMRESUME) F(VMEXIT) F(TAIL)        \
	F(DR7) F(RETURN)
/* clang-format on */

#define F(name) OP_##name,
enum fake_op_kind { FAKE_OPS(F) OP_NR };
#undef F

struct fake_op {
	enum fake_op_kind kind;
	uint64_t a, b; /* operands                                                                */
	bool ok;
	struct fake_cpu after;
	const char *unmapped; /* of IDT, GDT, TSS, IST stacks: not mapped by the loaded CR3       */
};

/* --- The TLB ---------------------------------------------------------------------------------- */

enum fake_mapping { MAP_LINEAR, MAP_GUEST_PHYSICAL, MAP_COMBINED };

/* One cached translation. SDM vol. 3, 29.4.1, Information That May Be Cached */
struct fake_translation {
	enum fake_mapping kind;
	uint16_t vpid, pcid;
	uint64_t eptp;
	bool global, valid;
};

#define FAKE_TLB_SIZE 32

/* --- The machine ------------------------------------------------------------------------------ */

#define FAKE_WINDOW UINT64_C(0x200000000000)
#define FAKE_LINUX UINT64_C(0x300000000000)

/* Linux's memory, offsets; the GDT is mapped twice, as Linux does it: read only, and an alias. */
#define LINUX_GDT 0x0000
#define LINUX_IDT 0x1000
#define LINUX_TSS 0x2000
#define LINUX_LDT 0x5000
#define LINUX_IST 0x6000 /* end of the stack                                                      */
#define LINUX_ENTRY_STACK 0x8000 /* RSP0 of the TSS                                               */
#define LINUX_LOST_STACK 0x9000
#define LINUX_STACK 0xa000
#define VMM_ROOT 0xb000   /* the VMM's PML4: physical memory only                                 */
#define LINUX_ROOT 0xc000 /* its PML4, of an aligned pair as under PTI                            */
#define FAKE_PDPTS 0xd000 /* three of them                                                        */
#define LINUX_RETURN 0x10100 /* text: behind the gate's call                                      */
#define LINUX_TAIL 0x10200
#define LINUX_LOST 0x10300
#define LINUX_HANDLERS 0x10400 /* of vector n at 8 * n                                            */
#define LINUX_GDT_RW 0x20000
#define LINUX_IDENTITY                                                                             \
	0x11000 /* relocate_kernel's PML4, and a PDPT                                  */
#define FAKE_LINUX_SIZE 0x13000

#define FAKE_LOG_SIZE 4096
#define FAKE_MSRS 96
#define FAKE_FIELDS 0x7000
#define FAKE_NEVER (-1)

struct fake_vmcs {
	uint64_t pa;
	bool launched;
	uint64_t value[FAKE_FIELDS];
	bool written[FAKE_FIELDS];
};

/* How a run of the VMM ended. */
enum fake_outcome {
	FAKE_RETURNED = 1, /* the call came back through the gate                                 */
	FAKE_VIRTUAL,      /* Linux goes on as a guest                                            */
	FAKE_NATIVE,       /* Linux goes on natively, through the gate's tail                     */
	FAKE_LOST,         /* Linux has the CPU at mercury_boot.lost                              */
	FAKE_STOPPED,      /* insn_stop()                                                         */
	FAKE_SHUT_DOWN,    /* insn_shut_down()                                                    */
	FAKE_ABORTED,      /* between the fake's own files: insn_abort_call()                     */
};

#define FAKE_KVM_FEATURES 0x1007efb

/* What the tests choose before fake_machine(). */
struct fake_options {
	bool no_ept, no_vpid, no_rdtscp, pcide;
	bool kvm; /* the machine is a guest of KVM's                                              */
};

struct fake {
	struct fake_options options;
	struct fake_cpu cpu;
	struct {
		uint32_t number;
		uint64_t value;
		bool present;
	} msr[FAKE_MSRS];
	struct fake_vmcs vmcs;
	struct fake_translation tlb[FAKE_TLB_SIZE];

	unsigned int ops; /* in the log                                                           */

	/* Things made to go wrong. */
	int fail_at;      /* this fallible VMX instruction from now on fails; FAKE_NEVER          */
	int fallible;     /* such instructions so far                                             */
	bool entry_fails; /* VMLAUNCH ends in a failed VM entry                                   */
	bool launch_fails; /* it is VMfail                                                        */
	int drop_flush; /* this flush and drop_flushes - 1 after it have no effect; FAKE_NEVER  */
	int drop_flushes;
	int flushes;
	uint64_t cr2, dr6;
	int event_at;   /* an event arrives behind this operation; FAKE_NEVER                     */
	uint32_t event; /* PENDING_NMI or PENDING_MC                                              */
	int fault_at;   /* the VMM takes an exception behind this operation; FAKE_NEVER           */
	int faults;     /* and behind each that follows, this many                                */
	bool xsetbv_faults;
	bool wrmsr_faults;

	/* Events that reached Linux: taken by its own IDT, injected, or owed by the gate.        */
	unsigned int linux_nmis, linux_mcs;
	bool nmi_exit;     /* an NMI came while the guest runs with NMI exiting             */
	uint32_t injected; /* entry-interruption information of the last VM entry           */
	uint32_t injected_error, injected_length;
	uint64_t owed;  /* what the tail was told to raise again                                  */
	uint64_t error; /* result of the last call, as Linux finds it                             */
	bool armed;     /* a run is on: jump is valid                                             */
	jmp_buf jump;

	struct fake_op log[FAKE_LOG_SIZE]; /* last: what is not used is not reset                 */
};

extern struct fake fake;

/* A new machine, and the VMM's variables as after loading; Linux runs natively on it. */
void fake_machine(const struct fake_options *options);

/* CPU 0 of the VMM, and of its shared page. */
struct cpu *fake_vmm_cpu(void);

/* Linux's memory by offset. */
void *linux_at(uint64_t offset);

/* Write descriptor `index` of Linux's GDT (`high` for the upper half of a system descriptor). */
void linux_set_descriptor(unsigned int index, uint64_t low);

/* A call through the gate. The result is in fake.error but for FAKE_STOPPED. */
enum fake_outcome fake_gate(enum mercury_call call, uint64_t arg0, uint64_t arg1);

/* INIT, INIT_CPU and MAP; asserts that they succeed. */
void fake_init(void);

/* The same and PREPARE. */
void fake_boot(void);

/* AUDIT and ENTER. */
enum fake_outcome fake_enter(void);

/*
 * The guest's instruction of `length` bytes exits with `reason`; returns how it went on. Exit
 * information is what the test put into fake.vmcs before.
 */
enum fake_outcome fake_exit(uint32_t reason, uint64_t qualification, uint32_t length);

/* The guest executes VMCALL. */
enum fake_outcome fake_vmcall(uint64_t call, uint64_t arg0, uint64_t arg1);

/* Does the root `cr3` map `address`? */
bool fake_mapped(uint64_t cr3, uint64_t address);

/* MSRs by number. */
void fake_set_msr(uint32_t number, uint64_t value);
void fake_remove_msr(uint32_t number);
uint64_t fake_get_msr(uint32_t number);

/* Fields of the VMCS, past all checks. */
uint64_t fake_field(enum vmcs_field field);
void fake_set_field(enum vmcs_field field, uint64_t value);

/* --- Between the fake's own files ------------------------------------------------------------- */

void fake_log(enum fake_op_kind kind, uint64_t a, uint64_t b, bool ok);
/* Linux takes `events`, PENDING_*. */
void fake_linux_takes(uint32_t events);
_Noreturn void fake_continue(enum fake_outcome outcome);
void fake_load_host(void);
void fake_save_guest(void);
/* Checks the VMCS and loads the guest; 0, or the VM-instruction error, or -1: entry failure. */
int fake_vm_entry(bool resume);
bool fake_load_segment(struct segment *segment, uint16_t selector);
void fake_load_system(struct segment *segment, uint16_t selector);

/* TLB: what each instruction invalidates, and the question. */
void tlb_cache(struct fake_translation t);
void tlb_mov_cr3(uint64_t value);
void tlb_mov_cr4(uint64_t old, uint64_t value);
void tlb_invept_all(void);
void tlb_invvpid_all(void);
/* A cached translation that the CPU in its present state could use, or NULL. */
const struct fake_translation *tlb_usable(void);

#endif
