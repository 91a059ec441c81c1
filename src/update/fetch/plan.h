#ifndef BEDWARDEN_UPDATE_FETCH_PLAN_H
#define BEDWARDEN_UPDATE_FETCH_PLAN_H
/*
 * What is to be done with what was fetched, and what waits and why. Pure: what is known goes in as
 * JSON, time is an argument.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct plan_rules {
	bool content_waits, gateway_waits; /* for a person's word */
	char *const *windows;		   /* "02:00-05:00" */
	unsigned window_count;
	bool held;
	unsigned minute;	/* of the day, local time */
	const char *running;	/* release; "" the packaged one */
	const char *packaged;	/* its version */
	const json_t *approved; /* sha256 → anything */
	const json_t *failed;	/* sha256 → why it could not be used */
};

struct plan {
	json_t *install;   /* names of targets to put in place */
	const char *start; /* the release to start, borrowed from a target; NULL none */
	json_t *waiting;   /* [{"name","kind","version","sha256","why","code"}] */
};

/*
 * `targets`: of what was fetched, and of what is in place, later ones of a name before earlier ones
 * (fetch/listing.h, with "installed" where it is in place). The lists are the caller's:
 * plan_free().
 */
void plan_make(const struct plan_rules *r, const json_t *targets, struct plan *ret_plan);
void plan_free(struct plan *p);

/* Is the minute of the day in one of the windows? Also where there is none. A window may reach over
 * midnight. */
bool plan_in_window(char *const *windows, unsigned count, unsigned minute);

#endif
