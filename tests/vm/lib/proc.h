/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of /proc of a test's module: `show` prints all of it, `write` takes what is written. */
#ifndef TESTS_VM_LIB_PROC_H
#define TESTS_VM_LIB_PROC_H

#include <linux/proc_fs.h>
#include <linux/seq_file.h>

/* Defines `ops`, for proc_create(). */
#define TEST_PROC_OPS(ops, show, write)                                                            \
	static int ops##_open(struct inode *inode, struct file *file)                              \
	{                                                                                          \
		return single_open(file, show, NULL);                                              \
	}                                                                                          \
                                                                                                   \
	static const struct proc_ops ops = {                                                       \
		.proc_open = ops##_open,                                                           \
		.proc_read = seq_read,                                                             \
		.proc_write = write,                                                               \
		.proc_lseek = seq_lseek,                                                           \
		.proc_release = single_release,                                                    \
	}

#endif
