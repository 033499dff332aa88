/* SPDX-License-Identifier: GPL-2.0-only */
/* A child under ptrace that runs one function and stops at its breakpoints. */
#ifndef WORKLOAD_TRACEE_H
#define WORKLOAD_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Forks a child that lets itself be traced, runs @body and exits with what it returns. Returns
 * the child, stopped behind the INT3 that @body begins with, or -1 (counted as an error).
 */
pid_t tracee_start(int (*body)(void));

/* Continues @child with @request (PTRACE_CONT or PTRACE_SINGLESTEP) to its next SIGTRAP. */
bool tracee_run(pid_t child, int request);

/* @child's RIP. */
uint64_t tracee_rip(pid_t child);

/* Lets @child run to its end; it has to exit with 0. */
void tracee_finish(pid_t child);

/* Ends @child where it stands. */
void tracee_kill(pid_t child);

#endif
