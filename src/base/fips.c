#include "base/fips.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#define SUITES_13 "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
#define SUITES_12                                                      \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"
#define GROUPS "P-256:P-384"
#define SIGALGS                                                              \
	"ECDSA+SHA256:ECDSA+SHA384:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:" \
	"rsa_pss_pss_sha256:RSA+SHA256:RSA+SHA384"
#define RSA_LEAST 2048 /* SP 800-131A */

static bool on, module;

/* What goes by the name may be another library, or of a release without what we need. */
static bool is_usable(void)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", "fips=yes");
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", "fips=yes");
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", "fips=yes");
	bool all = cipher && md && kdf;

	EVP_CIPHER_free(cipher);
	EVP_MD_free(md);
	EVP_KDF_free(kdf);
	return all;
}

/* The base provider encodes and decodes keys, which is no cryptography and not in the module. One
 * that is not there must not take the default provider's place: hence try_load. */
static bool load_module(void)
{
	OSSL_PROVIDER *fips = OSSL_PROVIDER_try_load(NULL, "fips", 1), *base, *rest;

	base = fips ? OSSL_PROVIDER_try_load(NULL, "base", 1) : NULL;
	/* Only who asks by FIPS_EXEMPT gets anything of it. */
	rest = base ? OSSL_PROVIDER_try_load(NULL, "default", 1) : NULL;
	if (rest && is_usable() && EVP_set_default_properties(NULL, "fips=yes") == 1)
		return true;
	OSSL_PROVIDER_unload(rest);
	OSSL_PROVIDER_unload(base);
	OSSL_PROVIDER_unload(fips);
	ERR_clear_error();
	return false;
}

void fips_begin(void)
{
	if (!on)
		module = load_module();
	on = true;
	setenv(FIPS_ENV, module ? "module" : "fips", 1);
}

int fips_inherit(void)
{
	const char *said = getenv(FIPS_ENV);
	bool has = said && strcmp(said, "module") == 0;

	if (!has && (!said || strcmp(said, "fips") != 0))
		return 0;
	fips_begin();
	return has && !module ? -ENOENT : 0;
}

bool fips_on(void)
{
	return on;
}

bool fips_has_module(void)
{
	return module;
}

int fips_context(SSL_CTX *ctx)
{
	if (!on)
		return 0;
	SSL_CTX_clear_options(ctx, SSL_OP_PRIORITIZE_CHACHA);
	return SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 &&
			       SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1 &&
			       SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
			       SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) == 1
		       ? 0
		       : -EIO;
}

bool fips_key(EVP_PKEY *key)
{
	static const char *const curves[] = {"P-256",	  "prime256v1", "P-384",
					     "secp384r1", "P-521",	"secp521r1"};
	char curve[32];
	size_t len;

	if (!on)
		return true;
	if (!key)
		return false;
	if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		return EVP_PKEY_get_bits(key) >= RSA_LEAST;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) != 1)
		return false;
	for (unsigned i = 0; i < sizeof(curves) / sizeof(*curves); i++)
		if (strcmp(curve, curves[i]) == 0)
			return true;
	return false;
}
