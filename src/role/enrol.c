#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/secret.h"
#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/password.h"
#include "people/auth/qr.h"
#include "people/auth/totp.h"
#include "role/staff_internal.h"

/* Whose factors: one's own; on the box, those of `user`. NULL: the error is written. */
static const struct people_user *whose(struct staff *s, const struct call_asker *by,
				       const json_t *args, struct call_error *e)
{
	const char *name = call_text(args, "user");
	int err;

	if (!staff_people(s, e))
		return NULL;
	if (!by->operator_)
		return staff_person(by, e) ? &s->user : NULL;
	err = name ? people_user_by_name(s->people, name, &s->user) : -ENOENT;
	if (err == 0)
		return &s->user;
	if (err == -ENOENT)
		call_fail(e, 404, "auth.no_user", "There is no such user",
			  "'bedwarden user ls' names them");
	else
		staff_broken(e, err);
	return NULL;
}

/* What else was open may be in the hands of whom this is meant to keep out. */
static void changed(struct staff *s, const struct call_asker *by, const struct people_user *u,
		    enum reason why, const char *what)
{
	people_sessions_end(s->people, u->id, by->operator_ ? NULL : s->session.hash);
	staff_notice(s, u, why, "%s, from %s", what,
		     by->operator_ ? "the box itself"
		     : *by->source ? by->source
				   : "an unknown place");
}

static bool take_label(const json_t *args, const char *fallback, char ret_label[PEOPLE_NAME],
		       struct call_error *e)
{
	const char *label = call_text(args, "name");

	if (!label || !*label)
		label = fallback;
	if (strlen(label) >= PEOPLE_NAME) {
		call_fail(e, 400, "call.arguments", "The name is too long", "at most %d bytes",
			  PEOPLE_NAME - 1);
		return false;
	}
	snprintf(ret_label, PEOPLE_NAME, "%s", label);
	return true;
}

/* Numbers of ours are texts to others: nobody counts with them. */
static void write_id(int64_t n, char ret_text[24])
{
	snprintf(ret_text, 24, "%lld", (long long)n);
}

static bool read_id(const char *text, int64_t *ret_n)
{
	uint64_t n;

	if (!number_read(text, 1, INT64_MAX, &n))
		return false;
	*ret_n = (int64_t)n;
	return true;
}

static json_t *id_json(int64_t n)
{
	char text[24];

	write_id(n, text);
	return json_pack("{s:s}", "id", text);
}

static void put_factor(void *arg, const struct people_factor *f)
{
	char id[24];

	write_id(f->id, id);
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", id, "kind", f->kind,
					     "label", f->label, "made", (json_int_t)f->made_s,
					     "used", (json_int_t)f->used_s));
}

static json_t *list(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	struct people_factor f;
	struct code_set set;
	json_t *rows;
	int err;

	if (!u)
		return NULL;
	rows = json_array();
	err = people_factors(s->people, u->id, put_factor, rows);
	if (err < 0) {
		json_decref(rows);
		return staff_broken(e, err);
	}
	if (people_factor_of(s->people, u->id, "recovery", &f) == 0 && f.data_len == sizeof(set)) {
		memcpy(&set, f.data, sizeof(set));
		return json_pack("{s:o, s:i}", "factors", rows, "recovery_left",
				 (int)code_set_left(&set));
	}
	return json_pack("{s:o}", "factors", rows);
}

/* --- passkeys ------------------------------------------------------------- */

static void exclude(void *arg, const struct people_factor *f)
{
	if (f->handle_len)
		json_array_append_new(arg, json_pack("{s:s, s:o}", "type", "public-key", "id",
						     staff_base64(f->handle, f->handle_len)));
}

static json_t *algorithms(void)
{
	static const enum cose_alg algs[] = {COSE_EDDSA, COSE_ES256, COSE_RS256};
	json_t *a = json_array();

	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++)
		json_array_append_new(
			a, json_pack("{s:s, s:i}", "type", "public-key", "alg", (int)algs[i]));
	return a;
}

/* A ticket for this session's user. false: the error is written. */
static bool enrol_ticket(struct staff *s, const struct call_asker *by, const struct people_user *u,
			 struct ticket *t, char ret_text[TICKET_TEXT], struct call_error *e)
{
	int err = crypto_random(t->challenge, sizeof(t->challenge));

	t->use = TICKET_ENROL;
	t->known = 1;
	memcpy(t->user, u->id, PEOPLE_ID);
	if (!by->operator_)
		memcpy(t->session, s->session.hash, CRYPTO_HASH);
	if (err == 0)
		err = ticket_write(s->tickets, t, staff_now(s), ret_text);
	if (err < 0)
		staff_broken(e, err);
	return err == 0;
}

static bool take_ticket(struct staff *s, const struct call_asker *by, const json_t *args,
			const struct people_user *u, struct ticket *ret_t, struct call_error *e)
{
	static const uint8_t none[CRYPTO_HASH];
	const char *text = call_text(args, "login");

	if (text && ticket_read(s->tickets, text, staff_now(s), ret_t) == 0 &&
	    ret_t->use == TICKET_ENROL && memcmp(ret_t->user, u->id, PEOPLE_ID) == 0 &&
	    crypto_equal(ret_t->session, by->operator_ ? none : s->session.hash, CRYPTO_HASH))
		return true;
	call_fail(e, 400, "auth.enrol_over", "This took too long, or was begun elsewhere",
		  "begin anew");
	return false;
}

/* PublicKeyCredentialCreationOptionsJSON, WebAuthn L3 §5.1.8. */
static json_t *webauthn_begin(struct keeper *k, const struct call_asker *by, const json_t *args,
			      struct call_error *e)
{
	struct staff *s = staff_of(k);
	char text[TICKET_TEXT], rp_id[256];
	const struct people_user *u;
	struct ticket t = {0};
	json_t *others;

	if (!staff_people(s, e) || !staff_person(by, e))
		return NULL;
	if (!staff_rp_id(by->origin, rp_id))
		return call_fail(e, 400, "auth.passkey_name", "Passkeys need a name",
				 "open this page by its name, not by an address");
	u = &s->user;
	if (!enrol_ticket(s, by, u, &t, text, e))
		return NULL;
	others = json_array();
	people_factors(s->people, u->id, exclude, others);
	return json_pack(
		"{s:s, s:{s:{s:s, s:s}, s:{s:o, s:s, s:s}, s:o, s:o, s:i, s:o, s:{s:s, s:b, s:s}, "
		"s:s}}",
		"login", text, "webauthn", "rp", "id", rp_id, "name", s->o.site, "user", "id",
		staff_base64(u->id, PEOPLE_ID), "name", u->name, "displayName",
		*u->display ? u->display : u->name, "challenge",
		staff_base64(t.challenge, sizeof(t.challenge)), "pubKeyCredParams", algorithms(),
		"timeout", TICKET_LIFE_S * 1000, "excludeCredentials", others,
		"authenticatorSelection", "residentKey", "required", "requireResidentKey", 1,
		"userVerification", "required", "attestation",
		staff_attests(s) ? "direct" : "none");
}

static json_t *unfit(enum webauthn_fault fault, struct call_error *e)
{
	char type[64];

	snprintf(type, sizeof(type), "auth.passkey.%s", webauthn_fault_name(fault));
	return call_fail(
		e, 400, type, webauthn_fault_sentence(fault),
		fault == WEBAUTHN_UNTRUSTED
			? "the policy (people.attestation) names whose authenticators are "
			  "admitted here; ask an administrator which those are, and use one"
			: "begin anew, with another authenticator if this one goes on so");
}

static json_t *webauthn_finish(struct keeper *k, const struct call_asker *by, const json_t *args,
			       struct call_error *e)
{
	static uint8_t id[AUTHDATA_ID_MAX], client[8192], object[16384];
	struct staff *s = staff_of(k);
	const json_t *o = json_object_get(args, "webauthn"), *r = json_object_get(o, "response");
	const char *const origins[] = {by->origin, NULL};
	size_t id_len, client_len, object_len;
	struct webauthn_credential c;
	struct people_factor f = {.used_s = 0};
	char rp_id[256];
	struct webauthn_want want = {.rp_id = rp_id, .origins = origins, .verified = true};
	enum webauthn_fault fault;
	struct ticket t;
	int64_t row;
	json_t *made;
	int err;

	if (!staff_people(s, e) || !staff_person(by, e) ||
	    !take_ticket(s, by, args, &s->user, &t, e) || !take_label(args, "passkey", f.label, e))
		return NULL;
	if (!staff_rp_id(by->origin, rp_id) || !staff_bytes(o, "id", id, sizeof(id), &id_len) ||
	    !staff_bytes(r, "clientDataJSON", client, sizeof(client), &client_len) ||
	    !staff_bytes(r, "attestationObject", object, sizeof(object), &object_len))
		return call_fail(e, 400, "call.arguments", "The passkey's answer cannot be read",
				 "'webauthn' is {id, response: {clientDataJSON, "
				 "attestationObject}}, all base64url");
	if (staff_attests(s) && !s->roots)
		return call_fail(e, 503, "auth.passkey.no_roots",
				 "No passkey can be added at the moment",
				 "people.attestation: no certificates could be read from %.200s; "
				 "'bedwarden status' says so too",
				 s->o.attestation);
	want.challenge = (struct bytes){t.challenge, sizeof(t.challenge)};
	want.roots = staff_attests(s) ? s->roots : NULL;
	want.now_s = staff_wall(s);
	fault = webauthn_register(&want, (struct bytes){id, id_len},
				  (struct bytes){client, client_len},
				  (struct bytes){object, object_len}, &c);
	if (fault != WEBAUTHN_OK)
		return unfit(fault, e);
	memcpy(f.user, s->user.id, PEOPLE_ID);
	snprintf(f.kind, sizeof(f.kind), "webauthn");
	f.made_s = staff_wall(s);
	staff_credential_write(&c, &f);
	err = ticket_spend(s->tickets, &t, staff_now(s));
	if (err == 0)
		err = people_factor_add(s->people, &f, &row);
	if (err == -EEXIST)
		return call_fail(e, 409, "auth.passkey_taken", "This passkey is in use already",
				 "every passkey belongs to one person, and is added once");
	if (err < 0)
		return staff_broken(e, err);
	changed(s, by, &s->user, REASON_AUTH_FACTOR_ADDED, "a passkey was added");
	made = id_json(row);
	json_object_set_new(made, "device_bound", json_boolean(!c.backup_eligible));
	return made;
}

/* --- an app's codes ------------------------------------------------------- */

static json_t *totp_begin(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	char text[TICKET_TEXT], uri[512], typed[TOTP_TEXT], *svg;
	struct ticket t = {0};
	json_t *o = NULL;
	int err;

	if (!u)
		return NULL;
	if (!s->keys)
		return staff_broken(e, -ENOKEY);
	err = crypto_random(t.secret, TOTP_SECRET);
	if (err == 0)
		err = totp_uri(s->o.site, u->name, t.secret, uri, sizeof(uri));
	if (err < 0)
		return staff_broken(e, err);
	if (!enrol_ticket(s, by, u, &t, text, e))
		return NULL;
	totp_text(t.secret, typed);
	svg = qr_svg(uri);
	if (svg)
		o = json_pack("{s:s, s:s, s:s, s:s}", "login", text, "uri", uri, "secret", typed,
			      "svg", svg);
	free(svg);
	secret_wipe(&t, sizeof(t));
	return o ? o : staff_broken(e, -ENOMEM);
}

/* A user has one of these at most: a new one takes the old one's place. */
static int replace(struct staff *s, struct people_factor *f, int64_t *ret_id)
{
	struct people_factor old;
	int err = people_factor_of(s->people, f->user, f->kind, &old);

	/* One that cannot be unsealed any more is replaced as well. */
	if (err != 0 && err != -ENOENT && err != -EBADMSG)
		return err;
	if (err == -ENOENT)
		return people_factor_add(s->people, f, ret_id);
	f->id = old.id;
	*ret_id = old.id;
	secret_wipe(old.data, sizeof(old.data));
	return people_factor_change(s->people, f);
}

static json_t *totp_finish(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	const char *code = call_text(args, "totp");
	struct people_factor f = {.kind = "totp"};
	struct ticket t;
	uint64_t step;
	int64_t row;
	int err;

	if (!u || !take_ticket(s, by, args, u, &t, e) ||
	    !take_label(args, "authenticator app", f.label, e))
		return NULL;
	if (!code || !totp_check((struct bytes){t.secret, TOTP_SECRET}, code,
				 (uint64_t)staff_wall(s), 0, &step))
		return call_fail(
			e, 400, "auth.code_wrong", "That is not the code the app shows now",
			"type the six digits while they are shown; if they are always wrong, "
			"see that telephone and gateway have the same time");
	memcpy(f.user, u->id, PEOPLE_ID);
	memcpy(f.data, t.secret, TOTP_SECRET);
	f.data_len = TOTP_SECRET;
	f.count = (int64_t)step; /* this code has served */
	f.made_s = staff_wall(s);
	err = ticket_spend(s->tickets, &t, staff_now(s));
	if (err == 0)
		err = replace(s, &f, &row);
	secret_wipe(&f, sizeof(f));
	secret_wipe(&t, sizeof(t));
	if (err < 0)
		return staff_broken(e, err);
	changed(s, by, u, REASON_AUTH_FACTOR_ADDED, "an authenticator app was added");
	return id_json(row);
}

/* --- passwords ------------------------------------------------------------ */

static json_t *password_set(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	const char *text = call_text(args, "password");
	const char *context[] = {NULL, NULL, s->o.site, "bedwarden", NULL};
	struct people_factor f = {.kind = "password", .label = "password"};
	struct hasher_job job = {.class = HASHER_KNOWN, .password = text, .make = true};
	struct hasher_done done;
	enum password_fault fault;
	unsigned set = 0, min;
	char type[64];
	int64_t row;
	int err;

	if (!u)
		return NULL;
	if (!text)
		return call_fail(e, 400, "call.arguments", "Which password?", "give 'password'");
	if (!s->keys)
		return staff_broken(e, -ENOKEY);
	if (!staff_enrolled(s, u->id, &set))
		return staff_broken(e, -EIO);
	min = set & FACTOR_SECOND ? PASSWORD_BESIDE : PASSWORD_ALONE;
	context[0] = u->name;
	context[1] = *u->display ? u->display : u->name;
	fault = password_check(text, min, context);
	if (fault != PASSWORD_FAULT_OK) {
		snprintf(type, sizeof(type), "auth.password.%s", password_fault_name(fault));
		return call_fail(e, 400, type, password_fault_sentence(fault),
				 "at least %u characters%s, of any kind; a sentence is easiest to "
				 "remember",
				 min,
				 min == PASSWORD_ALONE ? " until there is a second factor" : "");
	}
	if (staff_hash(s, by, &job, &done, e) < 0)
		return NULL;
	err = done.err;
	memcpy(f.data, done.record, PASSWORD_RECORD);
	secret_wipe(&done, sizeof(done));
	f.data_len = PASSWORD_RECORD;
	memcpy(f.user, u->id, PEOPLE_ID);
	f.made_s = staff_wall(s);
	if (err == 0)
		err = replace(s, &f, &row);
	secret_wipe(&f, sizeof(f));
	if (err < 0)
		return staff_broken(e, err);
	changed(s, by, u, REASON_AUTH_FACTOR_ADDED, "the password was set");
	return id_json(row);
}

/* --- recovery codes ------------------------------------------------------- */

static json_t *recovery_make(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	struct people_factor f = {.kind = "recovery", .label = "printed codes"};
	char texts[CODE_RECOVERY][CODE_TEXT];
	struct code_set set;
	json_t *codes;
	int64_t row;
	int err;

	if (!u)
		return NULL;
	if (!s->keys)
		return staff_broken(e, -ENOKEY);
	err = code_set_make(crypto_random, &set, texts);
	memcpy(f.data, &set, sizeof(set));
	f.data_len = sizeof(set);
	memcpy(f.user, u->id, PEOPLE_ID);
	f.made_s = staff_wall(s);
	if (err == 0)
		err = replace(s, &f, &row);
	if (err < 0)
		return staff_broken(e, err);
	codes = json_array();
	for (unsigned i = 0; i < CODE_RECOVERY; i++)
		json_array_append_new(codes, json_string(texts[i]));
	secret_wipe(texts, sizeof(texts));
	changed(s, by, u, REASON_AUTH_FACTOR_ADDED, "new recovery codes were printed");
	return json_pack("{s:o}", "codes", codes);
}

/* --- SMS ------------------------------------------------------------------ */

/* E.164: a plus, and 7 to 15 digits. */
static bool is_number(const char *text)
{
	size_t len = *text == '+' ? strspn(text + 1, "0123456789") : 0;

	return len >= 7 && len <= 15 && !text[len + 1];
}

static json_t *sms_begin(struct keeper *k, const struct call_asker *by, const struct people_user *u,
			 const char *number, struct call_error *e)
{
	struct staff *s = staff_of(k);
	static const struct throttle_limits often = {1, 30 * NSEC_PER_SEC, 3600 * NSEC_PER_SEC,
						     24 * 3600 * NSEC_PER_SEC};
	uint64_t key = throttle_key(s->throttle, "sms enrol", (struct bytes){u->id, PEOPLE_ID}, "");
	char code[CODE_SMS], text[TICKET_TEXT], message[160];
	struct ticket t = {0};
	int err;

	if (!is_number(number))
		return call_fail(e, 400, "call.arguments", "This is no telephone number",
				 "with its country: +43 660 1234567, without blanks");
	if (throttle_wait(s->throttle, key, &often, staff_now(s)))
		return call_fail(e, 429, "auth.slow_down", "A code was sent just now",
				 "wait for it before asking for another");
	throttle_failed(s->throttle, key, &often, staff_now(s));
	err = code_sms(crypto_random, code);
	if (err < 0)
		return staff_broken(e, err);
	memcpy(t.secret, code, CODE_SMS - 1);
	snprintf(t.to, sizeof(t.to), "%s", number);
	if (!enrol_ticket(s, by, u, &t, text, e))
		return NULL;
	snprintf(message, sizeof(message), "%s is your code for %.60s.", code, s->o.site);
	return staff_send(k, by, number, message,
			  json_pack("{s:s, s:s}", "login", text, "sent", "queued"), e);
}

static json_t *sms_set(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *number = call_text(args, "number"), *code = call_text(args, "sms");
	struct people_factor f = {.kind = "sms"};
	struct ticket t;
	int64_t row;
	int err;

	if (!staff_people(s, e) || !staff_person(by, e))
		return NULL;
	if (!s->o.sms)
		return call_fail(e, 403, "auth.sms_off", "Codes by SMS are not offered here",
				 "use a passkey or an app");
	if (!s->keys)
		return staff_broken(e, -ENOKEY);
	if (number)
		return sms_begin(k, by, &s->user, number, e);
	if (!take_ticket(s, by, args, &s->user, &t, e))
		return NULL;
	/* One try: who mistypes has another code sent. */
	err = ticket_spend(s->tickets, &t, staff_now(s));
	if (err < 0)
		return staff_broken(e, err);
	if (!*t.to || !code || strlen(code) != CODE_SMS - 1 ||
	    !crypto_equal(code, t.secret, CODE_SMS - 1))
		return call_fail(e, 400, "auth.code_wrong", "That is not the code that was sent",
				 "have another one sent");
	memcpy(f.user, s->user.id, PEOPLE_ID);
	f.data_len = strlen(t.to);
	memcpy(f.data, t.to, f.data_len);
	snprintf(f.label, sizeof(f.label), "…%s", t.to + f.data_len - 3);
	f.made_s = staff_wall(s);
	err = replace(s, &f, &row);
	if (err < 0)
		return staff_broken(e, err);
	changed(s, by, &s->user, REASON_AUTH_FACTOR_ADDED,
		"a telephone for codes by SMS was added");
	return id_json(row);
}

/* --- removing ------------------------------------------------------------- */

struct others {
	int64_t but;
	unsigned set;
};

static void add_other(void *arg, const struct people_factor *f)
{
	struct others *o = arg;
	enum factor kind;

	if (f->id != o->but && factor_from_name(f->kind, &kind))
		o->set |= FACTOR_ONLY(kind);
}

static json_t *drop(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const struct people_user *u = whose(s, by, args, e);
	struct people_factor f;
	struct others left = {0, 0};
	char what[96];
	int64_t id;
	int err;

	if (!u)
		return NULL;
	if (!read_id(call_text(args, "id"), &id))
		return call_fail(e, 400, "call.arguments", "Which factor?", "give its 'id'");
	err = people_factor_by_id(s->people, id, &f);
	if (err == -ENOENT || ((err == 0 || err == -ENOKEY || err == -EBADMSG) &&
			       memcmp(f.user, u->id, PEOPLE_ID) != 0))
		return call_fail(e, 404, "auth.none", "There is no such factor",
				 "factor.list names them");
	if (err < 0 && err != -ENOKEY && err != -EBADMSG)
		return staff_broken(e, err);
	secret_wipe(f.data, sizeof(f.data));
	left.but = id;
	err = people_factors(s->people, u->id, add_other, &left);
	if (err < 0)
		return staff_broken(e, err);
	if (!factor_ready(left.set))
		return call_fail(e, 409, "auth.last_factor", "Without it there is no way in",
				 "add another factor first");
	err = people_factor_remove(s->people, id);
	if (err < 0)
		return staff_broken(e, err);
	snprintf(what, sizeof(what), "the %s '%.60s' was removed", f.kind, f.label);
	changed(s, by, u, REASON_AUTH_FACTOR_REMOVED, what);
	return json_object();
}

#define FACTOR_ROW(name_, fn_, step)                                                  \
	{                                                                             \
		.name = (name_), .fn = (fn_), .roles = PEOPLE_ALL, .step_up = (step), \
		.changes = (step), .also = CALL_ENROLLING                             \
	}

const struct call_row enrol_calls[] = {
	FACTOR_ROW("factor.list", list, false),
	FACTOR_ROW("factor.webauthn_begin", webauthn_begin, true),
	FACTOR_ROW("factor.webauthn_finish", webauthn_finish, true),
	FACTOR_ROW("factor.totp_begin", totp_begin, true),
	FACTOR_ROW("factor.totp_finish", totp_finish, true),
	FACTOR_ROW("factor.password_set", password_set, true),
	FACTOR_ROW("factor.recovery_make", recovery_make, true),
	FACTOR_ROW("factor.sms_set", sms_set, true),
	FACTOR_ROW("factor.remove", drop, true),
	{NULL},
};
