#ifndef BEDWARDEN_GUARD_FLOW_STREAM_H
#define BEDWARDEN_GUARD_FLOW_STREAM_H
/*
 * What both ends of a TCP conversation say, in order (RFC 9293 §3.4), for a
 * reader that stands in the path and decides on every packet before it goes on.
 *
 * The first copy of a byte is the one that is read, and the only one that may
 * pass: what went on and was not confirmed yet is kept, and a repetition that
 * differs is a conflict. Bytes that cannot be taken in (too far ahead, no
 * memory) were not read either: whoever enforces does not let them pass, and the
 * sender repeats them. Segments that run ahead are kept until the hole before
 * them is filled; they may pass at once, since nothing is whole without the rest.
 *
 * Memory is bounded for each end and in all. Bytes that nobody wants to read
 * (`blind`) are neither kept nor compared.
 */
#include "guard/flow/flow.h"
#include "guard/flow/stream_pool.h"

/* Pieces ahead of holes that are kept apart, an end: so many packets may be lost of what is on its way. */
#define STREAM_AHEAD 64
struct stream_piece {
	uint32_t from, to;
};

/* Where bytes from the place before on, or from `base`, lie in a file. */
struct stream_place {
	uint64_t at;
	uint32_t to;
};

/* One end's bytes. Sequence numbers throughout; a half is known once its first byte is. */
struct stream_half {
	uint8_t *buf;	/* bytes from `base`, or places; NULL where none are kept */
	uint32_t size;	/* of buf */
	uint32_t base;	/* number of buf[0]; of the next byte where none are kept */
	uint32_t next;	/* one behind the last byte in order */
	uint32_t read;	/* one behind the last byte the reader was done with */
	uint32_t acked; /* what the other end confirmed */
	uint32_t stamp; /* last time-stamp, RFC 7323 §4.3 */
	uint32_t fin;	/* where it ended */
	uint8_t flags;	/* the stream's */
	uint8_t ahead_count;
	uint8_t again;	/* how often what is behind a hole came again */
	uint8_t places; /* 0: buf holds bytes; else so many places, of bytes in order and read */
	struct stream_piece
		*ahead; /* apart and in order; NULL where there was none since buf was */
};

struct stream {
	struct stream_half half[2];
};

enum stream_said {
	STREAM_TAKEN,	 /* new bytes; more may be ready now */
	STREAM_REPEATED, /* nothing new, and nothing that differs */
	STREAM_CONFLICT, /* differs from the first copy; where the stream waits nothing is taken */
	STREAM_OUTSIDE, /* where the receiver does not take it: window, end; where nothing waits, age */
	STREAM_UNVERIFIED, /* repeats what is not kept any more, so nobody can tell */
	STREAM_UNPROVEN,   /* taken; nobody has shown yet that its receiver stands where we think */
	STREAM_STUCK,	   /* the same again and again, and its receiver's word goes another way */
	STREAM_LATER,	   /* too much is unconfirmed; not taken, comes again when that is */
	STREAM_FULL,	   /* no room; not taken */
};

/*
 * The flow's ends begin where its handshake said and the other end confirmed it, or, without
 * one, where that stands, or else at the first packet of each. Zeroed memory is a new stream.
 */
void stream_init(struct stream *s, const struct flow *f);
/*
 * What is not taken does not pass: where an end is given more than may be kept of it, that is not
 * forgotten, so that every repetition can be compared, but waited for until it is confirmed. And an end
 * stands nowhere but where its receiver says: asked for of a stream that is new.
 */
void stream_wait(struct stream *s);
/* Does it? */
bool stream_waits(const struct stream *s);
/* Nothing of `end` was taken yet: it begins where the other one stands by now, if that has said so. */
void stream_place(struct stream *s, const struct flow *f, unsigned end);
/* Of what `end` said its receiver has nothing, and waits for the byte `first`. */
void stream_begin_anew(struct stream *s, struct stream_pool *pool, unsigned end, uint32_t first);
void stream_free(struct stream *s, struct stream_pool *pool);

/*
 * The packet confirms what the other end said: that need not be kept any longer.
 * How many bytes the other end's reader will never see because the confirmed
 * ones did not come by here; stream_ready() of that end may have more then, to be
 * read before the next call: until one answers 0 there may be more such holes. STREAM_ANEW: what that
 * reader took for the beginning was none, nothing it has read counts.
 */
#define STREAM_ANEW UINT32_MAX
uint32_t stream_confirm(struct stream *s, struct stream_pool *pool, const struct packet *p,
			unsigned end);

/*
 * The same of the packet's own end, before it is taken: where it goes on behind bytes that were
 * confirmed and did not come by here. And where no confirmation ever comes by, since the other
 * direction goes another way: what runs far ahead of a hole in `end`'s bytes was received, but where it
 * must be `whole`, since behind a hole that is none to its receiver it might be read amiss.
 */
uint32_t stream_presume(struct stream *s, struct stream_pool *pool, const struct flow *f,
			const struct packet *p, unsigned end, bool whole);
/* Does no packet of `end`'s receiver come by here? */
bool stream_is_oneway(const struct flow *f, unsigned end);

/*
 * Takes in what the packet carries of `end`, unless the answer says that it does not. `p` must
 * be whole: a cut capture is no stream. With an answer of TAKEN, and with any other that may come
 * with new bytes, call stream_ready() and stream_done(), also for nothing.
 */
enum stream_said stream_take(struct stream *s, struct stream_pool *pool, const struct flow *f,
			     const struct packet *p, unsigned end);

/* The bytes in order that nobody read yet: in the packet last taken, or in the buffer. */
struct bytes stream_ready(const struct stream *s, const struct packet *p, unsigned end);
/*
 * The reader is done with the first `used` of the ready bytes; `blind`: it did
 * not look at them, and will not look at what follows. -ENOBUFS where the rest
 * cannot be kept: the conversation cannot be read any further.
 */
int stream_done(struct stream *s, struct stream_pool *pool, const struct packet *p, unsigned end,
		size_t used, bool blind);
/* The number of the byte that `end` says next, before the packet is taken: the packet's own where it is
 * the first. */
uint32_t stream_next(const struct stream *s, const struct packet *p, unsigned end);
/* Has the other end shown where `end` stands? What is said before that may have to be read once more. */
bool stream_is_proven(const struct stream *s, unsigned end);
/* Both ends said their last byte, and each confirmed the other's: no packet brings more. */
bool stream_is_over(const struct stream *s, const struct flow *f);
/* Has each end confirmed all that the other said? Until then it may still be said otherwise. */
bool stream_is_settled(const struct stream *s);
/* The end said its last byte; what is ready is all there will be. */
bool stream_ended(const struct stream *s, unsigned end);

#endif
