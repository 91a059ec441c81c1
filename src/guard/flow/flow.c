#include "guard/flow/flow_internal.h"

#include "base/pages.h"
#include "guard/flow/tcp.h"

#include <errno.h>
#include <stdlib.h>

const struct flow_timeouts flow_default_timeouts = {
	.tcp_new = 60,
	.tcp_established = 3600,
	.tcp_closed = 10,
	.udp_new = 30,
	.udp_established = 300,
	.icmp = 30,
	.other = 60,
};

static void free_tables(struct flow_table *t)
{
	pages_unmap(t->flows, t->flows_size);
	pages_unmap(t->buckets, t->buckets_size);
	free(t);
}

struct flow_table *flow_table_new(uint32_t max_flows, const struct flow_timeouts *timeouts,
				  flow_ended_fn ended, void *arg)
{
	struct flow_table *t;
	uint32_t buckets = 16;

	if (max_flows == 0 || max_flows > 1u << 28) {
		errno = EINVAL;
		return NULL;
	}
	while (buckets < max_flows / 4)
		buckets *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->flows_size = (max_flows + (size_t)1) * sizeof(*t->flows);
	t->buckets_size = buckets * sizeof(*t->buckets);
	t->flows = pages_map(&t->flows_size);
	t->buckets = pages_map(&t->buckets_size);
	if (!t->flows || !t->buckets) {
		free_tables(t);
		errno = ENOMEM;
		return NULL;
	}
	t->mask = buckets - 1;
	t->max = max_flows;
	t->grow_at = UINT32_MAX;
	t->used = 1;
	t->free = FLOW_NONE;
	t->key = hash_key_random();
	/* Unlike those of the table before a restart, and exact as a JSON number. */
	t->id = (t->key.k[0] ^ t->key.k[1]) >> 44 << 32;
	t->ended = ended;
	t->arg = arg;
	flow_idle_set_timeouts(t, timeouts ? timeouts : &flow_default_timeouts);
	return t;
}

void flow_table_end(struct flow_table *t, struct flow *f, enum flow_end how)
{
	if (how == FLOW_TIMEOUT && (f->state == TCP_CLOSED || f->state == TCP_RESET))
		how = FLOW_CLOSED;
	if (t->ended)
		t->ended(t->arg, f, how);
	flow_index_remove(t, f);
	flow_idle_unlink(t, f);
	f->key.kind = 0xff; /* matches no packet, and tells flow_each() */
	f->next = t->free;
	t->free = (uint32_t)(f - t->flows);
	t->count--;
}

/*
 * They are told of, and not taken out one by one of what is gone with them. The list is read
 * that far ahead that a flow is there when its turn comes, and so is its session.
 */
#define AHEAD 8
static void end_all(struct flow_table *t, const struct flow_idle_list *l)
{
	uint32_t far[AHEAD], next = l->head;
	unsigned turn = 0;

	for (unsigned i = 0; i < AHEAD; i++) {
		far[i] = next;
		if (next != FLOW_NONE)
			next = t->flows[next].idle_next;
	}
	while (far[turn % AHEAD] != FLOW_NONE) {
		struct flow *f = &t->flows[far[turn % AHEAD]];

		far[turn % AHEAD] = next;
		if (next != FLOW_NONE) {
			next = t->flows[next].idle_next;
			flow_fetch(t, next);
		}
		turn++;
		flow_fetch_session(&t->flows[far[(turn + AHEAD / 2) % AHEAD]]);
		t->ended(t->arg, f, FLOW_SHUTDOWN);
	}
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	for (unsigned c = 0; c < IDLE_CLASSES && t->ended; c++)
		end_all(t, &t->idle[c]);
	free_tables(t);
}

void flow_table_ask(struct flow_table *t, flow_stays_fn stays)
{
	t->stays = stays;
}

static struct flow *take(struct flow_table *t, uint64_t now_ns)
{
	struct flow *f;

	if (t->count == t->max)
		flow_table_end(t, flow_idle_worst(t, now_ns), FLOW_EVICTED);
	t->count++;
	if (t->free == FLOW_NONE) {
		f = &t->flows[t->used++];
		if (t->used <= t->max)
			flow_fetch(t, t->used); /* whoever is next finds it at hand */
		return f;
	}
	f = &t->flows[t->free];
	t->free = f->next;
	if (t->free != FLOW_NONE)
		flow_fetch(t, t->free);
	return f;
}

static struct flow *start(struct flow_table *t, const struct packet *p, const struct flow_hint *h)
{
	struct flow *f = take(t, p->time_ns);

	if (__builtin_expect(t->count > t->grow_at, 0)) {
		f->key.kind = 0xff; /* it is none yet */
		flow_index_grow(t);
	}
	memset(f, 0, sizeof(*f));
	f->key = h->key;
	f->hash = h->hash;
	flow_index_add(t, f);
	f->id = ++t->id;
	f->starter = h->sender ^ (t->of_file && tcp_answers(p));
	f->vlan_inner = p->vlan_count > 1 ? p->vlan[1] : 0;
	f->first_ns = f->last_ns = p->time_ns;
	f->rule = UINT32_MAX;
	f->idle = IDLE_CLASSES;
	return f;
}

/*
 * The reset of an end may have died on its way, and its SYN as well: that the other one has lost the
 * conversation is for it to say (tcp_begins_anew()), where anything of it comes by here.
 */
static bool is_its_own_word(const struct flow *f, unsigned end)
{
	return f->tcp_flags[end] & TCP_RST && f->packets[!end] && !f->session_reason;
}

/* The other end has all that this one said, to its last; else that it is over is for it to say, too. */
static bool is_confirmed(const struct flow *f, unsigned end)
{
	uint32_t acked;

	return tcp_confirmed(f, end, &acked) && acked == f->tcp_next[end];
}

static bool begins_anew(const struct flow *f, const struct packet *p, unsigned end)
{
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	return (f->state == TCP_CLOSED && is_confirmed(f, end)) ||
	       (f->state == TCP_RESET && !is_its_own_word(f, end));
}

/* Both ends lost the conversation, and the one that began it anew was not told here (RFC 9293
 * §3.5.1). Its SYN stays counted where it came by. */
static __attribute__((cold)) struct flow *renew(struct flow_table *t, struct flow *f,
						const struct packet *p, const struct flow_hint *h)
{
	const struct tcp_offer o = f->tcp_offer;

	flow_table_end(t, f, FLOW_CLOSED);
	f = start(t, p, h);
	f->starter = !h->sender;
	tcp_resume(f, &o);
	return f;
}

/* Packets of a file need not be in the order of their times. */
static void note_time(struct flow *f, uint64_t time_ns)
{
	if (time_ns >= f->last_ns)
		f->last_ns = time_ns;
	else if (time_ns < f->first_ns)
		f->first_ns = time_ns;
}

static void note_icmp(struct flow *f, const struct packet *p, uint8_t end)
{
	if (p->proto != PROTO_ICMP && p->proto != PROTO_ICMPV6)
		return;
	f->icmp_type[end] = p->icmp_type;
	f->icmp_code[end] = p->icmp_code;
}

struct flow *flow_find(struct flow_table *t, const struct packet *p, const struct flow_hint *h,
		       uint8_t *ret_end)
{
	struct flow *f = flow_index_find(t, h);
	anomaly_set before;
	uint8_t end;
	bool odd;

	if (!f && t->of_file)
		f = flow_index_across(t, h, p);
	if (f && __builtin_expect(begins_anew(f, p, h->sender != f->starter), 0)) {
		flow_table_end(t, f, FLOW_CLOSED);
		f = NULL;
	}
	if (!f)
		f = start(t, p, h);
	else if (__builtin_expect(tcp_begins_anew(f, p, h->sender != f->starter), 0))
		f = renew(t, f, p, h);
	end = h->sender != f->starter;
	note_time(f, p->time_ns);
	if (__builtin_expect(f->packets[end]++ == 0, 0))
		note_icmp(f, p, end);
	f->bytes[end] += p->wire_len;
	/* The line they are on is not looked at where nothing can come to it. */
	odd = p->anomalies || p->tcp_flags & TCP_RST;
	before = odd ? f->anomalies : 0;
	if (p->anomalies)
		f->anomalies |= p->anomalies;
	if (p->proto == PROTO_TCP && p->ip_version)
		tcp_track(f, p, end);
	t->fresh = odd ? f->anomalies & ~before : 0;
	flow_idle_touch(t, f, p->time_ns);
	*ret_end = end;
	return f;
}

anomaly_set flow_fresh(const struct flow_table *t)
{
	return t->fresh;
}

struct flow *flow_lookup(struct flow_table *t, const struct packet *p, uint32_t segment,
			 uint8_t *ret_end)
{
	struct flow_hint h;

	flow_hint(t, p, segment, &h);
	return flow_find(t, p, &h, ret_end);
}

uint32_t flow_count(const struct flow_table *t)
{
	return t->count;
}

void flow_each(struct flow_table *t, void (*fn)(void *arg, const struct flow *f), void *arg)
{
	for (uint32_t i = 1; i < t->used; i++)
		if (t->flows[i].key.kind == GATE_KEY_FLOW)
			fn(arg, &t->flows[i]);
}

const char *flow_state_name(const struct flow *f)
{
	switch (f->state) {
	case TCP_CLOSED:
	case TCP_RESET:
		return "closed";
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT:
		return "established";
	}
	return f->packets[0] && f->packets[1] && f->state != TCP_SYN_SENT &&
			       f->state != TCP_SYN_RECV
		       ? "established"
		       : "new";
}
