#include "guard/behaviour.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

#define WAYS	 4
#define ATTEMPTS (BEHAVIOUR_PORTS > BEHAVIOUR_HOSTS ? BEHAVIOUR_PORTS : BEHAVIOUR_HOSTS)

enum kind { KIND_PORTS = 1, KIND_HOSTS };

/* Compared as bytes: zero it first. */
struct probe_key {
	struct gate_ip source;
	struct gate_ip target; /* KIND_PORTS */
	uint32_t segment;
	uint16_t port; /* KIND_HOSTS */
	uint8_t proto;
	uint8_t kind;
};

struct probe {
	struct probe_key key;
	uint64_t since_ns;
	uint8_t count;
	bool found;
	uint32_t attempts[ATTEMPTS]; /* what varies; of IPv6 addresses hashes */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct probe) == 128, "a row is two cache lines");

struct source_key {
	struct gate_ip ip;
	uint32_t segment;
};

struct source {
	struct source_key key;
	uint64_t second_ns, flood_ns, held_ns;
	uint32_t packets;
	uint32_t reason; /* of the last finding, held since held_ns */
};

/* What is looked at before the rows themselves: a cache line tells which it is, or that it is none. */
struct set {
	uint32_t tag[WAYS]; /* of the keys' hashes; 0: free */
	uint64_t touched[WAYS];
} __attribute__((aligned(64)));

struct behaviour {
	struct probe *probes;
	struct source *sources;
	struct set *probe_sets, *source_sets;
	uint32_t mask;		   /* over sets of WAYS rows */
	uint64_t turn;		   /* rows are aged by it: times may be equal */
	struct hash_pairs_key key; /* whoever fills the rows pushes others out, hash or no hash */
};

/* Of cache lines. */
static void *lines_new(uint32_t count, size_t size)
{
	void *rows = aligned_alloc(64, count * size);

	return rows ? memset(rows, 0, count * size) : NULL;
}

struct behaviour *behaviour_new(uint32_t rows)
{
	struct behaviour *b = calloc(1, sizeof(*b));
	uint32_t sets = 1;

	while (sets * WAYS < rows)
		sets <<= 1;
	if (!b || !(b->probes = lines_new(sets * WAYS, sizeof(*b->probes))) ||
	    !(b->sources = calloc(sets * WAYS, sizeof(*b->sources))) ||
	    !(b->probe_sets = lines_new(sets, sizeof(struct set))) ||
	    !(b->source_sets = lines_new(sets, sizeof(struct set)))) {
		behaviour_free(b);
		errno = ENOMEM;
		return NULL;
	}
	b->mask = sets - 1;
	b->key = hash_pairs_key_random();
	return b;
}

void behaviour_free(struct behaviour *b)
{
	if (!b)
		return;
	free(b->probe_sets);
	free(b->source_sets);
	free(b->probes);
	free(b->sources);
	free(b);
}

/* Where a key is, or may be: its set, and its place there. */
struct place {
	struct set *set;
	uint32_t row; /* of the set's first */
	uint32_t tag;
};

static struct place place_of(const struct behaviour *b, struct set *sets, uint32_t hash)
{
	uint32_t set = hash & b->mask;

	return (struct place){&sets[set], set * WAYS, hash | 1};
}

static uint32_t probe_hash(const struct behaviour *b, const struct probe_key *k)
{
	uint64_t w[5];

	_Static_assert(sizeof(*k) == sizeof(w), "all of it");
	memcpy(w, k, sizeof(w));
	return hash_pairs(&b->key, w, 5);
}

static uint32_t source_hash(const struct behaviour *b, const struct source_key *k)
{
	uint64_t w[3] = {[2] = k->segment};

	memcpy(w, &k->ip, sizeof(k->ip));
	return hash_pairs(&b->key, w, 3);
}

static unsigned stalest(const struct set *s)
{
	unsigned way = 0;

	for (unsigned i = 1; i < WAYS; i++)
		if (s->touched[i] < s->touched[way])
			way = i;
	return way;
}

/* Which row of the set it is if it is one, else which one is to go. */
static unsigned way_of(const struct place *p)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (p->set->tag[i] == p->tag)
			return i;
	return stalest(p->set);
}

/* The places of two keys; their rows come from memory at once, not one after the other. */
static void probe_places(const struct behaviour *b, const struct probe_key keys[2],
			 struct place ret_p[2])
{
	for (unsigned n = 0; n < 2; n++) {
		ret_p[n] = place_of(b, b->probe_sets, probe_hash(b, &keys[n]));
		__builtin_prefetch(ret_p[n].set, 1);
	}
	for (unsigned n = 0; n < 2; n++) {
		const char *row = (const char *)&b->probes[ret_p[n].row + way_of(&ret_p[n])];

		__builtin_prefetch(row, 1);
		__builtin_prefetch(row + 64, 1);
	}
}

/* NULL where there is none; then *ret_way is the one to go. */
static struct probe *probe_find(const struct behaviour *b, const struct probe_key *k,
				const struct place *p, unsigned *ret_way)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (p->set->tag[i] == p->tag &&
		    !memcmp(&b->probes[p->row + i].key, k, sizeof(*k))) {
			*ret_way = i;
			return &b->probes[p->row + i];
		}
	*ret_way = stalest(p->set);
	return NULL;
}

static struct source *source_find(const struct behaviour *b, const struct source_key *k,
				  struct place *ret_p, unsigned *ret_way)
{
	struct place p = place_of(b, b->source_sets, source_hash(b, k));

	*ret_p = p;
	for (unsigned i = 0; i < WAYS; i++)
		if (p.set->tag[i] == p.tag && !memcmp(&b->sources[p.row + i].key, k, sizeof(*k))) {
			*ret_way = i;
			return &b->sources[p.row + i];
		}
	*ret_way = stalest(p.set);
	return NULL;
}

static struct source *source_get(struct behaviour *b, const struct gate_ip *ip, uint32_t segment,
				 uint64_t now_ns)
{
	struct source_key k = {.ip = *ip, .segment = segment};
	struct place at;
	unsigned way;
	struct source *s = source_find(b, &k, &at, &way);

	if (!s) {
		s = &b->sources[at.row + way];
		*s = (struct source){.key = k, .second_ns = now_ns};
		at.set->tag[way] = at.tag;
	}
	at.set->touched[way] = ++b->turn;
	return s;
}

static void hold(struct behaviour *b, const struct gate_ip *ip, uint32_t segment, enum reason why,
		 uint64_t now_ns)
{
	struct source *s = source_get(b, ip, segment, now_ns);

	s->reason = why;
	s->held_ns = now_ns;
}

enum reason behaviour_held(const struct behaviour *b, const struct gate_ip *ip, uint32_t segment,
			   uint64_t now_ns)
{
	struct source_key k = {.ip = *ip, .segment = segment};
	struct place at;
	unsigned way;
	const struct source *s = source_find(b, &k, &at, &way);

	if (!s || !s->reason || now_ns < s->held_ns || now_ns - s->held_ns >= BEHAVIOUR_HELD_NS)
		return REASON_NONE;
	return (enum reason)s->reason;
}

/* The two searches that one attempt is part of: its target's ports, and its port's targets. */
static void probe_keys(const struct gate_ip *source, const struct gate_ip *target, uint8_t proto,
		       uint16_t port, uint32_t segment, struct probe_key ret_keys[2])
{
	memset(ret_keys, 0, 2 * sizeof(*ret_keys));
	ret_keys[0].source = ret_keys[1].source = *source;
	ret_keys[0].segment = ret_keys[1].segment = segment;
	ret_keys[0].proto = ret_keys[1].proto = proto;
	ret_keys[0].kind = KIND_PORTS;
	ret_keys[0].target = *target;
	ret_keys[1].kind = KIND_HOSTS;
	ret_keys[1].port = port;
}

static uint32_t attempt_hash(const struct behaviour *b, uint8_t kind, const struct gate_ip *target,
			     uint16_t port)
{
	uint64_t w[2];

	if (kind == KIND_PORTS)
		return port;
	if (packet_ip_is_v4(target))
		return target->w[3];
	memcpy(w, target, sizeof(w));
	return hash_pairs(&b->key, w, 2);
}

/* Could this packet be somebody trying a door? A late answer, seen without its question, could not. */
static bool is_attempt(const struct packet *p)
{
	if (packet_ip_is_group(&p->dst_ip))
		return false;
	switch (p->proto) {
	case PROTO_TCP:
		return !(p->tcp_flags & (TCP_ACK | TCP_RST));
	case PROTO_UDP:
		return !(p->src_port < 1024 && p->dst_port >= 32768);
	case PROTO_ICMP:
		return p->icmp_type == 8;
	case PROTO_ICMPV6:
		return p->icmp_type == 128;
	default:
		return false;
	}
}

/* True where this attempt makes it a search. */
static bool probe_note(struct behaviour *b, const struct probe_key *k, const struct place *at,
		       uint32_t attempt, uint64_t now_ns)
{
	unsigned limit = k->kind == KIND_PORTS ? BEHAVIOUR_PORTS : BEHAVIOUR_HOSTS;
	unsigned way;
	struct probe *r = probe_find(b, k, at, &way);

	if (!r || now_ns < r->since_ns || now_ns - r->since_ns >= BEHAVIOUR_WINDOW_NS) {
		r = &b->probes[at->row + way];
		r->key = *k;
		r->since_ns = now_ns;
		r->count = 0;
		r->found = false;
		at->set->tag[way] = at->tag;
	}
	at->set->touched[way] = ++b->turn;
	if (r->found)
		return false;
	for (unsigned i = 0; i < r->count; i++)
		if (r->attempts[i] == attempt)
			return false;
	r->attempts[r->count++] = attempt;
	r->found = r->count >= limit;
	return r->found;
}

struct behaviour_finding behaviour_opened(struct behaviour *b, const struct packet *p,
					  uint32_t segment, uint64_t now_ns)
{
	struct behaviour_finding found = {REASON_NONE, 0};
	uint16_t port = p->has_ports && p->proto != PROTO_ICMP && p->proto != PROTO_ICMPV6
				? p->dst_port
				: 0;
	struct probe_key k[2];
	struct place at[2];

	if (!is_attempt(p))
		return found;
	probe_keys(&p->src_ip, &p->dst_ip, p->proto, port, segment, k);
	probe_places(b, k, at);
	if (port &&
	    probe_note(b, &k[0], &at[0], attempt_hash(b, KIND_PORTS, &p->dst_ip, port), now_ns))
		found = (struct behaviour_finding){REASON_SCAN_PORTS, BEHAVIOUR_PORTS};
	if (probe_note(b, &k[1], &at[1], attempt_hash(b, KIND_HOSTS, &p->dst_ip, port), now_ns))
		found = (struct behaviour_finding){REASON_SCAN_HOSTS, BEHAVIOUR_HOSTS};
	if (found.reason != REASON_NONE)
		hold(b, &p->src_ip, segment, found.reason, now_ns);
	return found;
}

void behaviour_answered(struct behaviour *b, const struct packet *p, uint32_t segment)
{
	uint16_t port = p->has_ports && p->proto != PROTO_ICMP && p->proto != PROTO_ICMPV6
				? p->src_port
				: 0;
	struct probe_key k[2];
	struct place at[2];

	if (p->proto == PROTO_TCP && p->tcp_flags & TCP_RST)
		return;
	probe_keys(&p->dst_ip, &p->src_ip, p->proto, port, segment, k);
	probe_places(b, k, at);
	for (unsigned n = 0; n < 2; n++) {
		uint32_t attempt = attempt_hash(b, k[n].kind, &p->src_ip, port);
		unsigned way;
		struct probe *r = probe_find(b, &k[n], &at[n], &way);

		for (unsigned i = 0; r && !r->found && i < r->count; i++)
			if (r->attempts[i] == attempt)
				r->attempts[i] = r->attempts[--r->count];
	}
}

struct behaviour_finding behaviour_unanswered(struct behaviour *b, const struct packet *p,
					      uint32_t segment, uint32_t packets, uint64_t now_ns)
{
	struct behaviour_finding found = {REASON_NONE, 0};
	struct source *s = source_get(b, &p->src_ip, segment, now_ns);

	if (now_ns < s->second_ns || now_ns - s->second_ns >= NSEC_PER_SEC) {
		s->second_ns = now_ns;
		s->packets = 0;
	}
	s->packets += packets;
	if (s->packets < BEHAVIOUR_FLOOD || s->packets - packets >= BEHAVIOUR_FLOOD)
		return found;
	if (s->flood_ns && now_ns >= s->flood_ns && now_ns - s->flood_ns < BEHAVIOUR_WINDOW_NS)
		return found;
	s->flood_ns = s->held_ns = now_ns;
	s->reason = REASON_FLOOD;
	return (struct behaviour_finding){REASON_FLOOD, s->packets};
}
