#ifndef BEDWARDEN_SEAL_RELAY_TRAFFIC_H
#define BEDWARDEN_SEAL_RELAY_TRAFFIC_H
/*
 * Records of TLS 1.3 (RFC 8446 §5) and of TLS 1.2 with an AEAD (RFC 5246 §6.2.3.3, RFC 5288,
 * RFC 7905), once a handshake of OpenSSL's has agreed on keys: the same keys and bytes as
 * OpenSSL's own record layer. What a direction is, is plain values, so that
 * another process can go on with it (ADR 43).
 */
#include "base/bytes.h"

#include <openssl/ssl.h>

#define TRAFFIC_HEAD	5
#define TRAFFIC_CONTENT SSL3_RT_MAX_PLAIN_LENGTH	       /* of a record, at most */
#define TRAFFIC_OVER	(TRAFFIC_HEAD + 8 + 1 + 16)	       /* a record is longer by, at most */
#define TRAFFIC_RECORD	(TRAFFIC_HEAD + TRAFFIC_CONTENT + 256) /* one that comes, at most */
#define TRAFFIC_SECRET	48

/* One direction. */
struct traffic_secret {
	uint16_t version; /* TLS1_3_VERSION, TLS1_2_VERSION */
	uint16_t suite;	  /* as on the wire */
	uint8_t len;
	uint8_t secret[TRAFFIC_SECRET]; /* 1.3: traffic secret (§7.1); 1.2: key, then IV */
	uint64_t seq;			/* of its next record */
	uint64_t nonce; /* 1.2, AES-GCM, sealing: the explicit nonce is this + the number */
};

/* What a handshake of TLS 1.2 writes, in pieces, is looked at for the explicit nonce of its Finished. */
struct traffic_watch {
	uint8_t head[TRAFFIC_HEAD + 8];
	uint8_t have;  /* of `head` */
	uint16_t left; /* of the record, behind that */
	bool changed;  /* ChangeCipherSpec went by */
	bool found;
	uint64_t nonce;
};
void traffic_watch(struct traffic_watch *w, struct bytes written);

/*
 * Both directions of a TLS 1.2 handshake that is over; `w` saw what it wrote, for our explicit nonces
 * have to be others than that of OpenSSL's Finished. 0; -ENOTSUP no such suite; -EIO.
 */
int traffic_agreed(SSL *ssl, const struct traffic_watch *w, struct traffic_secret *ret_seal,
		   struct traffic_secret *ret_open);

struct traffic;
/* NULL with errno: ENOTSUP no such suite, EINVAL no such secret, EIO. */
struct traffic *traffic_new(const struct traffic_secret *s, bool seal);
void traffic_free(struct traffic *t); /* wipes it */
/* As it stands: who makes another of it goes on where this one was. */
void traffic_state(const struct traffic *t, struct traffic_secret *ret_secret);
/* As OpenSSL calls them: "TLSv1.3", "TLS_AES_256_GCM_SHA384". */
const char *traffic_version(const struct traffic *t);
const char *traffic_cipher(const struct traffic *t);
/* The next generation (RFC 8446 §7.2); 1.3 alone. 0 or -EIO. */
int traffic_renew(struct traffic *t);

/* A record of `len` (up to TRAFFIC_CONTENT) bytes; `out` has room for TRAFFIC_OVER more. Bytes
 * written; 0: the library failed. */
size_t traffic_seal(struct traffic *t, uint8_t type, const uint8_t *data, size_t len, uint8_t *out);
/*
 * Opens a record that is there whole, its head in front, `len` bytes in all. `ret_data` has room for
 * as many as the record has; what it holds counts if this says 0. 0; -EBADMSG not
 * sealed so; -EMSGSIZE longer than it may be; -EPROTO of no type.
 */
int traffic_open(struct traffic *t, const uint8_t *record, size_t len, uint8_t *ret_data,
		 uint8_t *ret_type, size_t *ret_len);

#endif
