#include <string.h>
#include <time.h>

#include "role/call.h"
#include "role/updates_internal.h"
#include "role/wave.h"
#include "update/fetch/listing.h"

#define CHECK_MS 35000

static json_t *fetching(const struct updates *u)
{
	static const char *const keys[] = {"at",   "error",    "mirror", "expires",
					   "next", "failures", "more"};
	json_t *o = json_pack("{s:b, s:O?}", "on", u->mirrors, "last_good",
			      json_object_get(u->state, "fetched"));

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (json_object_get(u->fetched, keys[i]))
			json_object_set(o, keys[i], json_object_get(u->fetched, keys[i]));
	return o;
}

static json_t *status(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	static const char *const keys[] = {"content", "releases", "outcome"};
	struct updates *u = k->updates;
	json_t *targets = updates_targets(u), *warnings = json_array(), *o;
	struct plan p;
	char text[512];

	updates_plan(u, targets, &p);
	if (updates_are_stale(u, text, sizeof(text)))
		json_array_append_new(warnings, json_string(text));
	if (updates_expire(u, text, sizeof(text)))
		json_array_append_new(warnings, json_string(text));
	o = json_pack("{s:s, s:s, s:o, s:O, s:O, s:o, s:b}", "packaged", BEDWARDEN_VERSION,
		      "release", u->release, "fetching", fetching(u), "waiting", p.waiting,
		      "targets", targets, "warnings", warnings, "busy",
		      u->busy_ns && clock_mono_ns() < u->busy_ns);
	waves_status(k, o);
	if (json_is_object(json_object_get(u->state, "hold")))
		json_object_set(o, "hold", json_object_get(u->state, "hold"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (json_object_get(u->place, keys[i]))
			json_object_set(o, keys[i], json_object_get(u->place, keys[i]));
	/* Not "error", which would mean that this could not be answered. */
	if (json_object_get(u->place, "error"))
		json_object_set(o, "place_error", json_object_get(u->place, "error"));
	plan_free(&p);
	json_decref(targets);
	return o;
}

static json_t *check(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct updates *u = k->updates;

	if (u->updater < 0 || !u->mirrors)
		return call_fail(e, 409, "update.no_updater", "Nothing is fetched here",
				 u->mirrors ? "the updater is not running; see the log"
					    : "name mirrors under 'updates' in the policy file");
	if (ipc_send(u->updater, IPC_FETCHED, 0, (struct bytes){0}, -1) != 0)
		return call_fail(e, 503, "gateway.busy", "The updater is busy", "try again");
	u->checking = true;
	u->checker = by->ticket;
	return call_later(k, by, CHECK_MS, e);
}

/* A rollout is named; NULL: none of that name, and that was said. */
static json_t *want(struct keeper *k, const struct call_asker *by, const char *what,
		    const json_t *args, struct call_error *e)
{
	const char *name = call_text(args, "name");
	const json_t *r = name ? waves_find(k, name) : NULL;

	if (!r)
		return call_fail(e, 404, "update.none", "There is no such rollout",
				 "'update status' names them");
	return waves_want(k, by, r, what, args, e);
}

static json_t *hold(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	const char *reason = call_text(args, "reason");

	if (json_object_get(args, "name"))
		return want(k, by, "hold", args, e);
	json_object_set_new(k->updates->state, "hold",
			    json_pack("{s:s, s:I, s:s}", "by", by->user, "since",
				      (json_int_t)time(NULL), "reason", reason ? reason : ""));
	waves_hold(k, json_object_get(k->updates->state, "hold"));
	updates_tell(k, REASON_UPDATE_HELD, NULL, "held");
	updates_save(k->updates);
	return json_object();
}

static json_t *release(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	if (json_object_get(args, "name"))
		return want(k, by, "release", args, e);
	json_object_del(k->updates->state, "hold");
	waves_hold(k, NULL);
	updates_tell(k, REASON_UPDATE_HELD, NULL, "let go on");
	updates_save(k->updates);
	updates_decide(k);
	return json_object();
}

/* By its name, or its version where it is a release. */
static const json_t *named(const json_t *targets, const char *name)
{
	const json_t *t = listing_find(targets, "name", name), *o;
	size_t i;

	json_array_foreach (targets, i, o)
		if (!t && listing_is_gateway(listing_text(o, "kind")) &&
		    strcmp(listing_text(o, "version"), name) == 0)
			t = o;
	return t;
}

static json_t *approve(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	struct updates *u = k->updates;
	const char *name = call_text(args, "name");
	json_t *targets, *ok = NULL;
	const json_t *t;

	if (name && waves_find(k, name))
		return want(k, by, "approve", args, e);
	targets = updates_targets(u);
	t = name ? named(targets, name) : NULL;
	if (!t) {
		call_fail(e, 404, "update.none", "There is no such update",
			  "'update status' names those that wait");
	} else {
		json_object_set_new(
			updates_kept(u, "approved"), listing_text(t, "sha256"),
			json_pack("{s:s, s:I}", "by", by->user, "at", (json_int_t)time(NULL)));
		json_object_del(updates_kept(u, "tries"), listing_text(t, "sha256"));
		ok = json_pack("{s:s, s:s, s:s}", "name", listing_text(t, "name"), "version",
			       listing_text(t, "version"), "sha256", listing_text(t, "sha256"));
		updates_save(u);
		updates_decide(k);
	}
	json_decref(targets);
	return ok;
}

/* To the release that ran before this one. What is left must not come back by itself. */
static json_t *rollback(struct keeper *k, const struct call_asker *by, const json_t *args,
			struct call_error *e)
{
	struct updates *u = k->updates;
	const json_t *o = json_object_get(u->place, "outcome"), *t;
	const char *to = listing_text(o, "from");

	if (json_object_get(args, "name"))
		return want(k, by, "rollback", args, e);
	if (!*u->release || strcmp(listing_text(o, "to"), u->release) != 0)
		to = "";
	if (!*u->release)
		return call_fail(e, 409, "update.no_switch", "Another release cannot be started",
				 "the packaged release runs, and there is none before it");
	t = listing_find(json_object_get(u->place, "targets"), "version", u->release);
	if (t) {
		json_object_set_new(updates_kept(u, "failed"), listing_text(t, "sha256"),
				    json_string("somebody went back from it"));
		json_object_del(updates_kept(u, "approved"), listing_text(t, "sha256"));
		updates_save(u);
	}
	if (!updates_ask_switch(k, to))
		return call_fail(e, 503, "gateway.busy", "The parent process is busy", "try again");
	u->ticket = by->ticket;
	return call_later(k, by, UPDATES_SWITCH_MS, e);
}

/* Somebody did by hand what a rollout asks for. */
static json_t *done(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	return want(k, by, "person", args, e);
}

/* Somebody imported a stick. */
static json_t *look(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	if (ipc_send(k->parent, IPC_INSTALL, 0, (struct bytes){0}, -1) != 0)
		return call_fail(e, 503, "gateway.busy", "The parent process is busy", "try again");
	/* It may have brought firmware for devices, too. */
	if (k->updates->updater >= 0)
		(void)ipc_send(k->updates->updater, IPC_FETCHED, 0, (struct bytes){0}, -1);
	return json_object();
}

#define MAY_LOOK PEOPLE_HOUSE
#define ADMIN	 PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)
#define STAFF	 (ADMIN | PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER))

const struct call_row update_calls[] = {
	{.name = "update.status", .fn = status, .roles = MAY_LOOK},
	{.name = "update.check", .fn = check, .roles = STAFF, .changes = true},
	{.name = "update.hold", .fn = hold, .roles = STAFF, .changes = true},
	{.name = "update.release", .fn = release, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "update.approve", .fn = approve, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "update.rollback",
	 .fn = rollback,
	 .roles = ADMIN,
	 .step_up = true,
	 .changes = true},
	{.name = "update.done", .fn = done, .roles = STAFF, .changes = true},
	{.name = "update.look", .fn = look, .roles = ADMIN, .changes = true, .on_box = true},
	{NULL},
};
