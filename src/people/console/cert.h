#ifndef BEDWARDEN_PEOPLE_CONSOLE_CERT_H
#define BEDWARDEN_PEOPLE_CONSOLE_CERT_H
/*
 * The console's certificate (RFC 5280) where no authority gave it one: signed by
 * its own key, for the names and addresses that people open it by. Whoever sees
 * it for the first time compares its fingerprint with the one on the box.
 */
#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/bytes.h"

#define CERT_DAYS	397
#define CERT_RENEW_DAYS 30 /* before its end a new one is made */
#define CERT_PRINT	96 /* "AB:CD:…": SHA-256, with its zero */
#define CERT_PEM_MAX	16384

struct cert_names {
	const char *const *names; /* DNS names; the first is the subject's */
	unsigned name_count;
	const char *const *ips; /* addresses, without ports */
	unsigned ip_count;
};

/* `public` is the key's public half, an ordinary one. The caller's X509_free(). NULL with errno: EIO
 * the key would not sign, ENOMEM. */
X509 *cert_make(EVP_PKEY *key, EVP_PKEY *public, const struct cert_names *n, uint64_t now_s);
/* Does it still serve: of that key, for all those names, and for a while yet? */
bool cert_serves(X509 *x, EVP_PKEY *public, const struct cert_names *n, uint64_t now_s);
/* One PEM certificate; NULL it is none. */
X509 *cert_parse(struct bytes pem);
/* Its PEM; the length, 0 where it has no room. */
size_t cert_pem(X509 *x, char ret_pem[CERT_PEM_MAX]);
void cert_print(X509 *x, char ret_print[CERT_PRINT]);

/* How the console speaks TLS: 1.3 and nothing older (RFC 8446), no early data. NULL with errno. */
SSL_CTX *cert_context(EVP_PKEY *key, X509 *x);

#endif
