// SPDX-License-Identifier: GPL-2.0-only
/* Text out of the VMM: a small formatter and the writer of the log ring. */
#include <stdbool.h>
#include <stdint.h>

#include "mercury/console.h"

#define LINE_MAX 256

#define PATIENCE 1000000

static struct mercury_shared *ring;
static uint64_t claimed;

struct out {
	char *buffer;
	size_t size, length;
};

static void put(struct out *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length++] = c;
}

static void put_string(struct out *out, const char *text)
{
	for (; *text; text++)
		put(out, *text);
}

static void put_number(struct out *out, uint64_t value, unsigned int base, unsigned int width)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > n; width--)
		put(out, '0');
	while (n)
		put(out, digits[--n]);
}

/* One conversion, `format` behind its '%'; returns what follows it. */
static const char *convert(struct out *out, const char *format, va_list *arguments)
{
	const char *start = format;
	unsigned int width = 0;
	bool is_long = false;
	int64_t value;

	for (; *format >= '0' && *format <= '9'; format++)
		width = 10 * width + (*format - '0');
	if (*format == 'l') {
		is_long = true;
		format++;
	}
	switch (*format) {
	case 's':
		put_string(out, va_arg(*arguments, const char *));
		break;
	case 'c':
		put(out, (char)va_arg(*arguments, int));
		break;
	case 'd':
		value = is_long ? va_arg(*arguments, long) : va_arg(*arguments, int);
		if (value < 0)
			put(out, '-');
		put_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, width);
		break;
	case 'u':
	case 'x':
		put_number(out,
			   is_long ? va_arg(*arguments, unsigned long) :
				     va_arg(*arguments, unsigned int),
			   *format == 'u' ? 10 : 16, width);
		break;
	case '%':
		put(out, '%');
		break;
	default:
		/* Not ours: as it stands, from the '%' on. */
		put(out, '%');
		return start;
	}
	return format + 1;
}

size_t console_format(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct out out = { .buffer = buffer, .size = size };
	va_list copy;

	va_copy(copy, arguments);
	while (*format) {
		if (*format != '%')
			put(&out, *format++);
		else
			format = convert(&out, format + 1, &copy);
	}
	va_end(copy);
	if (size)
		buffer[out.length] = '\0';
	return out.length;
}

void console_init(struct mercury_shared *shared)
{
	ring = shared;
	claimed = shared ? shared->log_head : 0;
}

/* Never back: a later line may have got there first. */
static void raise_head(uint64_t head)
{
	mer_u64 now = __atomic_load_n(&ring->log_head, __ATOMIC_RELAXED);

	while (now < head && !__atomic_compare_exchange_n(&ring->log_head, &now, head, false,
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void console_line(const char *format, ...)
{
	char line[LINE_MAX];
	va_list arguments;
	uint64_t at;
	size_t n, i;

	if (!ring)
		return;
	va_start(arguments, format);
	n = console_format(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[n++] = '\n';

	/*
	 * Space is claimed first: writers on several CPUs do not mix within a line. The reader goes by
	 * log_head, which moves in the order of the claims; a writer that died does not stop others.
	 */
	at = __atomic_fetch_add(&claimed, n, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++)
		ring->log[(at + i) % MERCURY_LOG_SIZE] = line[i];
	for (i = 0; i < PATIENCE && __atomic_load_n(&ring->log_head, __ATOMIC_RELAXED) < at; i++)
		;
	raise_head(at + n);
}
