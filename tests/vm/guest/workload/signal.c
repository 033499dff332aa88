// SPDX-License-Identifier: GPL-2.0-only
/* Signals: alternate stack, nesting, queues of real-time signals, ping-pong between processes. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

#define QUEUED 12
#define TRIPS 10
#define MAGIC 0x5117

static unsigned char alternate_stack[32768] __attribute__((aligned(16)));
static char order[16];
static siginfo_t received;
static bool on_alternate_stack;

static void note(char what)
{
	size_t length = strlen(order);

	if (length < sizeof(order) - 1)
		order[length] = what;
}

static void outer_handler(int number, siginfo_t *info, void *context)
{
	unsigned char *local = __builtin_frame_address(0);

	(void)number;
	(void)context;
	received = *info;
	on_alternate_stack = local >= alternate_stack &&
			     local < alternate_stack + sizeof(alternate_stack);
	note('(');
	raise(SIGUSR2);
	note(')');
}

static void inner_handler(int number)
{
	(void)number;
	note('i');
}

static uint64_t nested(void)
{
	const stack_t stack = { .ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack) };
	struct sigaction outer = { .sa_sigaction = outer_handler,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction inner = { .sa_handler = inner_handler, .sa_flags = SA_ONSTACK };
	const union sigval value = { .sival_int = MAGIC };

	expect_sys(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	sigaction(SIGUSR1, &outer, NULL);
	sigaction(SIGUSR2, &inner, NULL);
	memset(order, 0, sizeof(order));
	memset(&received, 0, sizeof(received));
	on_alternate_stack = false;
	expect_sys(sigqueue(getpid(), SIGUSR1, value) == 0, "sigqueue");
	expect(strcmp(order, "(i)") == 0, "nested handlers ran as %s instead of (i)", order);
	expect(on_alternate_stack, "the handler did not run on the alternate stack");
	expect(received.si_code == SI_QUEUE && received.si_pid == getpid() &&
		       received.si_value.sival_int == MAGIC,
	       "siginfo has code %d, pid %d, value %x", received.si_code, received.si_pid,
	       (unsigned int)received.si_value.sival_int);
	done(1);
	return digest_bytes(DIGEST_START, order, sizeof(order));
}

/* Two real-time signals, queued alternately, come lowest first and in the order queued. */
static uint64_t queues(uint64_t digest)
{
	const struct timespec limit = { .tv_sec = LOST_WAKEUP_SECONDS };
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 2 * QUEUED; i++) {
		const union sigval value = { .sival_int = i };

		expect_sys(sigqueue(getpid(), SIGRTMIN + 2 - i % 2, value) == 0, "sigqueue");
	}
	for (int i = 0; i < 2 * QUEUED; i++) {
		int number = SIGRTMIN + 1 + i / QUEUED;
		int value = i < QUEUED ? 2 * i + 1 : 2 * (i - QUEUED);

		memset(&info, 0, sizeof(info));
		if (!expect(sigtimedwait(&set, &info, &limit) == number &&
				    info.si_value.sival_int == value,
			    "queued signal %d came as %d with value %d", i, info.si_signo,
			    info.si_value.sival_int))
			break;
		digest = digest_u64(digest, (uint64_t)info.si_value.sival_int);
	}
	done(2 * QUEUED);
	return digest;
}

static bool wait_for(int number)
{
	const struct timespec limit = { .tv_sec = LOST_WAKEUP_SECONDS };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return sigtimedwait(&set, NULL, &limit) == number;
}

static void __attribute__((noreturn)) answer(pid_t parent)
{
	pin_to_cpu(1);
	for (int i = 0; i < TRIPS; i++) {
		if (!wait_for(SIGUSR1))
			_exit(1);
		kill(parent, SIGUSR2);
	}
	_exit(0);
}

static void ping_pong(void)
{
	sigset_t set;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (child == 0)
		answer(getppid());
	pin_to_cpu(0);
	if (expect_sys(child > 0, "fork")) {
		for (int i = 0; i < TRIPS; i++) {
			kill(child, SIGUSR1);
			if (!expect(wait_for(SIGUSR2), "the answering signal %d is lost", i))
				break;
		}
		expect_exit(child, 0, "the answering process");
	}
	unpin();
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	done(TRIPS);
}

static uint64_t signal_round(void)
{
	uint64_t digest = queues(nested());

	ping_pong();
	return digest;
}

const struct worker signal_worker = { .name = "signal", .round = signal_round };
