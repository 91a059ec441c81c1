/* Waves of firmware: who waits, who is watched, who is taken back, and what survives a kill. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update/rollout/rollout.h"

#define DEVICES 8
#define DAY	86400
#define NOON	720

/* A ward of devices as the machine is told of them. */
struct ward {
	struct rollout *r;
	struct rollout_seen seen[DEVICES];
	int64_t now;
	bool kills; /* kept and read back after every step */
};

static int number(const char *device)
{
	return device[1] - '0';
}

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	const struct ward *w = arg;

	*ret_seen = w->seen[number(device)];
}

static void begin(struct ward *w, unsigned count, unsigned few)
{
	static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
	struct rollout_plan plan = rollout_plan_usual;

	plan.few = few;
	plan.pause_s = 3600;
	*w = (struct ward){.now = 1000 * DAY};
	w->r = rollout_new("acme-2", "acme/fw-2.bin", "2.0", &plan, names, count);
	assert_non_null(w->r);
	for (unsigned i = 0; i < count; i++) {
		w->seen[i] = (struct rollout_seen){
			.known = true, .reachable = true, .talked = w->now, .said = w->now};
		snprintf(w->seen[i].version, ROLLOUT_VERSION, "1.0");
	}
}

/* As if killed and started again. */
static void again(struct ward *w)
{
	json_t *kept = rollout_json(w->r);

	assert_non_null(kept);
	rollout_free(w->r);
	w->r = rollout_of(kept);
	assert_non_null(w->r);
	json_decref(kept);
}

static void tick(struct ward *w, int64_t seconds)
{
	w->now += seconds;
	rollout_tick(w->r, see, w, w->now, NOON);
	if (w->kills)
		again(w);
	rollout_tick(w->r, see, w, w->now, NOON);
}

static unsigned orders(const struct ward *w, enum rollout_do what)
{
	struct rollout_order o;
	unsigned n = 0;

	for (unsigned i = 0; (o = rollout_next(w->r, i)).what; i++)
		n += o.what == what;
	return n;
}

static enum rollout_step step_of(const struct ward *w, unsigned i)
{
	return w->r->devices[i].step;
}

static void is_heard(struct ward *w, unsigned i, const char *version)
{
	snprintf(w->seen[i].version, ROLLOUT_VERSION, "%s", version);
	w->seen[i].said = w->seen[i].talked = w->now;
}

/* The whole way of a device that behaves. */
static void comes_through(struct ward *w, unsigned i)
{
	char name[] = {'p', (char)('0' + i), 0};

	assert_int_equal(step_of(w, i), STEP_SENDING);
	rollout_told(w->r, name, true, NULL, w->now);
	tick(w, 30);
	assert_int_equal(step_of(w, i), STEP_INSTALLING);
	is_heard(w, i, "2.0");
	tick(w, 30);
	assert_int_equal(step_of(w, i), STEP_WATCHING);
	w->now += 60;
	is_heard(w, i, "2.0");
}

static void nothing_before_approval(void **state)
{
	struct ward w;

	begin(&w, 3, 1);
	tick(&w, DAY);
	assert_int_equal(orders(&w, DO_SEND), 0);
	assert_int_equal(rollout_approve(w.r, "ann", w.now), 0);
	assert_int_equal(rollout_approve(w.r, "bob", w.now), -EALREADY);
	assert_string_equal(w.r->approved_by, "ann");
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_SEND), 1);
	assert_string_equal(rollout_next(w.r, 0).device, "p0");
	rollout_free(w.r);
}

static void waves(bool kills)
{
	struct ward w;

	begin(&w, 6, 2);
	w.kills = kills;
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1);
	comes_through(&w, 0);
	tick(&w, 600);
	assert_int_equal(step_of(&w, 0), STEP_DONE);
	assert_int_equal(w.r->wave, 0);
	tick(&w, 1800);
	assert_int_equal(orders(&w, DO_SEND), 0); /* the pause */
	tick(&w, 3600);
	assert_int_equal(w.r->wave, 1);
	assert_int_equal(orders(&w, DO_SEND), 2);
	comes_through(&w, 1);
	comes_through(&w, 2);
	tick(&w, 700);
	tick(&w, 3601);
	assert_int_equal(w.r->wave, 2);
	assert_int_equal(orders(&w, DO_SEND), 3);
	for (unsigned i = 3; i < 6; i++)
		comes_through(&w, i);
	tick(&w, 700);
	tick(&w, 1);
	assert_int_equal(w.r->state, ROLLOUT_DONE);
	rollout_free(w.r);
}

static void one_few_rest(void **state)
{
	waves(false);
	waves(true);
}

static void waits_for_the_patient(void **state)
{
	struct ward w;

	begin(&w, 1, 0);
	w.seen[0].vitals = w.now;
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 60);
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	assert_non_null(strstr(w.r->devices[0].why, "patient"));
	w.seen[0].vitals = w.now;
	tick(&w, 14 * 60);
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	/* A clock set back a year does not make it free. */
	w.now -= 365 * DAY;
	tick(&w, 0);
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	w.now += 365 * DAY;
	tick(&w, 2 * 60);
	assert_int_equal(step_of(&w, 0), STEP_SENDING);
	rollout_free(w.r);
}

static void waits_for_the_hour(void **state)
{
	struct ward w;

	begin(&w, 1, 0);
	w.r->plan.window[0] = 22 * 60;
	w.r->plan.window[1] = 5 * 60;
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1); /* at noon */
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	assert_non_null(strstr(w.r->devices[0].why, "hours"));
	rollout_tick(w.r, see, &w, w.now, 5 * 60);
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	rollout_tick(w.r, see, &w, w.now, 4 * 60 + 59);
	assert_int_equal(step_of(&w, 0), STEP_SENDING);
	rollout_free(w.r);
}

static void taken_back(struct ward *w, const char *because)
{
	assert_int_equal(step_of(w, 0), STEP_UNDOING);
	assert_non_null(strstr(w->r->devices[0].why, because));
	tick(w, 1);
	assert_int_equal(orders(w, DO_UNDO), 1);
	rollout_told(w->r, "p0", true, NULL, w->now);
	assert_int_equal(step_of(w, 0), STEP_UNDONE);
	tick(w, 1);
	assert_int_equal(w->r->state, ROLLOUT_STOPPED);
	tick(w, 30 * DAY);
	assert_int_equal(orders(w, DO_SEND), 0); /* the others keep what they have */
	rollout_free(w->r);
}

static void installing(struct ward *w)
{
	begin(w, 3, 1);
	rollout_approve(w->r, "ann", w->now);
	tick(w, 1);
	rollout_told(w->r, "p0", true, NULL, w->now);
}

static void waits_where_nobody_can_see(void **state)
{
	struct ward w;

	begin(&w, 1, 0);
	w.seen[0].blind = "nobody looks";
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 60);
	assert_int_equal(step_of(&w, 0), STEP_WAITING);
	assert_string_equal(w.r->devices[0].why, "nobody looks");
	w.seen[0].held = "updates are held";
	tick(&w, 60);
	assert_string_equal(w.r->devices[0].why, "updates are held");
	w.seen[0].held = w.seen[0].blind = NULL;
	tick(&w, 60);
	assert_int_equal(step_of(&w, 0), STEP_SENDING);
	/* Nor is anything concluded from a silence that nobody listened to. */
	rollout_told(w.r, "p0", true, NULL, w.now);
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	assert_int_equal(step_of(&w, 0), STEP_WATCHING);
	w.seen[0].blind = "nobody looks";
	tick(&w, DAY);
	assert_int_equal(step_of(&w, 0), STEP_WATCHING);
	/* What it says of itself counts all the same. */
	w.seen[0].unhealthy = true;
	w.seen[0].said = w.now;
	tick(&w, 1);
	assert_int_equal(step_of(&w, 0), STEP_UNDOING);
	rollout_free(w.r);
}

static void is_not_undone_where_nobody_can_see(void **state)
{
	struct ward w;

	begin(&w, 1, 0);
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1);
	rollout_told(w.r, "p0", true, NULL, w.now);
	w.seen[0].blind = "nobody looks";
	assert_int_equal(rollout_undo(w.r, w.now), 0);
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_UNDO), 0);
	w.seen[0].blind = NULL;
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_UNDO), 1);
	rollout_free(w.r);
}

static void a_clock_that_was_set_back_a_year_stops_nothing(void **state)
{
	struct ward w;

	begin(&w, 1, 0);
	w.kills = true;
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1);
	rollout_told(w.r, "p0", true, NULL, w.now);
	w.now -= 365 * DAY;
	tick(&w, 30);
	assert_int_equal(step_of(&w, 0), STEP_INSTALLING);
	is_heard(&w, 0, "2.0");
	w.seen[0].said = w.seen[0].talked = w.now + 1;
	tick(&w, 2);
	assert_int_equal(step_of(&w, 0), STEP_WATCHING);
	w.now -= 365 * DAY;
	tick(&w, 30);
	w.now += 60;
	is_heard(&w, 0, "2.0");
	tick(&w, 700);
	assert_int_equal(step_of(&w, 0), STEP_DONE);
	rollout_free(w.r);
}

static void what_it_always_did_is_no_news(void **state)
{
	for (int habit = 0; habit < 2; habit++) {
		struct ward w;

		begin(&w, 1, 0);
		w.kills = true;
		w.seen[0].misbehaved = w.now - (habit ? 3600 : 2 * DAY);
		rollout_approve(w.r, "ann", w.now);
		tick(&w, 1);
		comes_through(&w, 0);
		w.seen[0].misbehaved = w.now;
		tick(&w, 700);
		assert_int_equal(step_of(&w, 0), habit ? STEP_DONE : STEP_UNDOING);
		rollout_free(w.r);
	}
}

static void taken_back_when_silent(void **state)
{
	struct ward w;

	installing(&w);
	tick(&w, 19 * 60);
	assert_int_equal(step_of(&w, 0), STEP_INSTALLING);
	tick(&w, 2 * 60);
	taken_back(&w, "not heard of");
}

static void taken_back_with_another_version(void **state)
{
	struct ward w;

	installing(&w);
	w.now += 60;
	is_heard(&w, 0, "1.9");
	tick(&w, 20 * 60);
	taken_back(&w, "1.9");
}

static void taken_back_when_it_does_not_talk(void **state)
{
	struct ward w;

	installing(&w);
	w.now += 60;
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	tick(&w, 11 * 60);
	taken_back(&w, "does not talk");
}

static void taken_back_when_it_misbehaves(void **state)
{
	struct ward w;

	installing(&w);
	w.now += 60;
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	w.seen[0].misbehaved = w.now + 30;
	tick(&w, 60);
	taken_back(&w, "does not allow");
}

static void taken_back_when_it_says_so(void **state)
{
	struct ward w;

	installing(&w);
	w.now += 60;
	is_heard(&w, 0, "2.0");
	w.seen[0].unhealthy = true;
	tick(&w, 1);
	taken_back(&w, "not well");
}

static void taken_back_when_it_falls_back(void **state)
{
	struct ward w;

	installing(&w);
	w.now += 60;
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	w.now += 60;
	is_heard(&w, 0, "1.0");
	tick(&w, 1);
	taken_back(&w, "by itself");
}

static void sends_again_then_gives_up(void **state)
{
	struct ward w;
	unsigned sends = 0;

	begin(&w, 2, 1);
	w.kills = true;
	rollout_approve(w.r, "ann", w.now);
	for (unsigned i = 0; i < 100; i++) {
		tick(&w, 10);
		if (orders(&w, DO_SEND)) {
			rollout_told(w.r, "p0", false, "connection refused", w.now);
			sends++;
		}
	}
	assert_int_equal(sends, 3);
	assert_int_equal(step_of(&w, 0), STEP_UNDONE);
	assert_string_equal(w.r->devices[0].why, "connection refused");
	assert_int_equal(w.r->state, ROLLOUT_STOPPED);
	rollout_free(w.r);
}

static void cannot_be_taken_back(void **state)
{
	struct ward w;

	installing(&w);
	tick(&w, 21 * 60);
	tick(&w, 1);
	for (unsigned i = 0; i < 3; i++)
		rollout_told(w.r, "p0", false, "no answer", w.now);
	assert_int_equal(step_of(&w, 0), STEP_FAILED);
	assert_int_equal(orders(&w, DO_UNDO), 0);
	assert_int_equal(rollout_person(w.r, "p0", false, "flashed by hand", w.now), 0);
	assert_int_equal(step_of(&w, 0), STEP_UNDONE);
	rollout_free(w.r);
}

static void undone_everywhere_but_not_on_a_patient(void **state)
{
	struct ward w;

	begin(&w, 2, 1);
	w.r->plan.pause_s = 0;
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1);
	comes_through(&w, 0);
	tick(&w, 700);
	tick(&w, 1);
	comes_through(&w, 1);
	tick(&w, 700);
	tick(&w, 1);
	assert_int_equal(w.r->state, ROLLOUT_DONE);
	w.seen[1].vitals = w.now;
	assert_int_equal(rollout_undo(w.r, w.now), 0);
	again(&w);
	assert_int_equal(orders(&w, DO_UNDO), 0); /* nobody has looked yet */
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_UNDO), 1);
	assert_string_equal(rollout_next(w.r, 0).device, "p0");
	rollout_told(w.r, "p0", true, NULL, w.now);
	tick(&w, 1);
	assert_int_equal(w.r->state, ROLLOUT_UNDOING);
	tick(&w, 16 * 60);
	assert_string_equal(rollout_next(w.r, 0).device, "p1");
	rollout_told(w.r, "p1", true, NULL, w.now);
	tick(&w, 1);
	assert_int_equal(w.r->state, ROLLOUT_STOPPED);
	rollout_free(w.r);
}

static void held_by_a_person(void **state)
{
	struct ward w;

	begin(&w, 2, 1);
	assert_int_equal(rollout_hold(w.r, "no", w.now), -EPERM);
	rollout_approve(w.r, "ann", w.now);
	assert_int_equal(rollout_hold(w.r, "audit week", w.now), 0);
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_SEND), 0);
	assert_int_equal(rollout_resume(w.r, w.now), 0);
	tick(&w, 1);
	assert_int_equal(orders(&w, DO_SEND), 1);
	/* One that was begun is finished whatever is held. */
	rollout_hold(w.r, "stop", w.now);
	rollout_told(w.r, "p0", true, NULL, w.now);
	w.now += 30;
	is_heard(&w, 0, "2.0");
	tick(&w, 1);
	assert_int_equal(step_of(&w, 0), STEP_WATCHING);
	rollout_free(w.r);
}

static void had_it_already(void **state)
{
	struct rollout *again;
	struct ward w;
	json_t *kept;

	begin(&w, 2, 1);
	w.r->plan.pause_s = 0;
	is_heard(&w, 0, "2.0");
	rollout_approve(w.r, "ann", w.now);
	tick(&w, 1);
	assert_int_equal(step_of(&w, 0), STEP_DONE);
	assert_int_equal(orders(&w, DO_UNDO), 0);
	/* It may lie: that nobody brought it is kept, and said. */
	assert_true(w.r->devices[0].own_word);
	kept = rollout_json(w.r);
	again = rollout_of(kept);
	assert_true(again->devices[0].own_word);
	assert_false(again->devices[1].own_word);
	rollout_free(again);
	json_decref(kept);
	rollout_free(w.r);
}

static void refuses_what_is_not_its_own(void **state)
{
	static const char *const wrong[] = {
		"null",
		"{}",
		"{\"devices\":[]}",
		"{\"devices\":{}}",
		"[]",
		"{\"devices\":[{\"name\":\"x\",\"step\":\"flying\",\"was\":\"\",\"why\":\"\"}]}",
	};
	struct ward w;
	json_t *good;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *o = json_loads(wrong[i], JSON_DECODE_ANY, NULL);

		assert_null(rollout_of(o));
		json_decref(o);
	}
	begin(&w, 2, 1);
	good = rollout_json(w.r);
	json_object_set_new(good, "state", json_string("nowhere"));
	assert_null(rollout_of(good));
	json_object_set_new(good, "state", json_string("running"));
	json_object_set_new(json_object_get(good, "plan"), "parallel", json_integer(-1));
	assert_null(rollout_of(good));
	json_decref(good);
	rollout_free(w.r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_before_approval),
		cmocka_unit_test(one_few_rest),
		cmocka_unit_test(waits_for_the_patient),
		cmocka_unit_test(waits_for_the_hour),
		cmocka_unit_test(waits_where_nobody_can_see),
		cmocka_unit_test(is_not_undone_where_nobody_can_see),
		cmocka_unit_test(what_it_always_did_is_no_news),
		cmocka_unit_test(a_clock_that_was_set_back_a_year_stops_nothing),
		cmocka_unit_test(taken_back_when_silent),
		cmocka_unit_test(taken_back_with_another_version),
		cmocka_unit_test(taken_back_when_it_does_not_talk),
		cmocka_unit_test(taken_back_when_it_misbehaves),
		cmocka_unit_test(taken_back_when_it_says_so),
		cmocka_unit_test(taken_back_when_it_falls_back),
		cmocka_unit_test(sends_again_then_gives_up),
		cmocka_unit_test(cannot_be_taken_back),
		cmocka_unit_test(undone_everywhere_but_not_on_a_patient),
		cmocka_unit_test(held_by_a_person),
		cmocka_unit_test(had_it_already),
		cmocka_unit_test(refuses_what_is_not_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
