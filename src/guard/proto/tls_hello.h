#ifndef BEDWARDEN_GUARD_PROTO_TLS_HELLO_H
#define BEDWARDEN_GUARD_PROTO_TLS_HELLO_H
/*
 * The hellos that open a TLS or DTLS conversation (RFC 8446 §4.1, RFC 5246
 * §7.4.1, RFC 6347 §4.2.1), and the fingerprints that are made of them. Not a
 * TLS implementation. Borrows the bytes.
 */
#include "base/bytes.h"
#include "base/digest.h"

#define TLS_CLIENT_HELLO   1
#define TLS_SERVER_HELLO   2
#define TLS_NAME_MAX	   255	/* RFC 1035 §2.3.4 */
#define TLS_JA3_TEXT	   1024 /* what is kept of the text; its hash is of the whole */
#define TLS_JA3_LEN	   33
#define TLS_JA4_LEN	   37
#define TLS_CONTENT_HELLOS 22
#define TLS_RECORD_MAX	   (16384 + 2048) /* RFC 5246 §6.2.3 */

struct tls_hello {
	bool client, datagram;
	bool retry;		    /* HelloRetryRequest, RFC 8446 §4.1.4 */
	uint16_t legacy;	    /* the field that once held the version */
	uint16_t version;	    /* the highest offered, or the one chosen: 0x0304 is TLS 1.3 */
	uint16_t cipher;	    /* the server's choice */
	struct bytes ciphers;	    /* the client's offer, two bytes each */
	struct bytes extensions;    /* all of them, as they stand there */
	struct bytes groups;	    /* two bytes each, RFC 8422 §5.1.1 */
	struct bytes point_formats; /* a byte each, §5.1.2 */
	struct bytes signatures;    /* two bytes each, RFC 8446 §4.2.3 */
	struct bytes server_name;   /* SNI, RFC 6066 §3 */
	struct bytes alpn_list;	    /* RFC 7301: lengths of a byte and names */
	struct bytes alpn;	    /* the first of them */
};

/*
 * A hello's body behind its four bytes of type and length. False where it lies
 * about a length; what was readable before stands in *ret_h all the same.
 */
bool tls_hello_read(struct bytes body, uint8_t type, bool datagram, struct tls_hello *ret_h);

/*
 * The hello at the beginning of a TCP stream. PARSE_MORE where it goes on behind
 * the bytes: *ret_h then holds what was readable. PARSE_BAD where this is no
 * hello, or one that lies.
 */
enum parse tls_hello_first(struct bytes stream, struct tls_hello *ret_h);

/* TLS or DTLS 1.3, or one of its drafts: what follows the server's hello is sealed. */
bool tls_is_1_3(uint16_t version);
/* "TLS 1.2", as Suricata writes them; NULL where the number is none. */
const char *tls_version_name(uint16_t version);

/* JA3 of a client's hello, JA3S of a server's; the text as far as `text` takes it. */
void tls_ja3(const struct tls_hello *h, char ret_hash[TLS_JA3_LEN], struct writer *text);
/* JA4 of a client's hello; empty where it offers more than a thousand ciphers or extensions. */
void tls_ja4(const struct tls_hello *h, char ret_ja4[TLS_JA4_LEN]);

#endif
