#ifndef BEDWARDEN_GUARD_PROTO_TLS_H
#define BEDWARDEN_GUARD_PROTO_TLS_H
/*
 * The hello that opens a TLS conversation (RFC 8446 §4.1, RFC 5246 §7.4.1), as
 * far as it tells who talks: names and versions. Not a TLS implementation.
 * Borrows the bytes, which begin where the TCP stream does.
 */
#include "base/bytes.h"

struct tls_hello {
	bool client;
	uint16_t version;	  /* the highest offered, or the one chosen: 0x0304 is TLS 1.3 */
	struct bytes server_name; /* SNI, RFC 6066 §3 */
	struct bytes alpn;	  /* the first one, RFC 7301 */
};

/*
 * PARSE_MORE where the hello goes on behind the bytes: *ret_h then holds what
 * was readable. PARSE_BAD where this is no hello, or one that lies.
 */
enum parse tls_read_hello(struct bytes stream, struct tls_hello *ret_h);

#endif
