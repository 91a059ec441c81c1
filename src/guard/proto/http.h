#ifndef BEDWARDEN_GUARD_PROTO_HTTP_H
#define BEDWARDEN_GUARD_PROTO_HTTP_H
/*
 * Hints of the head of an HTTP/1 message (RFC 9112 §2) that tell who talks. A
 * firewall's decision needs more than hints: those are not made here. Borrows
 * the bytes, which begin where the message does.
 */
#include "base/bytes.h"

struct http_hints {
	bool request;
	struct bytes method;		       /* requests */
	uint16_t status;		       /* responses */
	struct bytes host, user_agent, server; /* empty where absent; the first of each counts */
};

/*
 * PARSE_MORE where the head goes on behind the bytes: *ret_h then holds what
 * was readable. PARSE_BAD where this is no head of an HTTP/1 message.
 */
enum parse http_read_hints(struct bytes stream, struct http_hints *ret_h);

#endif
