// SPDX-License-Identifier: GPL-2.0-only
/* mercury-sites: the table of a kernel's sites, from its image. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "output.h"
#include "sites.h"

void fail(const char *next, const char *format, ...)
{
	va_list arguments;

	fputs("mercury-sites: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nmercury-sites: next: %s\n", next);
	exit(1);
}

static void write_table(const char *name, const struct kernel *kernel,
			const struct mercury_site *sites, size_t count)
{
	struct mercury_sites header = { .magic = MERCURY_SITES_MAGIC, .count = (uint32_t)count };
	size_t checked = sizeof(header) - offsetof(struct mercury_sites, build_id);
	struct mercury_problem problem;
	struct output o;

	memcpy(header.build_id, kernel->build_id, sizeof(header.build_id));
	header.crc = (uint32_t)crc32_z(0, header.build_id, checked);
	header.crc = (uint32_t)crc32_z(header.crc, (const void *)sites, count * sizeof(*sites));
	if (!output_open(&o, name, &problem)) {
		fwrite(&header, sizeof(header), 1, o.to);
		fwrite(sites, sizeof(*sites), count, o.to);
		if (!output_close(&o, 0644, 0, &problem))
			return;
	}
	fail(problem.next, "%s", problem.what);
}

static void list(const struct kernel *kernel, const struct mercury_site *sites, size_t count)
{
	unsigned int kinds[MERCURY_SITE_KINDS] = { 0 };
	size_t i;

	printf("build ID ");
	for (i = 0; i < MERCURY_SITES_BUILD_ID; i++)
		printf("%02x", kernel->build_id[i]);
	printf("\n");
	for (i = 0; i < count; i++)
		kinds[sites[i].kind]++;
	for (i = 0; i < MERCURY_SITE_KINDS; i++)
		printf("%5u %s\n", kinds[i], site_names[i]);
}

static int run(int argc, char **argv)
{
	struct kernel kernel;
	struct mercury_site *sites;
	struct bytes image;
	size_t count;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("mercury-sites " MERCURY_VERSION);
		return 0;
	}
	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
			"usage: mercury-sites VMLINUZ [TABLE]\n\n"
			"Find the places in a kernel's image that Mercury's ring 1 replaces while the machine\n"
			"is virtual, and write their table, which belongs into\n"
			"/lib/firmware/mercury/RELEASE.sites; without TABLE only count them.\n");
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
	}
	image = read_kernel(argv[1]);
	open_kernel(&kernel, &image);
	sites = find_sites(&kernel, &count);
	if (argc == 3)
		write_table(argv[2], &kernel, sites, count);
	else
		list(&kernel, sites, count);
	free(sites);
	close_kernel(&kernel);
	free(image.data);
	return 0;
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);

	if (fflush(stdout) || ferror(stdout))
		fail("free some space, or see why what reads it ended", "writing the output: %s",
		     strerror(errno));
	return status;
}
