#include "role/updates.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "role/call.h"
#include "role/deposit.h"
#include "role/keeper.h"
#include "role/wave.h"
#include "update/fetch/listing.h"
#include "update/fetch/plan.h"
#include "update/tuf/local.h"
#include "update/fetch/warning.h"

#define WINDOWS_MAX 8
#define STATE_MAX   (1u << 20)
#define TICK_NS	    (60 * NSEC_PER_SEC)
#define INSTALL_NS  (600 * NSEC_PER_SEC) /* a release on a slow disk */
#define SWITCH_MS   5000
#define TRIES_MAX   2 /* of a release during whose trial the machine stopped */
#define AGAIN_MAX   5 /* of what failed for a reason that may go away */
#define AGAIN_NS    (30 * NSEC_PER_SEC)
#define DAY_S	    86400

struct updates {
	bool content_waits, gateway_waits, mirrors;
	unsigned warn_days, window_count;
	char release[64]; /* "" the packaged one */
	char *windows[WINDOWS_MAX], *rules;
	char path[PATH_MAX];
	int updater;	  /* -1 none */
	json_t *state;	  /* what is kept: hold, approved, failed, told, tries, fetched, outcome */
	json_t *fetched;  /* the updater's last report */
	json_t *place;	  /* the installer's */
	json_t *asked;	  /* names that are being installed; NULL none */
	uint32_t ask;	  /* id of the last question to the parent */
	uint64_t busy_ns; /* until then nothing else is begun; 0: nothing is under way */
	uint32_t ticket;  /* who waits for a switch */
	bool checking;	  /* the next report is of a look that somebody asked for */
	uint32_t checker;
	json_t *sealed; /* firmware that is in the vault, or on its way, by its hash */
	bool again;	/* something failed that is tried once more */
	uint64_t due_ns;
};

/* --- what is kept --------------------------------------------------------------- */

static json_t *kept(struct updates *u, const char *name)
{
	json_t *o = json_object_get(u->state, name);

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(u->state, name, o);
	}
	return o;
}

static void save(struct updates *u)
{
	char *text = json_dumps(u->state, JSON_INDENT(1));
	int err = text ? file_replace(u->path, (struct bytes){(uint8_t *)text, strlen(text)}, 0600)
		       : -ENOMEM;

	if (err < 0)
		log_error("%s: holds and approvals of updates are not kept: %s", u->path,
			  strerror(-err));
	free(text);
}

static void load(struct updates *u)
{
	struct bytes text = {0};

	if (file_read(u->path, STATE_MAX, &text) == 0)
		u->state = json_loadb((const char *)text.data, text.len, 0, NULL);
	free((void *)text.data);
	if (!json_is_object(u->state)) {
		json_decref(u->state);
		u->state = json_object();
	}
	if (!json_object_get(u->state, "fetched")) /* from here on it counts as days without */
		json_object_set_new(u->state, "fetched", json_integer((json_int_t)time(NULL)));
}

/* --- beginning and end ------------------------------------------------------------ */

static bool read_rules(struct updates *u, const char *rules)
{
	unsigned content, gateway, mirrors;
	char *save_at = NULL, *word;
	int used = 0;

	if (sscanf(rules, "%u %u %u %u %63s%n", &content, &gateway, &u->warn_days, &mirrors,
		   u->release, &used) != 5)
		return false;
	if (strcmp(u->release, "-") == 0)
		*u->release = 0;
	u->content_waits = content;
	u->gateway_waits = gateway;
	u->mirrors = mirrors;
	u->rules = strdup(rules + used);
	for (word = u->rules ? strtok_r(u->rules, " ", &save_at) : NULL;
	     word && u->window_count < WINDOWS_MAX; word = strtok_r(NULL, " ", &save_at))
		u->windows[u->window_count++] = word;
	return u->rules != NULL;
}

struct updates *updates_new(struct keeper *k, const char *rules)
{
	struct updates *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->updater = -1;
	if (!read_rules(u, rules && *rules ? rules : "0 1 3 0 -")) {
		free(u);
		return NULL;
	}
	snprintf(u->path, sizeof(u->path), "%s/updates.json", k->state_dir);
	load(u);
	u->due_ns = clock_mono_ns() + TICK_NS;
	return u;
}

void updates_free(struct updates *u)
{
	if (!u)
		return;
	json_decref(u->state);
	json_decref(u->fetched);
	json_decref(u->place);
	json_decref(u->asked);
	json_decref(u->sealed);
	if (u->updater >= 0)
		close(u->updater);
	free(u->rules);
	free(u);
}

int updates_sock(const struct updates *u)
{
	return u->updater;
}

uint64_t updates_due(const struct updates *u)
{
	return u->due_ns;
}

/* --- what is told ----------------------------------------------------------------- */

static void tell(struct keeper *k, enum reason why, const json_t *target, const char *text)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "update",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	json_open(&j, "update");
	if (target) {
		json_str(&j, "target", listing_text(target, "name"));
		json_str(&j, "kind", listing_text(target, "kind"));
		json_str(&j, "version", listing_text(target, "version"));
		json_str(&j, "sha256", listing_text(target, "sha256"));
		json_str(&j, "role", listing_text(target, "role"));
	}
	if (*text)
		json_str(&j, "message", text);
	json_close(&j);
	keeper_put(k, &j);
}

/* Once of each content and thing to say. */
static void tell_once(struct keeper *k, enum reason why, const json_t *target, const char *text)
{
	json_t *told = kept(k->updates, "told");
	char key[128];

	snprintf(key, sizeof(key), "%s %s", listing_text(target, "sha256"), reason_name(why));
	if (json_object_get(told, key))
		return;
	json_object_set_new(told, key, json_true());
	tell(k, why, target, text);
}

/* Once a day. */
static void warn(struct keeper *k, enum reason why, const char *text)
{
	json_t *warned = kept(k->updates, "warned");
	json_int_t now = (json_int_t)time(NULL),
		   last = json_integer_value(json_object_get(warned, reason_name(why)));

	if (last && now >= last && now - last < DAY_S)
		return;
	json_object_set_new(warned, reason_name(why), json_integer(now));
	log_warn("%s", text);
	tell(k, why, NULL, text);
	save(k->updates);
}

static bool is_stale(const struct updates *u, char *ret_text, size_t size)
{
	return u->mirrors && warning_stale(json_integer_value(json_object_get(u->state, "fetched")),
					   (int64_t)time(NULL), u->warn_days,
					   listing_text(u->fetched, "error"), ret_text, size);
}

static bool expires_soon(const struct updates *u, char *ret_text, size_t size)
{
	json_int_t a = json_integer_value(json_object_get(u->fetched, "expires")),
		   b = json_integer_value(json_object_get(u->place, "expires"));

	return warning_expires(a > b ? a : b, (int64_t)time(NULL), u->warn_days, ret_text, size);
}

/* --- deciding --------------------------------------------------------------------- */

static json_t *all_targets(const struct updates *u)
{
	bool stick = json_integer_value(json_object_get(u->place, "expires")) >
		     json_integer_value(json_object_get(u->fetched, "expires"));

	return listing_merge(json_object_get(u->fetched, "targets"),
			     json_object_get(u->place, "targets"), stick);
}

static void make_plan(struct updates *u, const json_t *targets, struct plan *ret_plan)
{
	time_t now = time(NULL);
	struct tm local = {0};
	struct plan_rules r = {.content_waits = u->content_waits,
			       .gateway_waits = u->gateway_waits,
			       .windows = u->windows,
			       .window_count = u->window_count,
			       .held = json_is_object(json_object_get(u->state, "hold")),
			       .running = u->release,
			       .packaged = BEDWARDEN_VERSION,
			       .approved = kept(u, "approved"),
			       .failed = kept(u, "failed")};

	localtime_r(&now, &local);
	r.minute = (unsigned)(local.tm_hour * 60 + local.tm_min);
	plan_make(&r, targets, ret_plan);
}

static bool ask_install(struct keeper *k, json_t *names)
{
	struct updates *u = k->updates;
	json_t *order = json_pack("{s:O}", "targets", names);
	char *text = order ? json_dumps(order, JSON_COMPACT) : NULL;
	bool sent = text && strlen(text) <= IPC_BODY_MAX;

	if (sent) {
		u->ask = ++k->asked;
		sent = ipc_send(k->parent, IPC_INSTALL, u->ask,
				(struct bytes){(const uint8_t *)text, strlen(text)}, -1) == 0;
	}
	free(text);
	json_decref(order);
	if (!sent)
		return false;
	json_decref(u->asked);
	u->asked = json_incref(names);
	u->busy_ns = clock_mono_ns() + INSTALL_NS;
	return true;
}

static bool ask_switch(struct keeper *k, const char *release)
{
	struct updates *u = k->updates;

	u->ask = ++k->asked;
	if (ipc_send(k->parent, IPC_SWITCH, u->ask,
		     (struct bytes){(const uint8_t *)release, strlen(release)}, -1) != 0)
		return false;
	u->busy_ns = clock_mono_ns() + SWITCH_MS * NSEC_PER_MSEC;
	return true;
}

/* What is remembered of contents that nobody offers any more. */
static void forget(struct updates *u, const json_t *targets)
{
	static const char *const names[] = {"approved", "failed", "told", "tries"};

	if (!u->place || (u->mirrors && !u->fetched))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *o = kept(u, names[i]), *v;
		const char *key;
		void *next;
		char sha256[65];

		json_object_foreach_safe(o, next, key, v)
		{
			snprintf(sha256, sizeof(sha256), "%.64s", key);
			if (!listing_find(targets, "sha256", sha256))
				json_object_del(o, key);
		}
	}
}

static void decide(struct keeper *k)
{
	struct updates *u = k->updates;
	json_t *targets, *w;
	struct plan p;
	size_t i;

	if (u->busy_ns && clock_mono_ns() < u->busy_ns)
		return;
	u->busy_ns = 0;
	if (!u->place) /* not known yet, and without it everything would seem new */
		return;
	targets = all_targets(u);
	make_plan(u, targets, &p);
	json_array_foreach (p.waiting, i, w)
		if (strcmp(listing_text(w, "code"), "approval") == 0)
			tell_once(k, REASON_UPDATE_WAITING, w, listing_text(w, "why"));
	if (json_array_size(p.install) > 0)
		ask_install(k, p.install);
	else if (p.start)
		ask_switch(k, p.start);
	plan_free(&p);
	forget(u, targets);
	json_decref(targets);
	save(u);
}

/* --- what the updater says ----------------------------------------------------------- */

void updates_meet(struct keeper *k, int sock)
{
	if (k->updates->updater >= 0)
		close(k->updates->updater);
	k->updates->updater = sock;
	waves_meet(k, json_object_get(k->updates->state, "hold"));
}

static json_t *take_json(const struct ipc_message *m)
{
	json_t *o =
		json_loadb((const char *)m->body.data, m->body.len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

static void answer_check(struct keeper *k)
{
	struct updates *u = k->updates;
	const char *error = listing_text(u->fetched, "error");
	struct call_error e = {0};

	if (!u->checking)
		return;
	u->checking = false;
	if (*error) {
		call_fail(&e, 502, "update.not_fetched", "Not everything could be fetched", "%s",
			  error);
		call_failed(k, u->checker, &e);
	} else {
		call_done(k, u->checker,
			  json_pack("{s:s, s:i}", "mirror", listing_text(u->fetched, "mirror"),
				    "targets",
				    (int)json_array_size(json_object_get(u->fetched, "targets"))));
	}
}

/* Firmware stays as it was when a device got it, though no mirror lists it any more. */
static void keep_firmware(struct keeper *k, const json_t *target)
{
	struct updates *u = k->updates;
	const char *name = listing_text(target, "name"), *sha256 = listing_text(target, "sha256");
	char *file = local_name(name, ""), path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/update/targets/%s", k->state_dir,
			 file ? file : "");

	if (!u->sealed)
		u->sealed = json_object();
	if (file && n < (int)sizeof(path) && !json_object_get(u->sealed, sha256) &&
	    deposit_firmware(k, name, path))
		json_object_set_new(u->sealed, sha256, json_true());
	free(file);
}

static void note_fetched(struct keeper *k)
{
	struct updates *u = k->updates;
	const char *error = listing_text(u->fetched, "error");
	const json_t *t;
	size_t i;

	if (json_is_true(json_object_get(u->fetched, "fresh")))
		json_object_set(u->state, "fetched", json_object_get(u->fetched, "at"));
	else if (json_integer_value(json_object_get(u->fetched, "failures")) == 1)
		tell(k, REASON_UPDATE_NOT_FETCHED, NULL, error);
	json_array_foreach (json_object_get(u->fetched, "targets"), i, t) {
		const char *kind = listing_text(t, "kind");

		if (!json_is_true(json_object_get(t, "there")))
			continue;
		if (listing_is_gateway(kind) || listing_is_content(kind))
			tell_once(k, REASON_UPDATE_FETCHED, t, "");
		else
			keep_firmware(k, t);
	}
}

void updates_hear(struct keeper *k)
{
	static char buf[IPC_BUF];
	struct updates *u = k->updates;
	struct ipc_message m;
	int err = ipc_recv(u->updater, buf, &m);
	json_t *report;

	if (err == -EAGAIN)
		return;
	if (err == 0 && waves_take(k, &m)) {
		if (m.fd >= 0)
			close(m.fd);
		return;
	}
	if (err == 0 && m.fd >= 0)
		close(m.fd);
	report = err == 0 && m.type == IPC_FETCHED ? take_json(&m) : NULL;
	if (!report) {
		if (err != -EPIPE)
			keeper_refuse(k, "updater",
				      "a malformed message; its connection is closed");
		close(u->updater);
		u->updater = -1;
		return;
	}
	json_decref(u->fetched);
	u->fetched = report;
	note_fetched(k);
	answer_check(k);
	decide(k);
	updates_tick(k);
}

/* --- what the parent says -------------------------------------------------------------- */

static void fail(struct keeper *k, const char *name, const char *sha256, const char *why,
		 bool final)
{
	struct updates *u = k->updates;
	json_t *targets = all_targets(u);
	const json_t *t = listing_find(targets, "name", name);

	if (!*sha256 && t)
		sha256 = listing_text(t, "sha256");
	if (*sha256 && !final) {
		json_int_t n = json_integer_value(json_object_get(kept(u, "tries"), sha256)) + 1;

		json_object_set_new(kept(u, "tries"), sha256, json_integer(n));
		final = n >= AGAIN_MAX;
		u->again = !final;
	}
	if (*sha256 && final) {
		json_object_set_new(kept(u, "failed"), sha256, json_string(why));
		json_object_del(kept(u, "approved"), sha256);
	}
	log_error("update %s: %s", name, why);
	tell(k, REASON_UPDATE_REFUSED, t, why);
	json_decref(targets);
}

/* What came of each that was to be installed. */
static void settle(struct keeper *k, const char *error, bool final)
{
	struct updates *u = k->updates;
	const json_t *name, *targets = json_object_get(u->place, "targets");
	size_t i;

	json_array_foreach (u->asked, i, name) {
		const json_t *t = listing_find(targets, "name", json_string_value(name));

		if (t && json_is_true(json_object_get(t, "installed"))) {
			tell(k, REASON_UPDATE_INSTALLED, t, "");
			if (!listing_is_gateway(listing_text(t, "kind")))
				json_object_del(kept(u, "approved"), listing_text(t, "sha256"));
			json_object_del(kept(u, "failed"), listing_text(t, "sha256"));
		} else if (!u->again &&
			   (!t || !json_object_get(kept(u, "failed"), listing_text(t, "sha256")))) {
			fail(k, json_string_value(name), "",
			     *error ? error : "it could not be put in place", final);
		}
	}
	json_decref(u->asked);
	u->asked = NULL;
}

/* A change of release was decided, while another keeper was there. */
static void note_outcome(struct keeper *k)
{
	struct updates *u = k->updates;
	json_t *o = json_object_get(u->place, "outcome"), *tries = kept(u, "tries");
	const char *what = listing_text(o, "what"), *to = listing_text(o, "to"), *sha256;
	const json_t *t = listing_find(json_object_get(u->place, "targets"), "version", to);
	char text[512];

	if (!o || json_equal(o, json_object_get(u->state, "outcome")))
		return;
	json_object_set(u->state, "outcome", o);
	sha256 = t ? listing_text(t, "sha256") : "";
	snprintf(text, sizeof(text), "release %s: %s%s%s", *to ? to : "packaged", what,
		 *listing_text(o, "why") ? ", " : "", listing_text(o, "why"));
	if (strcmp(what, "done") == 0) {
		json_object_del(kept(u, "approved"), sha256);
		json_object_del(tries, sha256);
		tell(k, REASON_UPDATE_SWITCHED, t, text);
		return;
	}
	tell(k, REASON_UPDATE_BACK, t, text);
	if (!*sha256)
		return;
	if (strcmp(what, "interrupted") == 0) {
		json_int_t n = json_integer_value(json_object_get(tries, sha256)) + 1;

		json_object_set_new(tries, sha256, json_integer(n));
		if (n < TRIES_MAX)
			return;
	}
	fail(k, listing_text(t, "name"), sha256, text, true);
}

void updates_placed(struct keeper *k, const struct ipc_message *m)
{
	struct updates *u = k->updates;
	json_t *o = take_json(m), *place = json_object_get(o, "place"), *f;
	bool mine = m->id && m->id == u->ask;
	const char *error = listing_text(o, "error");
	bool final = *error != 0; /* the policy does not hold with it; all else may go away */
	size_t i;

	if (json_is_true(json_object_get(o, "busy"))) { /* and decided when that is done */
		json_decref(u->asked);
		u->asked = NULL;
		u->busy_ns = 0;
		json_decref(o);
		return;
	}

	if (place) {
		json_decref(u->place);
		u->place = json_incref(place);
		if (!*error)
			error = listing_text(place, "error");
		note_outcome(k); /* before anything is decided by what is in place */
	}
	json_array_foreach (json_object_get(place, "failed"), i, f)
		fail(k, listing_text(f, "name"), listing_text(f, "sha256"),
		     listing_text(f, "error"), json_is_true(json_object_get(f, "final")));
	/* Of what was not taken into force, the reason comes first and what is in place after it. */
	if (mine && *error && u->asked)
		settle(k, error, final);
	if (!json_is_true(json_object_get(o, "more"))) {
		if (u->asked)
			settle(k, error, final);
		u->busy_ns = u->again ? clock_mono_ns() + AGAIN_NS : 0;
		u->again = false;
		note_outcome(k);
		decide(k);
	}
	json_decref(o);
}

void updates_switched(struct keeper *k, const struct ipc_message *m)
{
	struct updates *u = k->updates;
	char why[256];
	struct call_error e = {0};

	if (m->id != u->ask)
		return;
	snprintf(why, sizeof(why), "%.*s", (int)m->body.len, (const char *)m->body.data);
	if (*why)
		log_warn("another release is not started: %s", why);
	/* What comes of it, the next keeper is told; a refusal may come to this one. */
	u->busy_ns = *why ? 0 : clock_mono_ns() + 60 * NSEC_PER_SEC;
	if (!u->ticket)
		return;
	if (*why) {
		call_fail(&e, 409, "update.no_switch", "Another release cannot be started", "%s",
			  why);
		call_failed(k, u->ticket, &e);
	} else {
		call_done(k, u->ticket, json_object());
	}
	u->ticket = 0;
}

void updates_tick(struct keeper *k)
{
	struct updates *u = k->updates;
	char text[512];

	u->due_ns = clock_mono_ns() + TICK_NS;
	if (is_stale(u, text, sizeof(text)))
		warn(k, REASON_UPDATE_STALE, text);
	if (expires_soon(u, text, sizeof(text)))
		warn(k, REASON_UPDATE_EXPIRES, text);
	decide(k);
}

/* --- calls ---------------------------------------------------------------------------- */

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
	json_t *targets = all_targets(u), *warnings = json_array(), *o;
	struct plan p;
	char text[512];

	make_plan(u, targets, &p);
	if (is_stale(u, text, sizeof(text)))
		json_array_append_new(warnings, json_string(text));
	if (expires_soon(u, text, sizeof(text)))
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

#define CHECK_MS 35000

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
	tell(k, REASON_UPDATE_HELD, NULL, "held");
	save(k->updates);
	return json_object();
}

static json_t *release(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	if (json_object_get(args, "name"))
		return want(k, by, "release", args, e);
	json_object_del(k->updates->state, "hold");
	waves_hold(k, NULL);
	tell(k, REASON_UPDATE_HELD, NULL, "let go on");
	save(k->updates);
	decide(k);
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
	targets = all_targets(u);
	t = name ? named(targets, name) : NULL;
	if (!t) {
		call_fail(e, 404, "update.none", "There is no such update",
			  "'update status' names those that wait");
	} else {
		json_object_set_new(
			kept(u, "approved"), listing_text(t, "sha256"),
			json_pack("{s:s, s:I}", "by", by->user, "at", (json_int_t)time(NULL)));
		json_object_del(kept(u, "tries"), listing_text(t, "sha256"));
		ok = json_pack("{s:s, s:s, s:s}", "name", listing_text(t, "name"), "version",
			       listing_text(t, "version"), "sha256", listing_text(t, "sha256"));
		save(u);
		decide(k);
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
		json_object_set_new(kept(u, "failed"), listing_text(t, "sha256"),
				    json_string("somebody went back from it"));
		json_object_del(kept(u, "approved"), listing_text(t, "sha256"));
		save(u);
	}
	if (!ask_switch(k, to))
		return call_fail(e, 503, "gateway.busy", "The parent process is busy", "try again");
	u->ticket = by->ticket;
	return call_later(k, by, SWITCH_MS, e);
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
