#include "guard/speech.h"

#define IDENTIFY_BYTES 2048 /* of an end that may stay undecided */

static __attribute__((cold)) void lose(struct sessions *s, struct flow *f, unsigned end)
{
	struct session *n = f->session;
	const struct session_kept k = {.talk = n->talk, .flow = f, .end = end, .what = TALK_LOST};

	s->o.keep(s->o.arg, &k, &n->kept[end]);
	n->kept[end] = 0;
}

void speech_lose_kept(struct sessions *s, struct flow *f, unsigned end)
{
	if (f->session->kept[end])
		lose(s, f, end);
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
	return n && __builtin_expect(n->midstream, 0) && is_stream(s->flow) &&
	       s->o.answering(s->o.arg, s->flow);
}

struct proto_input speech_input(const struct sessions *s, unsigned end, struct bytes data)
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

	if (what == TALK_BEGINS)
		speech_lose_kept(s, s->flow, end);
	if (what != TALK_BEGINS && !n->kept[end])
		return;
	s->o.keep(s->o.arg, &k, &n->kept[end]);
	if (what == TALK_ENDS)
		n->kept[end] = 0;
}

bool speech_start(struct sessions *s, struct session *n, const struct proto *p)
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
	const struct proto *p = s->o.expected(s->o.arg, s->flow);

	if (p && !talk_suits(n->talk, p) && !n->midstream)
		object(s, s->o.unread(s->o.arg, s->flow), SESSION_UNREAD);
}

/* What a rule names may begin as what carries it. */
static const struct proto *carried(const struct sessions *s, const struct proto *p)
{
	const struct proto *expected = p ? s->o.expected(s->o.arg, s->flow) : NULL;

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
void speech_refuse_rest(struct sessions *s, struct session *n, unsigned end, bool surely)
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
	const struct proto *p = NULL, *expected;
	bool undecided = false;

	if (!in->data.len || f->session_flags & FAILED(in->end))
		return false;
	if (!n->awaited[in->end])
		p = carried(s, talk_identify(in, &undecided));
	n->awaited[in->end] = false;
	expected = s->o.expected(s->o.arg, f);
	/* The rest of a message may look like the beginning of anything. */
	if (p && expected && (!in->midstream || (suits(p, expected) && !p->framed)))
		expected = NULL;
	if (expected && in->midstream) {
		p = seek(in, expected, &undecided, ret_passed);
		if (*ret_passed || !p)
			speech_refuse_rest(s, n, in->end, *ret_passed || !undecided);
	} else if (expected) {
		p = talk_identify_as(in, expected, &undecided);
	}
	if (p)
		return speech_start(s, n, p);
	if (undecided && !in->last && in->data.len < IDENTIFY_BYTES)
		return false;
	if (expected && in->midstream) {
		n->awaited[in->end] = true;
		return false;
	}
	f->session_flags |= (uint8_t)FAILED(in->end);
	if (!in->midstream)
		object(s, s->o.unread(s->o.arg, f), SESSION_UNREAD);
	return false;
}

void speech_forget(struct sessions *s, struct session *n)
{
	speech_lose_kept(s, s->flow, 0);
	speech_lose_kept(s, s->flow, 1);
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
	speech_forget(s, n);
	n->awaited[end] = true;
	speech_refuse_rest(s, n, end, true);
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

/* Of an end that began it, what came before this packet was said before the other end spoke. How many
 * bytes of that are done with. */
static size_t read_earlier(struct sessions *s, struct session *n, const struct proto_input *in)
{
	struct proto_input earlier = *in;
	bool blind;

	if (in->midstream || in->end || in->data.len <= s->packet->payload.len)
		return 0;
	earlier.data.len -= s->packet->payload.len;
	earlier.last = false;
	return read_ready(s, n, &earlier, &blind);
}

void speech_read(struct sessions *s, struct session *n, unsigned end)
{
	struct proto_input in = speech_input(s, end, stream_ready(&n->stream, s->packet, end));
	bool blind = false, fresh = !n->talk;
	size_t used = 0, passed = 0;

	if (fresh && identify(s, n, &in, &passed)) {
		passed += used = read_earlier(s, n, &in);
		in.data = (struct bytes){in.data.data + used, in.data.len - used};
		used = 0;
		speech_read(s, n, !end); /* what it said before anybody knew the protocol */
	}
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
		speech_lose_kept(s, s->flow, end);
		if (n->talk)
			talk_gap(n->talk, end, 1);
	}
}

void speech_lost(struct sessions *s, struct session *n, unsigned end, uint32_t missed)
{
	note(s, ANOMALY_STREAM_GAP);
	speech_lose_kept(s, s->flow, end);
	if (missed == STREAM_ANEW)
		speech_forget(s, n);
	if (n->talk)
		talk_gap(n->talk, end, missed);
	else
		n->midstream = true;
	if (n->talk && n->talk->dead && is_ruled(s))
		object(s, REASON_STREAM_UNVERIFIED, SESSION_BLIND);
	speech_read(s, n, end);
}

void speech_hold(struct sessions *s, struct session *n)
{
	const struct proto *p = s->o.expected(s->o.arg, s->flow);
	const struct proto *is = n->talk->proto;

	if (!p || talk_suits(n->talk, p))
		return;
	if (!n->midstream && p->carrier != is) {
		hold_to_rule(s, n);
		return;
	}
	speech_forget(s, n);
	n->midstream = true;
}

void speech_datagram(struct sessions *s, struct session *n, struct proto_input *in, bool fresh)
{
	size_t used;

	n->talk->dead = false;
	talk_read(n->talk, in, said, s, &used);
	if (fresh)
		hold_to_rule(s, n);
}
