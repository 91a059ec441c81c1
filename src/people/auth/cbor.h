#ifndef BEDWARDEN_PEOPLE_AUTH_CBOR_H
#define BEDWARDEN_PEOPLE_AUTH_CBOR_H
/*
 * CBOR (RFC 8949) in the form that CTAP2 prescribes (§8): definite lengths, the
 * shortest head, no tags, little nesting. Reads in place and allocates nothing;
 * whatever is not in that form makes the reader bad, and a bad reader yields
 * items of kind CBOR_NONE.
 */
#include "base/bytes.h"

enum cbor_kind {
	CBOR_NONE,
	CBOR_UINT,     /* value */
	CBOR_NEGATIVE, /* -1 - value */
	CBOR_BYTES,    /* data */
	CBOR_TEXT,     /* data, UTF-8 */
	CBOR_ARRAY,    /* value items follow */
	CBOR_MAP,      /* value pairs follow */
	CBOR_SIMPLE,   /* value: 20 false, 21 true, 22 null */
};

struct cbor {
	enum cbor_kind kind;
	uint64_t value;
	struct bytes data;
};

/* Nesting that cbor_skip() follows. */
#define CBOR_DEPTH 4

struct cbor cbor_read(struct reader *r);
/* A whole item with all that is in it; its bytes. */
struct bytes cbor_skip(struct reader *r);
/* A small number of either sign; false: it is none, and the reader is bad. */
bool cbor_int(struct reader *r, int64_t *ret_n);
bool cbor_is_text(const struct cbor *c, const char *text);

#endif
