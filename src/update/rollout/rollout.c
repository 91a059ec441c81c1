#include "update/rollout/rollout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS   3
#define ON_PATIENT "it is on a patient: vital signs come from it"
#define HABIT_S	   86400
#define AGAIN_S	   60 /* after a failed attempt, times their number */

const struct rollout_plan rollout_plan_usual = {
	.few = 3,
	.parallel = 4,
	.success = 100,
	.pause_s = 24 * 3600,
	.install_s = 20 * 60,
	.watch_s = 10 * 60,
	.patient_s = 15 * 60,
};

static const char *const states[ROLLOUT_STATES] = {
	[ROLLOUT_PROPOSED] = "proposed", [ROLLOUT_RUNNING] = "running", [ROLLOUT_HELD] = "held",
	[ROLLOUT_STOPPED] = "stopped",	 [ROLLOUT_UNDOING] = "undoing", [ROLLOUT_DONE] = "done",
};

static const char *const steps[STEP_COUNT] = {
	[STEP_WAITING] = "waiting",   [STEP_SENDING] = "sending", [STEP_INSTALLING] = "installing",
	[STEP_WATCHING] = "watching", [STEP_DONE] = "done",	  [STEP_UNDOING] = "undoing",
	[STEP_UNDONE] = "undone",     [STEP_FAILED] = "failed",	  [STEP_SKIPPED] = "skipped",
};

/* --- beginning and end ---------------------------------------------------------- */

struct rollout *rollout_new(const char *id, const char *target, const char *version,
			    const struct rollout_plan *plan, const char *const *devices,
			    unsigned count)
{
	struct rollout *r = calloc(1, sizeof(*r));

	if (r)
		r->devices = calloc(count ? count : 1, sizeof(*r->devices));
	if (!r || !r->devices || count > ROLLOUT_DEVICES) {
		rollout_free(r);
		errno = ENOMEM;
		return NULL;
	}
	snprintf(r->id, sizeof(r->id), "%s", id);
	snprintf(r->target, sizeof(r->target), "%s", target);
	snprintf(r->version, sizeof(r->version), "%s", version);
	r->plan = *plan;
	r->count = count;
	for (unsigned i = 0; i < count; i++) {
		snprintf(r->devices[i].name, sizeof(r->devices[i].name), "%s", devices[i]);
		r->devices[i].wave = i == 0 ? 0 : i <= plan->few ? 1 : 2;
	}
	return r;
}

void rollout_free(struct rollout *r)
{
	if (r)
		free(r->devices);
	free(r);
}

/* --- kept and read back ----------------------------------------------------------- */

static json_t *device_json(const struct rollout_device *d)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:b,s:b}", "name", d->name, "step",
			 steps[d->step], "was", d->was, "why", d->why, "wave", (int)d->wave,
			 "attempts", (int)d->attempts, "since", (json_int_t)d->since, "habit",
			 d->habit, "own_word", d->own_word);
}

json_t *rollout_json(const struct rollout *r)
{
	const struct rollout_plan *p = &r->plan;
	json_t *list = json_array();

	for (unsigned i = 0; i < r->count; i++)
		json_array_append_new(list, device_json(&r->devices[i]));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:I,"
			 "s:{s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:[i,i]},s:o}",
			 "id", r->id, "target", r->target, "version", r->version, "previous",
			 r->previous, "approved_by", r->approved_by, "state", states[r->state],
			 "why", r->why, "wave", (int)r->wave, "wave_done", (json_int_t)r->wave_done,
			 "plan", "few", (int)p->few, "parallel", (int)p->parallel, "success",
			 (int)p->success, "pause_s", (json_int_t)p->pause_s, "install_s",
			 (json_int_t)p->install_s, "watch_s", (json_int_t)p->watch_s, "patient_s",
			 (json_int_t)p->patient_s, "window", p->window[0], p->window[1], "devices",
			 list);
}

static bool name_in(const char *const *names, unsigned count, const json_t *v, unsigned *ret)
{
	const char *s = json_string_value(v);

	for (unsigned i = 0; s && i < count; i++)
		if (strcmp(names[i], s) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static bool copy(const json_t *o, const char *key, char *ret_text, size_t max)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && snprintf(ret_text, max, "%s", s) < (int)max;
}

static bool read_device(const json_t *o, struct rollout_device *d)
{
	unsigned step;

	if (!name_in(steps, STEP_COUNT, json_object_get(o, "step"), &step) ||
	    !copy(o, "name", d->name, sizeof(d->name)) || !*d->name ||
	    !copy(o, "was", d->was, sizeof(d->was)) || !copy(o, "why", d->why, sizeof(d->why)))
		return false;
	d->step = (enum rollout_step)step;
	d->held = d->step == STEP_UNDOING;
	d->wave = (unsigned)json_integer_value(json_object_get(o, "wave"));
	d->attempts = (unsigned)json_integer_value(json_object_get(o, "attempts"));
	d->since = json_integer_value(json_object_get(o, "since"));
	d->habit = json_is_true(json_object_get(o, "habit"));
	d->own_word = json_is_true(json_object_get(o, "own_word"));
	return d->wave <= 2;
}

static bool read_plan(const json_t *o, struct rollout_plan *p)
{
	json_int_t n[7] = {0};
	int from = 0, to = 0;

	if (json_unpack((json_t *)o, "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:[i,i]}", "few", &n[0],
			"parallel", &n[1], "success", &n[2], "pause_s", &n[3], "install_s", &n[4],
			"watch_s", &n[5], "patient_s", &n[6], "window", &from, &to) < 0)
		return false;
	for (unsigned i = 0; i < 7; i++)
		if (n[i] < 0 || n[i] > INT32_MAX)
			return false;
	*p = (struct rollout_plan){.few = (unsigned)n[0],
				   .parallel = (unsigned)n[1],
				   .success = (unsigned)n[2],
				   .pause_s = n[3],
				   .install_s = n[4],
				   .watch_s = n[5],
				   .patient_s = n[6],
				   .window = {from, to}};
	return from >= 0 && from < 1440 && to >= 0 && to < 1440 && p->parallel;
}

static bool read_all(const json_t *o, const json_t *list, struct rollout *r)
{
	unsigned state;
	json_t *d;
	size_t i;

	if (!name_in(states, ROLLOUT_STATES, json_object_get(o, "state"), &state) ||
	    !copy(o, "id", r->id, sizeof(r->id)) ||
	    !copy(o, "target", r->target, sizeof(r->target)) ||
	    !copy(o, "version", r->version, sizeof(r->version)) ||
	    !copy(o, "previous", r->previous, sizeof(r->previous)) ||
	    !copy(o, "approved_by", r->approved_by, sizeof(r->approved_by)) ||
	    !copy(o, "why", r->why, sizeof(r->why)) ||
	    !read_plan(json_object_get(o, "plan"), &r->plan))
		return false;
	r->state = (enum rollout_state)state;
	r->wave = (unsigned)json_integer_value(json_object_get(o, "wave"));
	r->wave_done = json_integer_value(json_object_get(o, "wave_done"));
	json_array_foreach (list, i, d)
		if (!read_device(d, &r->devices[i]))
			return false;
	return r->wave <= 2;
}

struct rollout *rollout_of(const json_t *object)
{
	const json_t *list = json_object_get(object, "devices");
	struct rollout *r;

	errno = EBADMSG;
	if (!json_is_array(list) || json_array_size(list) > ROLLOUT_DEVICES)
		return NULL;
	r = rollout_new("", "", "", &rollout_plan_usual, NULL, 0);
	if (!r)
		return NULL;
	free(r->devices);
	r->count = (unsigned)json_array_size(list);
	r->devices = calloc(r->count ? r->count : 1, sizeof(*r->devices));
	if (r->devices && read_all(object, list, r))
		return r;
	rollout_free(r);
	errno = EBADMSG;
	return NULL;
}

/* --- a device's steps ----------------------------------------------------------------- */

static void say(struct rollout_device *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct rollout_device *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
}

static void go(struct rollout_device *d, enum rollout_step step, int64_t now)
{
	d->step = step;
	d->since = now;
}

static bool is_over(const struct rollout_device *d)
{
	return d->step >= STEP_DONE && d->step != STEP_UNDOING;
}

static bool is_at_work(const struct rollout_device *d)
{
	return d->step == STEP_SENDING || d->step == STEP_INSTALLING || d->step == STEP_WATCHING ||
	       d->step == STEP_UNDOING;
}

/* Back to what it had; where nothing can take it back, a person has to look. */
static void take_back(struct rollout_device *d, int64_t now)
{
	d->attempts = 0;
	d->held = true; /* until it was looked at */
	go(d, STEP_UNDOING, now);
}

/* A window over midnight goes round the clock's end. */
static bool in_window(const struct rollout_plan *p, int minute)
{
	int from = p->window[0], to = p->window[1];

	return from == to ||
	       (from < to ? minute >= from && minute < to : minute >= from || minute < to);
}

/* A clock that was set back makes "then" lie ahead: that is recent, too. */
static bool is_on_patient(const struct rollout *r, const struct rollout_seen *s, int64_t now)
{
	return s->vitals && now - s->vitals < r->plan.patient_s;
}

/* Why a device may not be touched now; NULL it may. */
static const char *kept_from(const struct rollout *r, const struct rollout_seen *s, int64_t now,
			     int minute)
{
	if (!s->known)
		return "the policy does not have it";
	if (s->held)
		return s->held;
	if (is_on_patient(r, s, now))
		return ON_PATIENT;
	if (s->blind)
		return s->blind;
	if (!in_window(&r->plan, minute))
		return "outside the hours for updates";
	if (!s->reachable)
		return "it cannot be reached now";
	return NULL;
}

static bool wait_turn(struct rollout *r, struct rollout_device *d, const struct rollout_seen *s,
		      int64_t now, int minute, unsigned *busy)
{
	const char *why = kept_from(r, s, now, minute);
	char was[ROLLOUT_TEXT];

	memcpy(was, d->why, sizeof(was));
	if (!why && strcmp(s->version, r->version) == 0 && *s->version) {
		say(d, "it says that it had it already; nobody here brought it");
		d->own_word = true;
		go(d, STEP_DONE, now);
		return true;
	}
	if (!why && d->attempts && now - d->since < AGAIN_S * (int64_t)d->attempts &&
	    now >= d->since)
		return false; /* `why` says what went wrong */
	if (!why && *busy >= r->plan.parallel)
		why = "others are at it";
	if (why) {
		say(d, "%s", why);
		return strcmp(was, d->why) != 0;
	}
	snprintf(d->was, sizeof(d->was), "%s", s->version);
	d->why[0] = 0;
	d->habit = s->misbehaved && now - s->misbehaved < HABIT_S;
	go(d, STEP_SENDING, now);
	++*busy;
	return true;
}

static bool wait_news(struct rollout *r, struct rollout_device *d, const struct rollout_seen *s,
		      int64_t now)
{
	/* A version's own word counts; where it has none, that it talks again. */
	bool has = *s->version ? s->said > d->since && strcmp(s->version, r->version) == 0
			       : s->talked > d->since;

	if (has && !s->unhealthy) {
		go(d, STEP_WATCHING, now);
		return true;
	}
	if (s->unhealthy && s->said > d->since)
		say(d, "it says itself that it is not well");
	else if (now - d->since <= r->plan.install_s || (s->blind && !*s->version))
		return false;
	else
		say(d,
		    *s->version && s->said > d->since ? "it came back with version %s"
						      : "it was not heard of again in time%s",
		    *s->version && s->said > d->since ? s->version : "");
	take_back(d, now);
	return true;
}

static bool watch_it(struct rollout *r, struct rollout_device *d, const struct rollout_seen *s,
		     int64_t now)
{
	if (*s->version && strcmp(s->version, r->version) != 0)
		say(d, "it went back to version %s by itself", s->version);
	else if (s->unhealthy && s->said > d->since)
		say(d, "it says itself that it is not well");
	else if (!d->habit && s->misbehaved > d->since)
		say(d, "it does what its profile does not allow");
	else if ((now - d->since <= r->plan.watch_s && now >= d->since) || s->blind)
		return false;
	else if (s->talked <= d->since)
		say(d, "it does not talk as its profile says");
	else {
		d->why[0] = 0;
		go(d, STEP_DONE, now);
		return true;
	}
	take_back(d, now);
	return true;
}

/* What a person takes back works: it has time until nobody is on it. What does not work does not. */
static bool hold_undoing(const struct rollout *r, struct rollout_device *d,
			 const struct rollout_seen *s, int64_t now)
{
	bool was = d->held;

	d->held = r->state == ROLLOUT_UNDOING && (is_on_patient(r, s, now) || s->blind);
	if (d->held && !was)
		say(d, "%s", is_on_patient(r, s, now) ? ON_PATIENT : s->blind);
	return d->held != was;
}

static bool step(struct rollout *r, struct rollout_device *d, const struct rollout_seen *s,
		 int64_t now, int minute, unsigned *busy)
{
	switch (d->step) {
	case STEP_WAITING:
		return r->state == ROLLOUT_RUNNING && d->wave == r->wave && !r->wave_done &&
		       wait_turn(r, d, s, now, minute, busy);
	case STEP_UNDOING:
		return hold_undoing(r, d, s, now);
	case STEP_INSTALLING:
		return wait_news(r, d, s, now);
	case STEP_WATCHING:
		return watch_it(r, d, s, now);
	default:
		return false;
	}
}

/* --- waves ------------------------------------------------------------------------------ */

static bool end_wave(struct rollout *r, int64_t now)
{
	unsigned all = 0, well = 0;

	for (unsigned i = 0; i < r->count; i++) {
		const struct rollout_device *d = &r->devices[i];

		if (d->wave != r->wave || d->step == STEP_SKIPPED)
			continue;
		if (!is_over(d))
			return false;
		all++;
		well += d->step == STEP_DONE;
	}
	if (well * 100 < all * r->plan.success) {
		r->state = ROLLOUT_STOPPED;
		snprintf(r->why, sizeof(r->why), "%u of %u devices did not come out well",
			 all - well, all);
		return true;
	}
	r->wave_done = now;
	return true;
}

static bool is_last_wave(const struct rollout *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->devices[i].wave > r->wave)
			return false;
	return true;
}

static bool next_wave(struct rollout *r, int64_t now)
{
	if (is_last_wave(r)) {
		r->state = ROLLOUT_DONE;
		return true;
	}
	if (now - r->wave_done < r->plan.pause_s && now >= r->wave_done)
		return false;
	r->wave++;
	r->wave_done = 0;
	return true;
}

static bool end_undoing(struct rollout *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (is_at_work(&r->devices[i]))
			return false;
	r->state = ROLLOUT_STOPPED;
	snprintf(r->why, sizeof(r->why), "taken back everywhere");
	return true;
}

bool rollout_tick(struct rollout *r, rollout_see see, void *arg, int64_t now, int local_minute)
{
	bool changed = false;
	unsigned busy = 0;

	for (unsigned i = 0; i < r->count; i++)
		busy += is_at_work(&r->devices[i]);
	for (unsigned i = 0; i < r->count; i++) {
		struct rollout_seen s = {0};

		if (is_over(&r->devices[i]))
			continue;
		/* A clock that was set back: what began later begins now. */
		if (r->devices[i].since > now) {
			r->devices[i].since = now;
			changed = true;
		}
		see(arg, r->devices[i].name, &s);
		changed = step(r, &r->devices[i], &s, now, local_minute, &busy) || changed;
	}
	if (r->state == ROLLOUT_RUNNING)
		changed = (r->wave_done ? next_wave(r, now) : end_wave(r, now)) || changed;
	else if (r->state == ROLLOUT_UNDOING)
		changed = end_undoing(r) || changed;
	return changed;
}

struct rollout_order rollout_next(const struct rollout *r, unsigned i)
{
	for (unsigned k = 0; k < r->count; k++) {
		const struct rollout_device *d = &r->devices[k];

		if ((d->step == STEP_SENDING || (d->step == STEP_UNDOING && !d->held)) && i-- == 0)
			return (struct rollout_order){d->step == STEP_SENDING ? DO_SEND : DO_UNDO,
						      d->name, d->since};
	}
	return (struct rollout_order){DO_NOTHING, NULL, 0};
}

static struct rollout_device *find(struct rollout *r, const char *name)
{
	for (unsigned i = 0; i < r->count; i++)
		if (strcmp(r->devices[i].name, name) == 0)
			return &r->devices[i];
	return NULL;
}

static void sent(struct rollout_device *d, bool well, int64_t now)
{
	if (well)
		go(d, STEP_INSTALLING, now);
	else if (d->attempts >= ATTEMPTS)
		/* It was not told to install anything: it still is what it was. */
		go(d, STEP_UNDONE, now);
	else
		go(d, STEP_WAITING, now);
}

static void undone(struct rollout_device *d, bool well, int64_t now)
{
	if (well)
		go(d, STEP_UNDONE, now);
	else if (d->attempts >= ATTEMPTS)
		go(d, STEP_FAILED, now);
}

void rollout_told(struct rollout *r, const char *device, bool well, const char *text, int64_t now)
{
	struct rollout_device *d = find(r, device);

	if (!d || (d->step != STEP_SENDING && d->step != STEP_UNDOING))
		return;
	if (!well && text)
		say(d, "%s", text);
	d->attempts += !well;
	if (d->step == STEP_SENDING)
		sent(d, well, now);
	else
		undone(d, well, now);
}

/* --- people ----------------------------------------------------------------------------------- */

int rollout_approve(struct rollout *r, const char *who, int64_t now)
{
	if (r->state != ROLLOUT_PROPOSED)
		return -EALREADY;
	r->state = ROLLOUT_RUNNING;
	snprintf(r->approved_by, sizeof(r->approved_by), "%s", who);
	return 0;
}

int rollout_hold(struct rollout *r, const char *why, int64_t now)
{
	if (r->state != ROLLOUT_RUNNING && r->state != ROLLOUT_PROPOSED)
		return -EALREADY;
	if (r->state == ROLLOUT_PROPOSED)
		return -EPERM;
	r->state = ROLLOUT_HELD;
	snprintf(r->why, sizeof(r->why), "%s", why);
	return 0;
}

int rollout_resume(struct rollout *r, int64_t now)
{
	if (r->state != ROLLOUT_HELD)
		return -EALREADY;
	r->state = ROLLOUT_RUNNING;
	r->why[0] = 0;
	return 0;
}

int rollout_undo(struct rollout *r, int64_t now)
{
	if (r->state == ROLLOUT_PROPOSED || r->state == ROLLOUT_UNDOING)
		return -EALREADY;
	for (unsigned i = 0; i < r->count; i++) {
		struct rollout_device *d = &r->devices[i];

		if (d->step == STEP_INSTALLING || d->step == STEP_WATCHING || d->step == STEP_DONE)
			take_back(d, now);
		else if (d->step == STEP_SENDING)
			go(d, STEP_UNDONE, now);
	}
	r->state = ROLLOUT_UNDOING;
	return 0;
}

int rollout_person(struct rollout *r, const char *device, bool well, const char *text, int64_t now)
{
	struct rollout_device *d = find(r, device);

	if (!d)
		return -ENOENT;
	if (d->step != STEP_SENDING && d->step != STEP_UNDOING && d->step != STEP_FAILED)
		return -EALREADY;
	if (d->step == STEP_FAILED) {
		say(d, "%s", text ? text : "a person has looked at it");
		go(d, well ? STEP_DONE : STEP_UNDONE, now);
		return 0;
	}
	rollout_told(r, device, well, text, now);
	return 0;
}

bool rollout_is_unfinished(const struct rollout *r)
{
	return r->state == ROLLOUT_RUNNING || r->state == ROLLOUT_HELD ||
	       r->state == ROLLOUT_UNDOING;
}
