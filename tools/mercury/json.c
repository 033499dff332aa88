// SPDX-License-Identifier: GPL-2.0-only
/* Members of a JSON object, which is UTF-8 whatever comes from outside. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

/* How many bytes the character there has; 0: it is none. RFC 3629, 4. Syntax of UTF-8 Byte Sequences. */
static size_t character(const unsigned char *at)
{
	size_t n = *at < 0x80 ? 1 :
		   *at < 0xc2 ? 0 :
		   *at < 0xe0 ? 2 :
		   *at < 0xf0 ? 3 :
		   *at < 0xf5 ? 4 :
				0,
	       i;

	for (i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than it need be, a half of a pair, or behind the last one. */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

void add_text(struct json_object *object, const char *key, const char *value)
{
	char *text = strdup(value), *at = text;

	while (at && *at) {
		size_t n = character((unsigned char *)at);

		if (!n)
			*at = '?';
		at += n ? n : 1;
	}
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
	free(text);
}
