#include "base/record_aead.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

/* Of one kind, in the provider that the library uses for it. */
static struct functions {
	const char *name;
	uint8_t key;
	EVP_CIPHER *cipher; /* keeps the provider loaded; NULL: there is none */
	void *provider;
	OSSL_FUNC_cipher_newctx_fn *new;
	OSSL_FUNC_cipher_freectx_fn *free;
	OSSL_FUNC_cipher_encrypt_init_fn *seal;
	OSSL_FUNC_cipher_decrypt_init_fn *open;
	OSSL_FUNC_cipher_update_fn *update;
	OSSL_FUNC_cipher_final_fn *final;
	OSSL_FUNC_cipher_get_ctx_params_fn *get;
	OSSL_FUNC_cipher_set_ctx_params_fn *set;
} all[RECORD_AEAD_KINDS] = {
	{.name = "AES-128-GCM", .key = 16},
	{.name = "AES-256-GCM", .key = 32},
	{.name = "ChaCha20-Poly1305", .key = 32},
};

struct record_aead {
	const struct functions *f;
	void *ctx;
	bool seals;
};

static void take(struct functions *f, const OSSL_DISPATCH *d)
{
	for (; d->function_id; d++)
		switch (d->function_id) {
		case OSSL_FUNC_CIPHER_NEWCTX:
			f->new = OSSL_FUNC_cipher_newctx(d);
			break;
		case OSSL_FUNC_CIPHER_FREECTX:
			f->free = OSSL_FUNC_cipher_freectx(d);
			break;
		case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
			f->seal = OSSL_FUNC_cipher_encrypt_init(d);
			break;
		case OSSL_FUNC_CIPHER_DECRYPT_INIT:
			f->open = OSSL_FUNC_cipher_decrypt_init(d);
			break;
		case OSSL_FUNC_CIPHER_UPDATE:
			f->update = OSSL_FUNC_cipher_update(d);
			break;
		case OSSL_FUNC_CIPHER_FINAL:
			f->final = OSSL_FUNC_cipher_final(d);
			break;
		case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
			f->get = OSSL_FUNC_cipher_get_ctx_params(d);
			break;
		case OSSL_FUNC_CIPHER_SET_CTX_PARAMS:
			f->set = OSSL_FUNC_cipher_set_ctx_params(d);
			break;
		}
}

static bool is_of(const EVP_CIPHER *cipher, const OSSL_ALGORITHM *a)
{
	char name[64];
	size_t len = strcspn(a->algorithm_names, ":");

	if (len >= sizeof(name))
		return false;
	memcpy(name, a->algorithm_names, len);
	name[len] = 0;
	return EVP_CIPHER_is_a(cipher, name) == 1;
}

static void find(struct functions *f)
{
	const OSSL_PROVIDER *p;
	const OSSL_ALGORITHM *a;
	int no_cache;

	f->cipher = EVP_CIPHER_fetch(NULL, f->name, NULL);
	if (!f->cipher)
		return;
	p = EVP_CIPHER_get0_provider(f->cipher);
	f->provider = OSSL_PROVIDER_get0_provider_ctx(p);
	a = OSSL_PROVIDER_query_operation(p, OSSL_OP_CIPHER, &no_cache);
	for (; a && a->algorithm_names; a++)
		if (is_of(f->cipher, a)) {
			take(f, a->implementation);
			break;
		}
	if (f->new && f->free && f->seal && f->open && f->update && f->final && f->get && f->set)
		return;
	EVP_CIPHER_free(f->cipher);
	f->cipher = NULL;
}

static void find_all(void)
{
	for (unsigned i = 0; i < RECORD_AEAD_KINDS; i++)
		find(&all[i]);
	ERR_clear_error();
}

size_t record_aead_key(enum record_aead_kind kind)
{
	return all[kind].key;
}

struct record_aead *record_aead_new(enum record_aead_kind kind, bool seal, const uint8_t *key)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct record_aead *a;

	pthread_once(&once, find_all);
	if (!all[kind].cipher) {
		errno = ENOTSUP;
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	*a = (struct record_aead){.f = &all[kind], .seals = seal};
	a->ctx = a->f->new (a->f->provider);
	if (a->ctx && record_aead_rekey(a, key) == 0)
		return a;
	record_aead_free(a);
	ERR_clear_error();
	errno = EIO;
	return NULL;
}

void record_aead_free(struct record_aead *a)
{
	if (!a)
		return;
	if (a->ctx)
		a->f->free(a->ctx);
	free(a);
}

static int init(struct record_aead *a, const uint8_t *key, const uint8_t *nonce)
{
	size_t len = nonce ? RECORD_AEAD_NONCE : 0, key_len = key ? a->f->key : 0;

	return (a->seals ? a->f->seal : a->f->open)(a->ctx, key, key_len, nonce, len, NULL) == 1
		       ? 0
		       : -EIO;
}

int record_aead_rekey(struct record_aead *a, const uint8_t *key)
{
	return init(a, key, NULL);
}

int record_aead_begin(struct record_aead *a, const uint8_t nonce[RECORD_AEAD_NONCE],
		      struct bytes with)
{
	size_t n;

	if (init(a, NULL, nonce) < 0 ||
	    a->f->update(a->ctx, NULL, &n, with.len, with.data, with.len) != 1)
		return -EIO;
	return 0;
}

int record_aead_piece(struct record_aead *a, const uint8_t *data, size_t len, uint8_t *ret_data)
{
	size_t n = 0;

	if (!len)
		return 0;
	return a->f->update(a->ctx, ret_data, &n, len, data, len) == 1 && n == len ? 0 : -EIO;
}

int record_aead_tag(struct record_aead *a, uint8_t ret_tag[RECORD_AEAD_TAG])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, ret_tag, RECORD_AEAD_TAG),
		OSSL_PARAM_END,
	};
	uint8_t none[RECORD_AEAD_TAG];
	size_t n;

	return a->f->final(a->ctx, none, &n, sizeof(none)) == 1 && a->f->get(a->ctx, params) == 1
		       ? 0
		       : -EIO;
}

int record_aead_check(struct record_aead *a, const uint8_t tag[RECORD_AEAD_TAG])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(uintptr_t)tag,
					RECORD_AEAD_TAG),
		OSSL_PARAM_END,
	};
	uint8_t none[RECORD_AEAD_TAG];
	size_t n;

	return a->f->set(a->ctx, params) == 1 && a->f->final(a->ctx, none, &n, sizeof(none)) == 1
		       ? 0
		       : -EBADMSG;
}
