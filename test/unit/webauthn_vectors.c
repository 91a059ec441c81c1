/*
 * Passkeys of others, where the folder with them is: of every vector of WebAuthn L3, and of
 * ceremonies that Chromium recorded, the valid ones pass, and no altered byte of what is signed does.
 */
#include "webauthn_kit.h"

#include <jansson.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "people/auth/attestation.h"

#define VECTORS UNIT_SOURCE "/../shared/data/auth/"

struct hex {
	uint8_t data[4096];
	size_t len;
};

static struct hex unhex(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	struct hex h = {.len = text ? strlen(text) / 2 : 0};

	for (size_t i = 0; i < h.len; i++)
		assert_int_equal(sscanf(text + 2 * i, "%2hhx", &h.data[i]), 1);
	return h;
}

#define BYTES(h) passkey_bytes((h).data, (h).len)

static json_t *load(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", VECTORS, name);
	return json_load_file(path, 0, NULL);
}

/* The credential of a registration whose attestation we do not verify. */
static bool credential_of(const struct hex *object, struct webauthn_credential *ret_c)
{
	struct attestation at;
	struct authdata a;

	assert_int_equal(attestation_parse(BYTES(*object), &at), 0);
	assert_int_equal(authdata_parse(at.auth_data, &a), 0);
	*ret_c = (struct webauthn_credential){
		.key = a.key, .count = a.count, .backup_eligible = a.flags & AUTHDATA_BE};
	return a.key.alg != COSE_NONE;
}

static void flip_assertion(const struct webauthn_want *w, const struct webauthn_credential *c,
			   const json_t *get, const char *auth_name)
{
	struct hex client = unhex(get, "clientDataJSON"), auth = unhex(get, auth_name),
		   sig = unhex(get, "signature"), *parts[] = {&client, &auth, &sig};
	struct webauthn_use u;

	for (unsigned n = 0; n < 3; n++)
		for (size_t i = 0; i < parts[n]->len; i++) {
			parts[n]->data[i] ^= (uint8_t)(1 << i % 8);
			assert_int_not_equal(
				try_assert(w, c, BYTES(client), BYTES(auth), BYTES(sig), &u),
				WEBAUTHN_OK);
			parts[n]->data[i] ^= (uint8_t)(1 << i % 8);
		}
}

/* Every byte of a registration that a certificate of `w`->roots vouches for. */
static void flip_registration(const struct webauthn_want *w, const json_t *made,
			      const struct hex *id)
{
	struct hex client = unhex(made, "clientDataJSON"),
		   object = unhex(made, "attestationObject");
	struct webauthn_credential c;
	struct attestation at;
	struct authdata a;
	size_t flags, aaguid;

	assert_int_equal(attestation_parse(BYTES(object), &at), 0);
	assert_int_equal(authdata_parse(at.auth_data, &a), 0);
	flags = (size_t)(a.rp_id_hash - object.data) + 32;
	aaguid = (size_t)(a.aaguid.data - object.data);
	for (size_t i = 0; i < object.len; i++) {
		/* U2F signed neither flags nor counter nor model: there were none (§8.6). */
		if (*at.format == 'f' &&
		    ((i >= flags && i < flags + 5) || (i >= aaguid && i < aaguid + 16)))
			continue;
		object.data[i] ^= (uint8_t)(1 << i % 8);
		if (try_register(w, BYTES(*id), BYTES(client), BYTES(object), &c) == WEBAUTHN_OK)
			fail_msg("byte %zu of the attestation may be altered", i);
		object.data[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < client.len; i++) {
		client.data[i] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(try_register(w, BYTES(*id), BYTES(client), BYTES(object), &c),
				     WEBAUTHN_OK);
		client.data[i] ^= (uint8_t)(1 << i % 8);
	}
}

/*
 * Without attestation nobody signs a registration: what may be altered unseen there is
 * the client data's members that say nothing, the model (AAGUID), the counter, flags
 * that make another credential, and a key that nobody holds. The last shows at the
 * first sign-in, so that is tried, too.
 */
static void flip_unattested(const struct webauthn_want *w, const json_t *v, const struct hex *id)
{
	const json_t *made = json_object_get(v, "registration"),
		     *get = json_object_get(v, "authentication");
	struct hex client = unhex(made, "clientDataJSON"),
		   object = unhex(made, "attestationObject"), got = unhex(get, "clientDataJSON"),
		   auth = unhex(get, "authenticatorData"), sig = unhex(get, "signature");
	struct attestation at;
	struct authdata a;
	struct webauthn_want later = *w;
	struct hex asked = unhex(get, "challenge");
	size_t aaguid, flags, accepted = 0;

	assert_int_equal(attestation_parse(BYTES(object), &at), 0);
	assert_int_equal(authdata_parse(at.auth_data, &a), 0);
	aaguid = (size_t)(a.aaguid.data - object.data);
	flags = (size_t)(a.rp_id_hash - object.data) + 32;
	later.challenge = BYTES(asked);
	for (size_t i = 0; i < object.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct webauthn_credential c;
			struct webauthn_use u;
			bool free_field =
				(i >= aaguid && i < aaguid + 16) || (i >= flags && i < flags + 5);

			object.data[i] ^= (uint8_t)(1 << bit);
			if (try_register(w, BYTES(*id), BYTES(client), BYTES(object), &c) ==
				    WEBAUTHN_OK &&
			    try_assert(&later, &c, BYTES(got), BYTES(auth), BYTES(sig), &u) ==
				    WEBAUTHN_OK) {
				accepted++;
				assert_true(free_field);
			}
			object.data[i] ^= (uint8_t)(1 << bit);
		}
	assert_in_range(accepted, 0, 16 * 8 + 6);
}

static X509_STORE *roots_of(const json_t *file)
{
	struct hex der = unhex(json_object_get(file, "attestationRoot"), "attestation_ca_cert");
	const unsigned char *at = der.data;
	X509 *ca = d2i_X509(NULL, &at, (long)der.len);
	X509_STORE *store = X509_STORE_new();

	assert_non_null(ca);
	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	X509_free(ca);
	return store;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What is to become of a vector's registration here. */
static const char *expected(const char *id)
{
	if (strstr(id, "es384") || strstr(id, "es512") || strstr(id, "ed448"))
		return "algorithm";
	if (begins(id, "tpm") || begins(id, "android") || begins(id, "apple"))
		return "format";
	return "ok";
}

static void one_vector(const json_t *file, const json_t *v, X509_STORE *roots, unsigned *ret_ok)
{
	const char *name = json_string_value(json_object_get(v, "id"));
	const char *const from[] = {"https://example.org", NULL}, *const top[] = {
									  "https://example.com",
									  NULL};
	const json_t *made = json_object_get(v, "registration"),
		     *get = json_object_get(v, "authentication");
	struct hex asked = unhex(made, "challenge"), client = unhex(made, "clientDataJSON"),
		   object = unhex(made, "attestationObject"), id = unhex(made, "credential_id");
	bool cross = strstr(name, "Origin") != NULL;
	struct webauthn_want w = {.challenge = BYTES(asked),
				  .rp_id = "example.org",
				  .origins = from,
				  .cross_origin = cross,
				  .top_origins = top,
				  .now_s = 1790000000};
	struct webauthn_credential c, d;
	struct webauthn_use u;
	bool self = strstr(name, "self") != NULL, attested = !begins(name, "none") && !self;

	assert_non_null(name);

	w.roots = attested && strcmp(expected(name), "ok") == 0 ? roots : NULL;
	assert_string_equal(
		webauthn_fault_name(try_register(&w, BYTES(id), BYTES(client), BYTES(object), &c)),
		expected(name));
	if (strcmp(expected(name), "ok") == 0) {
		++*ret_ok;
		if (attested) {
			flip_registration(&w, made, &id);
			w.now_s = 100; /* before the certificate began */
			assert_fault(try_register(&w, BYTES(id), BYTES(client), BYTES(object), &d),
				     untrusted);
		} else {
			w.roots = roots;
			assert_fault(try_register(&w, BYTES(id), BYTES(client), BYTES(object), &d),
				     untrusted);
			w.roots = NULL;
			if (!self)
				flip_unattested(&w, v, &id);
		}
		if (cross) {
			w.cross_origin = false;
			assert_fault(try_register(&w, BYTES(id), BYTES(client), BYTES(object), &d),
				     cross_origin);
			w.cross_origin = true;
		}
	} else if (!credential_of(&object, &c)) {
		return; /* its signatures are of an algorithm that we do not offer */
	}
	asked = unhex(get, "challenge");
	client = unhex(get, "clientDataJSON");
	w.challenge = BYTES(asked);
	w.roots = NULL;
	object = unhex(get, "authenticatorData");
	id = unhex(get, "signature");
	assert_fault(try_assert(&w, &c, BYTES(client), BYTES(object), BYTES(id), &u), ok);
	w.verified = true; /* as the gateway asks */
	assert_string_equal(webauthn_fault_name(try_assert(&w, &c, BYTES(client), BYTES(object),
							   BYTES(id), &u)),
			    cross && !w.cross_origin	    ? "cross_origin"
			    : object.data[32] & AUTHDATA_UV ? "ok"
							    : "not_verified");
	w.verified = false;
	flip_assertion(&w, &c, get, "authenticatorData");
}

static void vectors_of_the_standard(void **state)
{
	json_t *file = load("webauthn-l3.json"), *v;
	X509_STORE *roots;
	unsigned ok = 0;
	size_t i;

	if (!file) {
		print_message("skipped: no " VECTORS "webauthn-l3.json\n");
		skip();
	}
	roots = roots_of(file);
	json_array_foreach (json_object_get(file, "vectors"), i, v)
		one_vector(file, v, roots, &ok);
	assert_int_equal(json_array_size(json_object_get(file, "vectors")), 15);
	assert_int_equal(ok, 9);
	X509_STORE_free(roots);
	json_decref(file);
}

static void one_ceremony(const char *name)
{
	json_t *file = load(name);
	const json_t *made = json_object_get(file, "reg"), *got = json_object_get(file, "asr");
	struct hex asked = unhex(file, "regChallenge"), client = unhex(made, "clientDataJSON"),
		   object = unhex(made, "attestationObject"), id = unhex(made, "rawId"), sig, auth;
	const char *const from[] = {json_string_value(json_object_get(file, "origin")), NULL};
	struct webauthn_want w = {
		.challenge = BYTES(asked), .rp_id = "localhost", .origins = from, .verified = true};
	struct webauthn_credential c;
	struct webauthn_use u;

	assert_fault(try_register(&w, BYTES(id), BYTES(client), BYTES(object), &c), ok);
	assert_int_equal(c.key.alg, json_integer_value(json_object_get(file, "alg")));
	asked = unhex(file, "authChallenge");
	w.challenge = BYTES(asked);
	client = unhex(got, "clientDataJSON");
	auth = unhex(got, "authData");
	sig = unhex(got, "signature");
	assert_fault(try_assert(&w, &c, BYTES(client), BYTES(auth), BYTES(sig), &u), ok);
	flip_assertion(&w, &c, got, "authData");
	c.count = u.count; /* the same signature again */
	assert_fault(try_assert(&w, &c, BYTES(client), BYTES(auth), BYTES(sig), &u), cloned);
	json_decref(file);
}

static void ceremonies_of_a_browser(void **state)
{
	json_t *file = load("ceremony-direct.json");

	if (!file) {
		print_message("skipped: no " VECTORS "ceremony-direct.json\n");
		skip();
	}
	json_decref(file);
	one_ceremony("ceremony-direct.json");
	one_ceremony("ceremony-EdDSA.json");
	one_ceremony("ceremony-RS256.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_standard),
		cmocka_unit_test(ceremonies_of_a_browser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
