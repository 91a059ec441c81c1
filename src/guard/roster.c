#include "guard/roster.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

/* Open addressing over indexes into the policy's own rows, one more than the index; 0 is free. */
struct index {
	uint32_t *slots;
	uint32_t mask;
};

struct roster {
	const struct policy_mac_row *macs;
	const struct policy_ip_row *ips;
	const struct policy_port_row *ports;
	uint32_t port_count, segments;
	struct index by_mac, by_ip;
	struct hash_key key;
};

static int index_new(struct index *x, uint32_t rows)
{
	uint32_t slots = 2;

	while (slots < rows * 2)
		slots <<= 1;
	x->mask = slots - 1;
	x->slots = calloc(slots, sizeof(*x->slots));
	return x->slots ? 0 : -ENOMEM;
}

static void index_put(struct index *x, uint64_t hash, uint32_t row)
{
	uint32_t at = (uint32_t)hash & x->mask;

	while (x->slots[at])
		at = (at + 1) & x->mask;
	x->slots[at] = row + 1;
}

static void fill(struct roster *r, uint32_t mac_count, uint32_t ip_count)
{
	for (uint32_t i = 0; i < mac_count; i++)
		index_put(&r->by_mac, hash_bytes(&r->key, &r->macs[i].key, sizeof(r->macs[i].key)),
			  i);
	for (uint32_t i = 0; i < ip_count; i++)
		index_put(&r->by_ip, hash_bytes(&r->key, &r->ips[i].key, sizeof(r->ips[i].key)), i);
	for (uint32_t i = 0; i < r->port_count; i++)
		if (r->ports[i].port.segment >= r->segments)
			r->segments = r->ports[i].port.segment + 1;
}

struct roster *roster_new(const struct policy *p)
{
	struct roster *r = calloc(1, sizeof(*r));
	uint32_t mac_count, ip_count;

	if (!r)
		return NULL;
	r->macs = policy_macs(p, &mac_count);
	r->ips = policy_ips(p, &ip_count);
	r->ports = policy_ports(p, &r->port_count);
	r->key = hash_key_random();
	if (index_new(&r->by_mac, mac_count) < 0 || index_new(&r->by_ip, ip_count) < 0) {
		roster_free(r);
		errno = ENOMEM;
		return NULL;
	}
	fill(r, mac_count, ip_count);
	return r;
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	free(r->by_mac.slots);
	free(r->by_ip.slots);
	free(r);
}

const struct gate_bind *roster_mac(const struct roster *r, uint32_t segment, const uint8_t mac[6])
{
	struct gate_mac_key k = {.segment = segment};
	uint32_t at;

	memcpy(k.mac, mac, 6);
	at = (uint32_t)hash_bytes(&r->key, &k, sizeof(k)) & r->by_mac.mask;
	for (; r->by_mac.slots[at]; at = (at + 1) & r->by_mac.mask) {
		const struct policy_mac_row *row = &r->macs[r->by_mac.slots[at] - 1];

		if (memcmp(&row->key, &k, sizeof(k)) == 0)
			return &row->bind;
	}
	return NULL;
}

const struct gate_bind *roster_ip(const struct roster *r, uint32_t segment,
				  const struct gate_ip *ip)
{
	struct gate_ip_key k = {.segment = segment, .ip = *ip};
	uint32_t at = (uint32_t)hash_bytes(&r->key, &k, sizeof(k)) & r->by_ip.mask;

	for (; r->by_ip.slots[at]; at = (at + 1) & r->by_ip.mask) {
		const struct policy_ip_row *row = &r->ips[r->by_ip.slots[at] - 1];

		if (memcmp(&row->key, &k, sizeof(k)) == 0)
			return &row->bind;
	}
	return NULL;
}

const struct gate_port *roster_port(const struct roster *r, uint32_t ifindex)
{
	for (uint32_t i = 0; i < r->port_count; i++)
		if (r->ports[i].ifindex == ifindex)
			return &r->ports[i].port;
	return NULL;
}

static bool is_device(const struct gate_bind *b)
{
	return b && b->peer & GATE_PEER_DEVICE;
}

static bool owns(const struct roster *r, uint32_t segment, bool has_mac, const uint8_t mac[6],
		 const struct gate_ip *ip)
{
	return (has_mac && is_device(roster_mac(r, segment, mac))) ||
	       (ip && is_device(roster_ip(r, segment, ip)));
}

static uint32_t port_of(const struct roster *r, uint32_t segment, enum gate_side side)
{
	for (uint32_t i = 0; i < r->port_count; i++)
		if (r->ports[i].port.segment == segment && r->ports[i].port.side == side)
			return r->ports[i].ifindex;
	return 0;
}

uint32_t roster_place(const struct roster *r, const struct packet *p)
{
	const struct gate_ip *src = p->has_arp	    ? &p->arp.sender_ip
				    : p->ip_version ? &p->src_ip
						    : NULL;
	const struct gate_ip *dst = p->has_arp	    ? &p->arp.target_ip
				    : p->ip_version ? &p->dst_ip
						    : NULL;

	for (uint32_t s = 0; s < r->segments; s++)
		if (owns(r, s, p->has_mac, p->src_mac, src))
			return port_of(r, s, GATE_WARD);
	for (uint32_t s = 0; s < r->segments; s++)
		if (owns(r, s, p->has_mac, p->dst_mac, dst))
			return port_of(r, s, GATE_HOSPITAL);
	return port_of(r, 0, GATE_HOSPITAL);
}
