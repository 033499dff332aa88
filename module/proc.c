// SPDX-License-Identifier: GPL-2.0-only
/* /proc/mercury, as in the original: read the state of things, write a mode. */
#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>

#include "mercury.h"

static void show_cpu(struct seq_file *m, unsigned int cpu)
{
	struct mercury_cpu_report r;

	mercury_cpu_report(cpu, &r);
	seq_printf(m, "cpu%u: %s\n", cpu, r.is_virtual ? "virtual" : "native");
	seq_printf(m, "enter cpu%u: last %llu max %llu cycles\n", cpu, r.enter.last, r.enter.worst);
	seq_printf(m, "leave cpu%u: last %llu max %llu cycles\n", cpu, r.leave.last, r.leave.worst);
}

static void show_exits(struct seq_file *m, unsigned int cpu)
{
	const struct mercury_cpu_shared *s = mercury_cpu_shared(cpu);
	const char *separator = " ";
	unsigned int i;

	seq_printf(m, "%s cpu%u:", mercury_chosen()->counts, cpu);
	for (i = 0; i < MERCURY_EXIT_REASONS; i++) {
		if (!s->exits[i])
			continue;
		seq_printf(m, "%s%s %llu", separator, mercury_chosen()->count_name(i), s->exits[i]);
		separator = ", ";
	}
	seq_puts(m, "\n");
	seq_printf(m,
		   "events cpu%u: NMIs in root %llu, machine checks %llu, dropped writes %llu, "
		   "to native without a command %llu\n",
		   cpu, s->nmis_in_root, s->mcs_in_root, s->dropped_writes, s->forced);
}

/* The last fault at CPL 1 that the emulator had no answer for; Linux took it. */
static void show_unknown(struct seq_file *m, unsigned int cpu)
{
	const struct mercury_cpu_shared *s = mercury_cpu_shared(cpu);

	if (!s->unknown_rip)
		return;
	seq_printf(m, "unknown cpu%u: vector %u, ", cpu, s->unknown_vector);
	/* Code holds addresses, too. */
	if (mercury_may_see(m))
		seq_printf(m, "bytes %15ph at %pS\n", s->unknown_bytes, (void *)s->unknown_rip);
	else
		seq_puts(m, "the rest is shown to root only\n");
}

static void show_memory(struct seq_file *m)
{
	struct mercury_memory memory;

	mercury_memory(&memory);
	seq_printf(m,
		   "memory: used %llu KiB, allocated %llu KiB (%u chunks of 2 MiB, %u smaller)\n",
		   memory.used >> 10, memory.allocated >> 10, memory.chunks, memory.smaller);
	seq_printf(m, "memory per CPU: %llu KiB\n", DIV_ROUND_UP_ULL(memory.per_cpu, 1024));
	seq_printf(m, "tables: %u pages of the P2M's pool in use\n", mercury_shared()->pool_used);
	if (mercury_chosen()->nature)
		return;
	seq_printf(m, "features: EPT %s, VPID %s\n", mercury_shared()->uses_ept ? "on" : "off",
		   mercury_shared()->uses_vpid ? "on" : "off");
}

static void show_vmm(struct seq_file *m)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		show_cpu(m, cpu);
	for_each_online_cpu(cpu) {
		show_exits(m, cpu);
		show_unknown(m, cpu);
	}
	cpus_read_unlock();
	show_memory(m);
	if (mercury_chosen()->show)
		mercury_chosen()->show(m);
	mercury_state_show(m);
}

bool mercury_may_see(struct seq_file *m)
{
	return file_ns_capable(m->file, &init_user_ns, CAP_SYS_ADMIN);
}

static int show(struct seq_file *m, void *unused)
{
	char reason[MERCURY_REASON];
	u64 to_virtual, to_native;

	mercury_switches(&to_virtual, &to_native);
	mercury_last_error(reason, sizeof(reason));
	seq_printf(m, "mode: %s\n", mercury_mode() == MERCURY_VIRTUAL ? "virtual" : "native");
	seq_printf(m, "backend: %s\n", mercury_backend());
	seq_printf(m, "window: 0x%llx %u MiB\n", (u64)MERCURY_WINDOW_BASE,
		   (unsigned int)(MERCURY_WINDOW_SIZE >> 20));
	seq_printf(m, "switches: %llu to virtual, %llu to native\n", to_virtual, to_native);
	if (mercury_usable()) {
		show_vmm(m);
		mercury_snapshot_show(m);
	}
	if (!mercury_may_see(m) && strcmp(reason, "none"))
		strscpy(reason, "shown to root only", sizeof(reason));
	seq_printf(m, "last error: %s\n", reason);
	return 0;
}

/* --- Polling: POLLPRI when the mode has changed since this file was opened or polled last -------- */

static DECLARE_WAIT_QUEUE_HEAD(mode_changed);
static atomic_t changes = ATOMIC_INIT(0);

void mercury_proc_notify(void)
{
	atomic_inc(&changes);
	wake_up_interruptible(&mode_changed);
}

static int open(struct inode *inode, struct file *file)
{
	int error = single_open(file, show, NULL);

	if (!error)
		((struct seq_file *)file->private_data)->poll_event = atomic_read(&changes);
	return error;
}

/*
 * Who sleeps in poll() is in our wait queue, outside of any function of ours: from the first poll() to
 * the close() the file holds the module, and its seq_file's `private` says so.
 */
static __poll_t poll(struct file *file, struct poll_table_struct *table)
{
	struct seq_file *m = file->private_data;
	int now;

	if (!m->private) {
		if (!try_module_get(THIS_MODULE))
			return EPOLLERR;
		if (cmpxchg(&m->private, NULL, THIS_MODULE))
			module_put(THIS_MODULE);
	}
	poll_wait(file, &mode_changed, table);
	now = atomic_read(&changes);
	if (m->poll_event == now)
		return EPOLLIN | EPOLLRDNORM;
	m->poll_event = now;
	return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI;
}

static int release(struct inode *inode, struct file *file)
{
	bool holds = ((struct seq_file *)file->private_data)->private;

	single_release(inode, file);
	/* Unload waits in remove_proc_entry() for this function to return. */
	if (holds)
		module_put(THIS_MODULE);
	return 0;
}

/* No command has more bytes; what has is refused unread. */
#define COMMAND_MAX 64

static ssize_t write_command(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	char text[COMMAND_MAX];
	int error;

	if (*ppos) {
		mercury_refuse(
			"a mode is written at once, not at offset %lld; write native or virtual to a file just opened",
			*ppos);
		return -EINVAL;
	}
	if (count > sizeof(text)) {
		mercury_refuse("%zu bytes were written as mode; write native or virtual", count);
		return -EINVAL;
	}
	if (copy_from_user(text, user, count))
		return -EFAULT;
	error = mercury_command(text, count);
	return error ?: count;
}

static const struct proc_ops ops = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_poll = poll,
	.proc_release = release,
	.proc_write = write_command,
};

int mercury_proc_start(void)
{
	return proc_create("mercury", 0644, NULL, &ops) ? 0 : -ENOMEM;
}

void mercury_proc_stop(void)
{
	remove_proc_entry("mercury", NULL);
}
