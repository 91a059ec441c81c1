#include "role/trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "keep/keys.h"
#include "keep/record.h"
#include "role/keeper.h"
#include "role/secrets.h"

#define SAY_EVERY_NS (60 * NSEC_PER_SEC)
#define PAGE_MAX     1000

void trail_open(struct keeper *k)
{
	struct audit_entry start = {.who = "gateway", .as = "gateway", .what = "gateway.start"};
	char error[AUDIT_ERROR];

	k->trail = audit_open(k->state_dir, k->secrets ? secrets_keys(k->secrets) : NULL, error);
	if (!k->trail) {
		log_error("the audit trail cannot be opened: %s; what must be recorded is not done",
			  error);
		keeper_report(k, REASON_AUDIT_LOST, 0, error);
		return;
	}
	if (*audit_found(k->trail)) {
		log_error("audit: %s", audit_found(k->trail));
		keeper_report(k, REASON_AUDIT_BROKEN, 0, audit_found(k->trail));
	}
	start.text = BEDWARDEN_VERSION;
	(void)trail_note(k, &start);
}

void trail_close(struct keeper *k)
{
	struct audit_entry stop = {.who = "gateway", .as = "gateway", .what = "gateway.stop"};

	if (k->trail)
		(void)trail_note(k, &stop);
	audit_free(k->trail);
	k->trail = NULL;
}

const char *trail_broken(const struct keeper *k)
{
	return k->trail ? audit_found(k->trail) : "the audit trail cannot be opened";
}

static void put(struct json *j, const char *key, const char *text)
{
	if (text && *text)
		json_str(j, key, text);
}

/* For SIEMs; a text that is too long for a line is cut by the trail, and left out here. */
static void tell(struct keeper *k, const struct audit_entry *e)
{
	struct event_common c = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_ip = e->source && *e->source ? e->source : NULL,
				 .src_port = -1,
				 .dest_port = -1};
	char buf[EVENT_MAX];
	struct json j = event_begin(&c, buf);

	json_open(&j, "audit");
	put(&j, "who", e->who);
	put(&j, "as", e->as);
	put(&j, "role", e->role);
	put(&j, "what", e->what);
	put(&j, "object", e->object);
	json_u64(&j, "outcome", (uint64_t)e->outcome);
	put(&j, "refused", e->reason);
	if (e->text && strlen(e->text) < EVENT_MAX / 16)
		put(&j, "message", e->text);
	json_close(&j);
	keeper_put(k, &j);
}

int trail_note(struct keeper *k, const struct audit_entry *e)
{
	uint64_t now = clock_mono_ns();
	char error[AUDIT_ERROR];
	int err = -EIO;

	if (k->trail)
		err = audit_append(k->trail, e);
	/* Changed under us: what is there is set aside, and this is the new one's first act. */
	if (err == -EUCLEAN || !k->trail) {
		audit_free(k->trail);
		k->trail = audit_open(k->state_dir, k->secrets ? secrets_keys(k->secrets) : NULL,
				      error);
		if (k->trail && *audit_found(k->trail)) {
			log_error("audit: %s", audit_found(k->trail));
			keeper_report(k, REASON_AUDIT_BROKEN, 0, audit_found(k->trail));
		}
		err = k->trail ? audit_append(k->trail, e) : -EIO;
	}
	if (err == 0) {
		/* What the gateway notes of itself is an event of its own already. */
		if (!e->as || strcmp(e->as, "gateway") != 0)
			tell(k, e);
		return 0;
	}
	if (!k->trail_said_ns || now - k->trail_said_ns > SAY_EVERY_NS) {
		k->trail_said_ns = now;
		log_error("audit: %s cannot be recorded: %s", e->what, strerror(-err));
		keeper_report(k, REASON_AUDIT_LOST, 0, strerror(-err));
	}
	return err;
}

/* The part of an entry that says who asks and from where, borrowed from `by`. */
static struct audit_entry entry_of(const struct call_asker *by)
{
	return (struct audit_entry){
		.who = *by->user ? by->user : "nobody",
		.as = by->operator_ ? "operator"
		      : by->api_key ? "api_key"
		      : !*by->user  ? "nobody"
				    : "session",
		.role = by->operator_ || !*by->user ? "" : people_role_name(by->role),
		.source = by->source ? by->source : "",
		.mac = by->mac ? by->mac : "",
		.session = by->session_id ? by->session_id : "",
	};
}

/* A value as a text; false: it is none that is noted. Of a list as much as there is room for. */
static bool value_of(const json_t *v, char *ret_text, size_t size)
{
	const char *s = json_string_value(v);
	const json_t *one;
	size_t i, len = 0;

	*ret_text = 0;
	if (json_is_integer(v))
		snprintf(ret_text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (s && strlen(s) == json_string_length(v) && strlen(s) < 80)
		snprintf(ret_text, size, "%s", s);
	else if (json_is_true(v))
		snprintf(ret_text, size, "yes");
	json_array_foreach (v, i, one) {
		s = json_string_value(one);
		if (!s || strlen(s) + 8 > size - len) {
			snprintf(ret_text + len, size - len, ",…");
			break;
		}
		len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? "," : "", s);
	}
	return *ret_text;
}

/* On what: those of these that the call was given. Nothing else of its arguments is noted. */
static void object_of(const json_t *args, char *ret_text, size_t size)
{
	static const char *const names[] = {"user",  "device",	  "advisory", "service", "grant",
					    "id",    "factor",	  "key",      "name",	 "session",
					    "login", "framework", "upload",   "class",	 "which",
					    "names", "recipient", "for",      "all",	 "expired",
					    "force", "format"};
	char value[160];
	size_t len = 0;

	*ret_text = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && len < size; i++)
		if (value_of(json_object_get(args, names[i]), value, sizeof(value)))
			len += (size_t)snprintf(ret_text + len, size - len, "%s%s:%s",
						len ? " " : "", names[i], value);
}

/* What nobody in particular is refused, as a sign-in that fails: a kind once a minute. */
struct refusal {
	char what[64], reason[64];
	uint64_t said_ns, untold;
};

/* How many such refusals the entry stands for; 0: it is counted, and told later. */
static uint64_t refusals(const char *what, const char *reason)
{
	static struct refusal kinds[16];
	uint64_t now = clock_mono_ns(), n;
	struct refusal *r = &kinds[0];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].what, what) == 0 && strcmp(kinds[i].reason, reason) == 0) {
			r = &kinds[i];
			break;
		}
		if (kinds[i].said_ns < r->said_ns)
			r = &kinds[i];
	}
	if (strcmp(r->what, what) != 0 || strcmp(r->reason, reason) != 0) {
		*r = (struct refusal){0};
		snprintf(r->what, sizeof(r->what), "%s", what);
		snprintf(r->reason, sizeof(r->reason), "%s", reason);
	}
	r->untold++;
	if (r->said_ns && now - r->said_ns < SAY_EVERY_NS)
		return 0;
	n = r->untold;
	r->said_ns = now;
	r->untold = 0;
	return n;
}

void trail_act(struct keeper *k, const struct call_row *row, const struct call_asker *by,
	       const json_t *args, const struct call_error *error)
{
	struct audit_entry e = entry_of(by);
	char object[256];

	object_of(args, object, sizeof(object));
	e.what = row->name;
	e.object = object;
	e.text = call_text(args, "reason");
	if (error) {
		e.outcome = error->status >= 500 ? AUDIT_SERIOUS : AUDIT_MINOR;
		e.reason = error->type;
	}
	if (error && !*by->user && (e.count = refusals(row->name, error->type)) == 0)
		return;
	(void)trail_note(k, &e);
}

void trail_fact(struct keeper *k, const struct record *r)
{
	static const struct {
		enum reason reason;
		const char *what;
		enum audit_outcome outcome;
	} facts[] = {
		{REASON_GATEWAY_POLICY_APPLIED, "policy.in_force", AUDIT_SUCCESS},
		{REASON_GATEWAY_POLICY_REFUSED, "policy.refused", AUDIT_MINOR},
		{REASON_GATEWAY_CLOCK_JUMP, "clock.set", AUDIT_SUCCESS},
		{REASON_GATEWAY_PROCESS_DIED, "gateway.process_died", AUDIT_SERIOUS},
	};
	enum reason why = *r->reason ? reason_from_name(r->reason) : REASON_NONE;
	json_t *line;

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		struct audit_entry e = {.who = "gateway", .as = "gateway"};

		if (facts[i].reason != why)
			continue;
		line = json_loadb((const char *)r->line.data, r->line.len, 0, NULL);
		e.what = facts[i].what;
		e.outcome = facts[i].outcome;
		e.text = json_string_value(
			json_object_get(json_object_get(line, "audit"), "message"));
		(void)trail_note(k, &e);
		json_decref(line);
	}
}

/* ---- calls ---- */

static void add_row(void *arg, struct bytes row)
{
	json_array_append_new(arg, json_loadb((const char *)row.data, row.len, 0, NULL));
}

static json_t *no_trail(struct call_error *e)
{
	return call_fail(e, 503, "audit.unavailable", "The audit trail cannot be read",
			 "see the gateway's log");
}

static json_t *list(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	int64_t before = 0, limit = 100;
	struct audit_query q = {.who = call_text(args, "who"),
				.what = call_text(args, "what"),
				.object = call_text(args, "object")};
	json_t *rows, *ok;
	uint64_t next;
	char text[24];

	if (!call_cursor(args, INT64_MAX, &before) ||
	    (json_object_get(args, "cursor") && json_object_get(args, "before")))
		return call_fail(e, 400, "call.argument", "An argument is not what it must be",
				 "cursor: `next` of the page before, and no `before` besides");
	if (json_object_get(args, "before") && !call_number(args, "before", 0, INT64_MAX, &before))
		return call_fail(e, 400, "call.arguments", "An argument is wrong",
				 "before must be the number of an entry");
	if (json_object_get(args, "limit") && !call_number(args, "limit", 1, PAGE_MAX, &limit))
		return call_fail(e, 400, "call.arguments", "An argument is wrong",
				 "limit must be from 1 to %d", PAGE_MAX);
	if (!k->trail)
		return no_trail(e);
	q.before = (uint64_t)before;
	q.limit = (uint32_t)limit;
	rows = json_array();
	if (audit_list(k->trail, &q, add_row, rows, &next) < 0) {
		json_decref(rows);
		return no_trail(e);
	}
	ok = json_pack("{s:o}", "entries", rows);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)next);
	if (next)
		json_object_set_new(ok, "next", json_string(text));
	return ok;
}

static json_t *checkpoint(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	struct audit_checkpoint c;
	char text[AUDIT_CHECKPOINT_MAX];
	size_t len;

	if (!k->trail)
		return no_trail(e);
	audit_checkpoint_of(k->trail, &c);
	len = audit_checkpoint_text(&c, text);
	return json_pack("{s:s%, s:I, s:b}", "checkpoint", text, len, "count", (json_int_t)c.count,
			 "signed", audit_checkpoint_signed(&c));
}

static json_t *verify(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	static const char *const states[] = {"whole", "changed", "cut", "forged", "unsigned"};
	const char *text = call_text(args, "against");
	struct audit_checkpoint elsewhere;
	struct keys *keys = k->secrets ? secrets_keys(k->secrets) : NULL;
	uint8_t key[CRYPTO_KEY];
	struct audit_report r;
	bool known = keys && keys_public(keys, AUDIT_PURPOSE, key) == 0;

	if (text && !audit_checkpoint_parse((struct bytes){(const uint8_t *)text, strlen(text)},
					    &elsewhere))
		return call_fail(
			e, 400, "audit.no_checkpoint", "That is no checkpoint",
			"give the line as it was copied, beginning with audit-checkpoint-1");
	if (audit_verify(k->state_dir, known ? key : NULL, text ? &elsewhere : NULL, &r) < 0)
		return no_trail(e);
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "state", states[r.state], "count",
			 (json_int_t)r.count, "sure", (json_int_t)r.sure, "where",
			 (json_int_t)r.where, "text", r.text, "torn", r.torn, "key_known",
			 (int)known);
}

#define READS (PEOPLE_ONLY(PEOPLE_AUDITOR) | PEOPLE_ONLY(PEOPLE_ADMINISTRATOR))

const struct call_row audit_calls[] = {
	{"audit.list", list, READS, false, false, false},
	{"audit.checkpoint", checkpoint, READS, false, false, false},
	{"audit.verify", verify, READS, false, false, false},
	{.name = "audit.export", .fn = trail_export, .roles = READS, .noted = true},
	{NULL},
};
