/*
 * One parser of an application protocol, chosen by -DPROTO=name_proto, driven as a
 * conversation drives it: pieces of both ends, in any cut. A seed is a row of
 * records, each a byte of flags (1 end, 2 last, 4 a gap before it), a length of
 * two bytes and that many bytes; the first byte of all is 1 for datagrams, 2
 * for a conversation picked up in its middle.
 */
#include <stdlib.h>

#include "guard/proto/talk.h"

#include "touch.h"

extern const struct proto PROTO;

static void said(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	static char room[65536];
	struct json j = json_new(room, sizeof(room));
	char number[PROTO_VALUE_MAX];

	for (const struct proto_field *f = t->proto->fields; *f->name; f++)
		touch(proto_value(f, m, number));
	json_open(&j, NULL);
	proto_write(t->proto, m, &j);
	json_close(&j);
	if (m->reason >= REASON_COUNT)
		abort();
}

/* What could be kept whole is within what was said, and begins before it goes on. */
static void keep(void *arg, const struct talk *t, unsigned end, enum talk_keep what,
		 struct bytes data)
{
	struct proto_object o;
	bool *begun = arg;

	touch(data);
	if (what == TALK_BEGINS)
		begun[end] = true;
	if (t->proto->object && what != TALK_GOES_ON && begun[end] &&
	    t->proto->object(t->state, end, what == TALK_ENDS, &o)) {
		touch((struct bytes){o.head, o.head_len});
		if (!memchr(o.label, 0, sizeof(o.label)))
			abort();
	}
}

/* What an end said and the parser did not take yet, in a block of its exact size. */
struct held {
	uint8_t *data;
	size_t len;
};

static void add(struct held *h, struct bytes b)
{
	uint8_t *whole = malloc(h->len + b.len + 1);

	if (h->len)
		memcpy(whole, h->data, h->len);
	if (b.len)
		memcpy(whole + h->len, b.data, b.len);
	free(h->data);
	h->data = realloc(whole, h->len + b.len ? h->len + b.len : 1);
	h->len += b.len;
}

static void drop(struct held *h, size_t n)
{
	struct held rest = {0};

	if (!n)
		return;
	add(&rest, (struct bytes){h->data + n, h->len - n});
	free(h->data);
	*h = rest;
}

/* Another protocol goes on from here. */
static struct talk *turned(struct talk *t)
{
	struct talk *next = talk_new(t->next);

	talk_turn(next, t);
	free(t);
	return next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct proto *p = &PROTO;
	struct reader r = reader_new(data, len);
	struct proto_input in = {.port = {40000, 80}};
	struct held held[2] = {{0}, {0}};
	bool begun[2] = {false, false};
	struct talk *t;
	uint8_t kind = read_u8(&r);

	if (!(t = talk_new(p)))
		abort();
	t->turns = true;
	t->keep = keep;
	t->keep_arg = begun;
	in.datagram = kind & 1 ? p->over & PROTO_OVER_UDP : !(p->over & PROTO_OVER_TCP);
	in.midstream = kind & 2;
	while (reader_left(&r) >= 3 && !t->dead) {
		uint8_t flags = read_u8(&r);
		size_t n = read_be16(&r), used;
		unsigned end = flags & 1;

		if (n > reader_left(&r))
			n = reader_left(&r);
		if (flags & 4 && !in.datagram && !held[end].len)
			talk_gap(t, end, 1000);
		if (in.datagram)
			drop(&held[end], held[end].len);
		add(&held[end], read_bytes(&r, n));
		in.end = (uint8_t)end;
		in.last = flags & 2;
		in.time_ns += 1000000;
		in.data = (struct bytes){held[end].data, held[end].len};
		if (p->probe && p->probe(&in) > PARSE_BAD)
			abort();
		talk_read(t, &in, said, NULL, &used);
		if (used > held[end].len)
			abort();
		drop(&held[end], used);
		if (t->next)
			t = turned(t);
		in.data = (struct bytes){held[end].data, held[end].len};
		if (in.last && !in.datagram && talk_close(t, &in, said, NULL) > PARSE_BAD)
			abort();
	}
	free(held[0].data);
	free(held[1].data);
	free(t);
	return 0;
}
