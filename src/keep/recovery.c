#include "keep/recovery.h"

#include <ctype.h>
#include <errno.h>

#include "base/secret.h"
#include "seal/age/age.h"
#include "seal/age/identity.h"

_Static_assert(RECOVERY_TEXT >= AGE_IDENTITY_TEXT, "room for an identity");
_Static_assert(RECOVERY_TEXT >= AGE_RECIPIENT_TEXT, "room for a recipient");

int recovery_new(char ret_identity[RECOVERY_TEXT], char ret_recipient[RECOVERY_TEXT])
{
	return age_identity_new(ret_identity, ret_recipient);
}

/*
 * What of a line begins as an identity does, in capital letters and without blanks: Bech32 has neither
 * blanks nor two cases (BIP 173). False: it begins otherwise.
 */
static bool take_identity(const char *line, size_t len, char ret_identity[RECOVERY_TEXT])
{
	static const char head[] = "AGE-SECRET-KEY-1";
	size_t n = 0;

	for (size_t i = 0; i < len && n < AGE_IDENTITY_TEXT - 1; i++) {
		char c = (char)toupper((unsigned char)line[i]);

		if (c == ' ')
			continue;
		if (n < sizeof(head) - 1 ? c != head[n] : !isalnum((unsigned char)c))
			break;
		ret_identity[n++] = c;
	}
	ret_identity[n] = 0;
	return n >= sizeof(head) - 1;
}

bool recovery_find(const char *text, char ret_identity[RECOVERY_TEXT])
{
	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\r\n");
		for (const char *at = line; *line != '#' && at < end; at++)
			if (take_identity(at, (size_t)(end - at), ret_identity))
				return true;
	}
	return false;
}

static ssize_t give(void *arg, void *data, size_t max)
{
	struct reader *r = arg;
	struct bytes b = read_bytes(r, max < reader_left(r) ? max : reader_left(r));

	if (b.len)
		memcpy(data, b.data, b.len);
	return (ssize_t)b.len;
}

static int take(void *arg, const void *data, size_t len)
{
	struct writer *w = arg;

	write_bytes(w, data, len);
	return w->bad ? -ENOSPC : 0;
}

int recovery_seal(const char *recipient, const uint8_t root[CRYPTO_KEY], struct writer *w)
{
	struct bytes text = {(const uint8_t *)recipient, strlen(recipient)};
	struct age_recipients *whom = age_recipients_new();
	struct age_engine *engine = age_engine_new(1);
	struct age_seal_options o = {.recipients = whom};
	struct reader r = reader_new(root, CRYPTO_KEY);
	struct age_input in = {.read = give, .arg = &r};
	struct age_output out = {.write = take, .arg = w};
	struct age_result result;
	int err = whom && engine ? age_recipients_add(whom, text) : -ENOMEM;

	if (err == -ENOTSUP)
		err = -EINVAL;
	if (err == 0)
		err = age_seal(engine, &o, &in, &out, &result);
	age_engine_free(engine);
	age_recipients_free(whom);
	return err;
}

int recovery_open(const char *identity, struct bytes file, uint8_t ret_root[CRYPTO_KEY])
{
	struct bytes text = {(const uint8_t *)identity, strlen(identity)};
	struct age_identities *who = age_identities_new();
	struct age_engine *engine = age_engine_new(1);
	struct age_open_options o = {.unwrap = age_identities_unwrap, .unwrap_arg = who};
	uint8_t *root = secret_new(CRYPTO_KEY);
	struct reader r = reader_new(file.data, file.len);
	struct writer w = writer_new(root, CRYPTO_KEY);
	struct age_input in = {.read = give, .arg = &r};
	struct age_output out = {.write = take, .arg = &w};
	struct age_result result;
	int err = who && engine && root ? 0 : -ENOMEM;

	if (err == 0 && age_identities_add(who, text) < 0)
		err = -EINVAL;
	if (err == 0 && (age_open(engine, &o, &in, &out, &result) < 0 || w.len != CRYPTO_KEY))
		err = -EKEYREJECTED;
	if (err == 0)
		memcpy(ret_root, root, CRYPTO_KEY);
	secret_free(root, CRYPTO_KEY);
	age_engine_free(engine);
	age_identities_free(who);
	return err;
}
