// SPDX-License-Identifier: GPL-2.0-only
/* FS and GS bases: each thread keeps its own, by arch_prctl and by WRGSBASE where there is one. */
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

#define SWITCHES 30
#define HWCAP2_FSGSBASE 2 /* <asm/hwcap2.h> */

struct slot {
	uint64_t value;
	unsigned int cpu;
};

static uint64_t gs_word(void)
{
	uint64_t value;

	asm volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

static uint64_t fs_word(void)
{
	uint64_t value;

	asm volatile("mov %%fs:0, %0" : "=r"(value));
	return value;
}

static void set_gs_base(void *base, bool by_instruction)
{
	if (by_instruction)
		asm volatile("wrgsbase %0" : : "r"(base));
	else
		expect_sys(syscall(SYS_arch_prctl, ARCH_SET_GS, base) == 0, "ARCH_SET_GS");
}

/* The base as the kernel says, as the processor says, and as an access through it proves. */
static bool check_bases(struct slot *slot, bool have_instruction)
{
	uint64_t base = 0, fs = 0, direct;

	syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs);
	direct = (uintptr_t)slot;
	if (have_instruction)
		asm volatile("rdgsbase %0" : "=r"(direct));
	return expect(base == (uintptr_t)slot && direct == base && gs_word() == slot->value,
		      "the GS base is %llx instead of %p", (unsigned long long)base,
		      (void *)slot) &&
	       expect(fs == (uintptr_t)pthread_self() && fs_word() == fs,
		      "the FS base is %llx instead of %llx", (unsigned long long)fs,
		      (unsigned long long)pthread_self());
}

static void *keep_bases(void *argument)
{
	struct slot *slot = argument;
	bool have_instruction = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;

	pin_to_cpu(slot->cpu);
	for (int i = 0; i < SWITCHES; i++) {
		set_gs_base(slot, have_instruction && i % 2);
		for (volatile int spin = 0; spin < 500; spin++)
			;
		sched_yield();
		if (!check_bases(slot, have_instruction))
			break;
	}
	done(SWITCHES);
	return NULL;
}

static uint64_t base_round(void)
{
	pthread_t threads[thread_count];
	struct slot slots[thread_count];
	unsigned int started = 0;

	for (; started < thread_count; started++) {
		slots[started].value = UINT64_C(0x1234567890) + started;
		/* Two on each CPU, so that there is somebody to yield to. */
		slots[started].cpu = started / 2;
		if (!expect(pthread_create(&threads[started], NULL, keep_bases, &slots[started]) ==
				    0,
			    "pthread_create failed"))
			break;
	}
	while (started--)
		pthread_join(threads[started], NULL);
	return DIGEST_START;
}

const struct worker base_worker = { .name = "base", .round = base_round };
