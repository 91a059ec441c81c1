#ifndef BEDWARDEN_GUARD_PROTO_HTTP_H
#define BEDWARDEN_GUARD_PROTO_HTTP_H
/*
 * HTTP/1.0 and 1.1 (RFC 9110, RFC 9112): a message for each request and each
 * answer, which are paired over pipelining. Bodies are passed over, by length,
 * by chunks or to the end of the stream; of each the first bytes are looked at:
 * is it a program, or an image (PS3.10 §7.1) with a program before it?
 * What two readers could understand differently ends the conversation. What a
 * body holds (an image, a message of HL7) is a message behind that of its head.
 *
 * A query says who is asked about; it is left out of every address.
 */
#include "guard/proto/hl7_told.h"
#include "guard/proto/http_path.h"
#include "guard/proto/proto.h"

struct http_msg {
	struct msg msg;
	struct bytes hostname, url, user_agent, content_type, content_encoding, referer, method,
		protocol;
	struct bytes
		rewritten; /* a target that the server may take instead; rules ask for it, too */
	struct bytes other_type;	     /* of the body to some; rules ask for it, too */
	struct bytes redirect, server, auth; /* auth: the scheme alone */
	uint16_t port, status;
	uint64_t length;
	bool chunked, query, default_login;
	bool unsure;			 /* servers read the path in more ways than can be told */
	const char *upgrade;		 /* "websocket" */
	struct bytes websocket_protocol; /* offered, or chosen */
	const char *program;		 /* what a body begins as: "ELF", "PE", "script" */
	/* Of a body, told behind its head: what kind of image it is, or has in it; the name or, where it has
	 * none, the UID. Blank where that cannot be told. */
	struct bytes sop_class, sop_class_uid;
	/* The request's path where servers may read another one than `url` says; rules ask for both. */
	size_t path_len;
	/* What one of a FHIR Bundle's entries asks for; blank where that is not clear. */
	struct bytes fhir_method, fhir_url;
	struct hl7_told hl7;	     /* of a message in a body, likewise */
	uint8_t path[HTTP_PATH_MAX]; /* not zeroed, nor are the texts of HL7 */
};

extern const struct proto http_proto;

#endif
