#ifndef BEDWARDEN_TEST_AGE_KIT_H
#define BEDWARDEN_TEST_AGE_KIT_H
/*
 * What an age file is put together from, and what is then expected of opening
 * it. Everything comes from the bare algorithms, nothing from the code under
 * test that seals and opens; armor alone is ours.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK 65536

struct kit {
	uint8_t *data;
	size_t len, room;
	uint8_t file_key[32], stream_key[32];
	size_t file_key_len;
	uint64_t number;
	uint8_t *plain;
	size_t plain_len;
	bool armored;
	const char *expect;
	char identity[128], passphrase[64];
	uint8_t random;
};

struct kit_case {
	const char *name;
	void (*make)(struct kit *k);
};

/* The last one has no name. */
extern const struct kit_case kit_header_cases[], kit_payload_cases[];
/* clang-format off */
#define CASE(name) {#name, name}
/* clang-format on */

/* Whose key opens, and somebody else's. */
extern const uint8_t kit_own[32], kit_other[32];

void kit_put(struct kit *k, const void *data, size_t len);
void kit_line(struct kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void kit_unput(struct kit *k, size_t n);
void kit_random_bytes(struct kit *k, uint8_t *ret, size_t len);
const char *kit_b64(const void *data, size_t len);
void kit_body(struct kit *k, const uint8_t *data, size_t len);
void kit_aead_body(struct kit *k, const uint8_t key[32]);
void kit_version(struct kit *k);
void kit_record_identity(struct kit *k, const uint8_t identity[32]);
void kit_x25519_share(struct kit *k, const uint8_t share[32], const uint8_t identity[32],
		      uint8_t ret_key[32]);
void kit_new_share(struct kit *k, uint8_t ret_share[32]);
void kit_x25519_to(struct kit *k, const uint8_t identity[32]);
void kit_x25519(struct kit *k);
void kit_scrypt_key(const char *passphrase, const uint8_t salt[16], unsigned log_n,
		    uint8_t ret_key[32]);
void kit_scrypt_as(struct kit *k, const char *passphrase, const char *written, unsigned log_n);
void kit_scrypt_to(struct kit *k, const char *passphrase);
void kit_mac_of(struct kit *k, uint8_t ret_mac[32]);
void kit_mac(struct kit *k);
void kit_nonce(struct kit *k);
void kit_chunk_of(struct kit *k, const uint8_t *data, size_t len, bool last);
void kit_chunk(struct kit *k, size_t len, bool last);
void kit_payload(struct kit *k);
void kit_expect(struct kit *k, const char *what, size_t plain);
void kit_uncanonical(struct kit *k, size_t from_end);
void kit_wear(struct kit *k);
void kit_swap(struct kit *k, const char *from, const char *to, bool last);

/* A header to kit_own; whole files: to it, with a passphrase, and two that do not open. */
void kit_head(struct kit *k);
void kit_good_x25519(struct kit *k);
void kit_good_scrypt(struct kit *k);
void kit_x25519_no_match(struct kit *k);
void kit_header_crlf(struct kit *k);

#define HEADER_FAILURE(k)	kit_expect(k, "header failure", 0)
#define PAYLOAD_FAILURE(k, len) kit_expect(k, "payload failure", len)
#define NO_MATCH(k)		kit_expect(k, "no match", 0)
#define HMAC_FAILURE(k)		kit_expect(k, "HMAC failure", 0)
#define ARMOR_FAILURE(k)	kit_expect(k, "armor failure", 0)

#endif
