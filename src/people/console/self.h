#ifndef BEDWARDEN_PEOPLE_CONSOLE_SELF_H
#define BEDWARDEN_PEOPLE_CONSOLE_SELF_H
/*
 * The console's certificate (RFC 5280) where no authority gave it one: signed by
 * its own key, for the names and addresses that people open it by. Whoever sees
 * it for the first time compares its fingerprint with the one on the box.
 */
#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/bytes.h"

#define SELF_DAYS	397
#define SELF_RENEW_DAYS 30 /* before its end a new one is made */
#define SELF_PRINT	96 /* "AB:CD:…": SHA-256, with its zero */
#define SELF_PEM_MAX	16384

struct self_names {
	const char *const *names; /* DNS names; the first is the subject's */
	unsigned name_count;
	const char *const *ips; /* addresses, without ports */
	unsigned ip_count;
};

/* `public` is the key's public half, an ordinary one. The caller's X509_free(). NULL with errno: EIO
 * the key would not sign, ENOMEM. */
X509 *self_make(EVP_PKEY *key, EVP_PKEY *public, const struct self_names *n, uint64_t now_s);
/* Does it still serve: of that key, for all those names, and for a while yet? */
bool self_serves(X509 *x, EVP_PKEY *public, const struct self_names *n, uint64_t now_s);
/* Was it issued by somebody else, and is it of our key? Then it is taken as it is: they said for whom
 * and for how long, and one that has run out still tells more than a stranger's. */
bool self_is_issued(X509 *x, EVP_PKEY *public);
/* The first of PEM certificates, and the issuers' behind it; NULL it is none. */
X509 *self_parse(struct bytes pem);
/* What follows the first; NULL nothing, or no memory. sk_X509_pop_free(). */
STACK_OF(X509) * self_issuers(struct bytes pem);
/* Its PEM; the length, 0 where it has no room. */
size_t self_pem(X509 *x, char ret_pem[SELF_PEM_MAX]);
void self_print(X509 *x, char ret_print[SELF_PRINT]);

/* How the console speaks TLS: 1.3 and nothing older (RFC 8446), no early data. NULL with errno. */
SSL_CTX *self_context(EVP_PKEY *key, X509 *x, STACK_OF(X509) * issuers);

#endif
