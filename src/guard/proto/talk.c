#include "guard/proto/talk.h"

#include <stdlib.h>

size_t talk_size(const struct proto *p)
{
	return sizeof(struct talk) + p->state_size;
}

void talk_init(struct talk *t, const struct proto *p)
{
	memset(t, 0, talk_size(p));
	t->proto = p;
}

struct talk *talk_new(const struct proto *p)
{
	struct talk *t = malloc(talk_size(p));

	if (t)
		talk_init(t, p);
	return t;
}

void talk_turn(struct talk *to, const struct talk *from)
{
	talk_init(to, from->next);
	to->began = from->began;
	for (uint8_t i = 0; !to->began && protos[i]; i++)
		if (protos[i] == from->proto)
			to->began = (uint8_t)(i + 1);
	memcpy(to->skip, from->skip, sizeof(to->skip));
	to->turns = from->turns;
	to->keep = from->keep;
	to->keep_arg = from->keep_arg;
}

static void keep(struct talk *t, unsigned end, enum talk_keep what, struct bytes data)
{
	if (t->keep)
		t->keep(t->keep_arg, t, end, what, data);
}

static __attribute__((cold)) void end_kept(struct talk *t, unsigned end)
{
	t->skip_kept[end] = t->skip_ends[end] = false;
	keep(t, end, TALK_ENDS, (struct bytes){0});
}

size_t talk_pass(struct talk *t, unsigned end, struct bytes data)
{
	size_t n = t->skip[end] < data.len ? (size_t)t->skip[end] : data.len;

	t->skip[end] -= n;
	if (n && t->skip_kept[end])
		keep(t, end, TALK_GOES_ON, (struct bytes){data.data, n});
	if (n && !t->skip[end] && t->skip_ends[end])
		end_kept(t, end);
	return n;
}

/* What the unit that was just taken is of something that can be kept. */
static void keep_unit(struct talk *t, unsigned end, struct bytes taken,
		      const struct proto_output *out)
{
	if (out->begins)
		keep(t, end, TALK_BEGINS, (struct bytes){0});
	if (out->kept)
		keep(t, end, TALK_GOES_ON, (struct bytes){taken.data, out->kept});
	t->skip_kept[end] = out->skip_kept;
	t->skip_ends[end] = out->ends && out->skip;
	if (out->ends && !out->skip)
		end_kept(t, end);
}

/*
 * A parser that takes more than there is, or nothing, is wrong itself; but it may
 * tell or end a message once before it takes what ended it.
 */
static bool is_progress(const struct proto_output *out, size_t len, bool *idle)
{
	bool took = out->used || out->skip, first = !*idle;

	*idle = !took;
	return out->used <= len && (took || ((out->has_msg || out->ends) && first));
}

union any_msg {
	struct msg msg;
	uint64_t room[PROTO_MSG_MAX / 8];
};

static size_t zero_of(const struct proto *p)
{
	return p->msg_zero ? p->msg_zero : p->msg_size;
}

/* Told where there is something to tell, or the parser says no more than that this is wrong. */
static void tell(struct talk *t, const struct proto_input *in, enum parse got,
		 const struct proto_output *out, struct msg *m, talk_said_fn said, void *arg)
{
	t->dead = got == PARSE_BAD;
	if (t->dead && m->reason == REASON_NONE)
		m->reason = REASON_PROTO_MALFORMED;
	if (t->began && t->proto->seals)
		m->opens = protos[t->began - 1];
	/* Picked up in its middle, it may just not have been this protocol. */
	if (out->has_msg || (t->dead && !in->midstream))
		said(arg, t, in, m);
}

enum parse talk_close(struct talk *t, const struct proto_input *in, talk_said_fn said, void *arg)
{
	struct proto_output out = {0};
	union any_msg m;
	enum parse got;

	if (t->dead || !t->proto->closed)
		return t->dead ? PARSE_BAD : PARSE_OK;
	memset(&m, 0, zero_of(t->proto));
	got = t->proto->closed(t->state, in, &m.msg, &out);
	tell(t, in, got, &out, &m.msg, said, arg);
	keep_unit(t, in->end, in->data, &out);
	return got;
}

/* As talk_read(), with in->data moved on to what is read next. */
static enum parse read_units(struct talk *t, struct proto_input *in, talk_said_fn said, void *arg,
			     size_t *ret_used)
{
	const uint8_t *data = in->data.data;
	size_t zero = zero_of(t->proto), len = in->data.len, used = 0;
	union any_msg m;
	bool idle = false;
	enum parse got;

	for (;;) {
		struct proto_output out = {0};

		used += talk_pass(t, in->end, (struct bytes){data + used, len - used});
		*ret_used = used;
		if (t->dead)
			return PARSE_BAD;
		if (used == len)
			return PARSE_OK;
		in->data = (struct bytes){data + used, len - used};
		memset(&m, 0, zero);
		got = t->proto->read(t->state, in, &m.msg, &out);
		if (got == PARSE_MORE && (in->datagram || in->data.len >= PROTO_UNIT_MAX))
			got = PARSE_BAD;
		if (got == PARSE_MORE)
			return got;
		t->next = t->turns ? out.next : NULL;
		if (__builtin_expect(t->next && out.with_it, 0))
			return PARSE_OK;
		if (got == PARSE_OK && !is_progress(&out, in->data.len, &idle))
			got = PARSE_BAD;
		tell(t, in, got, &out, &m.msg, said, arg);
		if (t->dead)
			return got;
		used += out.used;
		t->skip[in->end] = out.skip;
		keep_unit(t, in->end, in->data, &out);
		if (__builtin_expect(t->next != NULL, 0)) {
			*ret_used = used;
			return got;
		}
	}
}

/* The input is not copied: it was written a moment ago and piece by piece, which makes copying wait. */
enum parse talk_read(struct talk *t, struct proto_input *in, talk_said_fn said, void *arg,
		     size_t *ret_used)
{
	const uint8_t *data = in->data.data;
	size_t len = in->data.len;
	enum parse got = read_units(t, in, said, arg, ret_used);

	in->data = (struct bytes){data, len};
	return got;
}

void talk_gap(struct talk *t, unsigned end, uint64_t bytes)
{
	uint64_t skipped = t->skip[end] < bytes ? t->skip[end] : bytes;

	t->skip[end] -= skipped;
	if (bytes == skipped || t->dead)
		return;
	if (t->proto->gap)
		t->proto->gap(t->state, end, bytes - skipped);
	else
		t->dead = true;
}

const struct proto *talk_identify(const struct proto_input *in, bool *ret_undecided)
{
	uint8_t over = in->datagram ? PROTO_OVER_UDP : PROTO_OVER_TCP;

	*ret_undecided = false;
	for (unsigned i = 0; i < proto_count; i++) {
		enum parse got;

		if (!(protos[i]->over & over))
			continue;
		got = protos[i]->probe(in);
		if (got == PARSE_OK)
			return protos[i];
		*ret_undecided |= got == PARSE_MORE;
	}
	return NULL;
}

/* What it may be if it is not yet `p`. */
static bool leads_to(const struct proto_input *in, const struct proto *p)
{
	for (unsigned i = 0; i < proto_count; i++)
		if ((protos[i] == p->carrier || protos[i]->leads_to == p) &&
		    protos[i]->probe(in) != PARSE_BAD)
			return true;
	return false;
}

const struct proto *talk_identify_as(const struct proto_input *in, const struct proto *p,
				     bool *ret_undecided)
{
	struct proto_input hinted = *in;
	enum parse got;

	hinted.expected = true;
	got = p->probe(&hinted);
	*ret_undecided =
		got == PARSE_MORE || (*ret_undecided && !in->midstream && leads_to(&hinted, p));
	return got == PARSE_OK ? p : NULL;
}

struct trial {
	unsigned good;
	bool bad;
};

static void try_message(void *arg, const struct talk *t, const struct proto_input *in,
			const struct msg *m)
{
	struct trial *trial = arg;

	trial->good++;
	trial->bad |= m->reason != REASON_NONE;
}

enum parse talk_try(const struct proto_input *in, const struct proto *p)
{
	uint64_t room[(sizeof(struct talk) + PROTO_STATE_MAX) / sizeof(uint64_t)];
	struct talk *t = (struct talk *)room;
	struct proto_input tried = *in;
	struct trial trial = {0};
	size_t used;
	enum parse got;

	talk_init(t, p);
	got = talk_read(t, &tried, try_message, &trial, &used);
	if (trial.bad)
		return PARSE_BAD;
	return got == PARSE_MORE && trial.good > 1 ? PARSE_OK : got;
}
