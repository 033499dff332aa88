// SPDX-License-Identifier: GPL-2.0-only
/*
 * tasks: which processes does an image of memory have? Walks the kernel's list from init_task, as the running
 * kernel's own type information (BTF) has it, and prints the pids: of one instant the list is whole.
 */
#include <bpf/btf.h>
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TASKS_MAX 100000u

static const char usage[] =
	"usage: tasks IMAGE\n"
	"  Prints the pid of each process in IMAGE, an ELF core file of this kernel's memory.\n"
	"  Exit status: 0; 1: the list cannot be followed to its end; 2: cannot tell.\n";

static struct image {
	int fd;
	Elf64_Phdr *segments;
	unsigned int count;
} image;

static void __attribute__((noreturn)) die(int status, const char *what)
{
	fprintf(stderr, "tasks: %s\n", what);
	exit(status);
}

static void open_image(const char *file)
{
	Elf64_Ehdr header;
	size_t size;

	image.fd = open(file, O_RDONLY);
	if (image.fd < 0) {
		perror(file);
		exit(2);
	}
	if (pread(image.fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_CORE ||
	    header.e_phentsize != sizeof(Elf64_Phdr))
		die(2, "that is no ELF core file");
	size = (size_t)header.e_phnum * sizeof(Elf64_Phdr);
	image.count = header.e_phnum;
	image.segments = malloc(size);
	if (!image.segments ||
	    pread(image.fd, image.segments, size, (off_t)header.e_phoff) != (ssize_t)size)
		die(2, "the program headers cannot be read");
}

/* `size` bytes at a kernel address. */
static void read_kernel(uint64_t address, void *to, size_t size)
{
	for (unsigned int i = 0; i < image.count; i++) {
		const Elf64_Phdr *s = &image.segments[i];

		if (s->p_type != PT_LOAD || address < s->p_vaddr ||
		    address - s->p_vaddr + size > s->p_filesz)
			continue;
		if (pread(image.fd, to, size, (off_t)(s->p_offset + address - s->p_vaddr)) !=
		    (ssize_t)size)
			break;
		return;
	}
	fprintf(stderr, "tasks: the image has nothing at %#llx\n", (unsigned long long)address);
	exit(1);
}

static uint64_t address_of(const char *symbol)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char name[256];

	while (symbols && fscanf(symbols, "%llx %*c %255s%*[^\n]", &address, name) == 2)
		if (!strcmp(name, symbol) && address) {
			fclose(symbols);
			return address;
		}
	die(2, "/proc/kallsyms has no init_task");
}

/* In bytes, of struct task_struct's member. */
static uint64_t offset_of(const struct btf *btf, const char *member)
{
	int id = btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT);
	const struct btf_type *task = id < 0 ? NULL : btf__type_by_id(btf, (unsigned int)id);

	for (unsigned int i = 0; task && i < btf_vlen(task); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(task)[i].name_off), member))
			return btf_member_bit_offset(task, i) / 8;
	die(2, "the kernel's BTF does not tell of struct task_struct");
}

int main(int argc, char **argv)
{
	uint64_t first, list, next, before, previous, tasks, pid_at;
	struct btf *btf;

	if (argc != 2) {
		fputs(usage, stderr);
		return 2;
	}
	open_image(argv[1]);
	btf = btf__load_vmlinux_btf();
	if (!btf)
		die(2, "the kernel has no BTF");
	tasks = offset_of(btf, "tasks");
	pid_at = offset_of(btf, "pid");
	btf__free(btf);
	first = address_of("init_task") + tasks;
	previous = first;
	read_kernel(first, &list, sizeof(list));
	for (unsigned int i = 0; list != first; i++) {
		int32_t pid;

		/* struct list_head: next, prev. */
		read_kernel(list, &next, sizeof(next));
		read_kernel(list + sizeof(next), &before, sizeof(before));
		if (before != previous || i == TASKS_MAX)
			die(1, "the list is broken");
		read_kernel(list - tasks + pid_at, &pid, sizeof(pid));
		printf("%d\n", pid);
		previous = list;
		list = next;
	}
	return 0;
}
