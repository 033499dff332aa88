// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test port, called before each operation of the hardware port (port.asm): counts it and carries
 * out what this CPU's page plans. Touches the machine by memory only: it must not call itself.
 */
#include <stdbool.h>

#include "cpu.h"
#include "port.h"
#include "window.h"
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

/* SDM vol. 3, 11.4.1, The Local APIC Block Diagram, with the register address map */
#define APIC_BASE 0xfee00000
#define APIC_ID 0x20
#define APIC_ICR_HIGH 0x310

extern volatile uint8_t port_apic[]; /* port.mk: an unused page of the window */

static volatile uint32_t *apic(uint64_t reg)
{
	return (volatile uint32_t *)(port_apic + reg);
}

/* Map it, uncached, and name this CPU as the destination; the caller writes the rest of the ICR. */
static void prepare_nmi(void)
{
	*window_ptes((uint64_t)port_apic - MERCURY_WINDOW_BASE) = APIC_BASE | PAGING_P | PAGING_RW |
								  PAGING_A | PAGING_D | PAGING_PCD |
								  PAGING_PWT | PAGING_XD;
	*apic(APIC_ICR_HIGH) = *apic(APIC_ID);
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
		prepare_nmi();
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
