#include "role/wave.h"

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
#include "guard/policy/policy.h"
#include "role/keeper.h"
#include "role/setup.h"
#include "role/updates.h"
#include "update/rollout/news.h"
#include "update/rollout/sights.h"
#include "update/rollout/word.h"

#define FILE_BYTES   (16u << 20)
#define STATUS_BYTES (32u << 20)
#define SIGHT_NS     (2 * NSEC_PER_SEC)
#define ROWS	     256 /* of sights in a message */
#define WORDS_MAX    256 /* that the updater has not taken yet */

_Static_assert(KEEPER_GUARDS_MAX <= SIGHTS_GUARDS, "a place for every guard");

struct waves {
	char path[PATH_MAX];
	json_t *state;	/* what is kept: words, last, told */
	json_t *status; /* the updater's last; NULL none yet */
	struct sights sights;
	uint64_t due_ns;
};

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* --- what is kept ----------------------------------------------------------------- */

static int save(struct waves *w)
{
	char *t = json_dumps(w->state, JSON_COMPACT);
	int err =
		t ? file_replace(w->path, (struct bytes){(uint8_t *)t, strlen(t)}, 0600) : -ENOMEM;

	if (err < 0)
		log_error("%s cannot be written: %s", w->path, strerror(-err));
	free(t);
	return err;
}

static json_t *member(struct waves *w, const char *name, json_t *fallback)
{
	json_t *v = json_object_get(w->state, name);

	if (json_is_object(v) && json_is_object(fallback)) {
		json_decref(fallback);
		return v;
	}
	if (json_is_array(v) && json_is_array(fallback)) {
		json_decref(fallback);
		return v;
	}
	json_object_set_new(w->state, name, fallback);
	return fallback;
}

static json_t *words(struct waves *w)
{
	return member(w, "words", json_array());
}

static json_t *told(struct waves *w)
{
	return member(w, "told", json_object());
}

struct waves *waves_new(const char *state_dir)
{
	struct waves *w = calloc(1, sizeof(*w));
	struct bytes t = {0};

	if (!w)
		return NULL;
	snprintf(w->path, sizeof(w->path), "%s/rollouts.json", state_dir);
	if (file_read(w->path, FILE_BYTES, &t) == 0)
		w->state = json_loadb((const char *)t.data, t.len, 0, NULL);
	free((void *)t.data);
	if (!json_is_object(w->state)) {
		json_decref(w->state);
		w->state = json_object();
	}
	if (sights_init(&w->sights) < 0) {
		waves_free(w);
		return NULL;
	}
	w->due_ns = clock_mono_ns();
	return w;
}

void waves_free(struct waves *w)
{
	if (!w)
		return;
	json_decref(w->state);
	json_decref(w->status);
	sights_free(&w->sights);
	free(w);
}

/* --- people's words ------------------------------------------------------------------- */

static void say(struct keeper *k, const json_t *word)
{
	char *t = json_dumps(word, JSON_COMPACT);
	int sock = updates_sock(k->updates);

	if (t && sock >= 0) /* what does not arrive is said again with the next status */
		(void)ipc_send(sock, IPC_ROLLOUT, 0, (struct bytes){(uint8_t *)t, strlen(t)}, -1);
	free(t);
}

void waves_hold(struct keeper *k, const json_t *hold)
{
	json_t *word = hold ? json_pack("{s:s, s:s, s:s}", "do", "hold_all", "by", text(hold, "by"),
					"why", text(hold, "reason"))
			    : json_pack("{s:s}", "do", "release_all");

	say(k, word);
	json_decref(word);
}

static void say_words(struct keeper *k)
{
	const json_t *word;
	size_t i;

	json_array_foreach (words(k->waves), i, word)
		say(k, word);
}

void waves_meet(struct keeper *k, const json_t *hold)
{
	waves_hold(k, hold);
	say_words(k);
	k->waves->due_ns = clock_mono_ns();
}

static void heard(struct keeper *k, const json_t *answer)
{
	if (*text(answer, "error"))
		log_warn("a person's word about a rollout: %s", text(answer, "error"));
	word_heard(words(k->waves), json_integer_value(json_object_get(answer, "n")));
	(void)save(k->waves);
}

static const json_t *rollouts(const struct keeper *k)
{
	return json_object_get(k->waves->status, "rollouts");
}

const json_t *waves_find(const struct keeper *k, const char *name)
{
	return word_meant(rollouts(k), name);
}

json_t *waves_want(struct keeper *k, const struct call_asker *by, const json_t *rollout,
		   const char *what, const json_t *args, struct call_error *e)
{
	struct waves *w = k->waves;
	const char *device = call_text(args, "device"), *why = call_text(args, "reason"), *wrong;
	json_int_t n = json_integer_value(json_object_get(w->state, "last")) + 1;
	json_t *word;

	wrong = word_senseless(rollout, what, device ? device : "");
	if (wrong)
		return call_fail(e, 409, "update.no_sense", "That cannot be done now",
				 "rollout %s: %s; 'update status' tells how it stands",
				 text(rollout, "id"), wrong);
	if (json_array_size(words(w)) >= WORDS_MAX)
		return call_fail(e, 503, "gateway.busy", "The updater does not answer",
				 "see the gateway's log, and try again");
	word = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "n", n, "do", what, "id",
			 text(rollout, "id"), "by", by->user, "why", why ? why : "", "device",
			 device ? device : "", "well",
			 !json_is_true(json_object_get(args, "failed")));
	if (!word)
		return call_fail(e, 500, "gateway.memory", "Out of memory", "try again");
	json_object_set_new(w->state, "last", json_integer(n));
	json_array_append_new(words(w), word);
	if (save(w) < 0) {
		json_array_remove(words(w), json_array_size(words(w)) - 1);
		return call_fail(e, 507, "gateway.disk", "It cannot be kept",
				 "nothing was done; see the gateway's log");
	}
	say(k, word);
	return json_pack("{s:s, s:s, s:s}", "name", text(rollout, "id"), "version",
			 text(rollout, "version"), "target", text(rollout, "target"));
}

/* --- what is told of it ------------------------------------------------------------------ */

static void tell(void *arg, const struct news *n)
{
	const json_t *r = n->rollout, *d = n->device;
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "update",
				 .src_port = -1,
				 .dest_port = -1,
				 .device = d ? text(d, "name") : NULL,
				 .reason = n->why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	json_open(&j, "update");
	json_str(&j, "kind", "firmware");
	json_str(&j, "rollout", text(r, "id"));
	json_str(&j, "target", text(r, "target"));
	json_str(&j, "version", text(r, "version"));
	json_str(&j, "state", text(r, "state"));
	if (d) {
		json_str(&j, "step", text(d, "step"));
		json_str(&j, "driver", text(d, "driver"));
		json_u64(&j, "wave", (uint64_t)json_integer_value(json_object_get(d, "wave")) + 1);
	}
	if (*n->message)
		json_str(&j, "message", n->message);
	json_close(&j);
	keeper_put(arg, &j);
}

static bool take_status(struct keeper *k, int fd)
{
	struct waves *w = k->waves;
	struct bytes t;
	json_t *o, *was, *r;
	size_t i;

	if (file_read_memory(fd, STATUS_BYTES, &t) < 0)
		return false;
	o = json_loadb((const char *)t.data, t.len, JSON_REJECT_DUPLICATES, NULL);
	free((void *)t.data);
	if (!json_is_array(json_object_get(o, "rollouts")) ||
	    !json_is_array(json_object_get(o, "devices"))) {
		json_decref(o);
		return false;
	}
	json_decref(w->status);
	w->status = o;
	was = json_deep_copy(told(w));
	json_array_foreach (json_object_get(o, "rollouts"), i, r)
		news_of(told(w), r, tell, k);
	news_forget(told(w), rollouts(k));
	if (!json_equal(was, told(w)))
		(void)save(w);
	json_decref(was);
	say_words(k); /* those that did not arrive */
	return true;
}

bool waves_take(struct keeper *k, const struct ipc_message *m)
{
	json_t *o;

	if (m->type == IPC_ROLLOUTS)
		return take_status(k, m->fd);
	if (m->type != IPC_ROLLOUT)
		return false;
	o = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return false;
	}
	heard(k, o);
	json_decref(o);
	return true;
}

void waves_status(const struct keeper *k, json_t *o)
{
	static const char *const keys[] = {"rollouts", "devices"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		json_t *v = json_object_get(k->waves->status, keys[i]);

		json_object_set_new(o, keys[i], v ? json_incref(v) : json_array());
	}
}

/* --- what is seen --------------------------------------------------------------------------- */

bool waves_conduct(struct keeper *k, struct bytes body)
{
	struct setup_conduct row;
	uint32_t count;

	if (body.len % sizeof(row))
		return false;
	if (!k->policy)
		return true;
	policy_devices(k->policy, &count);
	for (size_t at = 0; at < body.len; at += sizeof(row)) {
		memcpy(&row, body.data + at, sizeof(row));
		if (row.generation != policy_generation(k->policy))
			continue;
		if (row.device >= count)
			return false;
		sights_note(&k->waves->sights, policy_device_name(k->policy, row.device),
			    row.talked_ns, row.misbehaved_ns);
	}
	return true;
}

void waves_guard(struct keeper *k, unsigned guard, bool there)
{
	sights_guard(&k->waves->sights, guard, there, time(NULL));
}

static bool is_gone(void *arg, unsigned guard)
{
	const struct keeper *k = arg;

	return k->guards[guard] < 0;
}

void waves_policy(struct keeper *k)
{
	sights_anew(&k->waves->sights, is_gone, k, time(NULL));
}

static bool is_interesting(const json_t *rollout)
{
	const char *state = text(rollout, "state");

	return strcmp(state, "done") != 0 && strcmp(state, "stopped") != 0;
}

static void flush(struct keeper *k, const struct setup_sight *rows, unsigned count)
{
	if (count)
		(void)ipc_send(updates_sock(k->updates), IPC_SIGHT, 0,
			       (struct bytes){(const uint8_t *)rows, count * sizeof(*rows)}, -1);
}

static struct setup_sight sight_of(struct keeper *k, const char *name, bool looked, int64_t now)
{
	struct sight s = sights_of(&k->waves->sights, k->patients, name, looked, now);
	struct setup_sight row = {.since = s.since,
				  .vitals = s.vitals,
				  .talked = s.talked,
				  .misbehaved = s.misbehaved};

	snprintf(row.name, sizeof(row.name), "%s", name);
	return row;
}

static void tell_sights(struct keeper *k)
{
	static struct setup_sight rows[ROWS];
	int64_t now = time(NULL);
	bool looked = false;
	unsigned count = 0;
	const json_t *r, *d;
	size_t i, j;

	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		looked = looked || k->guards[n] >= 0;
	json_array_foreach (rollouts(k), i, r) {
		if (!is_interesting(r))
			continue;
		json_array_foreach (json_object_get(r, "devices"), j, d) {
			rows[count++] = sight_of(k, text(d, "name"), looked, now);
			if (count == ROWS) {
				flush(k, rows, count);
				count = 0;
			}
		}
	}
	flush(k, rows, count);
}

uint64_t waves_due(const struct keeper *k)
{
	return updates_sock(k->updates) < 0 ? UINT64_MAX : k->waves->due_ns;
}

void waves_tick(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	if (updates_sock(k->updates) < 0 || now < k->waves->due_ns)
		return;
	k->waves->due_ns = now + SIGHT_NS;
	tell_sights(k);
}
