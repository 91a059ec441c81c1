#ifndef BEDWARDEN_GUARD_FLOW_TCP_H
#define BEDWARDEN_GUARD_FLOW_TCP_H
/*
 * How far a TCP conversation has come, as seen from between its ends
 * (RFC 9293 §3.3.2). Only segments that fit what both ends have said so far
 * move the state; others are counted by the flow and change nothing here.
 */
#include "guard/flow/flow.h"

/* `end` sent the packet. The first packet of a flow finds TCP_NONE; with `end` 1 it answers a SYN
 * that was not seen, and says where that began. */
void tcp_track(struct flow *f, const struct packet *p, unsigned end);

/*
 * A SYN amid a conversation changes nothing: an end that knows the conversation
 * refuses it (RFC 5961 §4), and one that could be talked out of it by a SYN would
 * let half a message go by unread. Does `end` confirm with this packet the SYN
 * that the other one sent so? Then both have lost the old conversation.
 */
bool tcp_begins_anew(const struct flow *f, const struct packet *p, unsigned end);
/* Does `end` confirm, of several SYNs of the other end, another than the one the flow goes by? */
bool tcp_answers_another(const struct flow *f, const struct packet *p, unsigned end);
/* A new flow as the SYN of the old one's offer leaves it; end 0 sent that. */
void tcp_resume(struct flow *f, const struct tcp_offer *o);

/* From here on packets may go by unseen, or no longer: until then no number is held against anybody. */
void tcp_unseen(struct flow *f, bool unseen);

/* Does it say that a conversation was begun by its receiver? */
static inline bool tcp_answers(const struct packet *p)
{
	return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
}

/* Was it `end` itself that said this a moment ago, by the numbers of its bytes? */
bool tcp_is_repeated(const struct flow *f, const struct packet *p, unsigned end);

/* Could `end` have sent this: not far behind what it sent, not beyond what it was asked for. */
bool tcp_in_window(const struct flow *f, const struct packet *p, unsigned end);

/* Does `end` confirm what the other one was not seen to say yet? What is confirmed may be lost. */
bool tcp_runs_ahead(const struct flow *f, const struct packet *p, unsigned end);

/* One behind the last byte of `end` that the other one confirmed; false: none yet. */
bool tcp_confirmed(const struct flow *f, unsigned end, uint32_t *ret_acked);

/*
 * Makes the window that `end` offers by the packet no larger than `most` bytes, in the packet's own
 * bytes; its checksum stays as right or wrong as it was (RFC 1624 §3), or left
 * to a card. Nothing where the window's scale is not known, nor where the header is signed.
 */
void tcp_clamp_window(const struct flow *f, const struct packet *p, unsigned end, uint32_t most);

/*
 * Several TCP conversations, by other ports and addresses, may be one (RFC 8684), and what is said in one of them
 * replaces what was said in another: nobody reads that here. Both ends do without where a SYN or its
 * answer does not offer it (§3.7): the option becomes no operations, in the packet's own bytes; its
 * checksum stays as right or wrong as it was, or left to a card.
 */
void tcp_one_path(const struct packet *p);

/* The segment's time-stamp (RFC 7323 §3.2); false where it has none. */
bool tcp_stamp(const struct packet *p, uint32_t *ret_stamp);

#endif
