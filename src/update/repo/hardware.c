#include "update/repo/hardware.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define LABEL	 "bedwarden"
#define NUMBER	 1024 /* bytes of a modulus, of a signature */
#define POINT	 65   /* an uncompressed point of P-256 */
#define PSS_SALT 32

/* prime256v1 as a DER object identifier. */
static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

struct hardware {
	struct token *token;
	CK_OBJECT_HANDLE private;
	CK_KEY_TYPE type;
};

static int say(struct tuf_error *e, int err, const char *text)
{
	return tuf_fail(e, err, "%s", text);
}

static int fail(struct tuf_error *e, const char *doing, CK_RV rv)
{
	char text[TOKEN_ERROR];
	int err = token_fail(text, doing, rv);

	return say(e, err, text);
}

static int find(struct hardware *h, CK_OBJECT_CLASS class, CK_KEY_TYPE type,
		CK_OBJECT_HANDLE *ret_object, struct tuf_error *e)
{
	CK_ATTRIBUTE want[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		token_label(h->token, LABEL),
	};
	char text[TOKEN_ERROR];
	int err = token_find(h->token, want, 3, ret_object, text);

	return err < 0 ? say(e, err, text) : 0;
}

static int get(struct hardware *h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE what, uint8_t *data,
	       CK_ULONG *len, struct tuf_error *e)
{
	CK_ATTRIBUTE a = {what, data, *len};
	CK_RV rv =
		token_module(h->token)->C_GetAttributeValue(token_session(h->token), object, &a, 1);

	if (rv != CKR_OK || a.ulValueLen == CK_UNAVAILABLE_INFORMATION)
		return fail(e, "reading a public key", rv);
	*len = a.ulValueLen;
	return 0;
}

static EVP_PKEY *assemble(const char *type, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

/* The point stands in an OCTET STRING (PKCS #11 v2.40 §2.3.3); some tokens leave that off. */
static int public_ec(struct hardware *h, CK_OBJECT_HANDLE object, EVP_PKEY **ret_key,
		     struct tuf_error *e)
{
	uint8_t params[64], point[POINT + 8], *p = point;
	CK_ULONG params_len = sizeof(params), len = sizeof(point);
	OSSL_PARAM_BLD *b;
	int err = get(h, object, CKA_EC_PARAMS, params, &params_len, e);

	if (err == 0)
		err = get(h, object, CKA_EC_POINT, point, &len, e);
	if (err < 0)
		return err;
	if (len == POINT + 2 && p[0] == 4 && p[1] == POINT) {
		p += 2;
		len -= 2;
	}
	if (len != POINT || params_len != sizeof(p256) || memcmp(params, p256, sizeof(p256)) != 0)
		return tuf_fail(e, -ENOTSUP, "the token's key is of another curve than P-256");
	b = OSSL_PARAM_BLD_new();
	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, p, len))
		*ret_key = assemble("EC", b);
	OSSL_PARAM_BLD_free(b);
	return *ret_key ? 0 : tuf_fail(e, -EBADMSG, "the token's public key is broken");
}

static int public_rsa(struct hardware *h, CK_OBJECT_HANDLE object, EVP_PKEY **ret_key,
		      struct tuf_error *e)
{
	uint8_t modulus[NUMBER], exponent[NUMBER];
	CK_ULONG modulus_len = sizeof(modulus), exponent_len = sizeof(exponent);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n = NULL, *x = NULL;
	int err = get(h, object, CKA_MODULUS, modulus, &modulus_len, e);

	if (err == 0)
		err = get(h, object, CKA_PUBLIC_EXPONENT, exponent, &exponent_len, e);
	if (err == 0) {
		n = BN_bin2bn(modulus, (int)modulus_len, NULL);
		x = BN_bin2bn(exponent, (int)exponent_len, NULL);
		if (b && n && x && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) &&
		    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, x))
			*ret_key = assemble("RSA", b);
		if (!*ret_key)
			err = tuf_fail(e, -EBADMSG, "the token's public key is broken");
	}
	BN_free(n);
	BN_free(x);
	OSSL_PARAM_BLD_free(b);
	return err;
}

static int enter(const char *uri, token_ask ask, void *arg, struct hardware **ret_hardware,
		 struct tuf_error *e)
{
	struct hardware *h = calloc(1, sizeof(*h));
	char text[TOKEN_ERROR];
	int err;

	if (!h)
		return tuf_fail(e, -ENOMEM, "out of memory");
	err = token_open(uri, ask, arg, &h->token, text);
	if (err < 0) {
		free(h);
		return say(e, err, text);
	}
	*ret_hardware = h;
	return 0;
}

int hardware_open(const char *uri, token_ask ask, void *arg, struct hardware **ret_hardware,
		  EVP_PKEY **ret_public, struct tuf_error *e)
{
	EVP_PKEY *public = NULL;
	CK_OBJECT_HANDLE object;
	struct hardware *h = NULL;
	int err = enter(uri, ask, arg, &h, e);

	if (err < 0)
		return err;
	h->type = CKK_EC;
	err = find(h, CKO_PRIVATE_KEY, h->type, &h->private, e);
	if (err == -ENOENT) {
		h->type = CKK_RSA;
		err = find(h, CKO_PRIVATE_KEY, h->type, &h->private, e);
	}
	if (err == 0)
		err = find(h, CKO_PUBLIC_KEY, h->type, &object, e);
	if (err == 0)
		err = h->type == CKK_EC ? public_ec(h, object, &public, e)
					: public_rsa(h, object, &public, e);
	if (err < 0) {
		hardware_close(h);
		return err;
	}
	*ret_hardware = h;
	*ret_public = public;
	return 0;
}

int hardware_make(const char *uri, token_ask ask, void *arg, struct tuf_error *e)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_MECHANISM how = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_OBJECT_HANDLE public, private;
	struct hardware *h = NULL;
	CK_RV rv;
	int err = enter(uri, ask, arg, &h, e);

	if (err < 0)
		return err;
	if (find(h, CKO_PRIVATE_KEY, CKK_EC, &private, NULL) == 0) {
		err = tuf_fail(e, -EEXIST, "the token has a key of that name already");
	} else {
		CK_ATTRIBUTE pub[] = {
			{CKA_TOKEN, &yes, sizeof(yes)},
			{CKA_VERIFY, &yes, sizeof(yes)},
			{CKA_EC_PARAMS, (void *)p256, sizeof(p256)},
			token_label(h->token, LABEL),
		};
		CK_ATTRIBUTE priv[] = {
			{CKA_TOKEN, &yes, sizeof(yes)},	    {CKA_PRIVATE, &yes, sizeof(yes)},
			{CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
			{CKA_SIGN, &yes, sizeof(yes)},	    token_label(h->token, LABEL),
		};

		rv = token_module(h->token)->C_GenerateKeyPair(token_session(h->token), &how, pub,
							       4, priv, 6, &public, &private);
		if (rv != CKR_OK)
			err = fail(e, "making a key in it", rv);
	}
	hardware_close(h);
	return err;
}

void hardware_close(struct hardware *h)
{
	if (!h)
		return;
	token_close(h->token);
	free(h);
}

/* r and s beside each other, to DER. */
static int to_der(const uint8_t *raw, CK_ULONG raw_len, uint8_t *ret_der, size_t *len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)(raw_len / 2), NULL),
	       *s = BN_bin2bn(raw + raw_len / 2, (int)(raw_len / 2), NULL);
	int n = -1;

	if (sig && r && s && raw_len == 64 && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL; /* the signature's now */
		n = i2d_ECDSA_SIG(sig, NULL);
		if (n > 0 && (size_t)n <= *len)
			n = i2d_ECDSA_SIG(sig, &ret_der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	if (n <= 0 || (size_t)n > *len)
		return -EIO;
	*len = (size_t)n;
	return 0;
}

int hardware_sign(struct hardware *h, struct bytes message, uint8_t *ret_signature, size_t *len,
		  struct tuf_error *e)
{
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, PSS_SALT};
	CK_MECHANISM ec = {CKM_ECDSA, NULL, 0}, rsa = {CKM_RSA_PKCS_PSS, &pss, sizeof(pss)};
	CK_FUNCTION_LIST *module = token_module(h->token);
	uint8_t hash[CRYPTO_HASH], raw[NUMBER];
	CK_ULONG raw_len = sizeof(raw);
	CK_RV rv;
	int err = crypto_sha256(message, hash);

	if (err < 0)
		return tuf_fail(e, err, "no hash could be made");
	rv = module->C_SignInit(token_session(h->token), h->type == CKK_EC ? &ec : &rsa,
				h->private);
	if (rv == CKR_OK)
		rv = module->C_Sign(token_session(h->token), hash, sizeof(hash), raw, &raw_len);
	if (rv != CKR_OK)
		return fail(e, "signing", rv);
	if (h->type == CKK_EC)
		err = to_der(raw, raw_len, ret_signature, len);
	else if (raw_len <= *len)
		memcpy(ret_signature, raw, *len = raw_len);
	else
		err = -EIO;
	return err < 0 ? tuf_fail(e, err, "the token gave a broken signature") : 0;
}
