/* SPDX-License-Identifier: GPL-2.0-only */
/* Members of a JSON object. */
#ifndef MERCURY_JSON_H
#define MERCURY_JSON_H

#include <json-c/json.h>
#include <stdint.h>

void add_number(struct json_object *object, const char *key, uint64_t value);

/* What of it is no UTF-8, as a file's name may be, as '?'. */
void add_text(struct json_object *object, const char *key, const char *value);

#endif
