/*
 * A pack as somebody who can write to the disk would leave it. Records are read
 * wherever they may begin; what a key opens is also sealed here, so that the
 * fuzzer gets behind the tags: compressed chunks and names of its own making.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keep/vault_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t key[CRYPTO_KEY] = {1};

static void read_records(struct bytes in)
{
	size_t at = 0;

	while (at < in.len) {
		struct object_record r;
		enum parse p = object_read((struct bytes){in.data + at, in.len - at}, &r);

		if (p != PARSE_OK) {
			at++;
			continue;
		}
		assert(r.length >= OBJECT_NAME_HEAD);
		if (r.kind == OBJECT_CONTENT) {
			uint8_t head[OBJECT_HEAD];

			object_write_head(&r.head, head);
			assert(memcmp(head, in.data + at, sizeof(head)) == 0);
		} else {
			assert(r.sealed.data + r.sealed.len == in.data + at + r.length);
		}
		at += r.length < in.len - at ? (size_t)r.length : in.len - at;
	}
}

struct scanned {
	struct bytes in;
	bool whole;
	uint64_t next; /* no record may begin before */
	size_t count;
};

static int take_record(void *arg, uint64_t at, const struct object_record *r)
{
	struct scanned *s = arg;

	assert(at >= s->next && at < s->in.len && r->length <= s->in.len - at);
	s->next = at + (s->whole ? r->length : 1);
	s->count++;
	return s->whole ? SCAN_WHOLE : SCAN_INSIDE;
}

static size_t scan(int fd, struct bytes in, bool whole)
{
	struct scanned s = {.in = in, .whole = whole};

	assert(vault_scan(fd, 0, in.len, take_record, &s) == 0);
	return s.count;
}

/* Whoever believes no record's length finds all that there are; who does, no more than those. */
static void scan_records(struct bytes in)
{
	int fd = memfd_create("pack", MFD_CLOEXEC);
	size_t count = 0;

	assert(fd >= 0 && pack_write(fd, 0, in) == 0);
	for (size_t at = 0; at < in.len; at++) {
		struct object_record r;

		count += object_read((struct bytes){in.data + at, in.len - at}, &r) == PARSE_OK &&
			 r.length <= in.len - at;
	}
	assert(scan(fd, in, false) == count);
	assert(scan(fd, in, true) <= count);
	close(fd);
}

/* Any content comes back as it was, and with any bit changed not at all. */
static void seal_and_open(struct sealer *s, struct bytes plain)
{
	uint8_t *sealed = malloc(OBJECT_SEALED_MAX), *back = malloc(OBJECT_CHUNK);
	size_t len, again;

	assert(sealed && back && plain.len <= OBJECT_CHUNK);
	assert(object_seal_chunk(s, key, 7, true, plain, sealed, &len) == 0);
	assert(object_open_chunk(s, key, 7, true, (struct bytes){sealed, len}, back, &again) == 0);
	assert(again == plain.len && memcmp(back, plain.data, again) == 0);
	assert(object_open_chunk(s, key, 7, false, (struct bytes){sealed, len}, back, &again) < 0);
	sealed[plain.len ? plain.data[0] % len : 0] ^= 1;
	assert(object_open_chunk(s, key, 7, true, (struct bytes){sealed, len}, back, &again) < 0);
	free(back);
	free(sealed);
}

/* What says that it is compressed, rightly sealed, and is anything. */
static void open_forged(struct sealer *s, struct bytes packed)
{
	uint8_t nonce[CRYPTO_NONCE] = {2, [11] = 1}, *sealed = malloc(packed.len + 20), *back;
	struct cipher *c = cipher_new();
	struct writer w = writer_new(sealed, 4);
	size_t len;

	back = malloc(OBJECT_CHUNK);
	assert(c && sealed && back);
	write_be32(&w, (uint32_t)(packed.len + CRYPTO_TAG) | 0x80000000u);
	assert(cipher_seal(c, key, nonce, (struct bytes){sealed, 4}, packed, sealed + 4) == 0);
	if (object_open_chunk(s, key, 0, true, (struct bytes){sealed, packed.len + 20}, back,
			      &len) == 0)
		assert(len <= OBJECT_CHUNK);
	free(back);
	free(sealed);
	cipher_free(c);
}

static void open_forged_name(struct sealer *s, struct bytes plain)
{
	uint8_t address[CRYPTO_HASH] = {0}, *sealed = malloc(plain.len + 28), *buf;
	struct cipher *c = cipher_new();
	struct object_meta m;

	buf = malloc(OBJECT_META);
	assert(c && sealed && buf);
	memset(sealed, 3, CRYPTO_NONCE);
	assert(cipher_seal(c, key, sealed, (struct bytes){address, CRYPTO_HASH}, plain,
			   sealed + CRYPTO_NONCE) == 0);
	if (object_open_name(s, key, address, (struct bytes){sealed, plain.len + 28}, buf, &m) == 0)
		assert(m.name.len && !memchr(m.name.data, 0, m.name.len));
	free(buf);
	free(sealed);
	cipher_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sealer *s;
	struct bytes rest;

	if (len == 0 || len > OBJECT_CHUNK)
		return 0;
	rest = (struct bytes){data + 1, len - 1};
	if (data[0] % 4 == 0) {
		read_records(rest);
		scan_records(rest);
		return 0;
	}
	s = sealer_new(key);
	assert(s);
	if (data[0] % 4 == 1)
		seal_and_open(s, rest);
	else if (data[0] % 4 == 2)
		open_forged(s, rest);
	else
		open_forged_name(s, rest);
	sealer_free(s);
	return 0;
}
