#ifndef BEDWARDEN_TEST_STAFF_KIT_H
#define BEDWARDEN_TEST_STAFF_KIT_H
/*
 * A keeper's staff to be tested through its calls, by the keeper's dispatcher: people that sign in
 * with a software passkey (passkey.h), an app and passwords, and clocks that the test sets.
 */
#include "passkey.h"
#include "place.h"

#include <errno.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/ipc.h"
#include "keep/keys.h"
#include "keep/people.h"
#include "people/auth/base64url.h"
#include "people/auth/totp.h"
#include "role/call.h"
#include "role/keeper.h"
#include "role/staff.h"

#define SEC    NSEC_PER_SEC
#define MINUTE (60 * SEC)
#define ORIGIN "https://gateway.example"
#define RP     "gateway.example"

static uint64_t boot_now, wall_now;
static inline uint64_t get_boot(void)
{
	return boot_now;
}
static inline uint64_t get_wall(void)
{
	return wall_now;
}

static char told[64][64];
static unsigned told_count;

static inline void tell(void *arg, enum reason why, const char *user, const char *text,
			uint64_t count)
{
	if (told_count < 64)
		snprintf(told[told_count++], 64, "%s %s", reason_name(why), user);
}

static inline bool was_told(const char *what)
{
	for (unsigned i = 0; i < told_count; i++)
		if (strcmp(told[i], what) == 0)
			return true;
	return false;
}

struct world {
	char folder[96];
	struct keeper k;
	struct keys *keys;
	struct staff_options o;
	json_t *said;		 /* the last answer; */
	struct call_error error; /* or error */
	unsigned acts;
};

static struct world w;

static inline void note(struct keeper *k, const struct call_row *row, const struct call_asker *by,
			const json_t *args, const struct call_error *error)
{
	w.acts++;
}

static inline void start(void)
{
	static const struct staff_clock clock = {get_boot, get_wall};

	w.k.staff = staff_new(&w.o, tell, NULL);
	assert_non_null(w.k.staff);
	staff_set_clock(w.k.staff, &clock);
	staff_set_boot(w.k.staff, "first");
	w.k.identify = staff_identify;
	w.k.note_act = note;
	staff_open(w.k.staff, w.folder, w.keys);
}

static inline void stop(void)
{
	staff_free(w.k.staff);
	w.k.staff = NULL;
}

static inline int set_up(void **state)
{
	struct holder_ask ask = {.place = ""};
	char error[KEYS_ERROR], dir[128];

	memset(&w, 0, sizeof(w));
	w.k.courier = -1;
	told_count = 0;
	boot_now = 1000 * SEC;
	wall_now = 1790000000ull * SEC;
	strcpy(w.folder, "/tmp/bedwarden-unit-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(dir, sizeof(dir), "%s/vault", w.folder);
	mkdir(dir, 0700);
	ask.dir = dir;
	assert_int_equal(keys_create(dir, holder_find("file"), &ask, NULL, error), 0);
	w.keys = keys_open(dir, &ask, error);
	assert_non_null(w.keys);
	w.o = (struct staff_options){.site = "Ward 3"};
	start();
	return 0;
}

static inline int tear_down(void **state)
{
	json_decref(w.said);
	json_decref(w.error.more);
	stop();
	keys_free(w.keys);
	place_clear(w.folder);
	return 0;
}

/* Time goes by, on both clocks. */
static inline void pass(uint64_t ns)
{
	boot_now += ns;
	wall_now += ns;
}

/* A browser: where it is, and what it was given. */
struct browser {
	const char *source;
	char token[128], csrf[64];
	const char *certificate; /* that its machine shows; NULL none */
};

static inline void ask_as(const struct browser *b, struct call_asker *by, const char *call,
			  json_t *args)
{
	json_t *root = json_pack("{s:s, s:o}", "call", call, "args", args);

	json_decref(w.said);
	json_decref(w.error.more);
	w.error = (struct call_error){0};
	if (b) {
		json_object_set_new(root, "source", json_string(b->source));
		json_object_set_new(root, "origin", json_string(ORIGIN));
		json_object_set_new(root, "session", json_string(b->token));
		json_object_set_new(root, "csrf", json_string(b->csrf));
		if (b->certificate)
			json_object_set_new(root, "certificate", json_string(b->certificate));
	}
	w.said = call_run(&w.k, root, by, &w.error);
	assert_true((w.said != NULL) != (w.error.status != 0));
	json_decref(root);
}

static inline const char *text(const char *key)
{
	const char *s = json_string_value(json_object_get(w.said, key));

	return s ? s : "";
}

/* What came of it: "ok", or the error's type. */
static inline const char *ask(struct browser *b, const char *call, json_t *args)
{
	struct call_asker by = {
		.user = "", .source = "", .mac = "", .origin = "", .session = "", .session_id = ""};

	ask_as(b, &by, call, args);
	if (w.said && *text("token")) {
		snprintf(b->token, sizeof(b->token), "%s", text("token"));
		snprintf(b->csrf, sizeof(b->csrf), "%s", text("csrf"));
	}
	return w.said ? "ok" : w.error.type;
}

static inline const char *box(const char *call, json_t *args)
{
	struct call_asker by = {.user = "root",
				.operator_ = true,
				.source = "",
				.mac = "",
				.origin = "",
				.session = "",
				.session_id = "",
				.role = PEOPLE_ADMINISTRATOR,
				.csrf_ok = true};

	ask_as(NULL, &by, call, args);
	return w.said ? "ok" : w.error.type;
}

#define assert_asked(b, call, args, want)                                                      \
	do {                                                                                   \
		const char *got_ = ask(b, call, args);                                         \
		if (strcmp(got_, want) != 0)                                                   \
			fail_msg("%s: '%s' (%s), not '%s'", call, got_, w.error.detail, want); \
	} while (0)
#define assert_box(call, args, want)                                                           \
	do {                                                                                   \
		const char *got_ = box(call, args);                                            \
		if (strcmp(got_, want) != 0)                                                   \
			fail_msg("%s: '%s' (%s), not '%s'", call, got_, w.error.detail, want); \
	} while (0)

static inline json_t *b64(const uint8_t *data, size_t len)
{
	char *s = malloc(BASE64URL_LEN(len) + 1);
	json_t *o;

	base64url_write(data, len, s);
	o = json_string(s);
	free(s);
	return o;
}

/* The challenge in the last answer's options. */
static struct bytes challenge(uint8_t buf[64])
{
	size_t len = 0;
	const char *s = json_string_value(
		json_object_get(json_object_get(w.said, "webauthn"), "challenge"));

	assert_non_null(s);
	assert_int_equal(base64url_read(s, buf, 64, &len), 0);
	return (struct bytes){buf, len};
}

static inline void copy_text(const char *key, char *ret_text, size_t cap)
{
	snprintf(ret_text, cap, "%s", text(key));
	assert_int_not_equal(*ret_text, 0);
}

struct person {
	const char *name;
	struct passkey key;
	uint8_t handle[64];
	size_t handle_len;
	uint8_t secret[TOTP_SECRET];
	char password[64];
};

static inline const char *add_passkey(struct browser *b, struct person *p)
{
	struct passkey_said s;
	uint8_t buf[64];
	char login[512];
	const char *got = ask(b, "factor.webauthn_begin", json_object());

	if (strcmp(got, "ok") != 0)
		return got;
	copy_text("login", login, sizeof(login));
	assert_int_equal(
		base64url_read(json_string_value(json_object_get(
				       json_object_get(json_object_get(w.said, "webauthn"), "user"),
				       "id")),
			       p->handle, sizeof(p->handle), &p->handle_len),
		0);
	passkey_create(&p->key, RP, ORIGIN, challenge(buf), &s);
	return ask(b, "factor.webauthn_finish",
		   json_pack("{s:s, s:s, s:{s:o, s:{s:o, s:o}}}", "login", login, "name", "my key",
			     "webauthn", "id", b64(p->key.id, 32), "response", "clientDataJSON",
			     b64(s.client, s.client_len), "attestationObject",
			     b64(s.object, s.object_len)));
}

static inline json_t *assertion(struct person *p, const char *login, struct bytes challenge_)
{
	struct passkey_said s;

	passkey_get(&p->key, RP, ORIGIN, challenge_, &s);
	return json_pack("{s:s, s:{s:o, s:{s:o, s:o, s:o, s:o}}}", "login", login, "webauthn", "id",
			 b64(p->key.id, 32), "response", "clientDataJSON",
			 b64(s.client, s.client_len), "authenticatorData", b64(s.auth, s.auth_len),
			 "signature", b64(s.sig, s.sig_len), "userHandle",
			 b64(p->handle, p->handle_len));
}

/* Without a name: the passkey knows whose it is. */
static inline const char *by_passkey(struct browser *b, struct person *p, const char *begin,
				     const char *finish)
{
	uint8_t buf[64];
	char login[512];
	const char *got = ask(b, begin, json_object());

	if (strcmp(got, "ok") != 0)
		return got;
	copy_text("login", login, sizeof(login));
	return ask(b, finish, assertion(p, login, challenge(buf)));
}

static inline const char *sign_in(struct browser *b, struct person *p)
{
	return by_passkey(b, p, "auth.begin", "auth.finish");
}

static inline const char *step_up(struct browser *b, struct person *p)
{
	return by_passkey(b, p, "auth.step_up_begin", "auth.step_up_finish");
}

static inline void now_code(const struct person *p, char ret_code[9])
{
	totp_code((struct bytes){p->secret, TOTP_SECRET}, TOTP_SHA1, wall_now / SEC / 30, 6,
		  ret_code);
}

static inline const char *add_app(struct browser *b, struct person *p)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char login[512], code[9];
	uint32_t bits = 0;
	unsigned have = 0, n = 0;
	const char *got = ask(b, "factor.totp_begin", json_object());

	if (strcmp(got, "ok") != 0)
		return got;
	copy_text("login", login, sizeof(login));
	for (const char *c = text("secret"); *c; c++) {
		bits = bits << 5 | (unsigned)(strchr(digits, *c) - digits);
		have += 5;
		if (have >= 8) {
			have -= 8;
			p->secret[n++] = (uint8_t)(bits >> have);
		}
	}
	assert_int_equal(n, TOTP_SECRET);
	now_code(p, code);
	return ask(b, "factor.totp_finish", json_pack("{s:s, s:s}", "login", login, "totp", code));
}

static inline const char *set_password(struct browser *b, struct person *p, const char *password)
{
	snprintf(p->password, sizeof(p->password), "%s", password);
	return ask(b, "factor.password_set", json_pack("{s:s}", "password", password));
}

/* Begins, and shows a password and perhaps a code. */
static inline const char *by_password(struct browser *b, const char *name, const char *password,
				      const char *totp)
{
	json_t *args;
	const char *got = ask(b, "auth.begin", json_pack("{s:s}", "user", name));

	if (strcmp(got, "ok") != 0)
		return got;
	args = json_pack("{s:s, s:s}", "login", text("login"), "password", password);
	if (totp)
		json_object_set_new(args, "totp", json_string(totp));
	return ask(b, "auth.finish", args);
}

/* A user from the box, who comes in with the code. */
static inline void come_in(struct browser *b, const char *name, const char *role)
{
	char code[32];

	assert_box("user.add", json_pack("{s:s, s:s}", "user", name, "role", role), "ok");
	copy_text("code", code, sizeof(code));
	assert_asked(b, "auth.first", json_pack("{s:s}", "code", code), "ok");
	assert_string_equal(text("kind"), "enrol");
}

/* And one who has a passkey and is signed in by it. */
static inline void settle(struct browser *b, struct person *p, const char *name, const char *role)
{
	p->name = name;
	passkey_open(&p->key, COSE_ES256, (uint8_t)(name[0] + name[1]));
	come_in(b, name, role);
	assert_string_equal(add_passkey(b, p), "ok");
	assert_string_equal(sign_in(b, p), "ok");
	assert_string_equal(text("kind"), "full");
}

#endif
