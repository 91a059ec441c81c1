#include "seal/pki/signer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#define PARAM_CALL "bedwarden-call" /* struct call, in-process */
#define DIGEST_MAX EVP_MAX_MD_SIZE

struct call {
	signer_fn sign;
	void *arg;
};

struct key {
	atomic_uint uses;
	EVP_PKEY *public; /* OpenSSL's own: what is asked of a public key is asked of it */
	struct call call; /* sign NULL: a public key, imported to be compared */
};

/* ---- keymgmt ---- */

static void *key_new(void *provider)
{
	struct key *k = calloc(1, sizeof(*k));

	if (k)
		atomic_init(&k->uses, 1);
	return k;
}

static void key_free(void *data)
{
	struct key *k = data;

	if (!k || atomic_fetch_sub(&k->uses, 1) > 1)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static struct key *key_take(struct key *k)
{
	atomic_fetch_add(&k->uses, 1);
	return k;
}

static int key_has(const void *data, int selection)
{
	const struct key *k = data;

	if (!k->public)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->call.sign;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *x = a, *y = b;

	return x->public && y->public && EVP_PKEY_eq(x->public, y->public) == 1;
}

static EVP_PKEY *public_of(const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (!from || EVP_PKEY_fromdata_init(from) != 1 ||
	    EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(from);
	return key;
}

/* From signer_new(), or of a certificate's key that a private one is held against. */
static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *call = OSSL_PARAM_locate_const(params, PARAM_CALL);
	struct key *k = data;

	if (k->public)
		return 0;
	if (call &&
	    (call->data_type != OSSL_PARAM_OCTET_STRING || call->data_size != sizeof(struct call)))
		return 0;
	k->public = public_of(params);
	if (call)
		memcpy(&k->call, call->data, sizeof(k->call));
	return k->public != NULL;
}

/* A private half there is none to give; refusing it makes OpenSSL sign here, not elsewhere. */
static int key_export(void *data, int selection, OSSL_CALLBACK *give, void *arg)
{
	struct key *k = data;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !k->public)
		return 0;
	return EVP_PKEY_export(k->public, EVP_PKEY_PUBLIC_KEY, give, arg);
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
	struct key *k = data;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_FIELD_TYPE, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return gettable;
}

static const char *key_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static void *key_dup(const void *data, int selection)
{
	return key_take((struct key *)data);
}

/* ---- signature ---- */

struct signing {
	struct key *key;
	EVP_MD *md; /* NULL: a digest is given */
	EVP_MD_CTX *hash;
};

static void *signing_new(void *provider, const char *properties)
{
	return calloc(1, sizeof(struct signing));
}

static void signing_free(void *data)
{
	struct signing *s = data;

	if (!s)
		return;
	EVP_MD_CTX_free(s->hash);
	EVP_MD_free(s->md);
	key_free(s->key);
	free(s);
}

static void *signing_dup(void *data)
{
	struct signing *from = data, *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (from->key)
		s->key = key_take(from->key);
	if (from->md && EVP_MD_up_ref(from->md))
		s->md = from->md;
	if (from->hash)
		s->hash = EVP_MD_CTX_new();
	if (from->hash && (!s->hash || EVP_MD_CTX_copy_ex(s->hash, from->hash) != 1)) {
		signing_free(s);
		return NULL;
	}
	return s;
}

static int sign_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct signing *s = data;

	if (key) {
		key_free(s->key);
		s->key = key_take(key);
	}
	return s->key && s->key->call.sign;
}

/* ECDSA takes a longer digest's first bits, as many as the group's order has (FIPS 186-5 §6.4.1);
 * a shorter one we do not sign. */
static int sign(void *data, unsigned char *ret_der, size_t *ret_len, size_t cap,
		const unsigned char *digest, size_t len)
{
	struct signing *s = data;
	uint8_t raw[P256_SIGN], der[P256_SIGN_DER];
	size_t n;

	if (!ret_der) {
		*ret_len = P256_SIGN_DER;
		return 1;
	}
	if (len < CRYPTO_HASH || len > DIGEST_MAX ||
	    s->key->call.sign(s->key->call.arg, digest, raw) < 0)
		return 0;
	n = p256_der(raw, der);
	if (!n || n > cap)
		return 0;
	memcpy(ret_der, der, n);
	*ret_len = n;
	return 1;
}

static int hash_init(void *data, const char *md, void *key, const OSSL_PARAM params[])
{
	struct signing *s = data;

	if (!sign_init(s, key, params))
		return 0;
	EVP_MD_free(s->md);
	s->md = EVP_MD_fetch(NULL, md && *md ? md : "SHA256", NULL);
	if (!s->hash)
		s->hash = EVP_MD_CTX_new();
	return s->md && s->hash && EVP_MD_get_size(s->md) >= CRYPTO_HASH &&
	       EVP_DigestInit_ex2(s->hash, s->md, NULL) == 1;
}

static int hash_add(void *data, const unsigned char *text, size_t len)
{
	struct signing *s = data;

	return s->hash && EVP_DigestUpdate(s->hash, text, len) == 1;
}

static int hash_end(void *data, unsigned char *ret_der, size_t *ret_len, size_t cap)
{
	struct signing *s = data;
	uint8_t digest[DIGEST_MAX];
	unsigned len;

	if (!ret_der) {
		*ret_len = P256_SIGN_DER;
		return 1;
	}
	return s->hash && EVP_DigestFinal_ex(s->hash, digest, &len) == 1 &&
	       sign(s, ret_der, ret_len, cap, digest, len);
}

/* The AlgorithmIdentifier that certificates and requests carry: RFC 5758 §3.2. */
static int signing_get_params(void *data, OSSL_PARAM params[])
{
	static const uint8_t with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
					      0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	OSSL_PARAM *id = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
	OSSL_PARAM *name = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
	struct signing *s = data;

	if (name && !OSSL_PARAM_set_utf8_string(name, s->md ? EVP_MD_get0_name(s->md) : ""))
		return 0;
	if (!id)
		return 1;
	return s->md && EVP_MD_is_a(s->md, "SHA256") &&
	       OSSL_PARAM_set_octet_string(id, with_sha256, sizeof(with_sha256));
}

static const OSSL_PARAM *signing_gettable(void *data, void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	return gettable;
}

/* ---- provider ---- */

#define FN(id, fn)                       \
	{                                \
		id, (void (*)(void))(fn) \
	}

static const OSSL_DISPATCH keymgmt[] = {
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new),
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free),
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has),
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),
	FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation),
	FN(OSSL_FUNC_KEYMGMT_DUP, key_dup),
	{0, NULL},
};

static const OSSL_DISPATCH signature[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	FN(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
	FN(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),
	FN(OSSL_FUNC_SIGNATURE_SIGN, sign),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, hash_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, hash_add),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, hash_end),
	FN(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, signing_get_params),
	FN(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, signing_gettable),
	{0, NULL},
};

static const OSSL_ALGORITHM keymgmts[] = {
	{"EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=bedwarden", keymgmt, "a key elsewhere"},
	{NULL},
};
static const OSSL_ALGORITHM signatures[] = {
	{"ECDSA", "provider=bedwarden", signature, "ECDSA elsewhere"},
	{NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *ret_no_cache)
{
	*ret_no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keymgmts;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static const OSSL_DISPATCH provider[] = {
	FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
	{0, NULL},
};

static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
			 const OSSL_DISPATCH **ret_out, void **ret_provider)
{
	*ret_out = provider;
	*ret_provider = (void *)core;
	return 1;
}

/* Lives as long as the process: keys of it may. */
static OSSL_LIB_CTX *context;

static void open_context(void)
{
	OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();

	if (c && OSSL_PROVIDER_add_builtin(c, "bedwarden", provider_init) == 1 &&
	    OSSL_PROVIDER_load(c, "bedwarden"))
		context = c;
	else
		OSSL_LIB_CTX_free(c);
}

EVP_PKEY *signer_new(const uint8_t point[P256_POINT], signer_fn fn, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct call call = {fn, arg};
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1",
						 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point,
						  P256_POINT),
		OSSL_PARAM_construct_octet_string(PARAM_CALL, &call, sizeof(call)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *from;
	EVP_PKEY *key = NULL;

	pthread_once(&once, open_context);
	from = context ? EVP_PKEY_CTX_new_from_name(context, "EC", NULL) : NULL;
	if (!from || EVP_PKEY_fromdata_init(from) != 1) {
		EVP_PKEY_CTX_free(from);
		errno = ENOMEM;
		return NULL;
	}
	if (EVP_PKEY_fromdata(from, &key, EVP_PKEY_KEYPAIR, params) != 1) {
		key = NULL;
		errno = EINVAL;
	}
	EVP_PKEY_CTX_free(from);
	return key;
}

EVP_PKEY *signer_public(const uint8_t point[P256_POINT])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1",
						 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point,
						  P256_POINT),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = public_of(params);

	if (!key)
		errno = EINVAL;
	return key;
}
