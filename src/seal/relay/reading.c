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

/* --- from one process to the next ---------------------------------------------------- */

static void save64(struct writer *w, uint64_t v)
{
	write_be32(w, (uint32_t)(v >> 32));
	write_be32(w, (uint32_t)v);
}

static uint64_t load64(struct reader *r)
{
	uint64_t high = read_be32(r);

	return high << 32 | read_be32(r);
}

size_t reading_size(const struct reading *r)
{
	return 2 * (8 + 4) + 1 + 2 + r->held[0].len + r->held[1].len + r->talk->proto->state_size;
}

void reading_save(const struct reading *r, struct writer *w)
{
	const struct talk *t = r->talk;

	for (unsigned end = 0; end < 2; end++) {
		save64(w, t->skip[end]);
		write_be32(w, (uint32_t)r->held[end].len);
		write_bytes(w, r->held[end].data, r->held[end].len);
	}
	write_u8(w, t->dead);
	write_be16(w, t->proto->state_size);
	write_bytes(w, t->state, t->proto->state_size);
}

struct reading *reading_load(const struct proto *p, const uint16_t ports[2], struct reader *r)
{
	struct reading *x = reading_new(p, ports);
	struct bytes state;
	bool kept = true;

	if (!x)
		return NULL;
	for (unsigned end = 0; end < 2; end++) {
		x->talk->skip[end] = load64(r);
		kept = hold(&x->held[end], read_bytes(r, read_be32(r))) && kept;
	}
	x->talk->dead = read_u8(r);
	state = read_bytes(r, read_be16(r));
	if (r->bad || !kept || state.len != p->state_size) {
		reading_free(x);
		return NULL;
	}
	memcpy(x->talk->state, state.data, state.len);
	return x;
}

/* --- judging ------------------------------------------------------------------------- */

static void said(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	struct reading *r = arg;

	r->why = r->said(r->arg, in->end, t->proto, m);
	if (r->why != REASON_NONE)
		r->talk->dead = true; /* nothing of it is taken, nor anything behind it */
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
