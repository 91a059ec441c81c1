#include "update/bundle/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a field lies and how long it is. */
enum {
	NAME = 0,
	NAME_LEN = 100,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	SIZE_LEN = 12,
	MTIME = 136,
	SUM = 148,
	SUM_LEN = 8,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
	PREFIX_LEN = 155,
};

static unsigned sum(const uint8_t block[TAR_BLOCK])
{
	unsigned n = 0;

	for (unsigned i = 0; i < TAR_BLOCK; i++)
		n += i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];
	return n;
}

static void write_block(uint8_t block[TAR_BLOCK], const char *name, char type, uint64_t size)
{
	size_t len = strlen(name);

	memset(block, 0, TAR_BLOCK);
	memcpy(block + NAME, name, len < NAME_LEN ? len : NAME_LEN);
	memcpy(block + MODE, "0000644", 8);
	memcpy(block + UID, "0000000", 8);
	memcpy(block + GID, "0000000", 8);
	snprintf((char *)block + SIZE, SIZE_LEN, "%011llo", (unsigned long long)size);
	memcpy(block + MTIME, "00000000000", 12);
	block[TYPE] = (uint8_t)type;
	memcpy(block + MAGIC, "ustar\00000", 8);
	snprintf((char *)block + SUM, 7, "%06o", sum(block));
	block[SUM + 7] = ' ';
}

/* "LENGTH path=NAME\n", the length counting itself. */
static size_t write_record(const char *name, char ret_text[TAR_BLOCK * 4])
{
	size_t rest = strlen(name) + sizeof(" path=\n") - 1, len = rest + 1;

	while ((size_t)snprintf(NULL, 0, "%zu", len) + rest != len)
		len++;
	return (size_t)snprintf(ret_text, TAR_BLOCK * 4, "%zu path=%s\n", len, name);
}

size_t tar_write_header(const char *name, uint64_t size, uint8_t ret_blocks[6 * TAR_BLOCK])
{
	size_t at = 0, len;

	if (strlen(name) > NAME_LEN) {
		memset(ret_blocks + TAR_BLOCK, 0, 4 * TAR_BLOCK);
		len = write_record(name, (char *)ret_blocks + TAR_BLOCK);
		write_block(ret_blocks, "pax", 'x', len);
		ret_blocks[TAR_BLOCK + len] = 0;
		at = TAR_BLOCK + TAR_PADDED(len);
	}
	write_block(ret_blocks + at, name, '0', size);
	return at + TAR_BLOCK;
}

static int read_octal(const uint8_t *field, size_t len, uint64_t *ret_n)
{
	uint64_t n = 0;
	size_t i = 0;

	while (i < len && field[i] >= '0' && field[i] <= '7')
		n = n << 3 | (field[i++] - '0');
	if (i == 0 || (i < len && field[i] && field[i] != ' '))
		return -EBADMSG;
	*ret_n = n;
	return 0;
}

int tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *ret_entry)
{
	static const uint8_t zeros[TAR_BLOCK];
	struct tar_entry e = {0};
	size_t prefix = strnlen((const char *)block + PREFIX, PREFIX_LEN),
	       name = strnlen((const char *)block + NAME, NAME_LEN);
	uint64_t want;

	if (memcmp(block, zeros, TAR_BLOCK) == 0)
		return -ENODATA;
	if (memcmp(block + MAGIC, "ustar", 6) != 0 || read_octal(block + SUM, SUM_LEN, &want) < 0 ||
	    want != sum(block) || read_octal(block + SIZE, SIZE_LEN, &e.size) < 0 ||
	    e.size > TAR_SIZE_MAX)
		return -EBADMSG;
	e.type = block[TYPE] ? (char)block[TYPE] : '0';
	if (prefix)
		snprintf(e.name, sizeof(e.name), "%.*s/%.*s", (int)prefix,
			 (const char *)block + PREFIX, (int)name, (const char *)block + NAME);
	else
		memcpy(e.name, block + NAME, name);
	*ret_entry = e;
	return 0;
}

int tar_read_path(struct bytes records, char ret_name[TAR_NAME_MAX])
{
	const uint8_t *p = records.data, *end = p + records.len;
	int found = -ENOENT;

	while (p < end) {
		const uint8_t *q = p;
		size_t len = 0;

		while (q < end && *q >= '0' && *q <= '9' && len < 1u << 20)
			len = len * 10 + (size_t)(*q++ - '0');
		if (q == end || *q != ' ' || len < (size_t)(q - p) + 3 || len > (size_t)(end - p) ||
		    p[len - 1] != '\n')
			return -EBADMSG;
		q++;
		if ((size_t)(p + len - q) > 5 && memcmp(q, "path=", 5) == 0) {
			size_t n = (size_t)(p + len - 1 - (q + 5));

			if (n == 0 || n >= TAR_NAME_MAX || memchr(q + 5, 0, n))
				return -EBADMSG;
			memcpy(ret_name, q + 5, n);
			ret_name[n] = 0;
			found = 0;
		}
		p += len;
	}
	return found;
}

/* --- a whole archive ---------------------------------------------------------------------------- */

#define PAX_MAX 4096

static int read_at(int fd, void *data, size_t len, uint64_t at)
{
	return pread(fd, data, len, (off_t)at) == (ssize_t)len ? 0 : -EBADMSG;
}

static int read_pax(int fd, uint64_t at, uint64_t size, char ret_name[TAR_NAME_MAX])
{
	uint8_t records[PAX_MAX];

	if (size > sizeof(records) || read_at(fd, records, (size_t)size, at) < 0)
		return -EBADMSG;
	return tar_read_path((struct bytes){records, (size_t)size}, ret_name);
}

/* Two blocks of zeros end it, and nothing but zeros follows. */
static int read_end(int fd, uint64_t at, uint64_t size)
{
	uint8_t block[TAR_BLOCK];
	struct tar_entry entry;
	unsigned zeros = 0;

	for (; at < size; at += TAR_BLOCK, zeros++)
		if (zeros > 128 || read_at(fd, block, sizeof(block), at) < 0 ||
		    tar_read_header(block, &entry) != -ENODATA)
			return -EBADMSG;
	return zeros >= 2 ? 0 : -EBADMSG;
}

int tar_walk(int fd, uint64_t size,
	     int (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg)
{
	char long_name[TAR_NAME_MAX] = "";
	uint8_t block[TAR_BLOCK];
	struct tar_entry entry;
	uint64_t at = 0;
	int err;

	for (;;) {
		err = read_at(fd, block, sizeof(block), at);
		if (err == 0)
			err = tar_read_header(block, &entry);
		if (err == -ENODATA)
			return *long_name ? -EBADMSG : read_end(fd, at, size);
		at += TAR_BLOCK;
		if (err < 0 || entry.size > size || TAR_PADDED(entry.size) > size - at)
			return -EBADMSG;
		if (entry.type == 'x' && !*long_name)
			err = read_pax(fd, at, entry.size, long_name) < 0 ? -EBADMSG : 0;
		else if (entry.type == '0')
			err = fn(arg, *long_name ? long_name : entry.name, at, entry.size);
		else
			err = -EBADMSG;
		if (err < 0)
			return err;
		if (entry.type == '0')
			*long_name = 0;
		at += TAR_PADDED(entry.size);
	}
}
