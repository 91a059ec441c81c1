#include "cli/explain_internal.h"

#include <stdarg.h>
#include <string.h>

#include "base/address.h"
#include "base/fips.h"
#include "cli/explain_service.h"
#include "role/firmware.h"

void explain_warn(const struct warning *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->fn(w->arg, text);
}

static bool role_held(const struct config *c, const char *role)
{
	if (strcmp(role, "any") == 0 || strcmp(role, "broadcast") == 0 ||
	    strcmp(role, "multicast") == 0)
		return true;
	for (unsigned i = 0; i < c->hosts_count; i++) {
		if (strcmp(c->hosts[i].name, role) == 0)
			return true;
		for (unsigned j = 0; j < c->hosts[i].role_count; j++)
			if (strcmp(c->hosts[i].role[j], role) == 0)
				return true;
	}
	for (unsigned i = 0; i < c->devices_count; i++)
		if (strcmp(c->devices[i].name, role) == 0)
			return true;
	return false;
}

/* Once for each role that a profile names and nobody holds, with the services that need it. */
static void warn_roles(const struct config *c, const struct warning *w)
{
	for (unsigned i = 0; i < c->profiles_count; i++) {
		const struct config_profile *p = &c->profiles[i];
		unsigned n = p->starts_count + p->accepts_count;

		for (unsigned j = 0; j < n; j++) {
			struct pieces services = {.len = 0};
			const char *role = NULL;
			bool first = true;

			for (unsigned k = 0; k < n; k++) {
				const struct config_rule *r =
					k < p->starts_count ? &p->starts[k]
							    : &p->accepts[k - p->starts_count];

				if (k == j)
					role = r->peer;
				else if (k < j)
					continue;
				if (strcmp(role, r->peer) == 0)
					piece_add(&services, "; ", "%s", r->service);
			}
			for (unsigned k = 0; first && k < j; k++)
				first = strcmp(role,
					       k < p->starts_count
						       ? p->starts[k].peer
						       : p->accepts[k - p->starts_count].peer);
			if (first && !role_held(c, role))
				explain_warn(w,
					     "no host has the role '%s', so profile %s allows "
					     "nobody: %s",
					     role, p->name, services.text);
		}
	}
}

static bool narrows(const struct config *c, const struct config_device *d, const char *peer)
{
	const struct config_profile *p = explain_profile(c, d);

	for (unsigned i = 0; i < c->hosts_count; i++)
		for (unsigned j = 0;
		     strcmp(c->hosts[i].name, peer) == 0 && j < c->hosts[i].role_count; j++) {
			const char *role = c->hosts[i].role[j];

			for (unsigned k = 0; p && k < p->starts_count; k++)
				if (strcmp(p->starts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; p && k < p->accepts_count; k++)
				if (strcmp(p->accepts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; k < d->starts_count; k++)
				if (strcmp(d->starts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; k < d->accepts_count; k++)
				if (strcmp(d->accepts[k].peer, role) == 0)
					return true;
		}
	return false;
}

/* In none of the segment's networks, though one of its kind is named: probably a slip. */
static bool is_astray(const struct config_segment *s, const char *text)
{
	uint8_t ip[16];
	unsigned len;
	bool asked = false;

	if (!address_prefix(text, ip, &len) || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80))
		return false;
	for (unsigned i = 0; i < s->net_count; i++) {
		if (!strchr(text, ':') != !strchr(s->net[i], ':'))
			continue;
		if (address_within(ip, s->net[i]))
			return false;
		asked = true;
	}
	return asked;
}

static void warn_addresses(const struct config *c, const struct warning *w)
{
	for (unsigned i = 0; i < c->devices_count; i++)
		for (unsigned j = 0; j < c->segments_count; j++)
			for (unsigned k = 0; k < c->devices[i].ip_count; k++)
				if (!strcmp(c->devices[i].segment, c->segments[j].name) &&
				    is_astray(&c->segments[j], c->devices[i].ip[k]))
					explain_warn(w,
						     "device '%s' has the address %s, which is in "
						     "no network (net) of its segment '%s'",
						     c->devices[i].name, c->devices[i].ip[k],
						     c->segments[j].name);
}

static void warn_devices(const struct explaining *x, const struct warning *w)
{
	for (unsigned i = 0; i < x->c->devices_count; i++) {
		const struct config_device *d = &x->c->devices[i];
		const struct gate_device *g = &x->devices[x->c->segments_count + i];

		if (!d->ip_count)
			explain_warn(w,
				     "device '%s' has no ip: it may use any address that nobody "
				     "else owns",
				     d->name);
		if (!g->rule_count)
			explain_warn(w,
				     "device '%s' may do nothing at all: it has no profile and no "
				     "lines of "
				     "its own, or nobody holds the roles they name",
				     d->name);
		if (d->update && d->update->driver != CONFIG_PERSON &&
		    !firmware_seen(x->p, x->c->segments_count + i))
			explain_warn(
				w,
				"device '%s' gets no firmware: none of its lines is inspected, so "
				"nobody can see whether it is on a patient, or well afterwards",
				d->name);
		if (g->mode != GATE_ENFORCE)
			explain_warn(w, "device '%s' is in mode %s: nothing is blocked for it",
				     d->name, explain_modes[g->mode]);
		for (unsigned j = 0; j < d->peer_count; j++)
			if (!narrows(x->c, d, d->peer[j]))
				explain_warn(
					w,
					"device '%s' is narrowed to '%s', which holds no role that "
					"its "
					"lines name: that narrows nothing",
					d->name, d->peer[j]);
	}
}

static void warn_hosts(const struct config *c, const struct warning *w)
{
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; i < c->hosts_count; i++)
		for (unsigned j = 0; j < c->hosts[i].ip_count; j++)
			if (address_prefix(c->hosts[i].ip[j], ip, &len) &&
			    (len == 0 || (len == 96 && !strchr(c->hosts[i].ip[j], ':'))))
				explain_warn(w, "host '%s' is the whole internet (%s)",
					     c->hosts[i].name, c->hosts[i].ip[j]);
}

static bool any_v6(char *const *ips, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strchr(ips[i], ':'))
			return true;
	return false;
}

static bool uses_v6(const struct config *c)
{
	bool v6 = false;

	for (unsigned i = 0; i < c->segments_count; i++)
		v6 |= any_v6(c->segments[i].net, c->segments[i].net_count);
	for (unsigned i = 0; i < c->devices_count; i++)
		v6 |= any_v6(c->devices[i].ip, c->devices[i].ip_count);
	return v6;
}

/* RFC 8415 §18.3.10: what it answers comes from a link-local address (fe80::/10), which is
 * nobody's as long as neither that nor its hardware address is known. */
static void warn_dhcp(const struct config *c, const struct warning *w)
{
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; i < c->hosts_count; i++) {
		const struct config_host *h = &c->hosts[i];
		bool serves = false, known = h->mac != NULL;

		for (unsigned j = 0; j < h->role_count; j++)
			serves |= strcmp(h->role[j], "dhcp") == 0;
		for (unsigned j = 0; j < h->ip_count; j++)
			known |= address_prefix(h->ip[j], ip, &len) && len >= 10 && ip[0] == 0xfe &&
				 (ip[1] & 0xc0) == 0x80;
		if (serves && !known && (uses_v6(c) || any_v6(h->ip, h->ip_count)))
			explain_warn(w,
				     "host '%s' has the role dhcp and IPv6 is in use, but it has "
				     "no mac: "
				     "its DHCPv6 answers come from a link-local address and will "
				     "be taken "
				     "for a rogue server's; give it 'mac', or its fe80:: address "
				     "in 'ip'",
				     h->name);
	}
}

static void warn_segments(const struct config *c, const struct warning *w)
{
	for (unsigned i = 0; i < c->segments_count; i++) {
		unsigned devices = 0;

		for (unsigned j = 0; j < c->devices_count; j++)
			devices += strcmp(c->devices[j].segment, c->segments[i].name) == 0;
		if (!devices)
			explain_warn(w, "segment '%s' has no devices%s", c->segments[i].name,
				     c->segments[i].block_strangers
					     ? ": everything on its ward side will be blocked"
					     : "");
		if (!c->segments[i].block_strangers)
			explain_warn(w, "segment '%s' lets machines through that nobody registered",
				     c->segments[i].name);
	}
}

static void warn_services(const struct explaining *x, const struct warning *w)
{
	uint32_t count;
	const struct policy_service *s = policy_services(x->p, &count);

	for (uint32_t i = 0; i < count; i++) {
		const char *open = explain_service_open(x->p, &s[i]);

		if (open)
			explain_warn(
				w,
				"device '%s': the service '%s' is open to some without being asked "
				"for, "
				"by the line '%s' of accepts",
				policy_device_name(x->p, s[i].device),
				policy_service_name(x->p, &s[i]), open);
		if (s[i].flags & POLICY_SERVICE_RECORD && !x->c->gateway.evidence)
			explain_warn(w,
				     "device '%s': the service '%s' is to be recorded, which needs "
				     "evidence: "
				     "on",
				     policy_device_name(x->p, s[i].device),
				     policy_service_name(x->p, &s[i]));
	}
}

/* Each setting that is about it is where it takes effect; what it does not reach is said once. */
static void warn_crypto(const struct config *c, const struct warning *w)
{
	if (strcmp(c->gateway.crypto, "fips") != 0)
		return;
	fips_begin(); /* as the gateway would */
	if (!fips_has_module())
		explain_warn(
			w,
			"crypto: fips: no validated module (OpenSSL's FIPS provider) is installed "
			"here; only approved algorithms will be used, but OpenSSL's own");
	explain_warn(
		w,
		"crypto: fips: age files, the recovery kit among them, and device updates over "
		"TFTP or plain HTTP stay what they are; updates over SFTP are refused; passwords "
		"are kept by Argon2id until they are set anew");
}

void explain_warnings(const struct explaining *x, explain_warn_fn fn, void *arg)
{
	const struct warning w = {fn, arg};

	warn_crypto(x->c, &w);
	explain_vain(x, &w);
	warn_services(x, &w);
	warn_segments(x->c, &w);
	warn_hosts(x->c, &w);
	warn_dhcp(x->c, &w);
	warn_roles(x->c, &w);
	warn_addresses(x->c, &w);
	warn_devices(x, &w);
}
