/* SPDX-License-Identifier: GPL-2.0-only */
/* VM exits by name, for people. */
#ifndef MODULE_EXIT_NAMES_H
#define MODULE_EXIT_NAMES_H

const char *mercury_exit_name(unsigned int reason);

#endif
