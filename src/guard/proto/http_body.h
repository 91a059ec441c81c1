#ifndef BEDWARDEN_GUARD_PROTO_HTTP_BODY_H
#define BEDWARDEN_GUARD_PROTO_HTTP_BODY_H
/*
 * How the body of an HTTP/1 message is framed (RFC 9112 §6.3, §7.1): by its length, by chunks with a
 * trailer, or to the end of the stream. What could be understood in two ways is `http.smuggling`.
 */
#include "guard/proto/http_content.h"

enum http_phase {
	HTTP_HEAD,
	HTTP_BODY, /* `left` bytes */
	HTTP_CHUNK_LINE,
	HTTP_CHUNK, /* `left` bytes */
	HTTP_CHUNK_END,
	HTTP_TRAILER,
	HTTP_REST, /* a body to the end, or no HTTP any more */
};

/* What an end says: heads, and bodies behind them. */
struct http_side {
	uint8_t phase;	  /* enum http_phase; zero at first */
	bool tunnel;	  /* the rest is none of HTTP's */
	uint32_t scanned; /* of what is there without being taken */
	uint64_t left;
	struct http_content content;
};

/* From here on the body that such a head announces; one that says no length may go on `to_end`. */
void http_body_begin(struct http_side *s, const struct http_head *h, bool to_end);
/* From here on something else. */
void http_body_tunnel(struct http_side *s);
/* In every phase but that of a head: as proto.read does, up to the head of the next message. *inside, all zero
 * where a body begins, is for what a request has inside. */
enum parse http_body_read(struct http_side *s, struct hl7_inside *inside,
			  const struct proto_input *in, bool answer, struct http_msg *m,
			  struct proto_output *out);

/* What breaks the protocol, with what was understood of it. */
enum parse http_broken(struct http_msg *m, enum reason reason, struct proto_output *out);

#endif
