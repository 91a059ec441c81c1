#include "seal/relay/reading.h"

#include <errno.h>
#include <stdlib.h>

struct held { /* bytes that went on, of a unit that goes on behind them */
	uint8_t *data;
	size_t len;
};

struct reading {
	struct talk *talk;
	struct held held[2];
	uint16_t ports[2];
	uint64_t messages;
	/* of the bytes that are on */
	reading_said_fn said;
	void *arg;
	enum reason why;
};

struct reading *reading_new(const struct proto *p, const uint16_t ports[2])
{
	struct reading *r = calloc(1, sizeof(*r));

	if (r)
		r->talk = talk_new(p);
	if (!r || !r->talk) {
		free(r);
		errno = ENOMEM;
		return NULL;
	}
	memcpy(r->ports, ports, sizeof(r->ports));
	return r;
}

void reading_free(struct reading *r)
{
	if (!r)
		return;
	free(r->held[0].data);
	free(r->held[1].data);
	free(r->talk);
	free(r);
}

uint64_t reading_messages(const struct reading *r)
{
	return r->messages;
}

static void said(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	struct reading *r = arg;

	r->messages++;
	r->why = r->said(r->arg, in->end, t->proto, m);
	if (r->why != REASON_NONE)
		r->talk->dead = true; /* nothing of it is taken, nor anything behind it */
}

static bool hold(struct held *h, struct bytes data)
{
	uint8_t *all;

	if (!data.len) {
		free(h->data);
		*h = (struct held){0};
		return true;
	}
	all = malloc(data.len);
	if (!all)
		return false;
	memcpy(all, data.data, data.len);
	free(h->data);
	*h = (struct held){all, data.len};
	return true;
}

/* What is held and what came, in one piece; NULL without memory. */
static uint8_t *join(const struct held *h, struct bytes data)
{
	uint8_t *all = malloc(h->len + data.len);

	if (!all)
		return NULL;
	memcpy(all, h->data, h->len);
	memcpy(all + h->len, data.data, data.len);
	return all;
}

size_t reading_take(struct reading *r, unsigned end, struct bytes data, uint64_t wall_ns,
		    reading_said_fn fn, void *arg, enum reason *ret_why)
{
	struct held *h = &r->held[end];
	struct proto_input in = {.data = data,
				 .time_ns = wall_ns,
				 .port = {r->ports[0], r->ports[1]},
				 .end = (uint8_t)end};
	size_t before = h->len, used = 0;
	uint8_t *all = NULL;
	bool kept = true;

	r->said = fn;
	r->arg = arg;
	r->why = REASON_NONE;
	if (before) {
		all = join(h, data);
		if (!all) {
			*ret_why = REASON_STREAM_MEMORY;
			return 0;
		}
		in.data = (struct bytes){all, before + data.len};
	}
	talk_read(r->talk, &in, said, r, &used);
	if (r->why == REASON_NONE && r->talk->dead)
		r->why = REASON_PROTO_MALFORMED;
	if (r->why == REASON_NONE)
		kept = hold(h, (struct bytes){in.data.data + used, in.data.len - used});
	free(all);
	*ret_why = kept ? r->why : REASON_STREAM_MEMORY;
	if (*ret_why == REASON_NONE)
		return data.len;
	return used > before ? used - before : 0;
}

enum reason reading_close(struct reading *r, unsigned end, uint64_t wall_ns, reading_said_fn fn,
			  void *arg)
{
	const struct held *h = &r->held[end];
	struct proto_input in = {.data = {h->data, h->len},
				 .time_ns = wall_ns,
				 .port = {r->ports[0], r->ports[1]},
				 .end = (uint8_t)end,
				 .last = true};

	r->said = fn;
	r->arg = arg;
	r->why = REASON_NONE;
	if (talk_close(r->talk, &in, said, r) == PARSE_BAD && r->why == REASON_NONE)
		r->why = REASON_PROTO_MALFORMED;
	return r->why;
}
