#include "cli/fit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

static bool is_broadcast_of(const uint8_t ip[16], const char *prefix)
{
	uint8_t net[16];
	unsigned len;

	if (!address_prefix(prefix, net, &len) || strchr(prefix, ':') || len > 126)
		return false;
	address_mask(net, len, true);
	return memcmp(net, ip, 16) == 0;
}

enum fit_far fit_far(const struct propose *p, const uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
	static const uint8_t ones[4] = {0xff, 0xff, 0xff, 0xff};
	const struct config *c = p->config;
	bool v4 = memcmp(ip, mapped, 12) == 0;

	if (ip[0] == 0xff || (v4 && (ip[12] & 0xf0) == 0xe0))
		return FIT_MULTICAST;
	if (v4 && memcmp(ip + 12, ones, 4) == 0)
		return FIT_BROADCAST;
	if (seen_is_broadcast(p->seen, ip))
		return FIT_BROADCAST;
	for (unsigned i = 0; i < p->ward_count; i++)
		if (is_broadcast_of(ip, p->ward[i]))
			return FIT_BROADCAST;
	for (unsigned i = 0; c && i < c->segments_count; i++)
		for (unsigned j = 0; j < c->segments[i].net_count; j++)
			if (is_broadcast_of(ip, c->segments[i].net[j]))
				return FIT_BROADCAST;
	return FIT_ONE;
}

static bool contains(const char *text, const char *part)
{
	return *part && strcasestr(text, part);
}

bool fit_made_by(const struct config_identify *id, const char *vendor)
{
	for (unsigned i = 0; i < id->vendor_count; i++)
		if (contains(vendor, id->vendor[i]))
			return true;
	return false;
}

static bool port_in(char *const *ports, unsigned count, uint16_t port)
{
	uint16_t lo, hi;

	for (unsigned i = 0; i < count; i++)
		if (address_ports(ports[i], &lo, &hi) && port >= lo && port <= hi)
			return true;
	return count == 0;
}

static bool rule_covers(const struct config_rule *r, const struct seen_talk *t, enum fit_far far)
{
	uint8_t proto;

	if (!address_proto(r->proto, &proto) || (proto && proto != t->proto))
		return false;
	/* A flow does not tell its ICMP type. */
	if (t->proto != 1 && t->proto != 58 && !port_in(r->port, r->port_count, t->port))
		return false;
	if (strcmp(r->peer, "any") == 0)
		return true;
	if (strcmp(r->peer, "broadcast") == 0)
		return far == FIT_BROADCAST;
	if (strcmp(r->peer, "multicast") == 0)
		return far == FIT_MULTICAST;
	return far == FIT_ONE;
}

const struct config_rule *fit_rule(const struct config_rule *rules, unsigned count,
				   const struct config_rule *after, const struct seen_talk *t,
				   enum fit_far far)
{
	unsigned i = after ? (unsigned)(after - rules) + 1 : 0;

	for (; i < count; i++)
		if (rule_covers(&rules[i], t, far))
			return &rules[i];
	return NULL;
}

static bool has_ip(const struct seen_machine *m, const uint8_t ip[16])
{
	for (unsigned i = 0; i < m->ips; i++)
		if (memcmp(m->ip[i], ip, 16) == 0)
			return true;
	return false;
}

/* Is this the service by which such a device is known? */
static bool telling(const struct config_identify *id, const struct seen_talk *t)
{
	char name[24];

	snprintf(name, sizeof(name), "%s/%u", t->proto == 6 ? "tcp" : "udp", t->port);
	for (unsigned i = 0; i < id->service_count; i++)
		if (strcmp(id->service[i], name) == 0)
			return true;
	return false;
}

__attribute__((format(printf, 3, 4))) static void because(struct fit_guess *g, unsigned score,
							  const char *fmt, ...)
{
	size_t len = strlen(g->why);
	va_list ap;

	g->score += score;
	if (len && len + 2 < sizeof(g->why))
		len += (size_t)snprintf(g->why + len, sizeof(g->why) - len, "; ");
	va_start(ap, fmt);
	if (len < sizeof(g->why))
		vsnprintf(g->why + len, sizeof(g->why) - len, fmt, ap);
	va_end(ap);
}

static void judge_talks(const struct propose *p, const struct seen_machine *m, struct fit_guess *g)
{
	const struct config_profile *f = g->profile;
	unsigned covered = 0, all = 0, known_by = 0;
	bool app = false;
	char first[24] = "";

	for (size_t i = 0; i < p->seen->talk_count; i++) {
		const struct seen_talk *t = &p->seen->talks[i];
		bool starts = has_ip(m, t->from), accepts = !starts && has_ip(m, t->to);

		if (!starts && !accepts)
			continue;
		all++;
		if (!fit_rule(starts ? f->starts : f->accepts,
			      starts ? f->starts_count : f->accepts_count, NULL, t,
			      starts ? fit_far(p, t->to) : FIT_ONE))
			continue;
		covered++;
		if (f->identify && telling(f->identify, t) && known_by++ == 0)
			snprintf(first, sizeof(first), "%s/%u", t->proto == 6 ? "tcp" : "udp",
				 t->port);
		for (unsigned j = 0; f->identify && j < f->identify->app_count; j++)
			app |= strcasecmp(f->identify->app[j], t->app) == 0;
	}
	if (known_by)
		because(g, 3, "speaks %s", first);
	if (app)
		because(g, 1, "nDPI knows its application");
	/* Makers of printers make other things. */
	if (!known_by && !app && all >= 4 && covered * 2 < all)
		g->score = 0;
	/* How much of what it does the profile explains decides between likes. */
	if (covered && known_by + app)
		because(g, covered * 2 / all, "%u of %u services fit", covered, all);
}

static void judge(const struct propose *p, const struct seen_machine *m, struct fit_guess *g)
{
	const struct config_identify *id = g->profile->identify;

	if (strcmp(m->profile, g->profile->name) == 0)
		because(g, 6, "%s", *m->reasons ? m->reasons : "the gateway recognised it");
	if (id && fit_made_by(id, m->vendor))
		because(g, 3, "made by %s", m->vendor);
	for (unsigned i = 0; id && i < id->dhcp_count; i++)
		if (contains(m->name, id->dhcp[i])) {
			because(g, 2, "calls itself %s", m->name);
			break;
		}
	judge_talks(p, m, g);
}

struct fit_guess fit_best(const struct propose *p, const struct seen_machine *m)
{
	/* What it takes to be named at all is more than that. */
	struct fit_guess best = {.score = 2};

	for (unsigned i = 0; i < p->profile_count; i++) {
		struct fit_guess g = {.profile = &p->profiles[i]};

		judge(p, m, &g);
		if (g.score > best.score)
			best = g;
	}
	return best;
}
