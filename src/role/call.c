#include "role/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "role/desk.h"
#include "role/keeper.h"
#include "role/serve.h"
#include "role/staff.h"

#define TICKETS	   64
#define PAGE_MOST  1000
#define PER_CLIENT 1 /* a client on the control socket asks one thing after the other */

/* Every call there is. */
extern const struct call_row look_calls[], policy_calls[], pki_calls[], door_calls[], audit_calls[],
	update_calls[], advisory_calls[], survey_calls[], errand_calls[], holding_calls[],
	upload_calls[], custody_calls[];
static const struct call_row *const tables[] = {
	look_calls,    policy_calls, pki_calls,	    door_calls,	   audit_calls,	 signin_calls,
	session_calls, enrol_calls,  user_calls,    machine_calls, update_calls, advisory_calls,
	survey_calls,  errand_calls, holding_calls, upload_calls,  custody_calls};

size_t call_tables(const struct call_row *const **ret_tables)
{
	*ret_tables = tables;
	return sizeof(tables) / sizeof(*tables);
}

/* Whom an answer goes to. */
struct call_ticket {
	uint32_t id;	       /* 0: free */
	uint32_t question;     /* the console's */
	struct client *client; /* or one of the control socket's; NULL the console */
	uint64_t late_ns;      /* monotonic */
	json_t *root;	       /* what was asked, to be done from its beginning again; NULL not */
	const struct call_row *row; /* to be noted once it is answered; NULL not */
	json_t *args, *who;	    /* for that: call_asker's own */
};

struct calls {
	struct call_ticket tickets[TICKETS];
	uint32_t last;
	const json_t *running; /* the question that is being answered; borrowed */
};

struct calls *calls_new(void)
{
	return calloc(1, sizeof(struct calls));
}

void calls_free(struct calls *c)
{
	for (unsigned i = 0; c && i < TICKETS; i++) {
		json_decref(c->tickets[i].root);
		json_decref(c->tickets[i].args);
		json_decref(c->tickets[i].who);
	}
	free(c);
}

/* --- errors and answers --------------------------------------------------- */

json_t *call_fail(struct call_error *ret_error, unsigned status, const char *type,
		  const char *title, const char *detail, ...)
{
	va_list ap;

	ret_error->status = status;
	snprintf(ret_error->type, sizeof(ret_error->type), "%s", type);
	snprintf(ret_error->title, sizeof(ret_error->title), "%s", title);
	va_start(ap, detail);
	vsnprintf(ret_error->detail, sizeof(ret_error->detail), detail, ap);
	va_end(ap);
	return NULL;
}

json_t *call_bad(struct call_error *ret_error, const char *name, const char *want)
{
	return call_fail(ret_error, 400, "call.argument", "An argument is not what it must be",
			 "%s: %s", name, want);
}

/* A cut detail may end within a letter; what is no UTF-8 goes without saying. */
static json_t *text_of(const char *text)
{
	json_t *t = json_string(text);

	return t ? t : json_string("");
}

static json_t *error_json(struct call_error *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "status", json_integer(e->status));
	json_object_set_new(o, "type", text_of(e->type));
	json_object_set_new(o, "title", text_of(e->title));
	json_object_set_new(o, "detail", text_of(e->detail));
	json_object_update_missing(o, e->more);
	json_decref(e->more);
	e->more = NULL;
	return o;
}

static void tell_client(struct keeper *k, struct client *c, json_t *ok, struct call_error *e)
{
	char *text = ok ? json_dumps(ok, JSON_COMPACT) : NULL;

	if (text) {
		serve_row(k->serve, c, (struct bytes){(const uint8_t *)text, strlen(text)});
		serve_end(k->serve, c);
	} else if (ok) {
		serve_error(k->serve, c, "%s: no memory for the answer", c->request.call);
	} else {
		serve_error(k->serve, c, "%s: %s%s%s", e->type, e->title, *e->detail ? "; " : "",
			    e->detail);
	}
	free(text);
}

static void tell_console(struct keeper *k, uint32_t question, json_t *ok, struct call_error *e)
{
	json_t *answer = json_object();
	char *text;

	if (ok)
		json_object_set(answer, "ok", ok);
	else
		json_object_set_new(answer, "error", error_json(e));
	text = json_dumps(answer, JSON_COMPACT);
	if (k->desk && text)
		desk_answer(k->desk, question, (struct bytes){(const uint8_t *)text, strlen(text)});
	json_decref(answer);
	free(text);
}

/* Takes `ok`; NULL: the error. */
static void tell(struct keeper *k, const struct call_ticket *t, json_t *ok, struct call_error *e)
{
	if (t->client)
		tell_client(k, t->client, ok, e);
	else
		tell_console(k, t->question, ok, e);
	if (!ok)
		json_decref(e->more);
	json_decref(ok);
}

/* --- tickets -------------------------------------------------------------- */

static struct call_ticket *ticket(struct keeper *k, uint32_t id)
{
	for (unsigned i = 0; id && i < TICKETS; i++)
		if (k->calls->tickets[i].id == id)
			return &k->calls->tickets[i];
	return NULL;
}

static struct call_ticket *ticket_new(struct keeper *k)
{
	for (unsigned i = 0; i < TICKETS; i++) {
		struct call_ticket *t = &k->calls->tickets[i];

		if (t->id)
			continue;
		*t = (struct call_ticket){.id = ++k->calls->last ? k->calls->last
								 : ++k->calls->last};
		return t;
	}
	return NULL;
}

json_t *call_later(struct keeper *k, const struct call_asker *by, uint32_t ms,
		   struct call_error *ret_error)
{
	struct call_ticket *t = ticket(k, by->ticket);

	if (t)
		t->late_ns = clock_mono_ns() + ms * NSEC_PER_MSEC;
	*ret_error = (struct call_error){0};
	return NULL;
}

bool call_attach(struct keeper *k, uint32_t id, int fd)
{
	const struct call_ticket *t = ticket(k, id);

	return t && !t->client && k->desk && desk_content(k->desk, t->question, fd);
}

json_t *call_wait(struct keeper *k, const struct call_asker *by, uint32_t ms,
		  struct call_error *ret_error)
{
	struct call_ticket *t = ticket(k, by->ticket);

	if (t && !t->root)
		t->root = json_incref((json_t *)(uintptr_t)k->calls->running);
	return call_later(k, by, ms, ret_error);
}

static struct call_asker nobody(void)
{
	return (struct call_asker){
		.user = "", .source = "", .mac = "", .origin = "", .session = "", .session_id = ""};
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* What comes of it is known later, when whoever asked may be gone. */
static void note_later(struct keeper *k, const struct call_row *row, const struct call_asker *by,
		       const json_t *args)
{
	struct call_ticket *t = ticket(k, by->ticket);

	if (!t || t->root || t->row)
		return;
	t->who = json_pack("{s:s, s:s, s:s, s:s}", "user", or_empty(by->user), "source",
			   or_empty(by->source), "mac", or_empty(by->mac), "session",
			   or_empty(by->session_id));
	json_object_set_new(t->who, "role", json_integer((json_int_t)by->role));
	json_object_set_new(t->who, "operator", json_boolean(by->operator_));
	json_object_set_new(t->who, "api_key", json_boolean(by->api_key));
	t->args = json_incref((json_t *)(uintptr_t)args);
	t->row = row;
}

static void note(struct keeper *k, struct call_ticket *t, const struct call_error *error)
{
	struct call_asker by = nobody();

	if (t->row && t->who && k->note_act) {
		by.user = or_empty(call_text(t->who, "user"));
		by.source = or_empty(call_text(t->who, "source"));
		by.mac = or_empty(call_text(t->who, "mac"));
		by.session_id = or_empty(call_text(t->who, "session"));
		by.role = (enum people_role)json_integer_value(json_object_get(t->who, "role"));
		by.operator_ = json_is_true(json_object_get(t->who, "operator"));
		by.api_key = json_is_true(json_object_get(t->who, "api_key"));
		k->note_act(k, t->row, &by, t->args, error);
	}
	json_decref(t->who);
	json_decref(t->args);
	t->who = t->args = NULL;
	t->row = NULL;
}

/* It is answered: nobody holds it any longer. */
static struct call_ticket let_go(struct call_ticket *t)
{
	struct call_ticket was = *t;

	json_decref(was.root);
	json_decref(was.who);
	json_decref(was.args);
	was.root = was.who = was.args = NULL;
	*t = (struct call_ticket){0};
	return was;
}

void call_done(struct keeper *k, uint32_t id, json_t *ok)
{
	struct call_ticket *t = ticket(k, id), was;
	struct call_error none = {0};

	if (!t) {
		json_decref(ok);
		return;
	}
	if (!ok)
		call_fail(&none, 500, "gateway.memory", "Out of memory", "try again");
	note(k, t, ok ? NULL : &none);
	was = let_go(t);
	tell(k, &was, ok, &none);
}

void call_failed(struct keeper *k, uint32_t id, struct call_error *error)
{
	struct call_ticket *t = ticket(k, id), was;

	if (!t) {
		json_decref(error->more);
		return;
	}
	note(k, t, error);
	was = let_go(t);
	tell(k, &was, NULL, error);
}

void call_turn(struct keeper *k, uint64_t now_ns)
{
	struct call_error late;

	for (unsigned i = 0; i < TICKETS; i++) {
		struct call_ticket *t = &k->calls->tickets[i];

		if (!t->id || !t->late_ns || now_ns < t->late_ns)
			continue;
		late = (struct call_error){0};
		call_fail(&late, 504, "gateway.late", "Another process did not answer in time",
			  "see the gateway's log, and try again");
		call_failed(k, t->id, &late);
	}
}

uint64_t call_due(const struct keeper *k)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < TICKETS; i++) {
		const struct call_ticket *t = &k->calls->tickets[i];

		if (t->id && t->late_ns && t->late_ns < due)
			due = t->late_ns;
	}
	return due;
}

void call_without(struct keeper *k, const struct client *c)
{
	for (unsigned i = 0; i < TICKETS; i++)
		if (k->calls->tickets[i].id && k->calls->tickets[i].client == c)
			let_go(&k->calls->tickets[i]);
}

/* --- who asks, and may they? ---------------------------------------------- */

static const struct call_row *find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct call_row *r = tables[i]; r->name; r++)
			if (strcmp(r->name, name) == 0)
				return r;
	return NULL;
}

/* "events" allows events; "grant.*" every call that begins with "grant."; "*" all. */
static bool in_scope(const json_t *scopes, const char *call)
{
	const json_t *s;
	size_t i;

	json_array_foreach (scopes, i, s) {
		const char *scope = json_string_value(s);
		size_t len = scope ? strlen(scope) : 0;

		if (!scope)
			continue;
		if (strcmp(scope, call) == 0)
			return true;
		if (len > 0 && scope[len - 1] == '*' && strncmp(scope, call, len - 1) == 0)
			return true;
	}
	return false;
}

/* NULL: it may. */
static const char *refuse_key(const struct call_row *row, const struct call_asker *by,
			      struct call_error *e)
{
	if (!in_scope(by->scopes, row->name))
		call_fail(e, 403, "auth.key_scope", "This API key is not for that",
			  "make one whose scopes hold '%s'", row->name);
	else if (row->step_up)
		call_fail(e, 403, "auth.key_not_enough", "This takes a person",
			  "'%s' needs a fresh second factor, which an API key cannot give; sign in",
			  row->name);
	return e->status ? e->type : NULL;
}

static const char *refuse(const struct call_row *row, const struct call_asker *by,
			  struct call_error *e)
{
	if (by->operator_)
		return NULL;
	if (row->on_box)
		return call_fail(e, 403, "auth.on_box", "This is done on the box itself",
				 "use the bedwarden command there"),
		       e->type;
	if (row->roles == 0)
		return NULL;
	if (!*by->user)
		return call_fail(e, 401, "auth.sign_in_needed", "Nobody is signed in",
				 "sign in, and ask again"),
		       e->type;
	if (!(row->roles & PEOPLE_ONLY(by->role)))
		return call_fail(e, 403, "auth.role", "Your role does not allow this",
				 "you are %s; an administrator can change that",
				 people_role_name(by->role)),
		       e->type;
	if (by->enrolling && !(row->also & CALL_ENROLLING))
		return call_fail(e, 403, "auth.enrol_first", "A second factor is missing",
				 "add one (factor.webauthn_begin, factor.totp_begin), and sign in "
				 "with it"),
		       e->type;
	if (by->one_factor && !(row->also & CALL_ONE_FACTOR))
		return call_fail(e, 403, "auth.one_factor", "One factor is not enough for this",
				 "sign in with a second one"),
		       e->type;
	if (by->api_key)
		return refuse_key(row, by, e);
	if (row->changes && !by->csrf_ok)
		return call_fail(e, 403, "auth.csrf", "The request did not come from our page",
				 "send the session's csrf value in the header X-CSRF-Token"),
		       e->type;
	if (row->step_up && by->stepped_up_ns <= clock_wall_ns())
		return call_fail(e, 403, "auth.step_up_needed", "A fresh second factor is needed",
				 "use a factor again (auth.step_up_begin), then repeat this"),
		       e->type;
	return NULL;
}

const char *call_text(const json_t *args, const char *name)
{
	const json_t *v = json_object_get(args, name);
	const char *s = json_string_value(v);

	return s && strlen(s) == json_string_length(v) ? s : NULL;
}

bool call_number(const json_t *args, const char *name, int64_t min, int64_t max, int64_t *ret_n)
{
	const json_t *v = json_object_get(args, name);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < min || n > max)
		return false;
	*ret_n = n;
	return true;
}

bool call_cursor(const json_t *args, int64_t max, int64_t *ret_n)
{
	uint64_t n;

	if (!json_object_get(args, "cursor"))
		return true;
	if (!number_read(call_text(args, "cursor"), 0, (uint64_t)max, &n))
		return false;
	*ret_n = (int64_t)n;
	return true;
}

static const char *member(const json_t *o, const char *name)
{
	const char *s = call_text(o, name);

	return s ? s : "";
}

/* Of a list that is small, or made anew each time: the cursor is how many rows came before. */
static json_t *page(json_t *ok, const char *name, const json_t *args, struct call_error *e)
{
	json_t *list = json_object_get(ok, name), *rows;
	int64_t limit = PAGE_MOST, from = 0;
	char next[24];

	if ((json_object_get(args, "limit") && !call_number(args, "limit", 1, PAGE_MOST, &limit)) ||
	    !call_cursor(args, INT32_MAX, &from)) {
		json_decref(ok);
		return call_fail(e, 400, "call.argument", "An argument is not what it must be",
				 "limit: a number from 1 to %d; cursor: `next` of the page before",
				 PAGE_MOST);
	}
	if (from == 0 && json_array_size(list) <= (size_t)limit)
		return ok;
	rows = json_array();
	for (size_t i = (size_t)from; i < json_array_size(list) && i < (size_t)(from + limit); i++)
		json_array_append(rows, json_array_get(list, i));
	if ((size_t)(from + limit) < json_array_size(list)) {
		snprintf(next, sizeof(next), "%lld", (long long)(from + limit));
		json_object_set_new(ok, "next", json_string(next));
	}
	json_object_set_new(ok, name, rows);
	return ok;
}

/* Does it; refused or done, what changes something is noted. */
static json_t *act(struct keeper *k, const struct call_row *row, const struct call_asker *by,
		   const json_t *args, struct call_error *e)
{
	json_t *ok = refuse(row, by, e) ? NULL : row->fn(k, by, args, e);

	if (ok && row->pages)
		ok = page(ok, row->pages, args, e);
	if ((!row->changes && !row->noted) || row->part)
		return ok;
	if (!ok && !e->status)
		note_later(k, row, by, args);
	else if (k->note_act)
		k->note_act(k, row, by, args, ok ? NULL : e);
	return ok;
}

/* The asker of what came from the console; false: e says why not. */
static bool identify(struct keeper *k, const json_t *root, struct call_asker *by,
		     struct call_error *e)
{
	by->source = member(root, "source");
	by->mac = member(root, "mac");
	by->certificate = member(root, "certificate");
	by->origin = member(root, "origin");
	by->session = member(root, "session");
	by->passive = json_is_true(json_object_get(root, "passive"));
	if (!*by->session)
		return true;
	if (!k->identify) {
		call_fail(e, 401, "auth.session", "There is no such session", "sign in again");
		return false;
	}
	return k->identify(k, by->session, member(root, "csrf"), by, e);
}

/* Whoever still has the cookie of a session that is over may sign in all the same. */
static bool forget(const struct call_row *row, struct call_asker *by, struct call_error *e)
{
	if (row->roles != 0)
		return false;
	json_decref(e->more);
	*e = (struct call_error){0};
	by->user = by->session = by->session_id = "";
	by->api_key = by->csrf_ok = false;
	return true;
}

json_t *call_run(struct keeper *k, const json_t *root, struct call_asker *by, struct call_error *e)
{
	static json_t *none;
	const struct call_row *row = find(call_text(root, "call"));
	const json_t *args = json_object_get(root, "args");

	if (!none)
		none = json_object();
	if (!args || json_is_null(args))
		args = none;
	if (!row)
		return call_fail(e, 404, "call.unknown", "There is no such call",
				 "/api/openapi.json names them all");
	if (!json_is_object(args))
		return call_fail(e, 400, "call.arguments", "Arguments must be an object", "args");
	if (by->operator_ || identify(k, root, by, e) || forget(row, by, e))
		return act(k, row, by, args, e);
	return NULL;
}

static void run(struct keeper *k, struct call_ticket *t, const json_t *root, struct call_asker *by)
{
	struct call_error e = {0};
	uint32_t id = by->ticket = t->id;
	json_t *ok;

	k->calls->running = root;
	ok = call_run(k, root, by, &e);
	k->calls->running = NULL;
	if (ok)
		call_done(k, id, ok);
	else if (e.status)
		call_failed(k, id, &e);
}

void call_from_console(struct keeper *k, uint32_t question, const json_t *root)
{
	struct call_asker by = nobody();
	struct call_ticket *t = ticket_new(k), full = {.question = question};
	struct call_error e = {0};

	if (!t) {
		call_fail(&e, 503, "gateway.busy", "Too much is asked at once", "try again");
		tell(k, &full, NULL, &e);
		return;
	}
	t->question = question;
	run(k, t, root, &by);
}

/* POSIX.1-2017 §3.437: portable in a user's name. */
static bool user_name(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return len > 0 && len < 64 && !s[len] && s[0] != '-';
}

/* Root is the operator. Our own user and group, whose processes face the network, may look. */
static struct call_asker client_of(const struct client *c, const json_t *root)
{
	bool box = c->uid == 0;
	struct call_asker by = nobody();
	const char *name = call_text(root, "operator");

	by.user = box ? "root" : "group";
	by.operator_ = by.csrf_ok = box;
	by.role = box ? PEOPLE_ADMINISTRATOR : PEOPLE_VIEWER;
	/* Root says who it is; several people may be. */
	if (box && name && user_name(name))
		by.user = name;
	return by;
}

void call_from_client(struct keeper *k, struct client *c, const json_t *root)
{
	struct call_asker by = client_of(c, root);
	struct call_ticket *t = ticket_new(k);

	if (!t) {
		serve_error(k->serve, c, "gateway.busy: too much is asked at once; try again");
		return;
	}
	t->client = c;
	run(k, t, root, &by);
}

void call_again(struct keeper *k, uint32_t id)
{
	struct call_ticket *t = ticket(k, id);
	struct call_asker by;
	json_t *root;

	if (!t || !t->root)
		return;
	root = t->root;
	t->root = NULL;
	t->late_ns = 0;
	by = t->client ? client_of(t->client, root) : nobody();
	run(k, t, root, &by);
	json_decref(root);
}
