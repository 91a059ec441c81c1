#ifndef BEDWARDEN_SEAL_PKI_TLS_H
#define BEDWARDEN_SEAL_PKI_TLS_H
/*
 * How we speak TLS, and whom we believe. TLS 1.3; TLS 1.2 only where it is asked for, and
 * then with ECDHE and an AEAD (DICOM PS3.15 §B.12, RFC 9325): no compression, no
 * renegotiation, no resumption, so that every conversation is judged by today's certificates.
 *
 * A peer is believed where its certificate leads to a trusted issuer, is of the right
 * use, in its time, not revoked, and has one of the names, or the key that was pinned
 * (SHA-256 of its SubjectPublicKeyInfo, as RFC 7469 §2.4). Why it is not, is in struct
 * tls_peer, which belongs to an SSL by tls_peer_attach().
 */
#include "base/crypto.h"
#include "base/reason.h"

#include <openssl/ssl.h>

#define TLS_ERROR 256

/* Certificates and revocation lists of issuers; shared by contexts. */
struct trust;
struct trust *trust_new(void);
void trust_free(struct trust *t);
/* PEM, certificates and CRLs mixed, at most TRUST_MAX; or one in DER. How many there were; -EBADMSG
 * nothing that could be read, or a piece of it not; -E2BIG; -ENOMEM. */
#define TRUST_MAX 512
int trust_add(struct trust *t, struct bytes text);
/* Issuers in it. */
unsigned trust_count(const struct trust *t);

struct tls_options {
	bool server;
	bool tls12;		/* TLS 1.2, too */
	bool datagram;		/* DTLS 1.2 */
	bool mutual;		/* server: the client must show a certificate */
	bool optional;		/* server: it may show one, which then counts */
	bool late_ok;		/* fail mode open: one that has run out still counts, and is told */
	EVP_PKEY *key;		/* NULL: none to show (client) */
	STACK_OF(X509) * chain; /* own certificate first, then its issuers' */
	const struct trust *trust; /* NULL: the pins alone decide */
	const char *const *names;  /* of the peer, one of them; none: any */
	unsigned name_count;
	const uint8_t (*pins)[CRYPTO_HASH]; /* of the peer, one of them; none: any */
	unsigned pin_count;
};

/* NULL with errno and ret_error said for a person. Everything is copied or referenced. */
SSL_CTX *tls_context_new(const struct tls_options *o, char ret_error[TLS_ERROR]);

/* What is known of a peer, filled in during the handshake. */
struct tls_peer {
	enum reason refused;  /* why it is not believed; NONE */
	enum reason late;     /* REASON_RELAY_EXPIRED, and it was let pass (late_ok) */
	char subject[128];    /* its names, as people read them; "" it showed none */
	uint64_t not_after_s; /* since 1970 */
};
/* Before the handshake; `p` outlives the SSL or is detached by NULL. */
void tls_peer_attach(SSL *ssl, struct tls_peer *p);
/* After a handshake failed: what of, as far as that is to be known. Clears OpenSSL's errors. */
enum reason tls_failure(SSL *ssl, const struct tls_peer *p, char ret_text[TLS_ERROR]);

/* A machine's name: the first DNS name of its certificate, else its common name; "" it has none. */
void tls_name(X509 *x, char *ret_text, size_t size);

/* SHA-256 of a certificate's SubjectPublicKeyInfo. 0 or -EIO. */
int tls_pin(X509 *x, uint8_t ret_pin[CRYPTO_HASH]);
/* Seconds since 1970 of an X.509 time; 0 where it is none. */
uint64_t tls_time(const ASN1_TIME *t);

#endif
