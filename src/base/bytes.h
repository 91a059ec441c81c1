#ifndef BEDWARDEN_BASE_BYTES_H
#define BEDWARDEN_BASE_BYTES_H
/*
 * Borrowed byte ranges, and the two ways through them. Every parser of outside
 * bytes reads through a reader and every encoder writes through a writer, so
 * that a length is checked in one place only.
 *
 * Both are sticky: the first access that does not fit sets `bad`, every later
 * one yields zero (or is discarded). Read straight through, then check once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t len;
};

/* For what is short: memcpy() of a length that only the program knows is a call and a branch tree. */
static inline void bytes_copy_short(char *at, const void *from, size_t n)
{
	const char *s = from;

	if (n > 16) {
		memcpy(at, s, n);
	} else if (n >= 8) {
		memcpy(at, s, 8);
		memcpy(at + n - 8, s + n - 8, 8);
	} else if (n >= 4) {
		memcpy(at, s, 4);
		memcpy(at + n - 4, s + n - 4, 4);
	} else {
		for (size_t i = 0; i < n; i++)
			at[i] = s[i];
	}
}

/* The same of memcmp(): are n bytes alike, none of them counted as an end? */
static inline bool bytes_same_short(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;
	uint64_t x, y;
	size_t i = 0;

	if (n < 8) {
		while (i < n && p[i] == q[i])
			i++;
		return i == n;
	}
	for (; i + 8 < n; i += 8) {
		memcpy(&x, p + i, 8);
		memcpy(&y, q + i, 8);
		if (x != y)
			return false;
	}
	memcpy(&x, p + n - 8, 8);
	memcpy(&y, q + n - 8, 8);
	return x == y;
}

struct reader {
	struct bytes in;
	size_t off;
	bool bad;
};

struct writer {
	uint8_t *data;
	size_t cap;
	size_t len;
	bool bad;
};

/* What a parser answers: it took a whole unit, needs more bytes, or refuses them. */
enum parse { PARSE_OK, PARSE_MORE, PARSE_BAD };

/* What is empty may lie nowhere; a reader's place is always one. */
static inline struct reader reader_new(const void *data, size_t len)
{
	return (struct reader){.in = {data ? data : "", len}};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : r->in.len - r->off;
}

/* n bytes, borrowed from the input; an empty range once bad. */
static inline struct bytes read_bytes(struct reader *r, size_t n)
{
	struct bytes b = {NULL, 0};

	if (__builtin_expect(r->bad || n > r->in.len - r->off, 0)) {
		r->bad = true;
		return b;
	}
	b.data = r->in.data + r->off;
	b.len = n;
	r->off += n;
	return b;
}

/* A reader confined to the next n bytes: what a length field opens. */
static inline struct reader read_sub(struct reader *r, size_t n)
{
	struct bytes b = read_bytes(r, n);

	return (struct reader){.in = b, .bad = r->bad};
}

static inline void read_skip(struct reader *r, size_t n)
{
	(void)read_bytes(r, n);
}

static inline uint8_t read_u8(struct reader *r)
{
	struct bytes b = read_bytes(r, 1);

	return b.len ? b.data[0] : 0;
}

static inline uint16_t read_be16(struct reader *r)
{
	struct bytes b = read_bytes(r, 2);

	return b.len ? (uint16_t)(b.data[0] << 8 | b.data[1]) : 0;
}

static inline uint32_t read_be32(struct reader *r)
{
	struct bytes b = read_bytes(r, 4);

	return b.len ? (uint32_t)b.data[0] << 24 | (uint32_t)b.data[1] << 16 |
			       (uint32_t)b.data[2] << 8 | b.data[3]
		     : 0;
}

static inline uint16_t read_le16(struct reader *r)
{
	struct bytes b = read_bytes(r, 2);

	return b.len ? (uint16_t)(b.data[1] << 8 | b.data[0]) : 0;
}

static inline uint32_t read_le32(struct reader *r)
{
	struct bytes b = read_bytes(r, 4);

	return b.len ? (uint32_t)b.data[3] << 24 | (uint32_t)b.data[2] << 16 |
			       (uint32_t)b.data[1] << 8 | b.data[0]
		     : 0;
}

static inline struct writer writer_new(void *data, size_t cap)
{
	return (struct writer){.data = data, .cap = cap};
}

static inline void write_bytes(struct writer *w, const void *data, size_t n)
{
	if (__builtin_expect(w->bad || n > w->cap - w->len, 0)) {
		w->bad = true;
		return;
	}
	if (n)
		memcpy(w->data + w->len, data, n);
	w->len += n;
}

static inline void write_u8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, 1);
}

static inline void write_be16(struct writer *w, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	write_bytes(w, b, sizeof(b));
}

static inline void write_be32(struct writer *w, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	write_bytes(w, b, sizeof(b));
}

#endif
