#ifndef BEDWARDEN_ROLE_ERRANDS_H
#define BEDWARDEN_ROLE_ERRANDS_H
/*
 * The keeper's side of errands (role/errand.h): who waits for which, one after the other. The calls
 * report.make and policy.learn; others send theirs by errands_send().
 */
#include <jansson.h>

#include "role/keeper.h"

#define ERRANDS_MS   30000 /* that whoever asked waits; what was begun is done all the same */
#define ERRANDS_MOST 8	   /* waiting */

struct errands *errands_new(void); /* NULL: no memory */
void errands_free(struct errands *x);
/* The parent's answer, IPC_ERRAND. */
void errands_take(struct keeper *k, const struct ipc_message *m);
/* Sends the next one, where none is under way. */
void errands_turn(struct keeper *k, uint64_t now_ns);

/* What was printed, by the command that succeeded; `fd` at its beginning, borrowed. A call's answer,
 * or NULL with the error. */
typedef json_t *(*errand_fn)(struct keeper *k, uint32_t ticket, const json_t *order, int fd,
			     struct call_error *e);
/* Takes the order and the descriptor, -1 none. As a call ends: NULL, later or with the error. */
json_t *errands_send(struct keeper *k, const struct call_asker *by, json_t *order, int fd,
		     errand_fn done, struct call_error *e);

/* All that was printed, as one text, or as the JSON that it is. NULL: it is none. */
json_t *errands_text(int fd);
json_t *errands_json(int fd);

#endif
