#ifndef BEDWARDEN_GUARD_PROTO_HTTP_HEAD_H
#define BEDWARDEN_GUARD_PROTO_HTTP_HEAD_H
/*
 * The head of an HTTP/1 message: its first line and fields (RFC 9112 §§2-5),
 * and how long its body is by them (§6). Where a field that decides the length
 * can be understood in two ways, that is said: it is how requests are smuggled
 * (§11.2). Borrows the bytes, which begin where the message does.
 */
#include "base/bytes.h"
#include "base/reason.h"

#define HTTP_HEAD_MAX 32768

struct http_head {
	bool request;
	enum reason reason; /* how it breaks the protocol */
	uint8_t minor;	    /* of HTTP/1.minor */
	struct bytes protocol;
	struct bytes method, target; /* requests */
	uint16_t status;	     /* responses */
	bool has_length, chunked;
	bool parts;	/* the body is of several (RFC 2046 §5.1), as any field of its type says */
	uint8_t coding; /* enum coding: of the body */
	bool upgrade; /* wants, or grants, another protocol on this connection (RFC 9110 §7.8) … */
	bool h2c;     /* … which is HTTP/2 (RFC 7540 §3.2), … */
	bool websocket; /* … or WebSocket (RFC 6455 §4) */
	uint64_t length;
	/* empty where absent; the first of each counts */
	struct bytes host, user_agent, server, content_type, content_encoding, referer, location,
		authorization;
	struct bytes other_type; /* what another field Content-Type says, which some go by */
	struct bytes websocket_protocol, websocket_extensions; /* RFC 6455 §§11.3.2, 11.3.4 */
	struct bytes
		rewritten; /* the target that is meant, as IIS and some frameworks let it be said */
	struct bytes override; /* the method that is meant, as some frameworks let it be said */
};

/*
 * PARSE_MORE where the head goes on behind the bytes: *ret_h then holds what
 * was readable. PARSE_BAD where this is no head of an HTTP/1 message.
 */
enum parse http_head_read(struct bytes stream, struct http_head *ret_h);

/* Does it begin with a request of HTTP/0.9, a line that nothing follows? http_head_read() calls that malformed. */
bool http_head_is_old(struct bytes stream);
/* Does the stream begin with the first line of a message? */
enum parse http_head_probe(struct bytes stream);

/*
 * The login that an Authorization field carries in clear text (RFC 7617), if it
 * is one that machines are delivered with. It is not given out.
 */
bool http_default_login(struct bytes authorization);

#endif
