#ifndef BEDWARDEN_PEOPLE_AUTH_LIMITS_H
#define BEDWARDEN_PEOPLE_AUTH_LIMITS_H
/*
 * How long a session lasts: so long untouched, so long in all (NIST SP 800-63B-4
 * §2.2.3, §2.3.3, §5.2). Measured on a clock that counts from the machine's start, sleep
 * included, and that nobody sets: a wall clock that jumps neither ends a session nor
 * prolongs one, and no session outlives the start of the machine it was made under.
 */
#include "people/role.h"

/* What a session is for. */
enum session_kind {
	SESSION_FULL,
	SESSION_ENROL,	    /* of who has no second factor yet: adds factors, nothing else */
	SESSION_ONE_FACTOR, /* of who showed one factor: breaks the glass, nothing else */
};

struct limits {
	uint64_t idle_ns, overall_ns;
	uint64_t step_up_ns; /* how long a factor counts as fresh */
};

/* A site's own, stricter wishes; 0: none. */
struct limits_wish {
	uint32_t idle_minutes, overall_hours;
};

/* `aal3`: the role demands level 3, whose times are shorter. */
struct limits limits_of(enum people_role role, enum session_kind kind, bool aal3,
			const struct limits_wish *wish);

struct limits_times {
	uint64_t made_ns, used_ns;
};
bool limits_over(const struct limits_times *t, const struct limits *l, uint64_t now_ns);
/* When it ends if nobody touches it any more. */
uint64_t limits_end(const struct limits_times *t, const struct limits *l);

#endif
