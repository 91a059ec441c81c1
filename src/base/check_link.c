#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/pin.h"

/* "10.0.0.9:2575", or the name of a host with a single address, and a port. */
static bool can_connect(const struct checking *k, const char *text)
{
	char ip[ADDRESS_IP_LEN], name[64];
	const char *colon = strrchr(text, ':');
	const struct check_name *n;
	unsigned len;
	uint8_t raw[16];
	uint16_t lo, hi;

	if (address_endpoint(text, ip, &lo))
		return true;
	if (!colon || (size_t)(colon - text) >= sizeof(name) || strchr(colon + 1, '-') ||
	    !address_ports(colon + 1, &lo, &hi))
		return false;
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = 0;
	n = check_name_find(k->names, k->names_count, name);
	if (!n)
		return false;
	return n->device ? k->c->devices[n->index].ip_count > 0
			 : k->c->hosts[n->index].ip_count > 0 &&
				   address_prefix(k->c->hosts[n->index].ip[0], raw, &len) &&
				   len == 128;
}

static void check_relay_who(struct checking *k, const struct config_relay *r, unsigned i)
{
	uint8_t ip[16];
	unsigned len;
	char at[64];

	for (unsigned n = 0; n < r->from_count; n++) {
		if (address_prefix(r->from[n], ip, &len) ||
		    check_name_find(k->names, k->names_count, r->from[n]))
			continue;
		snprintf(at, sizeof(at), "relays[%u].from[%u]", i, n);
		check_wrong(
			k, at,
			"nobody is called '%.60s'; expected an address, a prefix or the name of a "
			"host or device",
			r->from[n]);
	}
	snprintf(at, sizeof(at), "relays[%u]", i);
	if (!r->tls_in && !r->from_count)
		check_wrong(k, at,
			    "the relay '%.60s' takes what anybody sends in the clear; expected "
			    "'from' to "
			    "say who may",
			    r->name);
	if (strcmp(r->ca, "none") == 0 && !r->pin_count)
		check_wrong(k, at,
			    "the relay '%.60s' trusts nobody; expected 'pin' with 'ca: none'",
			    r->name);
	for (unsigned n = 0; n < r->pin_count; n++) {
		uint8_t pin[CRYPTO_HASH];

		snprintf(at, sizeof(at), "relays[%u].pin[%u]", i, n);
		if (!pin_parse(r->pin[n], pin))
			check_wrong(k, at,
				    "'%.60s' is no pin; expected sha256/ and 44 letters of base64, "
				    "or 64 hex digits",
				    r->pin[n]);
	}
}

void check_relay(struct checking *k, unsigned i)
{
	const struct config_relay *r = &k->c->relays[i];
	char at[64], ip[ADDRESS_IP_LEN], why[160];
	uint16_t port;
	int line;

	for (unsigned n = 0; n < i; n++) {
		snprintf(at, sizeof(at), "relays[%u].name", i);
		if (strcmp(k->c->relays[n].name, r->name) == 0)
			check_wrong(k, at,
				    "a second relay is called '%s'; expected a name of its own",
				    r->name);
		snprintf(at, sizeof(at), "relays[%u].listen", i);
		if (strcmp(k->c->relays[n].listen, r->listen) == 0)
			check_wrong(k, at, "two relays listen at %s; expected a place of its own",
				    r->listen);
	}
	snprintf(at, sizeof(at), "relays[%u].listen", i);
	if (!address_endpoint(r->listen, ip, &port))
		check_wrong(k, at,
			    "'%.60s' is no place to listen at; expected an address and a port as "
			    "10.0.0.9:2575 or [fd00::9]:2575",
			    r->listen);
	snprintf(at, sizeof(at), "relays[%u].connect", i);
	if (!can_connect(k, r->connect))
		check_wrong(k, at,
			    "'%.60s' cannot be connected to; expected an address and a port as "
			    "10.1.0.5:2575, or a host's name and a port",
			    r->connect);
	snprintf(at, sizeof(at), "relays[%u].app", i);
	if (!*r->app && (r->allow_count || !r->control))
		check_wrong(k, at,
			    "allow and control say what may be said in a protocol; expected app to "
			    "name "
			    "it");
	else if (*r->app && check_words_wrong(r->app, r->allow, r->allow_count, &line, why))
		check_wrong(k, at, "%s", why);
	check_relay_who(k, r, i);
}

/* Whether another peer before this one has the same; the host at `n` of its list may be its own. */
static bool host_taken(const struct config *c, unsigned i, unsigned n)
{
	for (unsigned p = 0; p <= i; p++)
		for (unsigned h = 0; h < (p < i ? c->peers[p].hosts_count : n); h++)
			if (strcmp(c->peers[p].hosts[h], c->peers[i].hosts[n]) == 0)
				return true;
	return false;
}

static void check_peer_hosts(struct checking *k, unsigned i)
{
	const struct config_peer *p = &k->c->peers[i];
	char at[64], why[128];

	for (unsigned n = 0; n < p->hosts_count; n++) {
		const struct check_name *host =
			check_name_find(k->names, k->names_count, p->hosts[n]);

		snprintf(at, sizeof(at), "peers[%u].hosts[%u]", i, n);
		check_name_hint(k->names, k->names_count, p->hosts[n], "the name of a host", why,
				sizeof(why));
		if (!host || host->device)
			check_wrong(k, at, "no host is called '%.60s'%s", p->hosts[n],
				    host ? "; a device is in front of this gateway" : why);
		else if (host_taken(k->c, i, n))
			check_wrong(k, at, "'%.60s' is behind a gateway already; expected it once",
				    p->hosts[n]);
	}
}

static void check_peer(struct checking *k, unsigned i)
{
	const struct config_peer *p = &k->c->peers[i];
	char at[64], ip[ADDRESS_IP_LEN];
	uint16_t port;

	for (unsigned n = 0; n < i; n++) {
		snprintf(at, sizeof(at), "peers[%u].name", i);
		if (strcmp(k->c->peers[n].name, p->name) == 0)
			check_wrong(k, at,
				    "a second peer is called '%s'; expected a name of its own",
				    p->name);
	}
	snprintf(at, sizeof(at), "peers[%u].address", i);
	if (*p->address && !address_endpoint(p->address, ip, &port))
		check_wrong(k, at,
			    "'%.60s' is no place to send to; expected an address and a port as "
			    "10.0.0.10:4789 or [fd00::10]:4789",
			    p->address);
	snprintf(at, sizeof(at), "peers[%u].segment", i);
	if (*p->segment && !check_name_find(k->segments, k->c->segments_count, p->segment))
		check_wrong(k, at, "no segment is called '%.60s'", p->segment);
	snprintf(at, sizeof(at), "peers[%u]", i);
	if (!*p->segment && k->c->segments_count > 1)
		check_wrong(k, at, "the peer '%.60s' may be of any segment; expected 'segment'",
			    p->name);
	check_peer_hosts(k, i);
}

void check_link(struct checking *k)
{
	const char *listen = k->c->link.listen;
	char ip[ADDRESS_IP_LEN];
	uint16_t port;

	if (*listen && !address_endpoint(listen, ip, &port))
		check_wrong(k, "link.listen",
			    "'%.60s' is no place to listen at; expected an address and a port as "
			    "10.0.0.9:4789 or [fd00::9]:4789",
			    listen);
	if (!*listen && k->c->peers_count)
		check_wrong(k, "peers",
			    "there are peers, and nowhere to hear them; expected 'link: {listen: "
			    "ADDRESS:PORT}'");
	for (unsigned i = 0; i < k->c->peers_count; i++)
		check_peer(k, i);
}
