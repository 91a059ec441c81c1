/*
 * What stands in for OpenSSL's FIPS module, which Debian does not ship: a loadable provider that offers
 * the default one's algorithms as `fips=yes`, and of those only what a module has: no ChaCha20,
 * no X25519, no Argon2. It is none, and shows only that the gateway finds, loads and uses one: as
 * OPENSSL_MODULES=DIRECTORY bedwarden run.
 */
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#define MOST 200

OSSL_provider_init_fn OSSL_provider_init;

static OSSL_PROVIDER *inner;
static OSSL_LIB_CTX *within;

/* One list an operation. */
static OSSL_ALGORITHM lists[OSSL_OP__HIGHEST + 1][MOST];

static int is_approved(const char *names)
{
	static const char *const others[] = {"ChaCha20", "X25519",   "ED25519",	 "X448",
					     "MD5",	 "POLY1305", "SM2",	 "SM3",
					     "SM4",	 "ARIA",     "CAMELLIA", "SCRYPT"};

	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strncmp(names, others[i], strlen(others[i])) == 0)
			return 0;
	return 1;
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *ret_no_cache)
{
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(inner, operation, ret_no_cache);
	OSSL_ALGORITHM *list = lists[operation];
	unsigned n = 0;

	for (; a && a->algorithm_names && n < MOST - 1; a++) {
		if (!is_approved(a->algorithm_names))
			continue;
		list[n] = *a;
		/* Decoders and encoders say what they read and write by further properties. */
		if (operation < OSSL_OP_ENCODER)
			list[n].property_definition = "provider=fips,fips=yes";
		n++;
	}
	list[n] = (OSSL_ALGORITHM){0};
	return operation < OSSL_OP_ENCODER ? list : NULL; /* the base provider has those */
}

static int capabilities(void *ctx, const char *what, OSSL_CALLBACK *fn, void *arg)
{
	return OSSL_PROVIDER_get_capabilities(inner, what, fn, arg);
}

static void teardown(void *ctx)
{
	OSSL_PROVIDER_unload(inner);
	OSSL_LIB_CTX_free(within);
}

static const OSSL_DISPATCH functions[] = {
	{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
	{OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
	{OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
	{0, NULL},
};

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **ret_out, void **ret_provctx)
{
	within = OSSL_LIB_CTX_new();
	inner = within ? OSSL_PROVIDER_load(within, "default") : NULL;
	if (!inner)
		return 0;
	*ret_out = functions;
	*ret_provctx = OSSL_PROVIDER_get0_provider_ctx(inner);
	return 1;
}
