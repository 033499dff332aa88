/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers that note, for sites_quiet.c. */
#ifndef MODULE_SITES_NOTED_H
#define MODULE_SITES_NOTED_H

#define MERCURY_NOTED_NMI 1
#define MERCURY_NOTED_MC 2

#ifndef __ASSEMBLY__

#include <linux/percpu-defs.h>
#include <linux/types.h>

/* What came to this CPU. */
DECLARE_PER_CPU(u8, mercury_noted);

/* For the IDT only. */
void mercury_note_nmi(void);
void mercury_note_mc(void);

#endif /* __ASSEMBLY__ */
#endif
