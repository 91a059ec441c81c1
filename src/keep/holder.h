#ifndef BEDWARDEN_KEEP_HOLDER_H
#define BEDWARDEN_KEEP_HOLDER_H
/*
 * What guards the root key while the gateway is off: a passphrase, a TPM, a
 * token, a credential of systemd, or a file for a first trial. A holder is one
 * const struct and one line in holders[]; it makes a blob of a key, and a key of
 * a blob, and keeps nothing of its own in memory.
 *
 * Its `place` is one text whose meaning is the holder's (see each file); "" is
 * its default.
 */
#include "base/cipher.h"

#define HOLDER_ERROR	512
#define HOLDER_BLOB_MAX 8192
#define HOLDER_SECRET	1024 /* bytes of a passphrase or PIN, with its zero */

struct holder_ask {
	const char *dir; /* the keyring's folder */
	const char *place;
	/*
	 * Asks for a passphrase or PIN: `what` names it. `fresh`: it is a new one, to be repeated
	 * if a person types it. 0 or -errno; ret_secret is in locked memory. NULL: nobody is there
	 * to be asked.
	 */
	int (*secret)(void *arg, const char *what, bool fresh, char ret_secret[HOLDER_SECRET]);
	void *arg;
};

struct holder {
	const char *name;
	const char *what;  /* where the root key is, for people: "held by …" */
	const char *place; /* what its place is, for the manual; the default in it */
	bool trial;	   /* for a first trial only: `status` asks for another */
	/* Both: 0; -EKEYREJECTED a wrong passphrase, TPM, token or file; -EBADMSG a blob that is
	 * none; -ENOENT, -ENODEV it is not there; -errno. ret_error says it for a person. */
	int (*wrap)(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		    struct writer *ret_blob, char ret_error[HOLDER_ERROR]);
	int (*unwrap)(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		      char ret_error[HOLDER_ERROR]);
};

extern const struct holder holder_passphrase, holder_tpm2, holder_pkcs11, holder_credential,
	holder_file;
/* NULL: there is none of that name. */
const struct holder *holder_find(const char *name);

/* For holders. Says it and returns `err`. */
int holder_fail(char ret_error[HOLDER_ERROR], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Asks; -EKEYREJECTED where nobody can be asked. ret_secret: HOLDER_SECRET bytes of locked memory,
 * secret_free() them. */
int holder_secret(const struct holder_ask *ask, const char *what, bool fresh, char **ret_secret,
		  char ret_error[HOLDER_ERROR]);
/* The root sealed by a key the holder can tell again, appended to the blob; and back. */
int holder_box(const uint8_t by[CRYPTO_KEY], const uint8_t root[CRYPTO_KEY], struct writer *blob);
int holder_unbox(const uint8_t by[CRYPTO_KEY], struct reader *blob, uint8_t ret_root[CRYPTO_KEY]);

#endif
