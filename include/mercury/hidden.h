/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before everything in the image (Makefile): external functions too are part of it, so that
 * the compiler addresses them relative to RIP and needs no GOT.
 */
#ifndef MERCURY_HIDDEN_H
#define MERCURY_HIDDEN_H

#pragma GCC visibility push(hidden)

#endif
