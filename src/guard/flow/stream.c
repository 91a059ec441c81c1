#include "guard/flow/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "guard/flow/tcp.h"

#define ONEWAY 16384u /* bytes kept of an end whose confirmations go another way */
#define PIECES ((uint32_t)(STREAM_AHEAD * sizeof(struct stream_piece)))
_Static_assert(PIECES == 512, "a size of the pool's");
#define PLACES 128 /* of bytes of an end, at most */
#define FAR    (1 << 30)
#define AGAIN  4 /* so often nobody repeats what is behind a hole that can be filled */

/* half->flags */
#define KNOWN	1  /* its first byte's number is */
#define ENDED	2  /* `fin` is */
#define STAMPED 4  /* `stamp` is */
#define FORGOT	8  /* something below `base` went on unconfirmed and is not kept any more */
#define BEGAN	16 /* its SYN was seen */
#define WAITS	64 /* what more than may be kept is confirmed first */
#define PROVEN	32 /* the other end confirmed something; until then `acked` is where it began */

static int32_t ahead_of(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return ahead_of(a, b) < 0 ? a : b;
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return ahead_of(a, b) > 0 ? a : b;
}

static void begin(struct stream_half *h, uint32_t first)
{
	h->base = h->next = h->read = h->acked = first;
	h->flags |= KNOWN;
}

void stream_init(struct stream *s, const struct flow *f)
{
	memset(s, 0, sizeof(*s));
	for (unsigned end = 0; end < 2; end++) {
		struct stream_half *h = &s->half[end];
		bool began = f->tcp_began & 1u << end;
		uint32_t first = f->tcp_first[end], acked;

		if (tcp_confirmed(f, end, &acked)) {
			begin(h, began ? earlier(first, acked) : acked);
			h->acked = acked;
			h->flags |= PROVEN;
		} else if (began) {
			begin(h, first);
			h->flags |= BEGAN;
		}
	}
}

void stream_place(struct stream *s, const struct flow *f, unsigned end)
{
	struct stream_half *h = &s->half[end];
	uint32_t acked;

	if (!tcp_confirmed(f, end, &acked))
		return;
	begin(h, acked);
	h->flags |= PROVEN;
}

static void release(struct stream_half *h, struct stream_pool *pool)
{
	if (h->buf)
		stream_pool_give(pool, h->buf, h->size);
	if (__builtin_expect(h->ahead != NULL, 0))
		stream_pool_give(pool, (uint8_t *)h->ahead, PIECES);
	h->ahead = NULL;
	h->buf = NULL;
	h->size = 0;
	h->places = 0;
	h->base = h->next;
}

/* A place for one piece more. */
static __attribute__((cold)) bool has_place(struct stream_half *h, struct stream_pool *pool)
{
	if (!h->ahead && pool->used + PIECES <= pool->max)
		h->ahead = (struct stream_piece *)stream_pool_take(pool, PIECES);
	return h->ahead && h->ahead_count < STREAM_AHEAD;
}

void stream_wait(struct stream *s)
{
	for (unsigned end = 0; end < 2; end++) {
		struct stream_half *h = &s->half[end];

		/* Whatever it began with: its receiver takes nothing from in front of that. */
		if (ahead_of(h->acked, h->next) > 0)
			begin(h, h->acked);
		h->flags |= WAITS;
	}
}

bool stream_waits(const struct stream *s)
{
	return s->half[0].flags & WAITS;
}

void stream_free(struct stream *s, struct stream_pool *pool)
{
	release(&s->half[0], pool);
	release(&s->half[1], pool);
}

/* One behind the last byte that is kept. */
static uint32_t kept_to(const struct stream_half *h)
{
	return h->ahead_count ? h->ahead[h->ahead_count - 1].to : h->next;
}

/* Nothing in front of `to` is kept any longer. */
static void cut_front(struct stream_half *h, uint32_t to)
{
	uint32_t n = to - h->base;

	if (!h->buf || ahead_of(to, h->base) <= 0)
		return;
	memmove(h->buf, h->buf + n, kept_to(h) - to);
	h->base = to;
}

/* Another size for what is kept, of which the first `len` bytes of buf count. */
static bool resize(struct stream_half *h, struct stream_pool *pool, uint32_t size, size_t len)
{
	uint8_t *buf;

	if (pool->used + size - h->size > pool->max || !(buf = stream_pool_take(pool, size)))
		return false;
	if (h->buf) {
		memcpy(buf, h->buf, len);
		stream_pool_give(pool, h->buf, h->size);
	}
	h->buf = buf;
	h->size = size;
	return true;
}

static struct stream_place *places_of(const struct stream_half *h)
{
	return (struct stream_place *)h->buf;
}

static uint32_t placed_to(const struct stream_half *h)
{
	return h->places ? places_of(h)[h->places - 1].to : h->base;
}

/*
 * Bytes that were read and lie in a file from `at` on need no copy: hardly any are ever looked at
 * again. False where they do, as where nobody can read the file once more. What waits is no file's.
 */
static bool put_place(struct stream_half *h, struct stream_pool *pool, uint64_t at)
{
	uint32_t len = (uint32_t)(h->places * sizeof(struct stream_place));

	if (!pool->reread || h->places == PLACES || h->read != h->next ||
	    (h->flags & (PROVEN | WAITS)) != PROVEN)
		return false;
	if (len + sizeof(struct stream_place) > h->size &&
	    !resize(h, pool, stream_pool_size(len + (uint32_t)sizeof(struct stream_place)), len))
		return false;
	places_of(h)[h->places++] = (struct stream_place){at, h->next};
	return true;
}

/* Of places half are given up at once, so that moving the rest costs little. */
static void trim_places(struct stream_half *h)
{
	struct stream_place *first = places_of(h);
	uint8_t gone = h->places / 2 + 1;

	if (ahead_of(h->acked, first[gone - 1].to) < 0)
		return;
	h->base = first[gone - 1].to;
	h->places -= gone;
	memmove(first, first + gone, h->places * sizeof(*first));
}

/* What is read and confirmed need not stay; moving it pays only where it is much. */
static void trim(struct stream_half *h, struct stream_pool *pool)
{
	uint32_t done = earlier(h->acked, h->read);

	if (h->flags & FORGOT && ahead_of(h->acked, h->base) >= 0)
		h->flags &= (uint8_t)~FORGOT;
	if (!h->buf)
		return;
	if (!h->ahead_count && ahead_of(done, h->next) >= 0)
		release(h, pool);
	else if (h->places)
		trim_places(h);
	else if (ahead_of(done, h->base) > (int32_t)(h->size / 2))
		cut_front(h, done);
}

/* Gives up what was read but not confirmed: a repetition of it cannot be compared any more. */
static __attribute__((cold)) void forget(struct stream_half *h, struct stream_pool *pool)
{
	if (ahead_of(h->read, h->acked) > 0 && ahead_of(h->read, h->base) > 0)
		h->flags |= FORGOT;
	if (h->places)
		release(h, pool);
	else
		cut_front(h, h->read);
}

/* The bytes themselves are needed, in one piece with what follows: from then on they are kept. */
static __attribute__((cold)) void fetch(struct stream_half *h, struct stream_pool *pool)
{
	uint32_t size = stream_pool_size(h->next - h->base), from = h->base;
	bool fits = h->next - h->base <= pool->half_max && pool->used + size <= pool->max;
	uint8_t *buf = fits ? stream_pool_take(pool, size) : NULL;
	bool good = buf;

	for (unsigned i = 0; good && i < h->places; i++) {
		const struct stream_place *s = &places_of(h)[i];

		good = pool->reread(pool->reread_arg, s->at, buf + (from - h->base),
				    s->to - from) == 0;
		from = s->to;
	}
	if (!good) {
		if (buf)
			stream_pool_give(pool, buf, size);
		forget(h, pool);
		return;
	}
	stream_pool_give(pool, h->buf, h->size);
	h->buf = buf;
	h->size = size;
	h->places = 0;
}

/* Where nobody confirms anything waiting would be for ever. */
static bool is_waiting(const struct stream_half *h)
{
	return h->flags & WAITS && h->flags & PROVEN;
}

/* Moving what is kept pays only where it is moved by much. */
static __attribute__((cold)) void make_room(struct stream_half *h, struct stream_pool *pool)
{
	uint32_t done = earlier(h->acked, h->read);

	if (!is_waiting(h))
		forget(h, pool);
	else if (ahead_of(done, h->base) >= (int32_t)(pool->half_max / 8))
		cut_front(h, done);
}

/* Room for the bytes up to `to`. */
static int reserve(struct stream_half *h, struct stream_pool *pool, uint32_t to)
{
	if (to - h->base > pool->half_max)
		make_room(h, pool);
	if (to - h->base > pool->half_max)
		return -ENOBUFS;
	if (h->buf && to - h->base <= h->size)
		return 0;
	return resize(h, pool, stream_pool_size(to - h->base), kept_to(h) - h->base) ? 0 : -ENOBUFS;
}

/* Pieces that the bytes in order have reached belong to them. */
static void join(struct stream_half *h)
{
	while (h->ahead_count && ahead_of(h->ahead[0].from, h->next) <= 0) {
		h->next = later(h->next, h->ahead[0].to);
		h->ahead_count--;
		memmove(&h->ahead[0], &h->ahead[1], h->ahead_count * sizeof(h->ahead[0]));
	}
}

/* The other end has bytes that never came by, up to `to` at most: goes on behind the first hole. */
static __attribute__((cold)) uint32_t leap(struct stream_half *h, struct stream_pool *pool,
					   uint32_t to)
{
	uint32_t from = h->ahead_count ? earlier(h->ahead[0].from, to) : to;
	uint32_t missed = from - h->next;

	h->next = h->read = from;
	if (h->ahead_count)
		cut_front(h, from);
	else
		release(h, pool);
	join(h);
	return missed;
}

/* What was taken so far runs ahead of a hole, that begins at `to`. False where it is not kept whole. */
static bool step_back(struct stream_half *h, struct stream_pool *pool, uint32_t to)
{
	uint32_t first = h->acked, len = kept_to(h) - first,
		 size = stream_pool_size(first - to + len);
	uint8_t *buf;

	if (!h->buf || h->base != first || h->next == first || first - to + len > pool->half_max ||
	    pool->used + size > pool->max || !has_place(h, pool))
		return false;
	buf = stream_pool_take(pool, size);
	if (!buf)
		return false;
	memcpy(buf + (first - to), h->buf, len);
	stream_pool_give(pool, h->buf, h->size);
	h->buf = buf;
	h->size = size;
	memmove(&h->ahead[1], &h->ahead[0], h->ahead_count++ * sizeof(h->ahead[0]));
	h->ahead[0].from = first;
	h->ahead[0].to = h->next;
	h->base = h->next = h->read = h->acked = to;
	return true;
}

static __attribute__((cold)) void begin_anew(struct stream_half *h, struct stream_pool *pool,
					     uint32_t first)
{
	h->ahead_count = 0;
	release(h, pool);
	h->flags = (h->flags & WAITS) | PROVEN;
	begin(h, first);
}

void stream_begin_anew(struct stream *s, struct stream_pool *pool, unsigned end, uint32_t first)
{
	begin_anew(&s->half[end], pool, first);
}

/*
 * The first confirmation shows where the end stands. A SYN that its receiver never took says nothing
 * of that, and the first packet to be seen may have run ahead of others, or have come again.
 */
static __attribute__((cold)) uint32_t prove(struct stream_half *h, struct stream_pool *pool,
					    uint32_t ack)
{
	bool began = h->flags & BEGAN;
	uint32_t first = h->acked;

	h->flags |= PROVEN;
	if (!began && ahead_of(ack, h->next) > 0) {
		leap(h, pool, ack);
		return STREAM_ANEW;
	}
	/* What went on before was not waited for: its receiver may have begun amid it. */
	if (ack == first || (ahead_of(ack, first) > 0 && !(began && h->flags & WAITS)))
		return 0;
	if (!began && first - ack > pool->half_max)
		return 0;
	if (began || !step_back(h, pool, ack))
		begin_anew(h, pool, ack);
	return STREAM_ANEW;
}

uint32_t stream_confirm(struct stream *s, struct stream_pool *pool, const struct packet *p,
			unsigned end)
{
	struct stream_half *h = &s->half[!end];
	uint32_t ack = p->tcp_ack, missed = 0;

	if (!(p->tcp_flags & TCP_ACK) || p->tcp_flags & TCP_RST)
		return 0;
	if (__builtin_expect(!(h->flags & KNOWN), 0)) {
		begin(h, ack);
		h->flags |= PROVEN;
		return 0;
	}
	if (h->flags & ENDED && ahead_of(ack, h->fin) > 0)
		ack = h->fin;
	if (__builtin_expect(!(h->flags & PROVEN), 0) && (missed = prove(h, pool, ack)))
		return missed;
	if (ahead_of(ack, h->acked) > 0)
		h->acked = ack;
	else if (ahead_of(ack, h->next) <= 0)
		return 0;
	/* Anybody can confirm what nobody said: that bytes are missing shows where the end goes on
	 * behind them. */
	if (ahead_of(ack, h->next) > 0 && h->ahead_count)
		missed = leap(h, pool, ack);
	trim(h, pool);
	return missed;
}

bool stream_is_oneway(const struct flow *f, unsigned end)
{
	return !f->packets[!end];
}

uint32_t stream_presume(struct stream *s, struct stream_pool *pool, const struct flow *f,
			const struct packet *p, unsigned end, bool whole)
{
	struct stream_half *h = &s->half[end];

	/* What is missing its receiver has: nothing is a hole that this would be behind. */
	if (__builtin_expect(ahead_of(h->acked, h->next) > 0, 0) && p->payload.len &&
	    ahead_of(p->tcp_seq, h->next) > 0)
		return leap(h, pool, earlier(p->tcp_seq, h->acked));
	if (whole || !stream_is_oneway(f, end) || !h->ahead_count ||
	    kept_to(h) - h->next < ONEWAY / 2)
		return 0;
	return leap(h, pool, h->ahead[0].to);
}

/*
 * Does any byte of [from, to) that is kept differ? `data` begins at `from`. What is
 * confirmed does not matter: a receiver has it, and a keep-alive may say anything there.
 */
static bool differs(const struct stream_half *h, uint32_t from, uint32_t to, const uint8_t *data)
{
	/* Counted from the first byte that is kept: numbers have an order among their neighbours alone. */
	const int64_t start = ahead_of(from, h->base), end = start + (to - from);
	const int64_t acked = ahead_of(h->acked, h->base);

	for (unsigned i = 0; h->buf && i <= h->ahead_count; i++) {
		int64_t a = i ? h->ahead[i - 1].from - h->base : 0;
		int64_t b = (i ? h->ahead[i - 1].to : h->next) - h->base;

		a = a < acked ? acked : a;
		a = a < start ? start : a;
		b = b > end ? end : b;
		if (b > a && memcmp(h->buf + a, data + (a - start), (size_t)(b - a)))
			return true;
	}
	return false;
}

/* A repetition of bytes that are neither confirmed nor kept. */
static bool is_unverified(const struct stream_half *h, uint32_t from, uint32_t to)
{
	return h->flags & FORGOT && ahead_of(h->base, later(from, h->acked)) > 0 &&
	       ahead_of(to, h->acked) > 0;
}

/* Older than what the receiver took last: it does not take it (RFC 7323 §5.3). */
static bool is_stale(const struct stream_half *h, uint32_t stamp)
{
	return h->flags & STAMPED && ahead_of(stamp, h->stamp) < 0;
}

/* An end ahead of bytes that went on: a receiver that has not got those would take it for the end. */
static bool is_early(const struct stream_half *h, uint32_t to)
{
	return ahead_of(to, h->flags & ENDED ? h->fin : kept_to(h)) < 0 &&
	       ahead_of(to, h->acked) >= 0;
}

/* Writes what no piece holds yet of [from, to): the first copy stays. */
static void fill(struct stream_half *h, uint32_t from, uint32_t to, const uint8_t *data)
{
	uint32_t at = later(from, h->next);

	for (unsigned i = 0; i <= h->ahead_count && ahead_of(to, at) > 0; i++) {
		bool piece = i < h->ahead_count;
		uint32_t stop = piece ? earlier(to, h->ahead[i].from) : to;

		if (ahead_of(stop, at) > 0)
			memcpy(h->buf + (at - h->base), data + (at - from), stop - at);
		if (piece)
			at = later(at, h->ahead[i].to);
	}
}

/* The piece [from, to) joins those it touches. False where there are too many apart. */
static __attribute__((cold)) bool mark(struct stream_half *h, struct stream_pool *pool,
				       uint32_t from, uint32_t to)
{
	unsigned i = 0, n;

	while (i < h->ahead_count && ahead_of(from, h->ahead[i].to) > 0)
		i++;
	for (n = i; n < h->ahead_count && ahead_of(h->ahead[n].from, to) <= 0; n++) {
		from = earlier(from, h->ahead[n].from);
		to = later(to, h->ahead[n].to);
	}
	if (n == i && !has_place(h, pool))
		return false;
	memmove(&h->ahead[i + 1], &h->ahead[n], (h->ahead_count - n) * sizeof(h->ahead[0]));
	h->ahead_count = (uint8_t)(h->ahead_count - (n - i) + 1);
	h->ahead[i].from = from;
	h->ahead[i].to = to;
	return true;
}

/* New bytes behind a hole. */
static __attribute__((cold)) bool keep_ahead(struct stream_half *h, struct stream_pool *pool,
					     uint32_t from, uint32_t to, const uint8_t *data)
{
	if (reserve(h, pool, later(to, kept_to(h))) < 0)
		return false;
	fill(h, from, to, data); /* what is not marked does not count */
	return mark(h, pool, from, to);
}

/* Is more on its way than may be kept of an end? */
static bool is_too_far(const struct stream_half *h, const struct stream_pool *pool, uint32_t to)
{
	return is_waiting(h) && later(to, kept_to(h)) - h->base > pool->half_max;
}

/* New bytes in order. Where nothing is kept they stay in the packet until stream_done(). */
static bool append(struct stream_half *h, struct stream_pool *pool, uint32_t from, uint32_t to,
		   const uint8_t *data)
{
	if (h->places && to - h->base > pool->half_max)
		forget(h, pool);
	if (h->buf && !h->places && reserve(h, pool, later(to, kept_to(h))) < 0) {
		if (h->ahead_count || h->read != h->next || is_too_far(h, pool, to))
			return false;
		forget(h, pool);
		release(h, pool);
	}
	if (h->buf && !h->places)
		fill(h, from, to, data);
	h->next = to;
	join(h);
	return true;
}

static enum stream_said take_new(struct stream_half *h, struct stream_pool *pool, uint32_t from,
				 uint32_t to, const uint8_t *data)
{
	bool room = ahead_of(from, h->next) > 0 ? keep_ahead(h, pool, from, to, data)
						: append(h, pool, from, to, data);

	if (room)
		return STREAM_TAKEN;
	if (h->buf && is_too_far(h, pool, to))
		return STREAM_LATER;
	pool->refused++;
	return STREAM_FULL;
}

/* Does the piece add anything to what is there? */
static bool is_new(const struct stream_half *h, uint32_t from, uint32_t to)
{
	if (ahead_of(to, h->next) <= 0)
		return false;
	for (unsigned i = 0; i < h->ahead_count; i++)
		if (ahead_of(from, h->ahead[i].from) >= 0 && ahead_of(to, h->ahead[i].to) <= 0)
			return false;
	return true;
}

/* A sender repeats what is missing first: one that repeats what is behind it has that confirmed, but
 * nobody here heard it. */
static __attribute__((cold)) enum stream_said unproven_said(struct stream_half *h,
							    enum stream_said said, bool oneway)
{
	h->again = said == STREAM_TAKEN ? 0 : (uint8_t)(h->again + oneway);
	return h->again < AGAIN ? STREAM_UNPROVEN : STREAM_STUCK;
}

/* What the packet says of what went on before: nothing new, or something else. */
static enum stream_said compare(const struct stream_half *h, const struct packet *p, uint32_t from,
				uint32_t to)
{
	bool early = p->tcp_flags & TCP_FIN && is_early(h, to);

	if (early || differs(h, from, to, p->payload.data))
		return STREAM_CONFLICT;
	return is_unverified(h, from, to) ? STREAM_UNVERIFIED : STREAM_REPEATED;
}

/* Its receiver does not take it; a copy that was long on its way only says again what was said. */
static __attribute__((cold)) enum stream_said stale_said(const struct stream_half *h,
							 const struct packet *p, uint32_t from,
							 uint32_t to, enum stream_said said)
{
	bool ends = p->tcp_flags & TCP_FIN && !(h->flags & ENDED);

	return ends || is_new(h, from, to) || said != STREAM_REPEATED ? STREAM_OUTSIDE : said;
}

/* Is more asked of what lies in the file than that it goes on in order? */
static bool must_fetch(const struct stream_half *h, uint32_t from, uint32_t to)
{
	return ahead_of(from, h->next) > 0 ||
	       ahead_of(earlier(to, h->next), later(from, h->acked)) > 0;
}

/* Whom nobody hears may say more than numbers can tell apart: it began no further behind than that. */
static __attribute__((cold)) void begin_later(struct stream_half *h)
{
	if (ahead_of(h->base, h->acked) > FAR)
		h->acked = h->base - FAR / 2;
}

enum stream_said stream_take(struct stream *s, struct stream_pool *pool, const struct flow *f,
			     const struct packet *p, unsigned end)
{
	struct stream_half *h = &s->half[end];
	uint32_t from = p->tcp_seq + !!(p->tcp_flags & TCP_SYN);
	uint32_t to = from + (uint32_t)p->payload.len;
	uint32_t stamp;
	bool unproven, ends, stamped = tcp_stamp(p, &stamp);
	enum stream_said said;

	if (!(h->flags & KNOWN))
		begin(h, from);
	if (__builtin_expect(!(h->flags & PROVEN), 0))
		begin_later(h);
	if (!tcp_in_window(f, p, end) || (h->flags & ENDED && ahead_of(to, h->fin) > 0))
		return STREAM_OUTSIDE;
	if (h->places && must_fetch(h, from, to))
		fetch(h, pool);
	said = compare(h, p, from, to);
	/* Whoever enforces need not know whether it is taken: it is the only copy. A network may be
	 * late with it, and its sender did nothing. */
	if (__builtin_expect(stamped && is_stale(h, stamp), 0) && !(h->flags & WAITS))
		return stale_said(h, p, from, to, said);
	/* It goes no further: its receiver gets nothing of it. */
	if (said == STREAM_CONFLICT && h->flags & WAITS)
		return said;
	if (stamped && ahead_of(from, h->next) <= 0) {
		h->stamp = stamp;
		h->flags |= STAMPED;
	}
	ends = p->tcp_flags & TCP_FIN && !(h->flags & ENDED) && ahead_of(to, kept_to(h)) >= 0;
	unproven = !(h->flags & PROVEN) && p->payload.len &&
		   (ahead_of(from, h->next) > 0 || ahead_of(from, h->acked) < 0);
	if (stream_is_oneway(f, end) && h->read - h->base > ONEWAY)
		forget(h, pool);
	if (p->payload.len && is_new(h, from, to)) {
		enum stream_said new = take_new(h, pool, from, to, p->payload.data);

		if (new != STREAM_TAKEN)
			return new;
		said = said == STREAM_REPEATED ? STREAM_TAKEN : said;
	}
	if (ends) {
		h->fin = to;
		h->flags |= ENDED;
		said = said == STREAM_REPEATED ? STREAM_TAKEN : said;
	}
	if (__builtin_expect(unproven, 0) && (said == STREAM_TAKEN || said == STREAM_REPEATED))
		return unproven_said(h, said,
				     stream_is_oneway(f, end) && ahead_of(from, h->next) > 0);
	return said;
}

struct bytes stream_ready(const struct stream *s, const struct packet *p, unsigned end)
{
	const struct stream_half *h = &s->half[end];
	uint32_t from = p->tcp_seq + !!(p->tcp_flags & TCP_SYN), len = h->next - h->read;

	if (!len)
		return (struct bytes){p->payload.data, 0};
	if (h->buf && !h->places)
		return (struct bytes){h->buf + (h->read - h->base), len};
	return (struct bytes){p->payload.data + (h->read - from), len};
}

int stream_done(struct stream *s, struct stream_pool *pool, const struct packet *p, unsigned end,
		size_t used, bool blind)
{
	struct stream_half *h = &s->half[end];
	uint32_t from = p->tcp_seq + !!(p->tcp_flags & TCP_SYN);
	uint32_t kept = placed_to(h), fresh = later(kept, from);
	const uint8_t *data;

	h->read += (uint32_t)used;
	if ((h->buf && !h->places) || kept == h->next) {
		trim(h, pool);
		return 0;
	}
	if (!h->buf && blind && h->read == h->next && !(h->flags & FORGOT)) {
		h->base = h->next;
		return 0;
	}
	if (!h->buf)
		h->base = fresh;
	data = p->payload.data + (fresh - from);
	if (p->place && put_place(h, pool, p->place + (uint64_t)(data - p->frame.data))) {
		trim(h, pool);
		return 0;
	}
	if (h->places) {
		fetch(h, pool);
		h->base = h->buf ? h->base : fresh;
	}
	if (reserve(h, pool, h->next) == 0) {
		memcpy(h->buf + (fresh - h->base), data, h->next - fresh);
		trim(h, pool);
		return 0;
	}
	h->base = h->next;
	h->flags |= FORGOT;
	if (h->read == h->next)
		return 0;
	h->read = h->next;
	return -ENOBUFS;
}

bool stream_is_proven(const struct stream *s, unsigned end)
{
	return s->half[end].flags & PROVEN;
}

uint32_t stream_next(const struct stream *s, const struct packet *p, unsigned end)
{
	return s->half[end].flags & KNOWN ? s->half[end].next : p->tcp_seq;
}

bool stream_is_settled(const struct stream *s)
{
	return ahead_of(s->half[0].acked, kept_to(&s->half[0])) >= 0 &&
	       ahead_of(s->half[1].acked, kept_to(&s->half[1])) >= 0;
}

bool stream_is_over(const struct stream *s, const struct flow *f)
{
	return stream_ended(s, 0) && f->tcp_acked[0] == s->half[0].fin + 1 && stream_ended(s, 1) &&
	       f->tcp_acked[1] == s->half[1].fin + 1;
}

bool stream_ended(const struct stream *s, unsigned end)
{
	const struct stream_half *h = &s->half[end];

	return h->flags & ENDED && h->next == h->fin;
}
