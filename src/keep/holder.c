#include "keep/holder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/secret.h"

static const struct holder *const holders[] = {
	&holder_passphrase, &holder_tpm2, &holder_pkcs11, &holder_credential, &holder_file, NULL,
};

const struct holder *holder_find(const char *name)
{
	for (unsigned i = 0; holders[i]; i++)
		if (strcmp(holders[i]->name, name) == 0)
			return holders[i];
	return NULL;
}

int holder_fail(char ret_error[HOLDER_ERROR], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret_error, HOLDER_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

int holder_secret(const struct holder_ask *ask, const char *what, bool fresh, char **ret_secret,
		  char ret_error[HOLDER_ERROR])
{
	char *secret;
	int err;

	if (!ask->secret)
		return holder_fail(ret_error, -EKEYREJECTED,
				   "the %s is needed and nobody can be "
				   "asked for it",
				   what);
	secret = secret_new(HOLDER_SECRET);
	if (!secret)
		return holder_fail(ret_error, -ENOMEM, "out of locked memory");
	err = ask->secret(ask->arg, what, fresh, secret);
	if (err == 0) {
		*ret_secret = secret;
		return 0;
	}
	secret_free(secret, HOLDER_SECRET);
	return holder_fail(ret_error, err, "no %s was given: %s", what, strerror(-err));
}

static const char label[] = "bedwarden root key";

int holder_box(const uint8_t by[CRYPTO_KEY], const uint8_t root[CRYPTO_KEY], struct writer *blob)
{
	struct bytes aad = {(const uint8_t *)label, sizeof(label) - 1};
	struct cipher *c = cipher_new();
	uint8_t box[CIPHER_BOX];
	int err = c ? cipher_box(c, by, aad, root, box) : -ENOMEM;

	cipher_free(c);
	if (err == 0)
		write_bytes(blob, box, sizeof(box));
	return err;
}

int holder_unbox(const uint8_t by[CRYPTO_KEY], struct reader *blob, uint8_t ret_root[CRYPTO_KEY])
{
	struct bytes aad = {(const uint8_t *)label, sizeof(label) - 1};
	struct bytes box = read_bytes(blob, CIPHER_BOX);
	struct cipher *c;
	int err;

	if (blob->bad || reader_left(blob))
		return -EPROTO;
	c = cipher_new();
	err = c ? cipher_unbox(c, by, aad, box.data, ret_root) : -ENOMEM;
	cipher_free(c);
	return err;
}
