/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's own interfaces: one section for each of its files. */
#ifndef MODULE_MERCURY_H
#define MODULE_MERCURY_H

#include <linux/cpumask.h>
#include <linux/smp.h>
#include <linux/types.h>

#include "abi/mercury.h"

struct device;
struct seq_file;

#undef pr_fmt
#define pr_fmt(fmt) "mercury: " fmt

/* --- main.c: the parameters --------------------------------------------------------------------- */

bool mercury_ept_wanted(void);
bool mercury_patch_wanted(void);

/* Bytes of RAM for whose pages a snapshot has tables. */
u64 mercury_snapshot_ram(void);

/* Is there a backend in use? Its name, or "none". */
bool mercury_usable(void);
const char *mercury_backend(void);

/* --- backend.c: the ways of running Linux virtual ------------------------------------------------ */

struct mercury_backend {
	const char *name;
	const char *title;  /* in messages */
	const char *nature; /* what status says of it, where it is not the ordinary */
	enum mercury_backend_id id;
	bool takes_vmxe;           /* CR4.VMXE is set while virtual */
	unsigned long flags_shown; /* bits of RFLAGS that Linux sees otherwise while virtual */

	/* At load and unload. 0 or -errno, the reason noted and logged. */
	int (*start)(void);
	void (*stop)(void);

	/* All CPUs native, virtual mode is asked for; without the hotplug lock. NULL: nothing. */
	void (*prepare)(void);

	/* Before the first CPU is virtual, and after the last; the second may come without the first. */
	int (*open)(void);
	void (*close)(void);

	u64 (*call)(u64 call, u64 arg0, u64 arg1); /* into the VMM, while virtual */

	/* Enter and leave on all CPUs, under the hotplug lock; NULL: by IPI, none waits for another. */
	void (*on_each_cpu)(smp_call_func_t work, bool to_virtual);

	/* On each CPU, native, interrupts off: it is about to enter; it has left, or did not enter. */
	void (*enters)(void);
	void (*left)(void);

	/* Bits of CR4 that are clear on this CPU and should not be, for now; NULL: none. */
	u64 (*hidden_cr4)(void);

	/* Lines of status; NULL: none. */
	void (*show)(struct seq_file *m);

	const char *counts; /* what mercury_cpu_shared.exits counts, and each by name */
	const char *(*count_name)(unsigned int i);
};

/* All of them, the best first; NULL ends. */
extern const struct mercury_backend *const mercury_backends[];

/* The one that is being started or in use. */
const struct mercury_backend *mercury_chosen(void);
void mercury_choose(const struct mercury_backend *backend);

/* ring1.c */
extern const struct mercury_backend mercury_ring1;

/* --- image.c: the VMM image embedded in the module ---------------------------------------------- */

extern const u8 mercury_image[], mercury_image_end[]; /* gone after init */

/* The embedded image's header; NULL if it is damaged or of another ABI, with the reason logged. */
const struct mercury_header *mercury_image_check(void);

/* --- window.c: the VMM's memory and its address space ------------------------------------------- */

struct mercury_memory {
	u64 used, allocated;          /* bytes */
	u64 per_cpu;                  /* of those used, each possible CPU's part */
	unsigned int chunks, smaller; /* of 2 MiB; blocks where no chunk was to be had */
};

/* Allocate, map and fill the window for all possible CPUs. Returns 0 or -errno, logged. */
int mercury_window_build(const struct mercury_header *header);

/* Scrub and free; no CPU may be virtual. */
void mercury_window_free(void);

struct mercury_shared *mercury_shared(void);
struct mercury_cpu_shared *mercury_cpu_shared(unsigned int cpu);
void mercury_memory(struct mercury_memory *memory);

/* --- call.c: calls into the VMM ----------------------------------------------------------------- */

/* Call the VMM on this CPU, native or virtual; interrupts off. Returns a mercury_error. */
u64 mercury_call(u64 call, u64 arg0, u64 arg1);

/* The same on one CPU, or on all that are online, from process context; the first error or 0. */
u64 mercury_call_on(unsigned int cpu, u64 call, u64 arg0, u64 arg1);

/* Start the VMM and build its P2M; no CPU is prepared yet. 0 or -errno, logged. */
int mercury_vmm_start(void);

/* Set up and warm one CPU, which is online. 0 or -errno, logged. */
int mercury_prepare_cpu(unsigned int cpu);

/* errno of a mercury_error, negative; and its sentence. */
int mercury_errno(u64 error);
const char *mercury_error_text(u64 error);

/* The sentence for `error` of a CPU: the VMM's own, if it left one for it. */
const char *mercury_cpu_text(unsigned int cpu, u64 error);

/* Noted and logged, unless it is none. 0, or its errno. */
int mercury_cpu_failed(unsigned int cpu, const char *what, u64 error);

/* --- each_cpu.c: the same work on every CPU ------------------------------------------------------ */

/* How long a CPU may take to answer; those that have interrupts off for longer are rare. */
#define MERCURY_ANSWER_MS 1000

/*
 * `work` on every CPU that is online, interrupts off, in no order; from process context, under the
 * hotplug lock. Those that did not answer in time, and never will do this work, are in `silent`.
 */
void mercury_each_cpu(smp_call_func_t work, struct cpumask *silent);

/* The module is about to go: wait for those that have yet to answer. */
void mercury_each_cpu_stop(void);

/* --- switch.c: the switch as Linux sees it ------------------------------------------------------ */

enum mercury_mode { MERCURY_NATIVE, MERCURY_VIRTUAL };

struct mercury_cost {
	u64 last, worst; /* TSC cycles with interrupts off */
};

struct mercury_cpu_report {
	struct mercury_cost enter, leave;
	bool is_virtual;
};

/*
 * Bring all CPUs to `mode`. 0; -EBUSY VMX owned by another, or the machine must stay native; -ENODEV
 * no backend; -ERESTARTSYS: a signal, nothing done; -EIO and others: a CPU failed. Then all are native
 * again and mercury_last_error() says which failed and why.
 */
int mercury_set_mode(enum mercury_mode mode);

/* A machine may be suspended while hibernation is under way; each of the two is by itself once at a time. */
enum mercury_holder { MERCURY_HOLDER_SUSPEND, MERCURY_HOLDER_HIBERNATION, MERCURY_HOLDER_FOR_GOOD };

/* Go native and stay it, whatever is asked for, until mercury_release() or for good; `why` is kept. */
int mercury_hold_native(enum mercury_holder holder, const char *why);

/* After sleep: if nothing else holds it, prepare every CPU again and go back to the mode before. */
int mercury_release(enum mercury_holder holder);

/*
 * `work` with the machine virtual on all CPUs, and no command, no CPU coming or going meanwhile; -EINVAL
 * if it is not. Or whatever it is, by mercury_undisturbed().
 */
int mercury_while_virtual(int (*work)(void *data), void *data);
void mercury_undisturbed(void (*work)(void));

/* Has a CPU gone native by itself? Then the machine follows. */
void mercury_check_mode(void);

enum mercury_mode mercury_mode(void);
void mercury_switches(u64 *to_virtual, u64 *to_native);
void mercury_cpu_report(unsigned int cpu, struct mercury_cpu_report *report);

/* This CPU, which is coming or going, alone; the hotplug lock is held. 0 or -errno, logged. */
int mercury_cpu_to_machine_mode(void);
int mercury_cpu_to_native(void);

int mercury_switch_start(void);

/* To native, for good: the module is about to go. Returns when no CPU is virtual. */
void mercury_switch_stop(void);

/* --- reason.c: why not -------------------------------------------------------------------------- */

/* Why the last command was refused, or "none"; copied. */
#define MERCURY_REASON 320
void mercury_last_error(char *text, size_t size);

/* Note why a command is refused. */
void mercury_refuse(const char *format, ...) __printf(1, 2);

/* What was refused does not matter any more. */
void mercury_forget_reason(void);

/* The reason noted last is why one more backend cannot be had. */
void mercury_keep_backend_reason(void);
const char *mercury_backend_reason(void);

/* --- watch.c: CPUs that go native by themselves -------------------------------------------------- */

void mercury_watch(bool on);
void mercury_watch_stop(void);

/* --- events.c: what a running Linux does: hotplug, suspend, hibernation, reboot ------------------ */

/* Prepares every CPU, those to come as well. 0 or -errno, logged. */
int mercury_events_start(void);
void mercury_events_stop(void);

/* --- state.c: is Linux's state bit-equal across the gate? --------------------------------------- */

/* A command begins: the parameter is looked at once, for both sides of every gate. */
void mercury_state_begin(void);

/* Before and after the gate, on this CPU, interrupts off. */
void mercury_state_before(void);
void mercury_state_after(const char *direction);

int mercury_state_start(void);
void mercury_state_stop(void);

u64 mercury_state_size(void); /* bytes */

/* Task-independent items of a CPU, which is native, as they are now, for the conclusion. */
void mercury_state_keep(unsigned int cpu);

/* After a switch, under the hotplug lock: differences that it has added, into the log. */
void mercury_state_tell(void);

/* All CPUs native for good: equal to what was kept? Into the log, if parameter verify is set. */
void mercury_state_conclude(void);
void mercury_state_show(struct seq_file *m);

/* Every item of every CPU as it is now, a line each. */
void mercury_state_print(struct seq_file *m);
extern bool mercury_verify;

/* --- log.c: the VMM's log ring into the kernel log ---------------------------------------------- */

/* Without `all` its alarms alone. */
void mercury_log_flush(bool all);
void mercury_log_flush_on_panic(void);

/* The next ring is read from its beginning: this one goes. */
void mercury_log_forget(void);

/*
 * May this sentence be told now? Ten times in five seconds, as the kernel limits its own. Under the switch
 * mutex.
 */
bool mercury_log_limit(const char *sentence);

/* --- lost.c: what a CPU does that the VMM cannot give back ---------------------------------------- */

/* Where the VMM lets it land, and the end of the stack that it then has. */
void mercury_lost(void) __noreturn;
u64 mercury_lost_stack(void);

/* --- snapshot.c: memory as it was at one instant, by /dev/mercury-snapshot ----------------------- */

int mercury_snapshot_start(void);
void mercury_snapshot_stop(void);

/* The device, by whose name the kernel's log speaks of us. */
struct device *mercury_device(void);

/* The machine goes native, under the switch mutex: a snapshot that is being taken ends here. */
void mercury_snapshot_cancel(void);
void mercury_snapshot_show(struct seq_file *s);

/* --- snapshots.c: those since load; under the snapshot's lock ------------------------------------ */

enum mercury_snapshot_end {
	MERCURY_ENDED_GOOD, /* it was as at its instant until it was closed                    */
	MERCURY_ENDED_FULL,
	MERCURY_ENDED_CANCELLED, /* by a switch, or the unload                                 */
	MERCURY_ENDED_FAILED,    /* it did not begin, or the VMM failed                        */
	MERCURY_ENDED_NR
};

/* All have stopped, for as long as instant.c tells. */
void mercury_snapshots_began(void);

/* So many pages were read, so many writes found one protected. */
void mercury_snapshots_ended(enum mercury_snapshot_end how, u64 read, u64 faults);
void mercury_snapshots_show(struct seq_file *s);

/* --- instant.c: all CPUs stopped at once, for a snapshot ------------------------------------------ */

#define MERCURY_REGISTERS 27 /* of a core file */

/* What ran on a CPU at the instant. */
struct mercury_stop {
	u64 error;
	bool was_there;
	u32 pid;
	u64 regs[MERCURY_REGISTERS];
};

/*
 * Virtual, under the switch mutex and the hotplug lock, the rest of struct mercury_snapshot being filled
 * in: stop all CPUs and freeze the P2M, in at most `attempts`; `retries` says how many failed. 0, -ERESTARTSYS
 * for a signal, or another error, its reason noted: what was frozen meanwhile the caller thaws.
 */
int mercury_stop_all(u32 attempts, u32 *retries);

/* What ran on `cpu` then; NULL: it was offline. */
const struct mercury_stop *mercury_stop_of(unsigned int cpu);

/* For how many TSC cycles the CPUs were stopped; -ENOMEM. */
int mercury_stop_times(u64 *median, u64 *longest);

/* --- kept.c: pages for old contents ------------------------------------------------------------- */

/* At most `bytes` of pages, listed for the VMM; fewer if memory is short. 0 or -ENOMEM. */
int mercury_kept_alloc(u64 bytes);
void mercury_kept_free(void);
u32 mercury_kept_pages(void);
u64 mercury_kept_directory(void); /* physical address */

/* The content that `frame` had, if it has been kept; else NULL. */
const void *mercury_kept_find(u64 frame);
int mercury_kept_each_block(int (*tell)(u64 start, u64 end, void *data), void *data);

/* --- tables.c: memory lent for tables of the P2M ------------------------------------------------- */

/* As many as RAM needs at worst and the pool cannot have; fewer if memory is short. */
void mercury_tables_alloc(void);

/* Lend them to the VMM. All CPUs virtual, the hotplug lock held. Errors: the VMM's. */
int mercury_tables_lend(void);

/* They are Linux's again when each CPU has flushed once more; false: none were, or the VMM keeps them. */
bool mercury_tables_take_back(void);

/* A CPU may still use them: they are not to be freed before mercury_tables_drop(). */
void mercury_tables_keep(void);

/* But what the VMM has. */
void mercury_tables_free(void);

/* There is no VMM any more. */
void mercury_tables_drop(void);

u32 mercury_tables_pages(void);
int mercury_tables_each_block(int (*tell)(u64 start, u64 end, void *data), void *data);

/* --- ranges.c: RAM without what is ours ---------------------------------------------------------- */

/*
 * All of System RAM, ascending, but for the VMM's pages and those of kept.c and tables.c; to be kvfree()d. Whole
 * pages. NULL without memory.
 */
struct mercury_range *mercury_ranges(u32 *count);

/* Of `n` ascending ones: that in which `address` lies, or NULL. */
const struct mercury_range *mercury_range_of(const struct mercury_range *ranges, u32 n,
					     u64 address);

/* The first address at or behind `from` that lies in one; `from` if none does. */
u64 mercury_ranges_from(const struct mercury_range *ranges, u32 n, u64 from);

/* How many pages of them lie between the two addresses. */
u64 mercury_ranges_pages(const struct mercury_range *ranges, u32 n, u64 from, u64 to);

/* System RAM as it is; at most `room`. Returns how many there are. */
u32 mercury_ram(struct mercury_range *ranges, u32 room);

/* --- ram.c: what a page of RAM holds ----------------------------------------------------------------- */

/*
 * Into `buffer`, PAGE_SIZE bytes; zeroes for a page that nobody is to touch, and for one that the kernel has
 * taken out of its own reach: memfd_secret(2), a page that the hardware has given up on. False: of such a
 * one older contents are not to be told either.
 */
bool mercury_ram_read(u64 address, void *buffer);

/* --- calibrate.c: what the instructions of a switch cost here --------------------------------------- */

/*
 * A line for each: event, low, middle and high cycles. 0; -EBUSY not native, or VMX is owned by another; -ENODEV
 * no VT-x, or the first CPU could not be prepared.
 */
int mercury_calibrate(struct seq_file *m);

/* --- debugfs.c: for developers ------------------------------------------------------------------ */

void mercury_debugfs_start(void);
void mercury_debugfs_stop(void);

/* --- command.c: a mode in words ------------------------------------------------------------------ */

/*
 * Carry out what a user wrote: "native" or "virtual", surrounding white space ignored. -EPERM without
 * CAP_SYS_ADMIN, -EINVAL for any other word, else as mercury_set_mode(); the reason is noted.
 */
int mercury_command(const char *text, size_t length);

/* --- sysctl.c, proc.c: what the user sees ------------------------------------------------------- */

int mercury_sysctl_start(void);
void mercury_sysctl_stop(void);
/* May this reader see kernel addresses, as reasons and differences hold them? */
bool mercury_may_see(struct seq_file *m);

int mercury_proc_start(void);
void mercury_proc_stop(void);

/* The mode has changed: wakes who polls /proc/mercury. From process context. */
void mercury_proc_notify(void);

#endif
