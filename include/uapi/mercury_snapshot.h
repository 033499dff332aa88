/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/mercury-snapshot: the memory of the running machine as it was at one instant. One snapshot at a
 * time, held by one open file; closing it ends it.
 *
 *	open()		EBUSY: another holds it
 *	START		the instant. Linux must be virtual
 *	RANGES, CPU	what there is to read, and the registers of each CPU as they were then
 *	pread()		the offset is a physical address; memory as it was at the instant, from within one
 *			range. Pages that are read whole, in ascending order from START's `from`, are given
 *			up: ESPIPE if they are read again. ENODATA: not begun, or beyond the ranges; ENOSPC:
 *			the pool is full, the snapshot is over; ECANCELED: it was ended, since the mode
 *			changes or the module goes; EIO: the VMM failed, or a CPU went native
 *			by itself
 *	GIVE_UP		what lies below this physical address, of a whole page (EINVAL), as if it had been read
 *	STATS		counts, also when it is over
 *
 * GIVE_UP, RANGES, CPU and STATS give ENODATA before START has succeeded.
 */
#ifndef UAPI_MERCURY_SNAPSHOT_H
#define UAPI_MERCURY_SNAPSHOT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MERCURY_SNAPSHOT_DEVICE "/dev/mercury-snapshot"

/* What happens to a writer when no page is left to keep old contents in. */
enum {
	MERCURY_SNAPSHOT_ABORT, /* the snapshot is over, the writer goes on                       */
	MERCURY_SNAPSHOT_STALL, /* it waits for the reader, stall_ms at most, then as above       */
};

struct mercury_snapshot_start {
	__u64 pool_bytes; /* for old contents; 0: as much as the module thinks right              */
	__u64 from, to;   /* what is wanted lies between these addresses; 0, 0: anywhere          */
	__u32 on_full;    /* MERCURY_SNAPSHOT_ABORT, _STALL                                       */
	__u32 stall_ms;
	__u32 attempts; /* to stop all CPUs; 0: as many as the module thinks right                */
	__u32 unprotected; /* 1: for tests alone, nothing is protected: the image is torn         */
	__u32 no_tables; /* 1: for tests alone, no tables but those set aside at load             */
	__u32 reserved;  /* 0                                                                   */
};

/* A range of RAM, physical bytes, whole pages; none of the VMM's own pages lies in one. */
struct mercury_snapshot_range {
	__u64 start, end;
};

struct mercury_snapshot_ranges {
	__u64 ranges; /* pointer to an array of struct mercury_snapshot_range                     */
	__u32 room;   /* in: entries of it                                                        */
	__u32 count;  /* out: entries there are; more than room: only room were filled in         */
	__u64 direct_map; /* out: Linux's virtual address of physical address 0                   */
};

/* One CPU, in the order of an ELF core file's registers (struct user_regs_struct). */
struct mercury_snapshot_cpu {
	__u32 cpu; /* in: its number; ENOENT: it was offline                                      */
	__u32 pid; /* what ran there                                                              */
	__u64 regs[27];
};

struct mercury_snapshot_stats {
	__u64 instant_ns;  /* CLOCK_REALTIME                                                    */
	__u64 tsc_khz;     /* of the cycles below                                               */
	__u64 stop_median; /* cycles for which a CPU was stopped                                */
	__u64 stop_max;
	__u64 skew;       /* cycles between the first and the last CPU that was stopped        */
	__u64 faults;     /* writes that found a page protected                                */
	__u64 copied;     /* pages whose old content was kept                                  */
	__u64 pool_pages; /* for old contents                                                  */
	__u64 pool_peak;
	__u64 table_pages; /* of the P2M's pool                                                 */
	__u64 table_peak;
	__u64 stalled; /* times that a writer had to wait                                   */
	__u32 cpus;
	__u32 retries; /* times that a CPU did not stop in time                             */
};

#define MERCURY_SNAPSHOT_START _IOW('m', 0x50, struct mercury_snapshot_start)
#define MERCURY_SNAPSHOT_RANGES _IOWR('m', 0x51, struct mercury_snapshot_ranges)
#define MERCURY_SNAPSHOT_CPU _IOWR('m', 0x52, struct mercury_snapshot_cpu)
#define MERCURY_SNAPSHOT_STATS _IOR('m', 0x53, struct mercury_snapshot_stats)
#define MERCURY_SNAPSHOT_GIVE_UP _IOW('m', 0x54, __u64)

#endif
