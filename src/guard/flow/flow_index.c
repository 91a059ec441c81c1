#include "guard/flow/flow_internal.h"

#include "base/pages.h"
#include "guard/flow/tcp.h"

#define FIRST_BUCKETS 32768u /* of a table that grows: one huge page */

void flow_index_add(struct flow_table *t, struct flow *f)
{
	struct flow_bucket *b = &t->buckets[f->hash & t->mask];
	uint32_t i = (uint32_t)(f - t->flows);

	for (unsigned s = 0; s < FLOW_SLOTS; s++)
		if (b->flow[s] == FLOW_NONE) {
			b->flow[s] = i;
			b->hash[s] = f->hash;
			return;
		}
	f->next = b->chain;
	b->chain = i;
}

__attribute__((cold)) void flow_index_grow(struct flow_table *t)
{
	uint32_t buckets = 2 * (t->mask + 1);
	size_t size = buckets * sizeof(*t->buckets);
	struct flow_bucket *b = pages_map(&size);

	t->grow_at = buckets < t->max / 4 ? buckets * 4 : UINT32_MAX;
	if (!b)
		return;
	pages_unmap(t->buckets, t->buckets_size);
	t->buckets = b;
	t->buckets_size = size;
	t->mask = buckets - 1;
	for (uint32_t i = 1; i < t->used; i++)
		if (t->flows[i].key.kind == GATE_KEY_FLOW)
			flow_index_add(t, &t->flows[i]);
}

void flow_table_grow(struct flow_table *t)
{
	size_t size = FIRST_BUCKETS * sizeof(*t->buckets);
	struct flow_bucket *b;

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

void flow_index_remove(struct flow_table *t, const struct flow *f)
{
	struct flow_bucket *b = &t->buckets[f->hash & t->mask];
	uint32_t i = (uint32_t)(f - t->flows), *at = &b->chain;

	for (unsigned s = 0; s < FLOW_SLOTS; s++)
		if (b->flow[s] == i) {
			b->flow[s] = FLOW_NONE;
			return;
		}
	while (*at != i)
		at = &t->flows[*at].next;
	*at = f->next;
}

/* Which slots hold this hash, a bit each; without a branch, since no predictor could know. */
static inline unsigned bucket_match(const struct flow_bucket *b, uint32_t hash)
{
	unsigned match = 0;

	for (unsigned s = 0; s < FLOW_SLOTS; s++)
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

struct flow *flow_index_find(const struct flow_table *t, const struct flow_hint *h)
{
	const struct flow_bucket *b = &t->buckets[h->hash & t->mask];
	uint32_t i;

	if (h->guess != FLOW_NONE && is_flow_of(&t->flows[h->guess], h))
		return &t->flows[h->guess];
	for (unsigned m = bucket_match(b, h->hash); m; m &= m - 1) {
		i = b->flow[__builtin_ctz(m)];
		if (i != FLOW_NONE && is_flow_of(&t->flows[i], h))
			return &t->flows[i];
	}
	for (i = b->chain; i != FLOW_NONE; i = t->flows[i].next)
		if (is_flow_of(&t->flows[i], h))
			return &t->flows[i];
	return NULL;
}

/*
 * A mirrored port may tag what goes one way only, and two of them show the two sides of a router.
 * Whose other end was seen alone so far, and who counts his bytes as it did, is in the same
 * conversation. Any other is none: addresses may be used in two VLANs.
 */
static bool is_across(const struct flow *f, const struct flow_hint *h, const struct packet *p)
{
	unsigned end = h->sender != f->starter;

	if (f->hash != h->hash || f->key.kind != h->key.kind || f->key.proto != h->key.proto ||
	    f->key.segment != h->key.segment ||
	    memcmp(f->key.ip, h->key.ip, sizeof(f->key.ip)) != 0 ||
	    memcmp(f->key.port, h->key.port, sizeof(f->key.port)) != 0)
		return false;
	return f->astride || !f->packets[end] || (p && tcp_is_repeated(f, p, end));
}

struct flow *flow_index_across(const struct flow_table *t, const struct flow_hint *h,
			       const struct packet *p)
{
	const struct flow_bucket *b = &t->buckets[h->hash & t->mask];
	struct flow *f = NULL;
	uint32_t i = b->chain;

	for (unsigned s = 0; !f && s < FLOW_SLOTS; s++)
		if (b->flow[s] != FLOW_NONE && is_across(&t->flows[b->flow[s]], h, p))
			f = &t->flows[b->flow[s]];
	for (; !f && i != FLOW_NONE; i = t->flows[i].next)
		if (is_across(&t->flows[i], h, p))
			f = &t->flows[i];
	if (f)
		f->astride = 1;
	return f;
}

void flow_key(const struct packet *p, uint32_t segment, struct gate_flow_key *ret_key,
	      uint8_t *ret_sender)
{
	*ret_sender = gate_flow_key_make(ret_key, segment, p->vlan_count ? p->vlan[0] : 0, p->proto,
					 &p->src_ip, p->src_port, &p->dst_ip, p->dst_port);
}

uint64_t flow_id(const struct gate_flow_key *key, uint64_t first_ns)
{
	static const struct hash_key fixed = {{0x6265647761726465, 0x6e20666c6f77206d}};

	return (hash_bytes(&fixed, key, sizeof(*key)) ^ first_ns * 0x9e3779b97f4a7c15) >> 11;
}

/* Of a file's the VLAN does not count: flow_index_across() looks under the same hash. */
static inline uint32_t hash_few(const struct flow_table *t, uint64_t w[2])
{
	if (!t->of_file)
		return (uint32_t)hash_bytes(&t->key, w, 2 * sizeof(*w));
	w[1] &= ~(0xffffull << 32);
	return hash_pairs(&t->pairs, w, 2);
}

static uint32_t hash_whole(const struct flow_table *t, const struct gate_flow_key *k)
{
	uint64_t w[HASH_PAIRS_MAX] = {0};

	_Static_assert(sizeof(*k) <= sizeof(w), "it fits");
	if (!t->of_file)
		return (uint32_t)hash_bytes(&t->key, k, sizeof(*k));
	memcpy(w, k, sizeof(*k));
	memset((char *)w + offsetof(struct gate_flow_key, vlan), 0, sizeof(k->vlan));
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
	ret_h->guess = FLOW_NONE;
	ret_h->opens = p->tcp_flags & TCP_SYN;
	ret_h->hash = hash_packet(t, p, ret_h);
}

void flow_prefetch_bucket(const struct flow_table *t, const struct flow_hint *h)
{
	__builtin_prefetch(&t->buckets[h->hash & t->mask]);
}

void flow_prefetch(const struct flow_table *t, struct flow_hint *h)
{
	const struct flow_bucket *b = &t->buckets[h->hash & t->mask];
	unsigned match = bucket_match(b, h->hash);
	const char *line;

	if (!match || b->flow[__builtin_ctz(match)] == FLOW_NONE)
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
	return h->guess == FLOW_NONE ? NULL : &t->flows[h->guess];
}

struct flow *flow_peek(struct flow_table *t, const struct flow_hint *h)
{
	struct flow *f = h->guess == FLOW_NONE ? NULL : &t->flows[h->guess];

	if (f && memcmp(&f->key, &h->key, sizeof(f->key)) == 0)
		return f;
	return f && t->of_file && is_across(f, h, NULL) ? f : NULL;
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
	struct flow_hint h = {.key = *key, .hash = hash_key_of(t, key), .guess = FLOW_NONE};

	return flow_index_find(t, &h);
}
