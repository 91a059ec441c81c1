#include "guard/flow/flow.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/pages.h"
#include "guard/flow/tcp.h"

#include <errno.h>
#include <stdlib.h>

#define NONE	      0	     /* no flow has this number: memory that was never touched names none */
#define FIRST_BUCKETS 32768u /* of a table that grows: one huge page */

/*
 * One list a timeout: in each, flows stand in the order they were last moved to its
 * tail. A flow whose timeout has become much longer stays where it is until that is
 * its turn: moving it costs cache misses on its neighbours.
 */
enum idle_class {
	IDLE_TCP_NEW,
	IDLE_TCP_ESTABLISHED,
	IDLE_TCP_CLOSED,
	IDLE_UDP_NEW,
	IDLE_UDP_ESTABLISHED,
	IDLE_ICMP,
	IDLE_OTHER,
	IDLE_CLASSES, /* also: in no list yet */
};

struct idle_list {
	uint32_t head, tail;
	uint64_t timeout_ns;
	uint64_t looked_ns,
		due_ns; /* from the one to the other the head, that still is, does not end */
};

/*
 * Whom a flow stands between in its list are two more that are not in the cache. So those that
 * are to be moved are gathered, and moved when what they need of memory has come.
 */
#define DUE    32
#define ASKED  4  /* of each list, when the table is full */
#define ROUNDS 16 /* of asking, until one of them may go */

/*
 * A cache line: the hashes tell, without a look at the flows, which of them it
 * is, so that the right one can be prefetched. What does not fit is chained.
 */
#define SLOTS 7
struct bucket {
	uint32_t hash[SLOTS];
	uint32_t flow[SLOTS]; /* NONE: free */
	uint32_t chain;
	uint32_t pad;
};

struct flow_table {
	struct flow *flows;
	struct bucket *buckets;
	size_t flows_size, buckets_size; /* bytes */
	uint32_t mask;			 /* buckets - 1 */
	uint32_t max, count;
	uint32_t grow_at; /* with so many flows it grows; above `max`: it does not */
	uint32_t free;	  /* of those once used; linked by `next` */
	uint32_t used;	  /* never used from here on: memory not touched yet */
	bool of_file;	  /* nobody sees what it does and answers to that: `pairs` is the key */
	struct hash_key key;
	struct hash_pairs_key pairs;
	uint64_t id;
	anomaly_set fresh;
	struct idle_list idle[IDLE_CLASSES];
	uint32_t due[DUE]; /* flows that are to be moved to the tail of their list */
	unsigned due_count;
	flow_ended_fn ended;
	flow_stays_fn stays; /* NULL: nobody is asked */
	void *arg;
};

const struct flow_timeouts flow_default_timeouts = {
	.tcp_new = 60,
	.tcp_established = 3600,
	.tcp_closed = 10,
	.udp_new = 30,
	.udp_established = 300,
	.icmp = 30,
	.other = 60,
};

static void set_timeouts(struct flow_table *t, const struct flow_timeouts *s)
{
	const uint32_t seconds[IDLE_CLASSES] = {
		[IDLE_TCP_NEW] = s->tcp_new,
		[IDLE_TCP_ESTABLISHED] = s->tcp_established,
		[IDLE_TCP_CLOSED] = s->tcp_closed,
		[IDLE_UDP_NEW] = s->udp_new,
		[IDLE_UDP_ESTABLISHED] = s->udp_established,
		[IDLE_ICMP] = s->icmp,
		[IDLE_OTHER] = s->other,
	};

	for (unsigned i = 0; i < IDLE_CLASSES; i++)
		t->idle[i] = (struct idle_list){
			.head = NONE, .tail = NONE, .timeout_ns = seconds[i] * NSEC_PER_SEC};
}

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
	t->free = NONE;
	t->key = hash_key_random();
	/* Unlike those of the table before a restart, and exact as a JSON number. */
	t->id = (t->key.k[0] ^ t->key.k[1]) >> 44 << 32;
	t->ended = ended;
	t->arg = arg;
	set_timeouts(t, timeouts ? timeouts : &flow_default_timeouts);
	return t;
}

static void idle_unlink(struct flow_table *t, struct flow *f)
{
	struct idle_list *l = &t->idle[f->idle];

	if (f->idle_prev == NONE) {
		l->head = f->idle_next;
		l->due_ns = 0;
		__builtin_prefetch(&t->flows[l->head].listed_ns); /* it is looked at soon */
	} else {
		t->flows[f->idle_prev].idle_next = f->idle_next;
	}
	if (f->idle_next == NONE)
		l->tail = f->idle_prev;
	else
		t->flows[f->idle_next].idle_prev = f->idle_prev;
}

static void idle_append(struct flow_table *t, struct flow *f, uint8_t class, uint64_t now_ns)
{
	struct idle_list *l = &t->idle[class];
	uint32_t i = (uint32_t)(f - t->flows);

	f->idle = class;
	f->listed_ns = now_ns;
	f->idle_prev = l->tail;
	f->idle_next = NONE;
	if (l->tail == NONE)
		l->head = i;
	else
		t->flows[l->tail].idle_next = i;
	l->tail = i;
}

static void bucket_insert(struct flow_table *t, struct flow *f)
{
	struct bucket *b = &t->buckets[f->hash & t->mask];
	uint32_t i = (uint32_t)(f - t->flows);

	for (unsigned s = 0; s < SLOTS; s++)
		if (b->flow[s] == NONE) {
			b->flow[s] = i;
			b->hash[s] = f->hash;
			return;
		}
	f->next = b->chain;
	b->chain = i;
}

/* Buckets for twice the flows; where there is no memory for them, more flows share one. */
static __attribute__((cold)) void grow(struct flow_table *t)
{
	uint32_t buckets = 2 * (t->mask + 1);
	size_t size = buckets * sizeof(*t->buckets);
	struct bucket *b = pages_map(&size);

	t->grow_at = buckets < t->max / 4 ? buckets * 4 : UINT32_MAX;
	if (!b)
		return;
	pages_unmap(t->buckets, t->buckets_size);
	t->buckets = b;
	t->buckets_size = size;
	t->mask = buckets - 1;
	for (uint32_t i = 1; i < t->used; i++)
		if (t->flows[i].key.kind == GATE_KEY_FLOW)
			bucket_insert(t, &t->flows[i]);
}

void flow_table_grow(struct flow_table *t)
{
	size_t size = FIRST_BUCKETS * sizeof(*t->buckets);
	struct bucket *b;

	if (t->count)
		return;
	t->of_file = true;
	t->pairs = hash_pairs_key_random();
	b = t->mask < FIRST_BUCKETS ? NULL : pages_map(&size);
	if (!b)
		return;
	pages_unmap(t->buckets, t->buckets_size);
	t->buckets = b;
	t->buckets_size = size;
	t->mask = FIRST_BUCKETS - 1;
	t->grow_at = FIRST_BUCKETS * 4;
}

static void bucket_remove(struct flow_table *t, const struct flow *f)
{
	struct bucket *b = &t->buckets[f->hash & t->mask];
	uint32_t i = (uint32_t)(f - t->flows), *at = &b->chain;

	for (unsigned s = 0; s < SLOTS; s++)
		if (b->flow[s] == i) {
			b->flow[s] = NONE;
			return;
		}
	while (*at != i)
		at = &t->flows[*at].next;
	*at = f->next;
}

/* Which slots hold this hash, a bit each; without a branch, since no predictor could know. */
static inline unsigned bucket_match(const struct bucket *b, uint32_t hash)
{
	unsigned match = 0;

	for (unsigned s = 0; s < SLOTS; s++)
		match |= (unsigned)(b->hash[s] == hash) << s;
	return match;
}

static inline bool is_flow_of(const struct flow *f, const struct flow_hint *h)
{
	const char *a = (const char *)&f->key, *b = (const char *)&h->key;
	uint64_t x[6], y[6];

	/* As words and at once: bytes of one key are almost never those of another. */
	_Static_assert(sizeof(h->key) == 44, "five words, and one that overlaps");
	memcpy(x, a, 40);
	memcpy(&x[5], a + 36, 8);
	memcpy(y, b, 40);
	memcpy(&y[5], b + 36, 8);
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (x[5] ^ y[5]));
}

static struct flow *bucket_find(const struct flow_table *t, const struct flow_hint *h)
{
	const struct bucket *b = &t->buckets[h->hash & t->mask];
	uint32_t i;

	if (h->guess != NONE && is_flow_of(&t->flows[h->guess], h))
		return &t->flows[h->guess];
	for (unsigned m = bucket_match(b, h->hash); m; m &= m - 1) {
		i = b->flow[__builtin_ctz(m)];
		if (i != NONE && is_flow_of(&t->flows[i], h))
			return &t->flows[i];
	}
	for (i = b->chain; i != NONE; i = t->flows[i].next)
		if (is_flow_of(&t->flows[i], h))
			return &t->flows[i];
	return NULL;
}

static void end_flow(struct flow_table *t, struct flow *f, enum flow_end how)
{
	if (how == FLOW_TIMEOUT && (f->state == TCP_CLOSED || f->state == TCP_RESET))
		how = FLOW_CLOSED;
	if (t->ended)
		t->ended(t->arg, f, how);
	bucket_remove(t, f);
	idle_unlink(t, f);
	f->key.kind = 0xff; /* matches no packet, and tells flow_each() */
	f->next = t->free;
	t->free = (uint32_t)(f - t->flows);
	t->count--;
}

static inline void fetch_flow(const struct flow_table *t, uint32_t i)
{
	for (unsigned line = 0; line < sizeof(*t->flows); line += 64)
		__builtin_prefetch((const char *)&t->flows[i] + line, 1);
}

static inline void fetch_session(const struct flow *f)
{
	if (!f->session)
		return;
	__builtin_prefetch(f->session, 1);
	__builtin_prefetch((const char *)f->session + 128, 1);
}

/* What the end of a flow needs that stands at the head of its list, or will. */
static inline void fetch_end(const struct flow_table *t, const struct flow *f)
{
	__builtin_prefetch(&t->buckets[f->hash & t->mask], 1);
	fetch_session(f);
	if (f->idle_next != NONE)
		fetch_flow(t, f->idle_next);
}

/* Many end one after the other: while one is told of, the next two are on their way from memory. */
static inline void fetch_next(const struct flow_table *t, const struct flow *f)
{
	if (f->idle_next != NONE)
		fetch_end(t, &t->flows[f->idle_next]);
}

/*
 * They are told of, and not taken out one by one of what is gone with them. The list is read
 * that far ahead that a flow is there when its turn comes, and so is its session.
 */
#define AHEAD 8
static void end_all(struct flow_table *t, const struct idle_list *l)
{
	uint32_t far[AHEAD], next = l->head;
	unsigned turn = 0;

	for (unsigned i = 0; i < AHEAD; i++) {
		far[i] = next;
		if (next != NONE)
			next = t->flows[next].idle_next;
	}
	while (far[turn % AHEAD] != NONE) {
		struct flow *f = &t->flows[far[turn % AHEAD]];

		far[turn % AHEAD] = next;
		if (next != NONE) {
			next = t->flows[next].idle_next;
			fetch_flow(t, next);
		}
		turn++;
		fetch_session(&t->flows[far[(turn + AHEAD / 2) % AHEAD]]);
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

/* Since when it is silent; a last packet that is yet to come, by a clock set back, says nothing. */
static uint64_t silent_since(const struct flow *f, uint64_t now_ns)
{
	return f->last_ns <= now_ns ? f->last_ns : f->listed_ns;
}

static uint8_t class_of(const struct flow *f)
{
	bool answered = f->packets[0] && f->packets[1];

	switch (f->key.proto) {
	case PROTO_TCP:
		if (f->state == TCP_CLOSED || f->state == TCP_RESET)
			return IDLE_TCP_CLOSED;
		if (f->state == TCP_ESTABLISHED || (f->state == TCP_MIDSTREAM && answered))
			return IDLE_TCP_ESTABLISHED;
		return IDLE_TCP_NEW;
	case PROTO_UDP:
		return answered ? IDLE_UDP_ESTABLISHED : IDLE_UDP_NEW;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return IDLE_ICMP;
	}
	return IDLE_OTHER;
}

/* Where the head of a list belongs into another by now it goes there. */
static bool moves_on(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	uint8_t class = class_of(f);

	if (class == f->idle)
		return false;
	idle_unlink(t, f);
	idle_append(t, f, class, now_ns);
	return true;
}

/* Should it go to the tail of a list: once a quarter of its timeout, and at once to a shorter one? */
static bool is_due(const struct flow_table *t, const struct flow *f, uint8_t class, uint64_t now_ns)
{
	uint64_t timeout = t->idle[f->idle].timeout_ns;

	return (class != f->idle && t->idle[class].timeout_ns / 8 < timeout) ||
	       now_ns - f->listed_ns > timeout / 4;
}

static void fetch_neighbour(const struct flow_table *t, uint32_t i)
{
	if (i != NONE)
		__builtin_prefetch(&t->flows[i].idle_prev, 1);
}

/* One may have ended meanwhile, another stand here twice: then it is not due any more. */
static void move_due(struct flow_table *t, uint64_t now_ns)
{
	for (unsigned i = 0; i < t->due_count; i++) {
		fetch_neighbour(t, t->flows[t->due[i]].idle_prev);
		fetch_neighbour(t, t->flows[t->due[i]].idle_next);
	}
	for (unsigned i = 0; i < t->due_count; i++) {
		struct flow *f = &t->flows[t->due[i]];
		uint8_t class = class_of(f);

		if (f->key.kind == GATE_KEY_FLOW && is_due(t, f, class, now_ns)) {
			idle_unlink(t, f);
			idle_append(t, f, class, now_ns);
		}
	}
	t->due_count = 0;
}

/* Who has been silent longest of a list and may go; NULL: none of those who were asked. */
static struct flow *idlest(struct flow_table *t, struct idle_list *l, uint64_t now_ns)
{
	for (unsigned asked = 0; l->head != NONE && asked < ASKED;) {
		struct flow *f = &t->flows[l->head];

		if (moves_on(t, f, now_ns))
			continue;
		if (!t->stays || !t->stays(t->arg, f, true))
			return f;
		asked++;
		idle_unlink(t, f);
		idle_append(t, f, f->idle, now_ns);
	}
	return NULL;
}

/* Where all that were asked have to stay, one goes all the same: memory is bounded. */
static struct flow *any_flow(struct flow_table *t)
{
	unsigned c = 0;

	while (t->idle[c].head == NONE)
		c++;
	return &t->flows[t->idle[c].head];
}

/* The one that has used up most of its timeout: a flood of openings goes before old talk. NULL: none of
 * those who were asked may go. */
static struct flow *find_worst(struct flow_table *t, uint64_t now_ns)
{
	struct flow *worst = NULL;
	double most = -1;

	for (unsigned c = 0; c < IDLE_CLASSES; c++) {
		struct idle_list *l = &t->idle[c];
		struct flow *f = idlest(t, l, now_ns);
		uint64_t since;
		double used;

		if (!f)
			continue;
		since = silent_since(f, now_ns);
		used = now_ns > since ? (double)(now_ns - since) / ((double)l->timeout_ns + 1) : 0;
		if (used > most) {
			most = used;
			worst = f;
		}
	}
	return worst;
}

/* Who was asked stands at the end of his list, so that each round asks others. */
static void evict(struct flow_table *t, uint64_t now_ns)
{
	struct flow *worst = NULL;

	move_due(t, now_ns);
	for (unsigned round = 0; round < ROUNDS && !worst; round++)
		worst = find_worst(t, now_ns);
	end_flow(t, worst ? worst : any_flow(t), FLOW_EVICTED);
}

static struct flow *take(struct flow_table *t, uint64_t now_ns)
{
	struct flow *f;

	if (t->count == t->max)
		evict(t, now_ns);
	t->count++;
	if (t->free == NONE) {
		f = &t->flows[t->used++];
		if (t->used <= t->max)
			fetch_flow(t, t->used); /* whoever is next finds it at hand */
		return f;
	}
	f = &t->flows[t->free];
	t->free = f->next;
	if (t->free != NONE)
		fetch_flow(t, t->free);
	return f;
}

static struct flow *start(struct flow_table *t, const struct packet *p, const struct flow_hint *h)
{
	struct flow *f = take(t, p->time_ns);

	if (__builtin_expect(t->count > t->grow_at, 0)) {
		f->key.kind = 0xff; /* it is none yet */
		grow(t);
	}
	memset(f, 0, sizeof(*f));
	f->key = h->key;
	f->hash = h->hash;
	bucket_insert(t, f);
	f->id = ++t->id;
	f->starter = h->sender;
	f->vlan_inner = p->vlan_count > 1 ? p->vlan[1] : 0;
	f->first_ns = f->last_ns = p->time_ns;
	f->rule = UINT32_MAX;
	f->idle = IDLE_CLASSES;
	return f;
}

void flow_key(const struct packet *p, uint32_t segment, struct gate_flow_key *ret_key,
	      uint8_t *ret_sender)
{
	*ret_sender = gate_flow_key_make(ret_key, segment, p->vlan_count ? p->vlan[0] : 0, p->proto,
					 &p->src_ip, p->src_port, &p->dst_ip, p->dst_port);
}

static inline uint32_t hash_few(const struct flow_table *t, const uint64_t w[2])
{
	return t->of_file ? hash_pairs(&t->pairs, w, 2)
			  : (uint32_t)hash_bytes(&t->key, w, 2 * sizeof(*w));
}

static uint32_t hash_whole(const struct flow_table *t, const struct gate_flow_key *k)
{
	uint64_t w[HASH_PAIRS_MAX] = {0};

	_Static_assert(sizeof(*k) <= sizeof(w), "it fits");
	if (!t->of_file)
		return (uint32_t)hash_bytes(&t->key, k, sizeof(*k));
	memcpy(w, k, sizeof(*k));
	return hash_pairs(&t->pairs, w, HASH_PAIRS_MAX);
}

/*
 * Of an IPv4 key only what differs: the rest would cost as much again. The words
 * come from the packet, since reading back a key that was just written in pieces
 * stalls.
 */
static inline uint32_t hash_packet(const struct flow_table *t, const struct packet *p,
				   const struct flow_hint *h)
{
	uint64_t src = p->src_ip.w[3], dst = p->dst_ip.w[3], w[2];
	uint32_t ports = h->sender ? (uint32_t)p->src_port << 16 | p->dst_port
				   : (uint32_t)p->dst_port << 16 | p->src_port;

	if (p->ip_version != 4)
		return hash_whole(t, &h->key);
	w[0] = h->sender ? dst << 32 | src : src << 32 | dst;
	w[1] = ports | (uint64_t)h->key.vlan << 32 | (uint64_t)p->proto << 48;
	w[1] ^= (uint64_t)h->key.segment << 56 | h->key.segment >> 8;
	return hash_few(t, w);
}

void flow_hint(const struct flow_table *t, const struct packet *p, uint32_t segment,
	       struct flow_hint *ret_h)
{
	flow_key(p, segment, &ret_h->key, &ret_h->sender);
	ret_h->guess = NONE;
	ret_h->opens = p->tcp_flags & TCP_SYN;
	ret_h->hash = hash_packet(t, p, ret_h);
}

void flow_prefetch_bucket(const struct flow_table *t, const struct flow_hint *h)
{
	__builtin_prefetch(&t->buckets[h->hash & t->mask]);
}

void flow_prefetch(const struct flow_table *t, struct flow_hint *h)
{
	const struct bucket *b = &t->buckets[h->hash & t->mask];
	unsigned match = bucket_match(b, h->hash);
	const char *line;

	if (!match || b->flow[__builtin_ctz(match)] == NONE)
		return;
	h->guess = b->flow[__builtin_ctz(match)];
	line = (const char *)&t->flows[h->guess];
	__builtin_prefetch(line);
	__builtin_prefetch(line + 64, 1);
	if (h->key.proto == PROTO_TCP)
		__builtin_prefetch(line + 128, 1);
	if (h->opens)
		__builtin_prefetch(line + 192, 1);
}

const struct flow *flow_guess(const struct flow_table *t, const struct flow_hint *h)
{
	return h->guess == NONE ? NULL : &t->flows[h->guess];
}

struct flow *flow_peek(struct flow_table *t, const struct flow_hint *h)
{
	struct flow *f = h->guess == NONE ? NULL : &t->flows[h->guess];

	return f && memcmp(&f->key, &h->key, sizeof(f->key)) == 0 ? f : NULL;
}

/* As hash_packet() makes it of a packet of either end. */
static uint32_t hash_key_of(const struct flow_table *t, const struct gate_flow_key *k)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint64_t w[2];

	if (memcmp(&k->ip[0], mapped, sizeof(mapped)) || memcmp(&k->ip[1], mapped, sizeof(mapped)))
		return hash_whole(t, k);
	w[0] = (uint64_t)k->ip[0].w[3] << 32 | k->ip[1].w[3];
	w[1] = ((uint32_t)k->port[1] << 16 | k->port[0]) | (uint64_t)k->vlan << 32 |
	       (uint64_t)k->proto << 48;
	w[1] ^= (uint64_t)k->segment << 56 | k->segment >> 8;
	return hash_few(t, w);
}

struct flow *flow_of_key(struct flow_table *t, const struct gate_flow_key *key)
{
	struct flow_hint h = {.key = *key, .hash = hash_key_of(t, key), .guess = NONE};

	return bucket_find(t, &h);
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

	end_flow(t, f, FLOW_CLOSED);
	f = start(t, p, h);
	f->starter = !h->sender;
	tcp_resume(f, &o);
	return f;
}

static void touch(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	uint8_t class = class_of(f);

	if (f->idle == IDLE_CLASSES) {
		idle_append(t, f, class, now_ns);
		return;
	}
	if (__builtin_expect(!is_due(t, f, class, now_ns), 1))
		return;
	if (t->due_count == DUE)
		move_due(t, now_ns);
	t->due[t->due_count++] = (uint32_t)(f - t->flows);
	__builtin_prefetch(&f->idle_prev, 1);
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
	struct flow *f = bucket_find(t, h);
	anomaly_set before;
	uint8_t end;
	bool odd;

	if (f && __builtin_expect(begins_anew(f, p, h->sender != f->starter), 0)) {
		end_flow(t, f, FLOW_CLOSED);
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
	touch(t, f, p->time_ns);
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

/* The clock was set back: what was listed in the future waits from now on. */
static bool stands_in_future(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	if (f->listed_ns <= now_ns)
		return false;
	idle_unlink(t, f);
	idle_append(t, f, f->idle, now_ns);
	return true;
}

/* Whoever is not forgotten need not be picked up in the middle of what he says. */
static bool stays(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	if (!t->stays || now_ns - silent_since(f, now_ns) > FLOW_STAYS_NS ||
	    !t->stays(t->arg, f, false))
		return false;
	f->stayed = true;
	idle_unlink(t, f);
	idle_append(t, f, f->idle, now_ns);
	return true;
}

/* Since when its time runs: one that stayed has it once more. */
static uint64_t runs_since(const struct flow *f, uint64_t now_ns)
{
	uint64_t since = silent_since(f, now_ns);

	return f->stayed && f->listed_ns > since ? f->listed_ns : since;
}

unsigned flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget)
{
	unsigned ended = 0;
	uint64_t since;

	move_due(t, now_ns);
	for (unsigned c = 0; c < IDLE_CLASSES; c++) {
		struct idle_list *l = &t->idle[c];

		if (now_ns >= l->looked_ns && now_ns < l->due_ns)
			continue;
		for (; budget && l->head != NONE; budget--) {
			struct flow *f = &t->flows[l->head];

			if (stands_in_future(t, f, now_ns))
				continue;
			since = runs_since(f, now_ns);
			if (now_ns - since < l->timeout_ns) {
				l->looked_ns = now_ns;
				l->due_ns = (since < f->listed_ns ? since : f->listed_ns) +
					    l->timeout_ns;
				fetch_end(t, f);
				break;
			}
			fetch_next(t, f);
			if (moves_on(t, f, now_ns) || stays(t, f, now_ns))
				continue;
			end_flow(t, f, FLOW_TIMEOUT);
			ended++;
		}
	}
	return ended;
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
