#include "people/auth/cbor.h"

#include "base/json.h"

/* RFC 8949 §3: what follows the first byte. A number that a shorter head could hold is refused. */
static uint64_t read_argument(struct reader *r, unsigned info)
{
	uint64_t n;

	if (info < 24)
		return info;
	switch (info) {
	case 24:
		n = read_u8(r);
		r->bad |= n < 24;
		return n;
	case 25:
		n = read_be16(r);
		r->bad |= n <= UINT8_MAX;
		return n;
	case 26:
		n = read_be32(r);
		r->bad |= n <= UINT16_MAX;
		return n;
	case 27:
		n = (uint64_t)read_be32(r) << 32;
		n |= read_be32(r);
		r->bad |= n <= UINT32_MAX;
		return n;
	default: /* 28..30 mean nothing, 31 is an indefinite length */
		r->bad = true;
		return 0;
	}
}

struct cbor cbor_read(struct reader *r)
{
	static const enum cbor_kind kinds[8] = {CBOR_UINT,  CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT,
						CBOR_ARRAY, CBOR_MAP,	   CBOR_NONE,  CBOR_SIMPLE};
	uint8_t head = read_u8(r);
	struct cbor c = {.kind = kinds[head >> 5]};

	c.value = read_argument(r, head & 31);
	/* Tags, floating point and simple values beyond these have no place in CTAP2. */
	if (c.kind == CBOR_NONE || (c.kind == CBOR_SIMPLE && (c.value < 20 || c.value > 22)))
		r->bad = true;
	if (c.kind == CBOR_BYTES || c.kind == CBOR_TEXT)
		c.data = read_bytes(r, c.value > SIZE_MAX ? SIZE_MAX : (size_t)c.value);
	if (c.kind == CBOR_TEXT && !json_is_utf8(c.data))
		r->bad = true;
	/* Every item takes a byte at least: a count beyond that lies. */
	if ((c.kind == CBOR_ARRAY && c.value > reader_left(r)) ||
	    (c.kind == CBOR_MAP && c.value > reader_left(r) / 2))
		r->bad = true;
	return r->bad ? (struct cbor){CBOR_NONE, 0, {NULL, 0}} : c;
}

static void skip(struct reader *r, unsigned depth)
{
	struct cbor c = cbor_read(r);
	uint64_t items = c.kind == CBOR_ARRAY ? c.value : c.kind == CBOR_MAP ? c.value * 2 : 0;

	if (items && depth == 0)
		r->bad = true;
	for (uint64_t i = 0; i < items && !r->bad; i++)
		skip(r, depth - 1);
}

struct bytes cbor_skip(struct reader *r)
{
	size_t from = r->off;

	skip(r, CBOR_DEPTH);
	if (r->bad)
		return (struct bytes){NULL, 0};
	return (struct bytes){r->in.data + from, r->off - from};
}

bool cbor_int(struct reader *r, int64_t *ret_n)
{
	struct cbor c = cbor_read(r);

	if ((c.kind != CBOR_UINT && c.kind != CBOR_NEGATIVE) || c.value > INT32_MAX) {
		r->bad = true;
		return false;
	}
	*ret_n = c.kind == CBOR_UINT ? (int64_t)c.value : -1 - (int64_t)c.value;
	return true;
}

bool cbor_is_text(const struct cbor *c, const char *text)
{
	return c->kind == CBOR_TEXT && c->data.len == strlen(text) &&
	       memcmp(c->data.data, text, c->data.len) == 0;
}
