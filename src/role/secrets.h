#ifndef BEDWARDEN_ROLE_SECRETS_H
#define BEDWARDEN_ROLE_SECRETS_H
/*
 * The keeper's keys at the service of the other processes: they ask for a
 * signature, for something to be wrapped or unwrapped, and never see a key. Which
 * of them may ask what for which purpose is one table in secrets.c.
 *
 * A question is the purpose with its length in a byte before it, then the
 * data. The answer, of the same type and id, is an i32, 0 or -errno, then
 * what came of it: -EACCES not theirs to ask, -ENOKEY the keys are locked or
 * that one was destroyed, -EBADMSG nothing that was wrapped so.
 *
 * IPC_TLS_KEY asks, without data, for the public half of a certificate's key (P256_POINT
 * bytes), IPC_TLS_SIGN for its signature (P256_SIGN bytes) of a digest (CRYPTO_HASH bytes):
 * seal/pki/signer.h makes an OpenSSL key of the two.
 */
#include "base/ipc.h"
#include "base/json.h"

/* Bytes that may be signed, wrapped or unwrapped at once. */
#define SECRETS_DATA_MAX 16384

enum secrets_asker { SECRETS_PARENT, SECRETS_GUARD, SECRETS_LINK, SECRETS_CONSOLE };

struct keys;
struct secrets;

/*
 * Unlocks state_dir/vault, making it where there is none. Before the sandbox, as root: what
 * it makes belongs to uid and gid after. Never fails altogether: a gateway whose keys are
 * locked guards and stores events all the same, and says why. NULL: no memory.
 */
struct secrets *secrets_new(const char *state_dir, const char *holder, const char *place,
			    unsigned uid, unsigned gid);
void secrets_free(struct secrets *s);
/* NULL while they are locked. */
struct keys *secrets_keys(struct secrets *s);
/* The private keys of certificates; NULL while they are locked. */
struct signing;
struct signing *secrets_signing(struct secrets *s);
/* Why they are locked; "" they are not. */
const char *secrets_locked(const struct secrets *s);

/* Whether the message is one of those; then it was answered on `sock`, as far as that took it. */
bool secrets_answer(struct secrets *s, enum secrets_asker from, int sock,
		    const struct ipc_message *m);

/* The object "keys" of `bedwarden status`. */
void secrets_status(const struct secrets *s, struct json *j);
/* What a person should do something about, one after the other; NULL: no more. */
const char *secrets_nag(const struct secrets *s, unsigned n, char *buf, size_t cap);

#endif
