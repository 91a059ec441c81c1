#ifndef BEDWARDEN_GUARD_PROTO_HTTP_CONTENT_H
#define BEDWARDEN_GUARD_PROTO_HTTP_CONTENT_H
/*
 * What the body of an HTTP message holds, whatever pieces it comes in: is it a program; an image (PS3.10
 * §7.1), of which kind, and with a program before it; a message of HL7? Images travel as parts of one
 * body, too (PS3.18 §8.6.1.2), and all of it compressed (RFC 9110 §8.4.1). The rest is passed over.
 */
#include "guard/proto/coding.h"
#include "guard/proto/fhir.h"
#include "guard/proto/http.h"
#include "guard/proto/http_head.h"
#include "guard/proto/http_hl7.h"
#include "guard/proto/part10.h"

#define HTTP_HELD_MAX 60000 /* bytes of a body that are looked at in one go, if it is to be */

struct http_content {
	uint8_t seen;	     /* of the first bytes */
	bool parts : 1;	     /* it has some, each of which may be an image */
	uint8_t coding : 2;  /* enum coding; of one that is looked into */
	bool image : 1;	     /* what follows is behind the head of one, up to what kind it is */
	bool hl7 : 1;	     /* its type says so, or its first bytes do */
	bool may_be_hl7 : 1; /* that is still to be seen */
	bool wraps : 1;	     /* it may have messages of HL7 inside */
	struct part10 file;  /* it itself, as far as it may be one */
	bool bundles : 1;    /* it may be a Bundle of FHIR: then it has no parts */
	union {
		struct part10_search files;
		struct fhir_bundle bundle;
	};
	struct part10_meta meta;
	struct http_hl7_search headers;
};

/* What follows such a head. */
void http_content_begin(struct http_content *c, const struct http_head *h);
#define HTTP_KNOWN_BY 4096 /* bytes of a body, with what is between its chunks */

/* Must it be known what a body is before its first bytes are read, and is? */
static inline bool http_content_is_open(const struct http_content *c)
{
	return c->may_be_hl7 && !c->coding;
}
/* By its beginning, to which `more` may come; false where that is too short. */
bool http_content_know(struct http_content *c, struct bytes beginning, bool whole, bool more);
/* Is it looked at in one go? */
static inline bool http_content_is_held(const struct http_content *c)
{
	return c->coding || (c->hl7 && !c->seen);
}

/* How many bytes of the piece, which is not to be held and may be the last, were looked at. *inside is for requests. */
size_t http_content_read(struct http_content *c, struct hl7_inside *inside, struct bytes piece,
			 bool last, struct http_msg *m, struct proto_output *out);
/* The beginning of one that is, or all of it. */
void http_content_read_held(struct http_content *c, struct bytes held, bool whole,
			    struct http_msg *m, struct proto_output *out);

/* Is what follows of no concern? */
static inline bool http_content_is_seen(const struct http_content *c)
{
	return c->seen == PART10_HEAD && !c->parts && !c->image && !c->hl7 && !c->wraps &&
	       !c->bundles;
}

#endif
