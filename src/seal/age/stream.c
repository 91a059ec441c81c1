#include "seal/age/stream.h"

#include <errno.h>

#define LAST 11 /* where the nonce tells it */

int stream_key(const uint8_t file_key[AGE_FILE_KEY], const uint8_t nonce[AGE_PAYLOAD_NONCE],
	       uint8_t ret_key[CRYPTO_KEY])
{
	return crypto_hkdf((struct bytes){file_key, AGE_FILE_KEY},
			   (struct bytes){nonce, AGE_PAYLOAD_NONCE}, "payload", ret_key);
}

/* An 11-byte big-endian number, then 1 for the last chunk. */
static void chunk_nonce(uint64_t number, bool last, uint8_t ret_nonce[CRYPTO_NONCE])
{
	memset(ret_nonce, 0, CRYPTO_NONCE);
	for (int i = LAST - 1; number; i--, number >>= 8)
		ret_nonce[i] = (uint8_t)number;
	ret_nonce[LAST] = last;
}

int stream_seal(struct aead *a, uint64_t number, bool last, const uint8_t *plain, size_t len,
		uint8_t *ret_sealed)
{
	uint8_t nonce[CRYPTO_NONCE];

	chunk_nonce(number, last, nonce);
	return aead_seal(a, nonce, plain, len, ret_sealed);
}

int stream_open(struct aead *a, uint64_t number, bool last, const uint8_t *sealed, size_t len,
		uint8_t *ret_plain)
{
	uint8_t nonce[CRYPTO_NONCE];

	if (len <= CRYPTO_TAG && number)
		return -EBADMSG;
	chunk_nonce(number, last, nonce);
	return aead_open(a, nonce, sealed, len, ret_plain);
}

uint64_t stream_sealed_len(uint64_t plain)
{
	uint64_t chunks = plain ? (plain - 1) / AGE_CHUNK + 1 : 1;

	return AGE_PAYLOAD_NONCE + plain + chunks * CRYPTO_TAG;
}

bool stream_plain_len(uint64_t sealed, uint64_t *ret_plain)
{
	uint64_t chunks, plain;

	if (sealed < AGE_PAYLOAD_NONCE + CRYPTO_TAG)
		return false;
	sealed -= AGE_PAYLOAD_NONCE;
	chunks = (sealed - 1) / AGE_SEALED_CHUNK + 1;
	if (sealed < chunks * CRYPTO_TAG)
		return false;
	plain = sealed - chunks * CRYPTO_TAG;
	/* No chunk but an only one is empty. */
	if (stream_sealed_len(plain) != sealed + AGE_PAYLOAD_NONCE)
		return false;
	*ret_plain = plain;
	return true;
}
