#ifndef BEDWARDEN_UPDATE_ROLLOUT_WORD_H
#define BEDWARDEN_UPDATE_ROLLOUT_WORD_H
/*
 * What people say of rollouts, judged by what was last told of these (role/rolling.h has the form of
 * both): which is meant, whether it makes sense as things stand. Pure.
 */
#include <jansson.h>

/* Of a list of rollouts, by its id or its target, where one that nobody has approved yet is meant
 * first; NULL none. Borrowed. */
const json_t *word_meant(const json_t *rollouts, const char *name);
/* Why `what` (approve, hold, release, rollback; person: of a `device` in it) makes no sense; NULL: it does. */
const char *word_senseless(const json_t *rollout, const char *what, const char *device);
/* The list without the word of that number, where it is in it. */
void word_heard(json_t *words, json_int_t number);

#endif
