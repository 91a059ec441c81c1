/* The functions of OpenSSL 1.1: those of version 3 allocate a context for every digest. */
#define OPENSSL_API_COMPAT 10101

#include "base/digest.h"

#include "base/digits.h"

struct digest digest_new(enum digest_kind kind)
{
	struct digest d = {.kind = kind};

	if (kind == DIGEST_MD5)
		MD5_Init(&d.c.md5);
	else if (kind == DIGEST_SHA1)
		SHA1_Init(&d.c.sha1);
	else
		SHA256_Init(&d.c.sha256);
	return d;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	if (d->kind == DIGEST_MD5)
		MD5_Update(&d->c.md5, data, len);
	else if (d->kind == DIGEST_SHA1)
		SHA1_Update(&d->c.sha1, data, len);
	else
		SHA256_Update(&d->c.sha256, data, len);
}

static size_t finish(struct digest *d, uint8_t out[SHA256_DIGEST_LENGTH])
{
	if (d->kind == DIGEST_MD5) {
		MD5_Final(out, &d->c.md5);
		return MD5_DIGEST_LENGTH;
	}
	if (d->kind == DIGEST_SHA1) {
		SHA1_Final(out, &d->c.sha1);
		return SHA_DIGEST_LENGTH;
	}
	SHA256_Final(out, &d->c.sha256);
	return SHA256_DIGEST_LENGTH;
}

size_t digest_hex(struct digest *d, char ret_hex[DIGEST_HEX_MAX])
{
	uint8_t out[SHA256_DIGEST_LENGTH];
	size_t len = finish(d, out);

	*digits_hex_bytes(ret_hex, out, len) = 0;
	return 2 * len;
}
