/*
 * A PKCS#11 token: an AES key that was made in it and never leaves it seals the
 * root key (CKM_AES_GCM, PKCS #11 v2.40 §2.12.1). Its place is a PKCS#11 URI
 * (RFC 7512): token and object, the module by module-path or else whichever that
 * p11-kit knows, the PIN by pin-value or pin-source or else somebody is asked.
 *
 * The blob: a nonce, and the sealed root key as the token gave it.
 */
#include <errno.h>
#include <stdlib.h>

#include <p11-kit/p11-kit.h>

#include "base/secret.h"
#include "base/token.h"
#include "keep/holder.h"

#define LABEL  "bedwarden"
#define TAGGED (CRYPTO_KEY + CRYPTO_TAG)

/* Says in the holder's words what the token said. */
static int pass_on(char *error, int err, const char *text)
{
	return holder_fail(error, err, "%s", text);
}

static int fail(char *error, const char *doing, CK_RV rv)
{
	char text[TOKEN_ERROR];
	int err = token_fail(text, doing, rv);

	return pass_on(error, err, text);
}

static int ask_pin(void *arg, char ret_pin[TOKEN_PIN])
{
	const struct holder_ask *ask = arg;
	_Static_assert(HOLDER_SECRET <= TOKEN_PIN, "a PIN that is asked for fits");

	return ask->secret(ask->arg, "PIN of the token", false, ret_pin);
}

static int enter(struct token **ret_token, const struct holder_ask *ask, char *error)
{
	char text[TOKEN_ERROR];
	int err = token_open(*ask->place ? ask->place : "pkcs11:", ask->secret ? ask_pin : NULL,
			     (void *)ask, ret_token, text);

	return err < 0 ? pass_on(error, err, text) : 0;
}

/* 0; -ENOENT: the token has no such key. */
static int find_key(struct token *t, CK_OBJECT_HANDLE *ret_key, char *error)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE want[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		token_label(t, LABEL),
	};
	char text[TOKEN_ERROR];
	int err = token_find(t, want, 3, ret_key, text);

	return err < 0 ? pass_on(error, err, text) : 0;
}

static int make_key(struct token *t, CK_OBJECT_HANDLE *ret_key, char *error)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_MECHANISM how = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ATTRIBUTE key[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},	    {CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},   {CKA_DECRYPT, &yes, sizeof(yes)},
		{CKA_VALUE_LEN, &len, sizeof(len)}, token_label(t, LABEL),
	};
	CK_RV rv = token_module(t)->C_GenerateKey(token_session(t), &how, key,
						  sizeof(key) / sizeof(*key), ret_key);

	return rv == CKR_OK ? 0 : fail(error, "making a key in it", rv);
}

static CK_GCM_PARAMS gcm(uint8_t nonce[CRYPTO_NONCE])
{
	return (CK_GCM_PARAMS){.pIv = nonce,
			       .ulIvLen = CRYPTO_NONCE,
			       .ulIvBits = CRYPTO_NONCE * 8,
			       .ulTagBits = CRYPTO_TAG * 8};
}

static int seal(struct token *t, CK_OBJECT_HANDLE key, const uint8_t root[CRYPTO_KEY],
		struct writer *blob, char *error)
{
	uint8_t nonce[CRYPTO_NONCE], out[TAGGED];
	CK_GCM_PARAMS params = gcm(nonce);
	CK_MECHANISM how = {CKM_AES_GCM, &params, sizeof(params)};
	CK_ULONG len = sizeof(out);
	CK_RV rv;
	int err = crypto_random(nonce, sizeof(nonce));

	if (err < 0)
		return err;
	rv = token_module(t)->C_EncryptInit(token_session(t), &how, key);
	if (rv == CKR_OK)
		rv = token_module(t)->C_Encrypt(token_session(t), (CK_BYTE *)root, CRYPTO_KEY, out,
						&len);
	if (rv != CKR_OK || len != sizeof(out))
		return fail(error, "sealing the root key", rv);
	write_bytes(blob, nonce, sizeof(nonce));
	write_bytes(blob, out, sizeof(out));
	return 0;
}

static int unseal(struct token *t, CK_OBJECT_HANDLE key, struct bytes blob,
		  uint8_t ret_root[CRYPTO_KEY], char *error)
{
	uint8_t nonce[CRYPTO_NONCE], *out = secret_new(TAGGED);
	CK_GCM_PARAMS params = gcm(nonce);
	CK_MECHANISM how = {CKM_AES_GCM, &params, sizeof(params)};
	CK_ULONG len = TAGGED;
	CK_RV rv;

	if (!out)
		return -ENOMEM;
	memcpy(nonce, blob.data, sizeof(nonce));
	rv = token_module(t)->C_DecryptInit(token_session(t), &how, key);
	if (rv == CKR_OK)
		rv = token_module(t)->C_Decrypt(
			token_session(t), (CK_BYTE *)blob.data + CRYPTO_NONCE, TAGGED, out, &len);
	if (rv == CKR_OK && len == CRYPTO_KEY)
		memcpy(ret_root, out, CRYPTO_KEY);
	secret_free(out, TAGGED);
	if (rv == CKR_OK && len == CRYPTO_KEY)
		return 0;
	return holder_fail(error, -EKEYREJECTED,
			   "the token's key is another one than the keyring was made with: %s",
			   p11_kit_strerror(rv));
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	CK_OBJECT_HANDLE key;
	struct token *t;
	int err = enter(&t, ask, error);

	if (err < 0)
		return err;
	err = find_key(t, &key, error);
	if (err == -ENOENT)
		err = make_key(t, &key, error);
	if (err == 0)
		err = seal(t, key, root, ret_blob, error);
	token_close(t);
	return err;
}

static int unwrap(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		  char *error)
{
	CK_OBJECT_HANDLE key;
	struct token *t;
	int err;

	if (blob.len != CRYPTO_NONCE + TAGGED)
		return holder_fail(error, -EBADMSG,
				   "what the token should unseal is no such thing");
	err = enter(&t, ask, error);
	if (err < 0)
		return err;
	err = find_key(t, &key, error);
	if (err == -ENOENT)
		err = holder_fail(error, -EKEYREJECTED,
				  "the token does not hold the keyring's key");
	if (err == 0)
		err = unseal(t, key, blob, ret_root, error);
	token_close(t);
	return err;
}

const struct holder holder_pkcs11 = {
	.name = "pkcs11",
	.what = "a PKCS#11 token",
	.place = "a PKCS#11 URI, such as pkcs11:token=ward;object=bedwarden?module-path=…",
	.wrap = wrap,
	.unwrap = unwrap,
};
