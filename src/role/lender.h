#ifndef BEDWARDEN_ROLE_LENDER_H
#define BEDWARDEN_ROLE_LENDER_H
/*
 * A guard's part in the sealed link: the memory that it shares, what the parent says of it, and
 * whether the peers' links take frames. What the link is lent is capture/loan.h's business.
 */
#include "base/ipc.h"
#include "guard/capture/loan.h"

struct engine;
struct lender;

struct lender *lender_new(void); /* NULL: no memory */
/* A message of the parent about it. 0; -EBADMSG it is none of these; -errno. Takes its fd. */
int lender_take(struct lender *l, struct ipc_message *m);
/* What the capture is to be opened with; NULL: nothing is shared. */
const struct capture_memory *lender_memory(const struct lender *l);
/* Once the capture is open: it lends from now on, and a link silent for five times `stale_ms` is down. 0 or
 * -errno. */
int lender_start(struct lender *l, struct capture *c, struct engine *e, uint32_t stale_ms);

/* As struct engine_seal wants them; `arg` is the lender. */
bool lender_up(void *arg, uint8_t link);
/* Whether any peer gateway takes frames. */
bool lender_carries(struct lender *l);
int lender_seal(void *arg, const struct frame *f, const struct gate_verdict *v);
int lender_seal_own(void *arg, struct bytes frame, const struct gate_verdict *v);

/* Frames that came by links. */
unsigned lender_receive(struct lender *l, struct frame *ret_frames, unsigned max);
/* How many frames were lent to be sealed since it was last asked. */
uint64_t lender_lent(struct lender *l);
/* After a burst: what was lent goes; a link that has died is noticed. */
void lender_flush(struct lender *l);

/* To be polled; -1: nothing. False from lender_sleep(): there is something to receive. */
int lender_fd(const struct lender *l);
bool lender_sleep(struct lender *l);
void lender_wake(struct lender *l);

#endif
