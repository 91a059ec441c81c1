/*
 * A passphrase, by Argon2id (RFC 9106). Its place is a file that holds the
 * passphrase in its first line, or "": somebody is asked.
 *
 * The blob says the work that was chosen when it was made, within bounds that
 * keep a doctored keyring from taking the machine's memory: u32 passes, u32 KiB,
 * u32 lanes, a salt, the sealed root.
 */
#include <errno.h>
#include <stdlib.h>

#include <argon2.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/holder.h"

#define SALT 16

struct work {
	uint32_t passes, kib, lanes;
};

/* RFC 9106 §4, the choice for where memory is scarce. */
static const struct work usual = {3, 65536, 4};
static const struct work most = {64, 1048576, 16};

static int stretch(const char *secret, const struct work *w, const uint8_t salt[SALT],
		   uint8_t ret_key[CRYPTO_KEY], char *error)
{
	int rc = argon2id_hash_raw(w->passes, w->kib, w->lanes, secret, strlen(secret), salt, SALT,
				   ret_key, CRYPTO_KEY);

	if (rc == ARGON2_OK)
		return 0;
	return holder_fail(error, rc == ARGON2_MEMORY_ALLOCATION_ERROR ? -ENOMEM : -EIO,
			   "Argon2id: %s", argon2_error_message(rc));
}

/* The first line of the file that `place` names. */
static int from_file(const char *place, char **ret_secret, char *error)
{
	struct bytes text;
	const uint8_t *end;
	size_t len;
	int err = file_read(place, HOLDER_SECRET - 1, &text);

	if (err < 0)
		return holder_fail(error, err, "the passphrase's file %s: %s", place,
				   strerror(-err));
	end = memchr(text.data, '\n', text.len);
	len = end ? (size_t)(end - text.data) : text.len;
	*ret_secret = secret_new(HOLDER_SECRET);
	if (*ret_secret)
		memcpy(*ret_secret, text.data, len);
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
	return *ret_secret ? 0 : holder_fail(error, -ENOMEM, "out of locked memory");
}

static int passphrase(const struct holder_ask *ask, bool fresh, char **ret_secret, char *error)
{
	int err = *ask->place ? from_file(ask->place, ret_secret, error)
			      : holder_secret(ask, "passphrase", fresh, ret_secret, error);

	if (err == 0 && !**ret_secret) {
		secret_free(*ret_secret, HOLDER_SECRET);
		*ret_secret = NULL;
		return holder_fail(error, -EKEYREJECTED, "the passphrase is empty");
	}
	return err;
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	uint8_t salt[SALT], *key = secret_new(CRYPTO_KEY);
	char *secret = NULL;
	int err = key ? crypto_random(salt, sizeof(salt)) : -ENOMEM;

	if (err == 0)
		err = passphrase(ask, true, &secret, error);
	if (err == 0)
		err = stretch(secret, &usual, salt, key, error);
	if (err == 0) {
		write_be32(ret_blob, usual.passes);
		write_be32(ret_blob, usual.kib);
		write_be32(ret_blob, usual.lanes);
		write_bytes(ret_blob, salt, sizeof(salt));
		err = holder_box(key, root, ret_blob);
	}
	secret_free(secret, HOLDER_SECRET);
	secret_free(key, CRYPTO_KEY);
	return err;
}

static int unwrap(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		  char *error)
{
	struct reader r = reader_new(blob.data, blob.len);
	struct work w = {.passes = read_be32(&r), .kib = read_be32(&r), .lanes = read_be32(&r)};
	struct bytes salt = read_bytes(&r, SALT);
	char *secret = NULL;
	uint8_t *key;
	int err;

	if (r.bad || w.passes < 1 || w.passes > most.passes || w.lanes < 1 ||
	    w.lanes > most.lanes || w.kib < 8 * w.lanes || w.kib > most.kib)
		return holder_fail(error, -EBADMSG,
				   "the keyring asks for work that no passphrase "
				   "of ours needs: it was altered");
	key = secret_new(CRYPTO_KEY);
	err = key ? passphrase(ask, false, &secret, error) : -ENOMEM;
	if (err == 0)
		err = stretch(secret, &w, salt.data, key, error);
	if (err == 0)
		err = holder_unbox(key, &r, ret_root);
	if (err == -EBADMSG)
		err = holder_fail(error, -EKEYREJECTED, "wrong passphrase");
	else if (err == -EPROTO)
		err = holder_fail(error, -EBADMSG, "what the passphrase should open is no key");
	secret_free(secret, HOLDER_SECRET);
	secret_free(key, CRYPTO_KEY);
	return err;
}

const struct holder holder_passphrase = {
	.name = "passphrase",
	.what = "a passphrase",
	.place = "a file with the passphrase in its first line; without one somebody is asked",
	.wrap = wrap,
	.unwrap = unwrap,
};
