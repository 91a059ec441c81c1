/*
 * A file that only its owner may read, for a first trial: who steals the disk
 * has the key with it, and `status` says so until another holder is chosen. Its
 * place is the file, `trial.key` in the keyring's folder without one.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/holder.h"

#define MAGIC	  "bedwarden trial key\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define FILE_LEN  (MAGIC_LEN + CRYPTO_KEY)

static int path_of(const struct holder_ask *ask, char ret_path[PATH_MAX])
{
	int n = *ask->place ? snprintf(ret_path, PATH_MAX, "%s", ask->place)
			    : snprintf(ret_path, PATH_MAX, "%s/trial.key", ask->dir);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_file(const char *path, const uint8_t key[CRYPTO_KEY], char *error)
{
	uint8_t *text = secret_new(FILE_LEN);
	int err = text ? 0 : -ENOMEM;

	if (err < 0)
		return err;
	memcpy(text, MAGIC, MAGIC_LEN);
	memcpy(text + MAGIC_LEN, key, CRYPTO_KEY);
	err = file_replace(path, (struct bytes){text, FILE_LEN}, 0600);
	secret_free(text, FILE_LEN);
	return err == 0 ? 0 : holder_fail(error, err, "the key file %s: %s", path, strerror(-err));
}

static int read_file(const char *path, uint8_t ret_key[CRYPTO_KEY], char *error)
{
	struct bytes text;
	struct stat st;
	int err = stat(path, &st) < 0 ? -errno : 0;

	if (err == 0 && (st.st_mode & 077))
		return holder_fail(error, -EACCES,
				   "others may read the key file %s; chmod 600 it and change the "
				   "holder, for it may be known",
				   path);
	if (err == 0)
		err = file_read(path, FILE_LEN, &text);
	if (err < 0 && err != -EFBIG)
		return holder_fail(error, err, "the key file %s: %s", path, strerror(-err));
	if (err == -EFBIG)
		return holder_fail(error, -EKEYREJECTED, "%s is no key file of ours", path);
	if (text.len == FILE_LEN && memcmp(text.data, MAGIC, MAGIC_LEN) == 0)
		memcpy(ret_key, text.data + MAGIC_LEN, CRYPTO_KEY);
	else
		err = holder_fail(error, -EKEYREJECTED, "the key file %s is damaged", path);
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
	return err;
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	char path[PATH_MAX];
	int err = key ? path_of(ask, path) : -ENOMEM;

	/* One that is there may be another vault's, too, and is never replaced. */
	if (err == 0)
		err = read_file(path, key, error);
	if (err == -ENOENT) {
		err = crypto_random(key, CRYPTO_KEY);
		if (err == 0)
			err = make_file(path, key, error);
	}
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
	char path[PATH_MAX];
	int err = key ? path_of(ask, path) : -ENOMEM;

	if (err == 0)
		err = read_file(path, key, error);
	if (err == 0)
		err = holder_unbox(key, &r, ret_root);
	if (err == -EBADMSG)
		err = holder_fail(error, -EKEYREJECTED,
				  "the key file %s is damaged, or of another keyring", path);
	else if (err == -EPROTO)
		err = holder_fail(error, -EBADMSG, "what the key file should open is no key");
	secret_free(key, CRYPTO_KEY);
	return err;
}

const struct holder holder_file = {
	.name = "file",
	.what = "a file beside what it seals, for a first trial",
	.place = "the file, trial.key in the keyring's folder without one",
	.trial = true,
	.wrap = wrap,
	.unwrap = unwrap,
};
