// SPDX-License-Identifier: GPL-2.0-only
/* What a page of RAM holds, for who reads all of it: /proc/kcore leaves out the same. */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/uaccess.h>

#include "mercury.h"

/*
 * A balloon's, or a virtio-mem block that is not plugged in: to touch it may take it back from the host. Or one
 * with an error in memory: to touch it is a machine check, and firmware that finds it leaves it in the direct map.
 */
static bool is_nobodys(u64 address)
{
	struct page *page = pfn_to_online_page(address >> PAGE_SHIFT);

	return !page || PageOffline(page) || is_page_hwpoison(page);
}

bool mercury_ram_read(u64 address, void *buffer)
{
	if (!is_nobodys(address) && !copy_from_kernel_nofault(buffer, __va(address), PAGE_SIZE))
		return true;
	memset(buffer, 0, PAGE_SIZE);
	return is_nobodys(address);
}
