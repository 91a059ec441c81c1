#include "cli/propose.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

#define HOSTS_MAX 1024
#define ROLES_MAX 8
#define EXTRA_MAX 40 /* comment lines a device gets */

/* What a conversation's far end is, as far as a rule's `peer` goes. */
enum far { FAR_ONE, FAR_BROADCAST, FAR_MULTICAST };

struct device {
	const struct config_device *known; /* NULL: new */
	const struct seen_machine *machine;
	const struct config_profile *profile; /* NULL none */
	char name[64], why[256];
	const char *segment;
};

struct host {
	const struct config_host *known; /* NULL: new */
	uint8_t ip[16];
	char name[64];
	const char *role[ROLES_MAX];
	unsigned roles;
	char why[256];
};

/* Whose an address is. */
struct owner {
	uint8_t ip[16];
	uint32_t index;
	bool device;
};

struct proposing {
	struct propose *p;
	struct device *devices;
	size_t device_count;
	struct host *hosts;
	size_t host_count, new_hosts;
	struct owner *owners; /* sorted once devices are there; hosts are appended behind */
	size_t owner_count, owners_sorted;
	uint64_t hosts_left_out;
};

/* Addresses */

static bool in_prefix(const uint8_t ip[16], const char *prefix)
{
	uint8_t net[16], masked[16];
	unsigned len;

	if (!address_prefix(prefix, net, &len))
		return false;
	memcpy(masked, ip, 16);
	address_mask(masked, len, false);
	address_mask(net, len, false);
	return memcmp(masked, net, 16) == 0;
}

static bool is_broadcast_of(const uint8_t ip[16], const char *prefix)
{
	uint8_t net[16];
	unsigned len;

	if (!address_prefix(prefix, net, &len) || strchr(prefix, ':') || len > 126)
		return false;
	address_mask(net, len, true);
	return memcmp(net, ip, 16) == 0;
}

static enum far far_of(const struct proposing *x, const uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
	static const uint8_t ones[4] = {0xff, 0xff, 0xff, 0xff};
	const struct config *c = x->p->config;
	bool v4 = memcmp(ip, mapped, 12) == 0;

	if (ip[0] == 0xff || (v4 && (ip[12] & 0xf0) == 0xe0))
		return FAR_MULTICAST;
	if (v4 && memcmp(ip + 12, ones, 4) == 0)
		return FAR_BROADCAST;
	for (unsigned i = 0; i < x->p->ward_count; i++)
		if (is_broadcast_of(ip, x->p->ward[i]))
			return FAR_BROADCAST;
	for (unsigned i = 0; c && i < c->segments_count; i++)
		for (unsigned j = 0; j < c->segments[i].net_count; j++)
			if (is_broadcast_of(ip, c->segments[i].net[j]))
				return FAR_BROADCAST;
	return FAR_ONE;
}

static int owner_order(const void *a, const void *b)
{
	return memcmp(((const struct owner *)a)->ip, ((const struct owner *)b)->ip, 16);
}

static const struct owner *owner_of(const struct proposing *x, const uint8_t ip[16])
{
	struct owner key;
	const struct owner *hit;

	memcpy(key.ip, ip, 16);
	hit = x->owners_sorted
		      ? bsearch(&key, x->owners, x->owners_sorted, sizeof(key), owner_order)
		      : NULL;
	for (size_t i = x->owners_sorted; !hit && i < x->owner_count; i++)
		if (memcmp(x->owners[i].ip, ip, 16) == 0)
			hit = &x->owners[i];
	return hit;
}

static const struct device *device_of(const struct proposing *x, const uint8_t ip[16])
{
	const struct owner *o = owner_of(x, ip);

	return o && o->device ? &x->devices[o->index] : NULL;
}

/* Profiles */

static bool contains(const char *text, const char *part)
{
	return *part && strcasestr(text, part);
}

static bool port_in(char *const *ports, unsigned count, uint16_t port)
{
	uint16_t lo, hi;

	for (unsigned i = 0; i < count; i++)
		if (address_ports(ports[i], &lo, &hi) && port >= lo && port <= hi)
			return true;
	return count == 0;
}

static bool rule_covers(const struct config_rule *r, const struct seen_talk *t, enum far far)
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
		return far == FAR_BROADCAST;
	if (strcmp(r->peer, "multicast") == 0)
		return far == FAR_MULTICAST;
	return far == FAR_ONE;
}

/* The next rule of the list that covers a conversation, behind `after`; NULL none. */
static const struct config_rule *covering(const struct config_rule *rules, unsigned count,
					  const struct config_rule *after,
					  const struct seen_talk *t, enum far far)
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

struct guess {
	const struct config_profile *profile;
	unsigned score;
	char why[256];
};

__attribute__((format(printf, 3, 4))) static void because(struct guess *g, unsigned score,
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

static void judge_talks(const struct proposing *x, const struct seen_machine *m, struct guess *g)
{
	const struct config_profile *p = g->profile;
	unsigned covered = 0, all = 0, known_by = 0;
	bool app = false;
	char first[24] = "";

	for (size_t i = 0; i < x->p->seen->talk_count; i++) {
		const struct seen_talk *t = &x->p->seen->talks[i];
		bool starts = has_ip(m, t->from), accepts = !starts && has_ip(m, t->to);

		if (!starts && !accepts)
			continue;
		all++;
		if (!covering(starts ? p->starts : p->accepts,
			      starts ? p->starts_count : p->accepts_count, NULL, t,
			      starts ? far_of(x, t->to) : FAR_ONE))
			continue;
		covered++;
		if (p->identify && telling(p->identify, t) && known_by++ == 0)
			snprintf(first, sizeof(first), "%s/%u", t->proto == 6 ? "tcp" : "udp",
				 t->port);
		for (unsigned j = 0; p->identify && j < p->identify->app_count; j++)
			app |= strcasecmp(p->identify->app[j], t->app) == 0;
	}
	if (known_by)
		because(g, 3, "speaks %s", first);
	if (app)
		because(g, 1, "nDPI knows its application");
	/* How much of what it does the profile explains decides between likes. */
	if (covered && known_by + app)
		because(g, covered * 2 / all, "%u of %u services fit", covered, all);
}

static void judge(const struct proposing *x, const struct seen_machine *m, struct guess *g)
{
	const struct config_identify *id = g->profile->identify;

	if (strcmp(m->profile, g->profile->name) == 0)
		because(g, 6, "%s", *m->reasons ? m->reasons : "the gateway recognised it");
	for (unsigned i = 0; id && i < id->vendor_count; i++)
		if (contains(m->vendor, id->vendor[i])) {
			because(g, 3, "made by %s", m->vendor);
			break;
		}
	for (unsigned i = 0; id && i < id->dhcp_count; i++)
		if (contains(m->name, id->dhcp[i])) {
			because(g, 2, "calls itself %s", m->name);
			break;
		}
	judge_talks(x, m, g);
}

static struct guess best_guess(const struct proposing *x, const struct seen_machine *m)
{
	struct guess best = {.score = 2}; /* what it takes to be named at all is more than that */

	for (unsigned i = 0; i < x->p->profile_count; i++) {
		struct guess g = {.profile = &x->p->profiles[i]};

		judge(x, m, &g);
		if (g.score > best.score)
			best = g;
	}
	return best;
}

/* Devices */

static bool named_in_config(const struct config *c, const struct seen_machine *m)
{
	uint8_t mac[6];

	for (unsigned i = 0; c && i < c->devices_count; i++)
		if (address_mac(c->devices[i].mac, mac) && memcmp(mac, m->mac, 6) == 0)
			return true;
	for (unsigned i = 0; c && i < c->hosts_count; i++) {
		if (c->hosts[i].mac && address_mac(c->hosts[i].mac, mac) &&
		    memcmp(mac, m->mac, 6) == 0)
			return true;
		for (unsigned j = 0; j < c->hosts[i].ip_count; j++)
			for (unsigned k = 0; k < m->ips; k++)
				if (!strchr(c->hosts[i].ip[j], '/') &&
				    in_prefix(m->ip[k], c->hosts[i].ip[j]))
					return true;
	}
	return false;
}

static bool nets_are_known(const struct proposing *x)
{
	const struct config *c = x->p->config;

	for (unsigned i = 0; c && i < c->segments_count; i++)
		if (c->segments[i].net_count)
			return true;
	return x->p->ward_count > 0;
}

/* The segment whose network an address is in, NULL none's. */
static const struct config_segment *segment_of(const struct config *c, const uint8_t ip[16])
{
	for (unsigned i = 0; c && i < c->segments_count; i++)
		for (unsigned j = 0; j < c->segments[i].net_count; j++)
			if (in_prefix(ip, c->segments[i].net[j]))
				return &c->segments[i];
	return NULL;
}

static bool on_ward(const struct proposing *x, const struct seen_machine *m)
{
	if (m->router)
		return false;
	for (unsigned i = 0; i < m->ips; i++) {
		for (unsigned j = 0; j < x->p->ward_count; j++)
			if (in_prefix(m->ip[i], x->p->ward[j]))
				return true;
		if (segment_of(x->p->config, m->ip[i]))
			return true;
	}
	if (m->listed && *m->segment)
		return true;
	if (nets_are_known(x))
		return false;
	/* Nothing says where the ward is: whoever a maker of such devices made. */
	for (unsigned i = 0; i < x->p->profile_count; i++) {
		const struct config_identify *id = x->p->profiles[i].identify;

		for (unsigned j = 0; id && j < id->vendor_count; j++)
			if (contains(m->vendor, id->vendor[j]))
				return true;
	}
	return false;
}

/* Letters, digits and dashes of it; a name of its own. */
static void name_device(struct proposing *x, struct device *d)
{
	const uint8_t *mac = d->machine->mac;
	char base[40];
	size_t n = 0;
	unsigned next = 2;

	for (const char *s = d->machine->name; *s && n < sizeof(base) - 1; s++)
		if (isalnum((unsigned char)*s) || (*s == '-' && n))
			base[n++] = (char)tolower((unsigned char)*s);
	base[n] = 0;
	if (n < 3 || strcmp(base, "any") == 0 || strcmp(base, "dhcp") == 0 ||
	    strcmp(base, "broadcast") == 0 || strcmp(base, "multicast") == 0)
		snprintf(base, sizeof(base), "%s-%02x%02x%02x",
			 d->profile ? d->profile->kind : "device", mac[3], mac[4], mac[5]);
	snprintf(d->name, sizeof(d->name), "%s", base);
	for (size_t i = 0; i < x->device_count; i++)
		if (strcmp(x->devices[i].name, d->name) == 0) {
			snprintf(d->name, sizeof(d->name), "%s-%u", base, next++);
			i = (size_t)-1;
		}
	for (unsigned i = 0; x->p->config && i < x->p->config->hosts_count; i++)
		if (strcmp(x->p->config->hosts[i].name, d->name) == 0) {
			snprintf(d->name, sizeof(d->name), "%s-device", base);
			break;
		}
}

static void own_ip(struct proposing *x, const uint8_t ip[16], size_t index, bool device)
{
	struct owner *o = &x->owners[x->owner_count++];

	memcpy(o->ip, ip, 16);
	o->index = (uint32_t)index;
	o->device = device;
}

static bool owned(const struct proposing *x, const uint8_t ip[16])
{
	for (size_t i = 0; i < x->owner_count; i++)
		if (memcmp(x->owners[i].ip, ip, 16) == 0)
			return true;
	return false;
}

static void add_known_device(struct proposing *x, const struct config_device *known)
{
	struct device *d = &x->devices[x->device_count];
	uint8_t ip[16];
	unsigned len;

	d->known = known;
	d->segment = known->segment;
	snprintf(d->name, sizeof(d->name), "%s", known->name);
	for (unsigned i = 0; i < x->p->profile_count; i++)
		if (strcmp(x->p->profiles[i].name, known->profile) == 0)
			d->profile = &x->p->profiles[i];
	for (unsigned i = 0; i < known->ip_count; i++)
		if (address_prefix(known->ip[i], ip, &len))
			own_ip(x, ip, x->device_count, true);
	x->device_count++;
}

static void add_new_device(struct proposing *x, const struct seen_machine *m)
{
	struct device *d = &x->devices[x->device_count];
	const struct config *c = x->p->config;
	const struct config_segment *s = NULL;
	struct seen_machine own = *m;
	struct guess g;

	/* An address that another claimed before stays with that one. */
	own.ips = 0;
	for (unsigned i = 0; i < m->ips; i++) {
		if (owned(x, m->ip[i]))
			continue;
		own_ip(x, m->ip[i], x->device_count, true);
		memcpy(own.ip[own.ips++], m->ip[i], 16);
	}
	g = best_guess(x, &own);
	d->machine = m;
	d->profile = g.profile;
	snprintf(d->why, sizeof(d->why), "%s", g.why);
	for (unsigned i = 0; !s && i < m->ips; i++)
		s = segment_of(c, m->ip[i]);
	for (unsigned i = 0; !s && c && i < c->segments_count; i++)
		if (strcmp(c->segments[i].name, m->segment) == 0)
			s = &c->segments[i];
	d->segment = s ? s->name : c ? c->segments[0].name : "ward";
	name_device(x, d);
	x->device_count++;
}

static void add_known_hosts(struct proposing *x)
{
	const struct config *c = x->p->config;
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; c && i < c->hosts_count; i++) {
		struct host *h = &x->hosts[x->host_count];

		h->known = &c->hosts[i];
		snprintf(h->name, sizeof(h->name), "%s", c->hosts[i].name);
		for (unsigned j = 0; j < c->hosts[i].role_count && h->roles < ROLES_MAX; j++)
			h->role[h->roles++] = c->hosts[i].role[j];
		for (unsigned j = 0; j < c->hosts[i].ip_count; j++)
			if (address_prefix(c->hosts[i].ip[j], ip, &len) && len == 128 &&
			    !owned(x, ip))
				own_ip(x, ip, x->host_count, false);
		x->host_count++;
	}
}

/* Hosts */

/* The host that a network of the policy makes of an address: the longest prefix. */
static struct host *host_by_net(struct proposing *x, const uint8_t at[16])
{
	struct host *best = NULL;
	unsigned best_len = 0, len;
	uint8_t ip[16];

	for (size_t i = 0; i < x->host_count; i++)
		for (unsigned j = 0; x->hosts[i].known && j < x->hosts[i].known->ip_count; j++)
			if (in_prefix(at, x->hosts[i].known->ip[j]) &&
			    address_prefix(x->hosts[i].known->ip[j], ip, &len) && len >= best_len) {
				best = &x->hosts[i];
				best_len = len;
			}
	return best;
}

static struct host *host_for(struct proposing *x, const uint8_t ip[16])
{
	const struct owner *o = owner_of(x, ip);
	char text[ADDRESS_IP_LEN];
	struct host *h;

	if (o)
		return o->device ? NULL : &x->hosts[o->index];
	h = host_by_net(x, ip);
	if (h)
		return h;
	if (x->new_hosts == HOSTS_MAX) {
		x->hosts_left_out++;
		return NULL;
	}
	h = &x->hosts[x->host_count];
	memcpy(h->ip, ip, 16);
	address_ip_text(ip, text);
	for (char *s = text; *s; s++)
		if (*s == '.' || *s == ':')
			*s = '-';
	snprintf(h->name, sizeof(h->name), "host-%s", text);
	own_ip(x, ip, x->host_count++, false);
	x->new_hosts++;
	return h;
}

static bool holds(const struct host *h, const char *role)
{
	for (unsigned i = 0; i < h->roles; i++)
		if (strcmp(h->role[i], role) == 0)
			return true;
	return strcmp(h->name, role) == 0;
}

static bool is_role(const char *peer)
{
	return strcmp(peer, "any") != 0 && strcmp(peer, "broadcast") != 0 &&
	       strcmp(peer, "multicast") != 0;
}

/* The rules of a device that a conversation may come under: its own, then its profile's. */
struct rules {
	const struct config_rule *list[2];
	unsigned count[2];
};

static struct rules rules_of(const struct device *d, bool starts)
{
	const struct config_device *k = d->known;
	const struct config_profile *p = d->profile;
	struct rules r = {{NULL}};

	if (k) {
		r.list[0] = starts ? k->starts : k->accepts;
		r.count[0] = starts ? k->starts_count : k->accepts_count;
	}
	if (p) {
		r.list[1] = starts ? p->starts : p->accepts;
		r.count[1] = starts ? p->starts_count : p->accepts_count;
	}
	return r;
}

/* Is it allowed as things stand? `other` is NULL for broadcast, multicast and devices. */
static bool is_covered(const struct device *d, const struct host *other, const struct seen_talk *t,
		       enum far far, bool starts)
{
	struct rules r = rules_of(d, starts);
	const struct config_rule *hit;

	for (int i = 0; i < 2; i++)
		for (hit = covering(r.list[i], r.count[i], NULL, t, far); hit;
		     hit = covering(r.list[i], r.count[i], hit, t, far))
			if (!is_role(hit->peer) || (other && holds(other, hit->peer)))
				return true;
	return false;
}

/* A host that is new gets the role by which the profile expects such a service. */
static void give_role(const struct device *d, struct host *h, const struct seen_talk *t,
		      bool starts)
{
	struct rules r = rules_of(d, starts);
	const struct config_rule *hit = covering(r.list[1], r.count[1], NULL, t, FAR_ONE);
	size_t len = strlen(h->why);

	/* Who can be pinged need not be served: an answer to ICMP names no role. */
	while (hit && (!is_role(hit->peer) || t->proto == 1 || t->proto == 58))
		hit = covering(r.list[1], r.count[1], hit, t, FAR_ONE);
	if (!hit || h->roles == ROLES_MAX)
		return;
	h->role[h->roles++] = hit->peer;
	snprintf(h->why + len, sizeof(h->why) - len, "%s%s: %s of %s", len ? "; " : "", hit->peer,
		 hit->service, d->name);
	/* Others may fit as well; a person knows. */
	while ((hit = covering(r.list[1], r.count[1], hit, t, FAR_ONE)) != NULL) {
		len = strlen(h->why);
		if (is_role(hit->peer) && !holds(h, hit->peer))
			snprintf(h->why + len, sizeof(h->why) - len, " (or %s)", hit->peer);
	}
}

static void assign(struct proposing *x, const struct device *d, const struct seen_talk *t,
		   const uint8_t *other, bool starts)
{
	struct host *h = far_of(x, other) == FAR_ONE ? host_for(x, other) : NULL;

	if (h && !h->known && !is_covered(d, h, t, FAR_ONE, starts))
		give_role(d, h, t, starts);
}

static void assign_all(struct proposing *x)
{
	const struct seen *s = x->p->seen;

	for (size_t i = 0; i < s->talk_count; i++) {
		const struct seen_talk *t = &s->talks[i];
		const struct device *from = device_of(x, t->from), *to = device_of(x, t->to);

		if (from)
			assign(x, from, t, t->to, true);
		if (to)
			assign(x, to, t, t->from, false);
	}
}

/* Writing */

static void quoted(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

/* What machines call themselves goes into comments only, and must not end them. */
static void comment(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f ? '?' : *s, out);
}

static void quoted_list(FILE *out, char *const *list, unsigned count)
{
	fputc('[', out);
	for (unsigned i = 0; i < count; i++) {
		fputs(i ? ", " : "", out);
		quoted(out, list[i]);
	}
	fputc(']', out);
}

/* The gateway's own section as it stands in the file there is, line by line. */
static void copy_gateway(FILE *out, const char *file)
{
	FILE *in = file ? fopen(file, "re") : NULL;
	char *line = NULL;
	size_t cap = 0;
	bool inside = false;

	while (in && getline(&line, &cap, in) > 0) {
		if (strncmp(line, "gateway:", 8) == 0)
			inside = true;
		else if (inside && !strchr(" \t\n#}", line[0]))
			inside = false;
		if (inside && line[0] != '#')
			fputs(line, out);
	}
	free(line);
	if (in)
		fclose(in);
}

static const char *const mode_words[] = {"observe", "simulate", "enforce"};

static void write_segments(FILE *out, const struct proposing *x)
{
	const struct config *c = x->p->config;

	fputs("segments:\n", out);
	if (!c) {
		fputs("  # Put the gateway's two ports in here: ward towards the devices.\n"
		      "  - {name: ward, ward: eth1, hospital: eth0",
		      out);
		for (unsigned i = 0; i < x->p->ward_count; i++) {
			fputs(i ? ", " : ", net: [", out);
			quoted(out, x->p->ward[i]);
		}
		fputs(x->p->ward_count ? "]}\n" : "}\n", out);
	}
	for (unsigned i = 0; c && i < c->segments_count; i++) {
		const struct config_segment *s = &c->segments[i];

		fputs("  - {name: ", out);
		quoted(out, s->name);
		fputs(", ward: ", out);
		quoted(out, s->ward);
		fputs(", hospital: ", out);
		quoted(out, s->hospital);
		if (s->net_count) {
			fputs(", net: ", out);
			quoted_list(out, s->net, s->net_count);
		}
		fprintf(out, ",\n     isolated: %s, mode: %s, unknown_devices: %s, binding: %s}\n",
			s->isolated ? "yes" : "no", mode_words[s->mode],
			s->block_strangers ? "block" : "observe",
			s->block_binding ? "block" : "report");
	}
}

/* Outside what a site numbers itself: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6. */
static bool is_public(const uint8_t ip[16])
{
	static const char *const own[] = {"10.0.0.0/8",	   "172.16.0.0/12",  "192.168.0.0/16",
					  "100.64.0.0/10", "169.254.0.0/16", "fc00::/7",
					  "fe80::/10"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (in_prefix(ip, own[i]))
			return false;
	return true;
}

static void write_host(FILE *out, const struct host *h)
{
	char text[ADDRESS_IP_LEN];

	if (!h->known && is_public(h->ip))
		fputs("  # A public address: on the internet, not in the hospital.\n", out);

	if (*h->why) {
		fputs("  # ", out);
		comment(out, h->why);
		fputc('\n', out);
	}
	fputs("  - {name: ", out);
	quoted(out, h->name);
	fputs(", ip: ", out);
	if (h->known)
		quoted_list(out, h->known->ip, h->known->ip_count);
	else
		fprintf(out, "[\"%s\"]", address_ip_text(h->ip, text));
	if (h->known && h->known->mac) {
		fputs(", mac: ", out);
		quoted(out, h->known->mac);
	}
	if (h->known && h->known->role_count) {
		fputs(", role: ", out);
		quoted_list(out, h->known->role, h->known->role_count);
	} else if (h->roles) {
		fputs(", role: [", out);
		for (unsigned i = 0; i < h->roles; i++)
			fprintf(out, "%s%s", i ? ", " : "", h->role[i]);
		fputc(']', out);
	}
	fputs("}\n", out);
}

static void write_rules(FILE *out, const char *key, const struct config_rule *rules, unsigned count)
{
	static const char *const actions[] = {"pass", "inspect", "seal", "drop"};

	if (count)
		fprintf(out, "    %s:\n", key);
	for (unsigned i = 0; i < count; i++) {
		fputs("      - {service: ", out);
		quoted(out, rules[i].service);
		fputs(", proto: ", out);
		quoted(out, rules[i].proto);
		if (rules[i].port_count) {
			fputs(", port: ", out);
			quoted_list(out, rules[i].port, rules[i].port_count);
		}
		fputs(", peer: ", out);
		quoted(out, rules[i].peer);
		fprintf(out, ", action: %s}\n", actions[rules[i].action]);
	}
}

static void write_known_device(FILE *out, const struct config_device *d)
{
	fputs("    mac: ", out);
	quoted(out, d->mac);
	fputc('\n', out);
	if (d->ip_count) {
		fputs("    ip: ", out);
		quoted_list(out, d->ip, d->ip_count);
		fputc('\n', out);
	}
	if (*d->profile)
		fprintf(out, "    profile: %s\n", d->profile);
	if (d->peer_count) {
		fputs("    peer: ", out);
		quoted_list(out, d->peer, d->peer_count);
		fputc('\n', out);
	}
	if (d->mode)
		fprintf(out, "    mode: %s\n", mode_words[*d->mode]);
	if (d->fail)
		fprintf(out, "    fail: %s\n", *d->fail == GATE_OPEN ? "open" : "closed");
	write_rules(out, "starts", d->starts, d->starts_count);
	write_rules(out, "accepts", d->accepts, d->accepts_count);
}

static void write_new_device(FILE *out, const struct proposing *x, const struct device *d)
{
	char text[ADDRESS_IP_LEN], mac[ADDRESS_MAC_LEN];
	bool any = false;

	fprintf(out, "    mac: \"%s\"", address_mac_text(d->machine->mac, mac));
	if (*d->machine->vendor) {
		fputs(" # ", out);
		comment(out, d->machine->vendor);
	}
	fputc('\n', out);
	for (size_t i = 0; i < x->owner_count; i++)
		if (x->owners[i].device && &x->devices[x->owners[i].index] == d) {
			fprintf(out, "%s\"%s\"", any ? ", " : "    ip: [",
				address_ip_text(x->owners[i].ip, text));
			any = true;
		}
	fputs(any ? "]\n" : "", out);
	if (d->profile) {
		fprintf(out, "    profile: %s # ", d->profile->name);
		comment(out, d->why);
		fputc('\n', out);
	} else {
		fputs("    # No profile explains what it does; see which there are, or write its "
		      "lines "
		      "here.\n",
		      out);
	}
	/* Nothing that nobody has read may block anything. */
	fputs("    mode: simulate\n", out);
}

/* One line that a person may take the '#' from. */
static void write_extra(FILE *out, struct proposing *x, const struct seen_talk *t, const char *peer)
{
	char number[8];
	const char *proto = address_proto_name(t->proto);

	snprintf(number, sizeof(number), "%u", t->proto);
	fprintf(out, "    #   - {service: \"seen %llu times, %llu bytes%s",
		(unsigned long long)t->flows, (unsigned long long)t->bytes, *t->app ? ", " : "");
	for (const char *s = t->app; *s; s++)
		if (isalnum((unsigned char)*s) || *s == '-' || *s == '_')
			fputc(*s, out);
	fprintf(out, "\", proto: %s", proto ? proto : number);
	if (t->port)
		fprintf(out, ", port: [%u]", t->port);
	fprintf(out, ", peer: ");
	quoted(out, peer);
	fputs("}\n", out);
	x->p->uncovered++;
}

static void write_extras_head(FILE *out, const struct device *d, bool starts)
{
	const char *key = starts ? "starts" : "accepts";

	if (d->known && (starts ? d->known->starts_count : d->known->accepts_count))
		fprintf(out, "    # Not covered. Add what you recognise to '%s' above.\n", key);
	else
		fprintf(out,
			"    # Not covered. Take the '#' away from what you recognise, and from "
			"'%s'.\n    # %s:\n",
			key, key);
}

static void write_extras(FILE *out, struct proposing *x, const struct device *d, bool starts)
{
	const struct seen *s = x->p->seen;
	unsigned written = 0, more = 0;

	for (size_t i = 0; i < s->talk_count; i++) {
		const struct seen_talk *t = &s->talks[i];
		const uint8_t *mine = starts ? t->from : t->to, *theirs = starts ? t->to : t->from;
		enum far far = far_of(x, theirs);
		const struct device *other_device;
		struct host *other;

		if (device_of(x, mine) != d)
			continue;
		other_device = far == FAR_ONE ? device_of(x, theirs) : NULL;
		other = far == FAR_ONE && !other_device ? host_for(x, theirs) : NULL;
		if (is_covered(d, other, t, far, starts) ||
		    (far == FAR_ONE && !other && !other_device))
			continue;
		if (written == EXTRA_MAX) {
			more++;
			continue;
		}
		if (!written++)
			write_extras_head(out, d, starts);
		write_extra(out, x, t,
			    far == FAR_BROADCAST   ? "broadcast"
			    : far == FAR_MULTICAST ? "multicast"
			    : other_device	   ? other_device->name
						   : other->name);
	}
	if (more)
		fprintf(out, "    #   and %u more\n", more);
}

static void write_devices(FILE *out, struct proposing *x)
{
	fputs("devices:\n", out);
	for (size_t i = 0; i < x->device_count; i++) {
		struct device *d = &x->devices[i];

		fputs("  - name: ", out);
		quoted(out, d->name);
		fputs("\n    segment: ", out);
		quoted(out, d->segment);
		fputc('\n', out);
		if (d->known)
			write_known_device(out, d->known);
		else
			write_new_device(out, x, d);
		write_extras(out, x, d, true);
		write_extras(out, x, d, false);
		x->p->devices++;
	}
}

static void write_head(FILE *out, const struct proposing *x)
{
	const struct seen *s = x->p->seen;

	fputs("# A proposal from what was seen. Nothing of it is in force. Read it, correct it, "
	      "check\n"
	      "# it with 'bedwarden policy check', put it in the policy's place and say "
	      "'bedwarden\n"
	      "# policy apply'. New devices are in mode simulate: take that line away when their\n"
	      "# events show that nothing is missing.\n",
	      out);
	if (s->unanswered)
		fprintf(out, "# %llu conversations were left out because nobody answered.\n",
			(unsigned long long)s->unanswered);
	if (s->forgotten || x->hosts_left_out)
		fprintf(out,
			"# More was seen than fits in here: %llu machines or services were left "
			"out.\n",
			(unsigned long long)(s->forgotten + x->hosts_left_out));
	if (x->p->config)
		fputs("# Comments of the policy there is were not taken over.\n", out);
}

static int gather(struct proposing *x)
{
	const struct config *c = x->p->config;
	const struct seen *s = x->p->seen;
	size_t known_ips = 0;
	unsigned known_hosts = c ? c->hosts_count : 0, known_devices = c ? c->devices_count : 0;

	for (unsigned i = 0; i < known_hosts; i++)
		known_ips += c->hosts[i].ip_count;
	for (unsigned i = 0; i < known_devices; i++)
		known_ips += c->devices[i].ip_count;
	x->devices = calloc(s->machine_count + known_devices + 1, sizeof(*x->devices));
	x->hosts = calloc((size_t)known_hosts + HOSTS_MAX, sizeof(*x->hosts));
	x->owners = calloc(s->machine_count * SEEN_IPS + known_ips + HOSTS_MAX, sizeof(*x->owners));
	if (!x->devices || !x->hosts || !x->owners)
		return -ENOMEM;
	for (unsigned i = 0; i < known_devices; i++)
		add_known_device(x, &c->devices[i]);
	add_known_hosts(x);
	for (size_t i = 0; i < s->machine_count; i++)
		if (on_ward(x, &s->machines[i]) && !named_in_config(c, &s->machines[i]))
			add_new_device(x, &s->machines[i]);
	if (x->owner_count)
		qsort(x->owners, x->owner_count, sizeof(*x->owners), owner_order);
	x->owners_sorted = x->owner_count;
	return x->device_count ? 0 : -ENOENT;
}

int propose_write(struct propose *p, FILE *out)
{
	struct proposing x = {.p = p};
	int r = gather(&x);

	if (r == 0) {
		assign_all(&x);
		write_head(out, &x);
		copy_gateway(out, p->config_file);
		write_segments(out, &x);
		if (x.host_count)
			fputs("hosts:\n", out);
		for (size_t i = 0; i < x.host_count; i++)
			write_host(out, &x.hosts[i]);
		p->hosts = (unsigned)x.host_count;
		write_devices(out, &x);
	}
	free(x.devices);
	free(x.hosts);
	free(x.owners);
	return r;
}
