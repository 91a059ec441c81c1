#include "guard/proto/ber.h"

#include "base/digits.h"

#define LONG_LENGTH 0x80
#define LENGTH_MAX  4
#define TAG_LONG    0x1f

/* A length of more than one byte, whose first says how many follow. */
static size_t read_length(struct reader *r, uint8_t first)
{
	size_t len = 0;

	if (first == LONG_LENGTH || first > (LONG_LENGTH | LENGTH_MAX))
		r->bad = true;
	for (unsigned i = 0; !r->bad && i < (first & ~LONG_LENGTH & 0xffu); i++)
		len = len << 8 | read_u8(r);
	return len;
}

size_t ber_read_head(struct reader *r, uint8_t *ret_tag)
{
	struct bytes head = read_bytes(r, 2);
	size_t len;

	*ret_tag = 0;
	if (!head.len || (head.data[0] & TAG_LONG) == TAG_LONG) {
		r->bad = true;
		return 0;
	}
	len = head.data[1];
	if (__builtin_expect(len & LONG_LENGTH, 0))
		len = read_length(r, (uint8_t)len);
	if (!r->bad)
		*ret_tag = head.data[0];
	return len;
}

struct reader ber_read(struct reader *r, uint8_t *ret_tag)
{
	return read_sub(r, ber_read_head(r, ret_tag));
}

struct reader ber_expect_any(struct reader *r, uint8_t tag)
{
	uint8_t found;
	struct reader content = ber_read(r, &found);

	if (found != tag)
		r->bad = content.bad = true;
	return content;
}

/* In the two's complement, of `max` bytes at most; bad where there is none. */
static int64_t read_integer(struct reader *r, size_t max)
{
	struct reader v = ber_expect(r, BER_INTEGER);
	uint64_t n;

	if (!reader_left(&v) || reader_left(&v) > max) {
		r->bad = true;
		return 0;
	}
	n = v.in.data[0] & 0x80 ? UINT64_MAX : 0;
	while (reader_left(&v))
		n = n << 8 | read_u8(&v);
	return (int64_t)n;
}

int32_t ber_read_int(struct reader *r)
{
	return (int32_t)read_integer(r, 4);
}

int64_t ber_read_number(struct reader *r)
{
	int64_t n = read_integer(r, 5);

	if (n >= INT32_MIN && n <= UINT32_MAX)
		return n;
	r->bad = true;
	return 0;
}

/* One arc, 7 bits a byte, of 32 bits at most; `first` of its bytes was read. Some agents pad what is short. */
static bool read_arc(struct reader *r, uint8_t first, uint32_t *ret_arc)
{
	uint64_t arc = first & 0x7f;
	uint8_t b = first;

	while (b & 0x80 && arc <= UINT32_MAX && !r->bad) {
		b = read_u8(r);
		arc = arc << 7 | (b & 0x7f);
	}
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

	if (!oid.len || !read_arc(&r, read_u8(&r), &arc))
		return false;
	top = arc < 80 ? arc / 40 : 2;
	if (buf)
		at = put_arc(buf, put_arc(buf, 0, top), arc - top * 40);
	while (reader_left(&r)) {
		arc = read_u8(&r);
		if (arc & 0x80 && !read_arc(&r, (uint8_t)arc, &arc))
			return false;
		if (buf && at < BER_OID_TEXT - DIGITS_MAX - 4)
			at = put_arc(buf, at, arc);
	}
	if (buf)
		buf[at] = 0;
	return true;
}
