/* SPDX-License-Identifier: GPL-2.0-only */
/* Which devices may write to memory by themselves, past any page table of the CPUs'. */
#ifndef LIBMERCURY_DMA_H
#define LIBMERCURY_DMA_H

/* The text of a snapshot's note on devices, to be freed; NULL without memory. */
char *dma_note(void);

#endif
