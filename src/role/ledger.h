#ifndef BEDWARDEN_ROLE_LEDGER_H
#define BEDWARDEN_ROLE_LEDGER_H
/*
 * What the keeper writes down: events, others' (keeper_events()) and its own (keeper_report(),
 * keeper_put()), evidence, what is archived; and what it says of the disk and of losses.
 * Events are written in batches; ledger_due() says when the next one is.
 */
#include "role/keeper.h"

/* What concerns who may sign in: staff_tell_fn, the keeper as its argument. */
void ledger_staff(void *keeper, enum reason why, const char *user, const char *text,
		  uint64_t count);
/* From a guard; `who` it is, for people. What is malformed is refused and counted. */
void ledger_evidence(struct keeper *k, unsigned guard, const char *who, struct bytes body);
void ledger_archive(struct keeper *k, unsigned guard, const char *who, struct bytes body);
/* Says what evidence was lost since it last said so. */
void ledger_evidence_lost(struct keeper *k);
/* Everything taken so far, durable. 0 or why not. */
int ledger_write(struct keeper *k, uint64_t now_ns);
/* When that is to be done, monotonic; UINT64_MAX: nothing waits. */
uint64_t ledger_due(const struct keeper *k);

#endif
