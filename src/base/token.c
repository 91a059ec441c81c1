#include "base/token.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "base/file.h"
#include "base/secret.h"

#define SLOTS 64

struct token {
	P11KitUri *uri;
	CK_FUNCTION_LIST *one;	/* the module that the URI names */
	CK_FUNCTION_LIST **all; /* or all that are registered */
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE session;
	char *error; /* the caller's, while it is opened */
};

__attribute__((format(printf, 3, 4))) static int fail(char *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, TOKEN_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

int token_fail(char ret_error[TOKEN_ERROR], const char *doing, CK_RV rv)
{
	return fail(ret_error, rv == CKR_PIN_INCORRECT ? -EKEYREJECTED : -EIO,
		    "PKCS#11 token, %s: %s", doing, p11_kit_strerror(rv));
}

void token_close(struct token *t)
{
	if (!t)
		return;
	if (t->session)
		t->module->C_CloseSession(t->session);
	if (t->one) {
		p11_kit_module_finalize(t->one);
		p11_kit_module_release(t->one);
	}
	if (t->all)
		p11_kit_modules_finalize_and_release(t->all);
	p11_kit_uri_free(t->uri);
	free(t);
}

CK_FUNCTION_LIST *token_module(const struct token *t)
{
	return t->module;
}

CK_SESSION_HANDLE token_session(const struct token *t)
{
	return t->session;
}

static int load(struct token *t)
{
	const char *path = p11_kit_uri_get_module_path(t->uri);
	CK_RV rv;

	if (!path) {
		t->all = p11_kit_modules_load_and_initialize(0);
		return t->all ? 0
			      : fail(t->error, -ENODEV, "no PKCS#11 module: %s", p11_kit_message());
	}
	t->one = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
	if (!t->one)
		return fail(t->error, -ENODEV, "PKCS#11 module %s: %s", path, p11_kit_message());
	rv = p11_kit_module_initialize(t->one);
	if (rv == CKR_OK)
		return 0;
	p11_kit_module_release(t->one);
	t->one = NULL;
	return token_fail(t->error, "starting its module", rv);
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

static int find_token(struct token *t, const char *uri)
{
	if (t->one && find_in(t, t->one))
		return 0;
	for (CK_FUNCTION_LIST **m = t->all; m && *m; m++)
		if (find_in(t, *m))
			return 0;
	return fail(t->error, -ENODEV, "no PKCS#11 token is plugged in that is %.160s", uri);
}

/* pin-source is a file; its first line counts. */
static int read_pin(struct token *t, const char *source, char *pin)
{
	struct bytes text;
	int err;

	if (strncmp(source, "file:", 5) == 0)
		source += strncmp(source, "file://", 7) == 0 ? 7 : 5;
	err = file_read(source, TOKEN_PIN - 1, &text);
	if (err < 0)
		return fail(t->error, err, "the PIN's file %s: %s", source, strerror(-err));
	memcpy(pin, text.data, text.len);
	pin[text.len] = 0;
	pin[strcspn(pin, "\r\n")] = 0;
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
	return 0;
}

static int get_pin(struct token *t, token_ask ask, void *arg, char *pin)
{
	const char *value = p11_kit_uri_get_pin_value(t->uri);
	const char *source = p11_kit_uri_get_pin_source(t->uri);
	int err = 0;

	if (source)
		return read_pin(t, source, pin);
	if (value) {
		if (strlen(value) < TOKEN_PIN)
			memcpy(pin, value, strlen(value) + 1);
		return 0;
	}
	err = ask ? ask(arg, pin) : -EKEYREJECTED;
	if (err < 0)
		fail(t->error, err,
		     ask ? "no PIN of the token was given: %s"
			 : "the PIN of the token is needed and nobody can be asked for it (%s)",
		     strerror(-err));
	return err;
}

static int log_in(struct token *t, token_ask ask, void *arg)
{
	char *pin = secret_new(TOKEN_PIN);
	CK_RV rv;
	int err = pin ? get_pin(t, ask, arg, pin) : fail(t->error, -ENOMEM, "out of locked memory");

	if (err == 0) {
		rv = t->module->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
		if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
			err = token_fail(t->error, "logging in", rv);
	}
	secret_free(pin, TOKEN_PIN);
	return err;
}

int token_open(const char *uri, token_ask ask, void *arg, struct token **ret_token,
	       char ret_error[TOKEN_ERROR])
{
	struct token *t = calloc(1, sizeof(*t));
	int err = 0;

	if (!t)
		return fail(ret_error, -ENOMEM, "out of memory");
	t->error = ret_error;
	t->uri = p11_kit_uri_new();
	if (!t->uri)
		err = fail(ret_error, -ENOMEM, "out of memory");
	else if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, t->uri) != P11_KIT_URI_OK)
		err = fail(ret_error, -EINVAL, "'%.200s' is no PKCS#11 URI", uri);
	if (err == 0)
		err = load(t);
	if (err == 0)
		err = find_token(t, uri);
	if (err == 0)
		err = log_in(t, ask, arg);
	if (err < 0)
		token_close(t);
	else
		*ret_token = t;
	return err;
}

CK_ATTRIBUTE token_label(const struct token *t, const char *otherwise)
{
	CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(t->uri, CKA_LABEL);

	if (given)
		return *given;
	return (CK_ATTRIBUTE){CKA_LABEL, (void *)otherwise, strlen(otherwise)};
}

int token_find(struct token *t, CK_ATTRIBUTE *want, CK_ULONG count, CK_OBJECT_HANDLE *ret_object,
	       char ret_error[TOKEN_ERROR])
{
	CK_ULONG found = 0;
	CK_RV rv = t->module->C_FindObjectsInit(t->session, want, count);

	if (rv == CKR_OK) {
		rv = t->module->C_FindObjects(t->session, ret_object, 1, &found);
		t->module->C_FindObjectsFinal(t->session);
	}
	if (rv != CKR_OK)
		return token_fail(ret_error, "looking for its key", rv);
	return found ? 0 : fail(ret_error, -ENOENT, "the token has no such key");
}
