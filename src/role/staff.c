#include "role/staff.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/x509.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "people/auth/attestation.h"
#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/token.h"
#include "people/console/client_cert.h"
#include "role/keeper.h"
#include "role/staff_internal.h"

#define COUNTERS 8192
#define TOUCH_NS (30 * NSEC_PER_SEC) /* a session's use is written no more often */
#define TICK_NS	 (60 * NSEC_PER_SEC)

static uint64_t wall_ns(void)
{
	return clock_wall_ns();
}

struct staff *staff_new(const struct staff_options *o, staff_tell_fn tell, void *arg)
{
	struct staff *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->o = *o;
	s->tell = tell;
	s->arg = arg;
	s->trouble = -ENODEV;
	s->clock = (struct staff_clock){clock_boot_ns, wall_ns};
	s->strangers = (struct throttle_budget){STAFF_HASHES, STAFF_HASH_EVERY, 0};
	s->known = (struct throttle_budget){STAFF_HASHES, STAFF_HASH_EVERY / 2, 0};
	clock_boot_id(s->boot);
	s->tickets = tickets_new(crypto_random);
	s->throttle = throttle_new(COUNTERS);
	if (!s->tickets || !s->throttle) {
		staff_free(s);
		return NULL;
	}
	return s;
}

void staff_open(struct staff *s, const char *dir, struct keys *keys)
{
	s->people = people_open(dir, keys);
	s->trouble = s->people ? 0 : -errno;
	s->keys = keys != NULL;
	if (!s->people) {
		log_error("%s/people.db cannot be used (%s): nobody can sign in", dir,
			  strerror(-s->trouble));
		return;
	}
	people_sessions_sweep(s->people, s->boot);
}

void staff_free(struct staff *s)
{
	if (!s)
		return;
	hasher_free(s->hasher);
	X509_STORE_free(s->roots);
	people_free(s->people);
	tickets_free(s->tickets);
	throttle_free(s->throttle);
	json_decref(s->scopes);
	json_decref(s->devices);
	for (unsigned i = 0; i < STAFF_SMS; i++)
		json_decref(s->sms[i].ok);
	secret_wipe(s, sizeof(*s));
	free(s);
}

void staff_set_clock(struct staff *s, const struct staff_clock *c)
{
	s->clock = *c;
}

void staff_set_boot(struct staff *s, const char *boot)
{
	snprintf(s->boot, sizeof(s->boot), "%s", boot);
}

struct staff *staff_of(struct keeper *k)
{
	return k->staff;
}

struct people *staff_people(struct staff *s, struct call_error *ret_error)
{
	if (s->people)
		return s->people;
	call_fail(ret_error, 503, "auth.store", "Nobody can sign in now",
		  "the database of people cannot be used (%s); put people.db back from a backup, "
		  "or move it away and begin anew with 'bedwarden user add'",
		  strerror(-s->trouble));
	return NULL;
}

json_t *staff_broken(struct call_error *ret_error, int err)
{
	switch (err) {
	case -ENOKEY:
	case -EKEYREVOKED:
		return call_fail(ret_error, 503, "auth.keys_locked",
				 "The gateway's keys are locked",
				 "only passkeys work until they are unlocked; 'bedwarden status' "
				 "says why they are locked");
	case -EDQUOT:
		return call_fail(ret_error, 409, "auth.too_many", "There is no room for more",
				 "remove one that is not needed");
	case -EEXIST:
		return call_fail(ret_error, 409, "auth.exists", "There is one already",
				 "choose another name, or remove that one");
	case -ENOENT:
		return call_fail(ret_error, 404, "auth.none", "There is none", "look again");
	case -ENOSPC:
		return call_fail(ret_error, 503, "gateway.disk_full", "The disk is full",
				 "make room and try again; nothing was changed");
	default:
		return call_fail(ret_error, 500, "auth.store", "The database of people failed",
				 "%s; see the gateway's log", strerror(-err));
	}
}

void staff_notice(struct staff *s, const struct people_user *u, enum reason why, const char *fmt,
		  ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	people_notice_add(s->people, u->id, reason_name(why), text, staff_wall(s));
	s->tell(s->arg, why, u->name, text, 0);
}

enum people_role staff_role(const struct people_user *u)
{
	enum people_role role;

	/* A row that somebody made up has the least right there is. */
	return people_role_from_name(u->role, &role) ? role : PEOPLE_VENDOR;
}

bool staff_aal3(const struct staff *s, const struct people_user *u)
{
	return s->o.aal3 & PEOPLE_ONLY(staff_role(u));
}

static struct limits person_limits(const struct staff *s, const struct people_user *u, int kind)
{
	return limits_of(staff_role(u), (enum session_kind)kind, staff_aal3(s, u), &s->o.wish);
}

static void add_kind(void *arg, const struct people_factor *f)
{
	unsigned *set = arg;
	enum factor kind;

	if (factor_from_name(f->kind, &kind))
		*set |= FACTOR_ONLY(kind);
}

bool staff_enrolled(struct staff *s, const uint8_t user[PEOPLE_ID], unsigned *ret_set)
{
	unsigned set = 0;

	if (people_factors(s->people, user, add_kind, &set) < 0)
		return false;
	*ret_set = set;
	return true;
}

struct roll {
	struct people_user *list;
	size_t count, cap;
};

static void add_admin(void *arg, const struct people_user *u)
{
	struct roll *r = arg;

	if (u->disabled || staff_role(u) != PEOPLE_ADMINISTRATOR || r->count == r->cap)
		return;
	r->list[r->count++] = *u;
}

unsigned staff_administrators(struct staff *s, const uint8_t *but)
{
	static struct people_user list[256]; /* one more or less of so many makes no difference */
	struct roll r = {list, 0, sizeof(list) / sizeof(*list)};
	unsigned count = 0, set;

	people_users(s->people, add_admin, &r);
	for (size_t i = 0; i < r.count; i++)
		if ((!but || memcmp(list[i].id, but, PEOPLE_ID) != 0) &&
		    staff_enrolled(s, list[i].id, &set) && factor_ready(set))
			count++;
	return count;
}

bool staff_attests(const struct staff *s)
{
	return s->o.attestation && *s->o.attestation;
}

void staff_take_roots(struct staff *s, struct bytes pem)
{
	unsigned count;

	X509_STORE_free(s->roots);
	s->roots = pem.len ? attestation_roots(pem, &count) : NULL;
	if (pem.len && !s->roots)
		log_error("people.attestation: %s holds something that is no certificate, or none",
			  staff_attests(s) ? s->o.attestation : "the file");
	else if (s->roots)
		log_debug("%u may vouch for authenticators", count);
}

const char *staff_nag(struct staff *s, char *buf, size_t cap)
{
	if (!s->people)
		snprintf(buf, cap,
			 "nobody can sign in: the database of people cannot be used (%s); put "
			 "people.db back from a backup",
			 strerror(-s->trouble));
	else if (staff_attests(s) && !s->roots)
		snprintf(buf, cap,
			 "no passkey can be added: people.attestation: no certificates could be "
			 "read from %.200s",
			 s->o.attestation);
	else if (staff_administrators(s, NULL) == 0)
		snprintf(buf, cap,
			 "nobody administers this gateway yet; 'bedwarden user add NAME --role "
			 "administrator' prints a code that lets the first one in");
	else
		return NULL;
	return buf;
}

static void tell_failures(struct staff *s)
{
	char text[192];

	if (!s->failures)
		return;
	snprintf(text, sizeof(text), "last as '%s' from %s", s->failed_user,
		 *s->failed_source ? s->failed_source : "the box");
	s->tell(s->arg, REASON_AUTH_GUESSING, "", text, s->failures);
	s->failures = 0;
	s->failures_told_ns = staff_now(s);
}

uint64_t staff_due(const struct staff *s)
{
	return s->people ? s->tick_ns : UINT64_MAX;
}

void staff_tick(struct staff *s)
{
	uint64_t now = clock_mono_ns();

	if (!s->people || now < s->tick_ns)
		return;
	s->tick_ns = now + TICK_NS;
	people_keys_sweep(s->people, staff_wall(s));
	tell_failures(s);
}

int staff_invite(struct staff *s, const uint8_t user[PEOPLE_ID], char ret_text[32])
{
	struct people_invitation i = {.until_s = staff_wall(s) + STAFF_INVITE_S,
				      .until_ns = staff_now(s) + STAFF_INVITE_S * NSEC_PER_SEC};
	struct bytes none = {NULL, 0};
	uint8_t code[CODE_BYTES];
	int err = crypto_random(code, sizeof(code));

	memcpy(i.user, user, PEOPLE_ID);
	snprintf(i.boot, sizeof(i.boot), "%s", s->boot);
	if (err == 0)
		err = code_hash(code, "invitation", none, i.hash);
	if (err == 0)
		err = people_invite(s->people, &i);
	if (err == 0)
		code_text(code, ret_text);
	secret_wipe(code, sizeof(code));
	return err;
}

/* L3 §5.1.2 and RFC 6454 §7: a name, or localhost; addresses cannot have passkeys. */
bool staff_rp_id(const char *origin, char ret_id[256])
{
	size_t len;

	if (strncmp(origin, "https://", 8) == 0)
		origin += 8;
	else if (strncmp(origin, "http://localhost", 16) == 0)
		origin += 7; /* browsers take that one for secure */
	else
		return false;
	len = strcspn(origin, ":/");
	if (len == 0 || len > 253 || strspn(origin, "0123456789.") >= len || *origin == '[')
		return false;
	memcpy(ret_id, origin, len);
	ret_id[len] = 0;
	return true;
}

bool staff_bytes(const json_t *args, const char *name, uint8_t *ret_data, size_t max,
		 size_t *ret_len)
{
	const char *text = call_text(args, name);

	return text && base64url_read(text, ret_data, max, ret_len) == 0;
}

bool staff_person(const struct call_asker *by, struct call_error *ret_error)
{
	if (!by->operator_ && !by->api_key && *by->session_id)
		return true;
	call_fail(ret_error, 403, "auth.person_needed", "This takes a person who signed in",
		  "sign in on the page; neither an API key nor the box itself has factors");
	return false;
}

/* --- sessions ------------------------------------------------------------- */

static void name_factors(unsigned set, char *ret_text, size_t cap)
{
	size_t len = 0;

	*ret_text = 0;
	for (unsigned f = 0; f < FACTOR_COUNT && len < cap; f++)
		if (set & FACTOR_ONLY(f))
			len += (size_t)snprintf(ret_text + len, cap - len, "%s%s", len ? " " : "",
						factor_name((enum factor)f));
}

static const char *kind_name(int kind)
{
	return kind == SESSION_FULL ? "full" : kind == SESSION_ENROL ? "enrol" : "one_factor";
}

static void put_notice(void *arg, const struct people_notice *n)
{
	if (!n->seen)
		json_array_append_new(arg,
				      json_pack("{s:I, s:s, s:s}", "time", (json_int_t)n->time_s,
						"reason", n->reason, "text", n->text));
}

static json_t *session_json(struct staff *s, const struct people_user *u,
			    const struct people_session *p)
{
	struct limits l = person_limits(s, u, p->kind);
	struct limits_times t = {p->made_ns, p->used_ns};
	uint64_t now = staff_now(s), end = limits_end(&t, &l), overall = t.made_ns + l.overall_ns;
	json_t *notices = json_array();

	people_notices(s->people, u->id, put_notice, notices);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:o}", "user", u->name,
			 "display", u->display, "role", u->role, "session_id", p->id, "aal", p->aal,
			 "kind", kind_name(p->kind), "factors", p->factors, "idle_seconds",
			 (json_int_t)(end > now ? (end - now) / NSEC_PER_SEC : 0),
			 "overall_seconds",
			 (json_int_t)(overall > now ? (overall - now) / NSEC_PER_SEC : 0),
			 "notices", notices);
}

json_t *staff_session(struct staff *s, const struct people_user *u, int kind, int aal,
		      unsigned shown, const struct call_asker *by,
		      const struct people_session *renew, struct call_error *ret_error)
{
	struct people_session p = renew ? *renew : (struct people_session){.made_s = 0};
	char token[TOKEN_TEXT], csrf[TOKEN_CSRF];
	uint8_t name[6];
	json_t *o;
	int err = token_make(TOKEN_SESSION, crypto_random, token, p.hash);

	if (err == 0)
		err = token_csrf(token, csrf);
	if (err == 0 && !renew)
		err = crypto_random(name, sizeof(name));
	if (err != 0)
		return staff_broken(ret_error, err);
	if (!renew) {
		base64url_write(name, sizeof(name), p.id);
		memcpy(p.user, u->id, PEOPLE_ID);
		p.kind = kind;
		p.aal = aal;
		name_factors(shown, p.factors, sizeof(p.factors));
		snprintf(p.boot, sizeof(p.boot), "%s", s->boot);
		p.made_ns = staff_now(s);
		p.made_s = staff_wall(s);
		snprintf(p.source, sizeof(p.source), "%s", by->source);
		snprintf(p.certificate, sizeof(p.certificate), "%s",
			 by->certificate ? by->certificate : "");
	}
	p.used_ns = p.fresh_ns = staff_now(s);
	err = renew ? people_session_renew(s->people, renew->hash, &p)
		    : people_session_add(s->people, &p);
	if (err != 0)
		return staff_broken(ret_error, err);
	o = session_json(s, u, &p);
	json_object_set_new(o, "token", json_string(token));
	json_object_set_new(o, "csrf", json_string(csrf));
	secret_wipe(token, sizeof(token));
	return o;
}

/* "a b c" as a list. */
static json_t *words(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t len = strcspn(text, " ");

		if (len)
			json_array_append_new(list, json_stringn(text, len));
		text += len;
		text += *text == ' ';
	}
	return list;
}

static bool no_session(struct call_error *e)
{
	call_fail(e, 401, "auth.session", "There is no such session (any longer)", "sign in again");
	return false;
}

/* Lent out until the next call. */
static void lend_user(struct staff *s, struct call_asker *by)
{
	by->user = s->user.name;
	by->role = staff_role(&s->user);
	json_decref(s->devices);
	s->devices = words(s->user.devices);
	by->devices = s->devices;
}

static bool no_certificate(struct call_error *e)
{
	call_fail(
		e, 403, "auth.certificate_needed", "Not from this workstation",
		"your role signs in from workstations with a certificate (people.certificate), and "
		"this one showed none; use one that has, or have one issued for it");
	return false;
}

bool staff_certified(const struct staff *s, const struct people_user *u,
		     const struct call_asker *by, struct call_error *ret_error)
{
	return !(s->o.certificate & PEOPLE_ONLY(staff_role(u))) ||
	       (by->certificate && *by->certificate) || no_certificate(ret_error);
}

/* A session stays with the workstation that it began at, as far as that can be told. */
static bool same_workstation(const struct people_session *p, const struct call_asker *by)
{
	const char *now = by->certificate ? by->certificate : "";

	return !*p->certificate || (strlen(now) >= CLIENT_CERT_PRINT &&
				    memcmp(p->certificate, now, CLIENT_CERT_PRINT) == 0);
}

static bool identify_session(struct staff *s, const uint8_t hash[CRYPTO_HASH], const char *token,
			     const char *csrf, struct call_asker *by, struct call_error *e)
{
	struct people_session *p = &s->session;
	uint64_t now = staff_now(s), fresh, end;
	struct limits_times t;
	struct limits l;

	if (people_session_by_hash(s->people, hash, p) < 0 ||
	    people_user_by_id(s->people, p->user, &s->user) < 0)
		return no_session(e);
	t = (struct limits_times){p->made_ns, p->used_ns};
	l = person_limits(s, &s->user, p->kind);
	if (s->user.disabled || strcmp(p->boot, s->boot) != 0 || limits_over(&t, &l, now)) {
		people_session_remove(s->people, hash);
		return no_session(e);
	}
	if (!same_workstation(p, by)) {
		call_fail(e, 401, "auth.certificate", "This session belongs to another workstation",
			  "it was begun with a certificate that this connection did not show; sign "
			  "in again");
		return false;
	}
	if (!staff_certified(s, &s->user, by, e))
		return false;
	if (!by->passive && now - p->used_ns > TOUCH_NS)
		people_session_used(s->people, hash, now);
	lend_user(s, by);
	by->session_id = p->id;
	by->csrf_ok = token_csrf_fits(token, csrf);
	by->enrolling = p->kind == SESSION_ENROL;
	by->one_factor = p->kind == SESSION_ONE_FACTOR;
	/* Who has no second factor yet can show none again: what it has shown counts until the end. */
	end = limits_end(&t, &l);
	fresh = by->enrolling ? end : p->fresh_ns + l.step_up_ns;
	by->stepped_up_ns = fresh > now ? clock_wall_ns() + (fresh - now) : 0;
	return true;
}

static bool identify_key(struct staff *s, const uint8_t hash[CRYPTO_HASH], struct call_asker *by,
			 struct call_error *e)
{
	struct people_key *k = &s->key;
	int64_t now = staff_wall(s);
	static const uint8_t nobody[PEOPLE_ID];

	if (people_key_by_hash(s->people, hash, k) < 0 || k->until_s <= now) {
		people_keys_sweep(s->people, now);
		call_fail(e, 401, "auth.key", "This API key is not good (any longer)",
			  "have an administrator make another");
		return false;
	}
	/* A key goes with who made it, and with their right to make any. */
	if (memcmp(k->owner, nobody, PEOPLE_ID) != 0 &&
	    (people_user_by_id(s->people, k->owner, &s->user) < 0 || s->user.disabled ||
	     staff_role(&s->user) != PEOPLE_ADMINISTRATOR)) {
		call_fail(e, 401, "auth.key", "This API key is not good (any longer)",
			  "who made it administers this gateway no longer; have an administrator "
			  "make another");
		return false;
	}
	if (now - k->used_s > 60 || now < k->used_s)
		people_key_used(s->people, hash, now);
	json_decref(s->scopes);
	s->scopes = words(k->scopes);
	by->user = k->name;
	by->session_id = k->id;
	by->scopes = s->scopes;
	by->api_key = true;
	if (!people_role_from_name(k->role, &by->role))
		by->role = PEOPLE_VIEWER;
	by->csrf_ok = true; /* no browser sends it unasked */
	return true;
}

bool staff_identify(struct keeper *k, const char *token, const char *csrf, struct call_asker *by,
		    struct call_error *ret_error)
{
	struct staff *s = staff_of(k);
	uint8_t hash[CRYPTO_HASH];
	enum token_kind kind;

	if (!staff_people(s, ret_error))
		return false;
	if (!token_read(token, &kind, hash))
		return no_session(ret_error);
	if (kind == TOKEN_API_KEY)
		return identify_key(s, hash, by, ret_error);
	return identify_session(s, hash, token, csrf, by, ret_error);
}

/* --- session.* ------------------------------------------------------------ */

static json_t *session_me(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	struct staff *s = staff_of(k);
	char csrf[TOKEN_CSRF];
	json_t *o;

	if (by->api_key || by->operator_)
		return json_pack("{s:s, s:s, s:s}", "user", by->user, "role",
				 people_role_name(by->role), "kind",
				 by->api_key ? "api_key" : "operator");
	o = session_json(s, &s->user, &s->session);
	if (token_csrf(by->session, csrf) == 0)
		json_object_set_new(o, "csrf", json_string(csrf));
	json_object_set_new(o, "fresh", json_boolean(by->stepped_up_ns > clock_wall_ns()));
	return o;
}

struct listing {
	struct staff *s;
	json_t *rows;
	const char *own; /* the asker's session id */
};

static void put_session(void *arg, const struct people_session *p)
{
	struct listing *l = arg;
	struct people_user u;
	struct limits limits;
	struct limits_times t = {p->made_ns, p->used_ns};

	if (people_user_by_id(l->s->people, p->user, &u) < 0)
		return;
	limits = person_limits(l->s, &u, p->kind);
	if (limits_over(&t, &limits, staff_now(l->s)))
		return;
	json_array_append_new(l->rows,
			      json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:b}", "id",
					p->id, "user", u.name, "kind", kind_name(p->kind), "aal",
					p->aal, "factors", p->factors, "source", p->source,
					"certificate", p->certificate, "since",
					(json_int_t)p->made_s, "idle_for_seconds",
					(json_int_t)((staff_now(l->s) - p->used_ns) / NSEC_PER_SEC),
					"own", strcmp(p->id, l->own) == 0));
}

/* One's own; an administrator's, auditor's or the box's: everybody's with "all". */
static json_t *session_list(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *name = call_text(args, "user");
	bool all = by->operator_ || name || json_is_true(json_object_get(args, "all"));
	struct listing l = {s, NULL, by->session_id};
	struct people_user u;
	int err;

	if (!staff_people(s, e) || (!all && !staff_person(by, e)))
		return NULL;
	l.rows = json_array();
	if (all && !by->operator_ && by->role != PEOPLE_ADMINISTRATOR &&
	    by->role != PEOPLE_AUDITOR) {
		json_decref(l.rows);
		return call_fail(e, 403, "auth.role", "Your role does not allow this",
				 "leave out 'all' and 'user' to see your own sessions");
	}
	err = name ? people_user_by_name(s->people, name, &u) : 0;
	if (err == 0)
		err = people_sessions(s->people,
				      name  ? u.id
				      : all ? NULL
					    : s->user.id,
				      put_session, &l);
	if (err < 0) {
		json_decref(l.rows);
		return staff_broken(e, err);
	}
	return json_pack("{s:o}", "sessions", l.rows);
}

static json_t *session_stop(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *id = call_text(args, "session");
	bool anybody = by->operator_ || by->role == PEOPLE_ADMINISTRATOR;
	int err;

	if (!staff_people(s, e) || (!anybody && !staff_person(by, e)))
		return NULL;
	if (json_is_true(json_object_get(args, "others"))) {
		if (!staff_person(by, e))
			return NULL;
		err = people_sessions_end(s->people, s->user.id, s->session.hash);
		return err < 0 ? staff_broken(e, err) : json_object();
	}
	if (!id)
		return call_fail(e, 400, "call.arguments", "Which session?",
				 "give its id as 'session'");
	err = people_session_end(s->people, id, anybody ? NULL : s->user.id);
	if (err == -ENOENT)
		return call_fail(e, 404, "auth.none", "There is no such session",
				 "session.list names those that are open");
	return err < 0 ? staff_broken(e, err) : json_object();
}

static json_t *notices_seen(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	struct staff *s = staff_of(k);
	int err;

	if (!staff_person(by, e))
		return NULL;
	err = people_notices_seen(s->people, s->user.id);
	return err < 0 ? staff_broken(e, err) : json_object();
}

const struct call_row session_calls[] = {
	{.name = "session.me",
	 .fn = session_me,
	 .roles = PEOPLE_ALL,
	 .also = CALL_ENROLLING | CALL_ONE_FACTOR},
	{.name = "session.list", .fn = session_list, .roles = PEOPLE_ALL, .pages = "sessions"},
	{.name = "session.end", .fn = session_stop, .roles = PEOPLE_ALL, .changes = true},
	{.name = "session.notices_seen", .fn = notices_seen, .roles = PEOPLE_ALL, .changes = true},
	{NULL},
};
