// SPDX-License-Identifier: GPL-2.0-only
/* Files: create, write, read, map, rename, truncate and unlink, with checksums. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

#define FILE_BYTES (24 * 1024)

static unsigned char content[FILE_BYTES];

/* A directory in memory where there is one; the guest's own root is in memory as well. */
static bool make_directory(char *path, size_t size)
{
	static const char *const places[] = { "/dev/shm", "/tmp", "." };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, size, "%s/workload-XXXXXX", places[i]);
		if (mkdtemp(path))
			return true;
	}
	return expect_sys(false, "no place for files in /dev/shm, /tmp or here");
}

static const char *file_missing(void)
{
	char directory[64];

	if (!make_directory(directory, sizeof(directory)))
		return "no writable directory";
	rmdir(directory);
	return NULL;
}

/* Moves the whole content in pieces of odd sizes. @move is write or read. */
static bool in_pieces(int fd, ssize_t (*move)(int, unsigned char *, size_t), unsigned char *buffer)
{
	uint32_t state = 99;
	size_t at = 0;

	while (at < FILE_BYTES) {
		size_t piece = next_random(&state) % 3000 + 1;

		if (piece > FILE_BYTES - at)
			piece = FILE_BYTES - at;
		if (move(fd, buffer + at, piece) != (ssize_t)piece)
			return false;
		at += piece;
	}
	return true;
}

static ssize_t move_out(int fd, unsigned char *buffer, size_t size)
{
	return write(fd, buffer, size);
}

static ssize_t move_in(int fd, unsigned char *buffer, size_t size)
{
	return read(fd, buffer, size);
}

static void write_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	if (!expect_sys(fd >= 0, "create of a file"))
		return;
	expect_sys(in_pieces(fd, move_out, content), "write to a file");
	expect_sys(fsync(fd) == 0, "fsync");
	expect_sys(close(fd) == 0, "close");
	done(1);
}

static uint64_t read_file(const char *path)
{
	static unsigned char back[FILE_BYTES];
	uint64_t digest;
	int fd = open(path, O_RDWR);

	if (!expect_sys(fd >= 0, "open of the renamed file"))
		return 0;
	memset(back, 0, sizeof(back));
	expect_sys(in_pieces(fd, move_in, back), "read of a file");
	expect(read(fd, back, 1) == 0, "the file is longer than what was written");
	expect(memcmp(back, content, FILE_BYTES) == 0, "the file read back differs");
	digest = digest_bytes(DIGEST_START, back, FILE_BYTES);
	close(fd);
	done(1);
	return digest;
}

/* A change through a shared mapping is seen by read, one by write in the mapping. */
static void map_file(const char *path)
{
	unsigned char byte = 0, *map;
	int fd = open(path, O_RDWR);

	if (!expect_sys(fd >= 0, "open for mapping"))
		return;
	map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (expect_sys(map != MAP_FAILED, "mmap of a file")) {
		expect(memcmp(map, content, FILE_BYTES) == 0, "the mapped file differs");
		map[5000] = (unsigned char)~content[5000];
		expect(pread(fd, &byte, 1, 5000) == 1 && byte == (unsigned char)~content[5000],
		       "a change through the mapping is not in the file");
		expect(pwrite(fd, &content[5000], 1, 5000) == 1 && map[5000] == content[5000],
		       "a change by pwrite is not in the mapping");
		munmap(map, FILE_BYTES);
	}
	close(fd);
	done(1);
}

static void change_names(const char *path, const char *renamed)
{
	struct stat status = { 0 };

	expect_sys(rename(path, renamed) == 0, "rename");
	expect(access(path, F_OK) != 0 && errno == ENOENT, "the old name is still there");
	expect_sys(link(renamed, path) == 0, "link");
	expect_sys(stat(renamed, &status) == 0, "stat");
	expect(status.st_nlink == 2 && status.st_size == FILE_BYTES, "%u links of %lld bytes",
	       (unsigned int)status.st_nlink, (long long)status.st_size);
	expect_sys(unlink(path) == 0, "unlink");
	done(1);
}

static uint64_t file_round(void)
{
	char directory[64], path[80], renamed[80];
	struct stat status = { 0 };
	uint32_t state = 7;
	uint64_t digest;

	for (size_t i = 0; i < FILE_BYTES; i++)
		content[i] = (unsigned char)next_random(&state);
	if (!make_directory(directory, sizeof(directory)))
		return 0;
	snprintf(path, sizeof(path), "%s/one", directory);
	snprintf(renamed, sizeof(renamed), "%s/two", directory);
	write_file(path);
	change_names(path, renamed);
	digest = read_file(renamed);
	map_file(renamed);
	expect_sys(truncate(renamed, 100) == 0 && stat(renamed, &status) == 0, "truncate");
	expect(status.st_size == 100, "truncated to %lld instead of 100",
	       (long long)status.st_size);
	expect_sys(unlink(renamed) == 0, "unlink");
	expect_sys(rmdir(directory) == 0, "rmdir of the emptied directory");
	done(1);
	return digest;
}

const struct worker file_worker = { .name = "file", .missing = file_missing, .round = file_round };
