// SPDX-License-Identifier: GPL-2.0-only
/* Something lies in PML4 slot 509 of process 1 while this is loaded, where ring 1's window belongs. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <asm/pgtable.h>

#define SLOT 509
#define NOT_PRESENT 2

static struct mm_struct *mm;

static int __init occupy_init(void)
{
	struct pid *pid = find_get_pid(1);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	put_pid(pid);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return -ESRCH;
	if (pgd_val(mm->pgd[SLOT])) {
		mmput(mm);
		return -EBUSY;
	}
	WRITE_ONCE(*(u64 *)&mm->pgd[SLOT], NOT_PRESENT);
	return 0;
}

static void __exit occupy_exit(void)
{
	WRITE_ONCE(*(u64 *)&mm->pgd[SLOT], 0);
	mmput(mm);
}

module_init(occupy_init);
module_exit(occupy_exit);
MODULE_DESCRIPTION("PML4 slot 509 is occupied");
MODULE_LICENSE("GPL");
