/* What the keeper decides of rollouts: whose word makes sense, what is news, what was seen. */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "update/rollout/news.h"
#include "update/rollout/sights.h"
#include "update/rollout/word.h"

static json_t *rollout(const char *id, const char *state, const char *step, const char *why)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:[{s:s,s:s,s:s,s:s}]}", "id", id, "target", "pump.bin",
			 "state", state, "why", "", "devices", "name", "pump-1", "step", step,
			 "why", why, "driver", "push");
}

/* --- words ----------------------------------------------------------------------------- */

static void the_one_that_waits_for_a_word_is_meant(void **state)
{
	json_t *list = json_pack("[o,o,o]", rollout("a", "done", "done", ""),
				 rollout("b", "proposed", "waiting", ""),
				 rollout("c", "running", "waiting", ""));

	assert_ptr_equal(word_meant(list, "a"), json_array_get(list, 0));
	assert_ptr_equal(word_meant(list, "c"), json_array_get(list, 2));
	assert_ptr_equal(word_meant(list, "pump.bin"), json_array_get(list, 1));
	assert_null(word_meant(list, "d"));
	assert_null(word_meant(NULL, "a"));
	json_decref(list);
}

/* Of every state a rollout can be in, what a person may want of it. */
static void what_makes_sense_when(void **state)
{
	static const struct {
		const char *state, *approve, *hold, *release, *rollback;
	} cases[] = {
		{"proposed", "+", "-", "-", "-"}, {"running", "-", "+", "-", "+"},
		{"held", "-", "-", "+", "+"},	  {"stopped", "-", "-", "-", "+"},
		{"undoing", "-", "-", "-", "-"},  {"done", "-", "-", "-", "+"},
	};
	static const struct {
		const char *step;
		bool may;
	} steps[] = {
		{"sending", true}, {"undoing", true},  {"failed", true},
		{"done", false},   {"waiting", false}, {"watching", false},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *r = rollout("a", cases[i].state, "waiting", "");

		assert_int_equal(!word_senseless(r, "approve", ""), *cases[i].approve == '+');
		assert_int_equal(!word_senseless(r, "hold", ""), *cases[i].hold == '+');
		assert_int_equal(!word_senseless(r, "release", ""), *cases[i].release == '+');
		assert_int_equal(!word_senseless(r, "rollback", ""), *cases[i].rollback == '+');
		json_decref(r);
	}
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		json_t *r = rollout("a", "running", steps[i].step, "");

		assert_int_equal(!word_senseless(r, "person", "pump-1"), steps[i].may);
		assert_non_null(word_senseless(r, "person", "pump-2"));
		json_decref(r);
	}
}

static void a_word_that_was_heard_is_gone(void **state)
{
	json_t *words = json_pack("[{s:i},{s:i},{s:i}]", "n", 1, "n", 2, "n", 3);

	word_heard(words, 2);
	word_heard(words, 2);
	word_heard(words, 9);
	assert_int_equal(json_array_size(words), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(words, 1), "n")), 3);
	json_decref(words);
}

/* --- news ------------------------------------------------------------------------------ */

static char said[512];

static void say(void *arg, const struct news *n)
{
	size_t len = strlen(said);

	snprintf(said + len, sizeof(said) - len, "%s%s%s", len ? " " : "", reason_name(n->why),
		 n->device ? "!" : "");
}

static const char *news(json_t *told, const char *state, const char *step, const char *why)
{
	json_t *r = rollout("a", state, step, why);

	*said = 0;
	news_of(told, r, say, NULL);
	json_decref(r);
	return said;
}

/* A device that says it has what nobody brought may lie: its word is told as that. */
static void a_devices_own_word_is_on_trust(void **state)
{
	json_t *told = json_object(),
	       *r = rollout("a", "running", "done", "it says that it had it");
	json_t *d = json_array_get(json_object_get(r, "devices"), 0);

	json_object_set_new(d, "driver", json_string("agent"));
	*said = 0;
	news_of(told, r, say, NULL);
	assert_string_equal(said, "update.rollout update.device_done!");
	json_object_clear(told);
	json_object_set_new(d, "own_word", json_true());
	*said = 0;
	news_of(told, r, say, NULL);
	assert_string_equal(said, "update.rollout update.device_done! update.on_trust!");
	json_decref(told);
	json_decref(r);
}

static void each_change_is_told_once(void **state)
{
	json_t *told = json_object(), *none = json_array();

	assert_string_equal(news(told, "proposed", "waiting", ""), "update.waiting");
	assert_string_equal(news(told, "proposed", "waiting", ""), "");
	assert_string_equal(news(told, "running", "waiting", "it is on a patient"),
			    "update.rollout update.device_waits!");
	assert_string_equal(news(told, "running", "waiting", "it is on a patient"), "");
	assert_string_equal(news(told, "running", "waiting", "the window is shut"),
			    "update.device_waits!");
	assert_string_equal(news(told, "running", "sending", ""), "update.device_begun!");
	assert_string_equal(news(told, "running", "watching", ""), "");
	assert_string_equal(news(told, "running", "done", ""),
			    "update.device_done! update.on_trust!");
	assert_string_equal(news(told, "done", "done", ""), "update.rollout");
	assert_int_equal(json_object_size(told), 1);
	news_forget(told, none);
	assert_int_equal(json_object_size(told), 0);
	assert_string_equal(news(told, "done", "done", ""),
			    "update.rollout update.device_done! update.on_trust!");
	json_decref(told);
	json_decref(none);
}

/* --- sights ---------------------------------------------------------------------------- */

static bool is_gone(void *arg, unsigned guard)
{
	return guard == *(unsigned *)arg;
}

static void silence_counts_from_when_all_looked(void **state)
{
	json_t *patients = json_object();
	struct sights s;
	unsigned gone = 1;

	assert_int_equal(sights_init(&s), 0);
	sights_guard(&s, 0, true, 100);
	assert_int_equal(sights_of(&s, patients, "p", true, 110).since, 100);
	assert_int_equal(sights_of(&s, patients, "p", false, 110).since, 0);
	sights_guard(&s, 1, false, 120);
	assert_int_equal(sights_of(&s, patients, "p", true, 130).since, 0);
	sights_guard(&s, 1, true, 140);
	assert_int_equal(sights_of(&s, patients, "p", true, 150).since, 140);
	sights_guard(&s, 1, false, 160);
	sights_anew(&s, is_gone, &gone, 170);
	assert_int_equal(sights_of(&s, patients, "p", true, 180).since, 170);
	sights_free(&s);
	json_decref(patients);
}

/* A clock that was set back a year: nothing of the future is believed, and nobody waits for it. */
static void nothing_ahead_is_believed(void **state)
{
	const int64_t year = 365 * 86400;
	json_t *patients = json_pack("{s:I}", "p", (json_int_t)(2 * year * NSEC_PER_SEC));
	struct sights s;
	struct sight now;

	assert_int_equal(sights_init(&s), 0);
	sights_guard(&s, 0, true, 2 * year);
	sights_note(&s, "p", 2 * year * NSEC_PER_SEC, 2 * year * NSEC_PER_SEC);
	sights_note(&s, "q", 0, 0);
	now = sights_of(&s, patients, "p", true, 2 * year);
	assert_int_equal(now.talked, 2 * year);
	assert_int_equal(now.vitals, 2 * year);
	now = sights_of(&s, patients, "p", true, year);
	assert_int_equal(now.since, year);
	assert_int_equal(now.talked, 0);
	assert_int_equal(now.misbehaved, 0);
	assert_int_equal(now.vitals, year);
	now = sights_of(&s, patients, "p", true, year + 60);
	assert_int_equal(now.vitals, year);
	now = sights_of(&s, patients, "q", true, year);
	assert_int_equal(now.vitals + now.talked + now.misbehaved, 0);
	sights_free(&s);
	json_decref(patients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_that_waits_for_a_word_is_meant),
		cmocka_unit_test(what_makes_sense_when),
		cmocka_unit_test(a_word_that_was_heard_is_gone),
		cmocka_unit_test(a_devices_own_word_is_on_trust),
		cmocka_unit_test(each_change_is_told_once),
		cmocka_unit_test(silence_counts_from_when_all_looked),
		cmocka_unit_test(nothing_ahead_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
