#ifndef BEDWARDEN_SEAL_LINK_RECORD_H
#define BEDWARDEN_SEAL_LINK_RECORD_H
/*
 * Records of DTLS 1.2 (RFC 6347 §4.1) once a handshake of OpenSSL's has agreed on keys:
 * the same keys, the same bytes as OpenSSL's own record layer, sealed from where the
 * pieces lie and opened to where they belong (ADR 22). AES-GCM by RFC 5288, ChaCha20-Poly1305
 * by RFC 7905; epoch 1 alone, as nothing is ever renegotiated.
 */
#include <sys/uio.h>

#include "base/bytes.h"

#include <openssl/ssl.h>

#define RECORD_HEAD  13 /* RFC 6347 §4.1 */
#define RECORD_TAG   16
#define RECORD_NONCE 8					       /* explicit, AES-GCM's */
#define RECORD_OVER  (RECORD_HEAD + RECORD_NONCE + RECORD_TAG) /* at most */
/* OpenSSL numbers what it still has to say (its Finished, again) from 0; ours come behind. */
#define RECORD_FIRST ((uint64_t)1 << 24)
#define RECORD_LAST  (((uint64_t)1 << 48) - 1)

enum record_type {
	RECORD_CHANGE = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
};

/* A record's head as it came; `len` of what follows it, which is there. */
struct record {
	uint8_t type;
	uint16_t epoch, len;
	uint64_t seq; /* 48 bits */
	const uint8_t *data;
};

/* The first record of a datagram. False: there is none of DTLS 1.0 or 1.2, whole. */
bool record_read(struct reader *r, struct record *ret_r);

/* What a handshake agreed on, as plain values: of these keys are made, here or by another process. */
#define RECORD_KEY 32
#define RECORD_IV  12
struct record_secrets {
	int32_t cipher; /* its NID */
	uint8_t seal_key[RECORD_KEY], seal_iv[RECORD_IV];
	uint8_t open_key[RECORD_KEY], open_iv[RECORD_IV];
	uint64_t nonce; /* sealing: + the record's number */
};
/*
 * Those of a finished handshake. `taken` is the explicit nonce that OpenSSL was seen to use on its
 * way out (record_nonce()): ours are another half of them. 0; -ENOTSUP no such suite or
 * version; -EIO.
 */
int record_secrets(SSL *ssl, bool client, uint64_t taken, struct record_secrets *ret_secrets);

/* One direction's key. */
struct record_key;
/* Both directions. 0; -ENOTSUP no such cipher; -EIO. */
int record_keys(const struct record_secrets *s, struct record_key **ret_seal,
		struct record_key **ret_open);
void record_key_free(struct record_key *k); /* wipes it */
/* The explicit nonce of the first record of epoch 1 in a datagram. False: there is none. */
bool record_nonce(struct bytes datagram, uint64_t *ret_nonce);

/* Bytes that a record is longer than its content. */
size_t record_over(const struct record_key *k);
/*
 * A record of the parts, one after the other, `len` bytes in all; written to `out`, which has
 * room for record_over() more. `seq` serves once. Bytes written; 0: the library failed.
 */
size_t record_seal(struct record_key *k, enum record_type type, uint64_t seq,
		   const struct iovec *parts, unsigned count, size_t len, uint8_t *out);
/* Content bytes of a record; -1: too short to be one of this key. */
int record_content(const struct record_key *k, const struct record *r);
/*
 * Piece by piece from the front: begin, some…, end. Nothing of it counts before end said 0.
 * 0; -EBADMSG not sealed by this key; -EIO.
 */
int record_open_begin(struct record_key *k, const struct record *r);
int record_open_some(struct record_key *k, size_t len, uint8_t *ret_data);
int record_open_end(struct record_key *k);

#endif
