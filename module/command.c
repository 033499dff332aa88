// SPDX-License-Identifier: GPL-2.0-only
/* A mode in words, from whichever file it was written to. */
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/string.h>

#include "mercury.h"

/* No word is longer; what is, is not quoted back. */
#define WORD_MAX 16

static int parse_mode(const char *text, size_t length, enum mercury_mode *mode)
{
	char word[WORD_MAX + 1];

	while (length && isspace(*text))
		text++, length--;
	while (length && isspace(text[length - 1]))
		length--;
	if (!length || length > WORD_MAX || memchr(text, '\0', length)) {
		mercury_refuse("%zu bytes were written as mode; write native or virtual", length);
		return -EINVAL;
	}
	memcpy(word, text, length);
	word[length] = '\0';
	if (!strcmp(word, "native")) {
		*mode = MERCURY_NATIVE;
	} else if (!strcmp(word, "virtual")) {
		*mode = MERCURY_VIRTUAL;
	} else {
		mercury_refuse("unknown mode \"%*pE\"; write native or virtual", (int)length, word);
		return -EINVAL;
	}
	return 0;
}

int mercury_command(const char *text, size_t length)
{
	enum mercury_mode mode;
	int error;

	if (!capable(CAP_SYS_ADMIN)) {
		mercury_refuse("changing the mode needs CAP_SYS_ADMIN: run it as root");
		return -EPERM;
	}
	error = parse_mode(text, length, &mode);
	return error ?: mercury_set_mode(mode);
}
