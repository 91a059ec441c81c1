#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "role/call.h"
#include "role/deposit.h"
#include "role/updates_internal.h"
#include "role/wave.h"
#include "update/fetch/listing.h"
#include "update/fetch/warning.h"
#include "update/tuf/local.h"

#define STATE_MAX  (1u << 20)
#define TICK_NS	   (60 * NSEC_PER_SEC)
#define INSTALL_NS (600 * NSEC_PER_SEC) /* a release on a slow disk */
#define TRIES_MAX  2			/* of a release during whose trial the machine stopped */
#define AGAIN_MAX  5			/* of what failed for a reason that may go away */
#define AGAIN_NS   (30 * NSEC_PER_SEC)
#define DAY_S	   86400

/* --- what is kept --------------------------------------------------------------- */

json_t *updates_kept(struct updates *u, const char *name)
{
	json_t *o = json_object_get(u->state, name);

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(u->state, name, o);
	}
	return o;
}

void updates_save(struct updates *u)
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
	     word && u->window_count < UPDATES_WINDOWS; word = strtok_r(NULL, " ", &save_at))
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

void updates_tell(struct keeper *k, enum reason why, const json_t *target, const char *text)
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
	json_t *told = updates_kept(k->updates, "told");
	char key[128];

	snprintf(key, sizeof(key), "%s %s", listing_text(target, "sha256"), reason_name(why));
	if (json_object_get(told, key))
		return;
	json_object_set_new(told, key, json_true());
	updates_tell(k, why, target, text);
}

/* Once a day. */
static void warn(struct keeper *k, enum reason why, const char *text)
{
	json_t *warned = updates_kept(k->updates, "warned");
	json_int_t now = (json_int_t)time(NULL),
		   last = json_integer_value(json_object_get(warned, reason_name(why)));

	if (last && now >= last && now - last < DAY_S)
		return;
	json_object_set_new(warned, reason_name(why), json_integer(now));
	log_warn("%s", text);
	updates_tell(k, why, NULL, text);
	updates_save(k->updates);
}

bool updates_are_stale(const struct updates *u, char *ret_text, size_t size)
{
	return u->mirrors && warning_stale(json_integer_value(json_object_get(u->state, "fetched")),
					   (int64_t)time(NULL), u->warn_days,
					   listing_text(u->fetched, "error"), ret_text, size);
}

bool updates_expire(const struct updates *u, char *ret_text, size_t size)
{
	json_int_t a = json_integer_value(json_object_get(u->fetched, "expires")),
		   b = json_integer_value(json_object_get(u->place, "expires"));

	return warning_expires(a > b ? a : b, (int64_t)time(NULL), u->warn_days, ret_text, size);
}

/* --- deciding --------------------------------------------------------------------- */

json_t *updates_targets(const struct updates *u)
{
	bool stick = json_integer_value(json_object_get(u->place, "expires")) >
		     json_integer_value(json_object_get(u->fetched, "expires"));

	return listing_merge(json_object_get(u->fetched, "targets"),
			     json_object_get(u->place, "targets"), stick);
}

void updates_plan(struct updates *u, const json_t *targets, struct plan *ret_plan)
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
			       .approved = updates_kept(u, "approved"),
			       .failed = updates_kept(u, "failed")};

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

bool updates_ask_switch(struct keeper *k, const char *release)
{
	struct updates *u = k->updates;

	u->ask = ++k->asked;
	if (ipc_send(k->parent, IPC_SWITCH, u->ask,
		     (struct bytes){(const uint8_t *)release, strlen(release)}, -1) != 0)
		return false;
	u->busy_ns = clock_mono_ns() + UPDATES_SWITCH_MS * NSEC_PER_MSEC;
	return true;
}

/* What is remembered of contents that nobody offers any more. */
static void forget(struct updates *u, const json_t *targets)
{
	static const char *const names[] = {"approved", "failed", "told", "tries"};

	if (!u->place || (u->mirrors && !u->fetched))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *o = updates_kept(u, names[i]), *v;
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

void updates_decide(struct keeper *k)
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
	targets = updates_targets(u);
	updates_plan(u, targets, &p);
	json_array_foreach (p.waiting, i, w)
		if (strcmp(listing_text(w, "code"), "approval") == 0)
			tell_once(k, REASON_UPDATE_WAITING, w, listing_text(w, "why"));
	if (json_array_size(p.install) > 0)
		ask_install(k, p.install);
	else if (p.start)
		updates_ask_switch(k, p.start);
	plan_free(&p);
	forget(u, targets);
	json_decref(targets);
	updates_save(u);
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
		updates_tell(k, REASON_UPDATE_NOT_FETCHED, NULL, error);
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
	updates_decide(k);
	updates_tick(k);
}

/* --- what the parent says -------------------------------------------------------------- */

static void fail(struct keeper *k, const char *name, const char *sha256, const char *why,
		 bool final)
{
	struct updates *u = k->updates;
	json_t *targets = updates_targets(u);
	const json_t *t = listing_find(targets, "name", name);

	if (!*sha256 && t)
		sha256 = listing_text(t, "sha256");
	if (*sha256 && !final) {
		json_int_t n =
			json_integer_value(json_object_get(updates_kept(u, "tries"), sha256)) + 1;

		json_object_set_new(updates_kept(u, "tries"), sha256, json_integer(n));
		final = n >= AGAIN_MAX;
		u->again = !final;
	}
	if (*sha256 && final) {
		json_object_set_new(updates_kept(u, "failed"), sha256, json_string(why));
		json_object_del(updates_kept(u, "approved"), sha256);
	}
	log_error("update %s: %s", name, why);
	updates_tell(k, REASON_UPDATE_REFUSED, t, why);
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
			updates_tell(k, REASON_UPDATE_INSTALLED, t, "");
			if (!listing_is_gateway(listing_text(t, "kind")))
				json_object_del(updates_kept(u, "approved"),
						listing_text(t, "sha256"));
			json_object_del(updates_kept(u, "failed"), listing_text(t, "sha256"));
		} else if (!u->again && (!t || !json_object_get(updates_kept(u, "failed"),
								listing_text(t, "sha256")))) {
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
	json_t *o = json_object_get(u->place, "outcome"), *tries = updates_kept(u, "tries");
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
		json_object_del(updates_kept(u, "approved"), sha256);
		json_object_del(tries, sha256);
		updates_tell(k, REASON_UPDATE_SWITCHED, t, text);
		return;
	}
	updates_tell(k, REASON_UPDATE_BACK, t, text);
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
		updates_decide(k);
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
	if (updates_are_stale(u, text, sizeof(text)))
		warn(k, REASON_UPDATE_STALE, text);
	if (updates_expire(u, text, sizeof(text)))
		warn(k, REASON_UPDATE_EXPIRES, text);
	updates_decide(k);
}
