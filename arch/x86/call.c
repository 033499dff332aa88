// SPDX-License-Identifier: GPL-2.0-only
/* The calls, one function each, and the table that finds them. */
#include <stddef.h>

#include "apic.h"
#include "call.h"
#include "fatal.h"
#include "insn.h"
#include "lend.h"
#include "mercury/console.h"
#include "mercury/machine.h"
#include "mercury/pool.h"
#include "mercury/snapshot.h"
#include "mercury/switch.h"
#include "native/lost.h"
#include "native/native.h"
#include "ring1/ring1.h"
#include "trap.h"
#include "vmx/event.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"
#include "window.h"
#include "x86/vector.h"

struct mercury_boot mercury_boot;
struct p2m machine_p2m;

/* The ways of running Linux virtual; the module chose one when it loaded. */
static const struct backend {
	const struct vo *vo;
	enum mercury_error (*p2m_init)(struct cpu *cpu, struct p2m *p2m); /* NULL: it has none    */
	void (*read_hidden)(struct cpu *cpu, struct mercury_cpu_shared *shared);
	void (*read_state)(struct cpu *cpu, struct state *state);
	/* Is one of Linux's? It would be lost with the delivery. */
	bool (*event_in_delivery)(struct cpu *cpu, struct event *event);
	void (*take_back)(struct cpu *cpu); /* events that this way holds back; NULL: it does not */
	void (*stop)(struct cpu *cpu); /* see vmm_stop_virtual()                                  */
} backends[MERCURY_BACKEND_NR] = {
	[MERCURY_BACKEND_VMX] = { &vo_vmx, vmx_p2m_init, vmx_read_hidden, vmcs_read_state,
				  event_in_delivery, event_take_back, vmx_stop },
	[MERCURY_BACKEND_RING1] = { &vo_ring1, NULL, ring1_read_hidden, ring1_read_state,
				    ring1_event_in_delivery, NULL, ring1_stop },
};

static const struct backend *chosen(void)
{
	return &backends[mercury_boot.backend];
}

static enum mercury_error call_init(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);

	(void)cpu, (void)arg0, (void)arg1;
	if (shared->initialised || mercury_boot.backend >= MERCURY_BACKEND_NR)
		return MERCURY_E_BAD_STATE;
	console_init(shared);
	trap_init();
	pool_init(window_at(MERCURY_WINDOW_POOL), window_ptes(MERCURY_WINDOW_POOL),
		  mercury_boot.pool_pages);
	snapshot_init(window_at(MERCURY_WINDOW_SNAPSHOT), &machine_p2m);
	shared->initialised = 1;
	return MERCURY_E_OK;
}

static enum mercury_error call_init_cpu(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	/* Again, for a CPU that comes back: what was built for it is not relied on. */
	if (cpu->mode != MODE_COLD && cpu->mode != MODE_NATIVE)
		chosen()->vo->discard(cpu);
	cpu_init(cpu, (uint32_t)arg0, (const struct mercury_cpu_boot *)arg1);
	native_capture_home(cpu);
	return MERCURY_E_OK;
}

static void publish_pool(void)
{
	struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);

	shared->pool_used = pool_used();
}

/* The P2M comes into being with the first range: only then is it known whether there is one. */
static enum mercury_error call_map(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	enum mercury_error error = MERCURY_E_OK;

	if (!chosen()->p2m_init)
		return MERCURY_E_UNSUPPORTED;
	if (!machine_p2m.root)
		error = chosen()->p2m_init(cpu, &machine_p2m);
	if (!error)
		error = p2m_map_identity(&machine_p2m, arg0, arg1);
	publish_pool();
	return error;
}

static enum mercury_error call_hide(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	enum mercury_error error = MERCURY_E_OK;
	uint32_t i;

	(void)cpu, (void)arg0, (void)arg1;
	for (i = 0; i < mercury_boot.nr_hidden && !error; i++)
		error = p2m_hide(&machine_p2m, mercury_boot.hidden[i].start,
				 mercury_boot.hidden[i].end);
	publish_pool();
	return error;
}

static enum mercury_error call_prepare(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	enum mercury_error error = chosen()->vo->probe(cpu);

	(void)arg0, (void)arg1;
	return error ? error : chosen()->vo->prepare(cpu);
}

static enum mercury_error call_audit(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)arg0, (void)arg1;
	return switch_vote(cpu, &cpu->entering, &vo_native, chosen()->vo);
}

static enum mercury_error call_discard(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)cpu, (void)arg0, (void)arg1;
	return MERCURY_E_OK;
}

static enum mercury_error call_enter(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)arg0, (void)arg1;
	cpu->returns = &cpu->entering;
	return switch_execute(cpu, &cpu->entering, &vo_native, chosen()->vo);
}

static enum mercury_error call_leave(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)arg0, (void)arg1;
	if (machine_p2m.root && !p2m_is_identity(&machine_p2m))
		return cpu_refuse(
			cpu, MERCURY_E_P2M, machine_p2m.foreign,
			"%lu pages of the P2M are not the identity; end the snapshot, or report it",
			machine_p2m.foreign);
	/* The module ends a snapshot first; a CPU that has to leave now writes unseen. */
	snapshot_break();
	cpu->returns = &cpu->leaving;
	return switch_execute(cpu, &cpu->leaving, chosen()->vo, &vo_native);
}

static enum mercury_error call_hidden(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)arg0, (void)arg1;
	chosen()->read_hidden(cpu, cpu_shared(cpu));
	return MERCURY_E_OK;
}

static enum mercury_error call_lookup(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	struct mercury_page *out = &cpu_shared(cpu)->page;
	struct p2m_page page;

	(void)arg1;
	if (!machine_p2m.root)
		return MERCURY_E_UNSUPPORTED;
	*out = (struct mercury_page){ .mapped = p2m_lookup(&machine_p2m, arg0, &page) };
	out->order = page.order;
	if (out->mapped) {
		out->mfn = page.mfn;
		out->access = page.access;
		out->type = page.type;
	}
	return MERCURY_E_OK;
}

static enum mercury_error call_freeze(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	uint64_t stopped = 0;
	enum mercury_error error = snapshot_stop(cpu, &stopped);

	(void)arg0, (void)arg1;
	cpu_shared(cpu)->stopped = stopped;
	return error;
}

static enum mercury_error call_thaw(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)cpu, (void)arg0, (void)arg1;
	snapshot_thaw();
	return MERCURY_E_OK;
}

static enum mercury_error call_flush(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)arg0, (void)arg1;
	/* Natively there is no VMX operation to flush in, and nothing is used of what was cached. */
	if (cpu->mode != MODE_VIRTUAL)
		return MERCURY_E_OK;
	/* What was lent, of the VMM's own mappings. */
	insn_write_cr3(insn_read_cr3());
	return machine_flush() ? MERCURY_E_OK : MERCURY_E_FLUSH;
}

static enum mercury_error call_reclaim(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)cpu, (void)arg0, (void)arg1;
	pool_reclaim();
	publish_pool();
	return MERCURY_E_OK;
}

static enum mercury_error call_lend(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)cpu, (void)arg1;
	return lend_chunk(arg0);
}

static enum mercury_error call_give_back(struct cpu *cpu, uint64_t arg0, uint64_t arg1)
{
	(void)cpu, (void)arg0, (void)arg1;
	return lend_give_back();
}

static enum mercury_error (*const calls[MERCURY_CALL_NR])(struct cpu *, uint64_t, uint64_t) = {
	[MERCURY_CALL_INIT] = call_init,       [MERCURY_CALL_INIT_CPU] = call_init_cpu,
	[MERCURY_CALL_MAP] = call_map,         [MERCURY_CALL_HIDE] = call_hide,
	[MERCURY_CALL_PREPARE] = call_prepare, [MERCURY_CALL_AUDIT] = call_audit,
	[MERCURY_CALL_DISCARD] = call_discard, [MERCURY_CALL_ENTER] = call_enter,
	[MERCURY_CALL_LEAVE] = call_leave,     [MERCURY_CALL_HIDDEN] = call_hidden,
	[MERCURY_CALL_LOOKUP] = call_lookup,   [MERCURY_CALL_FREEZE] = call_freeze,
	[MERCURY_CALL_THAW] = call_thaw,       [MERCURY_CALL_RECLAIM] = call_reclaim,
	[MERCURY_CALL_LEND] = call_lend,       [MERCURY_CALL_GIVE_BACK] = call_give_back,
	[MERCURY_CALL_FLUSH] = call_flush,
};

/* What a VMM that has failed still does. */
static bool leads_out(enum mercury_call call)
{
	return call == MERCURY_CALL_LEAVE || call == MERCURY_CALL_DISCARD ||
	       call == MERCURY_CALL_HIDDEN;
}

enum mercury_error vmm_dispatch(struct cpu *cpu, enum mercury_call call, uint64_t arg0,
				uint64_t arg1)
{
	enum mode before = cpu->mode;
	enum mercury_error error;

	if ((unsigned int)call >= MERCURY_CALL_NR)
		return MERCURY_E_BAD_CALL;
	if (!mode_allows(before, call))
		return MERCURY_E_BAD_STATE;
	if (vmm_is_broken() && !leads_out(call))
		return cpu_refuse(cpu, MERCURY_E_BROKEN, 0, "%s",
				  "the VMM has failed before, see the kernel log: unload the module, "
				  "load it again");
	/* Entering does not come back here: what is true after it is set before. */
	if (call == MERCURY_CALL_ENTER)
		cpu->mode = mode_after(before, call);
	error = calls[call](cpu, arg0, arg1);
	cpu->mode = error ? mode_after_failure(before, call) : mode_after(before, call);
	return error;
}

/*
 * The tail cannot return to user space: from there Linux stands at an event's handler, its NMI handler's
 * if nothing else was on its way. At CPL 0 the tail itself raises an NMI.
 */
static bool takes_event(struct cpu *cpu, const struct state *s, struct event *event)
{
	bool interrupted = chosen()->event_in_delivery(cpu, event);

	if (state_is_user(s)) {
		if (!interrupted)
			*event = (struct event){ .vector = VECTOR_NMI };
		return true;
	}
	return interrupted && event->vector != VECTOR_NMI;
}

void vmm_force_native(struct cpu *cpu)
{
	struct state *s = &cpu->leaving;
	struct event event = { 0 };
	bool takes;

	/* What is not read has not changed since: the TSS, for one. */
	*s = cpu->entering;
	chosen()->read_state(cpu, s);
	cpu->returns = s;
	s->returns_result = false;
	takes = takes_event(cpu, s, &event);
	if (!native_can_return(cpu, s, takes ? &event : NULL)) {
		console_line("cpu %u: cr3 %lx does not map the way to native, an NMI is to do it: report it if it does not",
			     cpu->index, s->cr3);
		return;
	}
	/* What it writes then is not seen. */
	snapshot_break();
	/* A leave by command would be refused; here there is no choice, but it shall be known. */
	if (machine_p2m.root && !p2m_is_identity(&machine_p2m))
		console_line("cpu %u: goes native though %lu pages of the P2M are not the identity; report it",
			     cpu->index, machine_p2m.foreign);
	cpu_shared(cpu)->forced++;
	cpu_shared(cpu)->asks_leave = s->takes_nmi;
	if (chosen()->take_back)
		chosen()->take_back(cpu);
	if (event.vector == VECTOR_NMI)
		__atomic_or_fetch(&cpu->pending, PENDING_NMI, __ATOMIC_RELAXED);
	chosen()->vo->leave(cpu);
	vo_native.load(cpu, s);
	insn_stop();
}

void vmm_stop_virtual(struct cpu *cpu)
{
	chosen()->stop(cpu);
}

static void vmm_leave(struct cpu *cpu)
{
	chosen()->vo->leave(cpu);
	cpu_shared(cpu)->is_virtual = 0;
	cpu->mode = MODE_PREPARED;
}

_Noreturn void vmm_take_init(struct cpu *cpu)
{
	vmm_leave(cpu);
	apic_init_self(cpu);
	insn_stop();
}

_Noreturn void vmm_shut_down(struct cpu *cpu)
{
	vmm_leave(cpu);
	insn_shut_down();
}

_Noreturn void vmm_enter_failed(struct cpu *cpu)
{
	chosen()->vo->leave(cpu);
	state_set_result(cpu->returns, MERCURY_E_ENTRY);
	vo_native.load(cpu, cpu->returns);
	insn_stop();
}
