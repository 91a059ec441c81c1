#ifndef BEDWARDEN_KEEP_KEYRING_H
#define BEDWARDEN_KEEP_KEYRING_H
/*
 * The keyring file: every key of a vault or a gateway, each sealed by the one
 * above it, as bytes. What the keys mean is keep/keys.h's business.
 *
 *   holder   guards the root key; its blob says how (keep/holder.h)
 *   root     seals the master key, and changes only with its holder
 *   master   seals the data keys
 *   data key one for a purpose and a day
 *
 * The file ends with an HMAC under the master key, by which a key that was put
 * in or taken out shows, and with a SHA-256 of everything, by which a torn file
 * shows without any key.
 */
#include "base/cipher.h"

#define KEYRING_MAX	    (16u << 20) /* bytes of a file */
#define KEYRING_BLOB_MAX    8192
#define KEYRING_NAME_MAX    32 /* of a holder or a purpose, with its zero */
#define KEYRING_PLACE_MAX   512
#define KEYRING_ENTRIES_MAX 100000

struct keyring_entry {
	uint32_t id;  /* never used twice, ascending */
	uint32_t day; /* since 1970, UTC; 0: not of one day */
	bool retired; /* opens what it sealed, seals nothing more */
	char purpose[KEYRING_NAME_MAX];
	uint8_t box[CIPHER_BOX];
};

struct keyring {
	uint32_t generation; /* of the master key, from 1 */
	uint32_t next_id;
	char holder[KEYRING_NAME_MAX];
	char place[KEYRING_PLACE_MAX]; /* where the holder is, as it was told */
	uint8_t blob[KEYRING_BLOB_MAX];
	size_t blob_len;
	char recipient[KEYRING_PLACE_MAX];  /* age1…; "" none */
	uint8_t recovery[KEYRING_BLOB_MAX]; /* the root key as an age file to that recipient */
	size_t recovery_len;
	uint8_t master[CIPHER_BOX];
	struct keyring_entry *entries;
	uint32_t count;
	uint32_t room;
};

/*
 * *ret_ring owns its entries: keyring_free(). 0; -EUCLEAN torn or altered by somebody without
 * care; -EPROTO whole but of another form; -ENOMEM. *ret_signed is what keyring_sign() has to
 * come to, its text and its HMAC, borrowed from `file`.
 */
int keyring_parse(struct bytes file, struct keyring *ret_ring, struct bytes *ret_text,
		  struct bytes *ret_mac);
void keyring_free(struct keyring *r);
/* The file, the caller's to free(): NULL without memory. `m` is of the master key. */
uint8_t *keyring_write(const struct keyring *r, struct mac *m, size_t *ret_len);

/* Appends a copy. 0; -ENOMEM; -ENOSPC there are too many. */
int keyring_add(struct keyring *r, const struct keyring_entry *e);
/* NULL: none. Good until keyring_add(). */
struct keyring_entry *keyring_find(const struct keyring *r, uint32_t id);
/* The newest that is not retired. */
struct keyring_entry *keyring_current(const struct keyring *r, const char *purpose, uint32_t day);
void keyring_remove(struct keyring *r, uint32_t id);

#endif
