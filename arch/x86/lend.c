// SPDX-License-Identifier: GPL-2.0-only
/* Chunks of memory that Linux lends for tables of the P2M: hidden from it as long as they are. */
#include "lend.h"

#include "mercury/p2m.h"
#include "mercury/pool.h"
#include "call.h"
#include "window.h"

#define GFN(pa) ((pa) / MERCURY_PAGE_SIZE)

/* All of it Linux's to give: none of the VMM's, none that it has lent already. */
static bool is_linux(uint64_t start)
{
	uint64_t pa;

	for (pa = start; pa < start + MERCURY_LENT_CHUNK; pa += MERCURY_PAGE_SIZE) {
		struct p2m_page page;

		if (!p2m_lookup(&machine_p2m, GFN(pa), &page) || page.mfn != GFN(pa) ||
		    page.access != P2M_ALL)
			return false;
	}
	return true;
}

enum mercury_error lend_chunk(uint64_t pa)
{
	uint32_t n = pool_lent();
	enum mercury_error error;

	if (!machine_p2m.root)
		return MERCURY_E_UNSUPPORTED;
	if (n == MERCURY_LENT_CHUNKS || pa % MERCURY_LENT_CHUNK ||
	    (n && pa <= pool_lent_pa(n - 1)) || !is_linux(pa))
		return MERCURY_E_BAD_CALL;
	error = p2m_hide(&machine_p2m, pa, pa + MERCURY_LENT_CHUNK);
	if (!error)
		pool_lend(window_lend(n, pa), pa);
	return error;
}

enum mercury_error lend_give_back(void)
{
	uint32_t n = pool_lent(), i;
	enum mercury_error error = MERCURY_E_OK;

	if (!pool_give_back())
		return MERCURY_E_IN_USE;
	for (i = 0; i < n; i++) {
		uint64_t pa = pool_lent_pa(i);

		window_give_back(i);
		if (!error)
			error = p2m_map_identity(&machine_p2m, pa, pa + MERCURY_LENT_CHUNK);
		p2m_collapse(&machine_p2m, GFN(pa), machine_p2m.format->max_order);
	}
	return error;
}
