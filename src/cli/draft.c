#include "cli/draft.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

#define HOSTS_MAX 1024

static int owner_order(const void *a, const void *b)
{
	return memcmp(((const struct draft_owner *)a)->ip, ((const struct draft_owner *)b)->ip, 16);
}

static const struct draft_owner *owner_of(const struct draft *x, const uint8_t ip[16])
{
	struct draft_owner key;
	const struct draft_owner *hit;

	memcpy(key.ip, ip, 16);
	hit = x->owners_sorted
		      ? bsearch(&key, x->owners, x->owners_sorted, sizeof(key), owner_order)
		      : NULL;
	for (size_t i = x->owners_sorted; !hit && i < x->owner_count; i++)
		if (memcmp(x->owners[i].ip, ip, 16) == 0)
			hit = &x->owners[i];
	return hit;
}

const struct draft_device *draft_device_of(const struct draft *x, const uint8_t ip[16])
{
	const struct draft_owner *o = owner_of(x, ip);

	return o && o->device ? &x->devices[o->index] : NULL;
}

static void own_ip(struct draft *x, const uint8_t ip[16], size_t index, bool device)
{
	struct draft_owner *o = &x->owners[x->owner_count++];

	memcpy(o->ip, ip, 16);
	o->index = (uint32_t)index;
	o->device = device;
}

static bool owned(const struct draft *x, const uint8_t ip[16])
{
	for (size_t i = 0; i < x->owner_count; i++)
		if (memcmp(x->owners[i].ip, ip, 16) == 0)
			return true;
	return false;
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
				    address_within(m->ip[k], c->hosts[i].ip[j]))
					return true;
	}
	return false;
}

static bool nets_are_known(const struct draft *x)
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
			if (address_within(ip, c->segments[i].net[j]))
				return &c->segments[i];
	return NULL;
}

static bool on_ward(const struct draft *x, const struct seen_machine *m)
{
	if (m->router)
		return false;
	for (unsigned i = 0; i < m->ips; i++) {
		for (unsigned j = 0; j < x->p->ward_count; j++)
			if (address_within(m->ip[i], x->p->ward[j]))
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

		if (id && fit_made_by(id, m->vendor))
			return true;
	}
	return false;
}

/* Letters, digits and dashes of it; a name of its own. */
static void name_device(struct draft *x, struct draft_device *d)
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

/* What it has besides, or at all where the policy lists none. */
static void own_seen(struct draft *x, const struct config_device *known)
{
	const struct seen *s = x->p->seen;
	uint8_t mac[6];

	if (!address_mac(known->mac, mac))
		return;
	for (size_t i = 0; i < s->machine_count; i++)
		for (unsigned j = 0;
		     memcmp(s->machines[i].mac, mac, 6) == 0 && j < s->machines[i].ips; j++)
			if (!owned(x, s->machines[i].ip[j]))
				own_ip(x, s->machines[i].ip[j], x->device_count, true);
}

static void add_known_device(struct draft *x, const struct config_device *known)
{
	struct draft_device *d = &x->devices[x->device_count];
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
	own_seen(x, known);
	x->device_count++;
}

static void add_new_device(struct draft *x, const struct seen_machine *m)
{
	struct draft_device *d = &x->devices[x->device_count];
	const struct config *c = x->p->config;
	const struct config_segment *s = NULL;
	struct seen_machine own = *m;
	struct fit_guess g;

	/* An address that another claimed before stays with that one. */
	own.ips = 0;
	for (unsigned i = 0; i < m->ips; i++) {
		if (owned(x, m->ip[i]))
			continue;
		own_ip(x, m->ip[i], x->device_count, true);
		memcpy(own.ip[own.ips++], m->ip[i], 16);
	}
	g = fit_best(x->p, &own);
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

static void add_known_hosts(struct draft *x)
{
	const struct config *c = x->p->config;
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; c && i < c->hosts_count; i++) {
		struct draft_host *h = &x->hosts[x->host_count];

		h->known = &c->hosts[i];
		snprintf(h->name, sizeof(h->name), "%s", c->hosts[i].name);
		for (unsigned j = 0; j < c->hosts[i].role_count && h->roles < DRAFT_ROLES; j++)
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
static struct draft_host *host_by_net(struct draft *x, const uint8_t at[16])
{
	struct draft_host *best = NULL;
	unsigned best_len = 0, len;
	uint8_t ip[16];

	for (size_t i = 0; i < x->host_count; i++)
		for (unsigned j = 0; x->hosts[i].known && j < x->hosts[i].known->ip_count; j++)
			if (address_within(at, x->hosts[i].known->ip[j]) &&
			    address_prefix(x->hosts[i].known->ip[j], ip, &len) && len >= best_len) {
				best = &x->hosts[i];
				best_len = len;
			}
	return best;
}

struct draft_host *draft_host_for(struct draft *x, const uint8_t ip[16])
{
	const struct draft_owner *o = owner_of(x, ip);
	char text[ADDRESS_IP_LEN];
	struct draft_host *h;

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

static bool holds(const struct draft_host *h, const char *role)
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

static struct rules rules_of(const struct draft_device *d, bool starts)
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

const struct config_rule *draft_rule(const struct draft_device *d, const struct draft_host *other,
				     const struct seen_talk *t, enum fit_far far, bool starts)
{
	struct rules r = rules_of(d, starts);
	const struct config_rule *hit;

	for (int i = 0; i < 2; i++)
		for (hit = fit_rule(r.list[i], r.count[i], NULL, t, far); hit;
		     hit = fit_rule(r.list[i], r.count[i], hit, t, far))
			if (!is_role(hit->peer) || (other && holds(other, hit->peer)))
				return hit;
	return NULL;
}

/* A host that is new gets the role by which the profile expects such a service. */
static void give_role(const struct draft_device *d, struct draft_host *h, const struct seen_talk *t,
		      bool starts)
{
	struct rules r = rules_of(d, starts);
	const struct config_rule *hit = fit_rule(r.list[1], r.count[1], NULL, t, FIT_ONE);
	size_t len = strlen(h->why);

	/* Who can be pinged need not be served: an answer to ICMP names no role. */
	while (hit && (!is_role(hit->peer) || t->proto == 1 || t->proto == 58))
		hit = fit_rule(r.list[1], r.count[1], hit, t, FIT_ONE);
	if (!hit || h->roles == DRAFT_ROLES)
		return;
	h->role[h->roles++] = hit->peer;
	snprintf(h->why + len, sizeof(h->why) - len, "%s%s: %s of %s", len ? "; " : "", hit->peer,
		 hit->service, d->name);
	/* Others may fit as well; a person knows. */
	while ((hit = fit_rule(r.list[1], r.count[1], hit, t, FIT_ONE)) != NULL) {
		len = strlen(h->why);
		if (is_role(hit->peer) && !holds(h, hit->peer))
			snprintf(h->why + len, sizeof(h->why) - len, " (or %s)", hit->peer);
	}
}

static void assign(struct draft *x, const struct draft_device *d, const struct seen_talk *t,
		   const uint8_t *other, bool starts)
{
	struct draft_host *h = fit_far(x->p, other) == FIT_ONE ? draft_host_for(x, other) : NULL;

	if (h && !h->known && !draft_rule(d, h, t, FIT_ONE, starts))
		give_role(d, h, t, starts);
}

static void assign_all(struct draft *x)
{
	const struct seen *s = x->p->seen;

	for (size_t i = 0; i < s->talk_count; i++) {
		const struct seen_talk *t = &s->talks[i];
		const struct draft_device *from = draft_device_of(x, t->from),
					  *to = draft_device_of(x, t->to);

		if (from && !t->called)
			assign(x, from, t, t->to, true);
		if (to)
			assign(x, to, t, t->from, false);
	}
}

static int gather(struct draft *x)
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

int draft_make(struct propose *p, struct draft *ret_draft)
{
	int r;

	*ret_draft = (struct draft){.p = p};
	r = gather(ret_draft);
	if (r == 0)
		assign_all(ret_draft);
	return r;
}

void draft_free(struct draft *x)
{
	free(x->devices);
	free(x->hosts);
	free(x->owners);
}
