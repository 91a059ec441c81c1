/*
 * Who is there, from first start to two-person reset: the calls, through the keeper's
 * dispatcher, with people that sign in with a software passkey (passkey.h), an app and
 * passwords, and with clocks that the test sets.
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
static uint64_t get_boot(void)
{
	return boot_now;
}
static uint64_t get_wall(void)
{
	return wall_now;
}

static char told[64][64];
static unsigned told_count;

static void tell(void *arg, enum reason why, const char *user, const char *text, uint64_t count)
{
	if (told_count < 64)
		snprintf(told[told_count++], 64, "%s %s", reason_name(why), user);
}

static bool was_told(const char *what)
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

static void note(struct keeper *k, const struct call_row *row, const struct call_asker *by,
		 const json_t *args, const struct call_error *error)
{
	w.acts++;
}

static void start(void)
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

static void stop(void)
{
	staff_free(w.k.staff);
	w.k.staff = NULL;
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
	json_decref(w.said);
	json_decref(w.error.more);
	stop();
	keys_free(w.keys);
	place_clear(w.folder);
	return 0;
}

/* Time goes by, on both clocks. */
static void pass(uint64_t ns)
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

static void ask_as(const struct browser *b, struct call_asker *by, const char *call, json_t *args)
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

static const char *text(const char *key)
{
	const char *s = json_string_value(json_object_get(w.said, key));

	return s ? s : "";
}

/* What came of it: "ok", or the error's type. */
static const char *ask(struct browser *b, const char *call, json_t *args)
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

static const char *box(const char *call, json_t *args)
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

static json_t *b64(const uint8_t *data, size_t len)
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

static void copy_text(const char *key, char *ret_text, size_t cap)
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

static const char *add_passkey(struct browser *b, struct person *p)
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

static json_t *assertion(struct person *p, const char *login, struct bytes challenge_)
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
static const char *by_passkey(struct browser *b, struct person *p, const char *begin,
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

static const char *sign_in(struct browser *b, struct person *p)
{
	return by_passkey(b, p, "auth.begin", "auth.finish");
}

static const char *step_up(struct browser *b, struct person *p)
{
	return by_passkey(b, p, "auth.step_up_begin", "auth.step_up_finish");
}

static void now_code(const struct person *p, char ret_code[9])
{
	totp_code((struct bytes){p->secret, TOTP_SECRET}, TOTP_SHA1, wall_now / SEC / 30, 6,
		  ret_code);
}

static const char *add_app(struct browser *b, struct person *p)
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

static const char *set_password(struct browser *b, struct person *p, const char *password)
{
	snprintf(p->password, sizeof(p->password), "%s", password);
	return ask(b, "factor.password_set", json_pack("{s:s}", "password", password));
}

/* Begins, and shows a password and perhaps a code. */
static const char *by_password(struct browser *b, const char *name, const char *password,
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
static void come_in(struct browser *b, const char *name, const char *role)
{
	char code[32];

	assert_box("user.add", json_pack("{s:s, s:s}", "user", name, "role", role), "ok");
	copy_text("code", code, sizeof(code));
	assert_asked(b, "auth.first", json_pack("{s:s}", "code", code), "ok");
	assert_string_equal(text("kind"), "enrol");
}

/* And one who has a passkey and is signed in by it. */
static void settle(struct browser *b, struct person *p, const char *name, const char *role)
{
	p->name = name;
	passkey_open(&p->key, COSE_ES256, (uint8_t)(name[0] + name[1]));
	come_in(b, name, role);
	assert_string_equal(add_passkey(b, p), "ok");
	assert_string_equal(sign_in(b, p), "ok");
	assert_string_equal(text("kind"), "full");
}

/* --- tests ------------------------------------------------------------------------------- */

static void first_start(void **state)
{
	struct browser b = {"10.0.0.5", "", ""}, other = {"10.0.0.6", "", ""};
	struct person anna = {.name = "anna"};
	char code[32], nag[512];

	assert_asked(&b, "auth.state", json_object(), "ok");
	assert_true(json_is_true(json_object_get(w.said, "first")));
	assert_non_null(staff_nag(w.k.staff, nag, sizeof(nag)));
	/* No default account, and no way in from the network. */
	assert_asked(&b, "user.add", json_pack("{s:s}", "user", "me"), "auth.sign_in_needed");
	assert_string_equal(by_password(&b, "admin", "admin", NULL), "auth.wrong");
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", "0000-0000-0000-0000"),
		     "auth.code");
	assert_box("user.add", json_pack("{s:s, s:s}", "user", "anna", "role", "administrator"),
		   "ok");
	copy_text("code", code, sizeof(code));
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", code), "ok");
	assert_asked(&other, "auth.first", json_pack("{s:s}", "code", code), "auth.code");
	/* Until there is a second factor nothing else works. */
	assert_asked(&b, "user.list", json_object(), "auth.enrol_first");
	assert_asked(&b, "status", json_object(), "auth.enrol_first");
	assert_asked(&b, "key.make", json_object(), "auth.enrol_first");
	assert_asked(&b, "session.me", json_object(), "ok");
	passkey_open(&anna.key, COSE_EDDSA, 3);
	assert_string_equal(add_passkey(&b, &anna), "ok");
	assert_asked(&b, "user.list", json_object(), "auth.enrol_first");
	assert_string_equal(sign_in(&b, &anna), "ok");
	assert_string_equal(text("user"), "anna");
	assert_string_equal(text("role"), "administrator");
	assert_int_equal(json_integer_value(json_object_get(w.said, "aal")), 3);
	assert_asked(&b, "user.list", json_object(), "ok");
	assert_asked(&b, "auth.state", json_object(), "ok");
	assert_false(json_is_true(json_object_get(w.said, "first")));
	assert_null(staff_nag(w.k.staff, nag, sizeof(nag)));
	assert_true(was_told("auth.factor_added anna") && was_told("auth.signed_in anna"));
	assert_true(w.acts > 0);
	passkey_close(&anna.key);
}

static void codes_run_out(void **state)
{
	struct browser b = {"10.0.0.5", "", ""};
	char code[32], newer[32];

	assert_box("user.add", json_pack("{s:s}", "user", "bert"), "ok");
	copy_text("code", code, sizeof(code));
	assert_box("user.invite", json_pack("{s:s}", "user", "bert"), "ok");
	copy_text("code", newer, sizeof(newer));
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", code), "auth.code");
	pass(86401 * SEC);
	wall_now -= 86400 * SEC * 2; /* and the clock was set back */
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", newer), "auth.code");
}

static void two_factors_of_two_kinds(void **state)
{
	struct browser b = {"10.0.0.5", "", ""};
	struct person p = {.name = "carla"};
	char code[9], login[512];

	come_in(&b, "carla", "clinical_engineer");
	assert_string_equal(set_password(&b, &p, "tuvulepi"), "auth.password.too_short");
	assert_string_equal(set_password(&b, &p, "carlacarlacarlacarla"), "auth.password.context");
	assert_string_equal(set_password(&b, &p, "passwordpassword1"), "auth.password.common");
	assert_string_equal(set_password(&b, &p, "tuvulepi ragoma"), "ok");
	/* Nothing more could be shown: in, but only to add the second. */
	assert_string_equal(by_password(&b, "carla", "tuvulepi ragoma", NULL), "ok");
	assert_string_equal(text("kind"), "enrol");
	assert_string_equal(add_app(&b, &p), "ok");
	assert_string_equal(set_password(&b, &p, "tuvulepi"), "ok"); /* 8 beside a second factor */
	/* The old session ended with what changed; now the password alone is half the way. */
	pass(30 * SEC);
	assert_string_equal(by_password(&b, "carla", "tuvulepi", NULL), "ok");
	assert_string_equal(text("token"), "");
	assert_string_equal(json_string_value(json_array_get(json_object_get(w.said, "next"), 0)),
			    "totp");
	copy_text("login", login, sizeof(login));
	now_code(&p, code);
	assert_asked(&b, "auth.finish", json_pack("{s:s, s:s}", "login", login, "totp", code),
		     "ok");
	assert_int_equal(json_integer_value(json_object_get(w.said, "aal")), 2);
	assert_string_equal(text("kind"), "full");
	assert_string_equal(text("factors"), "password totp");
	/* Neither the ticket nor the code once more. */
	assert_asked(&b, "auth.finish", json_pack("{s:s, s:s}", "login", login, "totp", code),
		     "auth.login_over");
	assert_string_equal(by_password(&b, "carla", "tuvulepi", code), "auth.wrong");
	pass(30 * SEC);
	now_code(&p, code);
	assert_string_equal(by_password(&b, "carla", "tuvulepi", code), "ok");
	/* Two things held are no two kinds. */
	pass(30 * SEC);
	assert_asked(&b, "auth.begin", json_object(), "ok");
	now_code(&p, code);
	assert_asked(
		&b, "auth.finish",
		json_pack("{s:s, s:s, s:s}", "login", text("login"), "user", "carla", "totp", code),
		"ok");
	assert_string_equal(text("token"), "");
	assert_string_equal(json_string_value(json_array_get(json_object_get(w.said, "next"), 0)),
			    "password");
}

/* One factor of two was added, and the session ran out: nobody is stuck half way. */
static void half_enrolled(void **state)
{
	struct browser b = {"10.0.0.5", "", ""};
	struct person p = {.name = "carla"};
	char code[9];

	come_in(&b, "carla", "viewer");
	assert_string_equal(add_app(&b, &p), "ok");
	pass(31 * MINUTE);
	assert_asked(&b, "session.me", json_object(), "auth.session");
	assert_asked(&b, "auth.begin", json_pack("{s:s}", "user", "carla"), "ok");
	now_code(&p, code);
	assert_asked(&b, "auth.finish",
		     json_pack("{s:s, s:s}", "login", text("login"), "totp", code), "ok");
	assert_string_equal(text("kind"), "enrol");
	assert_asked(&b, "status", json_object(), "auth.enrol_first");
	assert_string_equal(set_password(&b, &p, "tuvulepi"), "ok");
	pass(30 * SEC);
	now_code(&p, code);
	assert_string_equal(by_password(&b, "carla", "tuvulepi", code), "ok");
	assert_string_equal(text("kind"), "full");
	/* From elsewhere: they are told at the next sign-in. */
	b.source = "10.9.9.9";
	pass(30 * SEC);
	now_code(&p, code);
	assert_string_equal(by_password(&b, "carla", "tuvulepi", code), "ok");
	assert_asked(&b, "session.me", json_object(), "ok");
	assert_non_null(
		strstr(json_string_value(json_object_get(
			       json_array_get(json_object_get(w.said, "notices"), 0), "text")),
		       "10.9.9.9"));
}

/* Whether there is such a user, and what they have, no answer says. */
static void nobody_learns_who_there_is(void **state)
{
	struct browser b = {"10.0.0.5", "", ""}, x = {"10.9.9.9", "", ""};
	struct person p = {.name = "carla"};
	char there[700], not_there[700];

	come_in(&b, "carla", "viewer");
	assert_string_equal(set_password(&b, &p, "tuvulepi ragoma"), "ok");
	assert_asked(&x, "auth.begin", json_pack("{s:s}", "user", "carla"), "ok");
	assert_int_equal(json_array_size(json_object_get(w.said, "factors")), 4);
	assert_asked(&x, "auth.begin", json_pack("{s:s}", "user", "nobody"), "ok");
	assert_int_equal(json_array_size(json_object_get(w.said, "factors")), 4);
	assert_string_equal(by_password(&x, "carla", "wrong wrong wrong", NULL), "auth.wrong");
	snprintf(there, sizeof(there), "%s%s", w.error.title, w.error.detail);
	assert_string_equal(by_password(&x, "nobody", "wrong wrong wrong", NULL), "auth.wrong");
	snprintf(not_there, sizeof(not_there), "%s%s", w.error.title, w.error.detail);
	assert_string_equal(there, not_there);
	for (unsigned i = 0; i < 5; i++) {
		by_password(&x, "carla", "wrong wrong wrong", NULL);
		snprintf(there, sizeof(there), "%s%s", w.error.type, w.error.detail);
		by_password(&x, "nobody", "wrong wrong wrong", NULL);
		snprintf(not_there, sizeof(not_there), "%s%s", w.error.type, w.error.detail);
		assert_string_equal(there, not_there);
		pass(SEC);
	}
}

/* A hundred addresses guess at full speed: the person gets in, by every way that is theirs. */
static void guessing_locks_nobody_out(void **state)
{
	struct browser home = {"10.0.0.5", "", ""}, fresh = {"10.0.0.77", "", ""};
	struct person p = {.name = "carla"};
	unsigned wrong = 0, slowed = 0;
	char code[9];

	settle(&home, &p, "carla", "administrator");
	assert_string_equal(add_app(&home, &p), "ok");
	assert_string_equal(set_password(&home, &p, "tuvulepi"), "ok");
	for (unsigned round = 0; round < 60; round++)
		for (unsigned i = 0; i < 100; i++) {
			char address[32], guess[32];
			struct browser x = {address, "", ""};
			const char *got;

			snprintf(address, sizeof(address), "10.66.0.%u", i);
			snprintf(guess, sizeof(guess), "guess number %u %u", round, i);
			got = by_password(&x, i % 2 ? "carla" : guess, guess, "123456");
			wrong += strcmp(got, "auth.wrong") == 0;
			slowed += strcmp(got, "auth.slow_down") == 0;
			pass(SEC / 1000);
		}
	assert_int_equal(wrong + slowed, 6000);
	assert_true(wrong < 300); /* of six thousand so many were tried at all */
	/* By passkey, from anywhere, at once; */
	assert_string_equal(sign_in(&fresh, &p), "ok");
	assert_string_equal(text("kind"), "full");
	/* by password and app from where they were before. */
	pass(30 * SEC);
	now_code(&p, code);
	assert_string_equal(by_password(&home, "carla", "tuvulepi", code), "ok");
	assert_string_equal(text("kind"), "full");
	/* Who guesses codes does not slow passwords down, nor the other way round: see unit-factors. */
	passkey_close(&p.key);
}

static void guesses_in_a_row_are_counted_for_good(void **state)
{
	struct browser home = {"10.0.0.5", "", ""}, x = {"10.66.0.1", "", ""},
		       y = {"10.77.0.1", "", ""};
	struct person p = {.name = "carla"};
	unsigned tried = 0;
	char code[9];

	settle(&home, &p, "carla", "viewer");
	assert_string_equal(add_app(&home, &p), "ok");
	assert_string_equal(set_password(&home, &p, "tuvulepi"), "ok");
	for (unsigned i = 0; i < 200; i++) {
		tried += strcmp(by_password(&x, "carla", "wrong wrong", NULL), "auth.wrong") == 0;
		pass(900 * SEC); /* as patiently as they must */
		if (i == 20) {	 /* what was counted outlives the process */
			stop();
			start();
		}
	}
	assert_int_equal(tried, 50);
	assert_true(was_told("auth.guessing carla"));
	now_code(&p, code);
	assert_string_equal(by_password(&y, "carla", "tuvulepi", code), "auth.slow_down");
	assert_string_equal(sign_in(&y, &p), "ok"); /* the passkey is another matter; */
	assert_true(json_array_size(json_object_get(w.said, "notices")) > 0);
	pass(30 * SEC);
	now_code(&p, code); /* and it makes the count begin anew */
	assert_string_equal(by_password(&y, "carla", "tuvulepi", code), "ok");
	passkey_close(&p.key);
}

static void replayed_and_stolen(void **state)
{
	struct browser b = {"10.0.0.5", "", ""}, x = {"10.66.0.1", "", ""};
	struct person p = {.name = "carla"}, d = {.name = "dora"};
	uint8_t buf[64];
	char login[512];
	json_t *args, *sig;

	settle(&b, &p, "carla", "administrator");
	settle(&x, &d, "dora", "viewer");
	assert_asked(&b, "auth.begin", json_object(), "ok");
	copy_text("login", login, sizeof(login));
	args = assertion(&p, login, challenge(buf));
	assert_asked(&b, "auth.finish", json_incref(args), "ok");
	assert_asked(&x, "auth.finish", args, "auth.login_over"); /* the same again */
	/* Another's ticket: the challenge is another. */
	assert_asked(&x, "auth.begin", json_object(), "ok");
	copy_text("login", login, sizeof(login));
	passkey_close(&d.key);
	args = assertion(&p, login,
			 (struct bytes){(const uint8_t *)"0123456789abcdef01234567", 24});
	assert_asked(&x, "auth.finish", args, "auth.passkey.challenge");
	/* Somebody else's handle. */
	assert_asked(&x, "auth.begin", json_object(), "ok");
	copy_text("login", login, sizeof(login));
	args = assertion(&p, login, challenge(buf));
	sig = json_object_get(json_object_get(args, "webauthn"), "response");
	json_object_set_new(sig, "userHandle", b64(d.handle, d.handle_len));
	assert_asked(&x, "auth.finish", args, "auth.passkey.credential");
	/* A copy of the key that counts behind. */
	p.key.count = 1;
	assert_string_equal(sign_in(&x, &p), "auth.passkey.cloned");
	assert_true(was_told("auth.passkey_cloned carla"));
	/* A passkey cannot be added twice, nor by another. */
	p.key.count += 20;
	assert_string_equal(sign_in(&b, &p), "ok");
	assert_string_equal(add_passkey(&b, &p), "auth.passkey_taken");
	passkey_close(&p.key);
}

static void sessions_end_and_are_ended(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, b = {"10.0.0.6", "", ""}, old;
	struct person p = {.name = "carla"};
	char id[32];

	settle(&a, &p, "carla", "administrator");
	assert_string_equal(sign_in(&b, &p), "ok");
	assert_asked(&a, "session.list", json_object(), "ok");
	assert_int_equal(json_array_size(json_object_get(w.said, "sessions")), 3);
	/* Renewed at every authentication: the old token is worth nothing. */
	old = a;
	assert_string_equal(step_up(&a, &p), "ok");
	assert_string_not_equal(old.token, a.token);
	assert_asked(&old, "session.me", json_object(), "auth.session");
	assert_asked(&a, "session.me", json_object(), "ok");
	/* One by its name, then all others. */
	assert_asked(&b, "session.me", json_object(), "ok");
	copy_text("session_id", id, sizeof(id));
	assert_asked(&a, "session.end", json_pack("{s:s}", "session", id), "ok");
	assert_asked(&b, "session.me", json_object(), "auth.session");
	assert_string_equal(sign_in(&b, &p), "ok");
	assert_asked(&a, "session.end", json_pack("{s:b}", "others", 1), "ok");
	assert_asked(&b, "session.me", json_object(), "auth.session");
	/* Idle: 15 minutes for who administers. */
	for (unsigned i = 0; i < 3; i++) {
		pass(14 * MINUTE);
		assert_asked(&a, "session.me", json_object(), "ok");
	}
	pass(15 * MINUTE);
	assert_asked(&a, "session.me", json_object(), "auth.session");
	/* Overall: 8 hours, however busy. */
	assert_string_equal(sign_in(&a, &p), "ok");
	for (unsigned i = 0; i < 47; i++) {
		pass(10 * MINUTE);
		assert_asked(&a, "session.me", json_object(), "ok");
	}
	pass(10 * MINUTE);
	assert_asked(&a, "session.me", json_object(), "auth.session");
	/* A clock that is set, either way, does neither. */
	assert_string_equal(sign_in(&a, &p), "ok");
	wall_now -= 400ull * 86400 * SEC;
	assert_asked(&a, "session.me", json_object(), "ok");
	wall_now += 800ull * 86400 * SEC;
	assert_asked(&a, "session.me", json_object(), "ok");
	/* Another process of the same start knows them, another start does not. */
	stop();
	start();
	assert_asked(&a, "session.me", json_object(), "ok");
	staff_set_boot(w.k.staff, "second");
	assert_asked(&a, "session.me", json_object(), "auth.session");
	assert_asked(&a, "auth.begin", json_object(), "ok"); /* with the stale cookie */
	passkey_close(&p.key);
}

static void what_needs_a_fresh_factor(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, no_page;
	struct person p = {.name = "carla"};
	char code[9], login[512];

	settle(&a, &p, "carla", "administrator");
	assert_string_equal(add_app(&a, &p), "ok");
	no_page = a;
	strcpy(no_page.csrf, "wrong");
	assert_asked(&no_page, "user.add", json_pack("{s:s}", "user", "eva"), "auth.csrf");
	assert_asked(&a, "user.add", json_pack("{s:s}", "user", "eva"), "ok");
	pass(5 * MINUTE + SEC);
	assert_asked(&a, "user.add", json_pack("{s:s}", "user", "frida"), "auth.step_up_needed");
	assert_asked(&a, "factor.recovery_make", json_object(), "auth.step_up_needed");
	assert_asked(&a, "user.list", json_object(), "ok");
	assert_string_equal(step_up(&a, &p), "ok");
	assert_asked(&a, "user.add", json_pack("{s:s}", "user", "frida"), "ok");
	/* By the app as well; by a password alone not. */
	pass(6 * MINUTE);
	assert_asked(&a, "auth.step_up_begin", json_object(), "ok");
	copy_text("login", login, sizeof(login));
	now_code(&p, code);
	assert_asked(&a, "auth.step_up_finish",
		     json_pack("{s:s, s:s}", "login", login, "totp", code), "ok");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	pass(6 * MINUTE);
	assert_asked(&a, "auth.step_up_begin", json_object(), "ok");
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.step_up_finish",
		     json_pack("{s:s, s:s}", "login", login, "password", "tuvulepi"),
		     "auth.step_up_needed");
	passkey_close(&p.key);
}

static void all_is_lost(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, b = {"10.0.0.6", "", ""}, c = {"10.0.0.7", "", ""};
	struct person anna = {0}, bert = {0}, carla = {0};
	char code[32];

	settle(&a, &anna, "anna", "administrator");
	settle(&b, &bert, "bert", "administrator");
	settle(&c, &carla, "carla", "viewer");
	/* One asks; the same one, and the one it is about, cannot agree. */
	assert_asked(&a, "user.reset_approve", json_pack("{s:s}", "user", "carla"), "auth.none");
	assert_asked(&a, "user.reset_request",
		     json_pack("{s:s, s:s}", "user", "carla", "reason", "phone in the river"),
		     "ok");
	assert_string_equal(text("code"), "");
	assert_asked(&a, "user.reset_approve", json_pack("{s:s}", "user", "carla"),
		     "auth.two_persons");
	assert_asked(&c, "session.me", json_object(), "ok"); /* nothing happened yet */
	assert_asked(&c, "user.reset_approve", json_pack("{s:s}", "user", "carla"), "auth.role");
	assert_asked(&b, "user.reset_approve", json_pack("{s:s}", "user", "carla"), "ok");
	copy_text("code", code, sizeof(code));
	assert_asked(&c, "session.me", json_object(), "auth.session");
	assert_string_equal(sign_in(&c, &carla), "auth.passkey_unknown");
	assert_asked(&c, "auth.first", json_pack("{s:s}", "code", code), "ok");
	carla.key.id[0] ^= 1;
	assert_string_equal(add_passkey(&c, &carla), "ok");
	assert_string_equal(sign_in(&c, &carla), "ok");
	assert_true(was_told("auth.reset carla"));
	/* A question is good for a day. */
	assert_asked(&a, "user.reset_request", json_pack("{s:s}", "user", "bert"), "ok");
	assert_asked(&b, "user.reset_approve", json_pack("{s:s}", "user", "bert"),
		     "auth.two_persons");
	pass(86401 * SEC);
	assert_string_equal(sign_in(&b, &bert), "ok");
	assert_box("user.reset_approve", json_pack("{s:s}", "user", "bert"), "auth.none");
	/* The box asks, an administrator agrees; alone only where there is nobody else. */
	assert_box("user.reset_request", json_pack("{s:s}", "user", "bert"), "ok");
	assert_string_equal(text("code"), "");
	assert_box("user.remove", json_pack("{s:s}", "user", "anna"), "ok");
	assert_box("user.reset_request", json_pack("{s:s}", "user", "bert"), "ok");
	copy_text("code", code, sizeof(code));
	passkey_close(&anna.key);
	passkey_close(&bert.key);
	passkey_close(&carla.key);
}

static void the_last_ones_stay(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char id[24];

	settle(&a, &p, "anna", "administrator");
	assert_asked(&a, "user.remove", json_pack("{s:s}", "user", "anna"),
		     "auth.last_administrator");
	assert_asked(&a, "user.change", json_pack("{s:s, s:s}", "user", "anna", "role", "viewer"),
		     "auth.last_administrator");
	assert_asked(&a, "user.change", json_pack("{s:s, s:b}", "user", "anna", "disabled", 1),
		     "auth.last_administrator");
	assert_asked(&a, "factor.list", json_object(), "ok");
	snprintf(id, sizeof(id), "%s",
		 json_string_value(json_object_get(
			 json_array_get(json_object_get(w.said, "factors"), 0), "id")));
	assert_asked(&a, "factor.remove", json_pack("{s:s}", "id", id), "auth.last_factor");
	assert_asked(&a, "factor.remove", json_pack("{s:s}", "id", "99"), "auth.none");
	assert_asked(&a, "factor.remove", json_pack("{s:s}", "id", "1; DROP TABLE user"),
		     "call.arguments");
	assert_string_equal(add_app(&a, &p), "ok");
	assert_asked(&a, "factor.remove", json_pack("{s:s}", "id", id), "auth.last_factor");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	assert_asked(&a, "factor.remove", json_pack("{s:s}", "id", id), "ok");
	assert_true(was_told("auth.factor_removed anna"));
	passkey_close(&p.key);
}

/* Whoever's role or account changes is out at once. */
static void changed_users(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, b = {"10.0.0.6", "", ""};
	struct person anna = {0}, bert = {0};

	settle(&a, &anna, "anna", "administrator");
	settle(&b, &bert, "bert", "viewer");
	assert_asked(&b, "user.list", json_object(), "auth.role");
	assert_asked(&b, "key.list", json_object(), "auth.role");
	assert_asked(&a, "user.change", json_pack("{s:s, s:s}", "user", "bert", "role", "auditor"),
		     "ok");
	assert_asked(&b, "session.me", json_object(), "auth.session");
	assert_string_equal(sign_in(&b, &bert), "ok");
	assert_asked(&b, "user.list", json_object(), "ok");
	assert_asked(&a, "user.change", json_pack("{s:s, s:b}", "user", "bert", "disabled", 1),
		     "ok");
	assert_asked(&b, "session.me", json_object(), "auth.session");
	assert_string_equal(sign_in(&b, &bert), "auth.wrong");
	assert_asked(&a, "user.invite", json_pack("{s:s}", "user", "bert"), "auth.has_factors");
	passkey_close(&anna.key);
	passkey_close(&bert.key);
}

static void level_three(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0}, synced = {0};

	w.o.aal3 = PEOPLE_ONLY(PEOPLE_ADMINISTRATOR);
	stop();
	start();
	passkey_open(&synced.key, COSE_ES256, 9);
	synced.key.flags |= AUTHDATA_BE | AUTHDATA_BS; /* copied to every device of its owner */
	come_in(&a, "anna", "administrator");
	assert_string_equal(add_passkey(&a, &synced), "ok");
	assert_string_equal(sign_in(&a, &synced), "ok");
	assert_string_equal(text("kind"), "enrol"); /* good to add a better one */
	assert_asked(&a, "user.list", json_object(), "auth.enrol_first");
	passkey_open(&p.key, COSE_ES256, 10);
	assert_string_equal(add_passkey(&a, &p), "ok");
	assert_string_equal(sign_in(&a, &p), "ok");
	assert_string_equal(text("kind"), "full");
	assert_asked(&a, "user.list", json_object(), "ok");
	assert_string_equal(step_up(&a, &synced), "auth.step_up_needed");
	passkey_close(&p.key);
	passkey_close(&synced.key);
}

#define CERT(digit, name)                                                                         \
	digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit \
		digit " CN=" name

/* A session stays with the machine that showed a certificate when it began, and a role may need one. */
static void machines_with_certificates(void **state)
{
	struct browser a = {"10.0.0.5", "", "", CERT("ab12", "ws-1")}, stolen, bare = {"10.0.0.6"};
	struct person p = {0};

	settle(&a, &p, "anna", "administrator");
	assert_asked(&a, "session.list", json_object(), "ok");
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(w.said, "sessions"), 0), "certificate")),
		a.certificate);
	stolen = a; /* the cookie, on another machine */
	stolen.certificate = NULL;
	assert_asked(&stolen, "session.me", json_object(), "auth.certificate");
	stolen.certificate = CERT("ab13", "ws-1");
	assert_asked(&stolen, "session.me", json_object(), "auth.certificate");
	stolen.certificate = "ab12";
	assert_asked(&stolen, "session.me", json_object(), "auth.certificate");
	assert_asked(&a, "session.me", json_object(), "ok");
	/* One that began without stays good with one, */
	assert_string_equal(sign_in(&bare, &p), "ok");
	bare.certificate = CERT("cd34", "ws-2");
	assert_asked(&bare, "session.me", json_object(), "ok");
	/* until the role needs one: then also to begin. */
	w.o.certificate = PEOPLE_ONLY(PEOPLE_ADMINISTRATOR);
	stop();
	start();
	assert_asked(&a, "session.me", json_object(), "ok");
	bare.certificate = NULL;
	assert_asked(&bare, "session.me", json_object(), "auth.certificate_needed");
	assert_string_equal(sign_in(&bare, &p), "auth.certificate_needed");
	bare.certificate = CERT("cd34", "ws-2");
	assert_string_equal(sign_in(&bare, &p), "ok");
	assert_asked(&bare, "user.list", json_object(), "ok");
	assert_string_equal(step_up(&bare, &p), "ok"); /* under its new token as well */
	bare.certificate = NULL;
	assert_asked(&bare, "session.me", json_object(), "auth.certificate");
	passkey_close(&p.key);
}

/* A code for the first day is not used up by who may not come in from there. */
static void codes_where_a_certificate_is_needed(void **state)
{
	struct browser b = {"10.0.0.5"};
	char code[64];

	w.o.certificate = PEOPLE_ONLY(PEOPLE_VIEWER);
	stop();
	start();
	assert_box("user.add", json_pack("{s:s, s:s}", "user", "vera", "role", "viewer"), "ok");
	copy_text("code", code, sizeof(code));
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", code), "auth.certificate_needed");
	b.certificate = CERT("ab12", "ws-1");
	assert_asked(&b, "auth.first", json_pack("{s:s}", "code", code), "ok");
}

/* People whose authenticators the policy admits, and others; and a list that cannot be read. */
static void makers_admitted(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person good = {0}, other = {0}, bare = {0};
	struct maker makers[2];
	char pem[4096], nag[512];
	size_t len;

	w.o.attestation = "/etc/bedwarden/makers.pem";
	stop();
	start();
	come_in(&a, "anna", "administrator");
	for (unsigned i = 0; i < 2; i++)
		maker_open(&makers[i], "Keys");
	len = maker_pem(makers[0].root, pem, sizeof(pem));
	passkey_open(&good.key, COSE_ES256, 1);
	passkey_open(&other.key, COSE_ES256, 2);
	passkey_open(&bare.key, COSE_EDDSA, 3);
	good.key.maker = &makers[0];
	other.key.maker = &makers[1];
	assert_string_equal(add_passkey(&a, &good), "auth.passkey.no_roots");
	assert_non_null(strstr(staff_nag(w.k.staff, nag, sizeof(nag)), w.o.attestation));
	staff_take_roots(w.k.staff, (struct bytes){(const uint8_t *)pem, len - 40});
	assert_string_equal(add_passkey(&a, &good), "auth.passkey.no_roots");
	staff_take_roots(w.k.staff, (struct bytes){(const uint8_t *)pem, len});
	assert_string_equal(add_passkey(&a, &other), "auth.passkey.untrusted");
	assert_non_null(strstr(w.error.detail, "people.attestation"));
	assert_string_equal(add_passkey(&a, &bare), "auth.passkey.untrusted");
	assert_asked(&a, "factor.webauthn_begin", json_object(), "ok");
	assert_string_equal(json_string_value(json_object_get(json_object_get(w.said, "webauthn"),
							      "attestation")),
			    "direct");
	assert_string_equal(add_passkey(&a, &good), "ok");
	staff_take_roots(w.k.staff, (struct bytes){0}); /* who is in stays in */
	assert_string_equal(sign_in(&a, &good), "ok");
	assert_string_equal(text("kind"), "full");
	for (unsigned i = 0; i < 2; i++)
		maker_close(&makers[i]);
	passkey_close(&good.key);
	passkey_close(&other.key);
	passkey_close(&bare.key);
}

static void recovery_codes(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char code[2][32], login[512];

	settle(&a, &p, "anna", "administrator");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	assert_asked(&a, "factor.recovery_make", json_object(), "ok");
	for (unsigned i = 0; i < 2; i++)
		snprintf(code[i], 32, "%s",
			 json_string_value(json_array_get(json_object_get(w.said, "codes"), i)));
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "ok");
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s}", "login", login, "recovery", code[0]), "ok");
	assert_string_equal(text("kind"), "full");
	assert_true(was_told("auth.recovery_used anna"));
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "ok");
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s}", "login", login, "recovery", code[0]), "auth.wrong");
	stop(); /* that it was used outlives the process */
	start();
	pass(SEC);
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "ok");
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s}", "login", login, "recovery", code[0]), "auth.wrong");
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s}", "login", login, "recovery", code[1]), "ok");
	assert_asked(&a, "factor.list", json_object(), "ok");
	assert_int_equal(json_integer_value(json_object_get(w.said, "recovery_left")), 8);
	passkey_close(&p.key);
}

/* Break-glass takes any one factor, and gives nothing but itself. */
static void one_factor_for_an_emergency(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char code[9];

	settle(&a, &p, "anna", "administrator");
	assert_string_equal(add_app(&a, &p), "ok");
	pass(30 * SEC);
	now_code(&p, code);
	assert_asked(&a, "auth.begin", json_object(), "ok");
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s, s:s, s:b}", "login", text("login"), "user", "anna",
			       "totp", code, "one_factor", 1),
		     "ok");
	assert_string_equal(text("kind"), "one_factor");
	assert_asked(&a, "session.me", json_object(), "ok");
	assert_asked(&a, "user.list", json_object(), "auth.one_factor");
	assert_asked(&a, "factor.webauthn_begin", json_object(), "auth.one_factor");
	assert_asked(&a, "auth.logout", json_object(), "ok");
	assert_asked(&a, "session.me", json_object(), "auth.session");
	passkey_close(&p.key);
}

/* The code in what the courier was given. */
static void sent_code(int sock, char ret_code[8])
{
	static char buf[IPC_BUF];
	struct ipc_message m;
	char url[1200];
	const char *at;

	assert_int_equal(ipc_recv(sock, buf, &m), 0);
	assert_int_equal(m.type, IPC_SMS);
	snprintf(url, sizeof(url), "%.*s", (int)m.body.len, (const char *)m.body.data);
	at = strstr(url, "&text=");
	assert_non_null(at);
	assert_non_null(
		strstr(url, "sendsms?username=ward%203&password=p%26ss%3Dw&to=%2B436601234567&"));
	snprintf(ret_code, 8, "%.6s", at + 6);
}

static void sms_is_off_until_it_is_on(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char code[8], login[512], path[128];
	FILE *f;
	int pair[2];

	settle(&a, &p, "anna", "administrator");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	assert_asked(&a, "factor.sms_set", json_pack("{s:s}", "number", "+436601234567"),
		     "auth.sms_off");
	assert_asked(&a, "auth.sms_send", json_pack("{s:s}", "login", "x"), "auth.sms_off");
	w.o.sms = true;
	w.o.sms_url = "http://10.0.0.20:13013/cgi-bin/sendsms";
	stop();
	start();
	w.k.state_dir = w.folder;
	assert_asked(&a, "factor.sms_set", json_pack("{s:s}", "number", "+436601234567"),
		     "sms.no_gateway"); /* there is no courier, */
	assert_int_equal(ipc_pair(pair), 0);
	w.k.courier = pair[0];
	pass(MINUTE);
	assert_asked(&a, "factor.sms_set", json_pack("{s:s}", "number", "+436601234567"),
		     "sms.no_gateway"); /* and then no login */
	snprintf(path, sizeof(path), "%s/sms.login", w.folder);
	f = fopen(path, "w");
	fputs("ward 3:p&ss=w\n", f);
	fclose(f);
	pass(2 * MINUTE);
	assert_asked(&a, "auth.state", json_object(), "ok");
	assert_int_not_equal(*text("sms_restricted"), 0); /* and why it is the last resort */
	assert_asked(&a, "factor.sms_set", json_pack("{s:s}", "number", "0660 1234567"),
		     "call.arguments");
	assert_asked(&a, "factor.sms_set", json_pack("{s:s}", "number", "+436601234567"), "ok");
	assert_string_equal(text("sent"), "queued"); /* which is not "delivered" */
	sent_code(pair[1], code);
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "factor.sms_set", json_pack("{s:s, s:s}", "login", login, "sms", code),
		     "ok");
	assert_asked(&a, "factor.sms_set", json_pack("{s:s, s:s}", "login", login, "sms", code),
		     "auth.enrol_over");

	/* Not before the password: nobody has strangers' telephones ring. */
	assert_asked(&a, "auth.begin", json_pack("{s:s}", "user", "anna"), "ok");
	assert_asked(&a, "auth.sms_send", json_pack("{s:s}", "login", text("login")),
		     "auth.login_over");
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "ok");
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.sms_send", json_pack("{s:s}", "login", login), "ok");
	sent_code(pair[1], code);
	copy_text("login", login, sizeof(login));
	assert_asked(&a, "auth.finish",
		     json_pack("{s:s, s:s}", "login", login, "sms",
			       strcmp(code, "000000") ? "000000" : "000001"),
		     "auth.wrong");
	assert_asked(&a, "auth.finish", json_pack("{s:s, s:s}", "login", login, "sms", code), "ok");
	assert_int_equal(json_integer_value(json_object_get(w.said, "aal")), 2);
	assert_asked(&a, "auth.finish", json_pack("{s:s, s:s}", "login", login, "sms", code),
		     "auth.login_over");
	/* Ten minutes at most: five here. */
	pass(MINUTE);
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "ok");
	assert_asked(&a, "auth.sms_send", json_pack("{s:s}", "login", text("login")), "ok");
	sent_code(pair[1], code);
	copy_text("login", login, sizeof(login));
	pass(5 * MINUTE + SEC);
	assert_asked(&a, "auth.finish", json_pack("{s:s, s:s}", "login", login, "sms", code),
		     "auth.login_over");
	w.k.courier = -1;
	close(pair[0]);
	close(pair[1]);
	passkey_close(&p.key);
}

static void keys_of_machines(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, m = {"10.0.0.9", "", ""};
	struct person p = {0};
	char id[24], *all;

	settle(&a, &p, "anna", "administrator");
	assert_asked(&a, "key.make", json_pack("{s:s, s:[s]}", "name", "siem", "scopes", "a b"),
		     "call.arguments");
	assert_asked(&a, "key.make",
		     json_pack("{s:s, s:[s], s:s}", "name", "siem", "scopes", "user.list", "role",
			       "administrator"),
		     "call.arguments");
	assert_asked(&a, "key.make",
		     json_pack("{s:s, s:[s, s], s:s, s:i}", "name", "siem", "scopes", "user.*",
			       "session.me", "role", "auditor", "days", 10),
		     "ok");
	copy_text("id", id, sizeof(id));
	snprintf(m.token, sizeof(m.token), "%s", text("key"));
	assert_asked(&m, "user.list", json_object(), "ok");
	assert_asked(&m, "session.me", json_object(), "ok");
	assert_string_equal(text("kind"), "api_key");
	assert_asked(&m, "key.list", json_object(), "auth.key_scope");
	assert_asked(&m, "user.add", json_pack("{s:s}", "user", "x"), "auth.role");
	assert_asked(&m, "session.list", json_object(), "auth.key_scope");
	assert_asked(&a, "key.list", json_object(), "ok");
	all = json_dumps(w.said, 0);
	assert_non_null(all);
	assert_null(strstr(all, "bwk_")); /* shown once, when it was made */
	free(all);
	pass(10ull * 86400 * SEC);
	assert_asked(&m, "user.list", json_object(), "auth.key");
	wall_now -= 5ull * 86400 * SEC; /* set back: it stays dead */
	assert_asked(&m, "user.list", json_object(), "auth.key");
	assert_string_equal(sign_in(&a, &p), "ok");
	assert_asked(&a, "key.make",
		     json_pack("{s:s, s:[s]}", "name", "two", "scopes", "session.me"), "ok");
	copy_text("id", id, sizeof(id));
	snprintf(m.token, sizeof(m.token), "%s", text("key"));
	assert_asked(&m, "session.me", json_object(), "ok");
	assert_asked(&a, "key.revoke", json_pack("{s:s}", "id", id), "ok");
	assert_asked(&m, "session.me", json_object(), "auth.key");
	passkey_close(&p.key);
}

static void without_keys_passkeys_work(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	struct keys *keys = w.keys;

	settle(&a, &p, "anna", "administrator");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	stop();
	w.keys = NULL;
	start();
	assert_string_equal(sign_in(&a, &p), "ok");
	assert_string_equal(by_password(&a, "anna", "tuvulepi", NULL), "auth.keys_locked");
	assert_string_equal(sign_in(&a, &p), "ok");
	assert_asked(&a, "factor.totp_begin", json_object(), "auth.keys_locked");
	stop();
	w.keys = keys;
	start();
	passkey_close(&p.key);
}

/* What lies on the disk is no secret: hashes, public keys, and what the keys have sealed. */
static void nothing_secret_on_the_disk(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char path[160], code[32];
	static uint8_t file[4 << 20];
	size_t len = 0;
	FILE *f;

	settle(&a, &p, "anna", "administrator");
	assert_string_equal(add_app(&a, &p), "ok");
	assert_string_equal(set_password(&a, &p, "tuvulepi"), "ok");
	assert_asked(&a, "factor.recovery_make", json_object(), "ok");
	snprintf(code, sizeof(code), "%s",
		 json_string_value(json_array_get(json_object_get(w.said, "codes"), 0)));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/people.db%s", w.folder, i ? "-wal" : "");
		f = fopen(path, "rb");
		if (f) {
			len += fread(file + len, 1, sizeof(file) - len, f);
			fclose(f);
		}
	}
	assert_true(len > 20000);
	assert_non_null(memmem(file, len, "anna", 4)); /* it is the right file */
	assert_non_null(memmem(file, len, p.key.id, 32));
	assert_null(memmem(file, len, p.secret, TOTP_SECRET));
	assert_null(memmem(file, len, a.token, strlen(a.token)));
	assert_null(memmem(file, len, code, strlen(code)));
	passkey_close(&p.key);
}

/* Whoever can write to the file cannot give one person's factor to another. */
static void rows_that_were_moved(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, b = {"10.0.0.6", "", ""};
	struct person anna = {0}, bert = {0};
	char path[128], code[9];
	sqlite3 *sql;

	settle(&a, &anna, "anna", "administrator");
	assert_string_equal(add_app(&a, &anna), "ok");
	assert_string_equal(set_password(&a, &anna, "tuvulepi"), "ok");
	settle(&b, &bert, "bert", "viewer");
	assert_string_equal(add_app(&b, &bert), "ok");
	assert_string_equal(set_password(&b, &bert, "ragomatu"), "ok");
	stop();
	snprintf(path, sizeof(path), "%s/people.db", w.folder);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(sql,
			     "UPDATE factor SET data = (SELECT data FROM factor f JOIN user u ON "
			     "f.user = u.id WHERE u.name = 'bert' AND f.kind = factor.kind) WHERE "
			     "kind IN ('password', 'totp') AND user = (SELECT id FROM user WHERE "
			     "name = 'anna')",
			     NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_changes(sql), 2);
	sqlite3_close(sql);
	start();
	pass(30 * SEC);
	now_code(&bert, code);
	assert_string_equal(by_password(&b, "anna", "ragomatu", code), "auth.store");
	assert_string_equal(sign_in(&a, &anna), "ok");
	passkey_close(&anna.key);
	passkey_close(&bert.key);
}

static void a_damaged_file_stays(void **state)
{
	struct browser a = {"10.0.0.5", "", ""};
	char path[128], nag[512];
	struct stat st;
	FILE *f;

	stop();
	snprintf(path, sizeof(path), "%s/people.db", w.folder);
	f = fopen(path, "wb");
	for (unsigned i = 0; i < 3000; i++)
		fputc('x', f);
	fclose(f);
	start();
	assert_asked(&a, "auth.begin", json_object(), "auth.store");
	assert_asked(&a, "auth.state", json_object(), "auth.store");
	assert_asked(&a, "auth.first", json_pack("{s:s}", "code", "x"), "auth.store");
	assert_box("user.add", json_pack("{s:s}", "user", "anna"), "auth.store");
	assert_box("key.list", json_object(), "auth.store");
	assert_box("session.list", json_object(), "auth.store");
	strcpy(a.token, "bws_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_asked(&a, "session.me", json_object(), "auth.store");
	assert_non_null(strstr(staff_nag(w.k.staff, nag, sizeof(nag)), "people.db"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3000);
}

/* Every call, with everything missing, of the wrong kind, huge or hostile. */
static void hostile_arguments(void **state)
{
	static const struct call_row *const tables[] = {signin_calls, session_calls, enrol_calls,
							user_calls, machine_calls};
	static const char *const names[] = {"login",  "user",	  "password", "totp",	 "sms",
					    "code",   "session",  "id",	      "name",	 "number",
					    "scopes", "role",	  "display",  "devices", "disabled",
					    "days",   "webauthn", "recovery", "others",	 "all"};
	struct browser a = {"10.0.0.5", "", ""};
	struct person p = {0};
	char *huge = malloc(70001);

	assert_non_null(huge);
	memset(huge, 'A', 70000);
	huge[70000] = 0;
	settle(&a, &p, "anna", "administrator");
	for (size_t t = 0; t < 5; t++)
		for (const struct call_row *row = tables[t]; row->name; row++)
			for (unsigned kind = 0; kind < 8; kind++) {
				json_t *args;

				if (strcmp(row->name, "auth.logout") == 0 ||
				    strcmp(row->name, "session.end") == 0)
					continue;
				args = json_object();
				for (size_t i = 0; kind && i < sizeof(names) / sizeof(*names); i++)
					json_object_set_new(
						args, names[i],
						kind == 1   ? json_null()
						: kind == 2 ? json_integer(-1)
						: kind == 3 ? json_string(huge)
						: kind == 4 ? json_array()
						: kind == 5 ? json_pack("{s:{}}", "response")
						: kind == 6 ? json_string("../'\";--\n\x01")
							    : json_stringn("a\0b", 3));
				ask(&a, row->name, args);
				if (w.error.status)
					assert_in_range(w.error.status, 400, 503);
			}
	/* It all was survived; and nobody was added on the way. */
	assert_string_equal(sign_in(&a, &p), "ok");
	assert_asked(&a, "user.list", json_object(), "ok");
	assert_int_equal(json_array_size(json_object_get(w.said, "users")), 1);
	free(huge);
	passkey_close(&p.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(codes_run_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_factors_of_two_kinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_enrolled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_learns_who_there_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guessing_locks_nobody_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guesses_in_a_row_are_counted_for_good, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(replayed_and_stolen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sessions_end_and_are_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_needs_a_fresh_factor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_ones_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changed_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(level_three, set_up, tear_down),
		cmocka_unit_test_setup_teardown(makers_admitted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(machines_with_certificates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(codes_where_a_certificate_is_needed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(recovery_codes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_factor_for_an_emergency, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sms_is_off_until_it_is_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_of_machines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_keys_passkeys_work, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_secret_on_the_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_that_were_moved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_file_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_arguments, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
