#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/password.h"
#include "role/keeper.h"
#include "role/staff_internal.h"

static json_t *factor_list(unsigned set)
{
	json_t *list = json_array();

	for (unsigned f = 0; f < FACTOR_COUNT; f++)
		if (set & FACTOR_ONLY(f))
			json_array_append_new(list, json_string(factor_name((enum factor)f)));
	return list;
}

static unsigned offered(const struct staff *s)
{
	unsigned all = (1u << FACTOR_COUNT) - 1;

	return s->o.sms ? all : all & ~FACTOR_ONLY(FACTOR_SMS);
}

json_t *staff_base64(const uint8_t *data, size_t len)
{
	char text[BASE64URL_LEN(AUTHDATA_ID_MAX) + 1];

	base64url_write(data, len, text);
	return json_string(text);
}

/* PublicKeyCredentialRequestOptionsJSON, WebAuthn L3 §5.1.9. */
static json_t *challenge_of(const struct ticket *t, const char *rp_id, json_t *allow)
{
	return json_pack("{s:o, s:s, s:i, s:s, s:o}", "challenge",
			 staff_base64(t->challenge, sizeof(t->challenge)), "rpId", rp_id, "timeout",
			 TICKET_LIFE_S * 1000, "userVerification", "required", "allowCredentials",
			 allow);
}

static int begin_ticket(struct staff *s, struct ticket *t, char ret_text[TICKET_TEXT],
			struct call_error *e)
{
	int err = crypto_random(t->challenge, sizeof(t->challenge));

	if (err == 0)
		err = ticket_write(s->tickets, t, staff_now(s), ret_text);
	if (err < 0)
		staff_broken(e, err);
	return err;
}

static json_t *state(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct staff *s = staff_of(k);
	char rp_id[256];
	bool named = staff_rp_id(by->origin, rp_id);
	json_t *o;

	if (!staff_people(s, e))
		return NULL;
	o = json_pack("{s:b, s:o, s:b, s:s, s:s}", "first", staff_administrators(s, NULL) == 0,
		      "factors", factor_list(offered(s)), "passkeys", named, "rp_id",
		      named ? rp_id : "", "site", s->o.site);
	if (s->o.sms)
		json_object_set_new(o, "sms_restricted",
				    json_string("Codes by SMS can be redirected or read on their "
						"way; use a passkey or an app where you can."));
	return o;
}

static json_t *begin(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct ticket t = {.use = TICKET_LOGIN};
	const char *name = call_text(args, "user");
	char text[TICKET_TEXT], rp_id[256];
	json_t *o;

	if (!staff_people(s, e))
		return NULL;
	if (name && strlen(name) < sizeof(t.name))
		snprintf(t.name, sizeof(t.name), "%s", name);
	if (begin_ticket(s, &t, text, e) < 0)
		return NULL;
	o = json_pack("{s:s, s:o}", "login", text, "factors", factor_list(offered(s)));
	if (staff_rp_id(by->origin, rp_id))
		json_object_set_new(o, "webauthn", challenge_of(&t, rp_id, json_array()));
	return o;
}

/* The ticket in `login`; false: the error is written. */
static bool take_ticket(struct staff *s, const json_t *args, enum ticket_use use,
			struct ticket *ret_t, struct call_error *e)
{
	const char *text = call_text(args, "login");
	int err = text ? ticket_read(s->tickets, text, staff_now(s), ret_t) : -EBADMSG;

	if (err == 0 && ret_t->use == use)
		return true;
	call_fail(e, 400, "auth.login_over",
		  err == -EALREADY ? "This sign-in was completed already"
				   : "This sign-in took too long, or is none",
		  "begin anew (auth.begin)");
	return false;
}

static bool spend_ticket(struct staff *s, const struct ticket *t, struct call_error *e)
{
	int err = ticket_spend(s->tickets, t, staff_now(s));

	if (err == 0)
		return true;
	if (err == -EALREADY)
		call_fail(e, 400, "auth.login_over", "This sign-in was completed already",
			  "begin anew (auth.begin)");
	else
		call_fail(e, 503, "auth.busy", "Too many people sign in", "try again in a minute");
	return false;
}

static void clear_failures(void *arg, const struct people_factor *f)
{
	int64_t *ids = arg;

	for (unsigned i = 0; f->failures && i < PEOPLE_FACTORS; i++)
		if (!ids[i]) {
			ids[i] = f->id;
			return;
		}
}

/* For the next time: they know whether that was them. */
static const char *new_place(const char *source, char *buf, size_t cap)
{
	snprintf(buf, cap, "you signed in from %s, for the first time lately", source);
	return buf;
}

/* Somebody is in: what others guessed meanwhile is void, and they are known from here. */
static void welcome(struct staff *s, const struct people_user *u, const struct call_asker *by,
		    int aal)
{
	int64_t ids[PEOPLE_FACTORS] = {0};
	char text[128];

	people_factors(s->people, u->id, clear_failures, ids);
	for (unsigned i = 0; i < PEOPLE_FACTORS && ids[i]; i++)
		people_factor_failed(s->people, ids[i], 0);
	if (!people_is_known(s->people, u->id, by->source))
		people_notice_add(s->people, u->id, reason_name(REASON_AUTH_SIGNED_IN),
				  new_place(by->source, text, sizeof(text)), staff_wall(s));
	people_know(s->people, u->id, by->source, staff_wall(s));
	snprintf(text, sizeof(text), "from %s, level %d", by->source, aal);
	s->tell(s->arg, REASON_AUTH_SIGNED_IN, u->name, text, 0);
}

static void note(struct keeper *k, const char *call, const struct call_asker *by,
		 const struct people_user *u)
{
	static const char *const names[] = {"auth.finish", "auth.first", "auth.step_up_finish"};
	struct call_asker who = *by;
	struct call_row row = {.changes = true};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], call) == 0)
			row.name = names[i];
	who.user = u->name;
	who.role = staff_role(u);
	if (k->note_act)
		k->note_act(k, &row, &who, NULL, NULL);
}

/* Not enough yet: what else there is, and a ticket that remembers. */
static json_t *go_on(struct staff *s, struct ticket *t, const struct shown *shown, unsigned next,
		     const struct call_asker *by, struct call_error *e)
{
	char text[TICKET_TEXT], rp_id[256];
	json_t *o;

	t->known = 1;
	memcpy(t->user, shown->user.id, PEOPLE_ID);
	t->passed = shown->factors;
	if (begin_ticket(s, t, text, e) < 0)
		return NULL;
	o = json_pack("{s:s, s:o}", "login", text, "next", factor_list(next));
	if (next & FACTOR_ONLY(FACTOR_WEBAUTHN) && staff_rp_id(by->origin, rp_id))
		json_object_set_new(o, "webauthn", challenge_of(t, rp_id, json_array()));
	return o;
}

/* What was shown may be enough for this person's role, for a narrower session, or for more questions. */
static json_t *judge(struct keeper *k, struct ticket *t, const struct shown *shown,
		     const struct call_asker *by, bool one_factor, struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = &shown->user;
	unsigned enrolled = 0, aal = factor_aal(shown->factors, shown->bound);
	unsigned want = staff_aal3(s, u) ? 3 : 2, next;
	enum session_kind kind = SESSION_FULL;
	json_t *o;

	if (!staff_enrolled(s, u->id, &enrolled))
		return staff_broken(e, -EIO);
	if (!factor_ready(enrolled))
		kind = SESSION_ENROL; /* there is nothing more that they could show */
	else if (one_factor)
		kind = SESSION_ONE_FACTOR;
	else if (aal < want) {
		next = want == 3 ? enrolled & FACTOR_ONLY(FACTOR_WEBAUTHN) & ~shown->factors
				 : factor_next(shown->factors, enrolled & offered(s));
		if (next)
			return go_on(s, t, shown, next, by, e);
		/* An administrator by a synced passkey, where the role wants one that is not: they may
		 * add such a one, and do nothing else. */
		if (aal < 2)
			return call_fail(e, 403, "auth.no_second",
					 "There is no second factor to ask for",
					 "have an administrator reset this account");
		kind = SESSION_ENROL;
	}
	if (!staff_certified(s, u, by, e) || !spend_ticket(s, t, e))
		return NULL;
	o = staff_session(s, u, kind, (int)aal, shown->factors, by, NULL, e);
	if (o) {
		if (kind == SESSION_FULL)
			welcome(s, u, by, (int)aal);
		note(k, "auth.finish", by, u);
	}
	return o;
}

static json_t *finish(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct shown shown = {0};
	struct ticket t;

	if (!staff_people(s, e) || !take_ticket(s, args, TICKET_LOGIN, &t, e))
		return NULL;
	if (t.known) {
		if (people_user_by_id(s->people, t.user, &shown.user) < 0)
			return call_fail(e, 400, "auth.login_over", "This sign-in is over",
					 "begin anew (auth.begin)");
		shown.known = true;
		shown.factors = t.passed;
	}
	if (show_factors(s, by, args, &t, &shown, e) < 0)
		return NULL;
	return judge(k, &t, &shown, by, json_is_true(json_object_get(args, "one_factor")), e);
}

/* The code that a new user, or one whose factors were reset, was given. */
static json_t *first(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *text = call_text(args, "code");
	struct bytes none = {NULL, 0};
	struct people_invitation i;
	struct people_user u;
	uint8_t code[CODE_BYTES], hash[CRYPTO_HASH];
	json_t *o;
	bool good;

	if (!staff_people(s, e) || show_source(s, by, "code", e) < 0)
		return NULL;
	good = text && code_read(text, code) && code_hash(code, "invitation", none, hash) == 0 &&
	       people_invited(s->people, hash, &i) == 0 &&
	       (strcmp(i.boot, s->boot) == 0 ? staff_now(s) < i.until_ns
					     : staff_wall(s) < i.until_s) &&
	       people_user_by_id(s->people, i.user, &u) == 0 && !u.disabled;
	secret_wipe(code, sizeof(code));
	if (!good) {
		show_source_failed(s, by, "code");
		return call_fail(e, 401, "auth.code", "This code is not good (any longer)",
				 "a code works once and for a day; 'bedwarden user enrol NAME' on "
				 "the box, or an administrator, gives another");
	}
	if (!staff_certified(s, &u, by, e))
		return NULL;
	if (people_invitation_remove(s->people, hash) < 0) /* first, so that it works once */
		return staff_broken(e, -EIO);
	o = staff_session(s, &u, SESSION_ENROL, 1, 0, by, NULL, e);
	if (o) {
		s->tell(s->arg, REASON_AUTH_FIRST, u.name, by->source, 0);
		note(k, "auth.first", by, &u);
	}
	return o;
}

static json_t *log_out(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	struct staff *s = staff_of(k);
	int err;

	if (!staff_person(by, e))
		return NULL;
	err = people_session_remove(s->people, s->session.hash);
	return err < 0 && err != -ENOENT ? staff_broken(e, err) : json_object();
}

static void allow_passkey(void *arg, const struct people_factor *f)
{
	if (f->handle_len)
		json_array_append_new(arg, json_pack("{s:s, s:o}", "type", "public-key", "id",
						     staff_base64(f->handle, f->handle_len)));
}

static json_t *step_up_begin(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct ticket t = {.use = TICKET_STEP_UP, .known = 1};
	char text[TICKET_TEXT], rp_id[256];
	unsigned set = 0;
	json_t *o, *allow;

	if (!staff_person(by, e))
		return NULL;
	memcpy(t.user, s->user.id, PEOPLE_ID);
	memcpy(t.session, s->session.hash, CRYPTO_HASH);
	if (!staff_enrolled(s, s->user.id, &set))
		return staff_broken(e, -EIO);
	set &= offered(s) & FACTOR_SECOND;
	if (staff_aal3(s, &s->user))
		set &= FACTOR_ONLY(FACTOR_WEBAUTHN);
	if (begin_ticket(s, &t, text, e) < 0)
		return NULL;
	o = json_pack("{s:s, s:o}", "login", text, "factors", factor_list(set));
	if (set & FACTOR_ONLY(FACTOR_WEBAUTHN) && staff_rp_id(by->origin, rp_id)) {
		allow = json_array();
		people_factors(s->people, s->user.id, allow_passkey, allow);
		json_object_set_new(o, "webauthn", challenge_of(&t, rp_id, allow));
	}
	return o;
}

static json_t *step_up_finish(struct keeper *k, const struct call_asker *by, const json_t *args,
			      struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct shown shown = {0};
	struct ticket t;
	json_t *o;

	if (!staff_person(by, e) || !take_ticket(s, args, TICKET_STEP_UP, &t, e))
		return NULL;
	if (!crypto_equal(t.session, s->session.hash, CRYPTO_HASH))
		return call_fail(e, 400, "auth.login_over", "This was begun by another session",
				 "begin anew (auth.step_up_begin)");
	shown.user = s->user;
	shown.known = true;
	if (show_factors(s, by, args, &t, &shown, e) < 0)
		return NULL;
	/* A password is what the browser has stored: it shows nobody's presence. */
	if (!(shown.factors & FACTOR_SECOND) || (staff_aal3(s, &s->user) && !shown.bound))
		return call_fail(e, 403, "auth.step_up_needed", "A fresh second factor is needed",
				 "a password alone does not do; use one of the factors named");
	if (!spend_ticket(s, &t, e))
		return NULL;
	o = staff_session(s, &s->user, 0, 0, 0, by, &s->session, e);
	if (o)
		note(k, "auth.step_up_finish", by, &s->user);
	return o;
}

#define SMS_EVERY_S 30

static json_t *sms_send(struct keeper *k, const struct call_asker *by, const json_t *args,
			struct call_error *e)
{
	static const struct throttle_limits often = {1, SMS_EVERY_S * NSEC_PER_SEC,
						     3600 * NSEC_PER_SEC, 24 * 3600 * NSEC_PER_SEC};
	struct staff *s = staff_of(k);
	const char *login = call_text(args, "login");
	char code[CODE_SMS], text[TICKET_TEXT], message[160];
	struct people_factor f;
	struct ticket t;
	uint64_t key, wait;
	int err;

	if (!staff_people(s, e))
		return NULL;
	if (!s->o.sms)
		return call_fail(e, 403, "auth.sms_off", "Codes by SMS are not offered here",
				 "use a passkey or an app");
	if (!login || ticket_read(s->tickets, login, staff_now(s), &t) < 0 || !t.known ||
	    (t.use == TICKET_LOGIN ? !t.passed : t.use != TICKET_STEP_UP))
		return call_fail(e, 400, "auth.login_over", "Show another factor first",
				 "a code by SMS is the second factor, after the password");
	err = people_factor_of(s->people, t.user, "sms", &f);
	if (err == 0)
		err = code_sms(crypto_random, code);
	if (err < 0)
		return staff_broken(e, err);
	key = throttle_key(s->throttle, "sms sent", (struct bytes){t.user, PEOPLE_ID}, "");
	wait = throttle_wait(s->throttle, key, &often, staff_now(s));
	if (wait)
		return call_fail(e, 429, "auth.slow_down", "A code was sent just now",
				 "wait %llu seconds for it before asking for another",
				 (unsigned long long)(wait / NSEC_PER_SEC + 1));
	throttle_failed(s->throttle, key, &often, staff_now(s));
	memset(t.secret, 0, sizeof(t.secret));
	memcpy(t.secret, code, CODE_SMS - 1);
	snprintf(t.to, sizeof(t.to), "%.*s", (int)f.data_len, (const char *)f.data);
	err = ticket_write(s->tickets, &t, staff_now(s), text);
	if (err < 0)
		return staff_broken(e, err);
	snprintf(message, sizeof(message),
		 "%s is your code for %.60s. Nobody from there will ever ask you for it.", code,
		 s->o.site);
	return staff_send(k, by, t.to, message,
			  json_pack("{s:s, s:s}", "login", text, "sent", "queued"), e);
}

const struct call_row signin_calls[] = {
	{.name = "auth.state", .fn = state},
	{.name = "auth.begin", .fn = begin},
	{.name = "auth.finish", .fn = finish},
	{.name = "auth.first", .fn = first},
	{.name = "auth.sms_send", .fn = sms_send},
	{.name = "auth.step_up_begin", .fn = step_up_begin, .roles = PEOPLE_ALL},
	{.name = "auth.step_up_finish", .fn = step_up_finish, .roles = PEOPLE_ALL},
	{.name = "auth.logout",
	 .fn = log_out,
	 .roles = PEOPLE_ALL,
	 .also = CALL_ENROLLING | CALL_ONE_FACTOR},
	{NULL},
};
