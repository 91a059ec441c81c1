#ifndef BEDWARDEN_PEOPLE_AUTH_THROTTLE_H
#define BEDWARDEN_PEOPLE_AUTH_THROTTLE_H
/*
 * How fast somebody may guess. A counter a key (an account's factor, a source): after a
 * few failures each further attempt must wait twice as long as the one before, up to
 * a limit; a success clears it. Memory is bounded: where there is no room, the counter
 * that would wait the least is forgotten.
 *
 * What is counted apart cannot be locked by each other: who guesses a password slows
 * down passwords, from where strangers come, and nothing else (doc/people.md).
 *
 * Times are of a clock that never jumps, in nanoseconds.
 */
#include "base/bytes.h"

struct throttle;

struct throttle_limits {
	uint32_t free;	   /* failures that cost nothing, honest mistakes */
	uint64_t first_ns; /* the wait after one more */
	uint64_t max_ns;
	uint64_t forget_ns; /* after so long without an attempt it is as if there had been none */
};

/* `max` counters; NULL: no memory. */
struct throttle *throttle_new(uint32_t max);
void throttle_free(struct throttle *t);

/* A key from its parts: "password", user, "stranger". Keyed by a secret of the process. */
uint64_t throttle_key(const struct throttle *t, const char *what, struct bytes who,
		      const char *where);

/* How long to wait before the next attempt; 0: now. */
uint64_t throttle_wait(struct throttle *t, uint64_t key, const struct throttle_limits *l,
		       uint64_t now_ns);
void throttle_failed(struct throttle *t, uint64_t key, const struct throttle_limits *l,
		     uint64_t now_ns);
void throttle_clear(struct throttle *t, uint64_t key);

/* A budget for what costs: so many at once, and one more every so often. */
struct throttle_budget {
	uint32_t most;
	uint64_t every_ns;
	uint64_t full_ns; /* when it is full again; 0 at first */
};
/* Takes one, if there is one. */
bool throttle_spend(struct throttle_budget *b, uint64_t now_ns);

#endif
