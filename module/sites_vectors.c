// SPDX-License-Identifier: GPL-2.0-only
/* Which vectors' handlers begin with error_entry, and so find Linux's GS base and CR3 where it is patched. */
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/desc.h>
#include <asm/trapnr.h>

#include "sites.h"

#define JMP 0xe9

/*
 * Up to the call. The handlers of #DB and #MC have stacks of their own and first ask who was interrupted;
 * what they have for user space is an ordinary handler, behind the other.
 */
#define HANDLER_BYTES 64
#define HANDLER_BYTES_IST 192

/*
 * Where the PUSH of a vector and a JMP lead, if it is these. The handlers of reserved vectors have gone with
 * the kernel's init code.
 */
static const u8 *behind_stub(const u8 *handler)
{
	static const u8 endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	u8 bytes[16];
	unsigned int i = 0;
	s32 distance;

	if (copy_from_kernel_nofault(bytes, handler, sizeof(bytes)))
		return NULL;
	if (!memcmp(bytes, endbr, sizeof(endbr)))
		i += sizeof(endbr);
	if (bytes[i] != 0x6a && bytes[i] != 0x68)
		return handler;
	i += bytes[i] == 0x6a ? 2 : 5;
	if (bytes[i] == 0xeb)
		return handler + i + 2 + (s8)bytes[i + 1];
	if (bytes[i] != JMP)
		return handler;
	memcpy(&distance, &bytes[i + 1], sizeof(distance));
	return handler + i + 5 + distance;
}

const u8 *mercury_sites_vectors(u32 *vectors, const u8 *(*call_in)(const u8 *from, const u8 *to))
{
	const u8 *page_fault = NULL;
	const gate_desc *idt;
	struct desc_ptr idtr;
	unsigned int i;

	store_idt(&idtr);
	idt = (const gate_desc *)idtr.address;
	memset(vectors, 0, IDT_ENTRIES / 8);
	for (i = 0; i < IDT_ENTRIES; i++) {
		bool asks = i == X86_TRAP_DB || i == X86_TRAP_MC;
		const u8 *handler, *call;

		if (!idt[i].bits.p || (idt[i].bits.ist && !asks))
			continue;
		handler = behind_stub((const u8 *)gate_offset(&idt[i]));
		if (!handler)
			continue;
		call = call_in(handler, handler + (asks ? HANDLER_BYTES_IST : HANDLER_BYTES));
		if (call)
			vectors[i / 32] |= 1u << i % 32;
		if (i == X86_TRAP_PF)
			page_fault = call;
	}
	return page_fault;
}
