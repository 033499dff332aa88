/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The table of a kernel's sites: where its code has an operation of which ring 1 has an implementation of
 * its own. mercury-sites makes it from the kernel's image, for exactly that kernel; the module reads it as
 * /lib/firmware/mercury/RELEASE.sites. Little endian.
 */
#ifndef _UAPI_MERCURY_SITES_H
#define _UAPI_MERCURY_SITES_H

#include <linux/types.h>

#define MERCURY_SITES_MAGIC 0x5345544953524d03ULL
#define MERCURY_SITES_BUILD_ID 20
#define MERCURY_SITE_BYTES 12
#define MERCURY_SITES_MAX 4096

enum mercury_site_kind {
	MERCURY_SITE_AC,             /* STAC, CLAC                                                */
	MERCURY_SITE_READ_CR2,       /* MOV RAX, CR2, in place of a call                          */
	MERCURY_SITE_WRITE_CR3,      /* MOV CR3, RDI, in place of a call                          */
	MERCURY_SITE_READ_GS,        /* SWAPGS, RDGSBASE RAX, SWAPGS                              */
	MERCURY_SITE_WRITE_GS,       /* SWAPGS, WRGSBASE RDI, SWAPGS                              */
	MERCURY_SITE_USER_ENTRY,     /* error_entry: SWAPGS and the switch of CR3; target: behind */
	MERCURY_SITE_KERNEL_ENTRY,   /* error_entry, from the kernel: LEA RAX, [RSP + 8]        */
	MERCURY_SITE_SYSCALL_RETURN, /* behind do_syscall_64()                                    */
	MERCURY_SITE_USER_RETURN,    /* swapgs_restore_regs_and_return_to_usermode                */
	MERCURY_SITE_KERNEL_RETURN,  /* restore_regs_and_return_to_kernel; target: its IRETQ      */
	/* Nothing is written there. */
	MERCURY_SITE_SYSCALL_ENTRY, /* entry_SYSCALL_64, behind the switch of CR3                */
	MERCURY_SITE_ERROR_CALL,    /* call of error_entry, by the entry of a vector             */
	MERCURY_SITE_CAVE, /* xen_error_entry, which never runs; target: its CRC-32               */
	MERCURY_SITE_PCID_FLUSH, /* BT on the per-CPU word of user PCIDs that want a flush    */
	MERCURY_SITE_KINDS
};

/* Of the entry code that is mapped in user space too, and never runs: the cave. */
#define MERCURY_CAVE_BYTES 67

/* The longer of its two forms. */
#define MERCURY_PCID_FLUSH_BYTES 10

struct mercury_site {
	__u32 offset; /* from the first byte of .text                                             */
	__u32 target; /* where it goes on, likewise; or 0                                         */
	__u8 kind;    /* enum mercury_site_kind                                                   */
	__u8 length;  /* of the bytes that may be written                                         */
	__u8 old[MERCURY_SITE_BYTES]; /* as they are on a processor that has the operation        */
	__u8 pad[2];
};

/* struct mercury_site follow, ascending, none in another. */
struct mercury_sites {
	__u64 magic;
	__u32 count;
	__u32 crc; /* CRC-32 of all that follows this                                            */
	__u8 build_id[MERCURY_SITES_BUILD_ID]; /* of the kernel, from its ELF note                */
	__u8 pad[4];
};

#endif
