/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the module (Linux) and the VMM image: data only.
 *
 * Both sides include this header and nothing else of each other. It uses the compiler's own
 * fixed-width types because one side has no <stdint.h> and the other no <linux/types.h>.
 */
#ifndef ABI_MERCURY_H
#define ABI_MERCURY_H

#ifndef __ASSEMBLER__

typedef __UINT8_TYPE__ mer_u8;
typedef __UINT32_TYPE__ mer_u32;
typedef unsigned long long mer_u64; /* prints as %llu on both sides */

#define MER_ASSERT_OFFSET(type, member, offset)                                                    \
	_Static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)
#define MER_ASSERT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "size of " #type)

#endif /* __ASSEMBLER__ */

#define MERCURY_ABI_VERSION 5
#define MERCURY_MAGIC 0x5952554352454d00 /* "\0MERCURY", little endian */

/* --- The window: address space, not memory ----------------------------------------------------- */

/* PML4 slot 509, unused by Linux with 4-level paging, the same on every backend. */
#define MERCURY_WINDOW_BASE 0xfffffe8000000000
#define MERCURY_WINDOW_SIZE 0x4000000
#define MERCURY_WINDOW_PML4_SLOT 509
#define MERCURY_PAGE_SIZE 0x1000

/* Offsets into the window. Everything in it is mapped by 4 KiB pages. */
#define MERCURY_WINDOW_IMAGE 0x0000000  /* text RX, rodata R, data RW                             */
#define MERCURY_WINDOW_PTES 0x0200000   /* the window's own leaf PTEs, as one array (R/W)         */
#define MERCURY_WINDOW_SHARED 0x0300000 /* struct mercury_shared; Linux sees it while virtual     */
#define MERCURY_WINDOW_SNAPSHOT                                                                    \
	0x0310000                     /* struct mercury_snapshot; Linux sees it while virtual   */
#define MERCURY_WINDOW_LENT 0x0320000 /* the page directory that maps what is lent              */
#define MERCURY_WINDOW_COPY 0x0400000 /* a page for each CPU, for the VMM to map what it writes */
#define MERCURY_WINDOW_POOL 0x0800000 /* pages for the P2M's tables                             */
#define MERCURY_WINDOW_CPUS 0x2000000 /* MERCURY_CPU_SLOT bytes for each CPU                    */

/* Chunks that are lent for tables while a snapshot is taken, beside the window, in the same slot. */
#define MERCURY_LENT_BASE (MERCURY_WINDOW_BASE + 0x40000000)
#define MERCURY_LENT_CHUNK 0x200000
#define MERCURY_LENT_CHUNKS 512

#define MERCURY_POOL_MAX_PAGES ((MERCURY_WINDOW_CPUS - MERCURY_WINDOW_POOL) / MERCURY_PAGE_SIZE)
#define MERCURY_MAX_CPUS ((MERCURY_WINDOW_SIZE - MERCURY_WINDOW_CPUS) / MERCURY_CPU_SLOT)

/* Offsets into one CPU's slot; the first page stays unmapped and guards the stack. */
#define MERCURY_CPU_SLOT 0x8000
#define MERCURY_CPU_STACK 0x1000 /* two pages of stack, growing down from ...                   */
#define MERCURY_CPU_STACK_PAGES 2
#define MERCURY_CPU_DATA 0x2800   /* ... the CPU's own data in their last part                  */
#define MERCURY_CPU_FIXMAP 0x3000 /* one PTE that the VMM points at any physical page          */
#define MERCURY_CPU_ROOT 0x4000   /* transition root; physically 8 KiB aligned, see gate       */
#define MERCURY_CPU_VMCS 0x5000
#define MERCURY_CPU_VMXON 0x6000
#define MERCURY_CPU_RING1_STUB MERCURY_CPU_VMCS /* ring1: code, which reaches the page behind it */
#define MERCURY_CPU_RING1 MERCURY_CPU_VMXON
#define MERCURY_CPU_SHARED 0x7000 /* struct mercury_cpu_shared; Linux sees it while virtual    */

/*
 * Process-context identifiers of the transition roots and of the VMM's own root, used only when
 * CR4.PCIDE = 1. Linux uses 1-6 and, for the user half under PTI, the same with bit 11 set; with AMD's
 * INVLPGB, from 6.15 on, all below 800h, these too: nothing that is cached under them may serve another root.
 */
#define MERCURY_PCID_TRANSITION 0x7f0
#define MERCURY_PCID_VMM 0x7f1

/* --- Calls -------------------------------------------------------------------------------------- */

/*
 * Linux native: through the gate, on the transition root, interrupts off: rdi the call, rsi and rdx
 * its arguments, rcx the CPU's data (MERCURY_CPU_DATA in its slot), r8 Linux's CR3.
 * Linux virtual: VMCALL from CPL 0 with MERCURY_COOKIE in rax and the call in rdi, rsi, rdx.
 * Both return a mercury_error in rax.
 */
#define MERCURY_COOKIE 0x4d455243564d4d31

/*
 * Linux virtual in ring 1: WRMSR with this in ecx, which no processor has as an MSR; the call in rdi,
 * rsi, rdx. VMCALL would not do: an outer hypervisor takes it.
 */
#define MERCURY_RING1_CALL 0x4d455243

/*
 * From patched code SYSCALL does too, with what is wanted in eax: user space, as RSP points to (does not
 * return); CR3 from rdi: 1 in eax, or 0: not done, let it trap; the GS base behind SWAPGS into rax, or from
 * rdi.
 */
#define MERCURY_RING1_TO_USER 0
#define MERCURY_RING1_CR3 1
#define MERCURY_RING1_READ_GS 2
#define MERCURY_RING1_WRITE_GS 3

/*
 * Set in CS of a frame out of user space whose handler finds Linux's GS base and CR3: error_entry takes it
 * out. Linux itself at times goes there as if it came from user space, without.
 */
#define MERCURY_RING1_SWAPPED_BIT 32

/* Linux's segments in ring 1; all frames on its stacks say 10h and 18h. */
#define MERCURY_RING1_CS 0x81
#define MERCURY_RING1_SS 0x89

#ifndef __ASSEMBLER__

/* The ways of running Linux virtual. */
enum mercury_backend_id { MERCURY_BACKEND_VMX, MERCURY_BACKEND_RING1, MERCURY_BACKEND_NR };

enum mercury_call {
	MERCURY_CALL_INIT,     /* once, on any CPU: descriptor tables, features, empty P2M        */
	MERCURY_CALL_INIT_CPU, /* on each CPU: GDT, TSS, stack                                    */
	MERCURY_CALL_MAP,      /* P2M identity over [arg0, arg1); bounded work for small ranges   */
	MERCURY_CALL_HIDE,     /* hide boot.hidden from Linux                                     */
	MERCURY_CALL_PREPARE,  /* on each CPU: can this CPU do it? then build its state, warm     */
	MERCURY_CALL_AUDIT,    /* on each CPU: would entering succeed now? the vote               */
	MERCURY_CALL_DISCARD,  /* on each CPU: take the vote back                                 */
	MERCURY_CALL_ENTER,    /* on each CPU: returns in virtual mode, or natively with an error */
	MERCURY_CALL_LEAVE,    /* on each CPU, virtual: returns natively                          */
	MERCURY_CALL_HIDDEN,   /* on each CPU, virtual: fill shared.hidden                        */
	MERCURY_CALL_LOOKUP,   /* fill shared.page with what frame arg0 maps to                   */
	MERCURY_CALL_FREEZE,   /* on each CPU, virtual: stop with all others, freeze the P2M      */
	MERCURY_CALL_THAW,     /* thaw some of the P2M, until snapshot.is_frozen is 0             */
	MERCURY_CALL_FLUSH,    /* on each CPU: drop what is cached of the P2M                     */
	MERCURY_CALL_RECLAIM,  /* when each has: the tables that it took can be used again        */
	MERCURY_CALL_LEND,     /* arg0: a chunk for tables, aligned; ascending                    */
	MERCURY_CALL_GIVE_BACK, /* the chunks are Linux's again, once each CPU has flushed again   */
	MERCURY_CALL_NR
};

/* Every reason for which the VMM refuses or fails: name, the errno Linux shows, the sentence. */
#define MERCURY_ERRORS(E)                                                                           \
	E(OK, 0, "no error")                                                                        \
	E(BAD_CALL, EINVAL, "the VMM does not know this call: report it")                           \
	E(BAD_STATE, EIO,                                                                           \
	  "the call does not fit this CPU's state: unload the module, load it again")               \
	E(UNSUPPORTED, ENODEV, "this CPU cannot do it: see mercury check")                          \
	E(OWNED, EBUSY,                                                                             \
	  "VMX is owned by another (CR4.VMXE is set), KVM for instance: end its guests, unload it") \
	E(AUDIT, EIO, "the captured state would not pass VM entry: report it")                      \
	E(NO_MEMORY, ENOMEM,                                                                        \
	  "the VMM's page pool is exhausted: load the module with a larger snapshot_gib")           \
	E(VMXON, EIO, "VMXON failed: try again, then report it")                                    \
	E(VMCLEAR, EIO, "VMCLEAR failed: try again, then report it")                                \
	E(VMPTRLD, EIO, "VMPTRLD failed: try again, then report it")                                \
	E(VMWRITE, EIO, "VMWRITE failed: try again, then report it")                                \
	E(VMLAUNCH, EIO, "VMLAUNCH failed: try again, then report it")                              \
	E(ENTRY, EIO, "VM entry failed on the guest state: report it")                              \
	E(P2M, EIO, "the P2M is not the identity: end the snapshot, or report it")                  \
	E(FORCED, EIO,                                                                              \
	  "the VMM put this CPU back to native by itself; see the kernel log for why")              \
	E(FLUSH, EIO, "INVEPT or INVVPID failed: try again, then report it")                        \
	E(FAULT, EIO,                                                                               \
	  "the VMM failed in this call, see the kernel log: unload the module, load it again")      \
	E(BROKEN, EIO,                                                                              \
	  "the VMM has failed before, see the kernel log: unload the module, load it again")        \
	E(NO_ANSWER, ETIMEDOUT, "it did not answer an interrupt within a second; try again")        \
	E(LATE, EAGAIN, "the CPUs did not all stop in time: try again")                             \
	E(IN_USE, EBUSY, "a table of the P2M lies there: end the snapshot")

#define E(name, errno_, text) MERCURY_E_##name,
enum mercury_error { MERCURY_ERRORS(E) MERCURY_E_NR };
#undef E

/* --- The image ---------------------------------------------------------------------------------- */

/* First bytes of the image; segments are page aligned and contiguous from the window's base. */
struct mercury_header {
	mer_u64 magic;
	mer_u32 abi_version;
	mer_u32 crc32;       /* IEEE 802.3, of all bytes of the file that follow it               */
	mer_u64 file_size;   /* bytes in the file, header included                                */
	mer_u64 text_end;    /* [0, text_end) is mapped read, execute                             */
	mer_u64 rodata_end;  /* [text_end, rodata_end) read only                                  */
	mer_u64 memory_size; /* [rodata_end, memory_size) read, write; zero beyond file_size      */
	mer_u64 entry;       /* offset of the call entry                                          */
	mer_u64 boot;        /* offset of struct mercury_boot                                     */
};
MER_ASSERT_SIZE(mercury_header, 64);

/* --- What the module tells the VMM before MERCURY_CALL_INIT ------------------------------------- */

struct mercury_range {
	mer_u64 start; /* physical, bytes */
	mer_u64 end;
};

#define MERCURY_MAX_HIDDEN 2048 /* 2 MiB chunks, or single pages where no chunk was to be had */

struct mercury_boot {
	mer_u64 vmm_root;   /* physical address of the VMM's own PML4                             */
	mer_u64 gate_tail;  /* Linux virtual address where a leaving CPU lands                    */
	mer_u64 lost;       /* and of a function that never returns, for a CPU that cannot leave, */
	mer_u64 lost_stack; /* on the stack that ends here                                        */
	mer_u64 user_cr3;   /* bits of CR3 that are set on the user half of PTI only              */
	mer_u32 pool_pages; /* pages mapped at MERCURY_WINDOW_POOL                                */
	mer_u32 nr_hidden;
	mer_u32 backend; /* MERCURY_BACKEND_*                                                  */
	mer_u32 unused;
	struct mercury_range hidden[MERCURY_MAX_HIDDEN];
};
MER_ASSERT_OFFSET(mercury_boot, hidden, 56);

/* What only Linux knows of a CPU; passed with MERCURY_CALL_INIT_CPU. */
struct mercury_cpu_boot {
	mer_u64 gdt_rw;  /* Linux's writable alias of this CPU's GDT                              */
	mer_u64 root_pa; /* physical addresses of the pages in this CPU's slot                    */
	mer_u64 vmcs_pa;
	mer_u64 vmxon_pa;
};

/* --- What both see while Linux is virtual ------------------------------------------------------- */

#define MERCURY_EXIT_REASONS 80

/* What is counted in ring 1 in place of exit reasons: R(NAME, for people). */
/* clang-format off */
#define MERCURY_RING1_TRAPS(R)                                                                     \
	R(INTERRUPT, "interrupts") R(NMI, "NMIs") R(PAGE_FAULT, "page faults")                     \
	R(EXCEPTION, "exceptions") R(IRET, "IRET") R(SYSRET, "SYSRET") R(SWAPGS, "SWAPGS")         \
	R(RDMSR, "RDMSR") R(WRMSR, "WRMSR") R(CR, "control registers")                             \
	R(DR, "debug registers") R(TLB, "INVLPG, INVPCID") R(WAIT, "HLT, MWAIT")                   \
	R(AC, "STAC, CLAC") R(TABLES, "descriptor tables") R(XSTATE, "extended state")             \
	R(INT, "INT n") R(IO, "user ports") R(OTHER, "others") R(UNKNOWN, "unknown")
/* clang-format on */

#define R(name, text) MERCURY_RING1_##name,
enum mercury_ring1_trap { MERCURY_RING1_TRAPS(R) MERCURY_RING1_TRAP_NR };
#undef R
#define MERCURY_TEXT 200

/* A segment register with the part that no instruction shows, as the VMCS has it. */
struct mercury_segment {
	mer_u64 base;
	mer_u32 limit, access_rights, selector, unused;
};

/* GDTR or IDTR as Linux is to see it. */
struct mercury_table {
	mer_u64 base;
	mer_u32 limit, unused;
};

/* What a frame of Linux's maps to. Frame numbers count 4 KiB. */
struct mercury_page {
	mer_u64 mfn;    /* the machine's frame                                                    */
	mer_u32 order;  /* the mapping has 1 << order pages; or what the empty entry covers       */
	mer_u32 access; /* 1 read, 2 write, 4 execute; 0 and not mapped if `mapped` is 0          */
	mer_u32 type;   /* memory type                                                            */
	mer_u32 mapped;
};

/* In this order in mercury_cpu_shared.hidden. */
#define MERCURY_SEGMENTS(S) S(ES) S(CS) S(SS) S(DS) S(FS) S(GS) S(LDTR) S(TR)
#define MERCURY_SEGMENTS_NR 8

/*
 * Ring 1 where Linux's code is patched: what becomes of operations that no longer trap. Filled in by the
 * module while the CPU is native; Linux's addresses.
 */
struct mercury_ring1_patch {
	mer_u64 is_on;
	mer_u64 syscall_entry; /* where Linux goes on with a system call                          */
	mer_u64 scratch;       /* end of the 8 bytes where it then finds user space's RSP         */
	mer_u64 user_return;   /* where it asks for user space                                    */
	mer_u64 iret;          /* its own IRETQ to user space, for whose faults it has a handler  */
	mer_u64 user_cr3;   /* bits that CR3 has in user space only; 0: it is the same          */
	mer_u64 kernel_cr3; /* all others                                                      */
	mer_u64 noflush;    /* CR3.63, where there are PCIDs                                   */
	mer_u64 pcid_flush; /* address of the word of user PCIDs that want a flush; or 0       */
	mer_u64 hidden_cr4; /* bits of CR4 that are clear, and that Linux finds set            */
	mer_u32 swapped[8]; /* vectors whose handlers find Linux's GS base and CR3             */
};

/* What Linux has saved when it asks for user space: on top of its stack, the lowest first. */
struct mercury_ring1_saved {
	mer_u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
	mer_u64 rip, cs, rflags, rsp, ss;
};

/* One CPU's page. Written by the VMM; of the module's is the patch alone. */
struct mercury_cpu_shared {
	mer_u32 is_virtual; /* 1 while Linux runs virtual on this CPU                             */
	mer_u32 is_warm;    /* the backend's constant state is written                            */
	mer_u32 is_owned;   /* it is not, because VMX was owned by another                        */
	mer_u32 unused;
	mer_u64 error;           /* mercury_error of the last call that failed                    */
	mer_u64 detail;          /* VM-instruction error, exit reason, MSR ...: see text          */
	char text[MERCURY_TEXT]; /* the sentence for the user: what, why, what next               */
	mer_u64 exits[MERCURY_EXIT_REASONS]; /* VM exits by basic exit reason                     */
	mer_u64 nmis_in_root;   /* NMIs that arrived while the VMM ran                            */
	mer_u64 mcs_in_root;    /* machine checks that did                                        */
	mer_u64 dropped_writes; /* violations by writes to the hidden window                      */
	mer_u64 forced;         /* times this CPU went native without the call                    */
	mer_u64 asks_leave;     /* the VMM sends an NMI: leave virtual mode if still there        */
	struct mercury_segment hidden[MERCURY_SEGMENTS_NR];
	struct mercury_table gdtr, idtr; /* with hidden                                           */
	struct mercury_page page;
	mer_u64 unknown_rip; /* ring1: the last fault that the emulator did not know           */
	mer_u32 unknown_vector;
	mer_u8 unknown_bytes[20];
	mer_u64 stopped; /* TSC cycles for which the last snapshot stopped this CPU               */
	mer_u64 cr2;     /* ring1: of Linux's last page fault                                     */
	struct mercury_ring1_patch patch;
};

/* --- A snapshot: memory as it was at one instant ------------------------------------------------ */

#define MERCURY_SNAPSHOT_RAM 128

/* One page with its old content. The module lists them, 256 to a page; the VMM fills them in. */
struct mercury_kept {
	mer_u64 page;  /* physical address                                                        */
	mer_u64 frame; /* whose content it holds, with MERCURY_KEPT_VALID; 0 before               */
};
#define MERCURY_KEPT_VALID (1ULL << 63)
#define MERCURY_KEPT_PER_PAGE (MERCURY_PAGE_SIZE / sizeof(struct mercury_kept))
#define MERCURY_KEPT_MAX (MERCURY_PAGE_SIZE / sizeof(mer_u64) * MERCURY_KEPT_PER_PAGE)

enum mercury_snapshot_phase {
	MERCURY_SNAPSHOT_NONE,
	MERCURY_SNAPSHOT_GATHERS, /* CPUs come and wait for each other                            */
	MERCURY_SNAPSHOT_FREEZES, /* all are there; the last one is at it                         */
	MERCURY_SNAPSHOT_LATE,    /* one did not come in time; all go on                          */
	MERCURY_SNAPSHOT_FROZEN,  /* from the instant on                                          */
	MERCURY_SNAPSHOT_FULL,    /* over: no page, or no table, was left for an old content      */
	MERCURY_SNAPSHOT_BROKEN,  /* over: a CPU went native by itself, or a list was not good    */
};

struct mercury_snapshot {
	/* The module's. Read by the VMM once, by the CPU that freezes. */
	mer_u64 directory; /* physical address of a page of physical addresses of lists           */
	mer_u64 bound;     /* TSC cycles that a CPU waits for the others                          */
	mer_u64 patience;  /* TSC cycles that writers wait for the reader when all pages are used */
	mer_u32 kept_max;  /* pages that are listed                                               */
	mer_u32 cpus;      /* that will come                                                      */
	mer_u32 unprotected; /* 1: for tests, freeze nothing                                      */
	mer_u32 nr_ram;
	struct mercury_range ram[MERCURY_SNAPSHOT_RAM]; /* the rest is devices'                   */

	/*
	 * What can be written freely: below `frontier`, up to where all has been read, which the module
	 * raises meanwhile; and from `end` on, which nobody wants to read.
	 */
	mer_u64 frontier, end;

	/* The VMM's. */
	mer_u32 phase; /* enum mercury_snapshot_phase; the module sets NONE and GATHERS           */
	mer_u32 arrived;
	mer_u32 kept; /* pages taken, in the order of the lists                                   */
	mer_u32 tables_peak; /* pages of the P2M's pool in use, the most                          */
	mer_u32 is_frozen; /* from the instant on, until all is thawed                            */
	mer_u32 unused;
	mer_u64 faults;  /* first writes                                                          */
	mer_u64 stalled; /* times that one had to wait                                            */
	mer_u64 first, last; /* TSC when the first and when the last CPU had stopped              */
};
_Static_assert(sizeof(struct mercury_snapshot) <= MERCURY_PAGE_SIZE, "a page of its own");

#define MERCURY_LOG_SIZE 12288
#define MERCURY_LOG_ALARM "!" /* a line of the log that begins so is an alarm */

/* The machine's pages: facts, and a ring of text that survives the VMM. */
struct mercury_shared {
	mer_u64 log_head; /* bytes ever written; the ring holds the last MERCURY_LOG_SIZE         */
	mer_u32 uses_ept;
	mer_u32 uses_vpid;
	mer_u32 pool_used; /* pages */
	mer_u32 initialised;
	char log[MERCURY_LOG_SIZE];
};

#define MERCURY_SHARED_PAGES                                                                       \
	((sizeof(struct mercury_shared) + MERCURY_PAGE_SIZE - 1) / MERCURY_PAGE_SIZE)

_Static_assert(sizeof(struct mercury_cpu_shared) <= MERCURY_PAGE_SIZE, "one page for each CPU");
_Static_assert(MERCURY_MAX_CPUS == 1024, "the CPU slots fill the window's second half");

#endif /* __ASSEMBLER__ */
#endif /* ABI_MERCURY_H */
