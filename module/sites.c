// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux's code while ring 1 is entered. Where it has an operation that would trap and that is frequent, it
 * is written over, by a table that was made for exactly this kernel: see include/uapi/mercury_sites.h. What
 * it goes to instead is in sites_hooks.S and works on a CPU that is native too. STAC and CLAC become nothing,
 * and SMAP is off as long as they are; but what is interrupted meanwhile may go on when it is on again, and
 * Linux may set it itself on a CPU that has gone native by itself. So error_entry sets AC in the kernel's frames.
 */
#include <linux/atomic.h>
#include <linux/crc32.h>
#include <linux/firmware.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/utsname.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "compat/compat.h"
#include "compat/symbols.h"
#include "mercury.h"
#include "sites.h"

extern const u8 mercury_hook_user_return[], mercury_cave[], mercury_cave_end[];

void mercury_write_cr4(unsigned long value);
void mercury_clear_ac(void);

DEFINE_PER_CPU(const u64 *, mercury_cr2);
const u8 *mercury_page_fault_entered;

static struct {
	const struct mercury_symbols *symbols;
	const struct firmware *file;
	struct mercury_site_table of;
	struct mercury_patch *patches;
	u32 nr_patches, nr_held;
	bool was_read; /* or there is none                                                       */
	const char *why; /* nothing is patched; NULL: it can be                                  */
	u32 swapped[8];
	bool is_checked; /* this switch                                                          */
	u32 crc;         /* of the pages with sites, as they are without ours                    */
	u64 restored, differs;
	const u8 *left; /* changed by somebody while it was ours, and not restored now            */
} table;

/* --- The table ----------------------------------------------------------------------------------- */

static u8 *text(u32 offset)
{
	return table.of.text + offset;
}

static const struct mercury_site *site_of(enum mercury_site_kind kind)
{
	return mercury_site_of(&table.of, kind);
}

/* Why the file is no table of this kernel's, or the kernel not as it was; or NULL. */
static const char *open_table(const struct firmware *file)
{
	const struct mercury_sites *header = (const struct mercury_sites *)file->data;
	const char *why = mercury_sites_check(file->data, file->size, table.symbols);

	if (why)
		return why;
	table.of = (struct mercury_site_table){ table.symbols->_text,
						(const struct mercury_site *)(header + 1),
						header->count };
	if (mercury_cave_end - mercury_cave > MERCURY_CAVE_BYTES ||
	    site_of(MERCURY_SITE_CAVE)->target !=
		    ~crc32_le(~0, text(site_of(MERCURY_SITE_CAVE)->offset), MERCURY_CAVE_BYTES))
		return "the kernel's entry code is not as its image has it: see who else patches it";
	return NULL;
}

/* That may be otherwise the next time. */
static const char *no_memory(void)
{
	table.was_read = false;
	return "there was no memory for the table of sites: switch again";
}

static const char *make_patches(void)
{
	u32 i;

	table.patches = kvcalloc(table.of.count, sizeof(*table.patches), GFP_KERNEL);
	if (!table.patches)
		return no_memory();
	for (i = 0; i < table.of.count; i++)
		if (mercury_is_written(&table.of.sites[i]))
			mercury_make_patch(&table.patches[table.nr_patches++], &table.of,
					   &table.of.sites[i]);
	return NULL;
}

/* --- Load and free -------------------------------------------------------------------------------- */

#define CALL_BYTES 5

/* Where the entry of a vector calls error_entry in these bytes, or NULL. */
static const u8 *error_call_in(const u8 *from, const u8 *to)
{
	u32 i;

	for (i = 0; i < table.of.count; i++) {
		const u8 *call = text(table.of.sites[i].offset);

		if (table.of.sites[i].kind == MERCURY_SITE_ERROR_CALL && call >= from && call < to)
			return call;
	}
	return NULL;
}

/*
 * Under lockdown root, who writes the table, may not write the kernel; which of the reasons for that is asked
 * for only changes what the kernel's log says.
 */
static const char *refusal(void)
{
	if (!mercury_patch_wanted())
		return "the module's parameter patch is 0: set it to 1";
	if (security_locked_down(LOCKDOWN_DBG_WRITE_KERNEL))
		return "the kernel is locked down, and its table of sites is not signed: use VT-x, or switch Secure Boot off";
	return NULL;
}

static const char *load(void)
{
	char name[2 * __NEW_UTS_LEN];
	const u8 *page_fault;
	const char *why;
	int error;

	if (boot_cpu_has(X86_FEATURE_KERNEL_IBRS))
		return "the kernel writes IA32_SPEC_CTRL at each entry: boot with another spectre_v2= than ibrs, if the CPU is safe so";
	snprintf(name, sizeof(name), "mercury/%s.sites", utsname()->release);
	error = request_firmware_direct(&table.file, name, mercury_device());
	if (error == -ENOMEM)
		return no_memory();
	if (error)
		return "this kernel has no table of sites in /lib/firmware/mercury: see mercury-sites";
	why = open_table(table.file);
	if (!why)
		why = make_patches();
	if (why)
		return why;
	mercury_fill_hooks(&table.of);
	mercury_quiet_load();
	page_fault = mercury_sites_vectors(table.swapped, error_call_in);
	if (!page_fault)
		return "the kernel's page fault handler is not its own: see who replaced it";
	mercury_page_fault_entered = page_fault + CALL_BYTES;
	return NULL;
}

static void hold_sites(void)
{
	u32 i;

	mercury_hold_lock(table.symbols);
	for (i = 0; i < table.nr_patches; i++) {
		struct mercury_patch *p = &table.patches[i];

		p->is_probed = !mercury_hold(&p->hold, table.symbols, p->at, p->length);
	}
	mercury_hold_unlock(table.symbols);
}

static void release_sites(void)
{
	u32 i;

	mercury_hold_lock(table.symbols);
	for (i = 0; i < table.nr_patches; i++)
		mercury_hold_release(&table.patches[i].hold);
	mercury_hold_unlock(table.symbols);
	synchronize_rcu();
}

static void drop(void)
{
	if (table.nr_patches)
		release_sites();
	kvfree(table.patches);
	table.patches = NULL;
	table.nr_patches = 0;
	release_firmware(table.file);
	table.file = NULL;
}

/* Once: a kernel that finds no file says so in its log. Parameter patch, to 0 and to 1, begins anew. */
static void read_table(const struct mercury_symbols *symbols)
{
	const char *why = refusal();

	if (!why && table.was_read)
		return;
	table.was_read = !why;
	table.symbols = symbols;
	table.why = why ?: load();
	if (table.why)
		drop();
}

/*
 * The kernel asks its list first and takes the lock then. Who asked before a site was on it has done so by the end
 * of a grace period, and is let go first; should he come later still, the next switch finds him.
 */
void mercury_sites_load(const struct mercury_symbols *symbols)
{
	if (!table.patches) {
		read_table(symbols);
		if (!table.patches)
			return;
		hold_sites();
		synchronize_rcu();
	}
	hold_sites();
}

void mercury_sites_free(void)
{
	drop();
	table.was_read = false;
}

/* --- Writing -------------------------------------------------------------------------------------- */

static bool is_patched;
static atomic_t arrived, generation;
static atomic_t inside; /* CPUs that have entered and not left */
static DEFINE_PER_CPU(bool, is_inside);

static bool can_write;

/* LFENCE may stand behind SWAPGS. */
static bool is_as_expected(struct mercury_patch *p)
{
	static const u8 lfence[] = { 0x0f, 0xae, 0xe8 };

	if (p->kind == MERCURY_SITE_USER_ENTRY && !memcmp(p->at + 3, lfence, sizeof(lfence)))
		memcpy(p->old + 3, lfence, sizeof(lfence));
	return !memcmp(p->at, p->old, p->length);
}

/* Those that belong together, or those that can do without each other. */
static bool is_vital(const struct mercury_patch *p)
{
	return p->kind >= MERCURY_SITE_USER_ENTRY;
}

#define ENTRY_BYTES 64 /* of entry_SYSCALL_64, up to where we enter it                            */

static const char *look_at_sites(void)
{
	u64 entry = (u64)text(site_of(MERCURY_SITE_SYSCALL_ENTRY)->offset), lstar;
	u32 i;

	rdmsrq(MSR_LSTAR, lstar);
	if (entry - lstar >= ENTRY_BYTES)
		return "system calls do not go to the kernel's own entry: see who replaced it";
	table.nr_held = 0;
	for (i = 0; i < table.nr_patches; i++) {
		struct mercury_patch *p = &table.patches[i];

		p->is_held = p->is_probed || !is_as_expected(p);
		table.nr_held += p->is_held;
		if (p->is_held && is_vital(p))
			return "the kernel's entry code is not as its image has it: see who else patches it";
	}
	return NULL;
}

/*
 * Of all pages that have a site, as they are without what is written over them: no switch changes it. But
 * from switch to switch Linux changes its code itself: static keys, tracing, live patches. With parameter
 * verify, for it takes long.
 */
static u32 crc_of_pages(void)
{
	const u8 *at = NULL, *end = NULL;
	u32 crc = 0, i;

	for (i = 0; i < table.nr_patches; i++) {
		const struct mercury_patch *p = &table.patches[i];
		const u8 *page = PTR_ALIGN_DOWN(p->at, PAGE_SIZE);

		if (page >= end) {
			crc = crc32_le(crc, at, end - at);
			at = page;
		}
		crc = crc32_le(crc, at, p->at - at);
		crc = crc32_le(crc, is_patched && !p->is_held ? p->old : p->at, p->length);
		at = p->at + p->length;
		end = PTR_ALIGN(at, PAGE_SIZE);
	}
	return crc32_le(crc, at, end - at);
}

void mercury_sites_begin(bool to_virtual)
{
	if (!table.patches)
		return;
	mutex_lock(table.symbols->text_mutex);
	if (to_virtual && !is_patched) {
		table.why = refusal() ?: look_at_sites();
		can_write = !table.why;
	}
	table.is_checked = mercury_verify && (to_virtual ? can_write : is_patched);
	if (table.is_checked)
		table.crc = crc_of_pages();
}

void mercury_sites_end(bool to_virtual)
{
	if (!table.patches)
		return;
	if (table.is_checked) {
		table.differs += crc_of_pages() != table.crc;
		table.restored += !to_virtual && !is_patched;
	}
	if (table.left)
		pr_err_ratelimited(
			"the kernel's code at %pS was changed while it was patched, and is left so; report it, and restart soon\n",
			table.left);
	table.left = NULL;
	mutex_unlock(table.symbols->text_mutex);
}

/* These two have names of their own in the kernel's list of symbols: tests set kprobes on them. */
static noinline void write_ours(void)
{
	u32 i;

	for (i = 0; i < table.nr_patches; i++) {
		const struct mercury_patch *p = &table.patches[i];

		if (!p->is_held)
			mercury_write_text(p->at, p->new, p->length);
	}
	is_patched = true;
}

/*
 * What is neither ours nor Linux's own is left, and told. The last one first: the cave lies before what jumps
 * there, and a breakpoint may come in between.
 */
static noinline void write_theirs(void)
{
	u32 i;

	if (atomic_read(&inside))
		return;
	for (i = table.nr_patches; i-- > 0;) {
		const struct mercury_patch *p = &table.patches[i];

		if (p->is_held)
			continue;
		if (memcmp(p->at, p->new, p->length))
			table.left = p->at;
		else
			mercury_write_text(p->at, p->old, p->length);
	}
	can_write = false;
	is_patched = false;
}

/* Each of `cpus` comes, and goes on when the last one has done the work. */
static void meet(unsigned int cpus, void (*work)(void))
{
	int before = atomic_read(&generation);

	if (atomic_inc_return(&arrived) == cpus) {
		atomic_set(&arrived, 0);
		work();
		atomic_inc_return_release(&generation);
	}
	while (atomic_read_acquire(&generation) == before)
		cpu_relax();
}

static void nothing(void)
{
}

/*
 * All are here before the first one keeps machine checks back: Linux's handlers wait for each other. A CPU that is
 * virtual still, and has no IDT to change, is one too many: then nothing is written.
 */
static void by_the_last(unsigned int cpus, void (*work)(void))
{
	bool is_native = !this_cpu_read(is_inside);

	meet(cpus, nothing);
	if (is_native)
		mercury_quiet_begin();
	meet(cpus, work);
	if (is_native)
		mercury_quiet_end();
}

void mercury_sites_patch(unsigned int cpus)
{
	if (can_write && !is_patched)
		by_the_last(cpus, write_ours);
}

void mercury_sites_restore(unsigned int cpus)
{
	if (!is_patched)
		return;
	by_the_last(cpus, write_theirs);
	if (is_patched || !boot_cpu_has(X86_FEATURE_SMAP))
		return;
	mercury_clear_ac();
	mercury_write_cr4(__read_cr4() | X86_CR4_SMAP);
}

/* --- One CPU -------------------------------------------------------------------------------------- */

/* The per-CPU word that BT tests, GS:disp32 with SIB or relative to RIP. */
static u64 pcid_flush(unsigned int cpu)
{
	const u8 *bt = text(site_of(MERCURY_SITE_PCID_FLUSH)->offset);
	s32 displacement;

	if (bt[4] == 0x3c) {
		memcpy(&displacement, bt + 6, sizeof(displacement));
		return per_cpu_offset(cpu) + displacement;
	}
	memcpy(&displacement, bt + 5, sizeof(displacement));
	return per_cpu_offset(cpu) + (unsigned long)(bt + 9) + displacement;
}

u64 mercury_sites_hidden_cr4(void)
{
	return is_patched && boot_cpu_has(X86_FEATURE_SMAP) ? X86_CR4_SMAP : 0;
}

static void fill_in(struct mercury_ring1_patch *patch, unsigned int cpu)
{
	bool apart = cpu_feature_enabled(X86_FEATURE_PTI);
	bool pcid = apart && cpu_feature_enabled(X86_FEATURE_PCID);

	*patch = (struct mercury_ring1_patch){
		.is_on = 1,
		.syscall_entry = (u64)text(site_of(MERCURY_SITE_SYSCALL_ENTRY)->offset),
		.scratch = (u64)(&per_cpu(cpu_tss_rw, cpu).x86_tss.sp2 + 1),
		.user_return = (u64)mercury_hook_user_return,
		.iret = (u64)text(site_of(MERCURY_SITE_KERNEL_RETURN)->target),
		.user_cr3 = apart ? BIT(PAGE_SHIFT) | (pcid ? BIT(11) : 0) : 0,
		.noflush = pcid ? BIT(63) : 0,
		.pcid_flush = pcid ? pcid_flush(cpu) : 0,
		.hidden_cr4 = mercury_sites_hidden_cr4(),
	};
	patch->kernel_cr3 = ~patch->user_cr3;
	memcpy(patch->swapped, table.swapped, sizeof(patch->swapped));
}

void mercury_sites_enter(void)
{
	unsigned int cpu = smp_processor_id();
	struct mercury_cpu_shared *shared = mercury_cpu_shared(cpu);

	memset(&shared->patch, 0, sizeof(shared->patch));
	if (!is_patched)
		return;
	fill_in(&shared->patch, cpu);
	this_cpu_write(mercury_cr2, &shared->cr2);
	if (!this_cpu_xchg(is_inside, true))
		atomic_inc(&inside);
	if (shared->patch.hidden_cr4)
		mercury_write_cr4(__read_cr4() & ~X86_CR4_SMAP);
}

void mercury_sites_left(void)
{
	if (this_cpu_xchg(is_inside, false))
		atomic_dec(&inside);
}

/* --- Status --------------------------------------------------------------------------------------- */

void mercury_sites_show(struct seq_file *m)
{
	if (!table.patches || table.why)
		seq_printf(m, "patched: nothing, %s\n", table.why ?: "it was never virtual yet");
	else if (!READ_ONCE(is_patched))
		seq_printf(m, "patched: nothing, for it is native; %u sites\n", table.nr_patches);
	else
		seq_printf(m, "patched: %u sites, %u held by others\n",
			   table.nr_patches - table.nr_held, table.nr_held);
	if (table.restored)
		seq_printf(m,
			   table.differs ? "code check: differs in %llu leaves; report it\n" :
					   "code check: equal in %llu leaves\n",
			   table.restored);
}
