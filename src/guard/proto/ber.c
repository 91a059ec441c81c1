#include "guard/proto/ber.h"

#include "base/digits.h"

#define LONG_LENGTH 0x80
#define LENGTH_MAX  4
#define TAG_LONG    0x1f

struct reader ber_read(struct reader *r, uint8_t *ret_tag)
{
	uint8_t tag = read_u8(r), first = read_u8(r);
	size_t len = first;

	if ((tag & TAG_LONG) == TAG_LONG || first == LONG_LENGTH ||
	    first > (LONG_LENGTH | LENGTH_MAX))
		r->bad = true;
	if (!r->bad && first & LONG_LENGTH) {
		len = 0;
		for (unsigned i = 0; i < (first & ~LONG_LENGTH & 0xffu); i++)
			len = len << 8 | read_u8(r);
	}
	*ret_tag = r->bad ? 0 : tag;
	return read_sub(r, len);
}

struct reader ber_expect(struct reader *r, uint8_t tag)
{
	uint8_t found;
	struct reader content = ber_read(r, &found);

	if (found != tag)
		r->bad = content.bad = true;
	return content;
}

int32_t ber_read_int(struct reader *r)
{
	struct reader v = ber_expect(r, BER_INTEGER);
	size_t len = reader_left(&v);
	uint32_t n;

	if (!len || len > 4) {
		r->bad = true;
		return 0;
	}
	n = v.in.data[0] & 0x80 ? UINT32_MAX : 0;
	while (reader_left(&v))
		n = n << 8 | read_u8(&v);
	return (int32_t)n;
}

/* One arc, 7 bits a byte, without padding, of 32 bits at most. */
static bool read_arc(struct reader *r, uint32_t *ret_arc)
{
	uint64_t arc = 0;
	uint8_t b;
	bool first = true;

	do {
		b = read_u8(r);
		if (first && b == 0x80)
			return false;
		first = false;
		arc = arc << 7 | (b & 0x7f);
	} while (b & 0x80 && arc <= UINT32_MAX && !r->bad);
	*ret_arc = (uint32_t)arc;
	return !r->bad && arc <= UINT32_MAX;
}

static size_t put_arc(char *buf, size_t at, uint32_t arc)
{
	if (at)
		buf[at++] = '.';
	return (size_t)(digits_decimal(buf + at, arc) - buf);
}

bool ber_oid_text(struct bytes oid, char buf[BER_OID_TEXT])
{
	struct reader r = reader_new(oid.data, oid.len);
	size_t at = 0;
	uint32_t arc, top;

	if (!oid.len || !read_arc(&r, &arc))
		return false;
	top = arc < 80 ? arc / 40 : 2;
	if (buf)
		at = put_arc(buf, put_arc(buf, 0, top), arc - top * 40);
	while (reader_left(&r)) {
		if (!read_arc(&r, &arc))
			return false;
		if (buf && at < BER_OID_TEXT - 12)
			at = put_arc(buf, at, arc);
	}
	if (buf)
		buf[at] = 0;
	return true;
}
