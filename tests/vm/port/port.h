/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test port (in the image) and mercury-port.ko (in Linux) share: in each CPU's page of the
 * ABI, behind struct mercury_cpu_shared, what the CPU is to do and what it has done.
 */
#ifndef TESTS_VM_PORT_H
#define TESTS_VM_PORT_H

#include "abi/mercury.h"
#include "operations.h"

#define O(name, fails, value) PORT_##name,
enum port_operation { PORT_OPERATIONS(O) PORT_OPERATIONS_NR };
#undef O

/* What comes of a call; the first four are the order of the jumps in point.inc. */
enum port_action {
	PORT_GO_ON, /* the operation as it is                                                     */
	PORT_FAIL,  /* it is not executed and returns false                                       */
	PORT_NMI,   /* an NMI to this CPU right before it                                         */
	PORT_MC,    /* a machine check right before it, by INT 18                                 */
	PORT_AND,   /* its value is masked                                                        */
	PORT_OR,    /* bits are set in it                                                         */
};

/* One action for one call. Written by Linux, `action` last; `seen` and `fired` by the port. */
struct port_plan {
	mer_u32 action;    /* enum port_action; PORT_GO_ON: no plan                               */
	mer_u32 operation; /* enum port_operation                                                 */
	mer_u64 nth;       /* which of the calls that match, from 1                               */
	mer_u32 filters;   /* match only calls whose first argument ...                           */
	mer_u32 filter;    /* ... is this: a VMCS field, an MSR, a leaf                           */
	mer_u64 mask;      /* PORT_AND, PORT_OR                                                   */
	mer_u64 apic;      /* PORT_NMI: its physical address                                      */
	mer_u64 seen;      /* calls that matched                                                  */
	mer_u64 fired;     /* 1 if it was carried out                                             */
};

struct port_cpu {
	struct port_plan plan;
	mer_u64 nmis, mcs;                 /* this CPU brought upon itself                        */
	mer_u64 exits_at_nmi;              /* count[PORT_vmexit_entry] at the last NMI            */
	mer_u64 count[PORT_OPERATIONS_NR]; /* calls since the module was loaded                   */
};

#define PORT_CPU_OFFSET 0x800

_Static_assert(sizeof(struct mercury_cpu_shared) <= PORT_CPU_OFFSET, "behind the ABI's part");
_Static_assert(PORT_CPU_OFFSET + sizeof(struct port_cpu) <= MERCURY_PAGE_SIZE, "in the page");

#endif
