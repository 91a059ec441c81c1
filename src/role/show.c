#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/password.h"
#include "people/auth/totp.h"
#include "role/staff_internal.h"

/*
 * Guesses in a row that a factor stands, wherever from: SP 800-63B-4 §3.2.2 wants at most 100.
 * Strangers have half of them, so that nobody outside takes the person's own.
 */
#define ROW_STRANGERS 50
#define ROW_KNOWN     100

static const struct throttle_limits account = {
	.free = 5,
	.first_ns = NSEC_PER_SEC,
	.max_ns = 900 * NSEC_PER_SEC,
	.forget_ns = 24 * 3600 * NSEC_PER_SEC,
};
/* A hospital's people may well share an address: it is slowed down later, and less. */
static const struct throttle_limits source = {
	.free = 20,
	.first_ns = NSEC_PER_SEC,
	.max_ns = 60 * NSEC_PER_SEC,
	.forget_ns = 900 * NSEC_PER_SEC,
};

int show_slow_down(struct call_error *e, uint64_t wait_ns)
{
	uint64_t seconds = (wait_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;

	call_fail(e, 429, "auth.slow_down", "Too many attempts",
		  "wait %llu seconds, or use a passkey, which needs no waiting",
		  (unsigned long long)seconds);
	e->more = json_pack("{s:I}", "retry_after", (json_int_t)seconds);
	return -EAGAIN;
}

/* One sentence for every way to be wrong, so that none says which users there are. */
static int wrong(struct call_error *e)
{
	call_fail(e, 401, "auth.wrong", "That is not right",
		  "the user's name, or what was shown for it, is wrong; try again");
	return -EACCES;
}

/* An IPv6 network hands one machine 2^64 addresses: they count as one. */
static uint64_t source_key(struct staff *s, const struct call_asker *by, const char *what)
{
	char net[64];
	const char *p = by->source;
	unsigned colons = 0;
	size_t len = 0;

	while (p[len] && len < sizeof(net) - 1) {
		colons += p[len] == ':';
		if (colons == 4)
			break;
		net[len] = p[len];
		len++;
	}
	return throttle_key(s->throttle, what, (struct bytes){(const uint8_t *)net, len}, "source");
}

int show_source(struct staff *s, const struct call_asker *by, const char *what,
		struct call_error *e)
{
	uint64_t wait = throttle_wait(s->throttle, source_key(s, by, what), &source, staff_now(s));

	return wait ? show_slow_down(e, wait) : 0;
}

void show_source_failed(struct staff *s, const struct call_asker *by, const char *what)
{
	throttle_failed(s->throttle, source_key(s, by, what), &source, staff_now(s));
	s->failures++;
	snprintf(s->failed_source, sizeof(s->failed_source), "%s", by->source);
}

/* An attempt at one factor of one account. */
struct attempt {
	struct staff *s;
	const struct call_asker *by;
	const char *name;		/* of the user, who need not be */
	const struct people_user *user; /* NULL: there is none of that name */
	enum factor kind;
	bool known; /* they signed in from there before */
	uint64_t key;
	struct people_factor f;
};

/* Is this the call whose password's hash is there? It waited then, and is judged now. */
static bool is_again(const struct attempt *a)
{
	return a->kind == FACTOR_PASSWORD && a->by->ticket && a->s->hashed.id == a->by->ticket;
}

static int wait_turn(struct attempt *a, struct call_error *e)
{
	uint64_t wait;
	int err = show_source(a->s, a->by, "sign-in", e);

	if (err < 0)
		return err;
	wait = throttle_wait(a->s->throttle, a->key, &account, staff_now(a->s));
	return wait ? show_slow_down(e, wait) : 0;
}

static int begin(struct attempt *a, struct call_error *e)
{
	const char *kind = factor_name(a->kind);
	bool again = is_again(a);
	int err;

	a->known = a->user && people_is_known(a->s->people, a->user->id, a->by->source);
	a->key = throttle_key(a->s->throttle, kind,
			      (struct bytes){(const uint8_t *)a->name, strlen(a->name)},
			      a->known ? a->by->source : "stranger");
	err = again ? 0 : wait_turn(a, e);
	if (err < 0)
		return err;
	if (!a->user)
		return 0;
	err = people_factor_of(a->s->people, a->user->id, kind, &a->f);
	if (err < 0 && err != -ENOENT) {
		staff_broken(e, err);
		return err;
	}
	if (err == -ENOENT)
		a->user = NULL; /* has no such factor: nobody needs to know */
	else if (!again && a->f.failures >= (a->known ? ROW_KNOWN : ROW_STRANGERS))
		return show_slow_down(e, account.max_ns);
	return 0;
}

static int failed(struct attempt *a, struct call_error *e)
{
	throttle_failed(a->s->throttle, a->key, &account, staff_now(a->s));
	show_source_failed(a->s, a->by, "sign-in");
	snprintf(a->s->failed_user, sizeof(a->s->failed_user), "%s", a->name);
	if (a->user)
		people_factor_failed(a->s->people, a->f.id, a->f.failures + 1);
	if (a->user && a->f.failures + 1 == ROW_STRANGERS)
		staff_notice(a->s, a->user, REASON_AUTH_GUESSING,
			     "somebody guessed %d times at your %s; other factors are not affected",
			     ROW_STRANGERS, factor_name(a->kind));
	return wrong(e);
}

/* It was right; what it changes is on the disk before it counts. */
static int passed(struct attempt *a, struct shown *shown, struct call_error *e)
{
	int err;

	a->f.used_s = staff_wall(a->s);
	a->f.failures = 0;
	err = people_factor_change(a->s->people, &a->f);
	if (err < 0) {
		staff_broken(e, err);
		return err;
	}
	throttle_clear(a->s->throttle, a->key);
	shown->factors |= FACTOR_ONLY(a->kind);
	return 0;
}

static int try_password(struct attempt *a, const char *text, struct shown *shown,
			struct call_error *e)
{
	struct hasher_job job = {.password = text};
	struct hasher_done done;
	int err = begin(a, e);

	if (err < 0)
		return err;
	job.class = a->known ? HASHER_KNOWN : HASHER_STRANGER;
	job.source = source_key(a->s, a->by, "password");
	job.account = a->key;
	if (a->user)
		job.record = (struct bytes){a->f.data, a->f.data_len};
	err = staff_hash(a->s, a->by, &job, &done, e);
	if (err < 0)
		return err;
	err = done.err;
	secret_wipe(&done, sizeof(done));
	if (err == -EACCES)
		return failed(a, e);
	if (err < 0) {
		staff_broken(e, err);
		return err;
	}
	return passed(a, shown, e);
}

static int try_totp(struct attempt *a, const char *text, struct shown *shown, struct call_error *e)
{
	uint64_t step = 0;
	int err = begin(a, e);

	if (err < 0)
		return err;
	if (!a->user || !totp_check((struct bytes){a->f.data, a->f.data_len}, text,
				    (uint64_t)staff_wall(a->s), (uint64_t)a->f.count, &step))
		return failed(a, e);
	a->f.count = (int64_t)step;
	return passed(a, shown, e);
}

static int try_recovery(struct attempt *a, const char *text, struct shown *shown,
			struct call_error *e)
{
	struct code_set set;
	int err = begin(a, e);

	if (err < 0)
		return err;
	if (!a->user || a->f.data_len != sizeof(set))
		return failed(a, e);
	memcpy(&set, a->f.data, sizeof(set));
	if (!code_set_use(&set, text))
		return failed(a, e);
	memcpy(a->f.data, &set, sizeof(set));
	err = passed(a, shown, e);
	if (err == 0)
		staff_notice(a->s, a->user, REASON_AUTH_RECOVERY,
			     "a recovery code was used from %s; %u are left", a->by->source,
			     code_set_left(&set));
	secret_wipe(&set, sizeof(set));
	return err;
}

/* The code went out with the ticket, so that nothing need be kept here. */
static int try_sms(struct attempt *a, const char *text, const struct ticket *t, struct shown *shown,
		   struct call_error *e)
{
	int err = begin(a, e);

	if (err < 0)
		return err;
	if (!a->s->o.sms || !a->user || !*t->to || strlen(text) != CODE_SMS - 1 ||
	    !crypto_equal(text, t->secret, CODE_SMS - 1))
		return failed(a, e);
	return passed(a, shown, e);
}

void staff_credential_write(const struct webauthn_credential *c, struct people_factor *f)
{
	struct writer w = writer_new(f->data, sizeof(f->data));

	write_u8(&w, 1);
	write_be32(&w, (uint32_t)(int32_t)c->key.alg);
	write_u8(&w, (uint8_t)(c->backup_eligible | c->backed_up << 1));
	write_bytes(&w, c->aaguid, sizeof(c->aaguid));
	write_be16(&w, (uint16_t)c->key.len);
	write_bytes(&w, c->key.bytes, c->key.len);
	f->data_len = w.len;
	f->open = true; /* a public key */
	f->count = c->count;
	memcpy(f->handle, c->id, c->id_len);
	f->handle_len = c->id_len;
}

/* The credential in a factor's data. */
static bool credential_read(const struct people_factor *f, struct webauthn_credential *ret_c)
{
	struct reader r = reader_new(f->data, f->data_len);
	struct webauthn_credential c = {.id_len = f->handle_len, .count = (uint32_t)f->count};
	struct bytes key, aaguid;
	uint8_t version = read_u8(&r), flags;

	c.key.alg = (enum cose_alg)(int32_t)read_be32(&r);
	flags = read_u8(&r);
	aaguid = read_bytes(&r, sizeof(c.aaguid));
	key = read_bytes(&r, read_be16(&r));
	if (r.bad || reader_left(&r) || version != 1 || key.len > sizeof(c.key.bytes))
		return false;
	c.backup_eligible = flags & 1;
	c.backed_up = flags & 2;
	memcpy(c.aaguid, aaguid.data, sizeof(c.aaguid));
	memcpy(c.key.bytes, key.data, key.len);
	c.key.len = key.len;
	memcpy(c.id, f->handle, f->handle_len);
	*ret_c = c;
	return true;
}

/* What a browser hands over of an assertion, decoded. */
struct assertion {
	uint8_t id[AUTHDATA_ID_MAX], client[8192], auth[2048], sig[1024], handle[64];
	size_t id_len, client_len, auth_len, sig_len, handle_len;
};

static bool read_assertion(const json_t *o, struct assertion *a)
{
	const json_t *r = json_object_get(o, "response");
	const char *handle = call_text(r, "userHandle");

	a->handle_len = 0;
	return staff_bytes(o, "id", a->id, sizeof(a->id), &a->id_len) &&
	       staff_bytes(r, "clientDataJSON", a->client, sizeof(a->client), &a->client_len) &&
	       staff_bytes(r, "authenticatorData", a->auth, sizeof(a->auth), &a->auth_len) &&
	       staff_bytes(r, "signature", a->sig, sizeof(a->sig), &a->sig_len) &&
	       (!handle || !*handle ||
		base64url_read(handle, a->handle, sizeof(a->handle), &a->handle_len) == 0);
}

static int refused(struct staff *s, const struct call_asker *by, enum webauthn_fault fault,
		   const struct people_user *u, struct call_error *e)
{
	char type[64];

	snprintf(type, sizeof(type), "auth.passkey.%s", webauthn_fault_name(fault));
	call_fail(e, 401, type, webauthn_fault_sentence(fault),
		  "sign in anew; if it goes on, remove the passkey and add it again");
	if (fault == WEBAUTHN_CLONED)
		staff_notice(s, u, REASON_AUTH_CLONED,
			     "a passkey counted backwards when used from %s: remove it, there is "
			     "probably a copy",
			     by->source);
	s->failures++;
	snprintf(s->failed_user, sizeof(s->failed_user), "%s", u->name);
	snprintf(s->failed_source, sizeof(s->failed_source), "%s", by->source);
	return -EACCES;
}

/* A passkey and whose it is. */
static int find_passkey(struct staff *s, struct bytes id, struct people_factor *f,
			struct webauthn_credential *c, struct people_user *u, struct call_error *e)
{
	int err = people_factor_by_handle(s->people, id, f);

	if (err == 0)
		err = people_user_by_id(s->people, f->user, u);
	if (err == -ENOENT) {
		call_fail(e, 401, "auth.passkey_unknown", "That passkey belongs to nobody here",
			  "use another one; this one may have been removed");
		return -EACCES;
	}
	if (err == 0 && credential_read(f, c))
		return 0;
	staff_broken(e, err < 0 ? err : -EUCLEAN);
	return -EIO;
}

/*
 * Nobody waits here: a signature cannot be guessed, and whoever guesses something else from
 * the same address must not keep its owner out.
 */
static int try_webauthn(struct staff *s, const struct call_asker *by, const json_t *o,
			const struct ticket *t, struct shown *shown, struct call_error *e)
{
	static struct assertion a; /* too much for a stack; the keeper has one thread */
	const char *const origins[] = {by->origin, NULL};
	char rp_id[256];
	struct webauthn_want want = {.challenge = {t->challenge, sizeof(t->challenge)},
				     .rp_id = rp_id,
				     .origins = origins,
				     .verified = true};
	struct webauthn_credential c;
	struct webauthn_use use;
	struct people_factor f;
	struct people_user u;
	enum webauthn_fault fault;
	int err;

	if (!staff_rp_id(by->origin, rp_id)) {
		call_fail(e, 400, "auth.passkey_name", "Passkeys need a name",
			  "open this page by its name, not by an address");
		return -EINVAL;
	}
	if (!read_assertion(o, &a)) {
		call_fail(e, 400, "call.arguments", "The passkey's answer cannot be read",
			  "'webauthn' is {id, response: {clientDataJSON, authenticatorData, "
			  "signature, userHandle}}, all base64url");
		return -EINVAL;
	}
	err = find_passkey(s, (struct bytes){a.id, a.id_len}, &f, &c, &u, e);
	if (err < 0)
		return err;
	/* §7.2 step 6: whose it is, by the passkey itself where it says so. */
	if ((a.handle_len || !shown->known) &&
	    (a.handle_len != PEOPLE_ID || memcmp(a.handle, u.id, PEOPLE_ID) != 0))
		return refused(s, by, WEBAUTHN_CREDENTIAL, &u, e);
	if (shown->known && memcmp(shown->user.id, u.id, PEOPLE_ID) != 0)
		return refused(s, by, WEBAUTHN_CREDENTIAL, &u, e);
	fault = webauthn_assert(&want, &c, (struct bytes){a.client, a.client_len},
				(struct bytes){a.auth, a.auth_len},
				(struct bytes){a.sig, a.sig_len}, &use);
	if (fault != WEBAUTHN_OK)
		return refused(s, by, fault, &u, e);
	c.count = use.count;
	c.backed_up = use.backed_up;
	staff_credential_write(&c, &f);
	f.used_s = staff_wall(s);
	f.failures = 0;
	err = people_factor_change(s->people, &f);
	if (err < 0) {
		staff_broken(e, err);
		return err;
	}
	shown->factors |= FACTOR_ONLY(FACTOR_WEBAUTHN);
	shown->bound |= !c.backup_eligible;
	shown->user = u;
	shown->known = true;
	return 0;
}

/* Whoever is meant, if there is such a user. */
static int find_user(struct staff *s, const char *name, struct people_user *u, bool *ret_known,
		     struct call_error *e)
{
	int err;

	if (!name || strlen(name) >= PEOPLE_NAME) {
		call_fail(e, 400, "call.arguments", "Whose?", "give the 'user' as well");
		return -EINVAL;
	}
	err = people_user_by_name(s->people, name, u);
	if (err < 0 && err != -ENOENT) {
		staff_broken(e, err);
		return err;
	}
	*ret_known = err == 0;
	return 0;
}

static int try_text(struct attempt *a, const char *text, const struct ticket *t,
		    struct shown *shown, struct call_error *e)
{
	int err = a->kind == FACTOR_PASSWORD   ? try_password(a, text, shown, e)
		  : a->kind == FACTOR_TOTP     ? try_totp(a, text, shown, e)
		  : a->kind == FACTOR_RECOVERY ? try_recovery(a, text, shown, e)
					       : try_sms(a, text, t, shown, e);

	secret_wipe(a->f.data, sizeof(a->f.data));
	return err;
}

int show_factors(struct staff *s, const struct call_asker *by, const json_t *args,
		 const struct ticket *t, struct shown *shown, struct call_error *e)
{
	const json_t *passkey = json_object_get(args, "webauthn");
	const char *said = call_text(args, "user");
	const char *name = shown->known ? shown->user.name
			   : said	? said
			   : *t->name	? t->name
					: NULL;
	struct people_user u = shown->user;
	bool known = shown->known, any = false;
	int err = 0;

	if (passkey && !json_is_null(passkey)) {
		err = try_webauthn(s, by, passkey, t, shown, e);
		any = true;
		if (err == 0) {
			u = shown->user;
			name = u.name;
			known = true;
		}
	}
	for (unsigned kind = 0; err == 0 && kind < FACTOR_COUNT; kind++) {
		/* Beside a passkey, which is two factors in one, a password adds nothing. */
		const char *text = kind == FACTOR_WEBAUTHN || (kind == FACTOR_PASSWORD && any)
					   ? NULL
					   : call_text(args, factor_name((enum factor)kind));
		struct attempt a = {s, by, name, NULL, (enum factor)kind, false, 0, {0}};

		if (!text)
			continue;
		any = true;
		err = known ? 0 : find_user(s, name, &u, &known, e);
		if (err < 0)
			return err;
		a.user = known && !u.disabled ? &u : NULL;
		err = try_text(&a, text, t, shown, e);
		if (err == 0) {
			shown->user = u;
			shown->known = true;
		}
	}
	if (!any) {
		call_fail(e, 400, "call.arguments", "Nothing was shown",
			  "give one of webauthn, password, totp, sms, recovery");
		return -EINVAL;
	}
	if (err == 0 && shown->user.disabled)
		err = wrong(e);
	return err;
}
