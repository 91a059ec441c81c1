#ifndef BEDWARDEN_GUARD_SESSION_H
#define BEDWARDEN_GUARD_SESSION_H
/*
 * What is read of one conversation: which protocol it speaks (by its first
 * bytes, not by its port), its bytes in order, and the parser's talk. A flow
 * gets a session with its first payload; one that speaks nothing we read loses
 * it again soon, and costs nothing from then on.
 *
 * A session says what must not pass, it drops nothing itself.
 */
#include "guard/flow/flow.h"
#include "guard/flow/stream.h"
#include "guard/proto/talk.h"

/* A message, as its last byte comes in. Everything is borrowed for the call. */
struct session_message {
	const struct proto *proto;
	const struct msg *msg;
	const struct packet *packet; /* that completed it */
	struct flow *flow;
	unsigned end; /* who said it */
	unsigned
		sender; /* of the packet: the other end, where it confirms what was missed or held */
	bool strict;	/* a break of the protocol: nothing behind it can be read */
};

/* Why the packet that completes the message must not pass; NONE: it may. */
typedef enum reason (*session_said_fn)(void *arg, const struct session_message *m);
/* An end begins with nothing that we read. Why that may not be; NONE: it may. */
typedef enum reason (*session_unread_fn)(void *arg, struct flow *f);
/* What the flow should speak, so that one picked up in its middle is read from its next message
 * on; NULL: anything. */
typedef const struct proto *(*session_expected_fn)(void *arg, const struct flow *f);

/* Is a packet of the flow dropped where something is said against it? */
typedef bool (*session_enforced_fn)(void *arg, const struct flow *f);

/* Picked up in its middle, may what comes first be the rest of a message that is not to pass? */
typedef bool (*session_orphaned_fn)(void *arg, const struct flow *f);

/* Did whoever answers by the rule say the first of the flow that was seen? Of datagrams nothing else
 * tells that it was picked up in its middle. */
typedef bool (*session_answering_fn)(void *arg, const struct flow *f);

/* Something that can be kept whole, a piece a call, as bytes come in. *number is 0 as it begins, and
 * whatever the function makes it after that; while it is not 0 the function is told what follows.
 * Everything else is borrowed for the call. */
struct session_kept {
	const struct talk *talk;
	const struct flow *flow;
	unsigned end; /* who says it */
	enum talk_keep what;
	struct bytes data;
};
typedef void (*session_keep_fn)(void *arg, const struct session_kept *k, uint32_t *number);

struct session_options {
	size_t stream_bytes; /* held by all streams together */
	uint32_t stream_end; /* held of one end of one conversation */
	session_said_fn said;
	session_unread_fn unread;
	session_expected_fn expected;
	session_enforced_fn enforced;
	session_orphaned_fn orphaned;
	session_answering_fn answering;
	session_keep_fn keep;	 /* NULL: nobody keeps anything */
	stream_reread_fn reread; /* NULL: packets' places are of no use */
	void *reread_arg;
	void *arg;
};

struct session_counts {
	uint64_t streams, talks; /* begun */
	uint64_t messages;
	uint64_t held_bytes, refused; /* now; packets that found no room */
};

struct sessions;

/* NULL with errno ENOMEM. */
struct sessions *sessions_new(const struct session_options *o);
/* Every flow's session was ended before. */
void sessions_free(struct sessions *s);

/* How far what is said against a packet goes, from the least on. */
enum session_scope {
	SESSION_UNSURE,	 /* we cannot tell: the fail mode decides on the packet */
	SESSION_PACKET,	 /* the packet must not pass; its sender may try again */
	SESSION_BLIND,	 /* nothing behind can be read: the fail mode decides on all of it */
	SESSION_MESSAGE, /* of a message, which said_fn was told: nothing more may pass */
	SESSION_UNREAD,	 /* of unread_fn: nothing more may pass */
};

/* What the packet came to. */
struct session_heard {
	enum reason reason; /* NONE: nothing against it */
	enum session_scope scope;
	uint32_t stood; /* with a reason: number of the byte behind what went on before, in order */
	anomaly_set fresh; /* of its stream, the first of their kind in the flow */
	bool ask;	   /* the packet's receiver, what it expects next: until then none passes */
};

/* Ahead of session_hear(), for bursts: a prefetch for each packet, then the talk's for each. `f` may
 * be NULL, else it is in the cache. */
void session_prefetch(const struct flow *f);
void session_prefetch_talk(const struct flow *f);
/* Reads a packet of the flow, from `end`; flow_find() has seen it. */
struct session_heard session_hear(struct sessions *s, struct flow *f, const struct packet *p,
				  unsigned end);
/* It counts as another device's, or under another rule or policy: its next packet shows what it is held to
 * from there on, and what was let be is read again. */
void session_changed(struct flow *f);
/* The flow ends, or is not to be read any further. */
void session_end(struct sessions *s, struct flow *f);
/* The same, quicker, where no other will ever begin: what it had is freed with the sessions. */
void session_shut(struct sessions *s, struct flow *f);
/* Is there nothing more to read: unknown for good, or all that follows is passed over (TLS, SSH)? */
bool session_is_through(const struct flow *f);
/* Is an end within something that it says? Its receiver may still be waiting for the rest. */
bool session_is_amid(const struct flow *f);
/* Did a rule that is enforced say what may be said when the stream was last read? */
bool session_is_held(const struct flow *f);
/*
 * What is on its way to an end that enforces is kept until it is confirmed, to compare it with what is
 * sent again. More than can be kept is not asked for: the window that the packet offers is made smaller,
 * in its bytes, once it was heard and before it goes on.
 */
void session_clamp(struct sessions *s, const struct flow *f, const struct packet *p, unsigned end);
/* What the receiver of `end` expects next, for a reset it believes; false without a stream. */
bool session_expects(const struct flow *f, unsigned end, uint32_t *ret_seq);
void session_counts(const struct sessions *s, struct session_counts *ret_counts);

#endif
