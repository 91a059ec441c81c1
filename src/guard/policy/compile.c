/*
 * From a checked config to the tables of a policy. Everything is gathered in
 * growing lists, sorted, and copied into one block at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "guard/policy/block.h"

struct list {
	char *data;
	uint32_t count, cap;
	size_t size; /* of an entry */
};

/* A host's or device's name and its peer id, sorted by name. */
struct known {
	const char *name;
	uint32_t peer;
};

struct compiling {
	const struct config *c;
	struct list to[BLOCK_TABLES];
	struct known *known;
	size_t known_count;
	const char *roles[GATE_ROLES_OWN];
	unsigned roles_count;
	uint64_t *host_roles;
	char *error; /* the caller's 256 bytes */
	int failed;  /* 0 or -errno; sticky, like a writer's */
};

static void *push(struct compiling *b, enum block_table t)
{
	struct list *l = &b->to[t];
	void *entry;

	if (l->count == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		char *data = cap > l->cap ? realloc(l->data, (size_t)cap * l->size) : NULL;

		if (!data) {
			b->failed = -ENOMEM;
			return NULL;
		}
		l->data = data;
		l->cap = cap;
	}
	entry = l->data + (size_t)l->count++ * l->size;
	memset(entry, 0, l->size);
	return entry;
}

static uint32_t string(struct compiling *b, const char *s)
{
	struct list *l = &b->to[BLOCK_STRINGS];
	uint32_t at = l->count;
	char *c;

	if (!s || !*s)
		return 0;
	do {
		c = push(b, BLOCK_STRINGS);
		if (!c)
			return 0;
		*c = *s;
	} while (*s++);
	return at;
}

static void push_name(struct compiling *b, enum block_table t, uint32_t at)
{
	uint32_t *n = push(b, t);

	if (n)
		*n = at;
}

static int known_order(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

static bool know_names(struct compiling *b)
{
	const struct config *c = b->c;
	size_t n = 0;

	b->known_count = (size_t)c->hosts_count + c->devices_count;
	b->known = calloc(b->known_count + 1, sizeof(*b->known));
	b->host_roles = calloc(c->hosts_count + 1, sizeof(*b->host_roles));
	if (!b->known || !b->host_roles)
		return false;
	for (unsigned i = 0; i < c->hosts_count; i++)
		b->known[n++] = (struct known){c->hosts[i].name, i};
	for (unsigned i = 0; i < c->devices_count; i++)
		b->known[n++] = (struct known){c->devices[i].name,
					       GATE_PEER_DEVICE | (c->segments_count + i)};
	if (n)
		qsort(b->known, n, sizeof(*b->known), known_order);
	return true;
}

static uint32_t peer_named(const struct compiling *b, const char *name)
{
	struct known key = {.name = name}, *hit;

	hit = b->known_count ? bsearch(&key, b->known, b->known_count, sizeof(key), known_order)
			     : NULL;
	return hit ? hit->peer : GATE_PEER_NONE;
}

/* The bit of a role, 0 where no host holds it. */
static uint64_t role_bit(const struct compiling *b, const char *role)
{
	if (strcmp(role, "broadcast") == 0)
		return GATE_ROLE_BROADCAST;
	if (strcmp(role, "multicast") == 0)
		return GATE_ROLE_MULTICAST;
	if (strcmp(role, "dhcp") == 0)
		return GATE_ROLE_DHCP;
	for (unsigned i = 0; i < b->roles_count; i++)
		if (strcmp(b->roles[i], role) == 0)
			return 1ull << i;
	return 0;
}

static void learn_roles(struct compiling *b)
{
	for (unsigned i = 0; i < b->c->hosts_count; i++)
		for (unsigned j = 0; j < b->c->hosts[i].role_count; j++) {
			const char *role = b->c->hosts[i].role[j];

			if (!role_bit(b, role) && b->roles_count < GATE_ROLES_OWN)
				b->roles[b->roles_count++] = role;
			b->host_roles[i] |= role_bit(b, role);
		}
}

static const struct config_segment *segment_named(const struct config *c, const char *name,
						  uint32_t *ret_id)
{
	for (unsigned i = 0; i < c->segments_count; i++)
		if (strcmp(c->segments[i].name, name) == 0) {
			*ret_id = i;
			return &c->segments[i];
		}
	return NULL;
}

static const struct config_profile *profile_named(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->profiles_count; i++)
		if (strcmp(c->profiles[i].name, name) == 0)
			return &c->profiles[i];
	return NULL;
}

/* Ports */

static const struct policy_port *port_named(const struct policy_port *ports, unsigned count,
					    const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strncmp(ports[i].name, name, sizeof(ports[i].name)) == 0)
			return &ports[i];
	return NULL;
}

static bool somebody_serves_dhcp(const struct compiling *b)
{
	for (unsigned i = 0; i < b->c->hosts_count; i++)
		if (b->host_roles[i] & GATE_ROLE_DHCP)
			return true;
	return false;
}

/* Where the sealed link is heard; false: nowhere. */
static bool own_endpoint(const struct config *c, struct gate_ip *ret_ip, uint16_t *ret_port)
{
	char host[ADDRESS_IP_LEN];
	unsigned len;

	return c->link.listen && *c->link.listen &&
	       address_endpoint(c->link.listen, host, ret_port) &&
	       address_prefix(host, ret_ip->b, &len);
}

/* A port that is not there has no row; its partner then leads nowhere (0). */
static void add_ports(struct compiling *b, const struct policy_port *ports, unsigned count)
{
	uint8_t dhcp = somebody_serves_dhcp(b) ? 0 : GATE_PORT_DHCP_ANY;

	for (unsigned i = 0; i < b->c->segments_count; i++) {
		const struct config_segment *s = &b->c->segments[i];
		struct policy_port here[2] = {{.ifindex = 2 * i + 1}, {.ifindex = 2 * i + 2}};

		for (int side = 0; count && side < 2; side++) {
			const struct policy_port *p =
				port_named(ports, count, side ? s->hospital : s->ward);

			here[side] = p ? *p : (struct policy_port){.ifindex = 0};
		}
		for (int side = 0; side < 2; side++) {
			struct policy_port_row *row =
				here[side].ifindex ? push(b, BLOCK_PORTS) : NULL;

			if (!row)
				continue;
			row->ifindex = here[side].ifindex;
			row->port.segment = i;
			row->port.partner = here[!side].ifindex;
			row->port.side = (uint8_t)side;
			row->port.flags =
				(uint8_t)((s->isolated ? GATE_PORT_ISOLATED : 0) |
					  (s->block_binding ? 0 : GATE_PORT_BIND_REPORT) |
					  (s->block_strangers ? 0 : GATE_PORT_STRANGERS_OK) | dhcp);
			memcpy(row->port.mac, here[side].mac, 6);
			if (side == GATE_HOSPITAL &&
			    !own_endpoint(b->c, &row->port.own, &row->port.own_port))
				row->port.own_port = 0;
		}
	}
}

/* Addresses */

static const struct gate_ip all_ones = {.b = {[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static bool is_multicast(const struct gate_ip *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	return ip->b[0] == 0xff || (memcmp(ip->b, mapped, 12) == 0 && (ip->b[12] & 0xf0) == 0xe0);
}

static void add_net(struct compiling *b, const struct gate_ip *ip, unsigned len, uint32_t peer,
		    uint32_t flags, uint16_t link, uint64_t roles)
{
	struct policy_net_row *row = push(b, BLOCK_NETS);

	if (!row)
		return;
	if (is_multicast(ip)) {
		roles |= GATE_ROLE_MULTICAST;
		flags = 0;
	}
	if (memcmp(ip, &all_ones, sizeof(*ip)) == 0 && len == 128) {
		roles |= GATE_ROLE_BROADCAST;
		flags = 0;
	}
	row->key.prefix_len = len;
	row->key.ip = *ip;
	row->net.peer = peer;
	row->net.flags = (uint16_t)flags;
	row->net.link = link;
	row->net.roles = roles;
}

static void add_ip(struct compiling *b, uint32_t segment, const struct gate_ip *ip,
		   const struct gate_bind *bind)
{
	struct policy_ip_row *row = push(b, BLOCK_IPS);

	if (!row)
		return;
	row->key.segment = segment;
	row->key.ip = *ip;
	row->bind = *bind;
}

static void add_mac(struct compiling *b, uint32_t segment, const struct gate_bind *bind)
{
	struct policy_mac_row *row = push(b, BLOCK_MACS);

	if (!row)
		return;
	row->key.segment = segment;
	memcpy(row->key.mac, bind->mac, 6);
	row->bind = *bind;
}

/* The peer gateway that a host is behind, by number; 0: none. */
static uint16_t link_to(const struct config *c, const char *host)
{
	for (unsigned i = 0; i < c->peers_count; i++)
		for (unsigned j = 0; j < c->peers[i].hosts_count; j++)
			if (strcmp(c->peers[i].hosts[j], host) == 0)
				return (uint16_t)(i + 1);
	return 0;
}

static void add_host(struct compiling *b, unsigned i)
{
	const struct config_host *h = &b->c->hosts[i];
	struct gate_bind bind = {.peer = i,
				 .side = GATE_HOSPITAL,
				 .link = link_to(b->c, h->name),
				 .roles = b->host_roles[i]};
	struct gate_ip ip;
	unsigned len;

	push_name(b, BLOCK_HOST_NAMES, string(b, h->name));
	if (h->mac && address_mac(h->mac, bind.mac))
		bind.flags = GATE_BIND_MAC;
	for (unsigned s = 0; bind.flags && s < b->c->segments_count; s++)
		add_mac(b, s, &bind);
	for (unsigned j = 0; j < h->ip_count; j++) {
		if (!address_prefix(h->ip[j], ip.b, &len))
			continue;
		add_net(b, &ip, len, i, len == 128 ? GATE_NET_HOST : 0, (uint16_t)bind.link,
			bind.roles);
		for (unsigned s = 0; bind.flags && len == 128 && s < b->c->segments_count; s++)
			add_ip(b, s, &ip, &bind);
	}
}

/* Addresses with a meaning of their own, which no host was given. */
static void add_own_nets(struct compiling *b)
{
	static const struct gate_ip v4_multicast = {.b = {[10] = 0xff, 0xff, 0xe0}};
	static const struct gate_ip v6_multicast = {.b = {0xff}};
	struct gate_ip ip;
	uint16_t port;
	unsigned len;

	add_net(b, &all_ones, 128, GATE_PEER_NONE, 0, 0, 0);
	add_net(b, &v4_multicast, 100, GATE_PEER_NONE, 0, 0, 0);
	add_net(b, &v6_multicast, 8, GATE_PEER_NONE, 0, 0, 0);
	/* No device may take the address that the link is heard at. */
	if (own_endpoint(b->c, &ip, &port))
		add_net(b, &ip, 128, GATE_PEER_NONE, GATE_NET_HOST, 0, 0);
	for (unsigned i = 0; i < b->c->segments_count; i++)
		for (unsigned j = 0; j < b->c->segments[i].net_count; j++) {
			const char *net = b->c->segments[i].net[j];

			/* A /31 has no broadcast address (RFC 3021), and IPv6 has none at all. */
			if (!address_prefix(net, ip.b, &len) || strchr(net, ':') || len > 126)
				continue;
			address_mask(ip.b, len, true);
			add_net(b, &ip, 128, GATE_PEER_NONE, 0, 0, GATE_ROLE_BROADCAST);
		}
}

/* Rules */

/* Of one line of a profile or device, as offsets into the strings. */
struct compiling_words {
	uint32_t service, messages;
};

struct compiling_device {
	const struct config_device *d;
	uint32_t id, segment;
	uint32_t first; /* rule */
	struct compiling_words words;
	const struct config_shield *shield; /* being compiled; NULL: it is the device's rules */
	bool read; /* a shield must see what is said: nothing passes unread */
};

/* What may be said, as guard/policy/message.h reads it. */
static uint32_t messages_string(struct compiling *b, const struct config_rule *r)
{
	size_t size = r->app ? strlen(r->app) + 16 : 0;
	uint32_t at;
	char *text;
	int len;

	if (!r->app || !*r->app)
		return 0;
	for (unsigned i = 0; i < r->allow_count; i++)
		size += strlen(r->allow[i]) + 1;
	text = malloc(size);
	if (!text) {
		b->failed = -ENOMEM;
		return 0;
	}
	len = snprintf(text, size, "%s%s", r->app, r->control ? "" : "\ncontrol=no");
	for (unsigned i = 0; i < r->allow_count; i++)
		len += snprintf(text + len, size - (size_t)len, "\n%s", r->allow[i]);
	at = string(b, text);
	free(text);
	return at;
}

static struct compiling_words words_of(struct compiling *b, const struct config_rule *r)
{
	return (struct compiling_words){string(b, r->service), messages_string(b, r)};
}

/* Can the kernel hold it by itself? */
static bool is_floor_shield(const struct config_shield *s)
{
	return s->enforce && !*s->app;
}

/* Whether it is to be a rule as well. */
static bool add_shield_row(struct compiling *b, const struct compiling_device *v,
			   const struct gate_rule *r)
{
	struct policy_shield *row = push(b, BLOCK_SHIELDS);

	if (!row)
		return false;
	row->match = *r;
	row->device = v->id;
	row->advisory = v->words.service;
	row->messages = v->words.messages;
	row->rule = is_floor_shield(v->shield) ? b->to[BLOCK_RULES].count : ~0u;
	row->flags = v->shield->enforce ? POLICY_SHIELD_ENFORCE : 0;
	return row->rule != ~0u;
}

static void add_rule(struct compiling *b, const struct compiling_device *v,
		     const struct gate_rule *r)
{
	struct gate_rule *row;

	if (b->failed || (v->shield && !add_shield_row(b, v, r)))
		return;
	if (b->to[BLOCK_RULES].count - v->first == GATE_MAX_RULES_PER_DEVICE) {
		snprintf(b->error, 256,
			 "device '%.63s' would need more than %d rules; narrow it with fewer "
			 "peers, or give port ranges instead of single ports",
			 v->d->name, GATE_MAX_RULES_PER_DEVICE);
		b->failed = -E2BIG;
		return;
	}
	row = push(b, BLOCK_RULES);
	if (!row)
		return;
	*row = *r;
	if (v->read && row->action == GATE_PASS)
		row->action = GATE_INSPECT;
	push_name(b, BLOCK_RULE_SERVICES, v->words.service);
	push_name(b, BLOCK_RULE_MESSAGES, v->words.messages);
}

/* A device in another segment is reached across the hospital's side. */
static void add_neighbour(struct compiling *b, uint32_t segment, uint32_t peer)
{
	uint32_t index = (peer & ~GATE_PEER_DEVICE) - b->c->segments_count, theirs;
	const struct config_device *d = &b->c->devices[index];
	struct gate_bind bind = {.peer = peer, .side = GATE_HOSPITAL};
	struct gate_ip ip;
	unsigned len;

	if (!segment_named(b->c, d->segment, &theirs) || theirs == segment)
		return;
	for (unsigned i = 0; i < d->ip_count; i++)
		if (address_prefix(d->ip[i], ip.b, &len))
			add_ip(b, segment, &ip, &bind);
}

/* Once for each of the rule's ports. */
static void add_rule_ports(struct compiling *b, const struct compiling_device *v,
			   const struct config_rule *from, struct gate_rule r)
{
	r.port_lo = 0;
	r.port_hi = 65535;
	if (!from->port_count)
		add_rule(b, v, &r);
	for (unsigned i = 0; i < from->port_count; i++)
		if (address_ports(from->port[i], &r.port_lo, &r.port_hi))
			add_rule(b, v, &r);
}

/*
 * A role is narrowed to those of the device's peers that hold it, if any does.
 * A name nobody has and a role nobody holds allow nothing.
 */
static void add_rule_peers(struct compiling *b, const struct compiling_device *v,
			   const struct config_rule *from, bool towards)
{
	struct gate_rule r = {.towards = towards, .action = (uint8_t)from->action};
	uint64_t role = role_bit(b, from->peer);
	bool narrowed = false;
	uint32_t peer;

	if (!address_proto(from->proto, &r.proto))
		return;
	if (strcmp(from->peer, "any") == 0) {
		add_rule_ports(b, v, from, r);
		return;
	}
	r.peer_kind = GATE_PEER_ID;
	for (unsigned i = 0; role && i < v->d->peer_count; i++) {
		r.peer = peer_named(b, v->d->peer[i]);
		if (r.peer < b->c->hosts_count && (b->host_roles[r.peer] & role)) {
			add_rule_ports(b, v, from, r);
			narrowed = true;
		}
	}
	if (narrowed)
		return;
	if (role) {
		r.peer_kind = GATE_PEER_ROLES;
		r.peer = role;
		add_rule_ports(b, v, from, r);
		return;
	}
	peer = peer_named(b, from->peer);
	if (peer == GATE_PEER_NONE)
		return;
	r.peer = peer;
	add_rule_ports(b, v, from, r);
	if (peer & GATE_PEER_DEVICE)
		add_neighbour(b, v->segment, peer);
}

static void add_rules(struct compiling *b, struct compiling_device *v,
		      const struct config_rule *rules, unsigned count, bool towards)
{
	for (unsigned i = 0; i < count; i++) {
		v->words = words_of(b, &rules[i]);
		add_rule_peers(b, v, &rules[i], towards);
	}
}

/* The words of a profile stand in the block once, however many devices have it. */
static void add_profile_rules(struct compiling *b, struct compiling_device *v,
			      const struct config_profile *p, const struct compiling_words *words)
{
	for (unsigned i = 0; i < p->starts_count; i++) {
		v->words = words[i];
		add_rule_peers(b, v, &p->starts[i], false);
	}
	for (unsigned i = 0; i < p->accepts_count; i++) {
		v->words = words[p->starts_count + i];
		add_rule_peers(b, v, &p->accepts[i], true);
	}
}

static void add_device_addresses(struct compiling *b, const struct compiling_device *v,
				 const struct gate_device *row)
{
	struct gate_bind bind = {
		.peer = GATE_PEER_DEVICE | v->id, .side = GATE_WARD, .flags = GATE_BIND_MAC};
	struct gate_ip ip;
	unsigned len;

	memcpy(bind.mac, row->mac, 6);
	add_mac(b, v->segment, &bind);
	for (unsigned i = 0; i < v->d->ip_count; i++)
		if (address_prefix(v->d->ip[i], ip.b, &len))
			add_ip(b, v->segment, &ip, &bind);
}

static uint32_t roles_string(struct compiling *b, char *const *roles, unsigned count,
			     const char *fallback)
{
	char text[256] = "";
	size_t len = 0;

	if (!count)
		return string(b, fallback);
	for (unsigned i = 0; i < count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					roles[i]);
	return string(b, text);
}

static void add_service(struct compiling *b, uint32_t device, const struct config_service *s)
{
	struct policy_service row = {
		.device = device,
		.name = string(b, s->name),
		.ask = roles_string(b, s->ask, s->ask_count, "clinical_engineer administrator"),
		.alone = roles_string(b, s->alone, s->alone_count, ""),
		.minutes = (uint16_t)s->minutes,
		.flags = (uint8_t)((s->record ? POLICY_SERVICE_RECORD : 0) |
				   (s->break_glass ? POLICY_SERVICE_BREAK_GLASS : 0) |
				   (s->certificate ? POLICY_SERVICE_CERTIFICATE : 0)),
	};
	unsigned count = s->port_count ? s->port_count : 1;

	if (!address_proto(s->proto, &row.proto))
		return;
	for (unsigned i = 0; i < count; i++) {
		const char *port = s->port_count ? s->port[i] : config_service_port(s->name);
		struct policy_service *to;

		if (!port || !address_ports(port, &row.port_lo, &row.port_hi))
			continue;
		to = push(b, BLOCK_SERVICES);
		if (!to)
			return;
		*to = row;
	}
}

/* The device's own, then those of its profile that it has none of its own for. */
static void add_services(struct compiling *b, uint32_t device, const struct config_device *d,
			 const struct config_profile *p)
{
	for (unsigned i = 0; i < d->services_count; i++)
		add_service(b, device, &d->services[i]);
	for (unsigned i = 0; p && i < p->services_count; i++) {
		bool own = false;

		for (unsigned j = 0; j < d->services_count; j++)
			own |= strcmp(d->services[j].name, p->services[i].name) == 0;
		if (!own)
			add_service(b, device, &p->services[i]);
	}
}

/* Before all other rules of the device. */
static void add_shields(struct compiling *b, struct compiling_device *v)
{
	for (unsigned i = 0; i < b->c->shields_count; i++) {
		const struct config_shield *s = &b->c->shields[i];
		struct config_rule r = {.service = s->advisory,
					.proto = s->proto,
					.port = s->port,
					.port_count = s->port_count,
					.peer = s->peer,
					.action = GATE_DROP,
					.app = s->app,
					.allow = s->deny,
					.allow_count = s->deny_count,
					.control = s->control};
		bool mine = false;

		for (unsigned j = 0; !mine && j < s->device_count; j++)
			mine = strcmp(s->device[j], v->d->name) == 0;
		if (!mine)
			continue;
		v->shield = s;
		v->words = words_of(b, &r);
		v->read |= !is_floor_shield(s);
		if (s->direction != CONFIG_ACCEPTS)
			add_rule_peers(b, v, &r, false);
		if (s->direction != CONFIG_STARTS)
			add_rule_peers(b, v, &r, true);
	}
	v->shield = NULL;
}

struct compiling_profile {
	uint32_t name;
	struct compiling_words *words; /* of its starts, then its accepts */
};

static void add_device(struct compiling *b, unsigned i, const struct compiling_profile *profiles)
{
	const struct config_device *d = &b->c->devices[i];
	const struct config_profile *p = profile_named(b->c, d->profile);
	const struct compiling_profile *names = p ? &profiles[p - b->c->profiles] : NULL;
	struct compiling_device v = {.d = d, .id = b->c->segments_count + i};
	const struct config_segment *s = segment_named(b->c, d->segment, &v.segment);
	struct gate_device *row = push(b, BLOCK_DEVICES);

	if (!row || !s)
		return;
	v.first = b->to[BLOCK_RULES].count;
	row->segment = v.segment;
	row->rule_first = v.first;
	row->mode = (uint8_t)(d->mode ? *d->mode : s->mode);
	row->fail = (uint8_t)(d->fail ? *d->fail : p ? p->fail : GATE_CLOSED);
	row->flags = d->ip_count ? 0 : GATE_DEVICE_ANY_IP;
	if (d->archive ? *d->archive : p && p->archive)
		row->flags |= GATE_DEVICE_ARCHIVE;
	(void)address_mac(d->mac, row->mac);
	add_device_addresses(b, &v, row);
	push_name(b, BLOCK_DEVICE_NAMES, string(b, d->name));
	push_name(b, BLOCK_DEVICE_PROFILES, names ? names->name : 0);
	add_shields(b, &v);
	add_rules(b, &v, d->starts, d->starts_count, false);
	add_rules(b, &v, d->accepts, d->accepts_count, true);
	if (p)
		add_profile_rules(b, &v, p, names->words);
	add_services(b, v.id, d, p);
	row = (struct gate_device *)b->to[BLOCK_DEVICES].data + v.id;
	row->rule_count = b->to[BLOCK_RULES].count - v.first;
}

/* One a segment, before all others; their rules come last, from those of the devices. */
static void add_strangers(struct compiling *b)
{
	for (unsigned i = 0; i < b->c->segments_count; i++) {
		struct gate_device *row = push(b, BLOCK_DEVICES);

		if (!row)
			return;
		row->segment = i;
		row->mode = (uint8_t)b->c->segments[i].mode;
		row->fail = GATE_CLOSED;
		row->flags = GATE_DEVICE_STRANGER | GATE_DEVICE_ANY_IP;
		push_name(b, BLOCK_SEGMENT_NAMES, string(b, b->c->segments[i].name));
		push_name(b, BLOCK_DEVICE_NAMES, 0);
		push_name(b, BLOCK_DEVICE_PROFILES, 0);
	}
}

static const struct gate_rule *rule_at(const struct compiling *b, uint32_t i)
{
	return (const struct gate_rule *)b->to[BLOCK_RULES].data + i;
}

static bool stranger_has(const struct compiling *b, uint32_t first, const struct gate_rule *r)
{
	for (uint32_t i = first; i < b->to[BLOCK_RULES].count; i++)
		if (memcmp(rule_at(b, i), r, sizeof(*r)) == 0)
			return true;
	return false;
}

static uint32_t name_at(const struct compiling *b, enum block_table t, uint32_t i)
{
	return ((const uint32_t *)b->to[t].data)[i];
}

/* What any device of the segment accepts from broadcast and multicast (bpf/shared.h). */
static void add_stranger_rules(struct compiling *b, uint32_t segment)
{
	struct gate_device *devices = (struct gate_device *)b->to[BLOCK_DEVICES].data;
	struct config_device nobody = {.name = b->c->segments[segment].name};
	struct compiling_device v = {.d = &nobody, .first = b->to[BLOCK_RULES].count};

	for (uint32_t d = b->c->segments_count; d < b->to[BLOCK_DEVICES].count; d++) {
		if (devices[d].segment != segment)
			continue;
		for (uint32_t i = 0; i < devices[d].rule_count; i++) {
			struct gate_rule r = *rule_at(b, devices[d].rule_first + i);
			uint32_t from = devices[d].rule_first + i;

			if (!r.towards || r.peer_kind != GATE_PEER_ROLES ||
			    !(r.peer & (GATE_ROLE_BROADCAST | GATE_ROLE_MULTICAST)) ||
			    stranger_has(b, v.first, &r))
				continue;
			v.words.service = name_at(b, BLOCK_RULE_SERVICES, from);
			v.words.messages = name_at(b, BLOCK_RULE_MESSAGES, from);
			add_rule(b, &v, &r);
		}
	}
	devices[segment].rule_first = v.first;
	devices[segment].rule_count = b->to[BLOCK_RULES].count - v.first;
}

static void add_devices(struct compiling *b)
{
	struct compiling_profile *profiles = calloc(b->c->profiles_count + 1, sizeof(*profiles));

	for (unsigned i = 0; profiles && i < b->c->profiles_count; i++) {
		const struct config_profile *p = &b->c->profiles[i];
		unsigned n = 0;

		profiles[i].name = string(b, p->name);
		profiles[i].words =
			calloc(p->starts_count + p->accepts_count + 1, sizeof(*profiles[i].words));
		if (!profiles[i].words) {
			b->failed = -ENOMEM;
			break;
		}
		for (unsigned j = 0; j < p->starts_count; j++)
			profiles[i].words[n++] = words_of(b, &p->starts[j]);
		for (unsigned j = 0; j < p->accepts_count; j++)
			profiles[i].words[n++] = words_of(b, &p->accepts[j]);
	}
	if (!profiles)
		b->failed = -ENOMEM;
	add_strangers(b);
	for (unsigned i = 0; !b->failed && i < b->c->devices_count; i++)
		add_device(b, i, profiles);
	for (unsigned i = 0; !b->failed && i < b->c->segments_count; i++)
		add_stranger_rules(b, i);
	for (unsigned i = 0; profiles && i < b->c->profiles_count; i++)
		free(profiles[i].words);
	free(profiles);
}

/* Of rows with one key the first stays, and takes on what roles the others have. */
static void sort_rows(struct compiling *b, enum block_table t,
		      int (*order)(const void *, const void *))
{
	struct list *l = &b->to[t];
	uint32_t kept = 0;

	if (l->count)
		qsort(l->data, l->count, l->size, order);
	for (uint32_t i = 0; i < l->count; i++) {
		char *row = l->data + i * l->size;
		char *last = kept ? l->data + (kept - 1) * l->size : NULL;

		if (last && order(last, row) == 0) {
			if (t == BLOCK_NETS) {
				struct policy_net_row *have = (void *)last, *more = (void *)row;

				have->net.roles |= more->net.roles;
				if (have->net.peer == GATE_PEER_NONE)
					have->net.peer = more->net.peer;
				have->net.flags &= more->net.flags;
				if (!have->net.link)
					have->net.link = more->net.link;
			}
			if (t == BLOCK_IPS) {
				struct policy_ip_row *have = (void *)last, *more = (void *)row;

				/* Whoever is bound to it here counts before who lives elsewhere. */
				if (!(have->bind.flags & GATE_BIND_MAC))
					have->bind = more->bind;
			}
			continue;
		}
		memmove(l->data + kept++ * l->size, row, l->size);
	}
	l->count = kept;
}

static struct policy *assemble(struct compiling *b, uint32_t generation)
{
	struct policy head = {.magic = BLOCK_MAGIC, .abi = GATE_ABI, .generation = generation};
	struct policy *p;

	for (int t = 0; t < BLOCK_TABLES; t++)
		head.count[t] = b->to[t].count;
	if (!block_lay_out(&head)) {
		snprintf(b->error, 256, "the policy is too large; split the site");
		b->failed = -E2BIG;
		return NULL;
	}
	p = calloc(1, head.size);
	if (!p) {
		b->failed = -ENOMEM;
		return NULL;
	}
	*p = head;
	for (int t = 0; t < BLOCK_TABLES; t++)
		if (b->to[t].count)
			memcpy(block_table(p, t), b->to[t].data, b->to[t].count * b->to[t].size);
	return p;
}

static void compile(struct compiling *b, const struct policy_port *ports, unsigned port_count)
{
	push(b, BLOCK_STRINGS);
	learn_roles(b);
	add_ports(b, ports, port_count);
	for (unsigned i = 0; i < b->c->hosts_count; i++)
		add_host(b, i);
	add_own_nets(b);
	add_devices(b);
	sort_rows(b, BLOCK_PORTS, block_port_order);
	sort_rows(b, BLOCK_MACS, block_mac_order);
	sort_rows(b, BLOCK_IPS, block_ip_order);
	sort_rows(b, BLOCK_NETS, block_net_order);
}

struct policy *policy_compile(const struct config *c, const struct policy_port *ports,
			      unsigned port_count, uint32_t generation, char *ret_error)
{
	static const size_t sizes[BLOCK_TABLES] = {
		sizeof(struct policy_port_row),
		sizeof(struct gate_device),
		sizeof(struct gate_rule),
		sizeof(struct policy_mac_row),
		sizeof(struct policy_ip_row),
		sizeof(struct policy_net_row),
		sizeof(struct policy_service),
		sizeof(struct policy_shield),
		4,
		4,
		4,
		4,
		4,
		4,
		1,
	};
	struct compiling b = {.c = c, .error = ret_error};
	struct policy *p = NULL;

	for (int t = 0; t < BLOCK_TABLES; t++)
		b.to[t].size = sizes[t];
	if (know_names(&b))
		compile(&b, ports, port_count);
	else
		b.failed = -ENOMEM;
	if (!b.failed)
		p = assemble(&b, generation);
	if (b.failed == -ENOMEM)
		snprintf(ret_error, 256, "out of memory");
	for (int t = 0; t < BLOCK_TABLES; t++)
		free(b.to[t].data);
	free(b.known);
	free(b.host_roles);
	errno = -b.failed;
	return p;
}
