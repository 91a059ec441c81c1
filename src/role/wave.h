#ifndef BEDWARDEN_ROLE_WAVE_H
#define BEDWARDEN_ROLE_WAVE_H
/*
 * Rollouts as the keeper has them: what the updater tells of them, what people want of them and
 * what is seen of their devices. A person's word is on the disk here (STATE_DIR/rollouts.json) before
 * it is acknowledged, and said to the updater until that has it; what changed since it was last told
 * becomes an event, also across a restart.
 */
#include "role/call.h"

struct bytes;
struct ipc_message;
struct keeper;
struct waves;

struct waves *waves_new(const char *state_dir); /* NULL: no memory */
void waves_free(struct waves *w);

/* Another updater is there, or updates were held or let go on (`hold` NULL): all that is wanted. */
void waves_meet(struct keeper *k, const json_t *hold);
void waves_hold(struct keeper *k, const json_t *hold);
/* IPC_ROLLOUTS and IPC_ROLLOUT. False: that is none. */
bool waves_take(struct keeper *k, const struct ipc_message *m);

/* A guard's IPC_CONDUCT. False: it is none. */
bool waves_conduct(struct keeper *k, struct bytes body);
/* A guard came or went: what is seen has a gap. */
void waves_guard(struct keeper *k, unsigned guard, bool there);
/* All guards are introduced anew from here on. */
void waves_policy(struct keeper *k);
/* Tells the updater what is seen of its devices, when that is due. */
void waves_tick(struct keeper *k);
uint64_t waves_due(const struct keeper *k); /* monotonic; UINT64_MAX never */

/* "rollouts" and "devices" into what update.status answers. */
void waves_status(const struct keeper *k, json_t *o);
/* The rollout that is meant, by its id or its target; NULL there is none. Borrowed. */
const json_t *waves_find(const struct keeper *k, const char *name);
/* A person wants `what` (role/rolling.h) of it: "ok" or NULL with the error. */
json_t *waves_want(struct keeper *k, const struct call_asker *by, const json_t *rollout,
		   const char *what, const json_t *args, struct call_error *e);

#endif
