/*
 * Two mirrored ports, or two queues of a card, are captured each by itself: what one end of a
 * conversation said may stand in the file behind the answer to it. What confirms more than was seen
 * so far waits for it, and so does a datagram from the port of a service that nobody has asked yet;
 * what is confirmed or answered may be lost to the capture, so it does not wait for long.
 */
#include "guard/engine_internal.h"

#include <stdlib.h>

#include "guard/flow/tcp.h"

#define AWAIT_NS   5000000ull
#define AWAIT_MOST 32

struct awaiting {
	unsigned count;
	struct {
		struct frame frame;
		struct work work;
	} held[AWAIT_MOST]; /* as they came */
};

struct awaiting *awaiting_new(void)
{
	return calloc(1, sizeof(struct awaiting));
}

void awaiting_free(struct awaiting *a)
{
	free(a);
}

/* Of UDP, those that speak when they are asked: their clients choose a port each time. */
static bool is_service(uint16_t port)
{
	switch (port) {
	case 53:    /* DNS */
	case 123:   /* NTP */
	case 161:   /* SNMP */
	case 389:   /* LDAP */
	case 1812:  /* RADIUS */
	case 5060:  /* SIP */
	case 5683:  /* CoAP */
	case 5684:  /* and over DTLS */
	case 24005: /* IntelliVue */
	case 24105:
	case 47808: /* BACnet */
		return true;
	}
	return false;
}

static bool is_answer(const struct packet *p)
{
	return is_service(p->src_port) && p->dst_port >= 1024 && !is_service(p->dst_port);
}

static struct flow *look_up(const struct engine *e, struct work *w)
{
	struct flow *f = flow_peek(e->flows, &w->hint);

	if (f)
		return f;
	/* When it was looked for, what begins it was still to come. */
	flow_prefetch(e->flows, &w->hint);
	return flow_peek(e->flows, &w->hint);
}

static bool runs_ahead(const struct engine *e, struct work *w)
{
	const struct packet *p = &w->p;
	const struct flow *f;

	if (!p->has_ports || p->fragment)
		return false;
	if (p->proto == PROTO_UDP) {
		if (!is_answer(p))
			return false;
		f = look_up(e, w);
		return !f || (f->skewed && w->hint.sender != f->starter &&
			      f->packets[1] >= f->packets[0]);
	}
	if (p->proto != PROTO_TCP || !(p->tcp_flags & TCP_ACK))
		return false;
	f = look_up(e, w);
	if (!f) /* an answer to a SYN */
		return p->tcp_flags & (TCP_SYN | TCP_RST);
	return tcp_runs_ahead(f, p, w->hint.sender != f->starter);
}

static bool is_between_same(const struct flow_hint *a, const struct flow_hint *b)
{
	return a->hash == b->hash && memcmp(a->key.ip, b->key.ip, sizeof(a->key.ip)) == 0 &&
	       memcmp(a->key.port, b->key.port, sizeof(a->key.port)) == 0;
}

/* What the same end said behind something that waits, of the first `count` that do, waits as well. */
static bool must_wait(const struct engine *e, struct work *w, unsigned count)
{
	const struct awaiting *a = e->awaiting;

	for (unsigned i = 0; i < count; i++) {
		const struct flow_hint *h = &a->held[i].work.hint;

		if (h->sender == w->hint.sender && is_between_same(h, &w->hint))
			return true;
	}
	return runs_ahead(e, w);
}

static void release(struct engine *e, unsigned i)
{
	struct awaiting *a = e->awaiting;
	struct frame frame = a->held[i].frame;

	e->late = a->held[i].work;
	a->count--;
	memmove(&a->held[i], &a->held[i + 1], (a->count - i) * sizeof(a->held[0]));
	if (e->own_busy)
		engine_own_doors(e);
	engine_take(e, &frame, &e->late);
}

/* The answer to a SYN waits for it, and who sent that goes on already: it came before the file did. */
static void give_up(struct engine *e, const struct work *w)
{
	struct awaiting *a = e->awaiting;

	for (unsigned i = 0; i < a->count; i++) {
		const struct work *h = &a->held[i].work;

		if (h->hint.sender != w->hint.sender && tcp_answers(&h->p) &&
		    !(w->p.tcp_flags & TCP_SYN) && is_between_same(&h->hint, &w->hint)) {
			release(e, i);
			engine_awaited(e, false);
			return;
		}
	}
}

bool engine_await(struct engine *e, const struct frame *f, struct work *w)
{
	struct awaiting *a = e->awaiting;

	/* Who stands in the path has what comes by in its order, and does not see what he dropped. */
	if (e->o.inline_)
		return false;
	if (a->count)
		give_up(e, w);
	if (!must_wait(e, w, a->count))
		return false;
	if (a->count == AWAIT_MOST) {
		release(e, 0);
		engine_awaited(e, false);
		if (!must_wait(e, w, a->count))
			return false;
	}
	a->held[a->count].frame = *f;
	a->held[a->count].work = *w;
	a->held[a->count++].work.floor_hint.key = NULL; /* points into the other one */
	return true;
}

/* What a datagram waited for is there: so it will be with the next ones, clocks stay apart. */
static void mark_skewed(const struct engine *e, struct work *w)
{
	struct flow *f = w->p.proto == PROTO_UDP ? look_up(e, w) : NULL;

	if (f && w->hint.sender != f->starter)
		f->skewed = 1;
}

static bool is_over(uint64_t now_ns, uint64_t since_ns)
{
	return (now_ns > since_ns ? now_ns - since_ns : since_ns - now_ns) > AWAIT_NS;
}

void engine_awaited(struct engine *e, bool all)
{
	struct awaiting *a = e->awaiting;
	unsigned i = 0;

	while (i < a->count) {
		struct work *w = &a->held[i].work;

		if (!all && !is_over(e->wall_ns, w->p.time_ns)) {
			if (must_wait(e, w, i)) {
				i++;
				continue;
			}
			mark_skewed(e, w);
		}
		release(e, i);
		i = 0; /* others may have waited for it */
	}
}
