/* Who is there, from first start to two-person reset: people, their factors, what of them is on the disk. */
#include "staff_kit.h"

#include "keep/store.h"
#include "people/grant/grant.h"
#include "role/door.h"
#include "role/door_internal.h"
#include "role/trail.h"

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

/* bert's door, and one of another; how they stand. */
static uint32_t door_of(const char *person, enum grant_state want)
{
	const struct grant_ask a = {.person = person,
				    .role = "vendor",
				    .device = "pump-1",
				    .service = want == GRANT_OPEN ? "telnet" : "ssh",
				    .source = "10.0.0.6",
				    .mac = "02:00:00:00:00:06",
				    .reason = "drug library update",
				    .minutes = 30,
				    .vendor = true,
				    .alone = want == GRANT_OPEN};
	const struct grant_clock now = door_now(&w.k);
	uint32_t id = 0;

	assert_int_equal(grants_ask(w.k.door->book, &a, &now, &id), 0);
	assert_int_equal(grants_find(w.k.door->book, id)->state, want);
	return id;
}

static uint32_t invite(const char *person)
{
	struct invitation v = {.devices = {"pump-1"}, .device_count = 1};
	const struct grant_clock now = door_now(&w.k);
	uint32_t id = 0;

	strcpy(v.person, person);
	strcpy(v.by, "anna");
	strcpy(v.reason, "maintenance");
	assert_int_equal(grants_invite(w.k.door->book, &v, 600, &now, &id), 0);
	return id;
}

static unsigned left_to(const char *person)
{
	const struct grant_clock now = door_now(&w.k);
	unsigned n = 0;

	for (unsigned i = 0; i < grants_count(w.k.door->book); i++)
		n += strcmp(grants_at(w.k.door->book, i)->person, person) == 0 &&
		     grant_left(grants_at(w.k.door->book, i), &now) > 0;
	for (unsigned i = 0; i < grants_invitations(w.k.door->book); i++)
		n += strcmp(grants_invitation(w.k.door->book, i)->person, person) == 0 &&
		     !grants_invitation(w.k.door->book, i)->withdrawn;
	return n;
}

/* An account that is taken away takes its doors with it, at once. */
static void doors_end_with_the_account(void **state)
{
	static const char *const ways[][2] = {{"user.change", "role"},
					      {"user.change", "disabled"},
					      {"user.remove", NULL},
					      {"user.reset_approve", NULL}};
	struct browser a = {"10.0.0.5", "", ""}, c = {"10.0.0.7", "", ""};
	struct person anna = {0}, carl = {0};
	char path[160];
	uint32_t open, asked;

	snprintf(path, sizeof(path), "%s/events.db", w.folder);
	w.k.state_dir = w.folder;
	w.k.parent = -1;
	w.k.store = store_new(path, 1000);
	assert_non_null(door_new(&w.k, "boot"));
	settle(&a, &anna, "anna", "administrator");
	settle(&c, &carl, "carl", "administrator");
	invite("zoe");
	door_of("zoe", GRANT_OPEN);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		json_t *args = json_pack("{s:s}", "user", "bert");

		assert_asked(&a, "user.add",
			     json_pack("{s:s, s:s}", "user", "bert", "role", "vendor"), "ok");
		invite("bert");
		open = door_of("bert", GRANT_OPEN);
		asked = door_of("bert", GRANT_ASKED);
		assert_asked(&a, "user.change",
			     json_pack("{s:s, s:s}", "user", "bert", "display", "B"), "ok");
		assert_int_equal(left_to("bert"), 2);
		if (ways[i][1])
			json_object_set_new(args, ways[i][1],
					    i == 0 ? json_string("viewer") : json_true());
		if (strcmp(ways[i][0], "user.reset_approve") == 0)
			assert_asked(&c, "user.reset_request", json_pack("{s:s}", "user", "bert"),
				     "ok");
		assert_int_equal(left_to("bert"), 2);
		assert_asked(&a, ways[i][0], args, "ok");
		assert_int_equal(left_to("bert"), 0);
		assert_string_equal(grants_find(w.k.door->book, open)->ended_by, "anna");
		assert_int_equal(grants_find(w.k.door->book, asked)->state, GRANT_ENDED);
		assert_int_equal(left_to("zoe"), 2);
		if (strcmp(ways[i][0], "user.remove") != 0)
			assert_asked(&a, "user.remove", json_pack("{s:s}", "user", "bert"), "ok");
	}
	trail_close(&w.k);
	door_free(w.k.door);
	store_free(w.k.store);
	w.k.door = NULL;
	passkey_close(&anna.key);
	passkey_close(&carl.key);
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
#define STAGED(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(first_start),
		STAGED(codes_run_out),
		STAGED(two_factors_of_two_kinds),
		STAGED(half_enrolled),
		STAGED(all_is_lost),
		STAGED(the_last_ones_stay),
		STAGED(changed_users),
		STAGED(doors_end_with_the_account),
		STAGED(makers_admitted),
		STAGED(recovery_codes),
		STAGED(sms_is_off_until_it_is_on),
		STAGED(without_keys_passkeys_work),
		STAGED(nothing_secret_on_the_disk),
		STAGED(rows_that_were_moved),
		STAGED(a_damaged_file_stays),
		STAGED(hostile_arguments),
	};

	return cmocka_run_group_tests_name("staff", tests, NULL, NULL);
}
