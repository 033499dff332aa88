// SPDX-License-Identifier: GPL-2.0-only
/* hv: says for each CPU whether it runs on bare metal or under which hypervisor. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor.h"

enum expectation { NOTHING, VIRTUAL, NATIVE };

static const char usage[] =
	"usage: hv [--expect virtual|native]\n"
	"  Prints for every CPU the hypervisor that CPUID tells of, \"Linux in ring 1\", or \"bare metal\".\n"
	"  With --expect: exit status 0 if every CPU runs under Mercury (virtual), or none does\n"
	"  (native), 1 if not; 2: bad arguments, or a CPU could not be asked.\n";

static enum expectation parse_arguments(int argc, char **argv)
{
	if (argc == 1)
		return NOTHING;
	if (argc == 3 && strcmp(argv[1], "--expect") == 0) {
		if (strcmp(argv[2], "virtual") == 0)
			return VIRTUAL;
		if (strcmp(argv[2], "native") == 0)
			return NATIVE;
	}
	fputs(usage, stderr);
	exit(2);
}

static void print_cpu(int cpu, const struct hypervisor *hypervisor)
{
	if (hypervisor->ring1) {
		printf("cpu%d: Linux in ring 1\n", cpu);
		return;
	}
	if (!hypervisor->present) {
		printf("cpu%d: bare metal\n", cpu);
		return;
	}
	printf("cpu%d: hypervisor \"", cpu);
	for (int i = 0; i < HYPERVISOR_SIGNATURE_SIZE; i++)
		putchar(isprint((unsigned char)hypervisor->signature[i]) ?
				hypervisor->signature[i] :
				'.');
	printf("\"\n");
}

int main(int argc, char **argv)
{
	enum expectation expectation = parse_arguments(argc, argv);
	struct hypervisor hypervisor;
	size_t size, wrong = 0;
	cpu_set_t *cpus = usable_cpus(&size);

	if (!cpus) {
		perror("hv: sched_getaffinity");
		return 2;
	}
	for (int cpu = 0; cpu < (int)size * 8; cpu++) {
		if (!CPU_ISSET_S(cpu, size, cpus))
			continue;
		if (!move_to_cpu(cpu, size)) {
			fprintf(stderr, "hv: moving to cpu%d: ", cpu);
			perror("sched_setaffinity");
			return 2;
		}
		hypervisor = hypervisor_of_this_cpu();
		print_cpu(cpu, &hypervisor);
		wrong += hypervisor_is_mercury(&hypervisor) != (expectation == VIRTUAL);
	}
	if (expectation == NOTHING || !wrong)
		return 0;
	printf("hv: %zu CPUs are not %s\n", wrong,
	       expectation == VIRTUAL ? "under Mercury" : "native");
	return 1;
}
