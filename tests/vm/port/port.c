// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test port, called before each operation of the hardware port (port.asm): counts it and carries
 * out what this CPU's page plans. Touches the machine by memory only: it must not call itself.
 */
#include <stdbool.h>

#include "cpu.h"
#include "port.h"
#include "window.h"
#include "x86/apic.h"
#include "x86/paging.h"

#define O(name, fails, value) value,
static const signed char value_argument[PORT_OPERATIONS_NR] = { PORT_OPERATIONS(O) };
#undef O

/* As port_check in port.asm pushes it. */
struct port_frame {
	uint64_t flags, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t back; /* behind the call: the operation's number, then the short jumps */
};

#define NUMBER_BYTES 4
#define JUMP_BYTES 2

/* --- The local APIC ----------------------------------------------------------------------------- */

extern uint32_t port_apic[]; /* port.mk: an unused page of the window */

static uint32_t read_apic(unsigned int offset)
{
	return __atomic_load_n(&port_apic[offset / sizeof(*port_apic)], __ATOMIC_SEQ_CST);
}

/* Map it, uncached, and name this CPU as the destination; the caller writes the rest of the ICR. */
static void prepare_nmi(const struct port_plan *plan)
{
	uint64_t flags = PAGING_P | PAGING_RW | PAGING_A | PAGING_D | PAGING_PCD | PAGING_PWT;

	*window_ptes((uint64_t)port_apic - MERCURY_WINDOW_BASE) = plan->apic | flags | PAGING_XD;
	while (read_apic(APIC_ICR_LOW) & APIC_ICR_PENDING)
		;
	__atomic_store_n(&port_apic[APIC_ICR_HIGH / sizeof(*port_apic)],
			 read_apic(APIC_ID) & APIC_DESTINATION, __ATOMIC_SEQ_CST);
}

/* --- The plan ----------------------------------------------------------------------------------- */

static struct port_cpu *this_cpu(const void *stack)
{
	return cpu_slot(cpu_of_stack((uint64_t)stack), MERCURY_CPU_SHARED + PORT_CPU_OFFSET);
}

/* The action for this call. */
static enum port_action look_up(struct port_plan *plan, uint32_t operation,
				const struct port_frame *frame)
{
	uint32_t action = __atomic_load_n(&plan->action, __ATOMIC_ACQUIRE);

	if (action == PORT_GO_ON || plan->operation != operation ||
	    (plan->filters && plan->filter != (uint32_t)frame->rdi) || ++plan->seen != plan->nth)
		return PORT_GO_ON;
	plan->fired = 1;
	return action;
}

static void change_value(struct port_frame *frame, uint32_t operation, const struct port_plan *plan)
{
	uint64_t *value = value_argument[operation] ? &frame->rsi : &frame->rdi;

	if (plan->action == PORT_AND)
		*value &= plan->mask;
	else
		*value |= plan->mask;
}

void port_operation(struct port_frame *frame);

void port_operation(struct port_frame *frame)
{
	uint32_t operation = *(const uint32_t *)frame->back;
	struct port_cpu *port = this_cpu(frame);
	enum port_action action;

	port->count[operation]++;
	action = look_up(&port->plan, operation, frame);
	if (action == PORT_NMI) {
		prepare_nmi(&port->plan);
		port->nmis++;
		port->exits_at_nmi = port->count[PORT_vmexit_entry];
	}
	port->mcs += action == PORT_MC;
	if (action > PORT_MC) {
		change_value(frame, operation, &port->plan);
		action = PORT_GO_ON;
	}
	frame->back += NUMBER_BYTES + JUMP_BYTES * action;
}
