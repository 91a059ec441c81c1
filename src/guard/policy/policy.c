#include "guard/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "guard/capture/gate.h"
#include "guard/policy/block.h"

static const size_t sizes[BLOCK_TABLES] = {
	[BLOCK_PORTS] = sizeof(struct policy_port_row),
	[BLOCK_DEVICES] = sizeof(struct gate_device),
	[BLOCK_RULES] = sizeof(struct gate_rule),
	[BLOCK_MACS] = sizeof(struct policy_mac_row),
	[BLOCK_IPS] = sizeof(struct policy_ip_row),
	[BLOCK_NETS] = sizeof(struct policy_net_row),
	[BLOCK_SERVICES] = sizeof(struct policy_service),
	[BLOCK_SHIELDS] = sizeof(struct policy_shield),
	[BLOCK_SEGMENT_NAMES] = sizeof(uint32_t),
	[BLOCK_HOST_NAMES] = sizeof(uint32_t),
	[BLOCK_DEVICE_NAMES] = sizeof(uint32_t),
	[BLOCK_DEVICE_PROFILES] = sizeof(uint32_t),
	[BLOCK_RULE_SERVICES] = sizeof(uint32_t),
	[BLOCK_RULE_MESSAGES] = sizeof(uint32_t),
	[BLOCK_STRINGS] = 1,
};

bool block_lay_out(struct policy *p)
{
	uint64_t at = sizeof(*p);

	for (int t = 0; t < BLOCK_TABLES; t++) {
		at = (at + 7) & ~7ull;
		if (at > BLOCK_MAX)
			return false;
		p->at[t] = (uint32_t)at;
		at += (uint64_t)p->count[t] * sizes[t];
	}
	if (at > BLOCK_MAX)
		return false;
	p->size = (uint32_t)at;
	return true;
}

int block_port_order(const void *a, const void *b)
{
	const struct policy_port_row *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int block_mac_order(const void *a, const void *b)
{
	const struct policy_mac_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

int block_ip_order(const void *a, const void *b)
{
	const struct policy_ip_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

int block_net_order(const void *a, const void *b)
{
	const struct policy_net_row *x = a, *y = b;

	if (x->key.prefix_len != y->key.prefix_len)
		return x->key.prefix_len > y->key.prefix_len ? -1 : 1;
	return memcmp(&x->key.ip, &y->key.ip, sizeof(x->key.ip));
}

static bool peer_exists(const struct policy *p, uint32_t peer)
{
	if (peer & GATE_PEER_DEVICE)
		return (peer & ~GATE_PEER_DEVICE) < p->count[BLOCK_DEVICES];
	return peer < p->count[BLOCK_HOST_NAMES] || peer == GATE_PEER_NONE;
}

static bool ports_valid(const struct policy *p)
{
	const struct policy_port_row *row = block_table(p, BLOCK_PORTS);

	for (uint32_t i = 0; i < p->count[BLOCK_PORTS]; i++)
		if (row[i].port.segment >= p->count[BLOCK_SEGMENT_NAMES] ||
		    row[i].port.side > GATE_HOSPITAL || row[i].port.flags > 15 ||
		    (i && block_port_order(&row[i - 1], &row[i]) >= 0))
			return false;
	return true;
}

static bool device_valid(const struct policy *p, const struct gate_device *d, uint32_t i)
{
	bool stranger = i < p->count[BLOCK_SEGMENT_NAMES];

	return d->segment < p->count[BLOCK_SEGMENT_NAMES] && (!stranger || d->segment == i) &&
	       d->rule_count <= GATE_MAX_RULES_PER_DEVICE &&
	       d->rule_first <= p->count[BLOCK_RULES] &&
	       d->rule_count <= p->count[BLOCK_RULES] - d->rule_first && d->mode <= GATE_ENFORCE &&
	       d->fail <= GATE_CLOSED && stranger == (bool)(d->flags & GATE_DEVICE_STRANGER) &&
	       !(d->flags & ~(GATE_DEVICE_STRANGER | GATE_DEVICE_ANY_IP | GATE_DEVICE_ARCHIVE));
}

static bool devices_valid(const struct policy *p)
{
	const struct gate_device *d = block_table(p, BLOCK_DEVICES);

	if (p->count[BLOCK_DEVICES] < p->count[BLOCK_SEGMENT_NAMES] ||
	    p->count[BLOCK_DEVICES] > GATE_PEER_NONE)
		return false;
	for (uint32_t i = 0; i < p->count[BLOCK_DEVICES]; i++)
		if (!device_valid(p, &d[i], i))
			return false;
	return true;
}

static bool rule_valid(const struct policy *p, const struct gate_rule *r)
{
	return r->port_lo <= r->port_hi && r->peer_kind <= GATE_PEER_ROLES && r->towards <= 1 &&
	       r->action <= GATE_DROP &&
	       (r->peer_kind != GATE_PEER_ID ||
		(r->peer <= UINT32_MAX && peer_exists(p, (uint32_t)r->peer)));
}

static bool rules_valid(const struct policy *p)
{
	const struct gate_rule *r = block_table(p, BLOCK_RULES);

	for (uint32_t i = 0; i < p->count[BLOCK_RULES]; i++)
		if (!rule_valid(p, &r[i]))
			return false;
	return true;
}

static bool shields_valid(const struct policy *p)
{
	const struct policy_shield *s = block_table(p, BLOCK_SHIELDS);
	uint32_t len = p->count[BLOCK_STRINGS];

	for (uint32_t i = 0; i < p->count[BLOCK_SHIELDS]; i++)
		if (!rule_valid(p, &s[i].match) || s[i].device >= p->count[BLOCK_DEVICES] ||
		    s[i].device < p->count[BLOCK_SEGMENT_NAMES] || s[i].messages >= len ||
		    s[i].flags > POLICY_SHIELD_ENFORCE ||
		    (s[i].rule != ~0u && s[i].rule >= p->count[BLOCK_RULES]) ||
		    (i && s[i - 1].device > s[i].device))
			return false;
	return true;
}

static bool bind_valid(const struct policy *p, uint32_t segment, const struct gate_bind *b)
{
	return segment < p->count[BLOCK_SEGMENT_NAMES] && peer_exists(p, b->peer) &&
	       b->side <= GATE_HOSPITAL && b->flags <= GATE_BIND_MAC && b->link <= GATE_LINKS;
}

static bool rows_valid(const struct policy *p)
{
	const struct policy_mac_row *mac = block_table(p, BLOCK_MACS);
	const struct policy_ip_row *ip = block_table(p, BLOCK_IPS);
	const struct policy_net_row *net = block_table(p, BLOCK_NETS);

	for (uint32_t i = 0; i < p->count[BLOCK_MACS]; i++)
		if (!bind_valid(p, mac[i].key.segment, &mac[i].bind) || mac[i].key.pad[0] ||
		    mac[i].key.pad[1] || (i && block_mac_order(&mac[i - 1], &mac[i]) >= 0))
			return false;
	for (uint32_t i = 0; i < p->count[BLOCK_IPS]; i++)
		if (!bind_valid(p, ip[i].key.segment, &ip[i].bind) ||
		    (i && block_ip_order(&ip[i - 1], &ip[i]) >= 0))
			return false;
	for (uint32_t i = 0; i < p->count[BLOCK_NETS]; i++)
		if (net[i].key.prefix_len > 128 || !peer_exists(p, net[i].net.peer) ||
		    net[i].net.flags > GATE_NET_HOST || net[i].net.link > GATE_LINKS ||
		    (i && block_net_order(&net[i - 1], &net[i]) >= 0))
			return false;
	return true;
}

static bool services_valid(const struct policy *p)
{
	const struct policy_service *s = block_table(p, BLOCK_SERVICES);
	uint32_t len = p->count[BLOCK_STRINGS];

	for (uint32_t i = 0; i < p->count[BLOCK_SERVICES]; i++)
		if (s[i].device >= p->count[BLOCK_DEVICES] ||
		    s[i].device < p->count[BLOCK_SEGMENT_NAMES] || s[i].port_lo == 0 ||
		    s[i].port_lo > s[i].port_hi || (s[i].proto != 6 && s[i].proto != 17) ||
		    s[i].flags > POLICY_SERVICE_ALL || s[i].name >= len || s[i].ask >= len ||
		    s[i].alone >= len || (i && s[i - 1].device > s[i].device))
			return false;
	return true;
}

static bool names_valid(const struct policy *p)
{
	const char *strings = block_table(p, BLOCK_STRINGS);
	uint32_t len = p->count[BLOCK_STRINGS];

	if (!len || strings[0] || strings[len - 1] ||
	    p->count[BLOCK_DEVICE_NAMES] != p->count[BLOCK_DEVICES] ||
	    p->count[BLOCK_DEVICE_PROFILES] != p->count[BLOCK_DEVICES] ||
	    p->count[BLOCK_RULE_SERVICES] != p->count[BLOCK_RULES] ||
	    p->count[BLOCK_RULE_MESSAGES] != p->count[BLOCK_RULES])
		return false;
	for (int t = BLOCK_SEGMENT_NAMES; t < BLOCK_STRINGS; t++) {
		const uint32_t *at = block_table(p, t);

		for (uint32_t i = 0; i < p->count[t]; i++)
			if (at[i] >= len)
				return false;
	}
	return true;
}

const struct policy *policy_open(struct bytes data)
{
	const struct policy *p = (const void *)data.data;
	struct policy laid;

	if (data.len < sizeof(*p) || (uintptr_t)data.data % 8)
		return NULL;
	memcpy(&laid, p, sizeof(laid));
	if (p->magic != BLOCK_MAGIC || p->abi != GATE_ABI || !block_lay_out(&laid) ||
	    laid.size != data.len || memcmp(&laid, p, sizeof(laid)) != 0)
		return NULL;
	if (!devices_valid(p) || !ports_valid(p) || !rules_valid(p) || !rows_valid(p) ||
	    !services_valid(p) || !shields_valid(p) || !names_valid(p))
		return NULL;
	return p;
}

struct bytes policy_bytes(const struct policy *p)
{
	return (struct bytes){(const uint8_t *)p, p->size};
}

void policy_free(struct policy *p)
{
	free(p);
}

uint32_t policy_generation(const struct policy *p)
{
	return p->generation;
}

static const void *table(const struct policy *p, enum block_table t, uint32_t *ret_count)
{
	*ret_count = p->count[t];
	return block_table(p, t);
}

const struct policy_port_row *policy_ports(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_PORTS, ret_count);
}

const struct policy_service *policy_services(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_SERVICES, ret_count);
}

static const char *text_at(const struct policy *p, uint32_t at)
{
	return (const char *)block_table(p, BLOCK_STRINGS) + at;
}

const char *policy_service_name(const struct policy *p, const struct policy_service *s)
{
	return text_at(p, s->name);
}

const char *policy_service_ask(const struct policy *p, const struct policy_service *s)
{
	return text_at(p, s->ask);
}

const char *policy_service_alone(const struct policy *p, const struct policy_service *s)
{
	return text_at(p, s->alone);
}

const struct policy_shield *policy_shields(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_SHIELDS, ret_count);
}

const char *policy_shield_messages(const struct policy *p, const struct policy_shield *s)
{
	return text_at(p, s->messages);
}

const struct gate_device *policy_devices(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_DEVICES, ret_count);
}

const struct gate_rule *policy_rules(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_RULES, ret_count);
}

const struct policy_mac_row *policy_macs(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_MACS, ret_count);
}

const struct policy_ip_row *policy_ips(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_IPS, ret_count);
}

const struct policy_net_row *policy_nets(const struct policy *p, uint32_t *ret_count)
{
	return table(p, BLOCK_NETS, ret_count);
}

void policy_tables(const struct policy *p, struct gate_tables *ret_tables)
{
	struct gate_tables *t = ret_tables;

	t->generation = policy_generation(p);
	t->ports = policy_ports(p, &t->port_count);
	t->devices = policy_devices(p, &t->device_count);
	t->rules = policy_rules(p, &t->rule_count);
	t->macs = policy_macs(p, &t->mac_count);
	t->ips = policy_ips(p, &t->ip_count);
	t->nets = policy_nets(p, &t->net_count);
}

static const char *name(const struct policy *p, enum block_table t, uint32_t i)
{
	const uint32_t *at = block_table(p, t);

	return i < p->count[t] ? (const char *)block_table(p, BLOCK_STRINGS) + at[i] : "";
}

const char *policy_device_name(const struct policy *p, uint32_t device)
{
	return name(p, BLOCK_DEVICE_NAMES, device);
}

const char *policy_device_profile(const struct policy *p, uint32_t device)
{
	return name(p, BLOCK_DEVICE_PROFILES, device);
}

const char *policy_peer_name(const struct policy *p, uint32_t peer)
{
	if (peer & GATE_PEER_DEVICE)
		return policy_device_name(p, peer & ~GATE_PEER_DEVICE);
	return name(p, BLOCK_HOST_NAMES, peer);
}

const char *policy_segment_name(const struct policy *p, uint32_t segment)
{
	return name(p, BLOCK_SEGMENT_NAMES, segment);
}

const char *policy_rule_service(const struct policy *p, uint32_t rule)
{
	return name(p, BLOCK_RULE_SERVICES, rule);
}

const char *policy_rule_messages(const struct policy *p, uint32_t rule)
{
	return name(p, BLOCK_RULE_MESSAGES, rule);
}
