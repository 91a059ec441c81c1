#ifndef BEDWARDEN_ROLE_TLS_KEY_H
#define BEDWARDEN_ROLE_TLS_KEY_H
/*
 * The private key of this process's certificate, which the keeper has: an
 * OpenSSL key (seal/pki/signer.h) that asks it over their pair, IPC_TLS_SIGN.
 *
 * A handshake with SSL_MODE_ASYNC stands still meanwhile (SSL_ERROR_WANT_ASYNC)
 * and nothing else does: tls_key_for() says before SSL_do_handshake() whose it
 * is, `resume` is called for that one once the answer is there. Without the
 * mode, the process waits for the answer, TLS_KEY_MS at most.
 */
#include "base/ipc.h"
#include "base/p256.h"

#define TLS_KEY_MS	2000
#define TLS_KEY_WAITING 1024 /* handshakes that may stand still at once */

struct evp_pkey_st;
struct tls_key;

struct tls_key_calls {
	/* A message that came while an answer was waited for; its descriptor is the callee's. */
	void (*other)(void *arg, struct ipc_message *m);
	/* `who` of tls_key_for() may go on. NULL where no handshake is asynchronous. */
	void (*resume)(void *arg, void *who);
	void *arg;
};

/* `sock` is a pair with the keeper, the caller's; `purpose` lasts. NULL with errno. */
struct tls_key *tls_key_new(int sock, const char *purpose, const struct tls_key_calls *calls);
void tls_key_free(struct tls_key *k);
/* The keeper was started anew: what was asked of the old one fails. -1: there is none. */
void tls_key_socket(struct tls_key *k, int sock);
/* Asks for the public half and waits for it. 0; -ENOKEY the keys are locked; -ETIMEDOUT; -errno. */
int tls_key_fetch(struct tls_key *k, uint8_t ret_point[P256_POINT]);
/* The key as OpenSSL has it, of that public half; EVP_PKEY_free() it, before `k`. NULL with errno. */
struct evp_pkey_st *tls_key_pkey(struct tls_key *k, const uint8_t point[P256_POINT]);
/* Whose handshake is about to be driven; NULL nobody's: it waits. */
void tls_key_for(struct tls_key *k, void *who);
/* Whatever stands still for `who` fails: it is to be driven once more before it is freed. True where
 * something did. */
bool tls_key_forget(struct tls_key *k, void *who);
/* A message from the keeper. True where it was an answer to us. */
bool tls_key_take(struct tls_key *k, const struct ipc_message *m);

#endif
