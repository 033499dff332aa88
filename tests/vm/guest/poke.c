// SPDX-License-Identifier: GPL-2.0-only
/*
 * poke: writes to a file exactly as told, by bare system calls, and tells what each returned: the
 * number of bytes, or the name of errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_TEXT 4096

static const char usage[] =
	"usage: poke FILE ACTION [ARGUMENT...]\n"
	"  write TEXT         one write; TEXT may hold \\0 \\n \\\\ \\xHH\n"
	"  fill N             one write of N letters\n"
	"  flood N COUNT      the same, COUNT times; tells how many writes were refused\n"
	"  bytes TEXT         a write for each byte, in one open\n"
	"  at OFFSET TEXT     pwrite\n"
	"  two TEXT TEXT      two writes in one open\n"
	"  fault              one write from an address that is not mapped\n"
	"  fresh N            one write of N bytes that nobody has touched yet: each page is a fault\n"
	"  nocap TEXT         drops CAP_SYS_ADMIN, opens, writes\n"
	"  nocap-open TEXT    opens, drops CAP_SYS_ADMIN, writes\n"
	"  repeat N TEXT      N times open, write, close; tells how many writes were refused\n"
	"  read N             prints the file, read N bytes at a time\n"
	"  Exit status: 0 if nothing was refused, 1 if something was, 2: bad arguments.\n";

struct text {
	char bytes[MAX_TEXT];
	size_t size;
};

static bool refused;

static void __attribute__((noreturn)) fail_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end)
		fail_usage();
	return value;
}

/* Reads one character of @from, which may be an escape; returns what follows it. */
static const char *unescape(const char *from, char *to)
{
	char digits[3] = "";

	if (*from != '\\') {
		*to = *from;
		return from + 1;
	}
	switch (from[1]) {
	case '0':
		*to = 0;
		return from + 2;
	case 'n':
		*to = '\n';
		return from + 2;
	case '\\':
		*to = '\\';
		return from + 2;
	case 'x':
		if (!from[2] || !from[3])
			fail_usage();
		memcpy(digits, from + 2, 2);
		*to = (char)strtoul(digits, NULL, 16);
		return from + 4;
	default:
		fail_usage();
	}
}

static struct text text_of(const char *argument)
{
	struct text text = { .size = 0 };

	while (*argument && text.size < MAX_TEXT)
		argument = unescape(argument, &text.bytes[text.size++]);
	return text;
}

static void tell(const char *prefix, ssize_t result)
{
	if (result >= 0) {
		printf("%s%zd\n", prefix, result);
		return;
	}
	refused = true;
	printf("%s%s\n", prefix, strerrorname_np(errno) ?: "unknown");
}

/* Opens @file to write; ends the program with the reason if that is refused. */
static int open_file(const char *file)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0) {
		tell("open:", -1);
		exit(1);
	}
	return fd;
}

static void drop_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	const unsigned int bit = 1u << CAP_SYS_ADMIN;

	if (syscall(SYS_capget, &header, data)) {
		perror("poke: capget");
		exit(2);
	}
	data[0].effective &= ~bit;
	data[0].permitted &= ~bit;
	data[0].inheritable &= ~bit;
	if (syscall(SYS_capset, &header, data)) {
		perror("poke: capset");
		exit(2);
	}
}

static void write_text(int fd, const char *argument)
{
	struct text text = text_of(argument);

	tell("", write(fd, text.bytes, text.size));
}

static void act_write(const char *file, char **arguments)
{
	write_text(open_file(file), arguments[0]);
}

static char *letters(size_t size)
{
	char *bytes = malloc(size + 1);

	if (!bytes) {
		perror("poke: malloc");
		exit(2);
	}
	return memset(bytes, 'A', size);
}

static void act_fill(const char *file, char **arguments)
{
	size_t size = number(arguments[0]);
	char *bytes = letters(size);

	tell("", write(open_file(file), bytes, size));
	free(bytes);
}

/* Opens, writes and closes @count times, and tells of it in one line. */
static void write_often(const char *file, const char *bytes, size_t size, unsigned long count)
{
	unsigned long failures = 0;
	const char *name = "";

	for (unsigned long i = 0; i < count; i++) {
		int fd = open_file(file);

		if (write(fd, bytes, size) != (ssize_t)size) {
			name = strerrorname_np(errno) ?: "unknown";
			failures++;
		}
		close(fd);
	}
	refused = failures;
	printf("%lu of %lu refused%s%s\n", failures, count, *name ? ": " : "", name);
}

static void act_flood(const char *file, char **arguments)
{
	size_t size = number(arguments[0]);
	char *bytes = letters(size);

	write_often(file, bytes, size, number(arguments[1]));
	free(bytes);
}

static void act_bytes(const char *file, char **arguments)
{
	struct text text = text_of(arguments[0]);
	int fd = open_file(file);

	for (size_t i = 0; i < text.size; i++)
		tell("", write(fd, &text.bytes[i], 1));
}

static void act_at(const char *file, char **arguments)
{
	struct text text = text_of(arguments[1]);

	tell("", pwrite(open_file(file), text.bytes, text.size, (off_t)number(arguments[0])));
}

static void act_two(const char *file, char **arguments)
{
	int fd = open_file(file);

	write_text(fd, arguments[0]);
	write_text(fd, arguments[1]);
}

static void act_fault(const char *file, char **arguments)
{
	(void)arguments;
	/* Through syscall(), so that the compiler does not judge the address. */
	tell("", syscall(SYS_write, open_file(file), 8L, 7L));
}

static void act_fresh(const char *file, char **arguments)
{
	size_t size = number(arguments[0]);
	void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED) {
		perror("poke: mmap");
		exit(2);
	}
	tell("", write(open_file(file), bytes, size));
}

static void act_nocap(const char *file, char **arguments)
{
	drop_sys_admin();
	write_text(open_file(file), arguments[0]);
}

static void act_nocap_open(const char *file, char **arguments)
{
	int fd = open_file(file);

	drop_sys_admin();
	write_text(fd, arguments[0]);
}

static void act_repeat(const char *file, char **arguments)
{
	struct text text = text_of(arguments[1]);

	write_often(file, text.bytes, text.size, number(arguments[0]));
}

static void act_read(const char *file, char **arguments)
{
	size_t size = number(arguments[0]);
	char *buffer = letters(size);
	int fd = open(file, O_RDONLY);
	ssize_t got;

	if (!size)
		fail_usage();
	if (fd < 0) {
		tell("open:", -1);
		exit(1);
	}
	while ((got = read(fd, buffer, size)) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	if (got < 0)
		tell("read:", got);
	free(buffer);
}

static const struct action {
	const char *name;
	int arguments;
	void (*act)(const char *file, char **arguments);
} actions[] = {
	{ "write", 1, act_write },   { "fill", 1, act_fill },   { "flood", 2, act_flood },
	{ "bytes", 1, act_bytes },   { "at", 2, act_at },       { "two", 2, act_two },
	{ "fault", 0, act_fault },   { "nocap", 1, act_nocap }, { "nocap-open", 1, act_nocap_open },
	{ "repeat", 2, act_repeat }, { "read", 1, act_read },   { "fresh", 1, act_fresh },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		fail_usage();
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, argv[2]) || actions[i].arguments != argc - 3)
			continue;
		actions[i].act(argv[1], argv + 3);
		return refused;
	}
	fail_usage();
}
