#ifndef BEDWARDEN_ROLE_CUSTODY_H
#define BEDWARDEN_ROLE_CUSTODY_H
/*
 * What people do with the keeper's vault and its keys by the API, beyond looking and taking out
 * (role/holdings.h): put, destroy, new keys. The calls vault.put, vault.shred, vault.keys,
 * vault.rotate and vault.recipient.
 *
 * What may take its time is done by the intake's thread, one such thing at a time; whoever asked is told
 * after a while that it goes on. Who holds the keys is changed on the box alone: that takes secrets
 * which are typed there.
 */
#include "role/keeper.h"

struct custody;

struct custody *custody_new(void); /* NULL: no memory */
/* After the intake was freed. NULL is fine. */
void custody_free(struct custody *c);
/* Tells who waits what came of it. */
void custody_turn(struct keeper *k, uint64_t now_ns);
/* When that turns into "it goes on", monotonic; UINT64_MAX never. */
uint64_t custody_due(const struct keeper *k);

struct deposit;
/* Something that was put for whoever waits by this ticket: it is on the disk, or never will be. */
void custody_put_done(struct keeper *k, uint32_t ticket, const struct deposit *d);

#endif
