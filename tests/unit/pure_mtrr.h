/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory types and MTRRs for tests: the figures of the SDM, and registers as firmware writes them. */
#ifndef TESTS_UNIT_PURE_MTRR_H
#define TESTS_UNIT_PURE_MTRR_H

#include "unit.h"

#include "mtrr.h"

enum { UC = 0, WC = 1, WT = 4, WP = 5, WB = 6 };

#define PAGE UINT64_C(0x1000)
#define MB UINT64_C(0x100000)
#define GB UINT64_C(0x40000000)
#define TB (1024 * GB)

/* IA32_MTRR_DEF_TYPE: MTRRs enabled, fixed ranges enabled; IA32_MTRR_PHYSMASKn: valid. */
#define DEF_E 0x800
#define DEF_FE 0x400
#define VALID 0x800

/* A variable range as /proc/mtrr shows it: a power of two, aligned to itself. */
static inline void add(struct mtrr_state *m, uint64_t base, uint64_t size, uint32_t type)
{
	m->base[m->variable] = base | type;
	m->mask[m->variable++] = (((UINT64_C(1) << m->maxphyaddr) - 1) & ~(size - 1)) | VALID;
}

static inline struct mtrr_state state_of(uint64_t def_type)
{
	return (struct mtrr_state){ .def_type = def_type, .has_fixed = true, .maxphyaddr = 39 };
}

static inline uint32_t type_at(const struct mtrr_state *m, uint64_t address)
{
	uint32_t type = 0xff;

	assert_true(mtrr_type(m, address, PAGE, &type));
	return type;
}

#endif
