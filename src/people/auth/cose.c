#include "people/auth/cose.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "people/auth/cbor.h"

/* RFC 9053 §7: labels of a key's parameters, key types, curves. */
enum { KEY_TYPE = 1, KEY_ALG = 3 };
enum { TYPE_OKP = 1, TYPE_EC2 = 2, TYPE_RSA = 3 };
enum { CURVE_P256 = 1, CURVE_ED25519 = 6 };

/* The parameters that any of our algorithms has; labels mean different things per key type. */
struct parameters {
	int64_t type, alg;
	struct cbor p[3]; /* of -1, -2, -3 */
};

static bool read_parameters(struct reader *r, struct parameters *ret_p)
{
	struct cbor map = cbor_read(r);
	int64_t last = 0, label;

	if (map.kind != CBOR_MAP)
		return false;
	for (uint64_t i = 0; i < map.value && !r->bad; i++) {
		if (!cbor_int(r, &label))
			return false;
		/* CTAP2's order, 1, 3, -1, -2, …: so none comes twice either. */
		if (i && (last > 0 ? label > 0 && label <= last : label >= last))
			return false;
		last = label;
		if (label == KEY_TYPE)
			cbor_int(r, &ret_p->type);
		else if (label == KEY_ALG)
			cbor_int(r, &ret_p->alg);
		else if (label < 0 && label >= -3)
			ret_p->p[-1 - label] = cbor_read(r);
		else
			return false; /* L3 §6.5.1.1: required parameters alone */
		if (ret_p->p[0].kind == CBOR_MAP || ret_p->p[0].kind == CBOR_ARRAY)
			return false;
	}
	return !r->bad && ret_p->type && ret_p->alg;
}

static bool is_bytes(const struct cbor *c, size_t len)
{
	return c->kind == CBOR_BYTES && c->data.len == len;
}

static bool is_curve(const struct cbor *c, uint64_t curve)
{
	return c->kind == CBOR_UINT && c->value == curve;
}

static void append(struct cose_key *key, struct bytes b)
{
	memcpy(key->bytes + key->len, b.data, b.len);
	key->len += b.len;
}

/* A key that claims one of our algorithms must be one; false: it lies. */
static bool take_key(const struct parameters *k, struct cose_key *key)
{
	const struct cbor *p = k->p;

	switch (k->alg) {
	case COSE_ES256:
		if (k->type != TYPE_EC2 || !is_curve(&p[0], CURVE_P256) || !is_bytes(&p[1], 32) ||
		    !is_bytes(&p[2], 32))
			return false;
		append(key, p[1].data);
		append(key, p[2].data);
		break;
	case COSE_EDDSA:
		if (k->type != TYPE_OKP || !is_curve(&p[0], CURVE_ED25519) ||
		    !is_bytes(&p[1], 32) || p[2].kind != CBOR_NONE)
			return false;
		append(key, p[1].data);
		break;
	case COSE_RS256:
		if (k->type != TYPE_RSA || p[0].kind != CBOR_BYTES || p[0].data.len < 256 ||
		    p[0].data.len > COSE_KEY_MAX - COSE_RSA_E || !p[0].data.data[0] ||
		    !is_bytes(&p[1], COSE_RSA_E) || p[2].kind != CBOR_NONE)
			return false;
		append(key, p[0].data);
		append(key, p[1].data);
		break;
	default:
		return true;
	}
	key->alg = (enum cose_alg)k->alg;
	return true;
}

bool cose_read(struct reader *r, struct cose_key *ret_key)
{
	struct parameters k = {0};
	struct cose_key key = {COSE_NONE};

	if (!read_parameters(r, &k) || !take_key(&k, &key))
		return false;
	*ret_key = key;
	return true;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *p = build ? OSSL_PARAM_BLD_to_param(build) : NULL;
	EVP_PKEY *key = NULL;

	if (!ctx || !p || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, p) != 1)
		key = NULL;
	OSSL_PARAM_free(p);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* SEC 1 §2.3.4; a point that is not on the curve is refused there. */
static EVP_PKEY *open_es256(const struct cose_key *k)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	uint8_t point[65] = {4};
	EVP_PKEY *key = NULL;

	memcpy(point + 1, k->bytes, 64);
	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		key = from_parameters("EC", b);
	OSSL_PARAM_BLD_free(b);
	return key;
}

static EVP_PKEY *open_rs256(const struct cose_key *k)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	size_t len = k->len - COSE_RSA_E;
	BIGNUM *n = BN_bin2bn(k->bytes, (int)len, NULL),
	       *e = BN_bin2bn(k->bytes + len, COSE_RSA_E, NULL);
	EVP_PKEY *key = NULL;

	/* 65537 alone, and an odd modulus: what else there is breaks or weakens RSA. */
	if (b && n && e && BN_is_word(e, RSA_F4) && BN_is_odd(n) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e))
		key = from_parameters("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(n);
	BN_free(e);
	return key;
}

static EVP_PKEY *open_key(const struct cose_key *k)
{
	switch (k->alg) {
	case COSE_ES256:
		return open_es256(k);
	case COSE_EDDSA:
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->bytes, k->len);
	case COSE_RS256:
		return open_rs256(k);
	default:
		return NULL;
	}
}

bool cose_valid(const struct cose_key *k)
{
	EVP_PKEY *key = open_key(k);

	EVP_PKEY_free(key);
	return key != NULL;
}

static bool fits(EVP_PKEY *key, enum cose_alg alg)
{
	int type = EVP_PKEY_get_base_id(key);
	char curve[32];
	size_t len;

	switch (alg) {
	case COSE_ES256:
		return type == EVP_PKEY_EC &&
		       EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1 &&
		       strcmp(curve, "prime256v1") == 0;
	case COSE_EDDSA:
		return type == EVP_PKEY_ED25519;
	case COSE_RS256:
		return type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= 2048;
	default:
		return false;
	}
}

bool cose_signed_by(EVP_PKEY *key, enum cose_alg alg, struct bytes text, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx && key && fits(key, alg) &&
	       EVP_DigestVerifyInit(ctx, NULL, alg == COSE_EDDSA ? NULL : EVP_sha256(), NULL,
				    key) == 1 &&
	       EVP_DigestVerify(ctx, signature.data, signature.len, text.data, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

bool cose_signed(const struct cose_key *k, struct bytes text, struct bytes signature)
{
	EVP_PKEY *key = open_key(k);
	bool good = key && cose_signed_by(key, k->alg, text, signature);

	EVP_PKEY_free(key);
	return good;
}
