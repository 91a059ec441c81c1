#ifndef BEDWARDEN_UPDATE_REPO_SIGNER_H
#define BEDWARDEN_UPDATE_REPO_SIGNER_H
/*
 * Private keys that sign metadata, in files of mode 0600: PKCS#8 PEM, plain, or sealed with a
 * passphrase in the format age v1, which `age -d` opens. Beside each lies FILE.pub, the public half
 * as metadata has it (TUF §4.2), which may go anywhere. Or a PKCS#11 token has the key, ECDSA P-256 or
 * RSA, and a URI (RFC 7512) stands in place of the file's name.
 */
#include <jansson.h>

#include "base/bytes.h"
#include "update/tuf/error.h"

enum {
	SIGNER_ID = 65,		  /* a key id, with its zero */
	SIGNER_PASSPHRASE = 1024, /* with its zero */
};

enum signer_kind { SIGNER_ED25519, SIGNER_ECDSA, SIGNER_RSA };

/* Gives the passphrase of a key, a new one where `fresh`, in memory that is the asker's to wipe. 0;
 * -ECANCELED, and it was said why; or -errno. */
struct signer_ask {
	int (*passphrase)(void *arg, const char *path, bool fresh,
			  char ret_text[SIGNER_PASSPHRASE]);
	void *arg;
};

struct signer;

/* "ed25519", "ecdsa", "rsa". 0 or -EINVAL. */
int signer_kind_read(const char *name, enum signer_kind *ret_kind);
/* Makes `path` and `path`.pub, neither of which may be there. `ask` NULL: not sealed. */
int signer_make(const char *path, enum signer_kind kind, const struct signer_ask *ask,
		struct tuf_error *e);
/* Makes a P-256 key in the token, or takes the one of that name that is there; writes its public
 * half to the file `public`. */
int signer_make_token(const char *uri, const char *public, const struct signer_ask *ask,
		      struct tuf_error *e);
bool signer_is_token(const char *path);
/* Asks only where the file is sealed. -EKEYREJECTED: the passphrase is wrong. */
int signer_open(const char *path, const struct signer_ask *ask, struct signer **ret_signer,
		struct tuf_error *e);
void signer_free(struct signer *s);
const char *signer_id(const struct signer *s);
/* An entry of `signatures`, to json_decref(). */
int signer_sign(const struct signer *s, struct bytes message, json_t **ret_signature,
		struct tuf_error *e);

/* A public key from FILE.pub, and its id (SHA-256 of its canonical form). */
int signer_public_read(const char *path, json_t **ret_key, char ret_id[SIGNER_ID],
		       struct tuf_error *e);

#endif
