#include "guard/proto/bacnet.h"

#include <stdio.h>

#include "guard/proto/bacnet_names.h"

#define VERSION	    1
#define BVLC	    0x81
#define NETWORK	    0x80 /* of the NPDU's control byte */
#define HAS_DEST    0x20
#define HAS_SOURCE  0x08
#define RESERVED    0x50
#define SEGMENTED   0x08
#define MORE	    0x04
#define PROPRIETARY 0x80

struct tag {
	uint8_t number;
	bool context, opens, closes;
	struct bytes value;
};

/* §20.2.1: what stands before a tag's value, and how long that is. Bad where it does not fit. */
static struct tag read_tag_head(struct reader *r, size_t *ret_len)
{
	uint8_t head = read_u8(r), kind = head & 7;
	struct tag t = {.number = head >> 4, .context = head & 8};

	*ret_len = 0;
	if (t.number == 15)
		t.number = read_u8(r);
	t.opens = t.context && kind == 6;
	t.closes = t.context && kind == 7;
	if (t.opens || t.closes)
		return t;
	if (!t.context && t.number == 1)
		return t; /* a boolean's value is in its length */
	*ret_len = kind;
	if (kind == 5) {
		*ret_len = read_u8(r);
		if (*ret_len == 254)
			*ret_len = read_be16(r);
		else if (*ret_len == 255)
			*ret_len = read_be32(r);
	} else if (kind > 5) {
		r->bad = true;
	}
	return t;
}

/* The next tag with its value. */
static struct tag read_tag(struct reader *r)
{
	size_t len;
	struct tag t = read_tag_head(r, &len);

	t.value = read_bytes(r, len);
	return t;
}

static uint32_t number_of(struct tag t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t.value.len && i < 4; i++)
		n = n << 8 | t.value.data[i];
	return n;
}

static struct bytes name_or_number(const char *name, uint32_t number, char text[12])
{
	if (!name) {
		snprintf(text, 12, "%u", number);
		name = text;
	}
	return (struct bytes){(const uint8_t *)name, strlen(name)};
}

/* §20.2.14: ten bits of a type, 22 of an instance. */
static void take_object(struct bacnet *m, struct tag t)
{
	uint32_t id = number_of(t);

	m->has_object = true;
	m->object_type = (uint16_t)(id >> 22);
	m->instance = id & 0x3fffff;
	m->object_type_text =
		name_or_number(bacnet_object_name(m->object_type), m->object_type, m->numbers[0]);
}

static void take_property(struct bacnet *m, struct tag t)
{
	m->has_property = true;
	m->property = number_of(t);
	m->property_text =
		name_or_number(bacnet_property_name(m->property), m->property, m->numbers[1]);
}

/* Does the tag follow the grammar where it stands? Pairs are counted. */
#define DEPTH_MAX 7
static bool fits(struct tag t, uint8_t *depth)
{
	if ((t.opens && *depth == DEPTH_MAX) || (t.closes && !*depth) ||
	    (!*depth && (!t.context || t.number > 1)))
		return false;
	*depth = (uint8_t)(*depth + t.opens - t.closes);
	return *depth || t.closes || (!t.number && t.value.len == 4);
}

/*
 * §15.7, §15.10: objects, each with what is asked of it, or written, within a pair of tags. The next
 * object or property. *at is 0 at first, then a place behind 1 and how deep in pairs it is.
 */
static bool next_item(const struct bacnet *m, size_t *at, bool *ret_object, struct tag *ret_t)
{
	size_t from = *at ? *at / (DEPTH_MAX + 1) - 1 : 0;
	struct reader r = {.in = m->several, .off = from};
	uint8_t depth = *at ? *at % (DEPTH_MAX + 1) : m->depth;
	bool joint = !*at && m->joint_len;

	while (joint || reader_left(&r)) {
		struct reader first = reader_new(m->joint, m->joint_len);
		struct tag t = read_tag(joint ? &first : &r);

		joint = false;
		if (r.bad || !fits(t, &depth))
			return false;
		*ret_object = !depth && !t.closes;
		*ret_t = t;
		*at = (r.off + 1) * (DEPTH_MAX + 1) + depth;
		if (*ret_object || (depth == 1 && !t.opens && !t.closes && t.context &&
				    t.number == m->property_tag && t.value.len && t.value.len < 5))
			return true;
	}
	return false;
}

static void take_names(struct bacnet *m)
{
	size_t at = 0;
	struct tag t;
	bool object;

	while (next_item(m, &at, &object, &t)) {
		if (object && !m->has_object)
			take_object(m, t);
		else if (!object && !m->has_property)
			take_property(m, t);
	}
}

/* All of it, so that nothing is left that was not understood. */
static void read_several(struct reader *r, struct bacnet *m, bool answer)
{
	struct reader whole;
	uint8_t depth = 0;

	m->property_tag = answer ? 2 : 0;
	m->several = read_bytes(r, reader_left(r));
	take_names(m);
	whole = reader_new(m->several.data, m->several.len);
	while (reader_left(&whole))
		if (!fits(read_tag(&whole), &depth) || whole.bad)
			r->bad = true;
	if (!m->has_object || depth)
		r->bad = true;
}

/* Of a name's field, the next value: an object's type, or a property. */
static struct bytes next_name(const struct msg *msg, size_t *at, bool types)
{
	struct bacnet *m = (struct bacnet *)(uintptr_t)msg; /* for `numbers` */
	struct bytes one = types ? m->object_type_text : m->property_text;
	struct tag t;
	bool object;

	if (!m->several.data && !m->joint_len) {
		if ((*at)++)
			one.data = NULL;
		return one;
	}
	while (next_item(m, at, &object, &t)) {
		uint32_t n = number_of(t);

		if (object && types)
			return name_or_number(bacnet_object_name(n >> 22), n >> 22, m->numbers[0]);
		if (!object && !types)
			return name_or_number(bacnet_property_name(n), n, m->numbers[1]);
	}
	return (struct bytes){NULL, 0};
}

static struct bytes next_object_type(const struct msg *m, size_t *at)
{
	return next_name(m, at, true);
}

static struct bytes next_property(const struct msg *m, size_t *at)
{
	return next_name(m, at, false);
}

/* Object, property and index. */
static void read_names(struct reader *r, struct bacnet *m)
{
	struct tag t = read_tag(r);

	if (!t.context || t.number || t.value.len != 4) {
		r->bad = true;
		return;
	}
	take_object(m, t);
	if (!reader_left(r))
		return;
	t = read_tag(r);
	if (r->bad || !t.context || t.number != 1 || !t.value.len || t.value.len > 4) {
		r->bad = true;
		return;
	}
	take_property(m, t);
	if (!reader_left(r))
		return;
	t = read_tag(r);
	if (t.context && t.number == 2 && !t.opens && !t.closes) {
		m->has_index = true;
		m->array_index = number_of(t);
	}
}

/* Nothing is known of what it names: like no pattern. */
static void unname(struct bacnet *m)
{
	m->unnamed = true;
	m->object_type_text = m->property_text = (struct bytes){(const uint8_t *)"", 0};
}

/* The parameter `n` of a service; of SubscribeCOVProperty (§13.15) also the property, within its fifth.
 * Where there is none, as LifeSafetyOperation (§13.13) leaves out which, it is all of them. */
static void find_object(struct reader *r, struct bacnet *m, uint8_t n, bool property)
{
	uint8_t depth = 0, within = 0;

	while (reader_left(r) && !r->bad && (property || !m->has_object)) {
		struct tag t = read_tag(r);

		if (t.opens && !depth++)
			within = t.number;
		else if (t.closes && !depth--)
			r->bad = true;
		else if (!depth && t.context && t.number == n && t.value.len == 4)
			take_object(m, t);
		else if (depth == 1 && property && within == 4 && !t.number && t.value.len)
			take_property(m, t);
	}
	if (!m->has_object)
		unname(m);
}

/* §15.3: of an object that is to be, what it is to be. */
static void read_new(struct reader *r, struct bacnet *m)
{
	struct tag pair = read_tag(r), t = read_tag(r);

	if (!pair.opens || !t.context || t.number > 1 || !t.value.len || t.value.len > 4) {
		r->bad = true;
	} else if (t.number) {
		take_object(m, t);
	} else {
		m->object_type = (uint16_t)number_of(t);
		m->object_type_text = name_or_number(bacnet_object_name(m->object_type),
						     m->object_type, m->numbers[0]);
	}
}

static void read_first(struct reader *r, struct bacnet *m)
{
	struct tag t = read_tag(r);

	if (t.context || t.number != 12 || t.value.len != 4)
		r->bad = true;
	else
		take_object(m, t);
}

/* What a service is about. */
static void read_about(struct reader *r, struct bacnet *m, const struct bacnet_service *s,
		       bool property)
{
	switch (s->about) {
	case BACNET_ABOUT_NONE:
		break;
	case BACNET_ABOUT_NAMES:
		read_names(r, m);
		break;
	case BACNET_ABOUT_FIRST:
		read_first(r, m);
		break;
	case BACNET_ABOUT_NEW:
		read_new(r, m);
		break;
	case BACNET_ABOUT_MANY:
		unname(m);
		break;
	default:
		find_object(r, m, s->about - BACNET_ABOUT_TAG, property);
		break;
	}
}

/* What is to be done, and whether there is a password to it (§16.1, §16.4). */
static void read_command(struct reader *r, struct bacnet *m, uint8_t service)
{
	uint8_t what = service == BACNET_DCC, secret = service == BACNET_DCC ? 2 : 1;

	while (reader_left(r)) {
		struct tag t = read_tag(r);
		uint32_t n = number_of(t);

		if (!t.context || t.opens || t.closes)
			r->bad = true;
		else if (t.number == secret)
			m->password = true;
		else if (t.number == what)
			m->state = service == BACNET_DCC ? bacnet_enabling_name(n)
							 : bacnet_reinitialized_name(n);
	}
}

/*
 * §5.4: a service's parameters, cut into segments anywhere. They are read as they come: of what is
 * before, no more is kept than where in the tags the next segment goes on, and that for as many as
 * a sender may have to say again.
 */
#define UNDER_WAY 2 /* services under way at once in a conversation, of each end together */
#define AGAIN	  16
#define GIVEN_UP  (10 * 1000000000ull) /* ns after which a number begins another service */
#define CUT_MAX	  (2 + 5 + 4)	       /* of a tag that names something */

struct place {
	uint32_t skip; /* bytes of a value that go on */
	uint8_t depth;
	uint8_t cut_len;
	uint8_t cut[CUT_MAX + 1]; /* the front of a tag */
};

struct transaction {
	uint64_t time_ns;
	uint16_t snet, dnet;
	uint8_t end, invoke_id, choice;
	bool answer, known, done;
	uint8_t next;		    /* the number that is awaited */
	uint8_t kept;		    /* of the places before, how many are known */
	struct place before[AGAIN]; /* segment n, at n % AGAIN */
	struct place now;	    /* before `next` */
};

struct state {
	struct transaction under_way[UNDER_WAY];
	uint8_t last;
	bool asked[2]; /* the end sent something that is no answer */
};

static struct transaction *find_transaction(struct state *st, const struct proto_input *in,
					    const struct bacnet *m, bool answer)
{
	for (unsigned i = 0; i < UNDER_WAY; i++) {
		struct transaction *t = &st->under_way[i];

		if (t->known && t->end == in->end && t->invoke_id == m->invoke_id &&
		    t->answer == answer && t->snet == m->snet && t->dnet == m->dnet)
			return t;
	}
	return NULL;
}

static struct transaction *begin_transaction(struct state *st, const struct proto_input *in,
					     const struct bacnet *m, bool answer, uint8_t choice)
{
	struct transaction *t = find_transaction(st, in, m, answer);

	if (!t) {
		st->last = (uint8_t)((st->last + 1) % UNDER_WAY);
		t = &st->under_way[st->last];
	}
	*t = (struct transaction){
		.snet = m->snet,
		.dnet = m->dnet,
		.end = in->end,
		.invoke_id = m->invoke_id,
		.choice = choice,
		.answer = answer,
		.known = true,
	};
	return t;
}

/* What is left of a tag at the end of a segment. False where it can never be one. */
static bool leave(struct place *p, struct bytes rest)
{
	struct reader r = reader_new(rest.data, rest.len);
	size_t len;

	(void)read_tag_head(&r, &len);
	if (!r.bad && len > 4) {
		p->skip = (uint32_t)(len - reader_left(&r));
		return true;
	}
	/* Kinds 6 and 7 are pairs' (§20.2.1.3.2), of context tags. */
	if (rest.len > CUT_MAX || (rest.len && (rest.data[0] & 15) > 5 && (rest.data[0] & 15) < 8))
		return false;
	memcpy(p->cut, rest.data, rest.len);
	p->cut_len = (uint8_t)rest.len;
	return true;
}

/* The tag that was cut, and as much of the segment as is needed for it. False: never one. */
static bool join(struct bacnet *m, struct place *p, struct reader *r)
{
	size_t from = r->off, had = p->cut_len, n = reader_left(r), len, used;
	struct reader joint;

	n = n < CUT_MAX - had ? n : CUT_MAX - had;
	memcpy(m->joint, p->cut, had);
	memcpy(m->joint + had, r->in.data + from, n);
	joint = reader_new(m->joint, had + n);
	p->cut_len = 0;
	(void)read_tag_head(&joint, &len);
	if (joint.bad || (len <= 4 && reader_left(&joint) < len)) {
		r->off = r->in.len;
		return had + n < CUT_MAX && leave(p, (struct bytes){m->joint, had + n});
	}
	used = joint.off + (len > 4 ? 0 : len);
	if (used < had)
		return false;
	r->off = from + used - had;
	if (len > 4) { /* names nothing, but may stand there */
		p->skip = (uint32_t)len;
		return p->depth > 0;
	}
	m->joint_len = (uint8_t)used;
	joint.off = 0;
	return fits(read_tag(&joint), &p->depth);
}

static void pass_value(struct place *p, struct reader *r)
{
	size_t n = p->skip < reader_left(r) ? p->skip : reader_left(r);

	r->off += n;
	p->skip -= (uint32_t)n;
}

/* A segment's names into the message, *p behind it. False where it goes against the grammar. */
static bool read_part(struct bacnet *m, struct place *p, struct bytes part)
{
	struct reader r = reader_new(part.data, part.len);

	pass_value(p, &r);
	m->depth = p->depth;
	if (p->cut_len && reader_left(&r) && !join(m, p, &r))
		return false;
	pass_value(p, &r);
	m->several = (struct bytes){part.data + r.off, part.len - r.off};
	while (reader_left(&r)) {
		size_t from = r.off;
		struct tag t = read_tag(&r);

		if (r.bad) {
			struct bytes rest = {part.data + from, part.len - from};

			if (!leave(p, rest) || (p->skip && !p->depth))
				return false;
			m->several.len -= rest.len;
			break;
		}
		if (!fits(t, &p->depth))
			return false;
	}
	return true;
}

static bool same_place(const struct place *a, const struct place *b)
{
	return a->skip == b->skip && a->depth == b->depth && a->cut_len == b->cut_len &&
	       !memcmp(a->cut, b->cut, a->cut_len);
}

/*
 * In its order, or again. A second copy must lead to where the first did: both are read, and what
 * follows means the same behind either.
 */
static void read_segment_of(struct transaction *t, struct bacnet *m, struct bytes part,
			    const struct proto_input *in, bool several)
{
	uint8_t behind = (uint8_t)(t->next - m->sequence_number);
	struct place p, *next;

	m->gap = behind >= 128;
	m->duplicate = behind && !m->gap;
	if (behind > t->kept) {
		if (several)
			unname(m);
		return;
	}
	p = behind ? t->before[m->sequence_number % AGAIN] : t->now;
	if (several && !read_part(m, &p, part)) {
		m->msg.reason = REASON_BACNET_SEGMENTS;
		return;
	}
	if (several && !m->more_follows && (p.depth || p.skip || p.cut_len))
		m->msg.reason = REASON_BACNET_SEGMENTS;
	if (several)
		take_names(m);
	if (behind) {
		next = behind == 1 ? &t->now : &t->before[(m->sequence_number + 1) % AGAIN];
		if (!same_place(&p, next))
			m->msg.reason = REASON_BACNET_SEGMENTS;
		return;
	}
	t->before[t->next % AGAIN] = t->now;
	t->now = p;
	t->next++;
	t->kept = t->kept < AGAIN ? t->kept + 1 : AGAIN;
	t->done = !m->more_follows;
	t->time_ns = in->time_ns;
}

static bool is_several(uint8_t choice)
{
	return choice == BACNET_READ_SEVERAL || choice == BACNET_WRITE_SEVERAL;
}

static void follow_segment(struct state *st, const struct proto_input *in, struct bacnet *m,
			   struct reader *r, uint8_t choice, bool answer)
{
	bool several = answer ? choice == BACNET_READ_SEVERAL : is_several(choice);
	struct transaction *t = find_transaction(st, in, m, answer);
	struct bytes part = read_bytes(r, reader_left(r));

	m->property_tag = answer ? 2 : 0;
	if (!m->sequence_number && (!t || t->done || in->time_ns - t->time_ns > GIVEN_UP))
		t = begin_transaction(st, in, m, answer, choice);
	if (!t) {
		m->gap = true;
		if (several)
			unname(m);
		return;
	}
	if (t->choice != choice) {
		m->msg.reason = REASON_BACNET_SEGMENTS;
		if (several)
			unname(m);
		return;
	}
	read_segment_of(t, m, part, in, several);
}

/* §20.1.2.7: the number of the segment, then how many may be under way. */
static void read_segment(struct reader *r, struct bacnet *m, uint8_t head)
{
	m->segmented = m->has_sequence = true;
	m->more_follows = head & MORE;
	m->sequence_number = read_u8(r);
	read_u8(r);
}

static void read_confirmed(struct reader *r, struct bacnet *m, struct state *st,
			   const struct proto_input *in)
{
	uint8_t head = read_u8(r), choice;
	const struct bacnet_service *s;
	struct reader rest;

	read_u8(r); /* how long an answer may be */
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	s = bacnet_confirmed(choice);
	if (!s) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	m->service = s->name;
	m->msg.control = s->controls;
	rest = *r;
	if (m->segmented)
		follow_segment(st, in, m, &rest, choice, false);
	if (m->sequence_number || (m->segmented && is_several(choice)))
		return;
	if (is_several(choice))
		read_several(r, m, false);
	else if (choice == BACNET_DCC || choice == BACNET_REINITIALIZE)
		read_command(r, m, choice);
	else
		read_about(r, m, s, choice == BACNET_COV_PROPERTY);
	/* What is cut off from the first segment is in none of the others' events. */
	if (m->segmented && s->about == BACNET_ABOUT_NAMES && !m->has_property)
		m->property_text = (struct bytes){(const uint8_t *)"", 0};
}

static void read_unconfirmed(struct reader *r, struct bacnet *m)
{
	const struct bacnet_service *s;

	read_u8(r);
	s = bacnet_unconfirmed(read_u8(r));
	if (!s) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	m->service = s->name;
	m->msg.control = s->controls;
	read_about(r, m, s, false);
}

static void read_answer(struct reader *r, struct bacnet *m, enum bacnet_pdu pdu, struct state *st,
			const struct proto_input *in)
{
	uint8_t head = read_u8(r), choice;
	const struct bacnet_service *s;
	struct reader rest;

	m->msg.answer = true;
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (pdu == BACNET_SEGMENT_ACK) {
		m->has_sequence = true;
		m->sequence_number = read_u8(r);
		read_u8(r);
		return;
	}
	if (pdu == BACNET_REJECT || pdu == BACNET_ABORT) {
		m->has_error = true;
		m->error_code = read_u8(r);
		return;
	}
	if (pdu == BACNET_COMPLEX_ACK && head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	s = bacnet_confirmed(choice);
	if (s)
		m->service = s->name;
	rest = *r;
	if (m->segmented)
		follow_segment(st, in, m, &rest, choice, true);
	if (pdu == BACNET_ERROR) {
		struct tag class = read_tag(r);

		/* Some services' errors say more, in front of it or behind. */
		if (class.context)
			return;
		m->has_error = true;
		m->error_class = (uint8_t)number_of(class);
		m->error_code = (uint8_t)number_of(read_tag(r));
	} else if (pdu == BACNET_COMPLEX_ACK && !m->segmented && choice == BACNET_READ_SEVERAL) {
		read_several(r, m, true);
	} else if (pdu == BACNET_COMPLEX_ACK && !m->sequence_number && s &&
		   s->about == BACNET_ABOUT_NAMES && choice != BACNET_READ_SEVERAL) {
		read_names(r, m);
	}
}

static void read_apdu(struct reader *r, struct bacnet *m, struct state *st,
		      const struct proto_input *in)
{
	struct reader head = *r;
	enum bacnet_pdu pdu = read_u8(&head) >> 4;

	if (head.bad || pdu > BACNET_ABORT) {
		r->bad = true;
		return;
	}
	m->pdu = bacnet_pdu_name(pdu);
	if (pdu == BACNET_CONFIRMED)
		read_confirmed(r, m, st, in);
	else if (pdu == BACNET_UNCONFIRMED)
		read_unconfirmed(r, m);
	else
		read_answer(r, m, pdu, st, in);
}

static void read_network(struct reader *r, struct bacnet *m)
{
	uint8_t type = read_u8(r);

	m->network = "proprietary";
	m->msg.control = true;
	if (type >= PROPRIETARY) {
		read_be16(r); /* whose */
		return;
	}
	m->network = bacnet_network_name(type, &m->msg.control);
	if (!m->network)
		m->network = "reserved";
}

/* §6.2 */
static void read_npdu(struct reader *r, struct bacnet *m, struct state *st,
		      const struct proto_input *in)
{
	uint8_t version = read_u8(r), control = read_u8(r);

	if (version != VERSION || control & RESERVED) {
		r->bad = true;
		return;
	}
	if (control & HAS_DEST) {
		m->has_dnet = true;
		m->dnet = read_be16(r);
		read_skip(r, read_u8(r));
	}
	if (control & HAS_SOURCE) {
		m->has_snet = true;
		m->snet = read_be16(r);
		read_skip(r, read_u8(r));
		/* §6.2.2.1: nobody is network 0 or all networks. */
		if (!m->snet || m->snet == 0xffff)
			r->bad = true;
	}
	if (control & HAS_DEST)
		read_u8(r); /* hops left */
	if (control & NETWORK)
		read_network(r, m);
	else
		read_apdu(r, m, st, in);
}

/* Annex J.2 */
static bool read_message(struct bacnet *m, struct state *st, const struct proto_input *in)
{
	struct bytes data = in->data;
	struct reader r = reader_new(data.data, data.len);
	uint8_t kind = read_u8(&r), function = read_u8(&r);

	if (kind != BVLC || read_be16(&r) != data.len || r.bad || function > BACNET_BVLC_SECURE)
		return false;
	m->bvlc = bacnet_bvlc_name(function);
	m->msg.answer = function == BACNET_BVLC_RESULT || function == BACNET_BVLC_READ_TABLE_ACK ||
			function == BACNET_BVLC_READ_FOREIGN_ACK;
	/* What is sealed may be anything. Who is registered is sent every broadcast (Annex J.5.2). */
	m->msg.control = function == BACNET_BVLC_WRITE_TABLE || function == BACNET_BVLC_REGISTER ||
			 function == BACNET_BVLC_DELETE_FOREIGN || function == BACNET_BVLC_SECURE;
	if (function == BACNET_BVLC_FORWARDED)
		read_skip(&r, 6); /* whose it was */
	if (function == BACNET_BVLC_FORWARDED ||
	    (function >= BACNET_BVLC_DISTRIBUTE && function < BACNET_BVLC_SECURE))
		read_npdu(&r, m, st, in);
	return !r.bad;
}

/* An answer to what nobody asked in this conversation is judged like a request. */
static void pair(struct bacnet *m, struct state *st, const struct proto_input *in)
{
	if (!m->msg.answer)
		st->asked[in->end] = true;
	else
		m->msg.answer = in->midstream || st->asked[!in->end];
}

static enum parse read_datagram(void *state, const struct proto_input *in, struct msg *ret_m,
				struct proto_output *ret_out)
{
	ret_out->has_msg = true;
	ret_out->used = in->data.len;
	if (!read_message((struct bacnet *)ret_m, state, in))
		ret_m->reason = REASON_BACNET_MALFORMED;
	else
		pair((struct bacnet *)ret_m, state, in);
	return PARSE_OK;
}

/* The length that must be the datagram's says enough; what it holds may be broken. */
static enum parse probe(const struct proto_input *in)
{
	struct bytes d = in->data;

	return d.len >= 4 && d.data[0] == BVLC && d.data[1] <= BACNET_BVLC_SECURE &&
			       (size_t)(d.data[2] << 8 | d.data[3]) == d.len
		       ? PARSE_OK
		       : PARSE_BAD;
}

static void write_rest(const struct msg *msg, struct json *j)
{
	const struct bacnet *m = (const struct bacnet *)msg;

	if (!m->unnamed) {
		proto_texts(j, "object_type", next_object_type, msg);
		proto_texts(j, "property", next_property, msg);
	}
	if (m->has_invoke)
		json_u64(j, "invoke_id", m->invoke_id);
	if (m->has_sequence)
		json_u64(j, "sequence_number", m->sequence_number);
	if (m->more_follows)
		json_bool(j, "more_follows", true);
	if (m->duplicate)
		json_bool(j, "duplicate", true);
	if (m->gap)
		json_bool(j, "gap", true);
	if (m->has_object)
		json_u64(j, "instance", m->instance);
	if (m->has_index)
		json_u64(j, "array_index", m->array_index);
	if (m->has_error && m->service)
		json_u64(j, "error_class", m->error_class);
	if (m->has_error)
		json_u64(j, "error_code", m->error_code);
	if (m->has_dnet)
		json_u64(j, "dnet", m->dnet);
	if (m->has_snet)
		json_u64(j, "snet", m->snet);
}

#define FIELD(name, member, type, flags)                                      \
	{                                                                     \
		PROTO_KEY(name), offsetof(struct bacnet, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("bvlc", bvlc, FIELD_NAME, FIELD_MATCH),
	FIELD("network_message", network, FIELD_NAME, FIELD_MATCH),
	FIELD("pdu_type", pdu, FIELD_NAME, FIELD_MATCH),
	FIELD("service", service, FIELD_NAME, FIELD_MATCH),
	FIELD("segmented", segmented, FIELD_BOOL, 0),
	FIELD("state", state, FIELD_NAME, 0),
	FIELD("password", password, FIELD_BOOL, 0),
	{PROTO_KEY("object_type"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_object_type},
	{PROTO_KEY("property"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_property},
	{""},
};

const struct proto bacnet_proto = {
	.name = "bacnet",
	.over = PROTO_OVER_UDP,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct bacnet),
	.fields = fields,
	.probe = probe,
	.read = read_datagram,
	.write = write_rest,
};
