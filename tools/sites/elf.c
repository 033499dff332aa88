// SPDX-License-Identifier: GPL-2.0-only
/* The sections of a kernel's ELF image that tell of its sites. */
#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "sites.h"

static bool find_section(Elf *elf, const char *wanted, struct section *section)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name;
		GElf_Shdr header;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, wanted) != 0)
			continue;
		data = elf_rawdata(scn, NULL);
		if (!data || !data->d_buf)
			return false;
		*section = (struct section){ data->d_buf, header.sh_addr, data->d_size };
		return true;
	}
	return false;
}

static void need_section(Elf *elf, const char *name, struct section *section)
{
	if (!find_section(elf, name, section))
		fail("use a kernel of a distribution; ring 1 traps with this one",
		     "the kernel has no section %s: not one of Linux 6.1 to 6.12 for x86-64", name);
}

static bool find_build_id(const struct section *notes, uint8_t *build_id)
{
	Elf_Data data = { .d_buf = (void *)notes->data,
			  .d_type = ELF_T_NHDR,
			  .d_size = notes->size,
			  .d_version = EV_CURRENT };
	size_t offset = 0, name, description;
	GElf_Nhdr note;

	while ((offset = gelf_getnote(&data, offset, &note, &name, &description)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp(notes->data + name, "GNU", sizeof("GNU")) != 0 ||
		    note.n_descsz != MERCURY_SITES_BUILD_ID)
			continue;
		memcpy(build_id, notes->data + description, MERCURY_SITES_BUILD_ID);
		return true;
	}
	return false;
}

void open_kernel(struct kernel *kernel, const struct bytes *image)
{
	struct section notes;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)image->data, image->size);
	if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64)
		fail("give the kernel's vmlinux", "what was packed is no 64-bit ELF image");
	need_section(elf, ".text", &kernel->text);
	need_section(elf, ".altinstructions", &kernel->alternatives);
	need_section(elf, ".altinstr_replacement", &kernel->replacements);
	need_section(elf, ".notes", &notes);
	if (!find_build_id(&notes, kernel->build_id))
		fail("build it with build IDs; ring 1 traps until then",
		     "the kernel has no build ID, by which a table could be told to be its own");
	kernel->elf = elf;
}

void close_kernel(struct kernel *kernel)
{
	elf_end(kernel->elf);
}

const uint8_t *section_at(const struct section *section, uint64_t address, size_t n)
{
	if (address < section->address || n > section->size ||
	    address - section->address > section->size - n)
		return NULL;
	return section->data + (address - section->address);
}
