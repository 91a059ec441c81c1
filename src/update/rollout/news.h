#ifndef BEDWARDEN_UPDATE_ROLLOUT_NEWS_H
#define BEDWARDEN_UPDATE_ROLLOUT_NEWS_H
/*
 * What is news of rollouts: what they are like now (role/rolling.h), against what was told of them before.
 * What was told is kept by the caller, as JSON, across restarts. Pure.
 */
#include <jansson.h>

#include "base/reason.h"

struct news {
	enum reason why;
	const json_t *rollout, *device; /* device NULL: of the rollout as a whole */
	const char *message;		/* more, for people; "" none */
};
/* Everything is borrowed for the call. */
typedef void (*news_fn)(void *arg, const struct news *n);

/* Tells what is new, and notes in `told`, an object, that it was. A device's reason for waiting is told when
 * it is another one, not each time that it comes and goes. */
void news_of(json_t *told, const json_t *rollout, news_fn fn, void *arg);
/* Of rollouts that are not in the list any more: proposals that something newer has overtaken. */
void news_forget(json_t *told, const json_t *rollouts);

#endif
