#include "guard/policy/data.h"

#include <string.h>

#include "guard/decode/packet.h"

/* As the floor knows it (bpf/floor_rules.h). */
struct peer {
	uint64_t roles;
	uint32_t id;
};

static bool covers(const struct gate_net_key *net, const struct gate_ip *ip)
{
	unsigned whole = net->prefix_len / 8, rest = net->prefix_len % 8;

	return memcmp(net->ip.b, ip->b, whole) == 0 &&
	       (!rest || (net->ip.b[whole] ^ ip->b[whole]) >> (8 - rest) == 0);
}

static struct peer peer_of(const struct policy *p, uint32_t segment, const struct gate_ip *ip)
{
	struct peer who = {.id = GATE_PEER_NONE};
	uint32_t count, longest = 0;
	const struct policy_ip_row *ips = policy_ips(p, &count);
	const struct policy_net_row *nets;

	for (uint32_t i = 0; i < count; i++)
		if (ips[i].key.segment == segment && memcmp(&ips[i].key.ip, ip, sizeof(*ip)) == 0)
			return (struct peer){ips[i].bind.roles, ips[i].bind.peer};
	nets = policy_nets(p, &count);
	for (uint32_t i = 0; i < count; i++)
		if (nets[i].key.prefix_len >= longest && covers(&nets[i].key, ip)) {
			longest = nets[i].key.prefix_len;
			who = (struct peer){nets[i].net.roles, nets[i].net.peer};
		}
	return who;
}

static bool is_peer(const struct gate_rule *r, const struct peer *who)
{
	if (r->peer_kind == GATE_PEER_ANY)
		return true;
	return r->peer_kind == GATE_PEER_ID ? r->peer == who->id : (r->peer & who->roles) != 0;
}

/* Do all conversations with the peer that `r` would decide on meet `earlier` first? */
static bool shadows(const struct gate_rule *earlier, const struct gate_rule *r)
{
	return earlier->towards == r->towards && (!earlier->proto || earlier->proto == r->proto) &&
	       earlier->port_lo <= r->port_lo && r->port_hi <= earlier->port_hi;
}

bool data_is_app(const char *app)
{
	return strcmp(app, "ftp") == 0 || strcmp(app, "tftp") == 0;
}

static bool permits(const struct policy *p, uint32_t rule, const struct gate_rule *r, uint8_t proto)
{
	const char *app = proto == PROTO_TCP ? "ftp" : "tftp",
		   *said = policy_rule_messages(p, rule);
	size_t len = strlen(app);

	return (r->action == GATE_INSPECT || r->action == GATE_SEAL) &&
	       (!r->proto || r->proto == proto) && strncmp(said, app, len) == 0 &&
	       (said[len] == '\n' || !said[len]);
}

static uint32_t rule_of(const struct policy *p, const struct gate_device *d,
			const struct gate_grant_key *door, bool towards)
{
	struct peer who = peer_of(p, door->segment, &door->peer);
	struct gate_rule data = {.port_lo = door->port,
				 .port_hi = door->port,
				 .proto = door->proto,
				 .towards = door->kind == GATE_DOOR_SERVICE};
	uint32_t count, found = ~0u, first = d->rule_first;
	const struct gate_rule *rules = policy_rules(p, &count);
	bool settled = false;

	for (uint32_t i = first; i < first + d->rule_count; i++) {
		bool shadowed = false;

		if (!is_peer(&rules[i], &who))
			continue;
		if (!settled && shadows(&rules[i], &data)) {
			settled = true;
			if (rules[i].action == GATE_DROP)
				return ~0u;
		}
		if (found != ~0u || rules[i].towards != towards ||
		    !permits(p, i, &rules[i], door->proto))
			continue;
		for (uint32_t k = first; k < i; k++)
			shadowed |= is_peer(&rules[k], &who) && shadows(&rules[k], &rules[i]);
		if (!shadowed)
			found = i;
	}
	return found;
}

uint32_t data_rule(const struct policy *p, const struct gate_grant_key *door, bool towards)
{
	uint32_t count;
	const struct gate_device *d = policy_devices(p, &count);

	for (uint32_t i = 0; i < count; i++)
		if (!(d[i].flags & GATE_DEVICE_STRANGER) && d[i].segment == door->segment &&
		    memcmp(d[i].mac, door->device_mac, sizeof(d[i].mac)) == 0)
			return rule_of(p, &d[i], door, towards);
	return ~0u;
}
