#include "guard/mirror.h"

#include <stdlib.h>
#include <string.h>

#define KEPT  64 /* what came last: a copy is right behind */
#define SLOTS 256

struct seen {
	uint64_t time_ns, mark;
	uint8_t macs[12];
	uint16_t len, vlan;
	bool again;
	uint8_t data[MIRROR_LEN];
};

struct mirror {
	unsigned next;
	uint8_t at[SLOTS]; /* in `kept`, by mark: what has the same one makes room */
	struct seen kept[KEPT];
};

struct mirror *mirror_new(void)
{
	return calloc(1, sizeof(struct mirror));
}

void mirror_free(struct mirror *m)
{
	free(m);
}

/* What pads the frame, and a tag that only one of the ports has, is not of it. */
static struct bytes said(const struct packet *p)
{
	const uint8_t *b = p->l3.len ? p->l3.data : p->frame.data;
	const uint8_t *end = p->l4.data	 ? p->l4.data + p->l4.len
			     : p->l3.len ? p->l3.data + p->l3.len
					 : p->frame.data + p->frame.len;

	return (struct bytes){b, (size_t)(end - b)};
}

#define HOPS_V4	  8 /* where they stand; the checksum behind them */
#define CHECKSUM  10
#define BEHIND_V4 12
#define HOPS_V6	  7

/* The heads of IP, with its number and without its hops, and of UDP, with its sum: seldom the same,
 * and quickly found. */
static uint64_t mark_of(const struct packet *p, struct bytes b)
{
	uint64_t head[2] = {0, 0};

	memcpy(&head[0], b.data, b.len < HOPS_V6 ? b.len : HOPS_V6);
	if (p->l4.len >= 8)
		memcpy(&head[1], p->l4.data, 8);
	return (head[0] * 0x9e3779b97f4a7c15 ^ head[1]) * 0xc2b2ae3d27d4eb4f;
}

static bool is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= MIRROR_NS;
}

static uint16_t vlan_of(const struct packet *p)
{
	return p->vlan_count ? p->vlan[0] : 0;
}

/* But for what every router changes. */
static bool is_a_hop_on(const struct seen *s, const struct packet *p, const uint8_t *b)
{
	size_t hops = p->ip_version == 4 ? HOPS_V4 : HOPS_V6;
	size_t behind = p->ip_version == 4 ? BEHIND_V4 : HOPS_V6 + 1;

	if (!p->ip_version || s->len < behind || abs(s->data[hops] - b[hops]) != 1 ||
	    memcmp(s->data, b, hops) != 0 || memcmp(s->data + behind, b + behind, s->len - behind))
		return false;
	return p->ip_version == 6 || s->data[hops + 1] == b[hops + 1]; /* the protocol */
}

/*
 * At the other side of a router: to and from others, but for that one, whose two sides have addresses
 * of their own, or are in two VLANs. Who takes and sends by one address in one network stands in the path.
 */
static bool is_routed(const struct seen *s, const struct packet *p, struct bytes b)
{
	bool on; /* `p` is what went on */
	const uint8_t *in, *out;

	if (!p->has_mac || memcmp(s->macs, p->src_mac, 6) == 0 ||
	    memcmp(s->macs + 6, p->dst_mac, 6) == 0 || !is_a_hop_on(s, p, b.data))
		return false;
	on = p->ttl < s->data[p->ip_version == 4 ? HOPS_V4 : HOPS_V6];
	in = on ? s->macs + 6 : p->dst_mac;
	out = on ? p->src_mac : s->macs;
	return s->vlan != vlan_of(p) || memcmp(in, out, 6) != 0;
}

static bool is_same(const struct seen *s, const struct packet *p, struct bytes b)
{
	if (s->len != b.len)
		return false;
	if (memcmp(s->macs, p->src_mac, 6) == 0 && memcmp(s->macs + 6, p->dst_mac, 6) == 0)
		return memcmp(s->data, b.data, b.len) == 0;
	return is_routed(s, p, b);
}

static void keep(struct mirror *m, uint8_t *at, uint64_t mark, const struct packet *p,
		 struct bytes b)
{
	struct seen *s = &m->kept[m->next];

	*at = (uint8_t)m->next;
	m->next = (m->next + 1) % KEPT;
	s->time_ns = p->time_ns;
	s->mark = mark;
	s->len = (uint16_t)b.len;
	s->vlan = vlan_of(p);
	s->again = false;
	memcpy(s->macs, p->src_mac, 6);
	memcpy(s->macs + 6, p->dst_mac, 6);
	memcpy(s->data, b.data, b.len);
}

bool mirror_is_copy(struct mirror *m, const struct packet *p)
{
	bool stream = p->proto == PROTO_TCP && p->has_ports && !p->fragment, copy;
	struct bytes b = said(p);
	struct seen *s;
	uint64_t mark;
	uint8_t *at;

	if (stream || p->frame.len < p->wire_len || b.len > MIRROR_LEN)
		return false;
	mark = mark_of(p, b);
	at = &m->at[mark >> 56];
	s = &m->kept[*at];
	if (s->mark != mark || !is_near(p->time_ns, s->time_ns) || !is_same(s, p, b)) {
		keep(m, at, mark, p, b);
		return false;
	}
	copy = !s->again;
	s->time_ns = p->time_ns;
	s->again = true;
	return copy;
}
