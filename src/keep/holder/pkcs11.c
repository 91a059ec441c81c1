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
#include <p11-kit/uri.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/holder.h"

#define LABEL  "bedwarden"
#define SLOTS  64
#define TAGGED (CRYPTO_KEY + CRYPTO_TAG)

struct token {
	P11KitUri *uri;
	CK_FUNCTION_LIST *one;	/* the module that the URI names */
	CK_FUNCTION_LIST **all; /* or all that are registered */
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE session;
	char *error;
};

static int fail(struct token *t, const char *doing, CK_RV rv)
{
	return holder_fail(t->error, rv == CKR_PIN_INCORRECT ? -EKEYREJECTED : -EIO,
			   "PKCS#11 token, %s: %s", doing, p11_kit_strerror(rv));
}

static void leave(struct token *t)
{
	if (t->session)
		t->module->C_CloseSession(t->session);
	if (t->one) {
		p11_kit_module_finalize(t->one);
		p11_kit_module_release(t->one);
	}
	if (t->all)
		p11_kit_modules_finalize_and_release(t->all);
	p11_kit_uri_free(t->uri);
}

static int load(struct token *t)
{
	const char *path = p11_kit_uri_get_module_path(t->uri);
	CK_RV rv;

	if (!path) {
		t->all = p11_kit_modules_load_and_initialize(0);
		return t->all ? 0
			      : holder_fail(t->error, -ENODEV, "no PKCS#11 module: %s",
					    p11_kit_message());
	}
	t->one = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
	if (!t->one)
		return holder_fail(t->error, -ENODEV, "PKCS#11 module %s: %s", path,
				   p11_kit_message());
	rv = p11_kit_module_initialize(t->one);
	if (rv == CKR_OK)
		return 0;
	p11_kit_module_release(t->one);
	t->one = NULL;
	return fail(t, "starting its module", rv);
}

/* Whether one of the module's slots has the token; a session with it then. */
static bool find_in(struct token *t, CK_FUNCTION_LIST *module)
{
	CK_SLOT_ID slots[SLOTS];
	CK_ULONG count = SLOTS;
	CK_TOKEN_INFO info;

	if (module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
		return false;
	for (CK_ULONG i = 0; i < count; i++)
		if (module->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    (info.flags & CKF_TOKEN_INITIALIZED) &&
		    p11_kit_uri_match_token_info(t->uri, &info) == 1 &&
		    module->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
					  &t->session) == CKR_OK) {
			t->module = module;
			return true;
		}
	return false;
}

static int find_token(struct token *t, const char *place)
{
	if (t->one && find_in(t, t->one))
		return 0;
	for (CK_FUNCTION_LIST **m = t->all; m && *m; m++)
		if (find_in(t, *m))
			return 0;
	return holder_fail(t->error, -ENODEV, "no PKCS#11 token is plugged in that is %s", place);
}

/* pin-source is a file; its first line counts. */
static int read_pin(struct token *t, const char *source, char *pin)
{
	struct bytes text;
	int err;

	if (strncmp(source, "file:", 5) == 0)
		source += strncmp(source, "file://", 7) == 0 ? 7 : 5;
	err = file_read(source, HOLDER_SECRET - 1, &text);
	if (err < 0)
		return holder_fail(t->error, err, "the PIN's file %s: %s", source, strerror(-err));
	memcpy(pin, text.data, text.len);
	pin[text.len] = 0;
	pin[strcspn(pin, "\r\n")] = 0;
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
	return 0;
}

static int get_pin(struct token *t, const struct holder_ask *ask, char **ret_pin)
{
	const char *value = p11_kit_uri_get_pin_value(t->uri);
	const char *source = p11_kit_uri_get_pin_source(t->uri);
	int err = 0;

	if (!value && !source)
		return holder_secret(ask, "PIN of the token", false, ret_pin, t->error);
	*ret_pin = secret_new(HOLDER_SECRET);
	if (!*ret_pin)
		return -ENOMEM;
	if (source)
		err = read_pin(t, source, *ret_pin);
	else if (strlen(value) < HOLDER_SECRET)
		memcpy(*ret_pin, value, strlen(value));
	if (err < 0)
		secret_free(*ret_pin, HOLDER_SECRET);
	return err;
}

static int log_in(struct token *t, const struct holder_ask *ask)
{
	char *pin;
	CK_RV rv;
	int err = get_pin(t, ask, &pin);

	if (err < 0)
		return err;
	rv = t->module->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
	secret_free(pin, HOLDER_SECRET);
	return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : fail(t, "logging in", rv);
}

static int enter(struct token *t, const struct holder_ask *ask, char *error)
{
	int err;

	*t = (struct token){.uri = p11_kit_uri_new(), .error = error};
	if (!t->uri)
		return -ENOMEM;
	err = p11_kit_uri_parse(*ask->place ? ask->place : "pkcs11:", P11_KIT_URI_FOR_ANY, t->uri);
	if (err != P11_KIT_URI_OK)
		err = holder_fail(error, -EINVAL, "'%s' is no PKCS#11 URI", ask->place);
	if (err == 0)
		err = load(t);
	if (err == 0)
		err = find_token(t, *ask->place ? ask->place : "pkcs11:");
	if (err == 0)
		err = log_in(t, ask);
	if (err < 0)
		leave(t);
	return err;
}

static CK_ATTRIBUTE label_of(struct token *t)
{
	CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(t->uri, CKA_LABEL);

	if (given)
		return *given;
	return (CK_ATTRIBUTE){CKA_LABEL, (void *)LABEL, sizeof(LABEL) - 1};
}

/* 0; -ENOENT: the token has no such key. */
static int find_key(struct token *t, CK_OBJECT_HANDLE *ret_key)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE want[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		label_of(t),
	};
	CK_ULONG found = 0;
	CK_RV rv = t->module->C_FindObjectsInit(t->session, want, 3);

	if (rv == CKR_OK) {
		rv = t->module->C_FindObjects(t->session, ret_key, 1, &found);
		t->module->C_FindObjectsFinal(t->session);
	}
	if (rv != CKR_OK)
		return fail(t, "looking for its key", rv);
	return found ? 0 : -ENOENT;
}

static int make_key(struct token *t, CK_OBJECT_HANDLE *ret_key)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_MECHANISM how = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ATTRIBUTE key[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},	    {CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},   {CKA_DECRYPT, &yes, sizeof(yes)},
		{CKA_VALUE_LEN, &len, sizeof(len)}, label_of(t),
	};
	CK_RV rv = t->module->C_GenerateKey(t->session, &how, key, sizeof(key) / sizeof(*key),
					    ret_key);

	return rv == CKR_OK ? 0 : fail(t, "making a key in it", rv);
}

static CK_GCM_PARAMS gcm(uint8_t nonce[CRYPTO_NONCE])
{
	return (CK_GCM_PARAMS){.pIv = nonce,
			       .ulIvLen = CRYPTO_NONCE,
			       .ulIvBits = CRYPTO_NONCE * 8,
			       .ulTagBits = CRYPTO_TAG * 8};
}

static int seal(struct token *t, CK_OBJECT_HANDLE key, const uint8_t root[CRYPTO_KEY],
		struct writer *blob)
{
	uint8_t nonce[CRYPTO_NONCE], out[TAGGED];
	CK_GCM_PARAMS params = gcm(nonce);
	CK_MECHANISM how = {CKM_AES_GCM, &params, sizeof(params)};
	CK_ULONG len = sizeof(out);
	CK_RV rv;
	int err = crypto_random(nonce, sizeof(nonce));

	if (err < 0)
		return err;
	rv = t->module->C_EncryptInit(t->session, &how, key);
	if (rv == CKR_OK)
		rv = t->module->C_Encrypt(t->session, (CK_BYTE *)root, CRYPTO_KEY, out, &len);
	if (rv != CKR_OK || len != sizeof(out))
		return fail(t, "sealing the root key", rv);
	write_bytes(blob, nonce, sizeof(nonce));
	write_bytes(blob, out, sizeof(out));
	return 0;
}

static int unseal(struct token *t, CK_OBJECT_HANDLE key, struct bytes blob,
		  uint8_t ret_root[CRYPTO_KEY])
{
	uint8_t nonce[CRYPTO_NONCE], *out = secret_new(TAGGED);
	CK_GCM_PARAMS params = gcm(nonce);
	CK_MECHANISM how = {CKM_AES_GCM, &params, sizeof(params)};
	CK_ULONG len = TAGGED;
	CK_RV rv;

	if (!out)
		return -ENOMEM;
	memcpy(nonce, blob.data, sizeof(nonce));
	rv = t->module->C_DecryptInit(t->session, &how, key);
	if (rv == CKR_OK)
		rv = t->module->C_Decrypt(t->session, (CK_BYTE *)blob.data + CRYPTO_NONCE, TAGGED,
					  out, &len);
	if (rv == CKR_OK && len == CRYPTO_KEY)
		memcpy(ret_root, out, CRYPTO_KEY);
	secret_free(out, TAGGED);
	if (rv == CKR_OK && len == CRYPTO_KEY)
		return 0;
	return holder_fail(t->error, -EKEYREJECTED,
			   "the token's key is another one than the keyring was made with: %s",
			   p11_kit_strerror(rv));
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	CK_OBJECT_HANDLE key;
	struct token t;
	int err = enter(&t, ask, error);

	if (err < 0)
		return err;
	err = find_key(&t, &key);
	if (err == -ENOENT)
		err = make_key(&t, &key);
	if (err == 0)
		err = seal(&t, key, root, ret_blob);
	leave(&t);
	return err;
}

static int unwrap(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		  char *error)
{
	CK_OBJECT_HANDLE key;
	struct token t;
	int err;

	if (blob.len != CRYPTO_NONCE + TAGGED)
		return holder_fail(error, -EBADMSG,
				   "what the token should unseal is no such thing");
	err = enter(&t, ask, error);
	if (err < 0)
		return err;
	err = find_key(&t, &key);
	if (err == -ENOENT)
		err = holder_fail(error, -EKEYREJECTED,
				  "the token does not hold the keyring's key");
	if (err == 0)
		err = unseal(&t, key, blob, ret_root);
	leave(&t);
	return err;
}

const struct holder holder_pkcs11 = {
	.name = "pkcs11",
	.what = "a PKCS#11 token",
	.place = "a PKCS#11 URI, such as pkcs11:token=ward;object=bedwarden?module-path=…",
	.wrap = wrap,
	.unwrap = unwrap,
};
