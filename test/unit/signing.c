#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "keep/signing.h"
#include "place.h"
#include "role/secrets.h"
#include "seal/pki/signer.h"

static struct keys *keys_at(const char *folder, bool create)
{
	struct holder_ask ask = {.dir = folder, .place = ""};
	char error[KEYS_ERROR] = "";
	struct keys *k;

	if (create)
		assert_int_equal(keys_create(folder, &holder_file, &ask, NULL, error), 0);
	k = keys_open(folder, &ask, error);
	assert_non_null(k);
	return k;
}

static bool fits(const uint8_t point[P256_POINT], const uint8_t digest[CRYPTO_HASH],
		 const uint8_t sign[P256_SIGN])
{
	EVP_PKEY *public = signer_public(point);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(public, NULL);
	uint8_t der[P256_SIGN_DER];
	size_t len = p256_der(sign, der);
	bool ok = len && EVP_PKEY_verify_init(ctx) == 1 &&
		  EVP_PKEY_verify(ctx, der, len, digest, CRYPTO_HASH) == 1;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(public);
	return ok;
}

static void a_purpose_has_a_key_that_lasts(void **state)
{
	static const uint8_t digest[CRYPTO_HASH] = {7};
	const struct place *p = *state;
	uint8_t point[P256_POINT], again[P256_POINT], other[P256_POINT], sign[P256_SIGN];
	struct keys *keys = keys_at(p->folder, true);
	struct signing *s = signing_new(keys);

	assert_int_equal(signing_public(s, "tls.link", point), 0);
	assert_int_equal(signing_public(s, "pki.ca", other), 0);
	assert_memory_not_equal(point, other, sizeof(point));
	assert_int_equal(signing_sign(s, "tls.link", digest, sign), 0);
	assert_true(fits(point, digest, sign));
	assert_false(fits(other, digest, sign));
	assert_int_equal(signing_public(s, "a purpose with a name that is far too long", point),
			 -EINVAL);
	signing_free(s);
	keys_free(keys);

	keys = keys_at(p->folder, false);
	s = signing_new(keys);
	assert_int_equal(signing_public(s, "tls.link", again), 0);
	assert_memory_equal(point, again, sizeof(point));
	assert_int_equal(keys_rotate(keys), 0); /* another master key, the same seeds */
	assert_int_equal(signing_public(s, "tls.link", again), 0);
	assert_memory_equal(point, again, sizeof(point));
	signing_free(s);
	keys_free(keys);
}

static void a_destroyed_key_signs_no_more(void **state)
{
	static const uint8_t digest[CRYPTO_HASH] = {7};
	const struct place *p = *state;
	uint8_t point[P256_POINT], sign[P256_SIGN];
	struct keys *keys = keys_at(p->folder, true);
	struct signing *s = signing_new(keys);
	const uint8_t *seed;
	uint32_t id;

	assert_int_equal(signing_public(s, "tls.link", point), 0);
	assert_int_equal(keys_sealing(keys, "tls.link", KEYS_ALWAYS, &id, &seed), 0);
	assert_int_equal(keys_destroy(keys, id), 0);
	assert_int_equal(signing_sign(s, "tls.link", digest, sign), 0);
	assert_false(fits(point, digest, sign)); /* another one took its place */
	signing_free(s);
	keys_free(keys);
}

static int open_place(void **state)
{
	return place_open(state, "none");
}

/* What somebody left in the folder's place leads nowhere, whoever asks. */
static void a_link_is_no_folder(void **state)
{
	const struct place *p = *state;
	char other[128], link[128], made[160];
	struct secrets *s;

	snprintf(other, sizeof(other), "%s/other", p->folder);
	snprintf(link, sizeof(link), "%s/vault", p->folder);
	snprintf(made, sizeof(made), "%s/keyring.lock", other);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlink(other, link), 0);
	s = secrets_new(p->folder, "file", NULL, geteuid(), getegid());
	assert_null(secrets_keys(s));
	assert_non_null(strstr(secrets_locked(s), "no folder"));
	assert_int_not_equal(access(made, F_OK), 0);
	secrets_free(s);
	unlink(link);
	s = secrets_new(p->folder, "file", NULL, geteuid(), getegid());
	assert_non_null(secrets_keys(s));
	assert_string_equal(secrets_locked(s), "");
	secrets_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_purpose_has_a_key_that_lasts, open_place,
						place_close),
		cmocka_unit_test_setup_teardown(a_link_is_no_folder, open_place, place_close),
		cmocka_unit_test_setup_teardown(a_destroyed_key_signs_no_more, open_place,
						place_close),
	};

	return cmocka_run_group_tests_name("signing", tests, NULL, NULL);
}
