// SPDX-License-Identifier: GPL-2.0-only
/* Which devices may write to memory by themselves: PCI bus masters, and what an IOMMU makes of them. */
#include "dma.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

#define DEVICES "/sys/bus/pci/devices"

#define PCI_COMMAND 4
#define PCI_COMMAND_MASTER 4

static bool is_bus_master(const char *device)
{
	char path[PATH_MAX], *config;
	bool is;

	snprintf(path, sizeof(path), DEVICES "/%s/config", device);
	config = files_read(path);
	is = config && config[PCI_COMMAND] & PCI_COMMAND_MASTER;
	free(config);
	return is;
}

/* One line of a file of the device's, or `otherwise`. */
static void read_line(const char *device, const char *file, const char *otherwise, char *line,
		      size_t size)
{
	char path[PATH_MAX], *text;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", device, file);
	text = files_read(path);
	snprintf(line, size, "%.*s", text ? (int)strcspn(text, "\n") : 80, text ? text : otherwise);
	free(text);
}

/*
 * Which ranges a translating IOMMU maps for a device no stable interface of the kernel tells; without
 * one, or with an identity domain, a bus master reaches all of memory.
 */
static void describe(FILE *to, const char *device)
{
	char type[80], class[80];

	read_line(device, "iommu_group/type", "none", type, sizeof(type));
	read_line(device, "class", "unknown", class, sizeof(class));
	fprintf(to, "%s class %s iommu %s ranges unknown\n", device, class, type);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

char *dma_note(void)
{
	struct dirent **entries;
	char path[PATH_MAX], *text = NULL;
	FILE *to;
	size_t size;
	int n, i;

	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	fputs("Devices write to memory past the EPT: what these were writing may be torn.\n", to);
	snprintf(path, sizeof(path), "%s" DEVICES, files_root());
	n = scandir(path, &entries, not_hidden, alphasort);
	for (i = 0; i < n; i++) {
		if (is_bus_master(entries[i]->d_name))
			describe(to, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	else
		fputs("PCI devices unknown\n", to);
	return fclose(to) ? NULL : text;
}
