/*
 * TCP reassembly: segments of both ends in any order, honest or lying, with
 * confirmations. Two bytes of options (what may be held; odd: nothing is forgotten), then eight bytes a
 * segment: flags (1 end, 2 lies, 4 FIN, 8 ACK, 16 blind, 32 part used, 64
 * time-stamp), two of place, two of length, two of confirmation, one of time.
 * What is read must be in order, without a hole that was not told, and nothing
 * but what was sent.
 */
#include <stdlib.h>

#include "guard/flow/stream.h"
#include "guard/flow/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FIRST 0xfffff000u /* numbers wrap */

struct side {
	uint32_t read; /* position, from the first byte on */
};

static uint8_t truth(unsigned end, uint32_t position)
{
	return (uint8_t)((position * 167 + end * 31) & 0xfe);
}

/* Every byte is what was sent at its position, as truth or as lie. */
static void check(unsigned end, uint32_t from, struct bytes ready)
{
	for (size_t i = 0; i < ready.len; i++)
		if ((ready.data[i] & 0xfe) != truth(end, from + (uint32_t)i))
			abort();
}

static void segment(struct stream *s, struct stream_pool *pool, struct flow *f, struct side side[2],
		    struct reader *r)
{
	uint8_t flags = read_u8(r), stamp[12] = {1, 1, 8, 10};
	unsigned end = flags & 1;
	uint32_t at = read_be16(r), n = read_be16(r) % 3000, ack = read_be16(r), gap;
	struct packet p = {.ip_version = 4, .proto = PROTO_TCP, .tcp_window = 65535};
	uint8_t *payload = malloc(n + 1);
	struct stream_half before;
	struct bytes ready;
	enum stream_said said;
	size_t used;

	stamp[7] = read_u8(r);
	for (uint32_t i = 0; i < n; i++)
		payload[i] = truth(end, at + i) | (flags & 2 ? 1 : 0);
	p.tcp_seq = FIRST + at;
	p.tcp_ack = FIRST + ack;
	p.tcp_flags = (uint8_t)((flags & 4 ? TCP_FIN : 0) | (flags & 8 ? TCP_ACK : 0));
	p.payload = (struct bytes){payload, n};
	p.payload_wire = n;
	if (flags & 64)
		p.tcp_options = (struct bytes){stamp, sizeof(stamp)};
	tcp_track(f, &p, end);
	gap = stream_confirm(s, pool, &p, end);
	if (gap) {
		side[!end].read = s->half[!end].read - FIRST;
		ready = stream_ready(s, &p, !end);
		check(!end, side[!end].read, ready);
		stream_done(s, pool, &p, !end, 0, false);
	}
	before = s->half[end];
	said = stream_take(s, pool, f, &p, end);
	if (said == STREAM_CONFLICT && stream_waits(s) &&
	    memcmp(&before, &s->half[end], sizeof(before)) != 0)
		abort(); /* it does not pass, so nothing of it counts */
	if (said == STREAM_TAKEN || said == STREAM_CONFLICT || said == STREAM_UNVERIFIED ||
	    said == STREAM_UNPROVEN) {
		if (s->half[end].read - FIRST != side[end].read && n)
			side[end].read = s->half[end].read - FIRST; /* it began there */
		ready = stream_ready(s, &p, end);
		check(end, side[end].read, ready);
		used = flags & 32 ? ready.len / 2 : ready.len;
		if (stream_done(s, pool, &p, end, used, flags & 16 && used == ready.len) == 0)
			side[end].read += (uint32_t)used;
		else
			side[end].read = s->half[end].read - FIRST;
	}
	if (pool->used > pool->max || s->half[end].size > 2 * pool->half_max)
		abort();
	free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	struct side side[2] = {{0}, {0}};
	struct stream_pool pool;
	uint8_t room = read_u8(&r);
	size_t max = 1 + 64u * room * 16;
	struct packet syn = {.ip_version = 4, .proto = PROTO_TCP, .tcp_window = 65535};
	struct stream s;
	struct flow f;

	stream_pool_init(&pool, max, 1024 + 256u * read_u8(&r));
	memset(&f, 0, sizeof(f));
	syn.tcp_seq = FIRST - 1;
	syn.tcp_flags = TCP_SYN;
	tcp_track(&f, &syn, 0);
	syn.tcp_ack = FIRST;
	syn.tcp_flags = TCP_SYN | TCP_ACK;
	tcp_track(&f, &syn, 1);
	stream_init(&s, &f);
	if (room & 1)
		stream_wait(&s);
	while (reader_left(&r) >= 8)
		segment(&s, &pool, &f, side, &r);
	stream_free(&s, &pool);
	if (pool.used)
		abort();
	stream_pool_free(&pool);
	return 0;
}
