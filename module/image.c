// SPDX-License-Identifier: GPL-2.0-only
/* The embedded image's header: believed only after it has been checked. */
#include <linux/crc32.h>
#include <linux/init.h>
#include <linux/printk.h>
#include <linux/stddef.h>

#include "mercury.h"

/* The checksum covers all that follows it. */
static const size_t crc_from = offsetofend(struct mercury_header, crc32);

static const char *__init problem_of(const struct mercury_header *h, u64 size)
{
	if (size < sizeof(*h) || h->magic != MERCURY_MAGIC)
		return "it does not begin with Mercury's header";
	if (h->abi_version != MERCURY_ABI_VERSION)
		return "it was built for another version of the module";
	if (h->file_size != size)
		return "its length is not what its header says";
	if (h->text_end > h->rodata_end || h->rodata_end > h->memory_size ||
	    h->file_size > h->memory_size || h->memory_size > MERCURY_WINDOW_PTES ||
	    (h->text_end | h->rodata_end | h->memory_size) % MERCURY_PAGE_SIZE)
		return "its segments do not fit together";
	if (h->entry < sizeof(*h) || h->entry >= h->text_end || h->boot < h->rodata_end ||
	    h->boot % sizeof(u64) || h->memory_size < sizeof(struct mercury_boot) ||
	    h->boot > h->memory_size - sizeof(struct mercury_boot))
		return "its entry or its boot data lie outside their segments";
	if ((crc32_le(~0, mercury_image + crc_from, size - crc_from) ^ ~0U) != h->crc32)
		return "its checksum is wrong";
	return NULL;
}

const struct mercury_header *__init mercury_image_check(void)
{
	const struct mercury_header *h = (const struct mercury_header *)mercury_image;
	const char *problem = problem_of(h, mercury_image_end - mercury_image);

	if (!problem)
		return h;
	pr_err("the VMM image in this module is damaged: %s; build or install the module again\n",
	       problem);
	return NULL;
}
