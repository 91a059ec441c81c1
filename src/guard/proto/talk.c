#include "guard/proto/talk.h"

#include <stdlib.h>

struct talk *talk_new(const struct proto *p)
{
	struct talk *t = calloc(1, sizeof(*t) + p->state_size);

	if (t)
		t->proto = p;
	return t;
}

static size_t pass_over(struct talk *t, unsigned end, size_t len)
{
	size_t n = t->skip[end] < len ? (size_t)t->skip[end] : len;

	t->skip[end] -= n;
	return n;
}

/*
 * A parser that takes more than there is, or nothing, is wrong itself; but it may
 * tell a message once before it takes what ended it.
 */
static bool is_progress(const struct proto_output *out, size_t len, bool *idle)
{
	bool took = out->used || out->skip, first = !*idle;

	*idle = !took;
	return out->used <= len && (took || (out->has_msg && first));
}

enum parse talk_read(struct talk *t, const struct proto_input *in, talk_said_fn said, void *arg,
		     size_t *ret_used)
{
	union {
		struct msg msg;
		uint64_t room[PROTO_MSG_MAX / 8];
	} m;
	size_t zero = t->proto->msg_zero ? t->proto->msg_zero : t->proto->msg_size;
	struct proto_input rest = *in;
	size_t used = 0;
	bool idle = false;
	enum parse got;

	for (;;) {
		struct proto_output out = {0};

		used += pass_over(t, in->end, in->data.len - used);
		*ret_used = used;
		if (t->dead)
			return PARSE_BAD;
		if (used == in->data.len)
			return PARSE_OK;
		rest.data = (struct bytes){in->data.data + used, in->data.len - used};
		memset(&m, 0, zero);
		got = t->proto->read(t->state, &rest, &m.msg, &out);
		if (got == PARSE_MORE && (in->datagram || rest.data.len >= PROTO_UNIT_MAX))
			got = PARSE_BAD;
		if (got == PARSE_MORE)
			return got;
		if (got == PARSE_OK && !is_progress(&out, rest.data.len, &idle))
			got = PARSE_BAD;
		t->dead = got == PARSE_BAD;
		if (t->dead && m.msg.reason == REASON_NONE)
			m.msg.reason = REASON_PROTO_MALFORMED;
		/* Picked up in its middle, it may just not have been this protocol. */
		if (out.has_msg || (t->dead && !in->midstream))
			said(arg, t, in, &m.msg);
		if (t->dead)
			return got;
		used += out.used;
		t->skip[in->end] = out.skip;
	}
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
