#ifndef BEDWARDEN_ROLE_DOOR_H
#define BEDWARDEN_ROLE_DOOR_H
/*
 * Grants in the keeper: the calls by which people ask for, allow, end and review
 * them; the book (people/grant/grant.h) on the disk, sealed by the keeper's keys; and
 * the doors that follow from it, which the parent opens and shuts in the
 * kernel and in the guards (IPC_GRANTS). A door opens when its entry is in the
 * audit trail and its grant in the book, in that order, and not before.
 */
#include "base/ipc.h"
#include "role/call.h"

struct door;
struct keeper;

/* `boot_id`: clock_boot_id(), read before the sandbox shuts /proc out. NULL: no memory. */
struct door *door_new(struct keeper *k, const char *boot_id);
void door_free(struct door *d);
/* A policy came: doors to what it no longer has are shut. Also sends the first doors. */
void door_policy(struct keeper *k);
/* What time has done. */
void door_turn(struct keeper *k);
/* When, by the monotonic clock. */
uint64_t door_due(const struct keeper *k, uint64_t now_ns);
/*
 * Somebody's account was taken away or changed: what they have open or asked for ends, and so do
 * their invitations, before it is written down. `by` says who did that.
 */
void door_without(struct keeper *k, const char *person, const char *by, bool on_box);
/* The parent: they are in force, or are not. */
void door_answer(struct keeper *k, const struct ipc_message *m);

/* Rows for `bedwarden grants`: what is open and what waits. The caller frees. */
json_t *door_rows(struct keeper *k);
/* What a person should do something about, one after the other; NULL: no more. */
const char *door_nag(struct keeper *k, unsigned n, char *buf, size_t cap);

extern const struct call_row door_calls[];

#endif
