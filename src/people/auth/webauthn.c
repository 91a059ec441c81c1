#include "people/auth/webauthn.h"

#include "base/crypto.h"
#include "people/auth/attestation.h"
#include "people/auth/base64url.h"
#include "people/auth/clientdata.h"

#define CHALLENGE_MIN 16 /* L3 §13.4.3 */
#define CHALLENGE_MAX 256

#define WEBAUTHN_NAME(name, text, sentence)	[WEBAUTHN_##name] = (text),
#define WEBAUTHN_SENTENCE(name, text, sentence) [WEBAUTHN_##name] = (sentence),
static const char *const fault_names[] = {WEBAUTHN_FAULTS(WEBAUTHN_NAME)};
static const char *const fault_sentences[] = {WEBAUTHN_FAULTS(WEBAUTHN_SENTENCE)};

const char *webauthn_fault_name(enum webauthn_fault f)
{
	return f < WEBAUTHN_FAULT_COUNT ? fault_names[f] : "malformed";
}

const char *webauthn_fault_sentence(enum webauthn_fault f)
{
	return fault_sentences[f < WEBAUTHN_FAULT_COUNT ? f : WEBAUTHN_MALFORMED];
}

static bool is_listed(const char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static bool is_challenge(struct bytes challenge, const char *text)
{
	char want[BASE64URL_LEN(CHALLENGE_MAX) + 1];
	size_t len = BASE64URL_LEN(challenge.len);

	if (challenge.len < CHALLENGE_MIN || challenge.len > CHALLENGE_MAX || strlen(text) != len)
		return false;
	base64url_write(challenge.data, challenge.len, want);
	return crypto_equal(want, text, len);
}

/* §7.1 steps 6 to 11, §7.2 steps 8 to 13. */
static enum webauthn_fault check_client(const struct webauthn_want *w, struct bytes json,
					const char *type)
{
	enum webauthn_fault fault = WEBAUTHN_OK;
	struct clientdata c;

	if (clientdata_parse(json, &c) < 0)
		return WEBAUTHN_MALFORMED;
	if (strcmp(c.type, type) != 0)
		fault = WEBAUTHN_TYPE;
	else if (!is_challenge(w->challenge, c.challenge))
		fault = WEBAUTHN_CHALLENGE;
	else if (!is_listed(w->origins, c.origin))
		fault = WEBAUTHN_ORIGIN;
	else if ((c.cross_origin || c.top_origin) && !w->cross_origin)
		fault = WEBAUTHN_CROSS_ORIGIN;
	else if (c.top_origin && w->top_origins && !is_listed(w->top_origins, c.top_origin))
		fault = WEBAUTHN_CROSS_ORIGIN;
	clientdata_free(&c);
	return fault;
}

/* §7.1 steps 14 to 18, §7.2 steps 15 to 19. */
static enum webauthn_fault check_authdata(const struct webauthn_want *w, const struct authdata *a)
{
	struct bytes id = {(const uint8_t *)w->rp_id, strlen(w->rp_id)};
	uint8_t hash[CRYPTO_HASH];

	if (crypto_sha256(id, hash) < 0 || !crypto_equal(hash, a->rp_id_hash, sizeof(hash)))
		return WEBAUTHN_RP_ID;
	if (!(a->flags & AUTHDATA_UP))
		return WEBAUTHN_NOT_PRESENT;
	if (w->verified && !(a->flags & AUTHDATA_UV))
		return WEBAUTHN_NOT_VERIFIED;
	if (a->flags & AUTHDATA_BS && !(a->flags & AUTHDATA_BE))
		return WEBAUTHN_BACKUP;
	return WEBAUTHN_OK;
}

static void keep(const struct authdata *a, struct webauthn_credential *ret_c)
{
	struct webauthn_credential c = {
		.id_len = a->id.len,
		.key = a->key,
		.count = a->count,
		.backup_eligible = a->flags & AUTHDATA_BE,
		.backed_up = a->flags & AUTHDATA_BS,
	};

	memcpy(c.id, a->id.data, a->id.len);
	memcpy(c.aaguid, a->aaguid.data, sizeof(c.aaguid));
	*ret_c = c;
}

enum webauthn_fault webauthn_register(const struct webauthn_want *w, struct bytes id,
				      struct bytes client_data, struct bytes attestation_object,
				      struct webauthn_credential *ret_c)
{
	enum webauthn_fault fault = check_client(w, client_data, "webauthn.create");
	uint8_t hash[CRYPTO_HASH];
	struct attestation at;
	struct authdata a;

	if (fault != WEBAUTHN_OK)
		return fault;
	if (crypto_sha256(client_data, hash) < 0 ||
	    attestation_parse(attestation_object, &at) < 0 ||
	    authdata_parse(at.auth_data, &a) < 0 || !(a.flags & AUTHDATA_AT))
		return WEBAUTHN_MALFORMED;
	fault = check_authdata(w, &a);
	if (fault != WEBAUTHN_OK)
		return fault;
	if (a.key.alg == COSE_NONE)
		return WEBAUTHN_ALGORITHM;
	if (!cose_valid(&a.key))
		return WEBAUTHN_MALFORMED;
	if (id.len != a.id.len || memcmp(id.data, a.id.data, id.len) != 0)
		return WEBAUTHN_CREDENTIAL;
	fault = attestation_verify(&at, &a, w, hash);
	if (fault == WEBAUTHN_OK)
		keep(&a, ret_c);
	return fault;
}

/* §7.2 step 22. Two that count alike, or one that falls behind, are two copies of one key. */
static bool counts_on(uint32_t before, uint32_t now)
{
	return (before == 0 && now == 0) || now > before;
}

enum webauthn_fault webauthn_assert(const struct webauthn_want *w,
				    const struct webauthn_credential *c, struct bytes client_data,
				    struct bytes auth_data, struct bytes signature,
				    struct webauthn_use *ret_use)
{
	enum webauthn_fault fault = check_client(w, client_data, "webauthn.get");
	uint8_t hash[CRYPTO_HASH], buf[4096];
	struct writer text = writer_new(buf, sizeof(buf));
	struct authdata a;

	if (fault != WEBAUTHN_OK)
		return fault;
	if (crypto_sha256(client_data, hash) < 0 || authdata_parse(auth_data, &a) < 0 ||
	    a.flags & AUTHDATA_AT || signature.len == 0)
		return WEBAUTHN_MALFORMED;
	fault = check_authdata(w, &a);
	if (fault != WEBAUTHN_OK)
		return fault;
	/* Whether a key can be copied never changes. */
	if (!!(a.flags & AUTHDATA_BE) != c->backup_eligible)
		return WEBAUTHN_BACKUP;
	write_bytes(&text, auth_data.data, auth_data.len);
	write_bytes(&text, hash, sizeof(hash));
	if (text.bad)
		return WEBAUTHN_MALFORMED; /* with extensions of that size */
	if (!cose_signed(&c->key, (struct bytes){text.data, text.len}, signature))
		return WEBAUTHN_SIGNATURE;
	if (!counts_on(c->count, a.count))
		return WEBAUTHN_CLONED;
	*ret_use = (struct webauthn_use){
		.count = a.count,
		.backed_up = a.flags & AUTHDATA_BS,
		.verified = a.flags & AUTHDATA_UV,
	};
	return WEBAUTHN_OK;
}
