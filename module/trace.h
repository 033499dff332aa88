/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints, in tracefs under events/mercury: what perf, trace-cmd and bpftrace see of us. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mercury

#if !defined(MERCURY_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MERCURY_TRACE_H

#include <linux/tracepoint.h>

#include "mercury.h"

/* Who reads the raw records knows no name of an enum: the kernel puts the number in its place. */
TRACE_DEFINE_ENUM(MERCURY_VIRTUAL);

#define show_mercury_mode(field) (__entry->field == MERCURY_VIRTUAL ? "virtual" : "native")

/* clang-format off */

/* A command, or a hold or a release, has ended: the machine is in `mode`. */
TRACE_EVENT(mercury_mode,
	TP_PROTO(enum mercury_mode wanted, enum mercury_mode mode, unsigned int cpus, int error, u64 ns),
	TP_ARGS(wanted, mode, cpus, error, ns),
	TP_STRUCT__entry(
		__field(u32, wanted)
		__field(u32, mode)
		__field(u32, cpus)
		__field(s32, error)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->wanted = wanted;
		__entry->mode = mode;
		__entry->cpus = cpus;
		__entry->error = error;
		__entry->ns = ns;
	),
	TP_printk("mode=%s wanted=%s cpus=%u error=%d ns=%llu", show_mercury_mode(mode),
		  show_mercury_mode(wanted), __entry->cpus, __entry->error, __entry->ns)
);

/* This CPU has switched: TSC cycles with interrupts off, as in /proc/mercury. */
TRACE_EVENT(mercury_cpu,
	TP_PROTO(enum mercury_mode mode, u64 cycles),
	TP_ARGS(mode, cycles),
	TP_STRUCT__entry(
		__field(u32, mode)
		__field(u64, cycles)
	),
	TP_fast_assign(
		__entry->mode = mode;
		__entry->cycles = cycles;
	),
	TP_printk("mode=%s cycles=%llu", show_mercury_mode(mode), __entry->cycles)
);

/* CPUs were found that went native by themselves; the others follow. */
TRACE_EVENT(mercury_forced,
	TP_PROTO(unsigned int cpus, unsigned int online),
	TP_ARGS(cpus, online),
	TP_STRUCT__entry(
		__field(u32, cpus)
		__field(u32, online)
	),
	TP_fast_assign(
		__entry->cpus = cpus;
		__entry->online = online;
	),
	TP_printk("cpus=%u online=%u", __entry->cpus, __entry->online)
);

/* All CPUs stopped and memory is protected, or error says why not; skew in TSC cycles. */
TRACE_EVENT(mercury_snapshot_begin,
	TP_PROTO(unsigned int cpus, unsigned int retries, u64 skew, int error),
	TP_ARGS(cpus, retries, skew, error),
	TP_STRUCT__entry(
		__field(u32, cpus)
		__field(u32, retries)
		__field(s32, error)
		__field(u64, skew)
	),
	TP_fast_assign(
		__entry->cpus = cpus;
		__entry->retries = retries;
		__entry->error = error;
		__entry->skew = skew;
	),
	TP_printk("cpus=%u retries=%u skew=%llu error=%d", __entry->cpus, __entry->retries,
		  __entry->skew, __entry->error)
);

/* Nothing is protected any more. */
TRACE_EVENT(mercury_snapshot_end,
	TP_PROTO(u64 faults, u64 copied),
	TP_ARGS(faults, copied),
	TP_STRUCT__entry(
		__field(u64, faults)
		__field(u64, copied)
	),
	TP_fast_assign(
		__entry->faults = faults;
		__entry->copied = copied;
	),
	TP_printk("faults=%llu copied=%llu", __entry->faults, __entry->copied)
);

/* clang-format on */

#endif

/* What the kernel's own headers read this one by; its name is as they want it. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
