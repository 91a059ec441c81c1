/* What a rollout has its devices' agents do, in the order that their reports come in. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "update/rollout/rollouts.h"

#define NOW 1800000000

static const struct rollout_plan plan = {
	.few = 1, .parallel = 1, .success = 100, .install_s = 100, .watch_s = 10};

struct ward {
	struct rollouts *all;
	char folder[64];
	int64_t now;
};

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	const struct ward *w = arg;

	*ret_seen = (struct rollout_seen){.known = true, .talked = w->now};
}

static enum driver how(void *arg, const char *device, struct push *ret_push)
{
	return DRIVER_AGENT;
}

/* "pump-2.0" is version 2.0. */
static int file(void *arg, const char *target, struct agents_file *ret_file, int *ret_fd)
{
	*ret_file = (struct agents_file){.length = 1000};
	snprintf(ret_file->target, sizeof(ret_file->target), "%s", target);
	snprintf(ret_file->version, sizeof(ret_file->version), "%s", target + strlen("pump-"));
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void begin(struct ward *w)
{
	const struct rollouts_calls calls = {see, how, file, w};

	w->now = NOW;
	snprintf(w->folder, sizeof(w->folder), "/tmp/bedwarden-agents.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->all = rollouts_open(w->folder, &calls);
	assert_non_null(w->all);
}

static void end(struct ward *w)
{
	struct rollout *r;

	while ((r = rollouts_next(w->all, NULL)))
		assert_int_equal(rollouts_drop(w->all, r), 0);
	rollouts_close(w->all);
	rmdir(w->folder);
}

static struct rollout *roll(struct ward *w, const char *version, const char *previous)
{
	const char *device = "p1";
	char target[32];
	struct rollout *r;

	snprintf(target, sizeof(target), "pump-%s", version);
	r = rollout_new(target, target, version, &plan, &device, 1);
	assert_non_null(r);
	snprintf(r->previous, sizeof(r->previous), "%s", previous);
	assert_int_equal(rollouts_add(w->all, r), 0);
	assert_int_equal(rollout_approve(r, "anna", w->now), 0);
	return r;
}

/* The agent reports, a second later than the last turn, and what it is told; a turn a second later. */
static struct talk_order say(struct ward *w, const char *version, enum talk_state state,
			     const char *target, bool healthy)
{
	struct talk_report r = {.state = state, .healthy = healthy};
	struct talk_order o;
	int fd;

	snprintf(r.version, sizeof(r.version), "%s", version);
	snprintf(r.target, sizeof(r.target), "%s", target);
	w->now++;
	assert_int_equal(rollouts_report(w->all, "p1", &r, w->now, &o, &fd), 0);
	w->now++;
	assert_int_equal(rollouts_turn(w->all, w->now, 0), 0);
	return o;
}

/* From its first word until it runs `version` on trial. */
static void install(struct ward *w, const char *was, const char *version)
{
	char target[32];

	snprintf(target, sizeof(target), "pump-%s", version);
	say(w, was, TALK_IDLE, "", true);
	assert_int_equal(say(w, was, TALK_IDLE, "", true).what, TALK_GET);
	assert_int_equal(say(w, was, TALK_RECEIVED, target, true).what, TALK_INSTALL);
	assert_int_equal(say(w, was, TALK_TRIAL, target, true).what, TALK_WAIT);
	assert_int_equal(say(w, version, TALK_TRIAL, target, true).what, TALK_WAIT);
}

static void what_is_well_is_kept(void **state)
{
	struct ward w;
	struct rollout *r;
	struct talk_order o;

	begin(&w);
	r = roll(&w, "2.0", "");
	install(&w, "1.0", "2.0");
	assert_int_equal(r->devices[0].step, STEP_WATCHING);
	w.now += plan.watch_s;
	say(&w, "2.0", TALK_TRIAL, "pump-2.0", true);
	assert_int_equal(r->devices[0].step, STEP_DONE);
	o = say(&w, "2.0", TALK_TRIAL, "pump-2.0", true);
	assert_int_equal(o.what, TALK_KEEP);
	assert_string_equal(o.target, "pump-2.0");
	end(&w);
}

/* Its word of the one before was the last that was heard when that was judged. */
static void what_was_well_does_not_keep_another(void **state)
{
	struct ward w;

	begin(&w);
	roll(&w, "2.0", "");
	install(&w, "1.0", "2.0");
	w.now += plan.watch_s;
	say(&w, "2.0", TALK_TRIAL, "pump-2.0", true);
	assert_int_equal(say(&w, "3.0", TALK_TRIAL, "pump-3.0", true).what, TALK_WAIT);
	end(&w);
}

static void what_is_taken_back_is_what_was_on_trial(void **state)
{
	struct ward w;
	struct rollout *r;
	struct talk_order o;

	begin(&w);
	r = roll(&w, "2.0", "pump-1.0");
	install(&w, "1.0", "2.0");
	say(&w, "2.0", TALK_TRIAL, "pump-2.0", false);
	assert_int_equal(r->devices[0].step, STEP_UNDOING);
	say(&w, "2.0", TALK_TRIAL, "pump-2.0", false); /* nobody is on it: known a turn later */
	o = say(&w, "2.0", TALK_TRIAL, "pump-2.0", false);
	assert_int_equal(o.what, TALK_BACK);
	assert_string_equal(o.target, "pump-2.0");
	assert_int_equal(say(&w, "3.0", TALK_TRIAL, "pump-3.0", true).what, TALK_WAIT);
	end(&w);
}

/* Between going back and having restarted it says that it failed, and its version is the new one's. */
static void who_goes_back_is_not_brought_the_older_one(void **state)
{
	struct ward w;
	struct rollout *r;

	begin(&w);
	r = roll(&w, "2.0", "pump-1.0");
	install(&w, "1.0", "2.0");
	say(&w, "2.0", TALK_FAILED, "pump-2.0", true);
	assert_int_equal(r->devices[0].step, STEP_UNDOING);
	for (int i = 0; i < 20; i++)
		assert_int_equal(say(&w, "2.0", TALK_FAILED, "pump-2.0", true).what, TALK_WAIT);
	assert_int_equal(r->devices[0].step, STEP_UNDOING);
	say(&w, "1.0", TALK_FAILED, "pump-2.0", true);
	assert_int_equal(r->devices[0].step, STEP_UNDONE);
	end(&w);
}

/* It never restarts: then it is brought. */
static void who_does_not_go_back_is_brought_the_older_one(void **state)
{
	struct ward w;

	begin(&w);
	roll(&w, "2.0", "pump-1.0");
	install(&w, "1.0", "2.0");
	say(&w, "2.0", TALK_FAILED, "pump-2.0", true);
	w.now += plan.install_s;
	say(&w, "2.0", TALK_FAILED, "pump-2.0", true);
	assert_int_equal(say(&w, "2.0", TALK_FAILED, "pump-2.0", true).what, TALK_GET);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_well_is_kept),
		cmocka_unit_test(what_was_well_does_not_keep_another),
		cmocka_unit_test(what_is_taken_back_is_what_was_on_trial),
		cmocka_unit_test(who_goes_back_is_not_brought_the_older_one),
		cmocka_unit_test(who_does_not_go_back_is_brought_the_older_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
