#ifndef BEDWARDEN_ROLE_ROLLING_H
#define BEDWARDEN_ROLE_ROLLING_H
/*
 * Rollouts in the updater: what firmware there is (a listing), which devices get any (the policy,
 * by the parent), what is seen of them and what people want (the keeper) come together here, and
 * rollouts are proposed, carried on and told of. They are kept in the folder `rollouts` of the updater's,
 * what was last listed in listing.json beside it.
 *
 * A person's word is {"n","do","id","by","why","device","well"}: `do` is approve, hold, release,
 * rollback or person; or hold_all, release_all, of everything, and is not told back. An answer is
 * {"n"} or {"n","error":text}; when it comes, the word is on the disk. The same again is fine.
 *
 * What is told of all of them (IPC_ROLLOUTS):
 *   {"rollouts":[…],	as rollout_json(), each with "vendor", "model" and "on_trust", and of its
 *			devices also "driver"
 *    "devices":[{"device","driver","vendor","model","version","source","reachable","healthy",
 *                "state","hardware","text"}]}	`source` agent, rollout or policy: who says the version
 */
#include <jansson.h>

#include "base/bytes.h"
#include "role/setup.h"
#include "update/agent/talk.h"

struct rolling;

/* In the updater's folder, which is there. NULL with errno. */
struct rolling *rolling_new(const char *dir);
void rolling_free(struct rolling *r);

/* The parent's IPC_FIRMWARE. True: other firmware is wanted than before. */
bool rolling_firmware(struct rolling *r, int fd);
/* The keeper's IPC_SIGHT. False: it is none. */
bool rolling_sights(struct rolling *r, struct bytes body);
/* Nobody tells what is seen any longer. */
void rolling_blind(struct rolling *r);
/* What was listed and is there, as fetch/listing.h has it. */
void rolling_listed(struct rolling *r, const json_t *targets);
/* The `wants` of struct fetch_options. */
bool rolling_wants(const struct rolling *r, const json_t *list, const json_t *target);
/* A person's word; the answer, the caller's, or NULL where none is due. */
json_t *rolling_word(struct rolling *r, const json_t *word);

/* Once a second or so. */
void rolling_turn(struct rolling *r);
/* What is to be told, the caller's, where it differs from what was told before; else NULL. */
char *rolling_status(struct rolling *r);
/* It was not told after all: it is due once more. */
void rolling_untold(struct rolling *r);

/* An agent speaks, as rollouts_report(). -EACCES: no device of that name has one. */
int rolling_report(struct rolling *r, const char *device, const struct talk_report *said,
		   struct talk_order *ret_order, int *ret_fd);

#endif
