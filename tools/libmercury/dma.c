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
#include <unistd.h>

#include "files.h"

#define DEVICES "/sys/bus/pci/devices"

#define PCI_COMMAND 4
#define PCI_COMMAND_MASTER 4

static bool is_bus_master(const char *device)
{
	char path[PATH_MAX];
	uint8_t command;
	bool is;
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/config", device);
	fd = files_open(path, false);
	if (fd < 0)
		return false;
	/* One that is gone, or asleep, may have none of it. */
	is = pread(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command) &&
	     command & PCI_COMMAND_MASTER;
	close(fd);
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
 * What is mapped for a device, by the type of its domain. Of a translating one only what the firmware
 * wants mapped always is known: the kernel tells the group's direct regions, "START END direct". What
 * drivers map from moment to moment stands in structures of its own that it shows to nobody: `unknown`.
 */
static void describe_ranges(FILE *to, const char *device, const char *type)
{
	char path[PATH_MAX], kind[32], *text, *line;
	unsigned long long start, end;

	if (!strcmp(type, "identity") || !strcmp(type, "blocked")) {
		fputs(*type == 'i' ? " all" : " none", to);
		return;
	}
	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group/reserved_regions", device);
	text = files_read(path);
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%llx %llx %31s", &start, &end, kind) == 3 &&
		    !strncmp(kind, "direct", strlen("direct")))
			fprintf(to, " %#llx-%#llx", start, end + 1);
	}
	free(text);
	fputs(" unknown", to);
}

/* Without an IOMMU a bus master reaches all of memory: where it writes nobody knows either. */
static void describe(FILE *to, const char *device)
{
	char type[80], class[80];

	read_line(device, "iommu_group/type", "none", type, sizeof(type));
	read_line(device, "class", "unknown", class, sizeof(class));
	fprintf(to, "%s class %s iommu %s ranges", device, class, type);
	describe_ranges(to, device, type);
	fputc('\n', to);
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
	if (!fclose(to))
		return text;
	free(text);
	return NULL;
}
