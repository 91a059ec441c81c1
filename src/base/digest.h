#ifndef BEDWARDEN_BASE_DIGEST_H
#define BEDWARDEN_BASE_DIGEST_H
/*
 * Digests that are names, not proofs: the field calls TLS clients (JA3, JA4),
 * SSH programs (HASSH) and certificates by them. Allocates nothing and fetches
 * no provider, so that a parser may use it. For anything that must withstand a
 * forger use OpenSSL's EVP.
 */
#include "base/bytes.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

#define DIGEST_HEX_MAX 65 /* of the longest, with its end */

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 };

struct digest {
	enum digest_kind kind;
	union {
		MD5_CTX md5;
		SHA_CTX sha1;
		SHA256_CTX sha256;
	} c;
};

struct digest digest_new(enum digest_kind kind);
void digest_add(struct digest *d, const void *data, size_t len);
/* In small letters, ended by a zero; how many letters. */
size_t digest_hex(struct digest *d, char ret_hex[DIGEST_HEX_MAX]);

#endif
