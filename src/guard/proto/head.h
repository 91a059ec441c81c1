#ifndef BEDWARDEN_GUARD_PROTO_HEAD_H
#define BEDWARDEN_GUARD_PROTO_HEAD_H
/*
 * The head of a message in the manner of RFC 5322: a first line, fields, an
 * empty line. HTTP (RFC 9112 §2.1) and SIP (RFC 3261 §7) have it. What two
 * readers of such a head may understand differently is said, not smoothed over.
 */
#include "base/bytes.h"

struct head_field {
	struct bytes name, value; /* without the space around them */
	bool folded;		  /* goes on in further lines, which the value includes */
	bool odd;		  /* space or control characters around the name */
	bool oddly_set;		  /* control characters around the value */
};

/*
 * How long the head at the beginning is, its empty line included; 0 where that
 * is not there yet. *scanned is the caller's, zero at first: what was searched
 * already is not searched again.
 */
size_t head_len(struct bytes b, uint32_t *scanned);

/* One line without its end; false where the end is not there. */
bool head_line(struct reader *r, struct bytes *ret_line);
/* The next field; false behind the last. A line without a colon has an empty name. */
bool head_field(struct reader *r, struct head_field *ret_f);

bool head_is(struct bytes b, const char *text); /* in any case */
bool head_contains(struct bytes b, const char *text);
struct bytes head_trim(struct bytes b);
/* Digits only, and no more than fit; false for anything else. */
bool head_number(struct bytes b, uint64_t *ret_n);
/* What comes before the first of `stops`; all of it where none does. */
struct bytes head_before(struct bytes b, const char *stops);
/*
 * The next parameter of a Content-Type (RFC 2045 §5.1) and what it begins with, the type; false behind the
 * last. A `\` in quotes leaves the value empty.
 */
bool head_parameter(struct bytes *rest, struct bytes *ret_name, struct bytes *ret_value);

#endif
