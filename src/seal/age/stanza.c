#include "seal/age/stanza.h"

#include <errno.h>
#include <stdio.h>

#include "base/secret.h"
#include "base/base64.h"

#define X25519_TYPE  "X25519"
#define X25519_LABEL "age-encryption.org/v1/X25519"
#define SCRYPT_TYPE  "scrypt"
#define SCRYPT_LABEL "age-encryption.org/v1/scrypt"
#define SALT	     16
#define LOG_N_MAX    30

static bool is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && memcmp(b.data, text, b.len) == 0;
}

/* A wrap key wraps one file key, so its nonce is zero. */
static int wrap(const uint8_t key[CRYPTO_KEY], const uint8_t file_key[AGE_FILE_KEY],
		uint8_t ret_body[AGE_BODY])
{
	static const uint8_t nonce[CRYPTO_NONCE];
	struct aead *a = aead_new(true);
	int r = a ? aead_key(a, key) : -errno;

	if (r == 0)
		r = aead_seal(a, nonce, file_key, AGE_FILE_KEY, ret_body);
	aead_free(a);
	return r;
}

static int unwrap(const uint8_t key[CRYPTO_KEY], const struct age_stanza *s,
		  uint8_t ret_file_key[AGE_FILE_KEY])
{
	static const uint8_t nonce[CRYPTO_NONCE];
	uint8_t body[AGE_BODY], file_key[AGE_FILE_KEY];
	struct aead *a;
	int r;

	/* Another length could be opened by two keys, and tell which (partitioning oracle). */
	if (age_stanza_body(s, body, sizeof(body)) < 0)
		return -EPROTO;
	a = aead_new(false);
	r = a ? aead_key(a, key) : -errno;
	if (r == 0)
		r = aead_open(a, nonce, body, sizeof(body), file_key);
	if (r == 0)
		memcpy(ret_file_key, file_key, sizeof(file_key));
	secret_wipe(file_key, sizeof(file_key));
	aead_free(a);
	return r == -EBADMSG ? -ENOKEY : r;
}

/* salt = ephemeral share || recipient */
static int x25519_key(const uint8_t shared[CRYPTO_KEY], const uint8_t share[CRYPTO_KEY],
		      const uint8_t recipient[CRYPTO_KEY], uint8_t ret_key[CRYPTO_KEY])
{
	uint8_t salt[2 * CRYPTO_KEY];

	memcpy(salt, share, CRYPTO_KEY);
	memcpy(salt + CRYPTO_KEY, recipient, CRYPTO_KEY);
	return crypto_hkdf((struct bytes){shared, CRYPTO_KEY}, (struct bytes){salt, sizeof(salt)},
			   X25519_LABEL, ret_key);
}

int x25519_wrap(struct writer *w, const uint8_t recipient[CRYPTO_KEY],
		const uint8_t file_key[AGE_FILE_KEY])
{
	char args[sizeof(X25519_TYPE " ") + BASE64_LEN(CRYPTO_KEY)] = X25519_TYPE " ";
	uint8_t secret[CRYPTO_KEY], share[CRYPTO_KEY], shared[CRYPTO_KEY], key[CRYPTO_KEY];
	uint8_t body[AGE_BODY];
	int r = crypto_random(secret, sizeof(secret));

	if (r == 0)
		r = crypto_x25519(secret, recipient, shared, share);
	if (r == 0)
		r = x25519_key(shared, share, recipient, key);
	if (r == 0)
		r = wrap(key, file_key, body);
	if (r == 0) {
		base64_write(share, sizeof(share), args + strlen(args));
		age_header_stanza(w, args, body, sizeof(body));
	}
	secret_wipe(secret, sizeof(secret));
	secret_wipe(shared, sizeof(shared));
	secret_wipe(key, sizeof(key));
	return r;
}

bool x25519_is(const struct age_stanza *s)
{
	return is(s->type, X25519_TYPE);
}

static int x25519_share(const struct age_stanza *s, uint8_t ret_share[CRYPTO_KEY])
{
	size_t len = 0;

	if (s->arg_count != 2 || s->body_len != AGE_BODY ||
	    base64_read(age_stanza_arg(s, 1), ret_share, CRYPTO_KEY, &len) < 0 || len != CRYPTO_KEY)
		return -EPROTO;
	return 0;
}

int x25519_check(const struct age_stanza *s)
{
	uint8_t share[CRYPTO_KEY];

	return x25519_share(s, share);
}

int x25519_unwrap(const struct age_stanza *s, const uint8_t identity[CRYPTO_KEY],
		  const uint8_t recipient[CRYPTO_KEY], uint8_t ret_file_key[AGE_FILE_KEY])
{
	uint8_t share[CRYPTO_KEY], shared[CRYPTO_KEY], key[CRYPTO_KEY];
	int r = x25519_share(s, share);

	if (r == 0)
		r = crypto_x25519(identity, share, shared, NULL);
	if (r == 0)
		r = x25519_key(shared, share, recipient, key);
	if (r == 0)
		r = unwrap(key, s, ret_file_key);
	secret_wipe(shared, sizeof(shared));
	secret_wipe(key, sizeof(key));
	return r == -EDOM ? -EPROTO : r;
}

static int scrypt_key(struct bytes passphrase, const uint8_t salt[SALT], unsigned log_n,
		      uint8_t ret_key[CRYPTO_KEY])
{
	uint8_t labelled[sizeof(SCRYPT_LABEL) - 1 + SALT];

	memcpy(labelled, SCRYPT_LABEL, sizeof(SCRYPT_LABEL) - 1);
	memcpy(labelled + sizeof(SCRYPT_LABEL) - 1, salt, SALT);
	return crypto_scrypt(passphrase, (struct bytes){labelled, sizeof(labelled)}, log_n,
			     ret_key);
}

int scrypt_wrap(struct writer *w, struct bytes passphrase, unsigned log_n,
		const uint8_t file_key[AGE_FILE_KEY])
{
	char text[BASE64_LEN(SALT) + 1] = "", args[64];
	uint8_t salt[SALT], key[CRYPTO_KEY], body[AGE_BODY];
	int r = crypto_random(salt, sizeof(salt));

	if (r == 0)
		r = scrypt_key(passphrase, salt, log_n, key);
	if (r == 0)
		r = wrap(key, file_key, body);
	if (r == 0) {
		base64_write(salt, sizeof(salt), text);
		snprintf(args, sizeof(args), SCRYPT_TYPE " %s %u", text, log_n);
		age_header_stanza(w, args, body, sizeof(body));
	}
	secret_wipe(key, sizeof(key));
	return r;
}

bool scrypt_is(const struct age_stanza *s)
{
	return is(s->type, SCRYPT_TYPE);
}

/* ^[1-9][0-9]*$; what is too large for scrypt itself is LOG_N_MAX + 1. 0 is malformed. */
static unsigned read_log_n(struct bytes text)
{
	unsigned n = 0;

	if (text.len && text.data[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		n = n * 10 + (text.data[i] - '0');
		if (n > LOG_N_MAX)
			n = LOG_N_MAX + 1;
	}
	return n;
}

static int scrypt_read(const struct age_stanza *s, uint8_t ret_salt[SALT], unsigned *ret_log_n)
{
	unsigned log_n = read_log_n(age_stanza_arg(s, 2));
	size_t len = 0;

	if (s->arg_count != 3 || s->body_len != AGE_BODY || !log_n ||
	    base64_read(age_stanza_arg(s, 1), ret_salt, SALT, &len) < 0 || len != SALT)
		return -EPROTO;
	*ret_log_n = log_n;
	return 0;
}

int scrypt_check(const struct age_stanza *s, unsigned *ret_log_n)
{
	uint8_t salt[SALT];

	return scrypt_read(s, salt, ret_log_n);
}

int scrypt_unwrap(const struct age_stanza *s, struct bytes passphrase, unsigned max_log_n,
		  uint8_t ret_file_key[AGE_FILE_KEY])
{
	uint8_t salt[SALT], key[CRYPTO_KEY];
	unsigned log_n = 0;
	int r = scrypt_read(s, salt, &log_n);

	if (r < 0)
		return r;
	if (log_n > max_log_n)
		return -ERANGE;
	r = scrypt_key(passphrase, salt, log_n, key);
	if (r == 0)
		r = unwrap(key, s, ret_file_key);
	secret_wipe(key, sizeof(key));
	return r;
}
