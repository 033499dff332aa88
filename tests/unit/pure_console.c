// SPDX-License-Identifier: GPL-2.0-only
/* The console: the formatter, its truncation, and the log ring that several CPUs write at once. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "unit.h"

#include "mercury/console.h"

/* Not checked by the compiler: some formats below are those that C does not know. */
static size_t format(char *buffer, size_t size, const char *text, ...)
{
	va_list arguments;
	size_t n;

	va_start(arguments, text);
	n = console_format(buffer, size, text, arguments);
	va_end(arguments);
	return n;
}

#define CHECK(expected, ...)                                                                       \
	do {                                                                                       \
		char buffer[128];                                                                  \
		size_t n = format(buffer, sizeof(buffer), __VA_ARGS__);                            \
		assert_string_equal(buffer, expected);                                             \
		assert_int_equal(n, strlen(expected));                                             \
	} while (0)

/* console.h: "Knows %s %c %d %u %x %lu %lx %% and a width with leading zeroes (%016lx)" */
static void formats(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("plain", "plain");
	CHECK("[text] [] [%]", "[%s] [%s] [%%]", "text", "");
	CHECK("a-b", "%c-%c", 'a', 'b');
	CHECK("0 1 -1", "%d %d %d", 0, 1, -1);
	CHECK("2147483647 -2147483648", "%d %d", INT32_MAX, INT32_MIN);
	CHECK("0 4294967295", "%u %u", 0u, UINT32_MAX);
	CHECK("0 deadbeef", "%x %x", 0u, 0xdeadbeefu);
	CHECK("18446744073709551615", "%lu", UINT64_MAX);
	CHECK("fffffe8000000000", "%lx", UINT64_C(0xfffffe8000000000));
	CHECK("-9223372036854775808", "%ld", INT64_MIN);
	CHECK("0000000000001234", "%016lx", UINT64_C(0x1234));
	CHECK("0007", "%04u", 7u);
	CHECK("12345", "%03u", 12345u);
	CHECK("000000007", "%09u", 7u);
	CHECK("00000000000000000000000001", "%026u", 1u);
}

/* A long argument after an int one: each conversion takes its own width from the list. */
static void mixed_widths(void **state)
{
	(void)state;
	CHECK("1 123456789abcdef0 2 x 3", "%u %lx %u %s %d", 1u, UINT64_C(0x123456789abcdef0), 2u,
	      "x", 3);
}

/* console.h: "anything else is copied as it stands" */
static void unknown_conversions_are_copied(void **state)
{
	(void)state;
	CHECK("%q", "%q");
	CHECK("%-5s", "%-5s", "unused");
	CHECK("a % b", "a % b");
}

/* The same, for what stands between the '%' and an unknown letter, and for a '%' at the end. */
static void unknown_conversions_are_copied_whole(void **state)
{
	(void)state;
	CHECK("%5q", "%5q");
	CHECK("%lq", "%lq");
	CHECK("100%", "100%");
}

/* console.h: "always terminated", "the length written, which is less than `size`" */
static void truncates_at_every_size(void **state)
{
	static const char whole[] = "cpu 7: 00000000deadbeef text 42";
	size_t size;

	(void)state;
	for (size = 1; size <= sizeof(whole) + 2; size++) {
		char *buffer = malloc(size + 1);
		size_t n, expected = size < sizeof(whole) ? size - 1 : sizeof(whole) - 1;

		memset(buffer, 0x7f, size + 1);
		n = format(buffer, size, "cpu %u: %016lx %s %d", 7u, UINT64_C(0xdeadbeef), "text",
			   42);
		assert_int_equal(n, expected);
		assert_memory_equal(buffer, whole, n);
		assert_int_equal(buffer[n], '\0');
		assert_int_equal(buffer[size], 0x7f);
		free(buffer);
	}
}

static void size_zero_writes_nothing(void **state)
{
	char byte = 0x7f;

	(void)state;
	assert_int_equal(format(&byte, 0, "text"), 0);
	assert_int_equal(byte, 0x7f);
}

/* --- The ring --------------------------------------------------------------------------------- */

static struct mercury_shared shared;

static void fresh_ring(void)
{
	memset(&shared, 0, sizeof(shared));
	console_init(&shared);
}

static void without_a_ring_lines_are_dropped(void **state)
{
	(void)state;
	fresh_ring();
	console_init(NULL);
	console_line("nobody listens");
	assert_int_equal(shared.log_head, 0);
}

static void lines_follow_each_other(void **state)
{
	(void)state;
	fresh_ring();
	console_line("one %d", 1);
	console_line("%s", "");
	console_line("two");
	assert_int_equal(shared.log_head, 11);
	assert_memory_equal(shared.log, "one 1\n\ntwo\n", 11);
	assert_int_equal(shared.log[11], 0);
}

/* mercury.h: "bytes ever written; the ring holds the last MERCURY_LOG_SIZE" */
static void ring_wraps_and_keeps_the_last_bytes(void **state)
{
	static char all[64 * 1024];
	size_t length = 0, i;
	unsigned int n;

	(void)state;
	fresh_ring();
	for (n = 0; length < 3 * MERCURY_LOG_SIZE; n++) {
		console_line("line %u of the log, %lx", n, (uint64_t)n * 0x9e3779b97f4a7c15);
		length += (size_t)sprintf(all + length, "line %u of the log, %lx\n", n,
					  (uint64_t)n * 0x9e3779b97f4a7c15);
		assert_int_equal(shared.log_head, length);
	}
	for (i = length - MERCURY_LOG_SIZE; i < length; i++)
		assert_int_equal(shared.log[i % MERCURY_LOG_SIZE], all[i]);
	/* And nothing behind the ring. */
	for (i = sizeof(shared.log); i < sizeof(shared) - offsetof(struct mercury_shared, log); i++)
		assert_int_equal(shared.log[i], 0);
}

/* One line is bounded, and a cut one still ends in a newline. */
static void long_lines_are_cut_and_end_in_a_newline(void **state)
{
	static char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	fresh_ring();
	console_line("%s", text);
	assert_in_range(shared.log_head, 200, 256);
	assert_int_equal(shared.log[shared.log_head - 1], '\n');
	assert_int_equal(shared.log[shared.log_head - 2], 'x');
	assert_int_equal(shared.log[shared.log_head], 0);
}

#define WRITERS 4
#define LINES 60

static pthread_barrier_t start;

static void *writer(void *argument)
{
	unsigned int me = (unsigned int)(uintptr_t)argument, i;

	pthread_barrier_wait(&start);
	for (i = 0; i < LINES; i++)
		console_line("w%u:%04u:%016lx%u", me, i, 0x0123456789abcdef * (me + 1), me);
	return NULL;
}

/*
 * "Space is claimed first: writers on several CPUs do not mix within a line": all lines are whole.
 */
static void check_all_lines_whole(void)
{
	char seen[WRITERS][LINES] = { { 0 } };
	size_t at = 0;

	while (at < shared.log_head) {
		unsigned int me, i, again;
		unsigned long number;
		char line[64] = "";
		const char *end = memchr(shared.log + at, '\n', shared.log_head - at);

		assert_non_null(end);
		assert_in_range(end - (shared.log + at), 1, sizeof(line) - 1);
		memcpy(line, shared.log + at, (size_t)(end - (shared.log + at)));
		assert_int_equal(sscanf(line, "w%1u:%4u:%16lx%1u", &me, &i, &number, &again), 4);
		assert_in_range(me, 0, WRITERS - 1);
		assert_in_range(i, 0, LINES - 1);
		assert_int_equal(again, me);
		assert_int_equal(number, 0x0123456789abcdef * (me + 1));
		assert_int_equal(seen[me][i]++, 0);
		at = (size_t)(end + 1 - shared.log);
	}
	for (at = 0; at < WRITERS * LINES; at++)
		assert_int_equal(seen[at / LINES][at % LINES], 1);
}

static void writers_do_not_mix_within_a_line(void **state)
{
	unsigned int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		pthread_t threads[WRITERS];
		uintptr_t i;

		fresh_ring();
		assert_int_equal(pthread_barrier_init(&start, NULL, WRITERS), 0);
		for (i = 0; i < WRITERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
		for (i = 0; i < WRITERS; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&start);
		assert_true(shared.log_head <= MERCURY_LOG_SIZE);
		check_all_lines_whole();
	}
}

static void *blocked;

/* The ring's second page was not writable: an "NMI" in the middle of a line, with one of its own. */
static void interrupt_line(int signal)
{
	(void)signal;
	mprotect(blocked, MERCURY_PAGE_SIZE, PROT_READ | PROT_WRITE);
	console_line("inner");
}

/* console.h: "also from an NMI's context": between claim and text of a line of the same CPU. */
static void a_line_within_a_line(void **state)
{
	const size_t size = MERCURY_SHARED_PAGES * MERCURY_PAGE_SIZE;
	const struct sigaction action = { .sa_handler = interrupt_line };
	struct mercury_shared *s =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction before;
	uint64_t head;
	const char *at;

	(void)state;
	assert_ptr_not_equal(s, MAP_FAILED);
	console_init(s);
	while (s->log_head < MERCURY_PAGE_SIZE)
		console_line("fill");
	head = s->log_head;
	at = s->log + head;
	blocked = (char *)s + MERCURY_PAGE_SIZE;
	sigaction(SIGSEGV, &action, &before);
	mprotect(blocked, MERCURY_PAGE_SIZE, PROT_READ);
	console_line("outer");
	sigaction(SIGSEGV, &before, NULL);
	assert_memory_equal(at, "outer\ninner\n", 12);
	assert_int_equal(s->log_head, head + 12);
	/* And the log goes on behind both. */
	console_line("next");
	assert_memory_equal(at + 12, "next\n", 5);
	assert_int_equal(s->log_head, head + 17);
	console_init(NULL);
	munmap(s, size);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(formats),
	cmocka_unit_test(mixed_widths),
	cmocka_unit_test(unknown_conversions_are_copied),
	cmocka_unit_test(unknown_conversions_are_copied_whole),
	cmocka_unit_test(truncates_at_every_size),
	cmocka_unit_test(size_zero_writes_nothing),
	cmocka_unit_test(without_a_ring_lines_are_dropped),
	cmocka_unit_test(lines_follow_each_other),
	cmocka_unit_test(ring_wraps_and_keeps_the_last_bytes),
	cmocka_unit_test(long_lines_are_cut_and_end_in_a_newline),
	cmocka_unit_test(a_line_within_a_line),
	cmocka_unit_test(writers_do_not_mix_within_a_line),
};

UNIT_MAIN(tests)
