#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/conform.h"

static void check_rule_peer(struct checking *k, const char *path, const char *peer)
{
	struct nearest near = {.text = peer};

	/* In a profile a peer is a role, and whether a site has it is the site's business. */
	if (!k->c || check_is_own_peer(peer) || check_name_find(k->names, k->names_count, peer))
		return;
	for (unsigned i = 0; i < k->roles_count; i++) {
		if (strcmp(k->roles[i], peer) == 0)
			return;
		nearest_offer(&near, k->roles[i]);
	}
	for (size_t i = 0; i < k->names_count && i < 4096; i++)
		nearest_offer(&near, k->names[i].text);
	if (near.best)
		check_wrong(k, path,
			    "nobody is called '%.60s' or has that role; did you mean '%.63s'?",
			    peer, near.best);
	else
		check_wrong(k, path,
			    "nobody is called '%.60s' or has that role; expected a role, the name "
			    "of a host or device, any, broadcast or multicast",
			    peer);
}

/* A rule's protocol, ports and peer; of a list its words as well (config_check_words()). */
static void rule(struct checking *k, const char *path, const struct config_rule *r)
{
	bool types = strcmp(r->proto, "icmp") == 0 || strcmp(r->proto, "icmpv6") == 0;
	uint16_t lo, hi;
	uint8_t proto;
	char at[160];

	snprintf(at, sizeof(at), "%s.proto", path);
	if (!address_proto(r->proto, &proto)) {
		check_wrong(k, at,
			    "'%.40s' is no protocol; expected tcp, udp, icmp, icmpv6, igmp, any or "
			    "a number up to 255",
			    r->proto);
	} else if (r->port_count && !types && proto != 6 && proto != 17 && proto != 1 &&
		   proto != 58) {
		snprintf(at, sizeof(at), "%s.port", path);
		check_wrong(k, at,
			    "'%.40s' has no ports; expected none, or the protocol tcp or udp",
			    r->proto);
	}
	for (unsigned i = 0; i < r->port_count; i++) {
		snprintf(at, sizeof(at), "%s.port[%u]", path, i);
		if (!address_ports(r->port[i], &lo, &hi) || (!types && !lo))
			check_wrong(k, at,
				    "'%.40s' is no port; expected a number from %u to %u or a "
				    "range as %s",
				    r->port[i], !types, types ? 255 : 65535,
				    types ? "3-4" : "5000-5010");
		else if (types && hi > 255)
			check_wrong(k, at, "'%.40s' is no %s type; expected a number up to 255",
				    r->port[i], r->proto);
	}
	snprintf(at, sizeof(at), "%s.peer", path);
	check_rule_peer(k, at, r->peer);
	snprintf(at, sizeof(at), "%s.action", path);
	if (r->action == GATE_SEAL && k->c && !k->c->peers_count)
		check_wrong(
			k, at,
			"'seal' needs a gateway at the other end; expected 'peers' to name one, or "
			"inspect, pass or drop");
}

static config_words_fn words_wrong;

void config_check_words(config_words_fn fn)
{
	words_wrong = fn;
}

bool check_words_wrong(const char *app, char *const *words, unsigned count, int *ret_line,
		       char ret_why[160])
{
	return words_wrong && words_wrong(app, words, count, ret_line, ret_why);
}

static void check_rule_words(struct checking *k, const char *path, const struct config_rule *r)
{
	char at[160], why[160];
	int line;

	snprintf(at, sizeof(at), "%s.app", path);
	if (!*r->app && (r->allow_count || !r->control)) {
		snprintf(at, sizeof(at), "%s.%s", path, r->allow_count ? "allow" : "control");
		check_wrong(k, at,
			    "allow and control say what may be said in a protocol; expected "
			    "app to name it");
	} else if (*r->app && r->action != GATE_INSPECT && r->action != GATE_SEAL) {
		check_wrong(k, at,
			    "what is not inspected cannot be read; expected action: inspect");
	} else if (*r->app && check_words_wrong(r->app, r->allow, r->allow_count, &line, why)) {
		if (line >= 0)
			snprintf(at, sizeof(at), "%s.allow[%d]", path, line);
		check_wrong(k, at, "%s", why);
	}
}

void check_rules(struct checking *k, const char *path, const struct config_rule *rules,
		 unsigned count)
{
	char at[128];

	for (unsigned i = 0; i < count; i++) {
		snprintf(at, sizeof(at), "%s[%u]", path, i);
		rule(k, at, &rules[i]);
		check_rule_words(k, at, &rules[i]);
	}
}

/* A shield is a rule that takes away; what a rule must be, it must. */
void check_shield(struct checking *k, unsigned i)
{
	const struct config_shield *s = &k->c->shields[i];
	struct config_rule r = {.proto = s->proto,
				.port = s->port,
				.port_count = s->port_count,
				.peer = s->peer,
				.action = GATE_INSPECT};
	char at[160], why[160];
	int line;

	snprintf(at, sizeof(at), "shields[%u]", i);
	rule(k, at, &r);
	for (unsigned j = 0; j < s->device_count; j++) {
		bool known = false;

		for (unsigned d = 0; !known && d < k->c->devices_count; d++)
			known = strcmp(k->c->devices[d].name, s->device[j]) == 0;
		snprintf(at, sizeof(at), "shields[%u].device[%u]", i, j);
		if (!known)
			check_wrong(k, at, "no device is called '%.63s'", s->device[j]);
	}
	snprintf(at, sizeof(at), "shields[%u].peer", i);
	if (strcmp(s->peer, "broadcast") == 0 || strcmp(s->peer, "multicast") == 0)
		check_wrong(k, at,
			    "what is sent to all cannot be kept from one; expected a role, a name "
			    "or any");
	snprintf(at, sizeof(at), "shields[%u].%s", i, s->deny_count ? "deny" : "control");
	if (!*s->app && (s->deny_count || !s->control))
		check_wrong(k, at,
			    "deny and control say which messages of a protocol; expected app to "
			    "name it");
	if (!*s->app || !check_words_wrong(s->app, s->deny, s->deny_count, &line, why))
		return;
	snprintf(at, sizeof(at), "shields[%u].app", i);
	if (line >= 0)
		snprintf(at, sizeof(at), "shields[%u].deny[%d]", i, line);
	check_wrong(k, at, "%s", why);
}
