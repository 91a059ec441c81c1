#include "role/counters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/ipc.h"
#include "base/json.h"
#include "guard/decode/packet.h"
#include "guard/policy/policy.h"
#include "role/keeper.h"
#include "role/serve.h"
#include "role/setup.h"

#define PEERS_MAX 256 /* bytes of the text that says who a rule's other end is */
#define ROW_MAX	  2048

/* Who holds a role is looked for once for all rules in a row that ask for the same one. */
struct naming {
	const struct policy *policy;
	uint64_t roles;
	char text[PEERS_MAX];
};

static void add_name(char text[PEERS_MAX], const char *name)
{
	size_t len = strlen(text);

	if (!*name || strstr(text, name))
		return;
	if (len + strlen(name) + 8 < PEERS_MAX)
		snprintf(text + len, PEERS_MAX - len, "%s%s", len ? ", " : "", name);
	else if (!strstr(text, ", …"))
		snprintf(text + len, PEERS_MAX - len, ", …");
}

/* Hosts stand where they are bound to a hardware address, or among networks. */
static void name_holders(struct naming *n, uint64_t roles)
{
	uint32_t count;
	const struct policy_ip_row *ips = policy_ips(n->policy, &count);
	const struct policy_net_row *nets;

	for (uint32_t i = 0; i < count; i++)
		if (ips[i].bind.roles & roles)
			add_name(n->text, policy_peer_name(n->policy, ips[i].bind.peer));
	nets = policy_nets(n->policy, &count);
	for (uint32_t i = 0; i < count; i++)
		if (nets[i].net.roles & roles)
			add_name(n->text, policy_peer_name(n->policy, nets[i].net.peer));
}

static const char *peers_of(struct naming *n, const struct gate_rule *r)
{
	if (r->peer_kind == GATE_PEER_ANY)
		return "any";
	if (r->peer_kind == GATE_PEER_ID)
		return policy_peer_name(n->policy, (uint32_t)r->peer);
	if (r->peer == n->roles)
		return n->text;
	n->roles = r->peer;
	*n->text = 0;
	if (r->peer & GATE_ROLE_BROADCAST)
		add_name(n->text, "broadcast");
	if (r->peer & GATE_ROLE_MULTICAST)
		add_name(n->text, "multicast");
	if (r->peer & GATE_ROLE_DHCP)
		add_name(n->text, "DHCP servers");
	name_holders(n, r->peer);
	if (!*n->text)
		add_name(n->text, "nobody");
	return n->text;
}

static void put_match(struct json *j, const struct gate_rule *r)
{
	char text[16];

	json_str(j, "proto", r->proto ? packet_proto_name(r->proto, text) : "any");
	if (r->port_lo == 0 && r->port_hi == UINT16_MAX)
		snprintf(text, sizeof(text), "any");
	else if (r->port_lo == r->port_hi)
		snprintf(text, sizeof(text), "%u", r->port_lo);
	else
		snprintf(text, sizeof(text), "%u-%u", r->port_lo, r->port_hi);
	json_str(j, "port", text);
}

static void give_rule(struct naming *n, const struct gate_device *d, const char *device, uint32_t i,
		      const struct gate_count *c, counters_row_fn fn, void *arg)
{
	static const char *const actions[] = {[GATE_PASS] = "pass",
					      [GATE_INSPECT] = "inspect",
					      [GATE_DROP] = "drop",
					      [GATE_SEAL] = "seal"};
	uint32_t count;
	const struct gate_rule *r = &policy_rules(n->policy, &count)[i];
	char buf[ROW_MAX];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_str(&j, "device", device);
	json_str(&j, "segment", policy_segment_name(n->policy, d->segment));
	json_str(&j, "service", policy_rule_service(n->policy, i));
	json_str(&j, "direction", r->towards ? "accepts" : "starts");
	put_match(&j, r);
	json_str(&j, "peer", peers_of(n, r));
	json_str(&j, "action", r->action < 4 ? actions[r->action] : "?");
	json_u64(&j, "rule", i);
	json_u64(&j, "packets", c->packets);
	json_u64(&j, "bytes", c->bytes);
	json_close(&j);
	if (!j.out.bad)
		fn(arg, (struct bytes){(const uint8_t *)buf, j.out.len});
}

int counters_rows(const struct policy *p, const struct gate_count *counts, const char *device,
		  counters_row_fn fn, void *arg)
{
	struct naming n = {.policy = p};
	uint32_t count, rules;
	const struct gate_device *d = policy_devices(p, &count);
	int err = *device ? -ENOENT : 0;

	policy_rules(p, &rules);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = policy_device_name(p, i);

		if (d[i].flags & GATE_DEVICE_STRANGER)
			name = "an unregistered machine";
		if (*device && strcmp(device, name) != 0)
			continue;
		err = 0;
		for (uint32_t r = d[i].rule_first; r < d[i].rule_first + d[i].rule_count; r++)
			if (r < rules)
				give_rule(&n, &d[i], name, r, &counts[r], fn, arg);
	}
	return err;
}

struct giving {
	struct serve *serve;
	struct client *client;
};

static void give_row(void *arg, struct bytes row)
{
	struct giving *g = arg;

	if (g->client->busy)
		serve_row(g->serve, g->client, row);
}

static void give_counted(struct keeper *k, struct client *c, const struct setup_counted *head,
			 size_t size)
{
	struct giving g = {k->serve, c};
	uint32_t rules = 0;

	if (k->policy)
		policy_rules(k->policy, &rules);
	if (size < sizeof(*head) || head->rules != rules ||
	    size != sizeof(*head) + rules * sizeof(struct gate_count) ||
	    head->generation != policy_generation(k->policy)) {
		serve_error(k->serve, c, "counters: the policy is being changed; try again");
		return;
	}
	if (counters_rows(k->policy, (const struct gate_count *)(head + 1),
			  c->request.filter.device, give_row, &g) < 0)
		serve_error(
			k->serve, c,
			"counters: the policy has no device '%s'; 'bedwarden devices' lists them",
			c->request.filter.device);
	else
		serve_end(k->serve, c);
}

void counters_answer(struct keeper *k, const struct ipc_message *m)
{
	struct client *c = serve_asker(k->serve, m->id);
	struct stat st;
	void *block;

	if (!c || c->request.command != REQUEST_COUNTERS)
		return; /* it did not wait */
	if (fstat(m->fd, &st) < 0 || st.st_size == 0) {
		serve_error(k->serve, c,
			    "counters: the kernel keeps them, and its floor is not in use here "
			    "(capture: packet); 'bedwarden status' says why");
		return;
	}
	block = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fd, 0);
	if (block == MAP_FAILED) {
		serve_error(k->serve, c, "counters: no memory to read them");
		return;
	}
	give_counted(k, c, block, (size_t)st.st_size);
	munmap(block, (size_t)st.st_size);
}
