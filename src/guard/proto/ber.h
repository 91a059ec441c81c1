#ifndef BEDWARDEN_GUARD_PROTO_BER_H
#define BEDWARDEN_GUARD_PROTO_BER_H
/*
 * BER (X.690) as far as network protocols use it: tags of one byte, definite
 * lengths of at most four. Whatever does not fit makes the reader bad.
 */
#include "base/bytes.h"

#define BER_INTEGER	 0x02
#define BER_OCTET_STRING 0x04
#define BER_NULL	 0x05
#define BER_OID		 0x06
#define BER_SEQUENCE	 0x30

#define BER_HEAD_MAX 6	 /* a tag, and how long a length is */
#define BER_OID_TEXT 172 /* a dotted object identifier, cut to fit */

/* Before an element: how long its content is, all of which need not be there; *ret_tag 0 where there is none. */
size_t ber_read_head(struct reader *r, uint8_t *ret_tag);
/* The next element's content; *ret_tag 0 where there is none. */
struct reader ber_read(struct reader *r, uint8_t *ret_tag);
struct reader ber_expect_any(struct reader *r, uint8_t tag);
/* The content of an element that has this tag, or `r` is bad. Here for what most of them are, of a
 * length of one byte: a reader that is handed on through memory is waited for. */
static inline struct reader ber_expect(struct reader *r, uint8_t tag)
{
	size_t left = reader_left(r);
	const uint8_t *at;

	if (left < 2)
		return ber_expect_any(r, tag);
	at = r->in.data + r->off;
	if (at[0] != tag || at[1] > 0x7f || at[1] > left - 2)
		return ber_expect_any(r, tag);
	r->off += 2u + at[1];
	return (struct reader){.in = {at + 2, at[1]}};
}
/* INTEGER, of at most four bytes. */
int32_t ber_read_int(struct reader *r);
/* The same, or one of 32 bits without a sign. It may have a fifth byte ahead that is no more than the sign:
 * X.690 §8.3.2 wants none, but some agents write one. */
int64_t ber_read_number(struct reader *r);
/* A dotted object identifier (X.690 §8.19); false where it is none. `buf` may be NULL. */
bool ber_oid_text(struct bytes oid, char buf[BER_OID_TEXT]);

#endif
