// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernelsum: checksums of what a kernel executes and what it enters it by: its text, its read-only data, the
 * IDT, each CPU's GDT, and the values of MSRs; a line NAME VALUE for each. Reads /proc/kallsyms, /proc/kcore
 * and, if the module msr is loaded, /dev/cpu.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GDT_SIZE 128
#define IDT_SIZE 4096

static Elf64_Ehdr header;
static Elf64_Phdr *segments;
static int kcore;

/* Names of kallsyms that are needed, and their addresses. */
static struct symbol {
	const char *name;
	uint64_t address;
} symbols[] = {
	{ "_stext", 0 },       { "_etext", 0 },    { "__start_rodata", 0 },
	{ "__end_rodata", 0 }, { "idt_table", 0 }, { "__per_cpu_offset", 0 },
	{ "gdt_page", 0 },
};

static uint64_t address_of(const char *name)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (!strcmp(symbols[i].name, name) && symbols[i].address)
			return symbols[i].address;
	errx(1, "/proc/kallsyms does not tell where %s is", name);
}

static void read_symbols(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256], type;
	uint64_t address;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &type, name) != 3)
			continue;
		for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
			if (!strcmp(symbols[i].name, name) && !symbols[i].address)
				symbols[i].address = address;
	}
	if (f)
		fclose(f);
}

static void open_kcore(void)
{
	size_t size;

	kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (kcore < 0 || pread(kcore, &header, sizeof(header), 0) != sizeof(header))
		err(1, "/proc/kcore");
	size = header.e_phnum * sizeof(*segments);
	segments = malloc(size);
	if (!segments || pread(kcore, segments, size, header.e_phoff) != (ssize_t)size)
		err(1, "/proc/kcore: program headers");
}

static void read_kernel(void *to, uint64_t address, size_t size)
{
	for (int i = 0; i < header.e_phnum; i++) {
		const Elf64_Phdr *s = &segments[i];

		if (s->p_type != PT_LOAD || address < s->p_vaddr ||
		    address + size > s->p_vaddr + s->p_memsz)
			continue;
		if (pread(kcore, to, size, s->p_offset + address - s->p_vaddr) != (ssize_t)size)
			err(1, "/proc/kcore at %" PRIx64, address);
		return;
	}
	errx(1, "/proc/kcore has no %" PRIx64, address);
}

/* FNV-1a: whether it changed is asked, not by whom. */
static uint64_t sum_of(uint64_t address, uint64_t size)
{
	uint64_t sum = 0xcbf29ce484222325;
	static uint8_t piece[65536];

	while (size) {
		size_t n = size < sizeof(piece) ? size : sizeof(piece);

		read_kernel(piece, address, n);
		for (size_t i = 0; i < n; i++)
			sum = (sum ^ piece[i]) * 0x100000001b3;
		address += n;
		size -= n;
	}
	return sum;
}

static void print_sum(const char *name, uint64_t address, uint64_t size)
{
	printf("%s %" PRIu64 " bytes %016" PRIx64 "\n", name, size, sum_of(address, size));
}

static void print_msrs(long cpu)
{
	static const uint32_t msrs[] = {
		0x174,      0x175,      0x176,      0x277,      0xc0000080, 0xc0000081, 0xc0000082,
		0xc0000083, 0xc0000084, 0xc0000101, 0xc0000103, 0x3a,       0x1a0,      0x3b,
	};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%ld/msr", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s (is msr loaded?)", path);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		uint64_t value = 0;

		if (pread(fd, &value, sizeof(value), msrs[i]) == sizeof(value))
			printf("cpu%ld msr %x %" PRIx64 "\n", cpu, msrs[i], value);
	}
	close(fd);
}

int main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	read_symbols();
	open_kcore();
	print_sum("text", address_of("_stext"), address_of("_etext") - address_of("_stext"));
	print_sum("rodata", address_of("__start_rodata"),
		  address_of("__end_rodata") - address_of("__start_rodata"));
	print_sum("idt", address_of("idt_table"), IDT_SIZE);
	for (long cpu = 0; cpu < cpus; cpu++) {
		uint64_t offset;
		char name[32];

		read_kernel(&offset, address_of("__per_cpu_offset") + 8 * cpu, sizeof(offset));
		snprintf(name, sizeof(name), "cpu%ld gdt", cpu);
		print_sum(name, offset + address_of("gdt_page"), GDT_SIZE);
		print_msrs(cpu);
	}
	return 0;
}
