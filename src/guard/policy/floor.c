#include "guard/policy/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "guard/policy/cache.h"

#define LEARNED_MAX 16384
#define LENGTHS	    129 /* of prefixes */
#define ND_OPTIONS  8	/* as many as the kernel reads */

/*
 * Finds a row of a policy's table by its key, which every row begins with. A
 * slot holds half the hash and the row's number plus one.
 */
struct index {
	uint64_t *slots;
	uint32_t mask;
	const uint8_t *rows;
	size_t stride, key_size;
};

struct floor_tables {
	struct hash_key secret;
	uint32_t generation;
	const struct gate_device *devices;
	const struct gate_rule *rules;
	uint32_t device_count, rule_count;
	struct index ports, macs, ips, nets;
	struct policy_net_row *masked; /* the policy's nets without host bits */
	uint8_t lengths[LENGTHS];      /* those in use, longest first */
	unsigned length_count;
	const struct floor_hint *hint; /* of the packet that is on; NULL: none */
	struct cache *flows, *learned; /* they outlive a policy, */
	const struct doors *doors;     /* and so do these */
};

/* Doors that are open, in the order of their keys. */
struct doors {
	struct gate_grant_row rows[GATE_GRANTS];
	uint32_t count;
	uint64_t boot_ns; /* now */
};

static const void *index_find(const struct index *ix, const struct hash_key *secret,
			      const void *key)
{
	uint64_t hash, slot;
	uint32_t at;

	if (!ix->slots)
		return NULL;
	hash = hash_bytes(secret, key, ix->key_size);
	for (at = (uint32_t)hash & ix->mask; (slot = ix->slots[at]); at = (at + 1) & ix->mask) {
		const uint8_t *row = ix->rows + ((uint32_t)slot - 1) * ix->stride;

		if (slot >> 32 == hash >> 32 && memcmp(row, key, ix->key_size) == 0)
			return row;
	}
	return NULL;
}

static int index_build(struct index *ix, const struct hash_key *secret, const void *rows,
		       uint32_t count, size_t stride, size_t key_size)
{
	uint32_t size = 4;

	*ix = (struct index){.rows = rows, .stride = stride, .key_size = key_size};
	if (count == 0)
		return 0;
	while (size < 2 * (uint64_t)count)
		size *= 2;
	ix->slots = calloc(size, sizeof(*ix->slots));
	if (!ix->slots)
		return -ENOMEM;
	ix->mask = size - 1;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t hash = hash_bytes(secret, ix->rows + i * stride, key_size);
		uint32_t at = (uint32_t)hash & ix->mask;

		while (ix->slots[at])
			at = (at + 1) & ix->mask;
		ix->slots[at] = (hash >> 32 << 32) | (i + 1);
	}
	return 0;
}

/* ---- what bpf/floor.h asks for ---- */

#define FLOOR_ADD(ptr, n)		(*(ptr) += (n))
#define FLOOR_BYPASS(flow, sender, len) ((void)0) /* a guard counts what it sees itself */

static inline const struct gate_device *floor_device(struct floor_tables *t, __u32 id)
{
	return id < t->device_count ? &t->devices[id] : NULL;
}

static inline const struct gate_rule *floor_rule(struct floor_tables *t, __u32 i)
{
	return i < t->rule_count ? &t->rules[i] : NULL;
}

static inline const struct gate_bind *floor_mac(struct floor_tables *t,
						const struct gate_mac_key *key)
{
	const struct policy_mac_row *row = index_find(&t->macs, &t->secret, key);

	return row ? &row->bind : NULL;
}

static inline const struct gate_bind *floor_ip(struct floor_tables *t,
					       const struct gate_ip_key *key)
{
	const struct policy_ip_row *row = index_find(&t->ips, &t->secret, key);

	return row ? &row->bind : NULL;
}

static void mask_ip(struct gate_ip *ip, unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			ip->b[i] &= (uint8_t)(0xff00 >> keep);
	}
}

/* Longest prefix first: one look-up for every length that the policy uses. */
static inline const struct gate_net *floor_net(struct floor_tables *t,
					       const struct gate_net_key *key)
{
	for (unsigned i = 0; i < t->length_count; i++) {
		struct gate_net_key k = {.prefix_len = t->lengths[i], .ip = key->ip};
		const struct policy_net_row *row;

		if (k.prefix_len < 128)
			mask_ip(&k.ip, k.prefix_len);
		row = index_find(&t->nets, &t->secret, &k);
		if (row)
			return &row->net;
	}
	return NULL;
}

static inline uint64_t ip_hash(const struct cache *c, const struct gate_ip_key *key)
{
	return hash_bytes(&c->secret, key, sizeof(*key));
}

static inline bool is_ip4(const struct gate_ip *a)
{
	return !(a->w[0] | a->w[1]) && a->w[2] == htonl(0xffff);
}

/* Of IPv4 only what differs: three words instead of six. */
static inline uint64_t flow_hash(const struct cache *c, const struct gate_flow_key *k)
{
	uint32_t few[6];

	if (!is_ip4(&k->ip[0]) || !is_ip4(&k->ip[1]))
		return hash_bytes(&c->secret, k, sizeof(*k));
	few[0] = k->ip[0].w[3];
	few[1] = k->ip[1].w[3];
	few[2] = (uint32_t)k->port[0] << 16 | k->port[1];
	few[3] = (uint32_t)k->vlan << 16 | (uint32_t)k->proto << 8 | k->kind;
	few[4] = k->segment;
	few[5] = 0;
	return hash_bytes(&c->secret, few, sizeof(few));
}

/* Comparing a key with one whose hash is known costs less than hashing it. */
static inline uint64_t known_hash(const struct floor_tables *t, const struct gate_flow_key *k)
{
	if (t->hint && !memcmp(t->hint->key, k, sizeof(*k)))
		return t->hint->hash;
	return flow_hash(t->flows, k);
}

static inline struct gate_learned *floor_learned(struct floor_tables *t,
						 const struct gate_ip_key *key)
{
	return cache_find(t->learned, ip_hash(t->learned, key), key, sizeof(*key),
			  sizeof(struct gate_learned));
}

static inline void floor_learn(struct floor_tables *t, const struct gate_ip_key *key,
			       const struct gate_learned *l)
{
	cache_add(t->learned, ip_hash(t->learned, key), key, sizeof(*key), l, sizeof(*l));
}

static inline struct gate_flow *floor_flow(struct floor_tables *t, const struct gate_flow_key *key)
{
	return cache_find(t->flows, known_hash(t, key), key, sizeof(*key),
			  sizeof(struct gate_flow));
}

static inline void floor_flow_add(struct floor_tables *t, const struct gate_flow_key *key,
				  const struct gate_flow *f)
{
	cache_add(t->flows, known_hash(t, key), key, sizeof(*key), f, sizeof(*f));
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct gate_grant_key));
}

static inline const struct gate_grant *floor_door(struct floor_tables *t,
						  const struct gate_grant_key *key)
{
	const struct gate_grant_row *row =
		bsearch(key, t->doors->rows, t->doors->count, sizeof(*t->doors->rows), by_key);

	return row ? &row->grant : NULL;
}

static inline __u64 floor_boot_ns(struct floor_tables *t)
{
	return t->doors->boot_ns;
}

#include "bpf/parse.h"

struct floor {
	struct floor_tables tables;
	struct cache flows, learned;
	struct doors doors;
	struct floor_work work;		    /* one packet at a time */
	const struct policy_port_row *port; /* the last packet's */
};

static void tables_free(struct floor_tables *t)
{
	free(t->ports.slots);
	free(t->macs.slots);
	free(t->ips.slots);
	free(t->nets.slots);
	free(t->masked);
}

static int build_nets(struct floor_tables *t, const struct policy *p)
{
	uint32_t count;
	const struct policy_net_row *nets = policy_nets(p, &count);
	bool used[LENGTHS] = {false};

	t->masked = calloc(count ? count : 1, sizeof(*t->masked));
	if (!t->masked)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		t->masked[i] = nets[i];
		mask_ip(&t->masked[i].key.ip, nets[i].key.prefix_len);
		used[nets[i].key.prefix_len] = true;
	}
	for (unsigned len = LENGTHS; len-- > 0;)
		if (used[len])
			t->lengths[t->length_count++] = (uint8_t)len;
	return index_build(&t->nets, &t->secret, t->masked, count, sizeof(*t->masked),
			   sizeof(struct gate_net_key));
}

static int tables_build(struct floor_tables *t, const struct policy *p)
{
	const void *rows;
	uint32_t count;
	int r;

	*t = (struct floor_tables){.secret = hash_key_random(), .generation = policy_generation(p)};
	t->devices = policy_devices(p, &t->device_count);
	t->rules = policy_rules(p, &t->rule_count);
	rows = policy_ports(p, &count);
	r = index_build(&t->ports, &t->secret, rows, count, sizeof(struct policy_port_row),
			sizeof(uint32_t));
	if (r)
		goto fail;
	rows = policy_macs(p, &count);
	r = index_build(&t->macs, &t->secret, rows, count, sizeof(struct policy_mac_row),
			sizeof(struct gate_mac_key));
	if (r)
		goto fail;
	rows = policy_ips(p, &count);
	r = index_build(&t->ips, &t->secret, rows, count, sizeof(struct policy_ip_row),
			sizeof(struct gate_ip_key));
	if (r)
		goto fail;
	r = build_nets(t, p);
	if (r)
		goto fail;
	return 0;
fail:
	tables_free(t);
	return r;
}

int floor_set_policy(struct floor *f, const struct policy *p)
{
	struct floor_tables t;
	int r = tables_build(&t, p);

	if (r)
		return r;
	t.flows = &f->flows;
	t.learned = &f->learned;
	t.doors = &f->doors;
	tables_free(&f->tables);
	f->tables = t;
	f->port = NULL;
	return 0;
}

struct floor *floor_new(const struct policy *p, uint32_t max_flows)
{
	struct floor *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	if (cache_init(&f->flows, max_flows, sizeof(struct gate_flow_key),
		       sizeof(struct gate_flow)) ||
	    cache_init(&f->learned, LEARNED_MAX, sizeof(struct gate_ip_key),
		       sizeof(struct gate_learned)) ||
	    floor_set_policy(f, p)) {
		floor_free(f);
		errno = ENOMEM;
		return NULL;
	}
	return f;
}

void floor_free(struct floor *f)
{
	if (!f)
		return;
	tables_free(&f->tables);
	cache_free(&f->flows);
	cache_free(&f->learned);
	free(f);
}

/* ---- a decoded packet as the floor wants it ---- */

/* Nobody can say for sure whose packet that is: refused, as the kernel does. */
static const anomaly_set broken =
	1ull << ANOMALY_ETHERNET_TRUNCATED | 1ull << ANOMALY_VLAN_TRUNCATED |
	1ull << ANOMALY_VLAN_TOO_MANY | 1ull << ANOMALY_IPV4_TRUNCATED |
	1ull << ANOMALY_IPV4_BAD_VERSION | 1ull << ANOMALY_IPV4_BAD_HEADER_LEN |
	1ull << ANOMALY_IPV4_BAD_TOTAL_LEN | 1ull << ANOMALY_IPV4_SOURCE_ROUTE |
	1ull << ANOMALY_IPV6_TRUNCATED | 1ull << ANOMALY_IPV6_BAD_VERSION |
	1ull << ANOMALY_IPV6_BAD_PAYLOAD_LEN | 1ull << ANOMALY_IPV6_EXT_TRUNCATED |
	1ull << ANOMALY_IPV6_EXT_TOO_MANY | 1ull << ANOMALY_TCP_TRUNCATED |
	1ull << ANOMALY_TCP_BAD_HEADER_LEN | 1ull << ANOMALY_UDP_TRUNCATED |
	1ull << ANOMALY_UDP_BAD_LEN | 1ull << ANOMALY_IPV6_EXT_ORDER |
	1ull << ANOMALY_IPV6_ROUTING_0 | 1ull << ANOMALY_ICMP_TRUNCATED |
	1ull << ANOMALY_ICMPV6_TRUNCATED | 1ull << ANOMALY_SCTP_TRUNCATED |
	1ull << ANOMALY_IPV6_FRAGMENT_NESTED;

/* RFC 4861 §4.6: options of type 1 and 2 name a hardware address. */
static void read_nd_options(struct floor_packet *fp, struct bytes options)
{
	struct reader r = reader_new(options.data, options.len);

	for (unsigned n = 0; reader_left(&r); n++) {
		uint8_t type = read_u8(&r), len = read_u8(&r);
		struct bytes body = read_bytes(&r, len ? len * 8u - 2 : 0);
		bool mac = type == 1 || type == 2;

		if (r.bad || len == 0 || n == ND_OPTIONS ||
		    (mac && (fp->flags & FLOOR_HAS_ND_MAC) &&
		     !floor_mac_equal(fp->said_mac, body.data))) {
			fp->flags |= FLOOR_ND_BROKEN;
			return;
		}
		if (!mac)
			continue;
		fp->flags |= FLOOR_HAS_ND_MAC;
		floor_mac_copy(fp->said_mac, body.data);
	}
}

static void read_nd(struct floor_packet *fp, const struct packet *p)
{
	static const uint8_t options_at[] = {8, 16, 24, 24, 40}; /* types 133 to 137 */
	size_t at = options_at[p->icmp_type - 133];

	if (p->l4.len < at) {
		fp->flags |= FLOOR_ND_BROKEN;
		return;
	}
	if (p->icmp_type == 135 || p->icmp_type == 136)
		memcpy(&fp->target, p->l4.data + 8, sizeof(fp->target));
	read_nd_options(fp, (struct bytes){p->l4.data + at, p->l4.len - at});
}

/* By the kernel's own reader: what an error may quote, and how much of it, is a matter of taste. */
static void read_quote(struct floor_packet *fp, const struct packet *p)
{
	if (p->embedded.data)
		parse_quote(fp, p->embedded.data, p->frame.data + p->frame.len);
}

static void read_icmp(struct floor_packet *fp, const struct packet *p)
{
	if (fp->flags & FLOOR_LATER)
		return;
	fp->icmp_type = p->icmp_type;
	if (floor_nd(fp))
		read_nd(fp, p);
	else if (floor_quotes(fp))
		read_quote(fp, p);
}

static void read_arp(struct floor_packet *fp, const struct packet *p)
{
	fp->flags |= FLOOR_IS_ARP;
	fp->arp_op = p->arp.op;
	fp->arp_sender = p->arp.sender_ip;
	fp->target = p->arp.target_ip;
	floor_mac_copy(fp->said_mac, p->arp.sender_mac);
}

/* A transport header that is cut because the first piece is so small. */
static const anomaly_set cut = 1ull << ANOMALY_TCP_TRUNCATED | 1ull << ANOMALY_UDP_TRUNCATED |
			       1ull << ANOMALY_ICMP_TRUNCATED | 1ull << ANOMALY_ICMPV6_TRUNCATED |
			       1ull << ANOMALY_SCTP_TRUNCATED | 1ull << ANOMALY_TCP_BAD_HEADER_LEN |
			       1ull << ANOMALY_UDP_BAD_LEN;

static bool is_tiny(const struct packet *p)
{
	return p->fragment && !p->fragment_offset && p->anomalies & 1ull << ANOMALY_FRAGMENT_TINY;
}

static void read_fragment(struct floor_packet *fp, const struct packet *p)
{
	fp->flags |= FLOOR_IS_FRAGMENT;
	fp->fragment_id = p->fragment_id;
	fp->fragment_offset = p->fragment_offset;
	if (p->fragment_offset)
		fp->flags |= FLOOR_LATER;
	else if (is_tiny(p))
		fp->flags |= FLOOR_TINY;
}

/* IP behind an IEEE 802.2 header (RFC 1042), which no stack in use sends on Ethernet: it goes by
 * what the kernel sees, a length in the place of a type. */
static bool is_disguised(const struct packet *p)
{
	return p->has_mac && p->l3.data == p->frame.data + 14 + 4 * p->vlan_count + 8;
}

void floor_read(const struct packet *p, struct floor_packet *fp)
{
	memset(fp, 0, sizeof(*fp));
	fp->len = p->wire_len;
	/* IEEE 802.3 behind a length is refused as what it is, whether or not that holds. */
	if ((p->anomalies & (is_tiny(p) ? broken & ~cut : broken)) &&
	    !(p->has_mac && (p->ethertype == 0 || is_disguised(p))))
		fp->flags |= FLOOR_BROKEN;
	floor_mac_copy(fp->src_mac, p->src_mac);
	floor_mac_copy(fp->dst_mac, p->dst_mac);
	fp->vlan = p->vlan_count ? p->vlan[0] : 0;
	if (is_disguised(p))
		return;
	fp->ethertype = p->ethertype;
	if (p->has_arp)
		read_arp(fp, p);
	fp->ip_version = p->ip_version;
	if (!p->ip_version)
		return;
	fp->src = p->src_ip;
	fp->dst = p->dst_ip;
	fp->proto = p->proto;
	fp->tcp_flags = p->tcp_flags;
	if (__builtin_expect(p->fragment, 0))
		read_fragment(fp, p);
	if (p->has_ports && !(fp->flags & FLOOR_LATER)) {
		fp->flags |= FLOOR_HAS_PORTS;
		fp->sport = p->src_port;
		fp->dport = p->dst_port;
	}
	if (floor_icmp_any(fp))
		read_icmp(fp, p);
}

static const uint8_t *mac_of(struct floor_tables *t, uint32_t segment, const struct gate_ip *ip)
{
	struct gate_ip_key key = {.segment = segment, .ip = *ip};
	const struct gate_bind *b = floor_ip(t, &key);

	return b && (b->flags & GATE_BIND_MAC) ? b->mac : NULL;
}

/*
 * A file without link headers says nothing about hardware addresses, a cooked one
 * nothing about the receiver's. Who is known by network address is then taken to have used the right one.
 */
static void lend_macs(struct floor_tables *t, struct floor_work *w, const struct packet *p)
{
	static const uint8_t none[6];
	const uint8_t *mac;

	if (!p->has_mac && (mac = mac_of(t, w->port.segment, &p->src_ip)))
		floor_mac_copy(w->packet.src_mac, mac);
	if (floor_mac_equal(w->packet.dst_mac, none) &&
	    (mac = mac_of(t, w->port.segment, &p->dst_ip)))
		floor_mac_copy(w->packet.dst_mac, mac);
}

#define FLOW_ENTRY CACHE_ENTRY(sizeof(struct gate_flow_key), sizeof(struct gate_flow))

void floor_hint(const struct floor *f, const struct gate_flow_key *key, struct floor_hint *ret_h)
{
	uint64_t hash = flow_hash(&f->flows, key);
	struct cache_place at = cache_place(&f->flows, hash);

	*ret_h = (struct floor_hint){key, hash, {at.bucket[0], at.bucket[1]}, at.tag, false};
	cache_prefetch_tags(&f->flows, &at, 0);
}

void floor_prefetch(const struct floor *f, struct floor_hint *h)
{
	struct cache_place at = {{h->bucket[0], h->bucket[1]}, h->tag};

	h->known = cache_prefetch(&f->flows, &at, 0, FLOW_ENTRY) != NULL;
	if (!h->known)
		cache_prefetch_tags(&f->flows, &at, 1);
}

void floor_prefetch_again(const struct floor *f, struct floor_hint *h)
{
	struct cache_place at = {{h->bucket[0], h->bucket[1]}, h->tag};

	if (!h->known)
		h->known = cache_prefetch(&f->flows, &at, 1, FLOW_ENTRY) != NULL;
}

void floor_judge_hinted(struct floor *f, const struct floor_hint *h, const struct packet *p,
			uint32_t ifindex, uint64_t now_ns, struct gate_verdict *ret_verdict)
{
	f->tables.hint = h;
	floor_judge(f, p, ifindex, now_ns, ret_verdict);
	f->tables.hint = NULL;
}

void floor_judge(struct floor *f, const struct packet *p, uint32_t ifindex, uint64_t now_ns,
		 struct gate_verdict *ret_verdict)
{
	struct floor_tables *t = &f->tables;
	struct floor_work *w = &f->work;
	const struct policy_port_row *port = f->port;

	if (!port || port->ifindex != ifindex)
		f->port = port = index_find(&t->ports, &t->secret, &ifindex);
	if (!port) { /* nobody's: the kernel drops it too, and only counts */
		*ret_verdict = (struct gate_verdict){.abi = GATE_ABI,
						     .ifindex = ifindex,
						     .peer = GATE_PEER_NONE,
						     .rule = ~0u,
						     .generation = t->generation,
						     .action = GATE_DROP,
						     .would = GATE_DROP};
		return;
	}
	w->port = port->port;
	w->ifindex = ifindex;
	w->generation = t->generation;
	w->now_ns = now_ns;
	floor_read(p, &w->packet);
	if (__builtin_expect(!p->has_mac | p->no_dst_mac, 0))
		lend_macs(t, w, p);
	floor_decide(t, w);
	*ret_verdict = w->verdict;
}

void floor_judge_sealed(struct floor *f, const struct packet *p, uint32_t ifindex, uint8_t link,
			uint64_t now_ns, struct gate_verdict *ret_verdict)
{
	f->work.sealed = link;
	floor_judge(f, p, ifindex, now_ns, ret_verdict);
	f->work.sealed = 0;
}

void floor_set_grants(struct floor *f, const struct gate_grant_row *rows, uint32_t count)
{
	if (count > GATE_GRANTS)
		count = GATE_GRANTS;
	if (count)
		memcpy(f->doors.rows, rows, count * sizeof(*rows));
	f->doors.count = count;
	qsort(f->doors.rows, count, sizeof(*rows), by_key);
}

void floor_set_boot(struct floor *f, uint64_t boot_ns)
{
	f->doors.boot_ns = boot_ns;
}

/* ---- a guard's own word ---- */
