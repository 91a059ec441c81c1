#ifndef BEDWARDEN_GUARD_CAPTURE_LOAN_H
#define BEDWARDEN_GUARD_CAPTURE_LOAN_H
/*
 * The guard's side of the memory that it shares with the link (base/share.h): chunks lent to be
 * sealed, and chunks lent to be filled. The link is not trusted: a chunk comes back only if it
 * is lent, and only once; an entry that says otherwise ends the pairing. When a link has died,
 * everything is taken back, and what it had not begun with is handed out once more.
 *
 * A back end that can share its memory embeds nothing of this: it offers capture_ops' lend,
 * lend_copy, restore, spare and adopt.
 */
#include "base/share.h"
#include "guard/capture/capture.h"

struct loan;

/* `chunks` as the capture has them, SHARE_INBOX included. NULL with errno ENOMEM. */
struct loan *loan_new(struct capture *c, uint32_t chunks);
void loan_free(struct loan *l);

/*
 * A link takes part from now on, and no earlier one. Takes over the three descriptors: the
 * queues, what wakes the link and what wakes us (eventfds). 0 or -errno, then nobody does.
 */
int loan_pair(struct loan *l, int queues, int wakes_link, int wakes_us);
/* Its link is dead. What was lent is ours again. */
void loan_end(struct loan *l);
bool loan_paired(const struct loan *l);

/*
 * To the link of peer gateway v->link; gone by the next loan_flush(). The frame is no longer the
 * caller's. -ENOTCONN there is no link; -ENOBUFS it takes no more; -EMSGSIZE: then it still is.
 */
int loan_seal(struct loan *l, const struct frame *f, const struct gate_verdict *v);
/* The same of a frame of the caller's own, copied. */
int loan_seal_copy(struct loan *l, struct bytes data, const struct gate_verdict *v);

/* Frames that came by a link, at most `max`, to be forwarded or dropped like received ones. */
unsigned loan_receive(struct loan *l, struct frame *ret_frames, unsigned max, uint64_t wall_ns);
/* Publishes, takes back what was sealed, gives empty chunks, wakes the link where it sleeps. */
void loan_flush(struct loan *l);

/* What a dead link had not begun with: a frame and its verdict's device, link and port. Until
 * loan_pair() or all of them were taken. */
bool loan_left(struct loan *l, struct frame *ret_f, struct gate_verdict *ret_v);

/* Readable when the link has something for us, once loan_sleep() said yes; -1 no link. */
int loan_fd(const struct loan *l);
/* Before the caller sleeps: false where there is something to receive. */
bool loan_sleep(struct loan *l);
void loan_wake(struct loan *l);

struct loan_counts {
	uint64_t sealed, sealed_bytes; /* handed to the link */
	uint64_t opened, opened_bytes; /* come from it */
	uint64_t refused;	       /* the link took no more */
	uint64_t lost;		       /* lent to a link that died with them */
	uint64_t distrusted;	       /* pairings that a link ended by saying what cannot be */
};
void loan_counts(const struct loan *l, struct loan_counts *ret_counts);

#endif
