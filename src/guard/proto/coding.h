#ifndef BEDWARDEN_GUARD_PROTO_CODING_H
#define BEDWARDEN_GUARD_PROTO_CODING_H
/*
 * How the content of an HTTP message is compressed (RFC 9110 §8.4.1), and what it
 * is when it is not. Pure; what zlib needs is on the stack.
 */
#include "base/bytes.h"

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_UNREADABLE };

/* By one more Content-Encoding field of a message: two codings, and others, are not read. */
enum coding coding_note(enum coding before, struct bytes field);

/*
 * Inflates all that came, in one go. OK: *ret_text, in `plain`, is the whole, and nothing is behind it
 * that some would read and others not. MORE: its beginning, for there is more of it than `max` bytes, or
 * than came. BAD: what could be read before it breaks off. *ret_rest, where it is not NULL: what was not read.
 */
enum parse coding_inflate(enum coding coding, struct bytes b, uint8_t *plain, size_t max,
			  struct bytes *ret_text, struct bytes *ret_rest);
/*
 * For who only searches: as much as there is room for, of all members of a gzip (RFC 1952 §2.2), of which
 * some read the first alone; up to where it breaks off.
 */
struct bytes coding_inflate_all(enum coding coding, struct bytes b, uint8_t *plain, size_t max);

#endif
