// SPDX-License-Identifier: GPL-2.0-only
/* A kernel's image out of the file that is booted: find the payload, decompress it. */
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "sites.h"

/* Documentation/arch/x86/boot.rst, The Real-Mode Kernel Header */
#define SETUP_SECTS 0x1f1
#define HEADER 0x202
#define PROTOCOL 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define PROTOCOL_WITH_PAYLOAD 0x208
#define SECTOR 512

#define KERNEL_MAX (512u << 20)

static uint32_t le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint8_t *grow(uint8_t *data, size_t room, const char *name)
{
	uint8_t *larger = room <= KERNEL_MAX ? realloc(data, room) : NULL;

	if (!larger)
		fail("give a kernel's file, as /boot/vmlinuz-RELEASE",
		     "%s is too large for a kernel", name);
	return larger;
}

/* Some distributions let root alone read their kernels. */
static void __attribute__((noreturn)) cannot_read(const char *name)
{
	if (errno == EACCES)
		fail("run it as root", "%s: %s", name, strerror(errno));
	fail("give a kernel's file, as /boot/vmlinuz-RELEASE", "%s: %s", name, strerror(errno));
}

static struct bytes read_file(const char *name)
{
	FILE *file = fopen(name, "rb");
	struct bytes b = { NULL, 0 };
	size_t room = 1 << 24;

	if (!file)
		cannot_read(name);
	for (;; room *= 2) {
		b.data = grow(b.data, room, name);
		b.size += fread(b.data + b.size, 1, room - b.size, file);
		if (b.size < room)
			break;
	}
	if (ferror(file))
		cannot_read(name);
	fclose(file);
	return b;
}

static bool unpack_zstd(const struct bytes *from, struct bytes *to)
{
	size_t whole = ZSTD_findFrameCompressedSize(from->data, from->size);
	size_t n = ZSTD_isError(whole) ? whole :
					 ZSTD_decompress(to->data, to->size, from->data, whole);

	return !ZSTD_isError(n) && n == to->size;
}

static bool unpack_xz(const struct bytes *from, struct bytes *to)
{
	uint64_t memory = UINT64_MAX;
	size_t in = 0, out = 0;

	return lzma_stream_buffer_decode(&memory, 0, NULL, from->data, &in, from->size, to->data,
					 &out, to->size) == LZMA_OK &&
	       out == to->size;
}

static bool unpack_gzip(const struct bytes *from, struct bytes *to)
{
	z_stream z = { .next_in = from->data,
		       .avail_in = from->size,
		       .next_out = to->data,
		       .avail_out = to->size };
	bool done;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return false;
	done = inflate(&z, Z_FINISH) == Z_STREAM_END && !z.avail_out;
	inflateEnd(&z);
	return done;
}

/* The legacy format: blocks of up to 8 MiB, each behind its length. LZ4 frame format, Legacy frame */
#define LZ4_BLOCK (8 << 20)

static bool unpack_lz4(const struct bytes *from, struct bytes *to)
{
	size_t in = 4, out = 0;

	while (out < to->size && in + 4 < from->size) {
		uint32_t packed = le32(from->data + in);
		size_t room = to->size - out < LZ4_BLOCK ? to->size - out : LZ4_BLOCK;
		int n;

		in += 4;
		if (packed > from->size - in)
			return false;
		n = LZ4_decompress_safe((const char *)from->data + in, (char *)to->data + out,
					(int)packed, (int)room);
		if (n <= 0)
			return false;
		in += packed;
		out += (size_t)n;
	}
	return out == to->size;
}

static const struct packing {
	const char *name;
	uint8_t magic[6];
	unsigned int magic_length;
	bool (*unpack)(const struct bytes *from, struct bytes *to);
} packings[] = {
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, unpack_gzip },
};

static struct bytes unpack(const char *name, const struct bytes *payload)
{
	struct bytes image;
	unsigned int i;

	/* The kernel's build puts the size behind what it packed; gzip ends with it. */
	image.size = le32(payload->data + payload->size - 4);
	image.data = image.size <= KERNEL_MAX ? malloc(image.size) : NULL;
	if (!image.data)
		fail("install the kernel again",
		     "%s: its payload says it is %zu bytes, which is no kernel", name, image.size);
	for (i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		const struct packing *p = &packings[i];

		if (memcmp(payload->data, p->magic, p->magic_length) != 0)
			continue;
		if (!p->unpack(payload, &image))
			fail("install the kernel again", "%s: its %s payload is damaged", name,
			     p->name);
		return image;
	}
	fail("give its vmlinux",
	     "%s is packed in a way that is not known here: zstd, xz, lz4 and gzip are", name);
}

struct bytes read_kernel(const char *name)
{
	struct bytes file = read_file(name), payload, image;
	uint64_t start;

	if (file.size > 4 && memcmp(file.data, "\177ELF", 4) == 0)
		return file;
	if (file.size < PAYLOAD_LENGTH + 4 || memcmp(file.data + HEADER, "HdrS", 4) != 0 ||
	    (file.data[PROTOCOL] | file.data[PROTOCOL + 1] << 8) < PROTOCOL_WITH_PAYLOAD)
		fail("give a kernel's file, as /boot/vmlinuz-RELEASE",
		     "%s is neither a bzImage nor an ELF kernel", name);
	start = (file.data[SETUP_SECTS] + 1u) * SECTOR + (uint64_t)le32(file.data + PAYLOAD_OFFSET);
	payload.size = le32(file.data + PAYLOAD_LENGTH);
	if (payload.size < 16 || start + payload.size > file.size)
		fail("install the kernel again",
		     "%s is cut off: its payload ends at %llu, the file at %zu", name,
		     (unsigned long long)start + payload.size, file.size);
	payload.data = file.data + start;
	image = unpack(name, &payload);
	free(file.data);
	return image;
}
