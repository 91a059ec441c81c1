#ifndef BEDWARDEN_KEEP_KEYS_H
#define BEDWARDEN_KEEP_KEYS_H
/*
 * The keys of a vault or a gateway, unlocked: the root key as its holder gave it
 * (keep/holder.h), the master key under it, and under that a data key for every
 * purpose and day, which is random and nowhere else, so that destroying it
 * destroys what it sealed. On disk there is DIR/keyring (keep/keyring.h) and a
 * copy of it beside, for when a block of the disk goes bad.
 *
 * Several processes may have one keyring open. Whatever changes it is on the
 * disk before the call returns, and seen by the others at their next call; one
 * that is killed at any moment leaves the old keyring or the new one.
 *
 * Keys live in locked memory (base/secret.h). One thread at a time.
 */
#include "keep/holder.h"

#define KEYS_ERROR  HOLDER_ERROR
#define KEYS_ALWAYS 0 /* the day of a key that is not of one day */

struct keys;
struct stat;

/*
 * A new keyring in the folder `dir`. `recipient` is the age recipient that can
 * recover it, NULL for none. 0; -EEXIST there is one; or as the holder.
 */
int keys_create(const char *dir, const struct holder *h, const struct holder_ask *ask,
		const char *recipient, char ret_error[KEYS_ERROR]);
/*
 * Has the holder that the keyring names give out the root key. `ask`->place ""
 * is where the keyring says it is. NULL with errno: ENOENT there is none; EUCLEAN
 * both keyring and copy are damaged; else as the holder.
 */
struct keys *keys_open(const char *dir, const struct holder_ask *ask, char ret_error[KEYS_ERROR]);
/* The same by the recovery recipient's identity (AGE-SECRET-KEY-1…) instead of the holder. */
struct keys *keys_recover(const char *dir, const char *identity, char ret_error[KEYS_ERROR]);
/* The same keyring a second time without asking its holder, for another thread. NULL with errno. */
struct keys *keys_again(const struct keys *k, char ret_error[KEYS_ERROR]);
/* Wipes everything. NULL is fine. */
void keys_free(struct keys *k);

/* Days since 1970, UTC, never 0. */
uint32_t keys_day(uint64_t wall_ns);

/*
 * Of the calls below -EUCLEAN: the keyring was damaged meanwhile; -EKEYREVOKED: it has another
 * holder now, open it again; -ENOSPC and other -errno: it could not be written, nothing changed.
 */

/* The key that seals for a purpose today, made if need be. *ret_key is good until the next call. */
int keys_sealing(struct keys *k, const char *purpose, uint32_t day, uint32_t *ret_id,
		 const uint8_t **ret_key);
/* The key with that id. -ENOKEY: it was destroyed, or never was; that somebody else destroyed it
 * is known KEYS_STALE_MS later at the latest. */
#define KEYS_STALE_MS 50
int keys_opening(struct keys *k, uint32_t id, const uint8_t **ret_key);
/* What a key is for. -ENOKEY. */
struct keys_info {
	char purpose[32];
	uint32_t day;
	bool retired;		    /* seals nothing more */
	uint8_t print[CRYPTO_HASH]; /* SHA-256 of it as it stands in the keyring, sealed */
};
int keys_describe(struct keys *k, uint32_t id, struct keys_info *ret_info);
/* From now on a new key seals what this one sealed; `id` 0: for all of one day, at once. */
int keys_retire(struct keys *k, uint32_t id);
/* For good, here and in the copy. -ENOKEY. */
int keys_destroy(struct keys *k, uint32_t id);

/* A new master key seals every data key. */
int keys_rotate(struct keys *k);
/* A new root key, held by `h`, and a new master key; recoverable as before. */
int keys_change_holder(struct keys *k, const struct holder *h, const struct holder_ask *ask,
		       char ret_error[KEYS_ERROR]);
/* From now on this recipient recovers, and no earlier one recovers what changes after this. NULL:
 * nobody. */
int keys_change_recipient(struct keys *k, const char *recipient, char ret_error[KEYS_ERROR]);

/*
 * Small secrets of others, sealed by the day's key for a purpose. ret_wrapped takes plain.len +
 * KEYS_WRAP bytes. Unwrapping gives wrapped.len - KEYS_WRAP bytes; -EBADMSG: it was not wrapped
 * for that purpose.
 */
#define KEYS_WRAP (4 + CRYPTO_NONCE + CRYPTO_TAG)
int keys_wrap(struct keys *k, const char *purpose, uint32_t day, struct bytes plain,
	      uint8_t *ret_wrapped);
int keys_unwrap(struct keys *k, const char *purpose, struct bytes wrapped, uint8_t *ret_plain);
/* Ed25519 by the purpose's own key, which is made if need be. */
int keys_sign(struct keys *k, const char *purpose, struct bytes text,
	      uint8_t ret_sign[CIPHER_SIGN]);
int keys_public(struct keys *k, const char *purpose, uint8_t ret_public[CRYPTO_KEY]);

/* Is that the file which holds the root key? Who puts it away locks everybody out. */
bool keys_are_held_in(const struct keys *k, const struct stat *st);

/* For status. */
struct keys_state {
	const struct holder *holder;
	const char *recipient; /* "" none */
	uint32_t generation;   /* of the master key */
	uint32_t count;	       /* of data keys */
	uint32_t next_id;      /* of the next one: no number was ever given twice */
	bool from_copy;	       /* the keyring was damaged, its copy serves */
};
void keys_state(const struct keys *k, struct keys_state *ret_state);
/* Whether the keyring's copy could serve, too. 0; -errno: it could not. */
int keys_check_copy(struct keys *k);

#endif
