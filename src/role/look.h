#ifndef BEDWARDEN_ROLE_LOOK_H
#define BEDWARDEN_ROLE_LOOK_H
/*
 * The calls that look: status, devices, flows, events. What other processes
 * know is asked of them and given when they have answered.
 */
#include "base/ipc.h"

struct keeper;
struct looks;

#define LOOK_ROWS_MAX 1000 /* of a page; 100 where no limit is given */

struct looks *looks_new(void); /* NULL: no memory */
void looks_free(struct looks *l);

/* Answers to what look.c has asked; false: it has not. */
bool look_status(struct keeper *k, const struct ipc_message *m);
bool look_flows(struct keeper *k, unsigned guard, const struct ipc_message *m);
/* It is the next one's turn to ask the guards; false: nobody waits. */
bool look_turn(struct keeper *k);
/* A guard is gone. */
void look_without(struct keeper *k, unsigned guard);

#endif
