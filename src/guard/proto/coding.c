#include "guard/proto/coding.h"

#include <zlib.h>

#include "guard/proto/head.h"

#define ARENA \
	10240 /* bytes that inflate() keeps: no window, for it has all its output in one piece */

enum coding coding_note(enum coding before, struct bytes field)
{
	if (head_is(field, "identity"))
		return before;
	if (before != CODING_NONE)
		return CODING_UNREADABLE;
	if (head_is(field, "gzip") || head_is(field, "x-gzip"))
		return CODING_GZIP;
	return head_is(field, "deflate") ? CODING_DEFLATE : CODING_UNREADABLE;
}

struct arena {
	uint8_t room[ARENA] __attribute__((aligned(16)));
	size_t used;
};

static voidpf arena_take(voidpf opaque, uInt count, uInt size)
{
	struct arena *a = opaque;
	size_t n = ((size_t)count * size + 15) & ~(size_t)15;
	void *at = a->room + a->used;

	if (n > sizeof(a->room) - a->used)
		return Z_NULL;
	a->used += n;
	return at;
}

static void arena_give(voidpf opaque, voidpf at)
{
}

/* RFC 1950 for "deflate"; RFC 1951 for those who took its name at its word. */
static int window_bits(enum coding coding, struct bytes b)
{
	bool wrapped = b.len > 1 && (b.data[0] & 15) == 8 && (b.data[0] << 8 | b.data[1]) % 31 == 0;

	if (coding == CODING_GZIP)
		return MAX_WBITS + 16;
	return wrapped ? MAX_WBITS : -MAX_WBITS;
}

enum parse coding_inflate(enum coding coding, struct bytes b, uint8_t *plain, size_t max,
			  struct bytes *ret_text, struct bytes *ret_rest)
{
	struct arena a;
	z_stream z = {.next_in = (Bytef *)(uintptr_t)b.data,
		      .avail_in = (uInt)b.len,
		      .next_out = plain,
		      .avail_out = (uInt)max,
		      .zalloc = arena_take,
		      .zfree = arena_give,
		      .opaque = &a};
	int got;

	a.used = 0;
	got = inflateInit2(&z, window_bits(coding, b));
	if (got == Z_OK)
		got = inflate(&z, Z_FINISH);
	*ret_text = (struct bytes){plain, max - z.avail_out};
	if (ret_rest)
		*ret_rest = (struct bytes){z.next_in, z.avail_in};
	if (got == Z_STREAM_END)
		return z.avail_in ? PARSE_BAD : PARSE_OK;
	return got == Z_DATA_ERROR || got == Z_NEED_DICT ? PARSE_BAD : PARSE_MORE;
}

static bool is_member(enum coding coding, struct bytes b)
{
	return coding == CODING_GZIP && b.len > 1 && b.data[0] == 0x1f && b.data[1] == 0x8b;
}

struct bytes coding_inflate_all(enum coding coding, struct bytes b, uint8_t *plain, size_t max)
{
	size_t n = 0, before;
	struct bytes text;
	enum parse got;

	do {
		before = b.len;
		got = coding_inflate(coding, b, plain + n, max - n, &text, &b);
		n += text.len;
	} while (got == PARSE_BAD && b.len < before && is_member(coding, b));
	return (struct bytes){plain, n};
}
