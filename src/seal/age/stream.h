#ifndef BEDWARDEN_SEAL_AGE_STREAM_H
#define BEDWARDEN_SEAL_AGE_STREAM_H
/*
 * The payload of an age file: chunks of AGE_CHUNK bytes, each sealed for itself
 * under a nonce of its number and whether it is the last (STREAM). So chunks
 * can be sealed and opened in any order, and none can be moved, repeated or
 * left out without notice.
 */
#include "seal/age/header.h"

enum {
	AGE_CHUNK = 65536,
	AGE_SEALED_CHUNK = AGE_CHUNK + CRYPTO_TAG,
	AGE_PAYLOAD_NONCE = 16,
};

/* 0 or -errno. */
int stream_key(const uint8_t file_key[AGE_FILE_KEY], const uint8_t nonce[AGE_PAYLOAD_NONCE],
	       uint8_t ret_key[CRYPTO_KEY]);
/* len <= AGE_CHUNK bytes to len + CRYPTO_TAG, in place is fine. 0 or -errno. */
int stream_seal(struct aead *a, uint64_t number, bool last, const uint8_t *plain, size_t len,
		uint8_t *ret_sealed);
/*
 * len bytes to len - CRYPTO_TAG. 0, or -EBADMSG for a chunk that is not this
 * one, or that is empty and neither the first nor the only one.
 */
int stream_open(struct aead *a, uint64_t number, bool last, const uint8_t *sealed, size_t len,
		uint8_t *ret_plain);
/* Bytes of the payload, its nonce among them, of so many plain ones, and back; false for a
 * length that no payload has. */
uint64_t stream_sealed_len(uint64_t plain);
bool stream_plain_len(uint64_t sealed, uint64_t *ret_plain);

#endif
