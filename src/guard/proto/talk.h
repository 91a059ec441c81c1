#ifndef BEDWARDEN_GUARD_PROTO_TALK_H
#define BEDWARDEN_GUARD_PROTO_TALK_H
/*
 * One conversation being read by one parser. Keeps the parser's state and how
 * much it wants passed over; holds no bytes: what was not taken is the caller's
 * to bring again, with more behind it.
 */
#include "guard/proto/proto.h"

/* What happens to something that can be kept whole (struct proto_object). */
enum talk_keep {
	TALK_BEGINS,
	TALK_GOES_ON,
	TALK_ENDS,
	TALK_LOST, /* for who holds the talk: a part was not seen, or the conversation ended */
};
struct talk;
typedef void (*talk_keep_fn)(void *arg, const struct talk *t, unsigned end, enum talk_keep what,
			     struct bytes data);

struct talk {
	const struct proto *proto;
	uint64_t skip[2]; /* bytes of each end that nobody wants to see */
	bool dead;	  /* broke its protocol, or a hole ended it: nothing is read any more */
	bool skip_kept[2], skip_ends[2]; /* what is passed over is kept; and ends with that */
	uint8_t began; /* as which of protos[] the conversation began, counted from 1; 0: as this */
	bool turns;    /* the owner's to set: it begins another talk where a parser says so, … */
	const struct proto *next; /* … of this protocol, for what was not taken */
	talk_keep_fn keep;	  /* NULL: nobody keeps anything; the owner's to set, as is … */
	void *keep_arg;
	uint64_t state[]; /* proto->state_size bytes */
};

/* Called for every message, before the bytes that completed it count as taken; in->data begins with
 * its unit. */
typedef void (*talk_said_fn)(void *arg, const struct talk *t, const struct proto_input *in,
			     const struct msg *m);

/* The beginning of another conversation in the middle of this one: what is to be passed over goes on. */
void talk_turn(struct talk *to, const struct talk *from);
/* The memory that a talk of this protocol takes, and its beginning in such memory. */
size_t talk_size(const struct proto *p);
void talk_init(struct talk *t, const struct proto *p);
/* NULL where the memory is out; free() it. */
struct talk *talk_new(const struct proto *p);

/*
 * Reads units until the bytes are used up. *ret_used of in->data are done with,
 * whatever is answered: OK all of them; MORE the rest is to come again with
 * more behind it; BAD the conversation is dead: a message with nothing but its
 * reason says why where the parser had none to tell, unless the conversation
 * was picked up in its middle. *in is the same afterwards. OK with t->next: what is left is
 * for a talk of that protocol.
 */
enum parse talk_read(struct talk *t, struct proto_input *in, talk_said_fn said, void *arg,
		     size_t *ret_used);

/* Behind everything that in->end said, of which talk_read() left in->data. As there, but never MORE. */
enum parse talk_close(struct talk *t, const struct proto_input *in, talk_said_fn said, void *arg);

/* Passes over what nobody wants to see at the front of what `end` said: how many bytes. */
size_t talk_pass(struct talk *t, unsigned end, struct bytes data);

/* `bytes` of an end were never seen, behind everything it was shown. */
void talk_gap(struct talk *t, unsigned end, uint64_t bytes);

/*
 * Whose conversation begins like this: the first of protos[] that says yes.
 * *ret_undecided: none did, but some need more bytes.
 */
const struct proto *talk_identify(const struct proto_input *in, bool *ret_undecided);
/*
 * Where it should be `p`, and is nothing else: `p`, once it is. *ret_undecided, as talk_identify() left
 * it: whether that can still be, or what `p` may begin as; whatever else it might become, it is not `p`.
 */
const struct proto *talk_identify_as(const struct proto_input *in, const struct proto *p,
				     bool *ret_undecided);

/*
 * Are the bytes messages of `p`, one behind the other up to the last byte? OK yes, also where behind two
 * of them a third is cut off; MORE they may be; BAD no.
 */
enum parse talk_try(const struct proto_input *in, const struct proto *p);

#endif
