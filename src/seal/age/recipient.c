#include "seal/age/recipient.h"

#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "seal/age/bech32.h"
#include "seal/age/stanza.h"

#define PREFIX	     "age"
#define PER_STANZA   128
#define AROUND	     128
#define PASSPHRASE   4096
#define KEYS_AT_ONCE 16

struct age_recipients {
	uint8_t (*keys)[CRYPTO_KEY];
	size_t count, room;
	uint8_t *passphrase; /* PASSPHRASE bytes of locked memory */
	size_t passphrase_len;
	unsigned log_n;
};

struct age_recipients *age_recipients_new(void)
{
	return calloc(1, sizeof(struct age_recipients));
}

void age_recipients_free(struct age_recipients *r)
{
	if (!r)
		return;
	secret_free(r->passphrase, PASSPHRASE);
	free(r->keys);
	free(r);
}

size_t age_recipients_count(const struct age_recipients *r)
{
	return r->count + (r->passphrase != NULL);
}

int age_recipients_add_key(struct age_recipients *r, const uint8_t key[CRYPTO_KEY])
{
	if (r->passphrase)
		return -EBUSY;
	for (size_t i = 0; i < r->count; i++)
		if (memcmp(r->keys[i], key, CRYPTO_KEY) == 0)
			return 0;
	if (r->count == AGE_RECIPIENTS_MAX)
		return -E2BIG;
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : KEYS_AT_ONCE;
		void *keys = realloc(r->keys, room * sizeof(*r->keys));

		if (!keys)
			return -ENOMEM;
		r->keys = keys;
		r->room = room;
	}
	memcpy(r->keys[r->count++], key, CRYPTO_KEY);
	return 0;
}

/* A recipient of a kind that others read: "ssh-ed25519 …", "age1yubikey1…", "age1pq1…". */
static bool is_foreign(struct bytes text)
{
	static const char age[] = "age1", ssh[] = "ssh-";

	if (text.len < sizeof(age))
		return false;
	if (memcmp(text.data, ssh, sizeof(ssh) - 1) == 0)
		return true;
	return memcmp(text.data, age, sizeof(age) - 1) == 0 &&
	       memchr(text.data + sizeof(age) - 1, '1', text.len - (sizeof(age) - 1));
}

int age_recipients_add(struct age_recipients *r, struct bytes text)
{
	uint8_t key[CRYPTO_KEY];
	size_t len = 0;

	if (bech32_read(PREFIX, text, key, sizeof(key), &len) < 0 || len != sizeof(key))
		return is_foreign(text) ? -ENOTSUP : -EINVAL;
	/* age1… is written in lower case; bech32 itself would take both. */
	if (text.data[0] != 'a')
		return -EINVAL;
	return age_recipients_add_key(r, key);
}

bool age_line_next(struct reader *r, unsigned *line, struct bytes *ret_line)
{
	while (reader_left(r)) {
		const uint8_t *at = r->in.data + r->off, *end = memchr(at, '\n', reader_left(r));
		struct bytes b = read_bytes(r, end ? (size_t)(end - at) : reader_left(r));

		if (end)
			read_skip(r, 1);
		if (b.len && b.data[b.len - 1] == '\r')
			b.len--;
		++*line;
		if (b.len && b.data[0] != '#') {
			*ret_line = b;
			return true;
		}
	}
	return false;
}

int age_recipients_read(struct age_recipients *r, struct bytes text, unsigned *ret_line)
{
	struct reader in = {.in = text};
	struct bytes one;
	unsigned line = 0, found = 0;

	*ret_line = 0;
	while (age_line_next(&in, &line, &one)) {
		int e = age_recipients_add(r, one);

		if (e < 0) {
			*ret_line = line;
			return e;
		}
		found++;
	}
	return found ? 0 : -ENOENT;
}

int age_recipients_passphrase(struct age_recipients *r, struct bytes passphrase, unsigned log_n)
{
	if (r->count || r->passphrase)
		return -EBUSY;
	if (!passphrase.len || log_n < 1 || log_n > 30)
		return -EINVAL;
	if (passphrase.len > PASSPHRASE)
		return -E2BIG;
	r->passphrase = secret_new(PASSPHRASE);
	if (!r->passphrase)
		return -ENOMEM;
	memcpy(r->passphrase, passphrase.data, passphrase.len);
	r->passphrase_len = passphrase.len;
	r->log_n = log_n;
	return 0;
}

size_t age_recipients_header(const struct age_recipients *r)
{
	return AROUND + PER_STANZA * age_recipients_count(r);
}

int age_recipients_wrap(const struct age_recipients *r, const uint8_t file_key[AGE_FILE_KEY],
			struct writer *w)
{
	int e = age_recipients_count(r) ? 0 : -ENOENT;

	if (r->passphrase)
		return scrypt_wrap(w, (struct bytes){r->passphrase, r->passphrase_len}, r->log_n,
				   file_key);
	for (size_t i = 0; i < r->count && e == 0; i++)
		e = x25519_wrap(w, r->keys[i], file_key);
	return e;
}

void age_recipient_write(const uint8_t key[CRYPTO_KEY], char ret_text[AGE_RECIPIENT_TEXT])
{
	_Static_assert(AGE_RECIPIENT_TEXT == BECH32_LEN(sizeof(PREFIX) - 1, CRYPTO_KEY) + 1, "");
	bech32_write(PREFIX, key, CRYPTO_KEY, false, ret_text);
}
