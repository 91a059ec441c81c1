#include "seal/pki/library.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "base/fips.h"

#define KINDS_MAX 64

static OSSL_LIB_CTX *all, *lean; /* what is handed on, and to whom */
static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM kinds[KINDS_MAX], decoders[KINDS_MAX];

/* An algorithm's names, "RSA:rsaEncryption:1.2.840…", begin with the usual one. */
static bool is_of_use(const char *names)
{
	static const char *const used[] = {"EC",      "RSA",	"RSA-PSS",
					   "ED25519", "X25519", "HMAC" /* Finished */};
	size_t len = strcspn(names, ":");

	for (unsigned i = 0; i < sizeof(used) / sizeof(*used); i++)
		if (strlen(used[i]) == len && strncmp(names, used[i], len) == 0)
			return true;
	return false;
}

/* Copies those of use; without room for all of them, the list as it is. */
static const OSSL_ALGORITHM *pick(const OSSL_ALGORITHM *from, OSSL_ALGORITHM *to)
{
	unsigned n = 0;

	for (const OSSL_ALGORITHM *a = from; a && a->algorithm_names; a++) {
		if (!is_of_use(a->algorithm_names))
			continue;
		if (n == KINDS_MAX - 1)
			return from;
		to[n++] = *a;
	}
	to[n] = (OSSL_ALGORITHM){0};
	return to;
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *ret_no_cache)
{
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, operation, ret_no_cache);

	if (operation == OSSL_OP_DECODER)
		return pick(a, decoders);
	return operation == OSSL_OP_KEYMGMT ? pick(a, kinds) : a;
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
