#include "guard/session.h"

#include <errno.h>
#include <stdlib.h>

#include "guard/flow/tcp.h"
#include "guard/session_inside.h"
#include "guard/speech.h"

#define IDENTIFY_TRIES 4    /* datagrams of an end */
#define ANSWER_MS      2000 /* in which an end says where it stands, if its packets come by here */
#define SETTLE_MS      150 /* in which all that was on its way has arrived, and has been confirmed */

#define STUCK 7 /* packets: some half a minute of a sender who waits twice as long each time */

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
	speech_lose_kept(s, f, 0);
	speech_lose_kept(s, f, 1);
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

static bool is_enforced(const struct sessions *s, const struct flow *f)
{
	return s->o.enforced(s->o.arg, f);
}

static __attribute__((cold)) bool is_orphaned(const struct sessions *s, const struct flow *f)
{
	return !(f->session_flags & LET_BE) && s->o.orphaned(s->o.arg, f);
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
		n->midstream = s->o.answering(s->o.arg, f);
	}
	f->session = n;
	return n;
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
			speech_refuse_rest(s, n, end, false);
		return;
	case STREAM_TAKEN:
		if (__builtin_expect(n->stuck, 0))
			n->stuck = 0;
		break;
	}
	speech_read(s, n, end);
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

	if (n && p->proto == PROTO_TCP && !p->fragment && stream_waits(&n->stream))
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
	const struct proto *expected = s->o.expected(s->o.arg, s->flow);
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
		speech_forget(s, n);
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
		speech_lost(s, n, !end, missed);
	s->heard.stood = stream_next(&n->stream, p, end);
	missed =
		stream_presume(&n->stream, &s->pool, f, p, end,
			       stream_is_oneway(f, end) && stream_waits(&n->stream) && is_ruled(s));
	if (missed)
		speech_lost(s, n, end, missed);
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
	struct proto_input in = speech_input(s, end, p->payload);
	const struct proto *proto;
	bool undecided, fresh = !n;

	if (!p->payload.len || p->payload_wire > p->payload.len)
		return;
	if (!n) {
		proto = talk_identify(&in, &undecided);
		if (!proto) {
			object(s, s->o.unread(s->o.arg, f), SESSION_UNREAD);
			f->session_flags += 1u << TRIES_SHIFT;
			if (f->session_flags >> TRIES_SHIFT >= 2 * IDENTIFY_TRIES)
				session_end(s, f);
			return;
		}
		n = open_session(s, f);
		if (!n || !speech_start(s, n, proto)) {
			session_end(s, f);
			return;
		}
		f->session_flags &= (uint8_t)~TRIES;
		in.midstream = n->midstream;
	}
	n->talk->skip[end] = 0; /* each stands for itself */
	if (!fresh && is_corrupt(s, n, end)) {
		object(s, REASON_STREAM_CHECKSUM, SESSION_PACKET);
		return;
	}
	speech_datagram(s, n, &in, fresh);
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
	if (!p->embedded.data)
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
		speech_hold(s, n);
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
