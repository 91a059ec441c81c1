/* Signing in and staying so: guessing, replays, sessions, fresh factors, machines with certificates and keys. */
#include "staff_kit.h"

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

/* Who may make no keys any longer has none that work. */
static void keys_go_with_their_maker(void **state)
{
	struct browser a = {"10.0.0.5", "", ""}, b = {"10.0.0.6", "", ""}, m = {"10.0.0.9", "", ""};
	struct person anna = {0}, bert = {0};

	settle(&a, &anna, "anna", "administrator");
	settle(&b, &bert, "bert", "administrator");
	assert_asked(&b, "key.make",
		     json_pack("{s:s, s:[s], s:s}", "name", "siem", "scopes", "session.me", "role",
			       "clinical_engineer"),
		     "ok");
	snprintf(m.token, sizeof(m.token), "%s", text("key"));
	assert_asked(&m, "session.me", json_object(), "ok");
	assert_asked(&a, "user.change", json_pack("{s:s, s:s}", "user", "bert", "role", "viewer"),
		     "ok");
	assert_asked(&m, "session.me", json_object(), "auth.key");
	assert_asked(&a, "user.change",
		     json_pack("{s:s, s:s}", "user", "bert", "role", "administrator"), "ok");
	assert_asked(&m, "session.me", json_object(), "ok");
	assert_asked(&a, "user.remove", json_pack("{s:s}", "user", "bert"), "ok");
	assert_asked(&m, "session.me", json_object(), "auth.key");
	passkey_close(&anna.key);
	passkey_close(&bert.key);
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

int main(void)
{
#define STAGED(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(nobody_learns_who_there_is),
		STAGED(guessing_locks_nobody_out),
		STAGED(guesses_in_a_row_are_counted_for_good),
		STAGED(replayed_and_stolen),
		STAGED(sessions_end_and_are_ended),
		STAGED(what_needs_a_fresh_factor),
		STAGED(level_three),
		STAGED(machines_with_certificates),
		STAGED(codes_where_a_certificate_is_needed),
		STAGED(keys_of_machines),
		STAGED(keys_go_with_their_maker),
		STAGED(one_factor_for_an_emergency),
	};

	return cmocka_run_group_tests_name("staff_session", tests, NULL, NULL);
}
