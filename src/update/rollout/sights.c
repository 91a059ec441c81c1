#include "update/rollout/sights.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

int sights_init(struct sights *s)
{
	*s = (struct sights){.talked = json_object(), .misbehaved = json_object()};
	return s->talked && s->misbehaved ? 0 : -ENOMEM;
}

void sights_free(struct sights *s)
{
	json_decref(s->talked);
	json_decref(s->misbehaved);
	s->talked = s->misbehaved = NULL;
}

static void note(json_t *to, const char *device, uint64_t wall_ns)
{
	if (wall_ns && wall_ns <= INT64_MAX)
		json_object_set_new(to, device, json_integer((json_int_t)(wall_ns / NSEC_PER_SEC)));
}

void sights_note(struct sights *s, const char *device, uint64_t talked_ns, uint64_t misbehaved_ns)
{
	note(s->talked, device, talked_ns);
	note(s->misbehaved, device, misbehaved_ns);
}

void sights_guard(struct sights *s, unsigned guard, bool there, int64_t now)
{
	s->missing[guard] = !there;
	s->since = now;
	for (unsigned i = 0; i < SIGHTS_GUARDS; i++)
		if (s->missing[i])
			s->since = 0;
}

void sights_anew(struct sights *s, bool (*gone)(void *arg, unsigned guard), void *arg, int64_t now)
{
	bool any = false;

	for (unsigned i = 0; i < SIGHTS_GUARDS; i++) {
		any = any || (s->missing[i] && gone(arg, i));
		s->missing[i] = false;
	}
	if (any)
		s->since = now;
}

/* Of what lies ahead, since the clock was set back, nobody knows when it was. */
static int64_t seconds(const json_t *of, const char *device, int64_t now)
{
	json_int_t s = json_integer_value(json_object_get(of, device));

	return s > now ? 0 : s;
}

static int64_t vitals_of(json_t *patients, const char *device, int64_t now)
{
	json_int_t ns = json_integer_value(json_object_get(patients, device)),
		   now_ns = now * (json_int_t)NSEC_PER_SEC;

	if (ns - (json_int_t)NSEC_PER_SEC > now_ns) {
		ns = now_ns;
		json_object_set_new(patients, device, json_integer(ns));
	}
	return ns / (json_int_t)NSEC_PER_SEC;
}

struct sight sights_of(struct sights *s, json_t *patients, const char *device, bool looked,
		       int64_t now)
{
	if (s->since > now)
		s->since = now;
	return (struct sight){.since = looked ? s->since : 0,
			      .vitals = vitals_of(patients, device, now),
			      .talked = seconds(s->talked, device, now),
			      .misbehaved = seconds(s->misbehaved, device, now)};
}
