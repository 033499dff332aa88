// SPDX-License-Identifier: GPL-2.0-only
/* Which version of the library this is. */
#include "mercury.h"

const char *mercury_version(void)
{
	return MERCURY_VERSION;
}
