/*
 * Passkeys, by our own software authenticator: the valid ones pass, and no altered byte of what is
 * signed does.
 */
#include "webauthn_kit.h"

#ifdef WITH_ORACLE
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#endif
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "people/auth/attestation.h"
#include "people/auth/cbor.h"
#include "people/auth/clientdata.h"

static const char *const origins[] = {"https://gateway.example", NULL};
static const uint8_t challenge[32] = "thirty-two bytes, only for tests";
static const struct webauthn_want site = {
	.challenge = {challenge, 32},
	.rp_id = "gateway.example",
	.origins = origins,
	.verified = true,
};

static enum webauthn_fault create(const struct webauthn_want *w, const struct passkey *p,
				  const struct passkey_said *s, struct webauthn_credential *ret_c)
{
	return try_register(w, passkey_bytes(p->id, sizeof(p->id)),
			    passkey_bytes(s->client, s->client_len),
			    passkey_bytes(s->object, s->object_len), ret_c);
}

static enum webauthn_fault use(const struct webauthn_want *w, const struct webauthn_credential *c,
			       const struct passkey_said *s, struct webauthn_use *ret_use)
{
	return try_assert(w, c, passkey_bytes(s->client, s->client_len),
			  passkey_bytes(s->auth, s->auth_len), passkey_bytes(s->sig, s->sig_len),
			  ret_use);
}

static void every_algorithm(void **state)
{
	static const enum cose_alg algs[] = {COSE_ES256, COSE_EDDSA, COSE_RS256};
	struct webauthn_credential c;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p;

	for (unsigned i = 0; i < 6; i++) {
		passkey_open(&p, algs[i % 3], 7);
		p.packed = i >= 3;
		passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
		assert_fault(create(&site, &p, &s, &c), ok);
		assert_int_equal(c.key.alg, algs[i % 3]);
		assert_int_equal(c.count, 1);
		passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
		assert_fault(use(&site, &c, &s, &u), ok);
		assert_int_equal(u.count, 2);
		assert_true(u.verified);
		passkey_close(&p);
	}
}

/* What a passkey says wrong, one thing at a time. */
static void wrong_in_one_thing(void **state)
{
	struct webauthn_want w = site;
	struct webauthn_credential c;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p, other;
	uint8_t late[32] = "another challenge, also 32 long";

	passkey_open(&p, COSE_ES256, 7);
	passkey_open(&other, COSE_ES256, 7);
	passkey_create(&p, site.rp_id, origins[0], passkey_bytes(late, 32), &s);
	assert_fault(create(&site, &p, &s, &c), challenge);
	passkey_create(&p, site.rp_id, "https://gateway.example:444", site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), origin);
	passkey_create(&p, "example", origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), rp_id);
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), type);
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(try_register(&site, passkey_bytes(p.id, 31),
				  passkey_bytes(s.client, s.client_len),
				  passkey_bytes(s.object, s.object_len), &c),
		     credential);
	w.challenge.len = 15; /* too short to be anybody's challenge */
	passkey_create(&p, site.rp_id, origins[0], w.challenge, &s);
	assert_fault(create(&w, &p, &s, &c), challenge);
	p.flags = AUTHDATA_UP;
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), not_verified);
	p.flags = AUTHDATA_UV;
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), not_present);
	p.flags = AUTHDATA_UP | AUTHDATA_UV | AUTHDATA_BS;
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), backup_state);
	p.flags = AUTHDATA_UP | AUTHDATA_UV;
	p.extra = ",\"topOrigin\":\"https://evil.example\"";
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), cross_origin);
	p.extra = ",\"type\":\"webauthn.create\""; /* twice */
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), malformed);
	p.extra = ",\"tokenBinding\":{\"status\":\"present\",\"id\":\"x\"}"; /* ignored */
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), ok);
	p.extra = NULL;

	passkey_get(&other, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), signature);
	passkey_get(&p, site.rp_id, origins[0], passkey_bytes(late, 32), &s);
	assert_fault(use(&site, &c, &s, &u), challenge);
	passkey_get(&p, site.rp_id, "https://evil.example", site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), origin);
	passkey_get(&p, "evil.example", origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), rp_id);
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), type);
	p.flags = AUTHDATA_UP | AUTHDATA_UV | AUTHDATA_BE; /* it was none that can be copied */
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), backup_state);
	p.flags = AUTHDATA_UP;
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), not_verified);
	passkey_close(&p);
	passkey_close(&other);
}

static void counts_backwards(void **state)
{
	struct webauthn_credential c;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p;

	passkey_open(&p, COSE_EDDSA, 9);
	p.count = 40;
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), ok);
	p.count = 39;
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s); /* 40 again */
	assert_fault(use(&site, &c, &s, &u), cloned);
	p.count = 0; /* stopped counting */
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), cloned);
	p.count = 40;
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), ok);
	c.count = 0;
	p.count = 0; /* one that never counts */
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), ok);
	passkey_close(&p);
}

/* Browsers have authenticators add some unasked; §7.1 lets us ignore them. */
static void extensions_nobody_asked_for(void **state)
{
	static const uint8_t protect[] = "\xa2\x6b"
					 "credProtect\x02\x6bhmac-secret\xf5";
	static const uint8_t foreign[] = "\xa1\x63"
					 "foo\x83\x01\x02\x61x";
	static const uint8_t broken[] = "\xa1\x63"
					"foo";
	struct webauthn_credential c;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p;

	passkey_open(&p, COSE_ES256, 7);
	for (unsigned i = 0; i < 4; i++) {
		p.packed = i & 1;
		p.flags |= AUTHDATA_ED;
		p.extensions = i & 2 ? passkey_bytes(foreign, sizeof(foreign) - 1)
				     : passkey_bytes(protect, sizeof(protect) - 1);
		passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
		assert_fault(create(&site, &p, &s, &c), ok);
		p.extensions = passkey_bytes(foreign, sizeof(foreign) - 1);
		passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
		assert_fault(use(&site, &c, &s, &u), ok);
	}
	p.extensions = passkey_bytes(broken, sizeof(broken) - 1);
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), malformed);
	passkey_close(&p);
}

/* Every prefix and every altered byte of what is signed. */
static void no_altered_byte_passes(void **state)
{
	struct webauthn_credential c, d;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p;

	passkey_open(&p, COSE_ES256, 7);
	p.packed = true;
	passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(create(&site, &p, &s, &c), ok);
	for (size_t i = 0; i < s.object_len; i++) {
		size_t len = s.object_len;

		s.object[i] ^= 1;
		assert_int_not_equal(create(&site, &p, &s, &d), WEBAUTHN_OK);
		s.object[i] ^= 1;
		s.object_len = i;
		assert_int_not_equal(create(&site, &p, &s, &d), WEBAUTHN_OK);
		s.object_len = len;
	}
	for (size_t i = 0; i < s.client_len; i++) {
		s.client[i] ^= 1;
		assert_int_not_equal(create(&site, &p, &s, &d), WEBAUTHN_OK);
		s.client[i] ^= 1;
	}
	passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
	assert_fault(use(&site, &c, &s, &u), ok);
	for (size_t i = 0; i < s.auth_len * 8; i++) {
		s.auth[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(use(&site, &c, &s, &u), WEBAUTHN_OK);
		s.auth[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < s.sig_len; i++) {
		s.sig[i] ^= 0x40;
		assert_int_not_equal(use(&site, &c, &s, &u), WEBAUTHN_OK);
		s.sig[i] ^= 0x40;
	}
	s.sig_len = 0;
	assert_fault(use(&site, &c, &s, &u), malformed);
	passkey_close(&p);
}

static void cbor_in_one_form_alone(void **state)
{
	static const char *const bad[] = {
		"\x18\x17",				/* 23 in two bytes */
		"\x19\x00\xff",				/* 255 in three */
		"\x5f\x41x\xff",			/* indefinite */
		"\xc0\x61x",				/* a tag */
		"\xfb",					/* a float */
		"\x61\xff",				/* no UTF-8 */
		"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", /* more items than bytes */
		"\xa1\x01",				/* a key without its value */
		"\x81\x81\x81\x81\x81\x81\x01",		/* too deep */
		"\x44xyz",				/* longer than it is */
		"\xf7",					/* undefined */
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bytes b = unit_exact(bad[i], strlen(bad[i]) + (bad[i][1] == 0));
		struct reader r = reader_new(b.data, b.len);

		if (bad[i][0] == '\x19') /* it holds a zero */
			r.in.len = 0;
		cbor_skip(&r);
		assert_true(r.bad);
		free((void *)b.data);
	}
}

static void client_data_of_no_form(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"type\":\"webauthn.get\",\"challenge\":\"x\"}",
		"{\"type\":1,\"challenge\":\"x\",\"origin\":\"y\"}",
		"{\"type\":\"a\\u0000b\",\"challenge\":\"x\",\"origin\":\"y\"}",
		"{\"type\":\"a\",\"challenge\":\"x\",\"origin\":\"y\",\"crossOrigin\":\"no\"}",
		"{\"type\":\"a\",\"challenge\":\"x\",\"origin\":\"y\",\"topOrigin\":1}",
		"{\"type\":\"a\",\"challenge\":\"x\",\"origin\":\"y\",\"origin\":\"z\"}",
		"{\"type\":\"a\",\"challenge\":\"x\",\"origin\":\"y\"} {}",
	};
	struct clientdata c;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bytes b = unit_exact(bad[i], strlen(bad[i]));

		assert_int_not_equal(clientdata_parse(b, &c), 0);
		free((void *)b.data);
	}
}

/* ---- as others see it ---- */

#ifdef WITH_ORACLE
/* Does libfido2 take the signature? */
static bool others_take(const struct webauthn_want *w, const struct webauthn_credential *c,
			struct bytes client, struct bytes auth, struct bytes sig)
{
	fido_assert_t *a = fido_assert_new();
	es256_pk_t *es = es256_pk_new();
	eddsa_pk_t *ed = eddsa_pk_new();
	rs256_pk_t *rs = rs256_pk_new();
	bool es256 = c->key.alg == COSE_ES256, eddsa = c->key.alg == COSE_EDDSA;
	const void *pk = es256 ? (void *)es : eddsa ? (void *)ed : (void *)rs;
	bool good;

	good = (es256	? es256_pk_from_ptr(es, c->key.bytes, c->key.len)
		: eddsa ? eddsa_pk_from_ptr(ed, c->key.bytes, c->key.len)
			: rs256_pk_from_ptr(rs, c->key.bytes, c->key.len)) == FIDO_OK &&
	       fido_assert_set_clientdata(a, client.data, client.len) == FIDO_OK &&
	       fido_assert_set_rp(a, w->rp_id) == FIDO_OK &&
	       fido_assert_set_count(a, 1) == FIDO_OK &&
	       fido_assert_set_authdata_raw(a, 0, auth.data, auth.len) == FIDO_OK &&
	       fido_assert_set_sig(a, 0, sig.data, sig.len) == FIDO_OK &&
	       fido_assert_verify(a, 0, (int)c->key.alg, pk) == FIDO_OK;
	es256_pk_free(&es);
	eddsa_pk_free(&ed);
	rs256_pk_free(&rs);
	fido_assert_free(&a);
	return good;
}

/* Signatures, right and altered anywhere: libfido2 judges as we do. */
static void as_libfido2_judges(void **state)
{
	static const enum cose_alg algs[] = {COSE_ES256, COSE_EDDSA, COSE_RS256};
	struct webauthn_credential c;
	struct webauthn_use u;
	struct passkey_said s;
	struct passkey p;

	for (unsigned n = 0; n < 3; n++) {
		passkey_open(&p, algs[n], 7);
		passkey_create(&p, site.rp_id, origins[0], site.challenge, &s);
		assert_fault(create(&site, &p, &s, &c), ok);
		passkey_get(&p, site.rp_id, origins[0], site.challenge, &s);
		for (size_t i = 0; i <= s.auth_len + s.sig_len; i++) {
			uint8_t *at = i < s.auth_len ? &s.auth[i] : &s.sig[i - s.auth_len];
			bool ours, theirs;

			s.sig[s.sig_len] = 0; /* past the end: nothing is altered */
			*at ^= 0x80;
			ours = use(&site, &c, &s, &u) == WEBAUTHN_OK;
			theirs = others_take(&site, &c, passkey_bytes(s.client, s.client_len),
					     passkey_bytes(s.auth, s.auth_len),
					     passkey_bytes(s.sig, s.sig_len));
			*at ^= 0x80;
			assert_int_equal(ours, theirs);
			assert_int_equal(ours, i == s.auth_len + s.sig_len);
		}
		passkey_close(&p);
	}
}
#else
static void as_libfido2_judges(void **state)
{
	print_message("skipped: no libfido2-dev\n");
	skip();
}
#endif

/* ---- who made it ---- */

static X509_STORE *admitted(X509 *const *certs, unsigned count)
{
	char pem[8192];
	size_t len = 0;
	unsigned got = 0;
	X509_STORE *roots;

	for (unsigned i = 0; i < count; i++)
		len += maker_pem(certs[i], pem + len, sizeof(pem) - len);
	roots = attestation_roots(passkey_bytes((const uint8_t *)pem, len), &got);
	assert_non_null(roots);
	assert_int_equal(got, count);
	return roots;
}

/* By its authority, by its own certificate listed as such, and not by a namesake of either. */
static void makers_that_are_admitted(void **state)
{
	struct maker good, namesake, liar;
	X509_STORE *roots[3], *strangers;
	struct webauthn_want want = site;
	struct webauthn_credential c;
	struct passkey_said s;
	struct passkey p;

	maker_open(&good, "Trusted Keys");
	maker_open(&namesake, "Trusted Keys");
	liar = (struct maker){.key = namesake.key, .cert = good.cert};
	roots[0] = admitted(&good.root, 1);
	roots[1] = admitted(&good.cert, 1);
	roots[2] = admitted((X509 *[]){namesake.root, good.root}, 2);
	strangers = admitted(&namesake.root, 1);
	want.now_s = 1790000000;
	passkey_open(&p, COSE_ES256, 7);
	for (unsigned u2f = 0; u2f < 2; u2f++) {
		p.u2f = u2f;
		p.maker = &good;
		passkey_create(&p, site.rp_id, site.origins[0], site.challenge, &s);
		for (unsigned i = 0; i < 3; i++) {
			want.roots = roots[i];
			assert_fault(create(&want, &p, &s, &c), ok);
		}
		want.roots = strangers;
		assert_fault(create(&want, &p, &s, &c), untrusted);
		want.roots = roots[0];
		want.now_s = 2300000000; /* when the certificate has run out */
		assert_fault(create(&want, &p, &s, &c), untrusted);
		want.now_s = 1790000000;
		p.maker = &liar;
		passkey_create(&p, site.rp_id, site.origins[0], site.challenge, &s);
		assert_fault(create(&want, &p, &s, &c), attestation);
		want.roots = NULL; /* its proof must be right all the same */
		assert_fault(create(&want, &p, &s, &c), attestation);
	}
	p.maker = NULL; /* none, and one's own word */
	want.roots = roots[0];
	for (unsigned i = 0; i < 2; i++) {
		p.packed = i;
		passkey_create(&p, site.rp_id, site.origins[0], site.challenge, &s);
		assert_fault(create(&want, &p, &s, &c), untrusted);
	}
	passkey_close(&p);
	for (unsigned i = 0; i < 3; i++)
		X509_STORE_free(roots[i]);
	X509_STORE_free(strangers);
	maker_close(&good);
	maker_close(&namesake);
}

/* All of the file or nothing of it: half a list would keep out whom it should let in. */
static void roots_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "no certificate", "-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
	struct maker m;
	char pem[4096];
	size_t len;
	unsigned count = 99;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bytes copy = unit_exact((const uint8_t *)bad[i], strlen(bad[i]));

		assert_null(attestation_roots(copy, &count));
		free((void *)copy.data);
	}
	maker_open(&m, "Maker");
	len = maker_pem(m.root, pem, sizeof(pem));
	strcpy(pem + len, bad[3]);
	assert_null(attestation_roots(passkey_bytes((const uint8_t *)pem, len + strlen(bad[3])),
				      &count));
	assert_null(attestation_roots(passkey_bytes((const uint8_t *)pem, len - 30), &count));
	assert_int_equal(count, 99);
	maker_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_algorithm),
		cmocka_unit_test(wrong_in_one_thing),
		cmocka_unit_test(counts_backwards),
		cmocka_unit_test(extensions_nobody_asked_for),
		cmocka_unit_test(no_altered_byte_passes),
		cmocka_unit_test(as_libfido2_judges),
		cmocka_unit_test(cbor_in_one_form_alone),
		cmocka_unit_test(client_data_of_no_form),
		cmocka_unit_test(makers_that_are_admitted),
		cmocka_unit_test(roots_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
