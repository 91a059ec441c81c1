#ifndef BEDWARDEN_GUARD_PROTO_TLS_H
#define BEDWARDEN_GUARD_PROTO_TLS_H
/*
 * What the opening of a TLS (RFC 8446, RFC 5246) or DTLS (RFC 6347, RFC 9147)
 * conversation tells: who is asked for, what is offered and chosen, whose
 * certificate is shown. One message for the client's hello, one for the server's
 * with its certificate (which TLS 1.3 hides), one for a client's certificate.
 * What is encrypted is passed over.
 *
 *   tls.c            records of a stream, handshake messages over their borders,
 *                    hellos of SSL 2 (RFC 5246 §E.2)
 *   dtls.c           records of datagrams, messages in fragments
 *   tls_handshake.c  the messages themselves, the same for both
 *   tls_hello.c      hellos, JA3, JA4; x509.c certificates; tls_cipher.c names of suites
 */
#include "guard/proto/proto.h"
#include "guard/proto/tls_hello.h"
#include "guard/proto/x509.h"

#define TLS_ALPN_MAX   128
#define TLS_DN_MAX     512
#define TLS_SERIAL_MAX 80
#define TLS_PRINT_LEN  60 /* SHA-1 in pairs with colons */

struct tls_msg {
	struct msg msg;
	const char *type; /* "client_hello", "server_hello", "client_certificate" */
	const char *version;
	struct bytes sni, ja3, ja3_text, ja3s, ja3s_text, ja4, cipher;
	struct bytes subject, issuer, serial, fingerprint, not_before, not_after;
	struct bytes names;			   /* subjectAltName, for x509_next_name() */
	struct bytes client_alpns, server_alpns;   /* as the hellos have them */
	bool resumed, self_signed, expired, early; /* early: not valid yet */
	char address[X509_ADDRESS_LEN];
	size_t room_used;
	uint8_t room[3072]; /* where the texts lie that are no part of the input */
};

/* What is remembered from hello to certificate. All zero at first. */
struct tls_kept {
	uint8_t sni_len, client_alpns_len, server_alpns_len, ja3s_text_len;
	bool client_seen, server_seen, pending, retry;
	uint8_t client; /* the end that is the client */
	uint16_t version, cipher;
	char sni[TLS_NAME_MAX], ja3[TLS_JA3_LEN], ja4[TLS_JA4_LEN], ja3s[TLS_JA3_LEN];
	char ja3s_text[96];
	uint8_t client_alpns[TLS_ALPN_MAX], server_alpns[TLS_ALPN_MAX];
};

#define TLS_NEW_TICKET	4
#define TLS_CERTIFICATE 11

/* Is the message worth being held until it is whole? */
bool tls_is_wanted(uint8_t type);
/*
 * A handshake message without its head, or as much of it as there is (cut). True
 * where it makes a message; a reason in it: the bytes break the protocol.
 */
bool tls_handshake(struct tls_kept *k, const struct proto_input *in, uint8_t type,
		   struct bytes body, bool cut, struct tls_msg *ret_m);
/*
 * No certificate comes any more, from the server: its hello, if that is still
 * owed. `resumed`: a session goes on that was opened with one (RFC 5246 §7.3).
 */
bool tls_no_certificate(struct tls_kept *k, const struct proto_input *in, bool resumed,
			struct tls_msg *ret_m);

extern const struct proto_field tls_fields[];
void tls_write(const struct msg *msg, struct json *j);

extern const struct proto tls_proto;
extern const struct proto dtls_proto;

#endif
