#include "seal/age/identity.h"

#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "seal/age/bech32.h"
#include "seal/age/stanza.h"

#define PREFIX	   "age-secret-key-"
#define PASSPHRASE 4096

struct identity {
	uint8_t secret[CRYPTO_KEY], public_[CRYPTO_KEY];
};

/* All of it in locked memory. */
struct age_identities {
	size_t count, passphrase_len;
	unsigned max_log_n;
	uint8_t passphrase[PASSPHRASE];
	struct identity of[AGE_IDENTITIES_MAX];
};

struct age_identities *age_identities_new(void)
{
	return secret_new(sizeof(struct age_identities));
}

void age_identities_free(struct age_identities *ids)
{
	secret_free(ids, sizeof(*ids));
}

size_t age_identities_count(const struct age_identities *ids)
{
	return ids->count + (ids->passphrase_len > 0);
}

static bool starts(struct bytes b, const char *with)
{
	return b.len >= strlen(with) && memcmp(b.data, with, strlen(with)) == 0;
}

int age_identities_add(struct age_identities *ids, struct bytes text)
{
	struct identity *i = &ids->of[ids->count];
	size_t len = 0;
	int r;

	if (ids->count == AGE_IDENTITIES_MAX)
		return -E2BIG;
	if (!starts(text, "AGE-SECRET-KEY-1") ||
	    bech32_read(PREFIX, text, i->secret, sizeof(i->secret), &len) < 0 ||
	    len != sizeof(i->secret)) {
		secret_wipe(i, sizeof(*i));
		return starts(text, "AGE-PLUGIN-") || starts(text, "AGE-SECRET-KEY-PQ-1") ? -ENOTSUP
											  : -EINVAL;
	}
	r = crypto_x25519_public(i->secret, i->public_);
	if (r == 0)
		ids->count++;
	return r;
}

int age_identities_read(struct age_identities *ids, struct bytes text, unsigned *ret_line)
{
	struct reader in = {.in = text};
	struct bytes one;
	unsigned line = 0, found = 0;

	*ret_line = 0;
	while (age_line_next(&in, &line, &one)) {
		int e = age_identities_add(ids, one);

		if (e < 0) {
			*ret_line = line;
			return e;
		}
		found++;
	}
	return found ? 0 : -ENOENT;
}

int age_identities_passphrase(struct age_identities *ids, struct bytes passphrase,
			      unsigned max_log_n)
{
	if (ids->passphrase_len)
		return -EBUSY;
	if (!passphrase.len)
		return -EINVAL;
	if (passphrase.len > sizeof(ids->passphrase))
		return -E2BIG;
	memcpy(ids->passphrase, passphrase.data, passphrase.len);
	ids->passphrase_len = passphrase.len;
	ids->max_log_n = max_log_n;
	return 0;
}

int age_identities_recipients(const struct age_identities *ids, struct age_recipients *r)
{
	int e = ids->passphrase_len ? -EBUSY : 0;

	for (size_t i = 0; i < ids->count && e == 0; i++)
		e = age_recipients_add_key(r, ids->of[i].public_);
	return e;
}

void age_identity_recipient(const struct age_identities *ids, size_t n,
			    char ret_text[AGE_RECIPIENT_TEXT])
{
	age_recipient_write(ids->of[n].public_, ret_text);
}

int age_header_work(const struct age_header *h, unsigned *ret_log_n)
{
	struct reader r = {.in = h->stanzas};
	struct age_stanza s;
	unsigned log_n = 0;

	while (age_stanza_next(&r, &s))
		if (scrypt_is(&s) && (h->stanza_count != 1 || scrypt_check(&s, &log_n) < 0))
			return -EPROTO;
	*ret_log_n = log_n;
	return 0;
}

static int unwrap_passphrase(const struct age_identities *ids, const struct age_header *h,
			     uint8_t ret_file_key[AGE_FILE_KEY])
{
	struct reader r = {.in = h->stanzas};
	struct age_stanza s;

	if (!age_stanza_next(&r, &s))
		return -EPROTO;
	return scrypt_unwrap(&s, (struct bytes){ids->passphrase, ids->passphrase_len},
			     ids->max_log_n, ret_file_key);
}

/* Malformed ones are refused before anybody's key is tried, wherever they stand. */
static int check_x25519(const struct age_header *h)
{
	struct reader r = {.in = h->stanzas};
	struct age_stanza s;

	while (age_stanza_next(&r, &s))
		if (x25519_is(&s) && x25519_check(&s) < 0)
			return -EPROTO;
	return 0;
}

static int unwrap_key(const struct identity *i, const struct age_header *h,
		      uint8_t ret_file_key[AGE_FILE_KEY])
{
	struct reader r = {.in = h->stanzas};
	struct age_stanza s;
	int e = -ENOKEY;

	while (e == -ENOKEY && age_stanza_next(&r, &s))
		if (x25519_is(&s))
			e = x25519_unwrap(&s, i->secret, i->public_, ret_file_key);
	return e;
}

int age_identities_unwrap(void *arg, const struct age_header *h, uint8_t ret_file_key[AGE_FILE_KEY])
{
	const struct age_identities *ids = arg;
	unsigned log_n = 0;
	int e = age_header_work(h, &log_n);

	if (e < 0)
		return e;
	if (log_n)
		return ids->passphrase_len ? unwrap_passphrase(ids, h, ret_file_key) : -ENOKEY;
	if (!ids->count)
		return -ENOKEY;
	e = check_x25519(h);
	if (e < 0)
		return e;
	e = -ENOKEY;
	for (size_t i = 0; i < ids->count && e == -ENOKEY; i++)
		e = unwrap_key(&ids->of[i], h, ret_file_key);
	return e;
}

int age_identity_new(char ret_identity[AGE_IDENTITY_TEXT], char ret_recipient[AGE_RECIPIENT_TEXT])
{
	uint8_t secret[CRYPTO_KEY], public_[CRYPTO_KEY];
	int r = crypto_random(secret, sizeof(secret));

	_Static_assert(AGE_IDENTITY_TEXT == BECH32_LEN(sizeof(PREFIX) - 1, CRYPTO_KEY) + 1, "");
	if (r == 0)
		r = crypto_x25519_public(secret, public_);
	if (r == 0) {
		bech32_write(PREFIX, secret, sizeof(secret), true, ret_identity);
		age_recipient_write(public_, ret_recipient);
	}
	secret_wipe(secret, sizeof(secret));
	return r;
}
