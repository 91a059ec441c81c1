/*
 * What a browser hands over of a passkey: client data, authenticator data, an attestation
 * object; the first byte says which, or that all of it is a registration or a signature.
 */
#include <assert.h>
#include <stdlib.h>

#include "people/auth/attestation.h"
#include "people/auth/cbor.h"
#include "people/auth/clientdata.h"
#include "people/auth/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const origins[] = {"https://gateway.example", NULL};
static const struct webauthn_want want = {
	.challenge = {(const uint8_t *)"thirty-two bytes, only for tests", 32},
	.rp_id = "gateway.example",
	.origins = origins,
	.verified = true,
};

static void inside(struct bytes part, struct bytes whole)
{
	assert(part.len == 0 ||
	       (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void try_authdata(struct bytes in)
{
	struct authdata a;

	if (authdata_parse(in, &a) < 0)
		return;
	inside((struct bytes){a.rp_id_hash, 32}, in);
	inside(a.id, in);
	inside(a.extensions, in);
	assert(a.key.len <= sizeof(a.key.bytes));
	if (a.flags & AUTHDATA_AT) {
		assert(a.id.len > 0 && a.id.len <= AUTHDATA_ID_MAX);
		(void)cose_valid(&a.key);
	}
}

static void try_attestation(struct bytes in)
{
	static const uint8_t hash[32];
	struct attestation at;
	struct authdata a;

	if (attestation_parse(in, &at) < 0)
		return;
	inside(at.statement, in);
	inside(at.auth_data, in);
	if (authdata_parse(at.auth_data, &a) == 0 && a.flags & AUTHDATA_AT)
		(void)attestation_verify(&at, &a, &want, hash);
}

/* The first two bytes: where the one ends and the other begins. */
static void try_ceremony(struct bytes in, bool create)
{
	struct reader r = reader_new(in.data, in.len);
	struct bytes client = read_bytes(&r, read_be16(&r)), rest = read_bytes(&r, reader_left(&r));
	struct webauthn_credential c = {.key = {.alg = COSE_ES256, .len = 64}};
	struct webauthn_use u;

	if (r.bad)
		return;
	if (create)
		(void)webauthn_register(&want, (struct bytes){rest.data, rest.len % 64}, client,
					rest, &c);
	else /* nobody has signed anything for that key, which is none */
		assert(webauthn_assert(&want, &c, client, rest, rest, &u) != WEBAUTHN_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = {malloc(len ? len : 1), len ? len - 1 : 0};
	struct clientdata c;
	struct reader r;

	assert(in.data);
	if (len == 0) {
		free((void *)in.data);
		return 0;
	}
	memcpy((uint8_t *)in.data, data + 1, len - 1);
	switch (data[0] % 6) {
	case 0:
		if (clientdata_parse(in, &c) == 0) {
			assert(c.type && c.challenge && c.origin);
			clientdata_free(&c);
		}
		break;
	case 1:
		try_authdata(in);
		break;
	case 2:
		try_attestation(in);
		break;
	case 3:
		try_ceremony(in, true);
		break;
	case 4:
		try_ceremony(in, false);
		break;
	default:
		r = reader_new(in.data, in.len);
		while (!r.bad && reader_left(&r))
			inside(cbor_skip(&r), in);
	}
	free((void *)in.data);
	return 0;
}
