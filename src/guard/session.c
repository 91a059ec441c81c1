#include "guard/session.h"

#include <errno.h>
#include <stdlib.h>

#include "base/slab.h"
#include "guard/flow/tcp.h"

#define IDENTIFY_BYTES 2048 /* of an end that may stay undecided */
#define IDENTIFY_TRIES 4    /* datagrams of an end */
#define ANSWER_MS      2000 /* in which an end says where it stands, if its packets come by here */
#define SETTLE_MS      150 /* in which all that was on its way has arrived, and has been confirmed */

#define STUCK 7 /* packets: some half a minute of a sender who waits twice as long each time */

/* flow->session_flags */
#define OFF	    1		   /* nobody reads it, for good */
#define FAILED(end) (2u << (end))  /* what the end said begins nothing we know */
#define CHANGED	    8		   /* it is held to something else than when it was last read */
#define SUMMED(end) (16u << (end)) /* a right checksum was seen */
#define LET_BE	    64		   /* TCP: what it said so far was nobody's to read */
#define TRIES_SHIFT 4		   /* UDP, without a session: datagrams that began nothing */
#define TRIES	    (-1u << TRIES_SHIFT)

/* What every packet looks at lies in two cache lines. */
struct session {
	struct talk *talk; /* NULL: not identified yet */
	bool midstream;
	bool awaited[2];  /* what the end says is passed over until a message begins */
	uint8_t lost : 2; /* bits: an end whose place nobody has shown, and nothing of it passed */
	uint8_t rest : 2; /* bits: an end that may begin amid a message that nobody here has read */
	uint8_t held : 1; /* when it was last read, an enforced rule said what may be said */
	uint8_t stuck : 3; /* how often in a row nobody could tell what a packet would bring */
	uint32_t kept[2];  /* what each end is saying that is kept; 0: nothing is */
	uint32_t opened_ms;
	struct stream stream; /* TCP's; of others there is none */
};
#define HOT(end) (offsetof(struct session, stream.half) + (end) * sizeof(struct stream_half))
_Static_assert(HOT(0) + offsetof(struct stream_half, ahead) == 64, "the first line");
_Static_assert(sizeof(struct session) <= 128, "both lines");
_Static_assert(sizeof(struct talk) + PROTO_STATE_MAX <= SLAB_MAX,
	       "every parser's state has a class");

struct sessions {
	struct session_options o;
	struct stream_pool pool;
	struct slab *slab; /* sessions and talks */
	struct session_counts counts;
	/* of the packet that is on */
	struct flow *flow;
	const struct packet *packet;
	unsigned sender;
	struct session_heard heard;
};

struct sessions *sessions_new(const struct session_options *o)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->o = *o;
	stream_pool_init(&s->pool, o->stream_bytes, o->stream_end);
	s->pool.reread = o->reread;
	s->pool.reread_arg = o->reread_arg;
	s->slab = slab_new();
	if (!s->slab) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	stream_pool_free(&s->pool);
	slab_free(s->slab);
	free(s);
}

static __attribute__((cold)) void lose(struct sessions *s, struct flow *f, unsigned end)
{
	struct session *n = f->session;
	const struct session_kept k = {.talk = n->talk, .flow = f, .end = end, .what = TALK_LOST};

	s->o.keep(s->o.arg, &k, &n->kept[end]);
	n->kept[end] = 0;
}

/* What is kept of an end will not be whole. */
static void lose_kept(struct sessions *s, struct flow *f, unsigned end)
{
	if (f->session->kept[end])
		lose(s, f, end);
}

static bool is_stream(const struct flow *f)
{
	return f->key.proto == PROTO_TCP;
}

static size_t session_size(const struct flow *f)
{
	return is_stream(f) ? sizeof(struct session) : offsetof(struct session, stream);
}

void session_end(struct sessions *s, struct flow *f)
{
	struct session *n = f->session;

	f->session_flags |= OFF;
	if (!n)
		return;
	lose_kept(s, f, 0);
	lose_kept(s, f, 1);
	if (is_stream(f))
		stream_free(&n->stream, &s->pool);
	if (n->talk) /* which is not in the cache any more */
		slab_give(s->slab, n->talk, talk_size(protos[f->proto - 1]));
	slab_give(s->slab, n, session_size(f));
	f->session = NULL;
}

void session_shut(struct sessions *s, struct flow *f)
{
	if (SLAB_OFF || s->o.keep || is_stream(f))
		session_end(s, f);
	f->session = NULL;
}

static uint32_t now_ms(const struct sessions *s)
{
	return (uint32_t)(s->packet->time_ns / 1000000);
}

/* Does a rule say what may be said here? */
static __attribute__((cold)) bool is_ruled(const struct sessions *s)
{
	return s->o.expected && s->o.expected(s->o.arg, s->flow);
}

static bool is_enforced(const struct sessions *s, const struct flow *f)
{
	return s->o.enforced && s->o.enforced(s->o.arg, f);
}

static __attribute__((cold)) bool is_orphaned(const struct sessions *s, const struct flow *f)
{
	return !(f->session_flags & LET_BE) && s->o.orphaned && s->o.orphaned(s->o.arg, f);
}

static struct session *open_session(struct sessions *s, struct flow *f)
{
	struct session *n = slab_take(s->slab, session_size(f));

	if (!n)
		return NULL;
	memset(n, 0, session_size(f));
	if (is_stream(f)) {
		stream_init(&n->stream, f);
		n->opened_ms = now_ms(s);
		if (is_enforced(s, f)) {
			stream_wait(&n->stream);
			n->lost = ~f->tcp_began & 3u;
			n->held = is_ruled(s);
			n->rest = n->lost && is_orphaned(s, f) ? n->lost : 0;
		}
		n->midstream = !f->tcp_began;
		s->counts.streams++;
	} else {
		n->midstream = s->o.answering && s->o.answering(s->o.arg, f);
	}
	f->session = n;
	return n;
}

/* The reason that goes furthest is the one that is told: a packet that is refused for itself may bring
 * the rest of a forbidden message all the same. Of two that go as far it is the first. */
static void object(struct sessions *s, enum reason why, enum session_scope scope)
{
	if (__builtin_expect(why == REASON_NONE, 1) ||
	    (s->heard.reason != REASON_NONE &&
	     (scope <= s->heard.scope || s->heard.scope >= SESSION_MESSAGE)))
		return;
	s->heard.reason = why;
	s->heard.scope = scope;
}

static __attribute__((cold)) void note(struct sessions *s, enum anomaly a)
{
	anomaly_set bit = 1ull << a;

	s->heard.fresh |= bit & ~s->flow->anomalies;
	s->flow->anomalies |= bit;
}

static void said(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	struct sessions *s = arg;
	const struct session_message message = {
		.proto = t->proto->speaks ? t->proto->speaks : t->proto,
		.msg = m,
		.packet = s->packet,
		.flow = s->flow,
		.end = in->end,
		.sender = s->sender,
		.strict = t->dead,
	};

	s->counts.messages += !m->ahead && !m->part;
	object(s, s->o.said(s->o.arg, &message), SESSION_MESSAGE);
}

/* Picked up in its middle, who serves is for the rule to say. */
static bool is_answering(const struct sessions *s, const struct session *n)
{
	return n && __builtin_expect(n->midstream, 0) && is_stream(s->flow) && s->o.answering &&
	       s->o.answering(s->o.arg, s->flow);
}

static struct proto_input input_of(const struct sessions *s, unsigned end, struct bytes data)
{
	const struct flow *f = s->flow;
	const struct session *n = f->session;
	bool datagram = f->key.proto == PROTO_UDP;

	return (struct proto_input){
		.data = data,
		.time_ns = s->packet->time_ns,
		.port = {f->key.port[f->starter], f->key.port[!f->starter]},
		.end = (uint8_t)end,
		.datagram = datagram,
		.midstream = n && n->midstream,
		.answering = is_answering(s, n),
		.last = n && !datagram && stream_ended(&n->stream, end),
		.alone = !f->packets[!end],
		.to_all = s->packet->has_mac && !s->packet->no_dst_mac
				  ? s->packet->dst_mac[0] & 1
				  : packet_ip_is_group(&s->packet->dst_ip),
	};
}

static uint8_t number_of(const struct proto *p)
{
	for (unsigned i = 0; protos[i]; i++)
		if (protos[i] == p)
			return (uint8_t)(i + 1);
	return 0;
}

static void keep(void *arg, const struct talk *t, unsigned end, enum talk_keep what,
		 struct bytes data)
{
	struct sessions *s = arg;
	struct session *n = s->flow->session;
	const struct session_kept k = {t, s->flow, end, what, data};

	if (what == TALK_BEGINS && n->kept[end])
		lose_kept(s, s->flow, end);
	if (what != TALK_BEGINS && !n->kept[end])
		return;
	s->o.keep(s->o.arg, &k, &n->kept[end]);
	if (what == TALK_ENDS)
		n->kept[end] = 0;
}

static bool start_talk(struct sessions *s, struct session *n, const struct proto *p)
{
	n->talk = slab_take(s->slab, talk_size(p));
	if (!n->talk)
		return false;
	talk_init(n->talk, p);
	n->talk->turns = true;
	if (s->o.keep) {
		n->talk->keep = keep;
		n->talk->keep_arg = s;
	}
	s->flow->proto = number_of(p);
	s->counts.talks++;
	return true;
}

/* May `is` be spoken where a rule names `p`? */
static bool suits(const struct proto *is, const struct proto *p)
{
	return p == is || p == is->speaks || p == is->leads_to;
}

/* What only looks as if it were encrypted is no rest of anything. */
static bool talk_suits(const struct talk *t, const struct proto *p)
{
	return suits(t->proto, p) || (t->proto->seals && t->began && protos[t->began - 1] == p);
}

/* Its protocol has just been known: that it should be another one need not wait for its first message. */
static void hold_to_rule(struct sessions *s, const struct session *n)
{
	const struct proto *p = s->o.expected ? s->o.expected(s->o.arg, s->flow) : NULL;

	if (p && !talk_suits(n->talk, p) && !n->midstream && s->o.unread)
		object(s, s->o.unread(s->o.arg, s->flow), SESSION_UNREAD);
}

/* What a rule names may begin as what carries it. */
static const struct proto *carried(const struct sessions *s, const struct proto *p)
{
	const struct proto *expected = p && s->o.expected ? s->o.expected(s->o.arg, s->flow) : NULL;

	return expected && expected->carrier == p ? expected : p;
}

/* What has been read is of one protocol, what follows of another. False where there is no room for it. */
static __attribute__((cold)) bool turn(struct sessions *s, struct session *n)
{
	const struct proto *p = n->talk->next;
	struct talk *next = slab_take(s->slab, talk_size(p));

	if (!next) {
		n->talk->dead = true;
		n->talk->next = NULL;
		object(s, REASON_STREAM_MEMORY, SESSION_UNSURE);
		return false;
	}
	talk_turn(next, n->talk);
	slab_give(s->slab, n->talk, talk_size(n->talk->proto));
	n->talk = next;
	s->flow->proto = number_of(p);
	s->counts.talks++;
	hold_to_rule(s, n);
	return true;
}

/* Streams */

/* May a message that was not read from its beginning on end ahead of this byte? */
static bool may_begin(const struct proto *p, const uint8_t *data, size_t i)
{
	return !i || p->framed || (p->lines && (data[i - 1] == '\n' || data[i - 1] == '\r'));
}

/* What is binary looks like a beginning soon: what follows has to hold as well. */
static enum parse try_at(const struct proto_input *at, const struct proto *expected)
{
	bool undecided = false;

	if (talk_identify_as(at, expected, &undecided))
		return expected->framed ? talk_try(at, expected) : PARSE_OK;
	return undecided ? PARSE_MORE : PARSE_BAD;
}

/*
 * The first place in what an end says, picked up in its middle, where that may begin what a rule expects: at
 * its front, behind the end of a line, or where frames hold. Bytes in front of it are passed over.
 */
static __attribute__((cold)) const struct proto *
seek(struct proto_input *in, const struct proto *expected, bool *ret_undecided, size_t *ret_passed)
{
	const struct bytes all = in->data;
	struct proto_input at = *in;
	enum parse got = PARSE_BAD;
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < all.len && got != PARSE_OK; i++) {
		size_t len = all.len - i < IDENTIFY_BYTES ? all.len - i : IDENTIFY_BYTES;

		if (!may_begin(expected, all.data, i))
			continue;
		at.data = (struct bytes){all.data + i, len};
		got = try_at(&at, expected);
		if (got == PARSE_OK || (got == PARSE_MORE && len < IDENTIFY_BYTES && found > i))
			found = i;
		if (got == PARSE_MORE && found == i && !expected->framed)
			break;
	}
	*ret_undecided = found != SIZE_MAX && got != PARSE_OK;
	if (found == SIZE_MAX)
		return NULL;
	in->data = (struct bytes){all.data + found, all.len - found};
	*ret_passed = found;
	return got == PARSE_OK ? expected : NULL;
}

/*
 * Who could have read how it began is gone: where that must be known, nothing more passes, nor anything
 * for as long as it may yet be a beginning.
 */
static __attribute__((cold)) void refuse_rest(struct sessions *s, struct session *n, unsigned end,
					      bool surely)
{
	if (!(n->rest & 1u << end))
		return;
	object(s, REASON_STREAM_UNVERIFIED, surely ? SESSION_BLIND : SESSION_UNSURE);
	if (surely)
		n->rest &= (uint8_t) ~(1u << end);
}

/* Nobody knows the protocol yet. True where the end's bytes may be read by a talk now, but for those that
 * it takes itself. */
static bool identify(struct sessions *s, struct session *n, struct proto_input *in,
		     size_t *ret_passed)
{
	struct flow *f = s->flow;
	const struct proto *p = NULL, *expected = NULL;
	bool undecided = false;

	if (!in->data.len || f->session_flags & FAILED(in->end))
		return false;
	if (!n->awaited[in->end])
		p = carried(s, talk_identify(in, &undecided));
	n->awaited[in->end] = false;
	if (s->o.expected)
		expected = s->o.expected(s->o.arg, f);
	/* The rest of a message may look like the beginning of anything. */
	if (p && expected && (!in->midstream || (suits(p, expected) && !p->framed)))
		expected = NULL;
	if (expected && in->midstream) {
		p = seek(in, expected, &undecided, ret_passed);
		if (*ret_passed || !p)
			refuse_rest(s, n, in->end, *ret_passed || !undecided);
	} else if (expected) {
		p = talk_identify_as(in, expected, &undecided);
	}
	if (p)
		return start_talk(s, n, p);
	if (undecided && !in->last && in->data.len < IDENTIFY_BYTES)
		return false;
	if (expected && in->midstream) {
		n->awaited[in->end] = true;
		return false;
	}
	f->session_flags |= (uint8_t)FAILED(in->end);
	if (s->o.unread && !in->midstream)
		object(s, s->o.unread(s->o.arg, f), SESSION_UNREAD);
	return false;
}

/* Nothing is known of the conversation any more, but where it stands. */
static void forget(struct sessions *s, struct session *n)
{
	lose_kept(s, s->flow, 0);
	lose_kept(s, s->flow, 1);
	if (n->talk)
		slab_give(s->slab, n->talk, talk_size(n->talk->proto));
	n->talk = NULL;
	n->awaited[0] = n->awaited[1] = false;
	s->flow->proto = 0;
	s->flow->session_flags &= (uint8_t) ~(FAILED(0) | FAILED(1));
}

/* Picked up in its middle, it was not what it looked like, or is not any more: what a rule expects is
 * looked for again. */
static __attribute__((cold)) void lose_thread(struct sessions *s, struct session *n, unsigned end)
{
	forget(s, n);
	n->awaited[end] = true;
	refuse_rest(s, n, end, true);
}

/* How many of the end's ready bytes are done with, and whether nobody looked at them. */
static size_t read_ready(struct sessions *s, struct session *n, struct proto_input *in,
			 bool *ret_blind)
{
	size_t used = 0;

	/* What may come again is kept, and so is, where somebody keeps it, what its receiver got. */
	*ret_blind = !n->awaited[in->end] || stream_is_proven(&n->stream, in->end);
	if (!n->talk)
		return s->flow->session_flags & FAILED(in->end) || n->awaited[in->end]
			       ? in->data.len
			       : 0;
	*ret_blind = !n->kept[in->end] &&
		     (stream_is_proven(&n->stream, in->end) || !s->flow->packets[!in->end]);
	if (n->talk->skip[in->end] >= in->data.len)
		return talk_pass(n->talk, in->end, in->data);
	*ret_blind = false;
	talk_read(n->talk, in, said, s, &used);
	if (__builtin_expect(n->talk->next != NULL, 0) && turn(s, n)) {
		struct proto_input rest = *in;
		bool blind;

		rest.data = (struct bytes){in->data.data + used, in->data.len - used};
		return used + read_ready(s, n, &rest, &blind);
	}
	if (!n->talk->dead)
		return used;
	if (in->midstream && s->heard.scope < SESSION_BLIND && is_ruled(s))
		lose_thread(s, n, in->end);
	return in->data.len;
}

static void read_end(struct sessions *s, struct session *n, unsigned end)
{
	struct proto_input in = input_of(s, end, stream_ready(&n->stream, s->packet, end));
	bool blind = false, fresh = !n->talk;
	size_t used = 0, passed = 0;

	if (fresh && identify(s, n, &in, &passed))
		read_end(s, n, !end); /* what it said before anybody knew the protocol */
	if (in.data.len)
		used = read_ready(s, n, &in, &blind);
	if (fresh && n->talk)
		hold_to_rule(s, n);
	if (in.last && n->talk) {
		struct proto_input rest = in;

		rest.data = used < in.data.len
				    ? (struct bytes){in.data.data + used, in.data.len - used}
				    : (struct bytes){NULL, 0};
		talk_close(n->talk, &rest, said, s);
	}
	if (stream_done(&n->stream, &s->pool, s->packet, end, passed + used, blind) < 0) {
		note(s, ANOMALY_STREAM_MEMORY);
		object(s, REASON_STREAM_MEMORY, SESSION_UNSURE);
		lose_kept(s, s->flow, end);
		if (n->talk)
			talk_gap(n->talk, end, 1);
	}
}

static __attribute__((cold)) void lost(struct sessions *s, struct session *n, unsigned end,
				       uint32_t missed)
{
	note(s, ANOMALY_STREAM_GAP);
	lose_kept(s, s->flow, end);
	if (missed == STREAM_ANEW)
		forget(s, n);
	if (n->talk)
		talk_gap(n->talk, end, missed);
	else
		n->midstream = true;
	if (n->talk && n->talk->dead && s->o.expected && s->o.expected(s->o.arg, s->flow))
		object(s, REASON_STREAM_UNVERIFIED, SESSION_BLIND);
	read_end(s, n, end);
}

/*
 * A packet that its receiver throws away for its checksum. An end whose sums never
 * held is one that a capture shows unfinished or under other addresses: it is
 * believed. What nobody reads is not summed up either.
 */
static bool is_corrupt(struct sessions *s, const struct session *n, unsigned end)
{
	const struct packet *p = s->packet;
	struct flow *f = s->flow;

	if (p->payload.len && n && n->talk && n->talk->skip[end] >= p->payload.len && !n->kept[end])
		return false;
	if (packet_sum_holds(p)) {
		f->session_flags |= (uint8_t)SUMMED(end);
		return false;
	}
	note(s, is_stream(f) ? ANOMALY_TCP_CHECKSUM : ANOMALY_UDP_CHECKSUM);
	return f->session_flags & SUMMED(end);
}

/*
 * Picked up in its middle, it may begin with bytes that its receiver has already: that one would read
 * something else than we do. It shows where it stands by what it confirms, for which it is asked; but
 * what it confirmed first may have been on its way before others arrived. Where it never answers, its
 * answers go another way.
 */
static __attribute__((cold)) bool must_be_shown(struct sessions *s, struct session *n, unsigned end)
{
	uint32_t waited = now_ms(s) - n->opened_ms;
	bool shown = waited >= SETTLE_MS && stream_is_proven(&n->stream, end);

	if (is_ruled(s) && !shown && (waited < ANSWER_MS || !stream_is_oneway(s->flow, end))) {
		s->heard.ask = true;
		return true;
	}
	n->lost &= (uint8_t) ~(1u << end);
	return false;
}

/* Until then an end stands where its receiver said last. */
static __attribute__((cold)) void find_place(struct session *n, const struct flow *f)
{
	for (unsigned end = 0; end < 2; end++)
		if (n->lost & 1u << end)
			stream_place(&n->stream, f, end);
}

/*
 * There is no memory to take it, or was none to keep what it repeats. Where such a packet does not pass, its
 * sender says it again, which may help; where it does not, the conversation ends rather than wait for good.
 */
static __attribute__((cold)) void refuse_unsure(struct sessions *s, struct session *n,
						enum reason why)
{
	n->stuck += n->stuck < STUCK;
	object(s, why, n->stuck < STUCK ? SESSION_UNSURE : SESSION_BLIND);
}

static void take(struct sessions *s, struct session *n, unsigned end)
{
	if (__builtin_expect(n->lost & 1u << end, 0) && must_be_shown(s, n, end)) {
		object(s, REASON_STREAM_PICKED_UP, SESSION_PACKET);
		return;
	}
	/* Refused for its urgent byte, it brings its receiver nothing. */
	if (__builtin_expect(s->heard.scope == SESSION_PACKET, 0) && stream_waits(&n->stream))
		return;
	switch (stream_take(&n->stream, &s->pool, s->flow, s->packet, end)) {
	case STREAM_CONFLICT:
		note(s, ANOMALY_STREAM_CONFLICT);
		object(s, REASON_STREAM_CONFLICT, SESSION_PACKET);
		if (stream_waits(&n->stream))
			return;
		break;
	case STREAM_UNVERIFIED:
		refuse_unsure(s, n, REASON_STREAM_UNVERIFIED);
		break;
	case STREAM_UNPROVEN:
		if (is_ruled(s))
			object(s, REASON_STREAM_UNVERIFIED, SESSION_PACKET);
		break;
	case STREAM_STUCK:
		if (is_ruled(s))
			object(s, REASON_STREAM_UNVERIFIED, SESSION_UNREAD);
		break;
	case STREAM_LATER:
		object(s, REASON_STREAM_MEMORY, SESSION_PACKET);
		return;
	case STREAM_FULL:
		note(s, ANOMALY_STREAM_MEMORY);
		/* What runs ahead comes again once the hole is filled, and can be taken then. */
		if (is_ruled(s) && s->heard.stood != s->packet->tcp_seq)
			object(s, REASON_STREAM_MEMORY, SESSION_PACKET);
		else
			refuse_unsure(s, n, REASON_STREAM_MEMORY);
		return;
	case STREAM_OUTSIDE:
		note(s, ANOMALY_STREAM_OUTSIDE);
		object(s, REASON_STREAM_OUTSIDE, SESSION_PACKET);
		return;
	case STREAM_REPEATED:
		if (__builtin_expect(n->rest & 1u << end, 0) && !n->talk)
			refuse_rest(s, n, end, false);
		return;
	case STREAM_TAKEN:
		if (__builtin_expect(n->stuck, 0))
			n->stuck = 0;
		break;
	}
	read_end(s, n, end);
}

static bool is_within(const struct session *n, unsigned end)
{
	const struct talk *t = n->talk;

	if (n->stream.half[end].read != n->stream.half[end].next)
		return true;
	return t && !t->dead &&
	       ((t->skip[end] && t->skip[end] < UINT64_MAX / 2) ||
		(t->proto->amid && t->proto->amid(t->state, end)));
}

bool session_is_amid(const struct flow *f)
{
	const struct session *n = f->session;

	return n && is_stream(f) && (is_within(n, 0) || is_within(n, 1));
}

/* What is kept is moved an eighth of it at a time: so much may be confirmed and still be there. */
void session_clamp(struct sessions *s, const struct flow *f, const struct packet *p, unsigned end)
{
	const struct session *n = f->session;

	if (n && !(f->session_flags & OFF) && p->proto == PROTO_TCP && !p->fragment &&
	    stream_waits(&n->stream))
		tcp_clamp_window(f, p, end, s->o.stream_end - s->o.stream_end / 8);
}

/* Nothing can come of it any more: both ends have what the other said, to its end. */
static bool is_over(const struct session *n, const struct flow *f)
{
	unsigned failed = FAILED(0) | FAILED(1);

	if (f->state == TCP_CLOSED && stream_is_over(&n->stream, f))
		return true;
	if (n->talk)
		return n->talk->dead &&
		       (!stream_waits(&n->stream) || stream_is_settled(&n->stream));
	/* One end unknown and the other silent: most speak by turns, so the other's turn counts. */
	return (f->session_flags & failed) == failed ||
	       ((f->session_flags & failed) && (f->state == TCP_CLOSED || f->state == TCP_RESET));
}

/* Telnet's data mark, or the byte before it, which some set the pointer to (RFC 959 §4.1.3). */
static bool is_mark(const struct packet *p)
{
	const uint8_t *at = p->tcp_options.data; /* right behind it */
	size_t pointer = at ? (size_t)(at[-2] << 8 | at[-1]) : 0;
	uint8_t urgent = pointer && pointer <= p->payload.len ? p->payload.data[pointer - 1] : 0;

	return urgent == 0xf2 || urgent == 0xff;
}

/*
 * A byte that is urgent is not in what most receivers read: with it they read something else than we
 * do. The pointer alone says which, ahead of it as well, and in a segment that is empty (RFC 6093 §2.2).
 */
static __attribute__((cold)) void hear_urgent(struct sessions *s, const struct session *n,
					      const struct packet *p)
{
	const struct proto *expected = s->o.expected ? s->o.expected(s->o.arg, s->flow) : NULL;
	const struct proto *spoken = n && n->talk ? n->talk->proto : expected;

	if (!spoken || (spoken->urgent && (!expected || is_mark(p))))
		return;
	note(s, ANOMALY_STREAM_URGENT);
	object(s, REASON_STREAM_URGENT, SESSION_PACKET);
}

static bool is_beginning(const struct flow *f)
{
	return f->state == TCP_SYN_SENT || f->state == TCP_SYN_RECV;
}

/*
 * No receiver takes what comes with a reset, nor what comes with a SYN once hands were shaken (RFC 9293
 * §3.10.7.4). The reset goes on all the same; of a SYN nobody knows what a machine that has just begun
 * anew would make.
 */
static __attribute__((cold)) bool is_void(struct sessions *s, const struct flow *f,
					  const struct packet *p)
{
	bool syn = p->tcp_flags & TCP_SYN && !is_beginning(f);

	if (syn && p->payload.len)
		object(s, REASON_STREAM_OUTSIDE, SESSION_PACKET);
	return syn || p->tcp_flags & TCP_RST;
}

/*
 * Where an end begins must not be in doubt. It may show several numbers and bytes with each, and what is
 * said from the one on is another message than from the other on. So of those that it shows one is
 * answered, and bytes wait until that is: their sender says them again then, at the latest after a
 * second (RFC 7413 §4.1.3). True where the packet does not pass.
 */
static __attribute__((cold)) bool hear_syn(struct sessions *s, const struct flow *f,
					   const struct packet *p, unsigned end)
{
	bool another = tcp_answers_another(f, p, end);
	struct session *n = f->session;

	if (!is_ruled(s) || !is_enforced(s, f))
		return false;
	tcp_one_path(p);
	if (!another && !(p->payload.len && is_beginning(f)))
		return false;
	if (another && n) { /* and what its receiver has been told is none of that conversation's */
		stream_begin_anew(&n->stream, &s->pool, !end, p->tcp_ack);
		forget(s, n);
	}
	object(s, another ? REASON_STREAM_OUTSIDE : REASON_STREAM_UNVERIFIED, SESSION_PACKET);
	return true;
}

static void hear_stream(struct sessions *s, struct flow *f, const struct packet *p, unsigned end)
{
	struct session *n = f->session;
	uint32_t missed;

	if (__builtin_expect(p->tcp_flags & TCP_SYN, 0) && hear_syn(s, f, p, end))
		return;
	if (__builtin_expect(p->tcp_flags & TCP_URG, 0))
		hear_urgent(s, n, p);
	if (!n && p->tcp_flags & TCP_SYN)
		is_corrupt(s, n, end); /* what the end's sums are worth */
	if (!n && !p->payload.len)
		return;
	if (__builtin_expect(p->payload_wire > p->payload.len,
			     0)) { /* the capture cut it: no stream can be had */
		session_end(s, f);
		return;
	}
	if (!n && !(n = open_session(s, f)))
		return;
	if (__builtin_expect(is_corrupt(s, n, end), 0)) {
		object(s, REASON_STREAM_CHECKSUM, SESSION_PACKET);
		return;
	}
	if (__builtin_expect(n->lost, 0))
		find_place(n, f);
	while ((missed = stream_confirm(&n->stream, &s->pool, p, end)))
		lost(s, n, !end, missed);
	s->heard.stood = stream_next(&n->stream, p, end);
	missed =
		stream_presume(&n->stream, &s->pool, f, p, end,
			       stream_is_oneway(f, end) && stream_waits(&n->stream) && is_ruled(s));
	if (missed)
		lost(s, n, end, missed);
	if ((p->payload.len || p->tcp_flags & TCP_FIN) &&
	    (__builtin_expect(!(p->tcp_flags & (TCP_RST | TCP_SYN)), 1) || !is_void(s, f, p)))
		take(s, n, end);
	if (is_over(n, f))
		session_end(s, f);
}

/* Datagrams */

static void hear_datagram(struct sessions *s, struct flow *f, const struct packet *p, unsigned end)
{
	struct session *n = f->session;
	struct proto_input in = input_of(s, end, p->payload);
	const struct proto *proto;
	bool undecided, fresh = !n;
	size_t used;

	if (!p->payload.len || p->payload_wire > p->payload.len)
		return;
	if (!n) {
		proto = talk_identify(&in, &undecided);
		if (!proto) {
			if (s->o.unread)
				object(s, s->o.unread(s->o.arg, f), SESSION_UNREAD);
			f->session_flags += 1u << TRIES_SHIFT;
			if (f->session_flags >> TRIES_SHIFT >= 2 * IDENTIFY_TRIES)
				session_end(s, f);
			return;
		}
		n = open_session(s, f);
		if (!n || !start_talk(s, n, proto)) {
			session_end(s, f);
			return;
		}
		f->session_flags &= (uint8_t)~TRIES;
		in.midstream = n->midstream;
	}
	n->talk->dead = false; /* each stands for itself */
	n->talk->skip[end] = 0;
	if (!fresh && is_corrupt(s, n, end)) {
		object(s, REASON_STREAM_CHECKSUM, SESSION_PACKET);
		return;
	}
	talk_read(n->talk, &in, said, s, &used);
	if (fresh)
		hold_to_rule(s, n);
}

/* Most conversations are read by nobody after their first words: nothing is fetched for those. */
static bool is_read(const struct flow *f)
{
	return f && !(f->session_flags & OFF);
}

void session_prefetch(const struct flow *f)
{
	const char *n = is_read(f) ? (const char *)f->session : NULL;

	if (!n)
		return;
	__builtin_prefetch(n, 1);
	__builtin_prefetch(n + HOT(1), 1);
	__builtin_prefetch(&f->id); /* what is said of it says which it is */
}

void session_prefetch_talk(const struct flow *f)
{
	const struct session *n = is_read(f) ? f->session : NULL;
	const char *talk = n ? (const char *)n->talk : NULL;

	if (!talk)
		return;
	__builtin_prefetch(talk, 1);
	__builtin_prefetch(talk + 64, 1);
	__builtin_prefetch(talk + 128, 1);
	__builtin_prefetch(talk + 192, 1);
	if (!is_stream(f))
		return;
	for (unsigned end = 0; end < 2; end++) {
		const struct stream_half *h = &n->stream.half[end];

		if (h->buf && h->read != h->next) /* else nobody will look at it */
			__builtin_prefetch(h->buf, 1);
	}
}

/* What carries anything, another packet too, is read by nobody: a rule that says what may be said lets
 * none of it pass but word of an error, which is not said by either end. */
static __attribute__((cold)) void hear_other(struct sessions *s, struct flow *f,
					     const struct packet *p)
{
	if (!p->embedded.data && s->o.unread)
		object(s, s->o.unread(s->o.arg, f), SESSION_UNREAD);
}

void session_changed(struct flow *f)
{
	f->session_flags |= CHANGED;
}

/* What nobody cared to read may be somebody's business now: it is picked up in its middle. */
static void read_again(struct flow *f)
{
	unsigned unread = OFF | (is_stream(f) ? FAILED(0) | FAILED(1) : TRIES);

	if (f->session && f->session_flags & unread)
		f->session->midstream = true;
	if (f->session_flags & OFF)
		f->tcp_began = 0;
	f->session_flags &= (uint8_t)~unread;
	if (is_stream(f))
		f->session_flags |= LET_BE;
}

/* The protocol that it speaks need not be its rule's any more. */
static void hold_talk(struct sessions *s, struct session *n)
{
	const struct proto *p = s->o.expected ? s->o.expected(s->o.arg, s->flow) : NULL;
	const struct proto *is = n->talk->proto;

	if (!p || talk_suits(n->talk, p))
		return;
	if (!n->midstream && p->carrier != is) {
		hold_to_rule(s, n);
		return;
	}
	forget(s, n);
	n->midstream = true;
}

static __attribute__((cold)) void hold_anew(struct sessions *s, struct flow *f)
{
	struct session *n = f->session;

	f->session_flags &= (uint8_t)~CHANGED;
	if (!n || !n->talk)
		read_again(f);
	if (!n)
		return;
	if (is_stream(f)) {
		n->held = is_enforced(s, f) && is_ruled(s);
		if (is_enforced(s, f) && !stream_waits(&n->stream))
			stream_wait(&n->stream);
	}
	if (n->talk)
		hold_talk(s, n);
}

static bool is_heard(struct sessions *s, struct flow *f)
{
	if (f->session_flags & CHANGED)
		hold_anew(s, f);
	return !(f->session_flags & OFF);
}

bool session_is_held(const struct flow *f)
{
	return f->session && is_stream(f) && f->session->held;
}

struct session_heard session_hear(struct sessions *s, struct flow *f, const struct packet *p,
				  unsigned end)
{
	s->flow = f;
	s->packet = p;
	s->sender = end;
	s->heard = (struct session_heard){.reason = REASON_NONE};
	if (f->session_flags & (OFF | CHANGED) && !is_heard(s, f))
		return s->heard;
	if (p->fragment)
		return s->heard;
	if (p->proto == PROTO_TCP)
		hear_stream(s, f, p, end);
	else if (p->proto == PROTO_UDP)
		hear_datagram(s, f, p, end);
	else
		hear_other(s, f, p);
	return s->heard;
}

bool session_is_through(const struct flow *f)
{
	const struct session *n = f->session;

	if (f->session_flags & OFF)
		return !f->proto; /* one that broke its protocol is looked at all the same */
	return n && is_stream(f) && n->talk && !n->kept[0] && !n->kept[1] &&
	       n->talk->skip[0] > UINT64_MAX / 2 && n->talk->skip[1] > UINT64_MAX / 2;
}

bool session_expects(const struct flow *f, unsigned end, uint32_t *ret_seq)
{
	if (!f->session || !is_stream(f))
		return false;
	*ret_seq = f->session->stream.half[end].acked;
	return true;
}

void session_counts(const struct sessions *s, struct session_counts *ret_counts)
{
	*ret_counts = s->counts;
	ret_counts->held_bytes = s->pool.used;
	ret_counts->refused = s->pool.refused;
}
