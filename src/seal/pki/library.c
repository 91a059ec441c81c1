#include "seal/pki/library.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "base/fips.h"

#define PICK_MAX     64
#define DISPATCH_MAX 24

static OSSL_LIB_CTX *all, *lean; /* what is handed on, and to whom */
static OSSL_PROVIDER *whole;

/* --- which algorithms ---------------------------------------------------------- */

/* By their usual names: RFC 8446 and RFC 9325, certificates, and what random numbers are made of. */
static const char *const kinds[] = {
	"EC", "RSA", "RSA-PSS", "ED25519", "X25519", "HMAC" /* Finished */, NULL};
static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305",
				      "ChaCha20",    "AES-256-CTR", "AES-256-ECB",
				      NULL};
static const char *const digests[] = {"SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", NULL};
static const char *const kdfs[] = {"HKDF", "TLS13-KDF", "TLS1-PRF", NULL};
static const char *const macs[] = {"HMAC", NULL};

static struct picked {
	int operation;
	const char *const *names;
	const OSSL_ALGORITHM *use;
	OSSL_ALGORITHM list[PICK_MAX];
} picked[] = {
	{.operation = OSSL_OP_KEYMGMT, .names = kinds},
	{.operation = OSSL_OP_DECODER, .names = kinds},
	{.operation = OSSL_OP_CIPHER, .names = ciphers},
	{.operation = OSSL_OP_DIGEST, .names = digests},
	{.operation = OSSL_OP_KDF, .names = kdfs},
	{.operation = OSSL_OP_MAC, .names = macs},
};

/* An algorithm's names, "RSA:rsaEncryption:1.2.840…", begin with the usual one. */
static bool is_named(const OSSL_ALGORITHM *a, const char *name)
{
	size_t len = strcspn(a->algorithm_names, ":");

	return strlen(name) == len && strncmp(a->algorithm_names, name, len) == 0;
}

/* A certificate has a public key, in one form: what reads others is only in the way. */
static bool is_of_use(const OSSL_ALGORITHM *a, const struct picked *p)
{
	bool named = false;

	for (unsigned i = 0; p->names[i]; i++)
		named = named || is_named(a, p->names[i]);
	return named && (p->operation != OSSL_OP_DECODER ||
			 (a->property_definition &&
			  strstr(a->property_definition, "structure=SubjectPublicKeyInfo")));
}

/* --- secrets as they are made ------------------------------------------------------ */

static OSSL_FUNC_kdf_derive_fn *derive_whole;
static OSSL_DISPATCH deriving[DISPATCH_MAX];
static __thread struct {
	library_secret_fn fn;
	void *arg;
} watch;

void library_watch(library_secret_fn fn, void *arg)
{
	watch.fn = fn;
	watch.arg = arg;
}

static int derive(void *ctx, unsigned char *ret_key, size_t len, const OSSL_PARAM params[])
{
	int ok = derive_whole(ctx, ret_key, len, params);
	const OSSL_PARAM *label;

	if (ok != 1 || !watch.fn)
		return ok;
	label = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_LABEL);
	if (label && label->data_size == 12 &&
	    memcmp((char *)label->data + 1, " ap traffic", 11) == 0)
		watch.fn(watch.arg, *(char *)label->data == 'c', (struct bytes){ret_key, len});
	return ok;
}

/* The default provider's, but that we hear of what it made. False: as it is. */
static bool wrap(OSSL_ALGORITHM *a)
{
	const OSSL_DISPATCH *from = a->implementation;
	unsigned n = 0;

	for (; from[n].function_id; n++) {
		if (n == DISPATCH_MAX - 1)
			return false;
		deriving[n] = from[n];
		if (from[n].function_id != OSSL_FUNC_KDF_DERIVE)
			continue;
		derive_whole = OSSL_FUNC_kdf_derive(&from[n]);
		deriving[n].function = (void (*)(void))derive;
	}
	deriving[n] = (OSSL_DISPATCH){0};
	if (derive_whole)
		a->implementation = deriving;
	return derive_whole;
}

/* --- the provider ------------------------------------------------------------------- */

/* Copies those of use; without room for all of them, the list as it is. */
static const OSSL_ALGORITHM *pick(const OSSL_ALGORITHM *from, struct picked *p)
{
	unsigned n = 0;

	for (const OSSL_ALGORITHM *a = from; a && a->algorithm_names; a++) {
		if (!is_of_use(a, p))
			continue;
		if (n == PICK_MAX - 1)
			return from;
		p->list[n] = *a;
		if (is_named(a, "TLS13-KDF"))
			wrap(&p->list[n]);
		n++;
	}
	p->list[n] = (OSSL_ALGORITHM){0};
	return p->list;
}

static void pick_all(void)
{
	int no_cache;

	for (unsigned i = 0; i < sizeof(picked) / sizeof(*picked); i++)
		picked[i].use =
			pick(OSSL_PROVIDER_query_operation(whole, picked[i].operation, &no_cache),
			     &picked[i]);
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *ret_no_cache)
{
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, operation, ret_no_cache);

	for (unsigned i = 0; i < sizeof(picked) / sizeof(*picked); i++)
		if (picked[i].operation == operation)
			return picked[i].use;
	return a;
}

/* Which groups TLS can agree on. */
static int capabilities(void *provctx, const char *what, OSSL_CALLBACK *fn, void *arg)
{
	return OSSL_PROVIDER_get_capabilities(whole, what, fn, arg);
}

static const OSSL_DISPATCH functions[] = {
	{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
	{OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
	{0, NULL},
};

static int provide(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		   const OSSL_DISPATCH **ret_out, void **ret_provctx)
{
	*ret_out = functions;
	*ret_provctx = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

static void make(void)
{
	OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();

	all = OSSL_LIB_CTX_new();
	whole = all ? OSSL_PROVIDER_load(all, "default") : NULL;
	if (whole)
		pick_all();
	if (made && whole && OSSL_PROVIDER_add_builtin(made, "lean", provide) == 1 &&
	    OSSL_PROVIDER_load(made, "lean")) {
		lean = made;
		return;
	}
	ERR_clear_error();
	OSSL_LIB_CTX_free(made);
}

OSSL_LIB_CTX *library_tls(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (fips_on())
		return NULL;
	pthread_once(&once, make);
	return lean;
}
