#ifndef BEDWARDEN_GUARD_PROTO_HTTP_CONTENT_H
#define BEDWARDEN_GUARD_PROTO_HTTP_CONTENT_H
/*
 * What the body of an HTTP message holds, whatever pieces it comes in: is it a program, or an image
 * (PS3.10 §7.1) with one before it? Images travel as parts of one body, too (PS3.18 §8.6.1.2), and
 * compressed (RFC 9110 §8.4.1). All that is of no concern is passed over.
 */
#include "guard/proto/coding.h"
#include "guard/proto/http.h"
#include "guard/proto/http_head.h"
#include "guard/proto/part10.h"

#define HTTP_PACKED_MAX 60000 /* bytes of a compressed body that are looked into */

struct http_content {
	uint8_t seen;	    /* of the first bytes */
	bool parts : 1;	    /* it has some, each of which may be an image */
	uint8_t coding : 2; /* enum coding; of one that is looked into */
	struct part10 file; /* it itself, as far as it may be one */
	struct part10_search files;
};

/* What follows such a head. */
void http_content_begin(struct http_content *c, const struct http_head *h);
/* How many bytes of the piece, which is not compressed, were looked at. */
size_t http_content_read(struct http_content *c, struct bytes piece, struct http_msg *m,
			 struct proto_output *out);
/* The beginning of a compressed one, or all of it, in one go: what is behind it is passed over. */
void http_content_unpack(struct http_content *c, struct bytes packed, bool whole,
			 struct http_msg *m, struct proto_output *out);

/* Is what follows of no concern? */
static inline bool http_content_is_seen(const struct http_content *c)
{
	return c->seen == PART10_HEAD && !c->parts;
}

#endif
