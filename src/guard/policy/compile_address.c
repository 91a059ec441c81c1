#include "guard/policy/compile_internal.h"

#include <string.h>

#include "base/address.h"

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
void compile_ports(struct compiling *b, const struct policy_port *ports, unsigned count)
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
				here[side].ifindex ? compile_push(b, BLOCK_PORTS) : NULL;

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

static const struct gate_ip all_ones = {.b = {[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static bool is_multicast(const struct gate_ip *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	return ip->b[0] == 0xff || (memcmp(ip->b, mapped, 12) == 0 && (ip->b[12] & 0xf0) == 0xe0);
}

static void add_net(struct compiling *b, const struct gate_ip *ip, unsigned len, uint32_t peer,
		    uint32_t flags, uint16_t link, uint64_t roles)
{
	struct policy_net_row *row = compile_push(b, BLOCK_NETS);

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
	struct policy_ip_row *row = compile_push(b, BLOCK_IPS);

	if (!row)
		return;
	row->key.segment = segment;
	row->key.ip = *ip;
	row->bind = *bind;
}

static void add_mac(struct compiling *b, uint32_t segment, const struct gate_bind *bind)
{
	struct policy_mac_row *row = compile_push(b, BLOCK_MACS);

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

void compile_host(struct compiling *b, unsigned i)
{
	const struct config_host *h = &b->c->hosts[i];
	struct gate_bind bind = {.peer = i,
				 .side = GATE_HOSPITAL,
				 .link = link_to(b->c, h->name),
				 .roles = b->host_roles[i]};
	struct gate_ip ip;
	unsigned len;

	compile_push_name(b, BLOCK_HOST_NAMES, compile_string(b, h->name));
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

void compile_own_nets(struct compiling *b)
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

void compile_neighbour(struct compiling *b, uint32_t segment, uint32_t peer)
{
	uint32_t index = (peer & ~GATE_PEER_DEVICE) - b->c->segments_count, theirs;
	const struct config_device *d = &b->c->devices[index];
	struct gate_bind bind = {.peer = peer, .side = GATE_HOSPITAL};
	struct gate_ip ip;
	unsigned len;

	if (!compile_segment_named(b->c, d->segment, &theirs) || theirs == segment)
		return;
	for (unsigned i = 0; i < d->ip_count; i++)
		if (address_prefix(d->ip[i], ip.b, &len))
			add_ip(b, segment, &ip, &bind);
}

void compile_device_addresses(struct compiling *b, const struct compiling_device *v,
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
