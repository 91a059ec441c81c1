#ifndef BEDWARDEN_BASE_RECORD_AEAD_H
#define BEDWARDEN_BASE_RECORD_AEAD_H
/*
 * An AEAD with a nonce of 12 bytes and a tag of 16 (RFC 5116), for records: one key, many short texts.
 * What OpenSSL's EVP looks up anew for each of them, a third of the work of sealing 1 KiB, is looked up
 * once here: its provider's own functions (provider-cipher(7)) are called, the same code and
 * keys. Of whichever provider the library would use, the FIPS one too.
 */
#include "base/bytes.h"

#define RECORD_AEAD_NONCE 12
#define RECORD_AEAD_TAG	  16
#define RECORD_AEAD_KEY	  32 /* bytes of a key, at most */

enum record_aead_kind {
	RECORD_AEAD_AES128,
	RECORD_AEAD_AES256,
	RECORD_AEAD_CHACHA,
	RECORD_AEAD_KINDS,
};

struct record_aead;

/* Bytes of its key. */
size_t record_aead_key(enum record_aead_kind kind);
/* For one direction, `key` of record_aead_key() bytes. NULL with errno: ENOTSUP the library has none, EIO. */
struct record_aead *record_aead_new(enum record_aead_kind kind, bool seal, const uint8_t *key);
void record_aead_free(struct record_aead *a); /* wipes it */
/* Another key. 0 or -EIO. */
int record_aead_rekey(struct record_aead *a, const uint8_t *key);

/*
 * A text: its nonce, which serves once under a key, and what is authenticated with it; then its
 * pieces, as many bytes out as in, in place if need be; then its tag. 0 or -EIO.
 */
int record_aead_begin(struct record_aead *a, const uint8_t nonce[RECORD_AEAD_NONCE],
		      struct bytes with);
int record_aead_piece(struct record_aead *a, const uint8_t *data, size_t len, uint8_t *ret_data);
int record_aead_tag(struct record_aead *a, uint8_t ret_tag[RECORD_AEAD_TAG]);
/* Opening. 0; -EBADMSG: no byte of it counts. */
int record_aead_check(struct record_aead *a, const uint8_t tag[RECORD_AEAD_TAG]);

#endif
