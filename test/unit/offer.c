/* Which firmware is offered to which devices, and what is fetched for them. */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "update/rollout/offer.h"

#define NOW 1800000000

static char dir[] = "/tmp/bedwarden-offer.XXXXXX";

static struct rollouts *before(void)
{
	static const struct rollouts_calls none = {NULL};
	struct rollouts *all = rollouts_open(dir, &none);

	assert_non_null(all);
	return all;
}

/* What was kept is gone, too. */
static void after(struct rollouts *all)
{
	struct rollout *r;

	while ((r = rollouts_next(all, NULL)))
		assert_int_equal(rollouts_drop(all, r), 0);
	rollouts_close(all);
}

static json_t *firmware(const char *version, const char *hardware, const char *needs)
{
	char name[64];

	snprintf(name, sizeof(name), "acme/pump-%s", version);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "name", name, "kind", "firmware",
			 "vendor", "ACME", "model", "Pump X", "version", version, "hardware",
			 hardware, "needs", needs);
}

static struct offer_device device(const char *name, const char *version, enum driver driver)
{
	return (struct offer_device){.name = name,
				     .vendor = "Acme",
				     .model = "pump x",
				     .version = version,
				     .hardware = "",
				     .driver = driver,
				     .heard = true};
}

static void the_newest_goes_to_who_has_less(void **state)
{
	json_t *list = json_pack("[o,o,o]", firmware("2.0", "", ""), firmware("10.0", "", ""),
				 firmware("9.1", "", ""));
	struct offer_device devices[] = {
		device("p1", "9.1", DRIVER_AGENT), device("p2", "10.0", DRIVER_PUSH),
		device("p3", "", DRIVER_PERSON), device("p4", "1.0", DRIVER_AGENT)};
	struct offer o = {list, devices, 4, before(), &rollout_plan_usual, NOW};
	struct rollout *r;

	devices[3].heard = false; /* who can say what it is, is asked first */
	assert_null(offer_make(&o, json_array_get(list, 0)));
	assert_null(offer_make(&o, json_array_get(list, 2)));
	r = offer_make(&o, json_array_get(list, 1));
	assert_non_null(r);
	assert_string_equal(r->id, "pump-x-10.0");
	assert_string_equal(r->previous, "acme/pump-9.1");
	assert_int_equal(r->state, ROLLOUT_PROPOSED);
	assert_int_equal(r->count, 2);
	assert_string_equal(r->devices[0].name, "p1");
	assert_string_equal(r->devices[1].name, "p3");
	/* Once kept, nobody is asked twice; another id where somebody comes later. */
	assert_int_equal(rollouts_add(o.all, r), 0);
	assert_null(offer_make(&o, json_array_get(list, 1)));
	devices[3].heard = true;
	r = offer_make(&o, json_array_get(list, 1));
	assert_non_null(r);
	assert_string_equal(r->id, "pump-x-10.0-2");
	assert_int_equal(r->count, 1);
	rollout_free(r);
	after(o.all);
	json_decref(list);
}

static void what_it_cannot_take_is_skipped(void **state)
{
	json_t *list = json_pack("[o,o]", firmware("2.0", "r2", ""), firmware("3.0", "", "1.5"));
	struct offer_device devices[] = {device("p1", "1.0", DRIVER_AGENT),
					 device("p2", "1.0", DRIVER_PUSH),
					 device("p3", "1.6", DRIVER_PERSON)};
	struct offer o = {list, devices, 2, before(), &rollout_plan_usual, NOW};
	struct rollout *r;

	/* Another hardware by its own word: not even asked. One that nobody can tell: skipped, so nothing is left. */
	devices[0].hardware = "r1";
	assert_null(offer_make(&o, json_array_get(list, 0)));
	devices[0].hardware = "r2";
	r = offer_make(&o, json_array_get(list, 0));
	assert_non_null(r);
	assert_int_equal(r->devices[0].step, STEP_WAITING);
	assert_int_equal(r->devices[1].step, STEP_SKIPPED);
	assert_non_null(strstr(r->devices[1].why, "hardware r2"));
	rollout_free(r);
	o.count = 3;
	r = offer_make(&o, json_array_get(list, 1));
	assert_non_null(r);
	assert_int_equal(r->devices[0].step, STEP_SKIPPED);
	assert_non_null(strstr(r->devices[0].why, "needs version 1.5 first, and this has 1.0"));
	assert_int_equal(r->devices[2].step, STEP_WAITING);
	assert_int_equal(r->devices[0].since, NOW);
	rollout_free(r);
	after(o.all);
	json_decref(list);
}

static void what_was_stopped_is_offered_to_nobody(void **state)
{
	json_t *list = json_pack("[o,o,o]", firmware("1.0", "", ""), firmware("2.0", "", ""),
				 firmware("3.0", "", ""));
	struct offer_device devices[] = {device("p1", "1.0", DRIVER_PUSH),
					 device("p2", "1.0", DRIVER_PUSH)};
	struct offer o = {list, devices, 1, before(), &rollout_plan_usual, NOW};
	struct rollout *r = offer_make(&o, json_array_get(list, 2));

	assert_non_null(r);
	assert_string_equal(r->previous, "acme/pump-2.0");
	r->state = ROLLOUT_RUNNING;
	assert_int_equal(rollouts_add(o.all, r), 0);
	o.count = 2;
	devices[0].version = "0.9";
	assert_true(rollout_is_unfinished(r));
	r->state = ROLLOUT_STOPPED;
	assert_false(rollout_is_unfinished(r));
	assert_null(offer_make(&o, json_array_get(list, 2)));
	/* Fetched are the newest that may be had, and the one before it. */
	assert_true(offer_wants(&o, json_array_get(list, 1)));
	assert_true(offer_wants(&o, json_array_get(list, 0)));
	o.devices = NULL;
	o.count = 0;
	assert_false(offer_wants(&o, json_array_get(list, 1)));
	after(o.all);
	json_decref(list);
}

static void what_is_newer_overtakes_a_proposal(void **state)
{
	json_t *list = json_pack("[o,o]", firmware("2.0", "", ""), firmware("3.0", "", ""));
	struct offer_device devices[] = {device("p1", "1.0", DRIVER_PUSH)};
	const char *names[] = {"p1"};
	struct offer o = {list, devices, 1, before(), &rollout_plan_usual, NOW};
	struct rollout *r = rollout_new("x", "acme/pump-2.0", "2.0", o.plan, names, 1);

	assert_true(offer_overtakes(&o, json_array_get(list, 1), r));
	assert_false(offer_overtakes(&o, json_array_get(list, 0), r));
	rollout_approve(r, "somebody", NOW);
	assert_false(offer_overtakes(&o, json_array_get(list, 1), r));
	rollout_free(r);
	after(o.all);
	json_decref(list);
}

static void the_last_rollout_says_what_a_device_has(void **state)
{
	const char *names[] = {"p1"};
	struct rollouts *all = before();
	struct rollout *r = rollout_new("a", "acme/pump-2.0", "2.0", &rollout_plan_usual, names, 1),
		       *s = rollout_new("b", "acme/pump-3.0", "3.0", &rollout_plan_usual, names, 1);

	assert_null(offer_left(all, "p1"));
	r->devices[0].step = STEP_DONE;
	r->devices[0].since = NOW;
	assert_int_equal(rollouts_add(all, r), 0);
	assert_string_equal(offer_left(all, "p1"), "2.0");
	s->devices[0].step = STEP_UNDONE;
	s->devices[0].since = NOW + 1;
	strcpy(s->devices[0].was, "2.0-1");
	assert_int_equal(rollouts_add(all, s), 0);
	assert_string_equal(offer_left(all, "p1"), "2.0-1");
	assert_null(offer_left(all, "p2"));
	after(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_goes_to_who_has_less),
		cmocka_unit_test(what_it_cannot_take_is_skipped),
		cmocka_unit_test(what_was_stopped_is_offered_to_nobody),
		cmocka_unit_test(what_is_newer_overtakes_a_proposal),
		cmocka_unit_test(the_last_rollout_says_what_a_device_has),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
