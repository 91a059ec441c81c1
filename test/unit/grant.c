#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "people/grant/grant.h"
#include "people/role.h"

#define MINUTE (60 * NSEC_PER_SEC)
#define DAY    (24 * 60 * MINUTE)

static struct grants *g;
static struct grant_clock now;
static char told[256];

static void changed(void *arg, const struct grant *x, enum grant_change what)
{
	static const char *const names[] = {"over", "forgotten", "unsure", "review"};

	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%u %s;", x->id, names[what]);
}

static const char *tick(void)
{
	*told = 0;
	grants_tick(g, &now, changed, NULL);
	return told;
}

static void pass(uint64_t ns)
{
	now.wall_ns += ns;
	now.boot_ns += ns;
}

static int setup(void **state)
{
	g = grants_new();
	now = (struct grant_clock){1790000000 * NSEC_PER_SEC, 5 * DAY, "boot-1"};
	return !g;
}

static int teardown(void **state)
{
	grants_free(g);
	return 0;
}

static struct grant_ask telnet(const char *person)
{
	return (struct grant_ask){.person = person,
				  .role = "clinical_engineer",
				  .device = "pump-1",
				  .service = "telnet",
				  .source = "10.1.0.5",
				  .mac = "02:00:00:00:00:05",
				  .reason = "drug library update",
				  .minutes = 30};
}

static uint32_t ask(struct grant_ask a)
{
	uint32_t id = 0;

	assert_int_equal(grants_ask(g, &a, &now, &id), 0);
	return id;
}

static enum grant_state state_of(uint32_t id)
{
	return grants_find(g, id)->state;
}

static uint64_t left(uint32_t id)
{
	return grant_left(grants_find(g, id), &now);
}

/* As a keeper that starts again finds it. */
static void restart(void)
{
	json_t *book = grants_save(g);

	grants_free(g);
	g = grants_new();
	assert_int_equal(grants_load(g, book), 0);
	json_decref(book);
}

static void asked_approved_over(void **state)
{
	uint32_t id = ask(telnet("anna"));

	assert_int_equal(state_of(id), GRANT_ASKED);
	assert_int_equal(left(id), 0);
	assert_int_equal(grants_approve(g, id, "anna", &now), -EPERM);
	assert_int_equal(grants_approve(g, id + 1, "ben", &now), -ENOENT);
	assert_int_equal(grants_approve(g, id, "ben", &now), 0);
	assert_int_equal(grants_approve(g, id, "ben", &now), -EALREADY);
	assert_int_equal(left(id), 30 * MINUTE);
	pass(30 * MINUTE - 1);
	assert_string_equal(tick(), "");
	assert_int_equal(left(id), 1);
	pass(1);
	assert_int_equal(left(id), 0);
	assert_string_equal(tick(), "1 over;");
	assert_int_equal(state_of(id), GRANT_ENDED);
	assert_string_equal(tick(), "");
	assert_int_equal(grants_revoke(g, id, "ben", "", &now), -EALREADY);
}

static void denied_and_revoked(void **state)
{
	uint32_t a = ask(telnet("anna")), b;

	assert_int_equal(grants_deny(g, a, "ben", "not now", &now), 0);
	assert_int_equal(state_of(a), GRANT_DENIED);
	assert_int_equal(grants_approve(g, a, "ben", &now), -EALREADY);
	b = ask(telnet("anna"));
	assert_int_equal(grants_approve(g, b, "ben", &now), 0);
	assert_int_equal(grants_revoke(g, b, "ben", "done", &now), 0);
	assert_int_equal(left(b), 0);
}

static void a_request_is_forgotten(void **state)
{
	uint32_t id = ask(telnet("anna"));

	pass(61 * MINUTE);
	assert_string_equal(tick(), "1 forgotten;");
	assert_int_equal(state_of(id), GRANT_DENIED);
}

static void twice_is_once(void **state)
{
	uint32_t id = ask(telnet("anna")), other = 0;
	struct grant_ask a = telnet("anna");

	assert_int_equal(grants_ask(g, &a, &now, &other), -EEXIST);
	assert_int_equal(other, id);
	a.source = "10.1.0.6";
	assert_int_equal(grants_ask(g, &a, &now, &other), 0);
}

static void bad_asks(void **state)
{
	static char wide[600];
	struct grant_ask a = telnet("anna");
	uint32_t id;

	memset(wide, 'x', sizeof(wide) - 1);
	a.reason = "";
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	a.reason = wide;
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	a = telnet(wide);
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	a = telnet("anna");
	a.minutes = 0;
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	a.minutes = 721;
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	a.minutes = 5;
	a.device = NULL;
	assert_int_equal(grants_ask(g, &a, &now, &id), -EINVAL);
	assert_int_equal(grants_count(g), 0);
}

/* Whichever way the wall clock is set, the end is the earlier one. */
static void wall_jumps_back(void **state)
{
	struct grant_ask a = telnet("anna");
	uint32_t id;

	a.alone = true;
	id = ask(a);
	now.wall_ns -= 2 * DAY;
	pass(29 * MINUTE);
	tick();
	assert_int_equal(left(id), MINUTE);
	pass(MINUTE);
	assert_string_equal(tick(), "1 over;");
}

static void wall_jumps_forward(void **state)
{
	struct grant_ask a = telnet("anna");
	uint32_t id;

	a.alone = true;
	id = ask(a);
	pass(MINUTE);
	now.wall_ns += 20 * MINUTE;
	tick();
	assert_int_equal(left(id), 9 * MINUTE);
	now.wall_ns += DAY;
	assert_int_equal(left(id), 0);
	assert_string_equal(tick(), "1 over;");
	/* And back: what has ended stays so. */
	now.wall_ns -= DAY;
	assert_string_equal(tick(), "");
	assert_int_equal(state_of(id), GRANT_ENDED);
}

/* Any sequence of jumps, restarts and pauses: never open for longer than was granted. */
static void never_outlives_its_end(void **state)
{
	uint64_t seed = 88172645463325252ull;

	for (unsigned round = 0; round < 300; round++) {
		struct grant_ask a = telnet("anna");
		uint64_t open = 0, boots = 1;
		uint32_t id;

		teardown(NULL);
		setup(NULL);
		a.alone = true;
		id = ask(a);
		for (unsigned i = 0; i < 2000; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			if (left(id))
				open += NSEC_PER_SEC;
			pass(NSEC_PER_SEC);
			tick();
			if (seed % 50 == 0)
				now.wall_ns += seed % (40 * MINUTE);
			if (seed % 50 == 1)
				now.wall_ns -= seed % (40 * MINUTE);
			if (seed % 100 == 2) {
				/* The machine is started anew, with whatever clock. */
				snprintf(now.boot_id, sizeof(now.boot_id), "boot-%lu", ++boots);
				now.boot_ns = seed % DAY;
				if (seed % 3 == 0)
					now.wall_ns -= seed % DAY;
				restart();
				tick();
			}
		}
		assert_true(open <= 30 * MINUTE);
	}
}

static void survives_a_restart(void **state)
{
	struct grant_ask a = telnet("anna");
	uint32_t id;

	a.alone = true;
	id = ask(a);
	pass(10 * MINUTE);
	tick();
	restart();
	assert_int_equal(left(id), 20 * MINUTE);
	/* The machine itself, off for five minutes. */
	tick();
	now.wall_ns += 5 * MINUTE;
	now.boot_ns = 20 * NSEC_PER_SEC;
	strcpy(now.boot_id, "boot-2");
	restart();
	assert_int_equal(left(id), 0); /* not before it was looked at */
	assert_string_equal(tick(), "");
	assert_int_equal(left(id), 15 * MINUTE);
	/* And again, with a clock that forgot the time. */
	tick();
	now.wall_ns = 0;
	strcpy(now.boot_id, "boot-3");
	restart();
	assert_string_equal(tick(), "1 unsure;");
	assert_int_equal(state_of(id), GRANT_ENDED);
}

static void broken_glass_is_reviewed(void **state)
{
	struct grant_ask a = telnet("anna");
	uint32_t id;

	a.break_glass = true;
	id = ask(a);
	assert_int_equal(left(id), 30 * MINUTE);
	assert_int_equal(grants_review(g, id, "ben", "was needed"), -EBUSY);
	pass(30 * MINUTE);
	assert_string_equal(tick(), "1 over;1 review;");
	assert_string_equal(tick(), "");
	pass(DAY - MINUTE);
	assert_string_equal(tick(), "");
	pass(MINUTE);
	assert_string_equal(tick(), "1 review;");
	restart();
	assert_string_equal(tick(), "");
	now.wall_ns -= 2 * DAY;
	assert_string_equal(tick(), "1 review;");
	assert_int_equal(grants_review(g, id, "anna", "was needed"), -EPERM);
	assert_int_equal(grants_review(g, id, "ben", ""), -EINVAL);
	assert_int_equal(grants_review(g, id, "ben", "was needed"), 0);
	assert_int_equal(grants_review(g, id, "ben", "was needed"), -EALREADY);
	pass(2 * DAY);
	assert_string_equal(tick(), "");
}

static void a_vendor_is_invited(void **state)
{
	struct invitation v = {.person = "acme",
			       .by = "ben",
			       .reason = "yearly service",
			       .devices = {"pump-1"},
			       .device_count = 1};
	struct grant_ask a = telnet("acme");
	uint32_t in, id, other;

	a.vendor = true;
	assert_int_equal(grants_ask(g, &a, &now, &id), -EACCES);
	assert_int_equal(grants_invite(g, &v, 20, &now, &in), 0);
	a.device = "pump-2";
	assert_int_equal(grants_ask(g, &a, &now, &id), -EACCES);
	a.device = "pump-1";
	assert_int_equal(grants_ask(g, &a, &now, &id), 0);
	pass(5 * MINUTE);
	assert_int_equal(grants_approve(g, id, "ben", &now), 0);
	/* No longer than it was invited for. */
	assert_int_equal(left(id), 15 * MINUTE);
	assert_int_equal(grants_withdraw(g, in, "ben", &now), 0);
	assert_int_equal(left(id), 0);
	assert_int_equal(grants_withdraw(g, in, "ben", &now), -EALREADY);
	assert_int_equal(grants_ask(g, &a, &now, &other), -EACCES);
}

static void a_full_book(void **state)
{
	char source[32];
	struct grant_ask a = telnet("anna");
	uint32_t id;

	a.source = source;
	for (unsigned i = 0; i < GRANTS_MAX; i++) {
		snprintf(source, sizeof(source), "10.1.%u.%u", i / 256, i % 256);
		id = ask(a);
	}
	strcpy(source, "10.2.0.1");
	assert_int_equal(grants_ask(g, &a, &now, &id), -ENOSPC);
	assert_int_equal(grants_deny(g, 5, "ben", "", &now), 0);
	assert_int_equal(grants_ask(g, &a, &now, &id), 0);
	assert_int_equal(id, GRANTS_MAX + 1);
	assert_null(grants_find(g, 5));
}

static void bad_books(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"version\":1,\"last_id\":0,\"grants\":[{}],\"invitations\":[]}",
		"{\"version\":2,\"last_id\":0,\"grants\":[],\"invitations\":[]}",
		"{\"version\":1,\"last_id\":-1,\"grants\":[],\"invitations\":[]}",
		"{\"version\":1,\"last_id\":1,\"grants\":[],\"invitations\":[{\"id\":1}]}",
	};

	json_t *book;

	ask(telnet("anna"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *o = json_loads(texts[i], 0, NULL);

		assert_int_equal(grants_load(g, o), -EBADMSG);
		json_decref(o);
	}
	/* A number that would be given again. */
	book = grants_save(g);
	assert_int_equal(grants_load(g, book), 0);
	json_object_set_new(book, "last_id", json_integer(0));
	assert_int_equal(grants_load(g, book), -EBADMSG);
	json_decref(book);
	assert_int_equal(grants_count(g), 1);
}

static void undone(void **state)
{
	uint32_t id = ask(telnet("anna"));
	struct grant was = *grants_find(g, id), none = {.id = 0};

	assert_int_equal(grants_approve(g, id, "ben", &now), 0);
	grants_restore(g, id, &was);
	assert_int_equal(state_of(id), GRANT_ASKED);
	grants_restore(g, id, &none);
	assert_null(grants_find(g, id));
}

/* The words that a policy may use are the roles there are (base/check_service.c). */
static void the_policy_knows_the_roles(void **state)
{
	for (unsigned r = 0; r <= PEOPLE_ROLE_COUNT; r++) {
		struct config_error errors[4];
		char text[512];
		size_t count = 0;
		struct config *c;
		int n = snprintf(
			text, sizeof(text),
			"segments: [{name: w, ward: a, hospital: b}]\n"
			"devices:\n"
			"  - {name: p, segment: w, mac: '02:00:00:00:00:01', services: [{name: "
			"telnet, ask: [%s]}]}\n",
			r < PEOPLE_ROLE_COUNT ? people_role_name((enum people_role)r) : "nurse");

		c = config_parse("t", (struct bytes){(uint8_t *)text, (size_t)n}, errors, 4,
				 &count);
		assert_true((c != NULL) == (r < PEOPLE_ROLE_COUNT));
		config_free(c);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(asked_approved_over),
		T(denied_and_revoked),
		T(a_request_is_forgotten),
		T(twice_is_once),
		T(bad_asks),
		T(wall_jumps_back),
		T(wall_jumps_forward),
		T(never_outlives_its_end),
		T(survives_a_restart),
		T(broken_glass_is_reviewed),
		T(a_vendor_is_invited),
		T(a_full_book),
		T(bad_books),
		T(undone),
		T(the_policy_knows_the_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
