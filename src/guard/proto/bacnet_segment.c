#include "guard/proto/bacnet_internal.h"

#define GIVEN_UP (10 * 1000000000ull) /* ns after which a number begins another service */

static struct bacnet_transaction *find_transaction(struct bacnet_segments *st,
						   const struct proto_input *in,
						   const struct bacnet *m, bool answer)
{
	for (unsigned i = 0; i < BACNET_UNDER_WAY; i++) {
		struct bacnet_transaction *t = &st->under_way[i];

		if (t->known && t->end == in->end && t->invoke_id == m->invoke_id &&
		    t->answer == answer && t->snet == m->snet && t->dnet == m->dnet)
			return t;
	}
	return NULL;
}

static struct bacnet_transaction *begin_transaction(struct bacnet_segments *st,
						    const struct proto_input *in,
						    const struct bacnet *m, bool answer,
						    uint8_t choice)
{
	struct bacnet_transaction *t = find_transaction(st, in, m, answer);

	if (!t) {
		st->last = (uint8_t)((st->last + 1) % BACNET_UNDER_WAY);
		t = &st->under_way[st->last];
	}
	*t = (struct bacnet_transaction){
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
static bool leave(struct bacnet_place *p, struct bytes rest)
{
	struct reader r = reader_new(rest.data, rest.len);
	size_t len;

	(void)bacnet_read_tag_head(&r, &len);
	if (!r.bad && len > 4) {
		p->skip = (uint32_t)(len - reader_left(&r));
		return true;
	}
	/* Kinds 6 and 7 are pairs' (§20.2.1.3.2), of context tags. */
	if (rest.len > BACNET_CUT_MAX ||
	    (rest.len && (rest.data[0] & 15) > 5 && (rest.data[0] & 15) < 8))
		return false;
	memcpy(p->cut, rest.data, rest.len);
	p->cut_len = (uint8_t)rest.len;
	return true;
}

/* The tag that was cut, and as much of the segment as is needed for it. False: never one. */
static bool join(struct bacnet *m, struct bacnet_place *p, struct reader *r)
{
	size_t from = r->off, had = p->cut_len, n = reader_left(r), len, used;
	struct reader joint;

	n = n < BACNET_CUT_MAX - had ? n : BACNET_CUT_MAX - had;
	memcpy(m->joint, p->cut, had);
	memcpy(m->joint + had, r->in.data + from, n);
	joint = reader_new(m->joint, had + n);
	p->cut_len = 0;
	(void)bacnet_read_tag_head(&joint, &len);
	if (joint.bad || (len <= 4 && reader_left(&joint) < len)) {
		r->off = r->in.len;
		return had + n < BACNET_CUT_MAX && leave(p, (struct bytes){m->joint, had + n});
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
	return bacnet_tag_fits(bacnet_read_tag(&joint), &p->depth);
}

static void pass_value(struct bacnet_place *p, struct reader *r)
{
	size_t n = p->skip < reader_left(r) ? p->skip : reader_left(r);

	r->off += n;
	p->skip -= (uint32_t)n;
}

/* A segment's names into the message, *p behind it. False where it goes against the grammar. */
static bool read_part(struct bacnet *m, struct bacnet_place *p, struct bytes part)
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
		struct bacnet_tag t = bacnet_read_tag(&r);

		if (r.bad) {
			struct bytes rest = {part.data + from, part.len - from};

			if (!leave(p, rest) || (p->skip && !p->depth))
				return false;
			m->several.len -= rest.len;
			break;
		}
		if (!bacnet_tag_fits(t, &p->depth))
			return false;
	}
	return true;
}

static bool same_place(const struct bacnet_place *a, const struct bacnet_place *b)
{
	return a->skip == b->skip && a->depth == b->depth && a->cut_len == b->cut_len &&
	       !memcmp(a->cut, b->cut, a->cut_len);
}

/*
 * In its order, or again. A second copy must lead to where the first did: both are read, and what
 * follows means the same behind either.
 */
static void read_segment_of(struct bacnet_transaction *t, struct bacnet *m, struct bytes part,
			    const struct proto_input *in, bool several)
{
	uint8_t behind = (uint8_t)(t->next - m->sequence_number);
	struct bacnet_place p, *next;

	m->gap = behind >= 128;
	m->duplicate = behind && !m->gap;
	if (behind > t->kept) {
		if (several)
			bacnet_unname(m);
		return;
	}
	p = behind ? t->before[m->sequence_number % BACNET_AGAIN] : t->now;
	if (several && !read_part(m, &p, part)) {
		m->msg.reason = REASON_BACNET_SEGMENTS;
		return;
	}
	if (several && !m->more_follows && (p.depth || p.skip || p.cut_len))
		m->msg.reason = REASON_BACNET_SEGMENTS;
	if (several)
		bacnet_take_names(m);
	if (behind) {
		next = behind == 1 ? &t->now : &t->before[(m->sequence_number + 1) % BACNET_AGAIN];
		if (!same_place(&p, next))
			m->msg.reason = REASON_BACNET_SEGMENTS;
		return;
	}
	t->before[t->next % BACNET_AGAIN] = t->now;
	t->now = p;
	t->next++;
	t->kept = t->kept < BACNET_AGAIN ? t->kept + 1 : BACNET_AGAIN;
	t->done = !m->more_follows;
	t->time_ns = in->time_ns;
}

bool bacnet_is_several(uint8_t choice)
{
	return choice == BACNET_READ_SEVERAL || choice == BACNET_WRITE_SEVERAL;
}

void bacnet_follow_segment(struct bacnet_segments *st, const struct proto_input *in,
			   struct bacnet *m, struct reader *r, uint8_t choice, bool answer)
{
	bool several = answer ? choice == BACNET_READ_SEVERAL : bacnet_is_several(choice);
	struct bacnet_transaction *t = find_transaction(st, in, m, answer);
	struct bytes part = read_bytes(r, reader_left(r));

	m->property_tag = answer ? 2 : 0;
	if (!m->sequence_number && (!t || t->done || in->time_ns - t->time_ns > GIVEN_UP))
		t = begin_transaction(st, in, m, answer, choice);
	if (!t) {
		m->gap = true;
		if (several)
			bacnet_unname(m);
		return;
	}
	if (t->choice != choice) {
		m->msg.reason = REASON_BACNET_SEGMENTS;
		if (several)
			bacnet_unname(m);
		return;
	}
	read_segment_of(t, m, part, in, several);
}
