#include "role/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keep/page.h"
#include "keep/store.h"
#include "role/call.h"
#include "role/census.h"
#include "role/keeper.h"

#define LOOKS	  32
#define OTHERS_MS 3000
#define ROWS	  100
#define FLOWS_MAX 10000

/* What was asked of others for a call. */
struct look {
	enum ipc_type type; /* 0: free */
	uint32_t ask, ticket;
	bool queued;	   /* waits for its turn at the guards */
	uint64_t until_ns; /* it is nobody's business any more */
	uint64_t waiting;  /* guards that owe an answer, a bit each */
	char device[QUERY_NAME_MAX];
	json_t *only; /* a vendor's devices; NULL all */
	json_t *rows;
	uint32_t limit;
	bool more;
};

struct looks {
	struct look list[LOOKS];
};

struct looks *looks_new(void)
{
	return calloc(1, sizeof(struct looks));
}

static void done_with(struct look *l)
{
	json_decref(l->rows);
	json_decref(l->only);
	*l = (struct look){0};
}

void looks_free(struct looks *l)
{
	for (unsigned i = 0; l && i < LOOKS; i++)
		done_with(&l->list[i]);
	free(l);
}

static struct look *look_new(struct keeper *k, enum ipc_type type, const struct call_asker *by,
			     struct call_error *e)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0; i < LOOKS; i++) {
		struct look *l = &k->looks->list[i];

		if (l->type && now >= l->until_ns)
			done_with(l);
		if (l->type)
			continue;
		*l = (struct look){.type = type,
				   .ticket = by->ticket,
				   .until_ns = now + 2 * OTHERS_MS * NSEC_PER_MSEC};
		return l;
	}
	call_fail(e, 503, "gateway.busy", "Too much is asked at once", "try again");
	return NULL;
}

static struct look *by_ask(struct keeper *k, enum ipc_type type, uint32_t ask)
{
	for (unsigned i = 0; i < LOOKS; i++)
		if (k->looks->list[i].type == type && k->looks->list[i].ask == ask && ask)
			return &k->looks->list[i];
	return NULL;
}

/* --- what most lists can be asked ------------------------------------------ */

/* An optional name; false: it is none. */
static bool take_name(const json_t *args, const char *key, char ret_name[QUERY_NAME_MAX],
		      struct call_error *e)
{
	const char *s = call_text(args, key);

	if (!json_object_get(args, key))
		return true;
	if (!s || strlen(s) >= QUERY_NAME_MAX) {
		call_bad(e, key, "a text of at most 128 bytes");
		return false;
	}
	snprintf(ret_name, QUERY_NAME_MAX, "%s", s);
	return true;
}

static bool take_limit(const json_t *args, uint32_t max, uint32_t *ret_limit, struct call_error *e)
{
	int64_t n = max < ROWS ? max : ROWS;

	if (json_object_get(args, "limit") && !call_number(args, "limit", 1, max, &n)) {
		call_fail(e, 400, "call.argument", "An argument is not what it must be",
			  "limit: a number from 1 to %u", max);
		return false;
	}
	*ret_limit = (uint32_t)n;
	return true;
}

static bool take_time(const json_t *args, const char *key, int64_t *ret_ns, struct call_error *e)
{
	const char *s = call_text(args, key);

	if (!json_object_get(args, key))
		return true;
	if (s && record_time(s, ret_ns))
		return true;
	call_bad(e, key, "a time as 2026-01-31T07:15:02+0000");
	return false;
}

/* A cursor is a number that was given out as text; nobody else's business what it means. */
static bool take_cursor(const json_t *args, int64_t *ret_at, struct call_error *e)
{
	if (call_cursor(args, INT64_MAX, ret_at))
		return true;
	call_bad(e, "cursor", "the value of 'next' of the page before");
	return false;
}

static void put_next(json_t *o, int64_t next)
{
	char text[24];

	if (next <= 0)
		return;
	snprintf(text, sizeof(text), "%" PRId64, next);
	json_object_set_new(o, "next", json_string(text));
}

/* May this asker look at the device? Of everybody but vendors: at all. */
static bool sees(const json_t *only, const char *device)
{
	const json_t *v;
	size_t i;

	if (!only)
		return true;
	json_array_foreach (only, i, v)
		if (device && strcmp(json_string_value(v) ? json_string_value(v) : "", device) == 0)
			return true;
	return false;
}

static const json_t *only_of(const struct call_asker *by)
{
	static json_t *nothing;

	if (by->operator_ || by->role != PEOPLE_VENDOR)
		return NULL;
	if (!nothing)
		nothing = json_array();
	return by->devices ? by->devices : nothing;
}

static json_t *cannot_read(struct keeper *k, struct call_error *e, int err)
{
	return call_fail(e, 503, "gateway.store", "The event database cannot be read",
			 "%s: %s; see the gateway's log", k->state_dir, strerror(-err));
}

/* --- status ---------------------------------------------------------------- */

static json_t *status(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct look *l = look_new(k, IPC_STATUS, by, e);

	if (!l)
		return NULL;
	l->ask = ++k->asked;
	if (ipc_send(k->parent, IPC_STATUS, l->ask, (struct bytes){0}, -1) != 0) {
		done_with(l);
		return call_fail(e, 503, "gateway.busy", "The parent process is busy", "try again");
	}
	return call_later(k, by, OTHERS_MS, e);
}

bool look_status(struct keeper *k, const struct ipc_message *m)
{
	struct look *l = by_ask(k, IPC_STATUS, m->id);
	struct call_error e = {0};
	json_t *status;

	if (!l)
		return false;
	status = answer_merge(k, m);
	if (status) {
		call_done(k, l->ticket, status);
	} else {
		call_fail(&e, 500, "gateway.nonsense", "The parent process answered nonsense",
			  "see the gateway's log");
		call_failed(k, l->ticket, &e);
	}
	done_with(l);
	return true;
}

/* --- devices --------------------------------------------------------------- */

struct census {
	json_t *rows;
	const json_t *only;
	int64_t skip, at;
	uint32_t limit;
};

static void add_device(void *arg, struct bytes row)
{
	struct census *c = arg;
	json_t *o = json_loadb((const char *)row.data, row.len, JSON_ALLOW_NUL, NULL);

	if (o && sees(c->only, json_string_value(json_object_get(o, "name"))) &&
	    c->at++ >= c->skip && json_array_size(c->rows) < c->limit)
		json_array_append(c->rows, o);
	json_decref(o);
}

static json_t *devices(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	struct census c = {.only = only_of(by)};
	char device[QUERY_NAME_MAX] = "";
	json_t *ok;
	int err;

	if (!take_name(args, "device", device, e) ||
	    !take_limit(args, LOOK_ROWS_MAX, &c.limit, e) || !take_cursor(args, &c.skip, e))
		return NULL;
	c.rows = json_array();
	err = census_rows(k->policy, store_db(k->store), k->patients, device, add_device, &c);
	if (err != 0 && err != -ENODEV) {
		json_decref(c.rows);
		return cannot_read(k, e, err);
	}
	ok = json_pack("{s:o}", "devices", c.rows);
	put_next(ok, c.at > c.skip + c.limit ? c.skip + c.limit : 0);
	return ok;
}

/* --- flows ----------------------------------------------------------------- */

static json_t *flows(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	char device[QUERY_NAME_MAX] = "";
	uint32_t limit;
	struct look *l;

	if (!take_name(args, "device", device, e) || !take_limit(args, FLOWS_MAX, &limit, e))
		return NULL;
	l = look_new(k, IPC_FLOWS, by, e);
	if (!l)
		return NULL;
	memcpy(l->device, device, sizeof(device));
	l->limit = limit;
	l->rows = json_array();
	l->only = only_of(by) ? json_deep_copy(only_of(by)) : NULL;
	l->queued = true;
	answer_turn(k);
	return call_later(k, by, OTHERS_MS, e);
}

static void give_flows(struct keeper *k, struct look *l)
{
	json_t *ok = json_pack("{s:O, s:b}", "flows", l->rows, "more", (int)l->more);

	call_done(k, l->ticket, ok);
	done_with(l);
}

bool look_turn(struct keeper *k)
{
	struct look *l = NULL;
	struct call_error e = {0};

	for (unsigned i = 0; !l && i < LOOKS; i++)
		if (k->looks->list[i].queued)
			l = &k->looks->list[i];
	if (!l)
		return false;
	l->queued = false;
	l->ask = ++k->asked;
	for (unsigned i = 0; i < KEEPER_GUARDS_MAX; i++)
		if (k->guards[i] >= 0 &&
		    ipc_send(k->guards[i], IPC_FLOWS, l->ask, (struct bytes){0}, -1) == 0)
			l->waiting |= 1ull << i;
	k->flows_owed = l->waiting;
	if (!l->waiting) {
		call_fail(&e, 503, "gateway.no_guard", "No guard is running",
			  "'bedwarden status' says why");
		call_failed(k, l->ticket, &e);
		done_with(l);
	}
	return true;
}

static void add_flow(struct look *l, const uint8_t *line, size_t len)
{
	json_t *o = json_loadb((const char *)line, len, JSON_ALLOW_NUL, NULL);
	const char *device = json_string_value(json_object_get(o, "device"));

	if (json_is_object(o) && sees(l->only, device) &&
	    (!*l->device || (device && strcmp(device, l->device) == 0))) {
		if (json_array_size(l->rows) < l->limit)
			json_array_append(l->rows, o);
		else
			l->more = true;
	}
	json_decref(o);
}

bool look_flows(struct keeper *k, unsigned guard, const struct ipc_message *m)
{
	struct look *l = by_ask(k, IPC_FLOWS, m->id);
	struct bytes rest = m->body;

	if (!l || !(l->waiting & 1ull << guard))
		return false;
	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);
		size_t len = newline ? (size_t)(newline - rest.data) : rest.len;

		add_flow(l, rest.data, len);
		len += newline != NULL;
		rest = (struct bytes){rest.data + len, rest.len - len};
	}
	if (m->body.len > 0)
		return true;
	l->waiting &= ~(1ull << guard);
	if (!l->waiting)
		give_flows(k, l);
	return true;
}

void look_without(struct keeper *k, unsigned guard)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		struct look *l = &k->looks->list[i];

		if (!(l->waiting & 1ull << guard))
			continue;
		l->waiting &= ~(1ull << guard);
		if (!l->waiting)
			give_flows(k, l);
	}
}

/* --- events ---------------------------------------------------------------- */

static void add_event(void *arg, int64_t id, struct bytes line)
{
	json_t *o = json_loadb((const char *)line.data, line.len, JSON_ALLOW_NUL, NULL);

	if (!o)
		return;
	json_object_set_new(o, "id", json_integer(id));
	json_array_append_new(arg, o);
}

static void add_group(void *arg, struct bytes row)
{
	json_t *o = json_loadb((const char *)row.data, row.len, JSON_ALLOW_NUL, NULL);

	if (o)
		json_array_append_new(arg, o);
}

static bool take_verdict(const json_t *args, int *ret_verdict, struct call_error *e)
{
	static const char *const names[] = {[RECORD_PASSED] = "passed",
					    [RECORD_WOULD] = "would_block",
					    [RECORD_BLOCKED] = "blocked"};
	const char *s = call_text(args, "verdict");

	*ret_verdict = -1;
	if (!json_object_get(args, "verdict"))
		return true;
	for (int i = RECORD_PASSED; s && i <= RECORD_BLOCKED; i++)
		if (strcmp(names[i], s) == 0)
			*ret_verdict = i;
	if (*ret_verdict < 0)
		call_bad(e, "verdict", "passed, would_block or blocked");
	return *ret_verdict >= 0;
}

/* What all who ask for events may say, and what a vendor must. */
static bool take_filters(const struct call_asker *by, const json_t *args, struct page_ask *a,
			 struct call_error *e)
{
	char text[QUERY_NAME_MAX] = "";

	if (!take_name(args, "device", a->filter.device, e) ||
	    !take_name(args, "reason", a->filter.reason, e) ||
	    !take_name(args, "type", a->type, e) || !take_name(args, "text", text, e) ||
	    !take_verdict(args, &a->verdict, e) ||
	    !take_time(args, "since", &a->filter.since_ns, e) ||
	    !take_time(args, "until", &a->until_ns, e) ||
	    !take_limit(args, LOOK_ROWS_MAX, &a->filter.limit, e) ||
	    !take_cursor(args, &a->before, e))
		return false;
	snprintf(a->text, sizeof(a->text), "%.127s", text);
	if (only_of(by) && !sees(only_of(by), a->filter.device)) {
		call_fail(e, 403, "auth.not_your_device", "You see your own devices only",
			  "name one of them: device=NAME");
		return false;
	}
	return true;
}

static json_t *groups(struct keeper *k, const struct page_ask *a, struct call_error *e)
{
	json_t *rows = json_array();
	int err = query_groups(store_db(k->store), &a->filter, add_group, rows);

	if (err == 0)
		return json_pack("{s:o}", "groups", rows);
	json_decref(rows);
	return cannot_read(k, e, err);
}

static json_t *events(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct page_ask a = {0};
	int64_t next = 0;
	json_t *rows, *ok;
	int err;

	if (!take_filters(by, args, &a, e))
		return NULL;
	if (json_is_true(json_object_get(args, "grouped")))
		return groups(k, &a, e);
	rows = json_array();
	err = page_events(store_db(k->store), &a, PAGE_BUDGET_NS, add_event, rows, &next);
	if (err != 0) {
		json_decref(rows);
		return cannot_read(k, e, err);
	}
	ok = json_pack("{s:o}", "events", rows);
	put_next(ok, next);
	return ok;
}

/* Those after one that the asker has: oldest first, for who comes back to a live view. */
struct since {
	json_t *rows;
	const int64_t *at;
};

static void add_since(void *arg, struct bytes line)
{
	const struct since *s = arg;

	add_event(s->rows, *s->at, line);
}

/*
 * May they look at events as they come, and from where on? The console asks it
 * when a view opens, and again while it is open: sessions end.
 */
static json_t *live(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct page_ask a = {0};
	int64_t after = 0, newest = 0;
	struct since s = {.at = &after};
	uint32_t count = 0;
	int err;

	if (!take_filters(by, args, &a, e))
		return NULL;
	if (json_object_get(args, "after") && !call_number(args, "after", 0, INT64_MAX / 2, &after))
		return call_bad(e, "after", "the number of an event");
	err = query_newest(store_db(k->store), &newest);
	if (err != 0)
		return cannot_read(k, e, err);
	s.rows = json_array();
	if (after > 0 && after < newest)
		err = query_events(store_db(k->store), &a.filter, &after, LOOK_ROWS_MAX, add_since,
				   &s, &count);
	else
		after = newest;
	if (err != 0) {
		json_decref(s.rows);
		return cannot_read(k, e, err);
	}
	return json_pack("{s:o, s:I}", "events", s.rows, "at",
			 (json_int_t)(count < LOOK_ROWS_MAX ? newest : after));
}

/* What the dotted names mean, for people. */
static json_t *reasons(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	json_t *list = json_array();

	for (int r = 0; r < REASON_COUNT; r++)
		if (*reason_sentence((enum reason)r))
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "reason", reason_name((enum reason)r),
						"sentence", reason_sentence((enum reason)r)));
	return json_pack("{s:o}", "reasons", list);
}

#define ALL_ROLES PEOPLE_ALL

const struct call_row look_calls[] = {
	{.name = "status", .fn = status, .roles = PEOPLE_HOUSE},
	{.name = "devices", .fn = devices, .roles = ALL_ROLES},
	{.name = "flows", .fn = flows, .roles = ALL_ROLES},
	{.name = "events", .fn = events, .roles = ALL_ROLES},
	{.name = "live", .fn = live, .roles = ALL_ROLES},
	{.name = "reasons", .fn = reasons, .roles = ALL_ROLES},
	{NULL},
};
