/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMM image as data; once it has been copied to the window the kernel frees it. */
#include <linux/init.h>
#include <linux/linkage.h>

	__INITRODATA
	.balign 4096
SYM_DATA_START(mercury_image)
	.incbin MERCURY_IMAGE
SYM_DATA_END_LABEL(mercury_image, SYM_L_GLOBAL, mercury_image_end)
