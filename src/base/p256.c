#include "base/p256.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#define WIDE 48 /* of the key's range and 128 bits more */

struct p256 {
	EVP_PKEY *key;
	EVP_PKEY_CTX *sign;
	uint8_t point[P256_POINT];
};

static bool stretch(const uint8_t seed[CRYPTO_KEY], uint8_t ret_wide[WIDE])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	static const char info[] = "bedwarden p256";
	size_t len = WIDE;
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_CTX_set1_hkdf_key(ctx, seed, CRYPTO_KEY) == 1 &&
		  EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)info, sizeof(info) - 1) ==
			  1 &&
		  EVP_PKEY_derive(ctx, ret_wide, &len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* A number of 1 to n-1 in constant-time memory; NULL without memory. */
static BIGNUM *scalar_of(const uint8_t seed[CRYPTO_KEY], const EC_GROUP *group, BN_CTX *ctx)
{
	BIGNUM *wide = NULL, *range = BN_dup(EC_GROUP_get0_order(group)), *d = BN_secure_new();
	uint8_t text[WIDE];
	bool ok = range && d && stretch(seed, text);

	if (ok) {
		wide = BN_secure_new();
		ok = wide && BN_bin2bn(text, WIDE, wide);
	}
	if (ok) {
		BN_set_flags(wide, BN_FLG_CONSTTIME);
		BN_set_flags(d, BN_FLG_CONSTTIME);
		ok = BN_sub_word(range, 1) && BN_mod(d, wide, range, ctx) && BN_add_word(d, 1);
	}
	OPENSSL_cleanse(text, sizeof(text));
	BN_clear_free(wide);
	BN_free(range);
	if (ok)
		return d;
	BN_clear_free(d);
	return NULL;
}

static bool fill(struct p256 *k, const EC_GROUP *group, const BIGNUM *d, BN_CTX *ctx)
{
	EC_POINT *q = EC_POINT_new(group);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	bool ok = q && b && from && EC_POINT_mul(group, q, d, NULL, NULL, ctx) == 1 &&
		  EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, k->point, P256_POINT,
				     ctx) == P256_POINT &&
		  OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
		  OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, k->point,
						   P256_POINT) &&
		  OSSL_PARAM_BLD_push_BN_pad(b, OSSL_PKEY_PARAM_PRIV_KEY, d, CRYPTO_KEY);

	if (ok)
		params = OSSL_PARAM_BLD_to_param(b);
	ok = params && EVP_PKEY_fromdata_init(from) == 1 &&
	     EVP_PKEY_fromdata(from, &k->key, EVP_PKEY_KEYPAIR, params) == 1;
	OSSL_PARAM_free(params); /* what came of a secure number is wiped */
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(from);
	EC_POINT_free(q);
	return ok;
}

struct p256 *p256_new(const uint8_t seed[CRYPTO_KEY])
{
	struct p256 *k = calloc(1, sizeof(*k));
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *d = group && ctx ? scalar_of(seed, group, ctx) : NULL;
	bool ok = k && d && fill(k, group, d, ctx);

	BN_clear_free(d);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	if (ok) {
		k->sign = EVP_PKEY_CTX_new(k->key, NULL);
		ok = k->sign && EVP_PKEY_sign_init(k->sign) == 1;
	}
	if (ok)
		return k;
	p256_free(k);
	errno = ENOMEM;
	return NULL;
}

void p256_free(struct p256 *k)
{
	if (!k)
		return;
	EVP_PKEY_CTX_free(k->sign);
	EVP_PKEY_free(k->key);
	free(k);
}

void p256_public(const struct p256 *k, uint8_t ret_point[P256_POINT])
{
	memcpy(ret_point, k->point, P256_POINT);
}

int p256_sign(struct p256 *k, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	uint8_t der[P256_SIGN_DER];
	const uint8_t *p = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;
	bool ok;

	if (EVP_PKEY_sign(k->sign, der, &len, digest, CRYPTO_HASH) != 1)
		return -EIO;
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_sign, 32) == 32 &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_sign + 32, 32) == 32;
	ECDSA_SIG_free(sig);
	return ok ? 0 : -EIO;
}

size_t p256_der(const uint8_t sign[P256_SIGN], uint8_t ret_der[P256_SIGN_DER])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sign, 32, NULL), *s = BN_bin2bn(sign + 32, 32, NULL);
	uint8_t *p = ret_der;
	int len = 0;

	if (sig && r && s && !BN_is_zero(r) && !BN_is_zero(s) && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(sig, NULL);
		len = len > 0 && len <= P256_SIGN_DER ? i2d_ECDSA_SIG(sig, &p) : 0;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}
