#include "people/auth/limits.h"

#include "base/clock.h"

#define MINUTES(n) ((uint64_t)(n)*60 * NSEC_PER_SEC)
#define HOURS(n)   MINUTES((n)*60)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct limits limits_of(enum people_role role, enum session_kind kind, bool aal3,
			const struct limits_wish *wish)
{
	/* Who can do more is left alone with an open screen for less. */
	static const struct limits roles[PEOPLE_ROLE_COUNT] = {
		[PEOPLE_VIEWER] = {MINUTES(60), HOURS(12), MINUTES(5)},
		[PEOPLE_CLINICAL_ENGINEER] = {MINUTES(30), HOURS(12), MINUTES(5)},
		[PEOPLE_ADMINISTRATOR] = {MINUTES(15), HOURS(8), MINUTES(5)},
		[PEOPLE_AUDITOR] = {MINUTES(30), HOURS(12), MINUTES(5)},
		[PEOPLE_VENDOR] = {MINUTES(15), HOURS(4), MINUTES(5)},
	};
	struct limits l = roles[(unsigned)role < PEOPLE_ROLE_COUNT ? role : PEOPLE_VENDOR];

	if (aal3) {
		l.idle_ns = least(l.idle_ns, MINUTES(15));
		l.overall_ns = least(l.overall_ns, HOURS(12));
	}
	if (kind != SESSION_FULL) {
		l.idle_ns = least(l.idle_ns, MINUTES(10));
		l.overall_ns = least(l.overall_ns, MINUTES(30));
	}
	if (wish && wish->idle_minutes)
		l.idle_ns = least(l.idle_ns, MINUTES(wish->idle_minutes));
	if (wish && wish->overall_hours)
		l.overall_ns = least(l.overall_ns, HOURS(wish->overall_hours));
	return l;
}

bool limits_over(const struct limits_times *t, const struct limits *l, uint64_t now_ns)
{
	/* A time that is yet to come is of another machine's, or a forged row. */
	return now_ns < t->made_ns || now_ns < t->used_ns || now_ns - t->made_ns >= l->overall_ns ||
	       now_ns - t->used_ns >= l->idle_ns;
}

uint64_t limits_end(const struct limits_times *t, const struct limits *l)
{
	return least(t->made_ns + l->overall_ns, t->used_ns + l->idle_ns);
}
