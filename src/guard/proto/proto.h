#ifndef BEDWARDEN_GUARD_PROTO_PROTO_H
#define BEDWARDEN_GUARD_PROTO_PROTO_H
/*
 * What all parsers of application protocols have in common. A parser is pure:
 * it allocates nothing, asks no clock, keeps what it must between calls in a
 * state of fixed size (one a conversation, both directions, zero at first), and
 * borrows its input. It takes one unit at a time from the front of what an end
 * has said and answers
 *
 *   PARSE_OK    took `used` bytes (at least one, or skip > 0); has_msg: *ret_m is a message,
 *               which may be told before the bytes that ended it are taken, once
 *   PARSE_MORE  the unit goes on behind the bytes; nothing is taken, they come again with more
 *   PARSE_BAD   these bytes break the protocol; ret_m->reason says how. The conversation is
 *               not read any further; with has_msg, what was readable is told
 *
 * A stream's unit may ask for at most PROTO_UNIT_MAX bytes at once: what is
 * longer is taken in pieces, or passed over by `skip`, which costs nothing
 * however long it is. Time must be linear in the input, however it is cut.
 *
 * Adding a protocol: x.c, x.h, a line in protos[] (proto.c), test/unit/x.c,
 * fuzz/fuzz_x.c with seeds, a folder in test/pcap/.
 */
#include "base/bytes.h"
#include "base/json.h"
#include "base/reason.h"

#define PROTO_UNIT_MAX	65536 /* bytes held for one unit */
#define PROTO_STATE_MAX 3648  /* bytes; with its talk it fills the largest class of a slab */
#define PROTO_MSG_MAX	4096

struct proto_input {
	struct bytes data; /* what this end said and nobody took yet; a datagram: all of it */
	uint64_t time_ns;  /* when the packet came that brought the last of it */
	uint16_t port[2];  /* of ends 0 and 1 */
	uint8_t end;	   /* whose: 0 opened the conversation, 1 the other */
	bool datagram;
	bool to_all;	/* a datagram, and sent to a group or to everybody */
	bool last;	/* the end closed its side: nothing follows */
	bool midstream; /* the conversation was picked up after its beginning */
	bool answering; /* and by its rule it is end 0 that serves: it was the first to be seen */
	bool alone;	/* no packet of the other end comes by at all */
	bool expected; /* a rule names this protocol here, for probe(): its usual port counts no more */
};

struct proto;
struct proto_output {
	size_t used;
	uint64_t skip; /* of the bytes behind those: not to be shown to the parser */
	bool has_msg;
	/* Where something that can be kept whole stands, as `object` of the protocol tells: it begins
	 * with these bytes, the first `kept` of them are its own, and all that is skipped, and behind
	 * that it ends. */
	bool begins, ends, skip_kept;
	size_t kept;
	/* What is spoken behind this unit or, `with_it`, from this unit on, which the other protocol is then
	 * to read: whoever holds the talk may begin it anew there. Else the unit is what the rest says. */
	const struct proto *next;
	bool with_it;
};

/* Something that an end said and that can be kept whole: a message, an image. */
#define PROTO_LABEL 96
#define PROTO_HEAD  512
struct proto_object {
	const char *suffix;	 /* ".hl7" */
	char label[PROTO_LABEL]; /* tells it from others, as far as it was said yet */
	size_t head_len;	 /* what a file of it begins with, before what was said */
	uint8_t head[PROTO_HEAD];
};

/*
 * What every message begins with; a protocol's own struct embeds it first. Its
 * texts are borrowed from the input or the state, good until the next call.
 */
struct msg {
	enum reason reason; /* how it breaks the protocol; NONE: it does not */
	bool control;	    /* changes what a device does */
	bool answer;   /* to a request that was judged itself; or it asks for nothing, as a ping */
	bool readable; /* all the same: no reason to end the conversation, and what it says is judged
			* like any other's. Its receiver reads it, too, or asks for it once more */
	bool unread; /* it cannot be read, encrypted as it is: members that it lacks are blank to patterns */
	bool ahead; /* it is under way, and may be whole to its receiver: it is judged by what is known
		     * of it, and told here only if that is refused */
	bool part; /* of a message that is judged and told when it ends: samples, which are not kept
		    * until then */
	/* What it asks for, or grants: to speak this from here on; or what its conversation began as, and
	 * goes on in encrypted. A rule for that lets it pass. */
	const struct proto *opens;
};

/* A member of a message, named once: for events, for policies, for people. */
enum field_type {
	FIELD_TEXT, /* struct bytes; left out where data is NULL */
	FIELD_NAME, /* const char *, static; left out where NULL */
	FIELD_U8,   /* numbers are left out where zero, but with FIELD_ZERO */
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_BOOL, /* left out where false, but with FIELD_ZERO */
	FIELD_LIST, /* texts, by `next`; an event holds as many as fit */
};

#define FIELD_MATCH    1 /* profiles may say which values are allowed; of a list: of every one */
#define FIELD_ZERO     2
#define FIELD_SILENT   4 /* for profiles; in events write() says it, by path or one object deeper, */
#define FIELD_KEY      8  /* or as the name of the object that holds the rest */
#define FIELD_INNER    16 /* the name is a path, and an event takes it from the field itself */
#define FIELD_CASELESS 32 /* patterns match ASCII letters of either case: names of hosts */
#define FIELD_MUST     64 /* nobody escapes a pattern by leaving it empty: events leave it out then */
#define FIELD_VARIES \
	128 /* another one next time, or after an update: nobody is proposed to be held to it */

#define FIELD_FILTER \
	256 /* texts that stand for others where they have + or # (MQTT §4.7.1): `?` is neither */

#define PROTO_TEXT_MAX 256 /* bytes of a text in an event, which shall never be too long to write */

#define PROTO_KEY_MAX	32
#define PROTO_KEY(text) text, sizeof(text) - 1

struct proto_field {
	/* "control_id"; "connect.client_id" is put into an object `connect`. Of one size, so that an
	 * event copies it without a look at its length. */
	char name[PROTO_KEY_MAX];
	uint8_t len;  /* of the name */
	uint16_t at;  /* offsetof() in the message */
	uint8_t type; /* enum field_type */
	uint16_t flags;
	/* FIELD_LIST: one text a call, data NULL behind the last; *at is 0 at first, then its. */
	struct bytes (*next)(const struct msg *m, size_t *at);
	/* Where a rule says nothing of this one, what it says of the first of these that it narrows
	 * holds for it, too. */
	const char *like[2];
	/* The part of a value that a pattern is for; NULL: all of it. */
	struct bytes (*meant)(struct bytes value, const char *pattern, size_t len);
};

#define PROTO_OVER_TCP 1
#define PROTO_OVER_UDP 2

struct proto {
	const char *name; /* EVE: app_proto, event_type, and the object's key */
	uint8_t over;	  /* PROTO_OVER_TCP, PROTO_OVER_UDP or both */
	bool urgent;	  /* uses TCP's urgent data (RFC 6093); elsewhere it hides bytes */
	bool lines; /* a message begins where a line does: so it is found behind what is not known */
	bool framed; /* a message says how long it is: one that stands amid others is found by those behind */
	bool unmarked; /* no message of it is `control`: what changes a device is not told apart */
	const struct proto *speaks;   /* whose messages these are; NULL: its own */
	const struct proto *leads_to; /* what may be spoken instead, later (proto_output.next) */
	/* Whatever leads to it goes on in it, encrypted (STARTTLS): a rule for what it began as lets it pass. */
	bool seals;
	/* Whose messages a conversation may begin with, and have among its own; NULL: none. Where a
	 * rule names this protocol it is read from the first of them on. */
	const struct proto *carrier;
	uint16_t state_size, msg_size;
	uint16_t msg_zero; /* of a message, how much must be zero before it is read; 0: all */
	const struct proto_field *fields; /* ends with an empty name */
	/* Is this how it begins? OK yes, BAD no, MORE cannot be told yet. Ports may decide only
	 * where nothing in the bytes can. NULL: it never begins, another leads to it. */
	enum parse (*probe)(const struct proto_input *in);
	enum parse (*read)(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out);
	/* `bytes` of an end were never seen. NULL: the conversation is not read any further. */
	void (*gap)(void *state, unsigned end, uint64_t bytes);
	/* An end has said its last, of which in->data is left: OK, or BAD where that was within a
	 * unit. Of *ret_out, what is to be kept counts as in read(). NULL: nothing comes of what is
	 * not whole. */
	enum parse (*closed)(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out);
	/* Is the end within something though all it said was taken? NULL: what was not taken shows it. */
	bool (*amid)(const void *state, unsigned end);
	/* Of what begins (`whole` false) or has just ended. False: it is not worth keeping, or cannot
	 * be read without what was missed. NULL: nothing of the protocol is kept. */
	bool (*object)(const void *state, unsigned end, bool whole, struct proto_object *ret_o);
	/* What the fields cannot say (lists), behind them, inside the event's own object. */
	void (*write)(const struct msg *m, struct json *j);
};

/* Is it what the end that serves says? */
static inline bool proto_serves(const struct proto_input *in)
{
	return in->end != in->answering;
}

/* Is it where the protocol lives: at its port, or where a rule says so? */
static inline bool proto_at_home(const struct proto_input *in, uint16_t port)
{
	return in->port[!in->answering] == port || in->expected;
}

/* The first proto_count in the order in which they are asked whether a conversation is theirs; behind
 * them what those lead to, and NULL. */
extern const struct proto *const protos[];
extern const unsigned proto_count;

/* May a rule for `named` let `spoken` be spoken: it, or what it goes on in, encrypted? */
static inline bool proto_covers(const struct proto *named, const struct proto *spoken)
{
	return named == spoken || (spoken->seals && named->leads_to == spoken);
}

/* NULL where there is none of that name. */
const struct proto *proto_find(const char *name);
/* NULL where the protocol has no such field. */
const struct proto_field *proto_field(const struct proto *p, const char *name);
/*
 * A field's value as text: borrowed from the message, or written to `buf` for a
 * number or a yes/no. data NULL where it is absent.
 */
#define PROTO_VALUE_MAX 24
struct bytes proto_value(const struct proto_field *f, const struct msg *m,
			 char buf[PROTO_VALUE_MAX]);
/* For `meant` of paths: one that leads up again (a part of it is "..") leads elsewhere than it begins,
 * so that it is like no pattern but * and those that say so, too. */
struct bytes proto_path(struct bytes value, const char *pattern, size_t len);
/* The values of a field, one a call, as proto_value() gives them; *at as in proto_field. */
struct bytes proto_next(const struct proto_field *f, const struct msg *m, size_t *at,
			char buf[PROTO_VALUE_MAX]);
/* A text as an event takes it: where data is not NULL, and no longer than PROTO_TEXT_MAX. */
void proto_text(struct json *j, const char *key, struct bytes v);
/* What `next` gives, as struct proto_field has it: one text where all are the same, else a list. */
void proto_texts(struct json *j, const char *key,
		 struct bytes (*next)(const struct msg *m, size_t *at), const struct msg *m);
/* Is there room for one more item of a list, and for what follows lists? */
bool proto_room(const struct json *j);
/* The event's own object, with everything the message says. */
void proto_write(const struct proto *p, const struct msg *m, struct json *j);

/* For tables of numbers and their names; NULL where `n` has none. */
struct proto_name {
	uint32_t n;
	const char *name;
};
const char *proto_name(const struct proto_name *table, size_t count, uint32_t n);
#define PROTO_NAME(table, n) proto_name(table, sizeof(table) / sizeof((table)[0]), n)

#endif
