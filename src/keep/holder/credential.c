/*
 * A credential that systemd hands to the service (systemd.exec(5),
 * LoadCredentialEncrypted=): a secret of any form, such as `systemd-creds
 * encrypt` was given, from which the key that seals the root is derived. Its
 * place is the credential's name.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/holder.h"

#define NAME	 "bedwarden.root"
#define SHORTEST 16
#define LONGEST	 65536

static int credential_key(const struct holder_ask *ask, uint8_t ret_key[CRYPTO_KEY], char *error)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const char *name = *ask->place ? ask->place : NAME;
	char path[PATH_MAX];
	struct bytes secret;
	int err;

	if (!folder)
		return holder_fail(error, -ENOENT,
				   "systemd gave no credentials; set "
				   "LoadCredentialEncrypted=%s:… in the service",
				   name);
	if (strchr(name, '/') ||
	    snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return holder_fail(error, -EINVAL, "'%s' is no credential's name", name);
	err = file_read(path, LONGEST, &secret);
	if (err < 0)
		return holder_fail(error, err, "credential %s: %s", path, strerror(-err));
	if (secret.len < SHORTEST)
		err = holder_fail(error, -EKEYREJECTED, "credential %s is shorter than %d bytes",
				  path, SHORTEST);
	else
		err = crypto_hkdf(secret, (struct bytes){0}, "bedwarden credential", ret_key);
	secret_wipe((void *)secret.data, secret.len);
	free((void *)secret.data);
	return err;
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	int err = key ? credential_key(ask, key, error) : -ENOMEM;

	if (err == 0)
		err = holder_box(key, root, ret_blob);
	secret_free(key, CRYPTO_KEY);
	return err;
}

static int unwrap(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		  char *error)
{
	struct reader r = reader_new(blob.data, blob.len);
	uint8_t *key = secret_new(CRYPTO_KEY);
	int err = key ? credential_key(ask, key, error) : -ENOMEM;

	if (err == 0)
		err = holder_unbox(key, &r, ret_root);
	if (err == -EBADMSG)
		err = holder_fail(error, -EKEYREJECTED,
				  "the credential is another one than the "
				  "keyring was made with");
	else if (err == -EPROTO)
		err = holder_fail(error, -EBADMSG, "what the credential should open is no key");
	secret_free(key, CRYPTO_KEY);
	return err;
}

const struct holder holder_credential = {
	.name = "credential",
	.what = "a credential of systemd",
	.place = "the credential's name, " NAME " without one",
	.wrap = wrap,
	.unwrap = unwrap,
};
