#ifndef BEDWARDEN_ROLE_HOLDINGS_H
#define BEDWARDEN_ROLE_HOLDINGS_H
/*
 * What the keeper's vault holds, for people to look through and to take out: the calls evidence.*,
 * vault.* and backup.*. What leaves goes by a pipe to whoever asked (keep/outlet.h), and each time
 * it is recorded who had it.
 */
#include "role/keeper.h"

/* Starts threads: before seccomp, after the keys are unlocked. */
void holdings_open(struct keeper *k);
void holdings_close(struct keeper *k);
/* Tells who waits for a check what came of it. */
void holdings_turn(struct keeper *k);
/* When to turn again though nothing happens, by the clock of `now_ns`. */
uint64_t holdings_due(const struct keeper *k, uint64_t now_ns);

/* The error of every call that needs it, where the vault is not open. */
json_t *holdings_closed(struct call_error *ret_error);

#endif
