#ifndef BEDWARDEN_GUARD_PROTO_COAP_H
#define BEDWARDEN_GUARD_PROTO_COAP_H
/*
 * One CoAP message a datagram (RFC 7252 §3), or one behind the other in a stream
 * (RFC 8323 §3), with block-wise transfer (RFC 7959), observation (RFC 7641), the
 * methods of RFC 8132, and the registered options held to their lengths. Answers are paired with requests by
 * their token, which may be long (RFC 8974), and of which 32 bytes are told. Payloads are not told.
 *
 * `control` is every request but GET and FETCH, whose methods are safe (§5.1);
 * with OSCORE (RFC 8613) the method that is seen is POST, whatever is inside.
 */
#include "guard/proto/proto.h"

#define COAP_URI 200 /* of a path or a query; what is longer is cut */

struct coap {
	struct msg msg;
	const char *
		type; /* "confirmable", "non_confirmable", "acknowledgement", "reset"; of a stream NULL */
	uint8_t code_number;
	const char *code; /* "GET", "Content"; "Unknown" where it is not registered */
	char code_text[5];
	struct bytes code_dotted; /* "2.05" */
	uint16_t message_id;
	struct bytes token, uri_host, proxy_uri;
	struct bytes path, query; /* "/a/b", "x=1&y"; data NULL where there are none */
	const char *content_format;
	bool has_observe, has_block1, has_block2, oscore;
	uint32_t observe, block1, block2; /* the options' values */
	uint64_t payload_length;
	uint32_t latency_us; /* of an answer; 0 where its request was not seen */
	char path_text[COAP_URI], query_text[COAP_URI];
};

extern const struct proto coap_proto;

#endif
