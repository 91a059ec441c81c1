#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check_update.h"
#include "base/conform.h"

#define ROLES_MAX 61 /* what a rule's mask of roles has room for (bpf/shared.h) */

static const char *const own_peers[] = {"any", "broadcast", "multicast", "dhcp", NULL};

struct checking {
	const struct config *c; /* NULL for a profile */
	const struct outline *o;
	struct errors *e;
	struct name *names; /* hosts and devices, sorted */
	size_t names_count;
	struct name *segments; /* sorted */
	const char *roles[ROLES_MAX];
	unsigned roles_count;
};

/* A name and whose it is; also an address and whose. */
struct name {
	const char *text;
	uint32_t index;
	bool device;
};

struct claim {
	uint8_t key[20]; /* IP and segment, or a MAC */
	uint32_t index, item;
	bool device;
};

/* An error at the place that a path names. */
__attribute__((format(printf, 3, 4))) static void wrong(struct checking *k, const char *path,
							const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors_at(k->e, k->o, path, "%s", text);
}

static int name_order(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r			? r
	       : x->device != y->device ? x->device - y->device
	       : x->index < y->index	? -1
					: 1;
}

static int claim_order(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	if (r)
		return r;
	if (x->device != y->device)
		return x->device - y->device;
	return x->index != y->index ? (x->index < y->index ? -1 : 1) : (int)x->item - (int)y->item;
}

static const struct name *name_find(const struct name *names, size_t count, const char *text)
{
	size_t lo = 0, hi = count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int r = strcmp(names[mid].text, text);

		if (r == 0)
			return &names[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* " ; did you mean 'x'?" for the name nearest to `text`, or what was expected at all. */
static void hint(const struct name *names, size_t count, const char *text, const char *expected,
		 char *ret_hint, size_t size)
{
	struct nearest near = {.text = text};

	for (size_t i = 0; i < count && i < 4096; i++)
		nearest_offer(&near, names[i].text);
	if (near.best)
		snprintf(ret_hint, size, "; did you mean '%.63s'?", near.best);
	else
		snprintf(ret_hint, size, "; expected %s", expected);
}

static bool own_peer(const char *name)
{
	for (const char *const *p = own_peers; *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}

bool check_profile_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= 63 && !name[len];
}

/* IPv4 in its mapped form. Not: nobody, oneself, a group, or everybody (RFC 6890). */
static bool is_one_machine(const uint8_t ip[16])
{
	static const uint8_t v4[12] = {[10] = 0xff, 0xff}, none[15];

	if (memcmp(ip, v4, 12) == 0)
		return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
	return ip[0] != 0xff && !(memcmp(ip, none, 15) == 0 && ip[15] <= 1);
}

static void check_prefix(struct checking *k, const char *path, const char *text, bool single)
{
	char canonical[ADDRESS_IP_LEN];
	uint8_t ip[16], masked[16];
	unsigned len;
	bool v4;

	if (!address_prefix(text, ip, &len)) {
		wrong(k, path, "'%.60s' is no address; expected %s", text,
		      single ? "one as 10.1.1.12 or fd00::12"
			     : "one as 10.1.0.5, or a prefix as 10.2.0.0/16 or fd00::/8");
		return;
	}
	if (single && len != 128) {
		wrong(k, path, "'%.60s' is a prefix; expected a single address", text);
		return;
	}
	if (single && !is_one_machine(ip)) {
		wrong(k, path,
		      "'%.60s' is the address of no single machine; expected the device's own",
		      text);
		return;
	}
	memcpy(masked, ip, 16);
	address_mask(masked, len, false);
	if (memcmp(masked, ip, 16) == 0)
		return;
	v4 = !strchr(text, ':');
	wrong(k, path, "'%.60s' has bits set behind its prefix; expected %s/%u", text,
	      address_ip_text(masked, canonical), v4 ? len - 96 : len);
}

static bool check_mac(struct checking *k, const char *path, const char *text)
{
	static const uint8_t none[6];
	uint8_t mac[6];

	if (!address_mac(text, mac)) {
		wrong(k, path, "'%.40s' is no hardware address; expected one as 00:09:fb:01:02:03",
		      text);
		return false;
	}
	if (mac[0] & 1 || memcmp(mac, none, 6) == 0) {
		wrong(k, path,
		      "'%.40s' is the address of no single machine; expected the one "
		      "printed on the device",
		      text);
		return false;
	}
	return true;
}

static void check_rule_peer(struct checking *k, const char *path, const char *peer)
{
	struct nearest near = {.text = peer};

	/* In a profile a peer is a role, and whether a site has it is the site's business. */
	if (!k->c || own_peer(peer) || name_find(k->names, k->names_count, peer))
		return;
	for (unsigned i = 0; i < k->roles_count; i++) {
		if (strcmp(k->roles[i], peer) == 0)
			return;
		nearest_offer(&near, k->roles[i]);
	}
	for (size_t i = 0; i < k->names_count && i < 4096; i++)
		nearest_offer(&near, k->names[i].text);
	if (near.best)
		wrong(k, path, "nobody is called '%.60s' or has that role; did you mean '%.63s'?",
		      peer, near.best);
	else
		wrong(k, path,
		      "nobody is called '%.60s' or has that role; expected a role, the name "
		      "of a host or device, any, broadcast or multicast",
		      peer);
}

static void check_rule(struct checking *k, const char *path, const struct config_rule *r)
{
	bool types = strcmp(r->proto, "icmp") == 0 || strcmp(r->proto, "icmpv6") == 0;
	uint16_t lo, hi;
	uint8_t proto;
	char at[160];

	snprintf(at, sizeof(at), "%s.proto", path);
	if (!address_proto(r->proto, &proto)) {
		wrong(k, at,
		      "'%.40s' is no protocol; expected tcp, udp, icmp, icmpv6, igmp, any or "
		      "a number up to 255",
		      r->proto);
	} else if (r->port_count && !types && proto != 6 && proto != 17 && proto != 1 &&
		   proto != 58) {
		snprintf(at, sizeof(at), "%s.port", path);
		wrong(k, at, "'%.40s' has no ports; expected none, or the protocol tcp or udp",
		      r->proto);
	}
	for (unsigned i = 0; i < r->port_count; i++) {
		snprintf(at, sizeof(at), "%s.port[%u]", path, i);
		if (!address_ports(r->port[i], &lo, &hi))
			wrong(k, at,
			      "'%.40s' is no port; expected a number up to 65535 or a range "
			      "as 5000-5010",
			      r->port[i]);
		else if (types && hi > 255)
			wrong(k, at, "'%.40s' is no %s type; expected a number up to 255",
			      r->port[i], r->proto);
	}
	snprintf(at, sizeof(at), "%s.peer", path);
	check_rule_peer(k, at, r->peer);
	snprintf(at, sizeof(at), "%s.action", path);
	if (r->action == GATE_SEAL && k->c && !k->c->peers_count)
		wrong(k, at,
		      "'seal' needs a gateway at the other end; expected 'peers' to name one, or "
		      "inspect, pass or drop");
}

static config_words_fn words_wrong;

void config_check_words(config_words_fn fn)
{
	words_wrong = fn;
}

static void check_rule_words(struct checking *k, const char *path, const struct config_rule *r)
{
	char at[160], why[160];
	int line;

	snprintf(at, sizeof(at), "%s.app", path);
	if (!*r->app && (r->allow_count || !r->control)) {
		snprintf(at, sizeof(at), "%s.%s", path, r->allow_count ? "allow" : "control");
		wrong(k, at,
		      "allow and control say what may be said in a protocol; expected "
		      "app to name it");
	} else if (*r->app && r->action != GATE_INSPECT && r->action != GATE_SEAL) {
		wrong(k, at, "what is not inspected cannot be read; expected action: inspect");
	} else if (*r->app && words_wrong &&
		   words_wrong(r->app, r->allow, r->allow_count, &line, why)) {
		if (line >= 0)
			snprintf(at, sizeof(at), "%s.allow[%d]", path, line);
		wrong(k, at, "%s", why);
	}
}

/* A text that is one of a few words; `expected` lists them for a person. */
static void check_word(struct checking *k, const char *path, const char *key, const char *value,
		       const char *const *words, const char *expected)
{
	struct nearest near = {.text = value};

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0)
			return;
		nearest_offer(&near, words[i]);
	}
	if (near.best)
		wrong(k, path, "'%s' is '%.15s'; did you mean '%s'?", key, value, near.best);
	else
		wrong(k, path, "'%s' is '%.15s'; expected %s", key, value, expected);
}

const char *config_service_port(const char *name)
{
	static const char *const known[][2] = {
		{"ftp", "21"},	  {"ssh", "22"},   {"telnet", "23"}, {"web", "80"},
		{"https", "443"}, {"rdp", "3389"}, {"vnc", "5900"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return NULL;
}

/* The roles of people/role.h; a test holds the two lists together. */
static void check_roles(struct checking *k, const char *path, const char *key, char *const *roles,
			unsigned count)
{
	static const char *const names[] = {
		"viewer", "clinical_engineer", "administrator", "auditor", "vendor", NULL};
	char at[160];

	for (unsigned i = 0; i < count; i++) {
		snprintf(at, sizeof(at), "%s.%s[%u]", path, key, i);
		check_word(k, at, key, roles[i], names,
			   "viewer, clinical_engineer, administrator, auditor or vendor");
	}
}

static void check_service_ports(struct checking *k, const char *path,
				const struct config_service *s)
{
	uint16_t lo, hi;
	char at[160];

	if (!s->port_count && !config_service_port(s->name)) {
		snprintf(at, sizeof(at), "%s.name", path);
		wrong(k, at,
		      "'%.31s' is no service whose port is known; expected port, or one of telnet, "
		      "ssh, ftp, web, https, vnc and rdp",
		      s->name);
	}
	for (unsigned i = 0; i < s->port_count; i++) {
		snprintf(at, sizeof(at), "%s.port[%u]", path, i);
		if (!address_ports(s->port[i], &lo, &hi) || lo == 0)
			wrong(k, at,
			      "'%.40s' is no port; expected a number from 1 to 65535 or a range as "
			      "5000-5010",
			      s->port[i]);
	}
}

static void check_services(struct checking *k, const char *path, const struct config_service *list,
			   unsigned count)
{
	static const char *const protos[] = {"tcp", "udp", NULL};
	char at[128], in[160];

	for (unsigned i = 0; i < count; i++) {
		const struct config_service *s = &list[i];

		snprintf(at, sizeof(at), "%s[%u]", path, i);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(list[j].name, s->name) == 0) {
				snprintf(in, sizeof(in), "%s.name", at);
				wrong(k, in,
				      "a second service is called '%.31s'; expected a name of its "
				      "own",
				      s->name);
			}
		snprintf(in, sizeof(in), "%s.name", at);
		if (!check_profile_name(s->name))
			wrong(k, in,
			      "'%.31s' is no name that can be asked for; expected lower-case "
			      "letters, digits and dashes",
			      s->name);
		snprintf(in, sizeof(in), "%s.proto", at);
		check_word(k, in, "proto", s->proto, protos, "tcp or udp");
		check_service_ports(k, at, s);
		check_roles(k, at, "ask", s->ask, s->ask_count);
		check_roles(k, at, "alone", s->alone, s->alone_count);
	}
}

static void check_rules(struct checking *k, const char *path, const struct config_rule *rules,
			unsigned count)
{
	char at[128];

	for (unsigned i = 0; i < count; i++) {
		snprintf(at, sizeof(at), "%s[%u]", path, i);
		check_rule(k, at, &rules[i]);
		check_rule_words(k, at, &rules[i]);
	}
}

/* RFC 1123 §2.1: letters, digits, hyphens and dots; of an address no passkey can be. */
static bool host_name(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < 254 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len &&
	       s[0] != '.' && s[len - 1] != '.' && strspn(s, "0123456789.") < len;
}

static void check_console(struct checking *k)
{
	const struct config_console *c = &k->c->console;
	char at[64], ip[ADDRESS_IP_LEN];
	uint16_t port;

	for (unsigned i = 0; i < c->listen_count; i++) {
		snprintf(at, sizeof(at), "console.listen[%u]", i);
		if (!address_endpoint(c->listen[i], ip, &port))
			wrong(k, at,
			      "'%.60s' is no place to listen at; expected an address and a port as "
			      "10.0.0.1:8443 or [fd00::1]:8443",
			      c->listen[i]);
	}
	for (unsigned i = 0; i < c->names_count; i++) {
		snprintf(at, sizeof(at), "console.names[%u]", i);
		if (!host_name(c->names[i]))
			wrong(k, at,
			      "'%.60s' is no name of a machine; expected one as "
			      "gateway.clinic.example, in small letters",
			      c->names[i]);
	}
}

/* "10.0.0.9:2575", or the name of a host with a single address, and a port. */
static bool can_connect(const struct checking *k, const char *text)
{
	char ip[ADDRESS_IP_LEN], name[64];
	const char *colon = strrchr(text, ':');
	const struct name *n;
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
	n = name_find(k->names, k->names_count, name);
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
		    name_find(k->names, k->names_count, r->from[n]))
			continue;
		snprintf(at, sizeof(at), "relays[%u].from[%u]", i, n);
		wrong(k, at,
		      "nobody is called '%.60s'; expected an address, a prefix or the name of a "
		      "host or device",
		      r->from[n]);
	}
	snprintf(at, sizeof(at), "relays[%u]", i);
	if (!r->tls_in && !r->from_count)
		wrong(k, at,
		      "the relay '%.60s' takes what anybody sends in the clear; expected 'from' to "
		      "say who may",
		      r->name);
	if (strcmp(r->ca, "none") == 0 && !r->pin_count)
		wrong(k, at, "the relay '%.60s' trusts nobody; expected 'pin' with 'ca: none'",
		      r->name);
	for (unsigned n = 0; n < r->pin_count; n++) {
		size_t n_hex = strspn(r->pin[n], "0123456789abcdefABCDEF:");

		snprintf(at, sizeof(at), "relays[%u].pin[%u]", i, n);
		if (strncmp(r->pin[n], "sha256/", 7) == 0 ? strlen(r->pin[n]) != 51
							  : r->pin[n][n_hex] || n_hex < 64)
			wrong(k, at,
			      "'%.60s' is no pin; expected sha256/ and 44 letters of base64, or 64 "
			      "hex digits",
			      r->pin[n]);
	}
}

static void check_relay(struct checking *k, unsigned i)
{
	const struct config_relay *r = &k->c->relays[i];
	char at[64], ip[ADDRESS_IP_LEN], why[160];
	uint16_t port;
	int line;

	for (unsigned n = 0; n < i; n++) {
		snprintf(at, sizeof(at), "relays[%u].name", i);
		if (strcmp(k->c->relays[n].name, r->name) == 0)
			wrong(k, at, "a second relay is called '%s'; expected a name of its own",
			      r->name);
		snprintf(at, sizeof(at), "relays[%u].listen", i);
		if (strcmp(k->c->relays[n].listen, r->listen) == 0)
			wrong(k, at, "two relays listen at %s; expected a place of its own",
			      r->listen);
	}
	snprintf(at, sizeof(at), "relays[%u].listen", i);
	if (!address_endpoint(r->listen, ip, &port))
		wrong(k, at,
		      "'%.60s' is no place to listen at; expected an address and a port as "
		      "10.0.0.9:2575 or [fd00::9]:2575",
		      r->listen);
	snprintf(at, sizeof(at), "relays[%u].connect", i);
	if (!can_connect(k, r->connect))
		wrong(k, at,
		      "'%.60s' cannot be connected to; expected an address and a port as "
		      "10.1.0.5:2575, or a host's name and a port",
		      r->connect);
	snprintf(at, sizeof(at), "relays[%u].app", i);
	if (!*r->app && (r->allow_count || !r->control))
		wrong(k, at,
		      "allow and control say what may be said in a protocol; expected app to name "
		      "it");
	else if (*r->app && words_wrong &&
		 words_wrong(r->app, r->allow, r->allow_count, &line, why))
		wrong(k, at, "%s", why);
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
		const struct name *host = name_find(k->names, k->names_count, p->hosts[n]);

		snprintf(at, sizeof(at), "peers[%u].hosts[%u]", i, n);
		hint(k->names, k->names_count, p->hosts[n], "the name of a host", why, sizeof(why));
		if (!host || host->device)
			wrong(k, at, "no host is called '%.60s'%s", p->hosts[n],
			      host ? "; a device is in front of this gateway" : why);
		else if (host_taken(k->c, i, n))
			wrong(k, at, "'%.60s' is behind a gateway already; expected it once",
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
			wrong(k, at, "a second peer is called '%s'; expected a name of its own",
			      p->name);
	}
	snprintf(at, sizeof(at), "peers[%u].address", i);
	if (*p->address && !address_endpoint(p->address, ip, &port))
		wrong(k, at,
		      "'%.60s' is no place to send to; expected an address and a port as "
		      "10.0.0.10:4789 or [fd00::10]:4789",
		      p->address);
	snprintf(at, sizeof(at), "peers[%u].segment", i);
	if (*p->segment && !name_find(k->segments, k->c->segments_count, p->segment))
		wrong(k, at, "no segment is called '%.60s'", p->segment);
	snprintf(at, sizeof(at), "peers[%u]", i);
	if (!*p->segment && k->c->segments_count > 1)
		wrong(k, at, "the peer '%.60s' may be of any segment; expected 'segment'", p->name);
	check_peer_hosts(k, i);
}

static void check_link(struct checking *k)
{
	const char *listen = k->c->link.listen;
	char ip[ADDRESS_IP_LEN];
	uint16_t port;

	if (*listen && !address_endpoint(listen, ip, &port))
		wrong(k, "link.listen",
		      "'%.60s' is no place to listen at; expected an address and a port as "
		      "10.0.0.9:4789 or [fd00::9]:4789",
		      listen);
	if (!*listen && k->c->peers_count)
		wrong(k, "peers",
		      "there are peers, and nowhere to hear them; expected 'link: {listen: "
		      "ADDRESS:PORT}'");
	for (unsigned i = 0; i < k->c->peers_count; i++)
		check_peer(k, i);
}

static void check_pki(struct checking *k)
{
	const struct config_pki *p = &k->c->pki;
	char ip[ADDRESS_IP_LEN], at[64];
	uint8_t raw[16];
	unsigned len;
	uint16_t port;

	if (*p->est && !address_endpoint(p->est, ip, &port))
		wrong(k, "pki.est",
		      "'%.60s' is no place to listen at; expected an address and a port as "
		      "10.0.0.9:8085",
		      p->est);
	for (unsigned i = 0; i < p->names_count; i++) {
		snprintf(at, sizeof(at), "pki.names[%u]", i);
		if (!host_name(p->names[i]) &&
		    (!address_prefix(p->names[i], raw, &len) || len != 128))
			wrong(k, at,
			      "'%.60s' is no name of a machine; expected one as "
			      "gateway.clinic.example, or an address",
			      p->names[i]);
	}
}

/* An address, a port, a path: the courier reads no files, so it knows no names, and speaks no TLS. */
static bool sms_place(const char *url)
{
	char place[80], ip[ADDRESS_IP_LEN];
	uint16_t port;
	size_t len;

	if (strncmp(url, "http://", 7) != 0 || strpbrk(url, " \"<>#\t\r\n"))
		return false;
	url += 7;
	len = strcspn(url, "/");
	if (len == 0 || len >= sizeof(place))
		return false;
	memcpy(place, url, len);
	place[len] = 0;
	return address_endpoint(place, ip, &port);
}

static void check_people(struct checking *k)
{
	const struct config_people *p = &k->c->people;

	check_roles(k, "people", "aal3", p->aal3, p->aal3_count);
	check_roles(k, "people", "certificate", p->certificate, p->certificate_count);
	if (p->certificate_count && !*k->c->console.client_ca)
		wrong(k, "people.certificate",
		      "nobody is asked for a certificate; expected console.client_ca, the file of "
		      "those who issue them");
	if (*p->sms_url && !sms_place(p->sms_url))
		wrong(k, "people.sms_url",
		      "'%.60s' cannot be reached; expected an address and a port as "
		      "http://10.0.0.20:13013/cgi-bin/sendsms",
		      p->sms_url);
}

static void check_backup(struct checking *k)
{
	const char *to = k->c->backup.to, *state = k->c->gateway.state_dir;
	size_t len = strlen(state);

	if (!*to)
		return;
	if (*to != '/')
		wrong(k, "backup.to", "'%.60s' begins with no /; expected a folder as /mnt/backup",
		      to);
	else if (strncmp(to, state, len) == 0 && (!to[len] || to[len] == '/'))
		wrong(k, "backup.to",
		      "'%.60s' is in state_dir, and would be lost with it; expected a folder of "
		      "another disk",
		      to);
}

static void check_audit(struct checking *k)
{
	const struct config_audit *a = &k->c->audit;
	unsigned len;
	uint8_t ip[16];

	if (!*a->server)
		return;
	/* The exporter reads no files once it is at work, so it knows no names. */
	if (!address_prefix(a->server, ip, &len) || len != 128)
		wrong(k, "audit.export.server",
		      "'%.60s' is no address; expected one as 10.0.0.30, and its name in "
		      "audit.export.name",
		      a->server);
	if (!*a->ca)
		wrong(k, "audit.export.ca",
		      "missing; expected a file with the certificates of "
		      "those who may vouch for the collector");
	if (!*a->cert != !*a->cert_key)
		wrong(k, "audit.export.cert",
		      "cert and cert_key belong together; give both or none");
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len > 0 && folder[len - 1] == '/')
		len--;
	return strncmp(path, folder, len) == 0 && (!path[len] || path[len] == '/');
}

static void check_updates(struct checking *k)
{
	const struct config_updates *u = &k->c->updates;
	char at[64];

	for (unsigned i = 0; i < u->mirrors_count; i++) {
		snprintf(at, sizeof(at), "updates.mirrors[%u]", i);
		if (strncmp(u->mirrors[i], "https://", 8) != 0 &&
		    strncmp(u->mirrors[i], "http://", 7) != 0)
			wrong(k, at, "'%.60s' is no address of a mirror; expected https://…",
			      u->mirrors[i]);
	}
	for (unsigned i = 0; i < u->window_count; i++) {
		snprintf(at, sizeof(at), "updates.window[%u]", i);
		if (!check_window(u->window[i]))
			wrong(k, at, "'%.60s' is no span of time; expected 02:00-05:00",
			      u->window[i]);
	}
	if (u->kb_per_second && u->kb_per_second < 16)
		wrong(k, "updates.kb_per_second",
		      "%u; expected 0 or 16 and more: what is slower is given up as too slow",
		      u->kb_per_second);
	if (*u->dir != '/' || *u->root != '/')
		wrong(k, *u->dir != '/' ? "updates.dir" : "updates.root",
		      "expected an absolute path");
	check_rollouts(k->c, k->o, k->e);
	/* Who owns a folder can put another in the place of what is in it. */
	if (is_below(u->dir, k->c->gateway.state_dir))
		wrong(k, "updates.dir",
		      "'%.60s' is inside state_dir, which is not root's alone; expected another "
		      "place",
		      u->dir);
}

static void check_gateway(struct checking *k)
{
	static const char *const captures[] = {"auto", "xdp", "packet", NULL};
	static const char *const holders[] = {"passphrase", "tpm2", "pkcs11",
					      "credential", "file", NULL};
	static const char *const cryptos[] = {"any", "fips", NULL};
	const struct config_gateway *g = &k->c->gateway;

	check_word(k, "gateway.capture", "capture", g->capture, captures, "auto, xdp or packet");
	check_word(k, "gateway.crypto", "crypto", g->crypto, cryptos, "any or fips");
	check_word(k, "gateway.key_holder", "key_holder", g->key_holder, holders,
		   "passphrase, tpm2, pkcs11, credential or file");
	if (strcmp(g->crypto, "fips") == 0 && strcmp(g->key_holder, "passphrase") == 0)
		wrong(k, "gateway.key_holder",
		      "passphrase; with 'crypto: fips' expected another: a passphrase becomes a "
		      "key "
		      "by Argon2id, which is not approved");
}

static const char *interface_user(const struct config *c, unsigned upto, bool hospital,
				  const char *name)
{
	for (unsigned i = 0; i < upto; i++)
		if (strcmp(c->segments[i].ward, name) == 0 ||
		    strcmp(c->segments[i].hospital, name) == 0)
			return c->segments[i].name;
	if (hospital && strcmp(c->segments[upto].ward, name) == 0)
		return c->segments[upto].name;
	return NULL;
}

static void check_segment(struct checking *k, unsigned i)
{
	const struct config_segment *s = &k->c->segments[i];
	const char *user;
	char at[64];

	for (unsigned j = 0; j < i; j++)
		if (strcmp(k->c->segments[j].name, s->name) == 0) {
			snprintf(at, sizeof(at), "segments[%u].name", i);
			wrong(k, at, "a second segment is called '%s'; expected a name of its own",
			      s->name);
			break;
		}
	for (int side = 0; side < 2; side++) {
		const char *name = side ? s->hospital : s->ward;

		user = interface_user(k->c, i, side, name);
		snprintf(at, sizeof(at), "segments[%u].%s", i, side ? "hospital" : "ward");
		if (user)
			wrong(k, at,
			      "interface '%s' is in use by segment '%s' already; expected one "
			      "of its own",
			      name, user);
		else if (strchr(name, '/') || strpbrk(name, " \t\n"))
			wrong(k, at, "'%s' is no interface name; expected one as eth0", name);
	}
	for (unsigned j = 0; j < s->net_count; j++) {
		snprintf(at, sizeof(at), "segments[%u].net[%u]", i, j);
		check_prefix(k, at, s->net[j], false);
	}
}

static void add_role(struct checking *k, const char *path, const char *role)
{
	if (strcmp(role, "dhcp") == 0)
		return;
	if (own_peer(role)) {
		wrong(k, path, "'%s' has a meaning of its own; expected another name for a role",
		      role);
		return;
	}
	for (unsigned i = 0; i < k->roles_count; i++)
		if (strcmp(k->roles[i], role) == 0)
			return;
	if (k->roles_count == ROLES_MAX) {
		wrong(k, path, "'%.60s' is one role too many; expected at most %u different ones",
		      role, ROLES_MAX);
		return;
	}
	k->roles[k->roles_count++] = role;
}

static void check_host(struct checking *k, unsigned i)
{
	const struct config_host *h = &k->c->hosts[i];
	char at[64];

	for (unsigned j = 0; j < h->ip_count; j++) {
		snprintf(at, sizeof(at), "hosts[%u].ip[%u]", i, j);
		check_prefix(k, at, h->ip[j], false);
	}
	if (h->mac) {
		snprintf(at, sizeof(at), "hosts[%u].mac", i);
		check_mac(k, at, h->mac);
	}
	for (unsigned j = 0; j < h->role_count; j++) {
		snprintf(at, sizeof(at), "hosts[%u].role[%u]", i, j);
		add_role(k, at, h->role[j]);
	}
}

static void check_device_names(struct checking *k, unsigned i)
{
	const struct config_device *d = &k->c->devices[i];
	char at[64], text[160];

	if (!name_find(k->segments, k->c->segments_count, d->segment)) {
		snprintf(at, sizeof(at), "devices[%u].segment", i);
		hint(k->segments, k->c->segments_count, d->segment, "one from segments", text,
		     sizeof(text));
		wrong(k, at, "there is no segment '%.60s'%s", d->segment, text);
	}
	for (unsigned j = 0; j < d->peer_count; j++) {
		const struct name *n = name_find(k->names, k->names_count, d->peer[j]);

		snprintf(at, sizeof(at), "devices[%u].peer[%u]", i, j);
		if (n && n->device) {
			wrong(k, at,
			      "'%.60s' is a device; expected a host. A device is reached by a line "
			      "under starts",
			      d->peer[j]);
		} else if (!n) {
			hint(k->names, k->names_count, d->peer[j], "the name of a host", text,
			     sizeof(text));
			wrong(k, at, "there is no host '%.60s'%s", d->peer[j], text);
		}
	}
	if (*d->profile && !check_profile_name(d->profile)) {
		snprintf(at, sizeof(at), "devices[%u].profile", i);
		wrong(k, at,
		      "'%.63s' is no profile's name; expected lower-case letters, digits and "
		      "dashes",
		      d->profile);
	}
}

static void check_device(struct checking *k, unsigned i)
{
	const struct config_device *d = &k->c->devices[i];
	char at[64];

	check_device_names(k, i);
	snprintf(at, sizeof(at), "devices[%u].mac", i);
	check_mac(k, at, d->mac);
	for (unsigned j = 0; j < d->ip_count; j++) {
		snprintf(at, sizeof(at), "devices[%u].ip[%u]", i, j);
		check_prefix(k, at, d->ip[j], true);
	}
	snprintf(at, sizeof(at), "devices[%u].starts", i);
	check_rules(k, at, d->starts, d->starts_count);
	snprintf(at, sizeof(at), "devices[%u].accepts", i);
	check_rules(k, at, d->accepts, d->accepts_count);
	snprintf(at, sizeof(at), "devices[%u].services", i);
	check_services(k, at, d->services, d->services_count);
	check_device_update(k->c, i, k->o, k->e);
}

static const char *claimant(const struct checking *k, const struct claim *m)
{
	return m->device ? k->c->devices[m->index].name : k->c->hosts[m->index].name;
}

static void twice(struct checking *k, const struct claim *m, const struct claim *first, bool mac)
{
	const char *value = !mac	? (m->device ? k->c->devices[m->index].ip[m->item]
						     : k->c->hosts[m->index].ip[m->item])
			    : m->device ? k->c->devices[m->index].mac
					: k->c->hosts[m->index].mac;
	char at[64];

	if (mac)
		snprintf(at, sizeof(at), "%s[%u].mac", m->device ? "devices" : "hosts", m->index);
	else
		snprintf(at, sizeof(at), "%s[%u].ip[%u]", m->device ? "devices" : "hosts", m->index,
			 m->item);
	wrong(k, at, "'%s' belongs to '%s' already; expected an address of its own", value,
	      claimant(k, first));
}

/* The same claim twice, or a single address of a host, which is one in every segment. */
static bool clash(const struct claim *a, const struct claim *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 ||
	       (!a->device && a->key[16] == 128 && b->key[16] == 128);
}

/* In order of address, hosts before devices. */
static void check_claims(struct checking *k, struct claim *claims, size_t count, bool mac)
{
	size_t group = 0;

	if (count)
		qsort(claims, count, sizeof(*claims), claim_order);
	for (size_t i = 1; i < count; i++) {
		if (memcmp(claims[i].key, claims[group].key, 16) != 0) {
			group = i;
			continue;
		}
		for (size_t j = group; j < i; j++)
			if (clash(&claims[j], &claims[i])) {
				twice(k, &claims[i], &claims[j], mac);
				break;
			}
	}
}

static size_t claim_ips(const struct checking *k, struct claim *to)
{
	size_t n = 0;
	unsigned len;

	for (unsigned i = 0; i < k->c->hosts_count; i++)
		for (unsigned j = 0; j < k->c->hosts[i].ip_count; j++) {
			struct claim m = {.index = i, .item = j};

			if (!address_prefix(k->c->hosts[i].ip[j], m.key, &len))
				continue;
			m.key[16] = (uint8_t)len; /* prefixes of different length may overlap */
			to[n++] = m;
		}
	for (unsigned i = 0; i < k->c->devices_count; i++) {
		const struct config_device *d = &k->c->devices[i];
		const struct name *s = name_find(k->segments, k->c->segments_count, d->segment);

		for (unsigned j = 0; j < d->ip_count; j++) {
			struct claim m = {.index = i, .item = j, .device = true};

			if (!address_prefix(d->ip[j], m.key, &len) || len != 128)
				continue;
			m.key[16] = 128;
			m.key[17] = 1;
			m.key[18] = s ? (uint8_t)s->index : 0xff;
			to[n++] = m;
		}
	}
	return n;
}

static size_t claim_macs(const struct checking *k, struct claim *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < k->c->hosts_count; i++) {
		struct claim m = {.index = i};

		if (k->c->hosts[i].mac && address_mac(k->c->hosts[i].mac, m.key))
			to[n++] = m;
	}
	for (unsigned i = 0; i < k->c->devices_count; i++) {
		struct claim m = {.index = i, .device = true};

		if (address_mac(k->c->devices[i].mac, m.key))
			to[n++] = m;
	}
	return n;
}

static void check_addresses(struct checking *k)
{
	size_t most = (size_t)k->c->hosts_count + k->c->devices_count;
	struct claim *claims;

	for (unsigned i = 0; i < k->c->hosts_count; i++)
		most += k->c->hosts[i].ip_count;
	for (unsigned i = 0; i < k->c->devices_count; i++)
		most += k->c->devices[i].ip_count;
	claims = calloc(most + 1, sizeof(*claims));
	if (!claims) {
		wrong(k, "", "out of memory");
		return;
	}
	check_claims(k, claims, claim_ips(k, claims), false);
	memset(claims, 0, most * sizeof(*claims));
	check_claims(k, claims, claim_macs(k, claims), true);
	free(claims);
}

static bool gather_names(struct checking *k)
{
	const struct config *c = k->c;
	size_t n = 0;

	k->names_count = (size_t)c->hosts_count + c->devices_count;
	k->names = calloc(k->names_count + 1, sizeof(*k->names));
	k->segments = calloc(c->segments_count + 1, sizeof(*k->segments));
	if (!k->names || !k->segments)
		return false;
	for (unsigned i = 0; i < c->segments_count; i++)
		k->segments[i] = (struct name){.text = c->segments[i].name, .index = i};
	for (unsigned i = 0; i < c->hosts_count; i++)
		k->names[n++] = (struct name){.text = c->hosts[i].name, .index = i};
	for (unsigned i = 0; i < c->devices_count; i++)
		k->names[n++] = (struct name){c->devices[i].name, i, true};
	qsort(k->segments, c->segments_count, sizeof(*k->segments), name_order);
	qsort(k->names, n, sizeof(*k->names), name_order);
	return true;
}

static void check_names(struct checking *k)
{
	char at[64];

	for (size_t i = 0; i < k->names_count; i++) {
		const struct name *n = &k->names[i];

		snprintf(at, sizeof(at), "%s[%u].name", n->device ? "devices" : "hosts", n->index);
		if (i && strcmp(n->text, n[-1].text) == 0)
			wrong(k, at,
			      "a second host or device is called '%s'; expected a name of its "
			      "own",
			      n->text);
		else if (own_peer(n->text))
			wrong(k, at, "'%s' has a meaning of its own; expected another name",
			      n->text);
	}
}

/* A shield is a rule that takes away; what a rule must be, it must. */
static void check_shield(struct checking *k, unsigned i)
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
	check_rule(k, at, &r);
	for (unsigned j = 0; j < s->device_count; j++) {
		bool known = false;

		for (unsigned d = 0; !known && d < k->c->devices_count; d++)
			known = strcmp(k->c->devices[d].name, s->device[j]) == 0;
		snprintf(at, sizeof(at), "shields[%u].device[%u]", i, j);
		if (!known)
			wrong(k, at, "no device is called '%.63s'", s->device[j]);
	}
	snprintf(at, sizeof(at), "shields[%u].peer", i);
	if (strcmp(s->peer, "broadcast") == 0 || strcmp(s->peer, "multicast") == 0)
		wrong(k, at,
		      "what is sent to all cannot be kept from one; expected a role, a name "
		      "or any");
	snprintf(at, sizeof(at), "shields[%u].%s", i, s->deny_count ? "deny" : "control");
	if (!*s->app && (s->deny_count || !s->control))
		wrong(k, at,
		      "deny and control say which messages of a protocol; expected app to "
		      "name it");
	if (!*s->app || !words_wrong || !words_wrong(s->app, s->deny, s->deny_count, &line, why))
		return;
	snprintf(at, sizeof(at), "shields[%u].app", i);
	if (line >= 0)
		snprintf(at, sizeof(at), "shields[%u].deny[%d]", i, line);
	wrong(k, at, "%s", why);
}

void check_policy(const struct config *c, const struct outline *o, struct errors *e)
{
	struct checking k = {.c = c, .o = o, .e = e};

	if (!gather_names(&k)) {
		wrong(&k, "", "out of memory");
		goto out;
	}
	check_gateway(&k);
	check_console(&k);
	check_people(&k);
	check_audit(&k);
	check_backup(&k);
	check_updates(&k);
	check_pki(&k);
	for (unsigned i = 0; i < c->segments_count; i++)
		check_segment(&k, i);
	check_names(&k);
	for (unsigned i = 0; i < c->hosts_count; i++)
		check_host(&k, i);
	for (unsigned i = 0; i < c->devices_count; i++)
		check_device(&k, i);
	for (unsigned i = 0; i < c->relays_count; i++)
		check_relay(&k, i);
	check_link(&k);
	for (unsigned i = 0; i < c->shields_count; i++)
		check_shield(&k, i);
	check_addresses(&k);
out:
	free(k.names);
	free(k.segments);
}

static const char *const kinds[] = {"monitor",	   "pump",   "imaging", "analyser",
				    "ecg",	   "sensor", "camera",	"printer",
				    "workstation", "other",  NULL};

static void check_identify(struct checking *k, const struct config_identify *id)
{
	char at[64], proto[8];
	uint16_t lo, hi;
	uint8_t number;

	for (unsigned i = 0; i < id->service_count; i++) {
		const char *slash = strchr(id->service[i], '/');
		size_t len = slash ? (size_t)(slash - id->service[i]) : sizeof(proto);

		if (len < sizeof(proto)) {
			memcpy(proto, id->service[i], len);
			proto[len] = 0;
			if (address_proto(proto, &number) && address_ports(slash + 1, &lo, &hi))
				continue;
		}
		snprintf(at, sizeof(at), "identify.service[%u]", i);
		wrong(k, at, "'%.40s' is no service; expected one as udp/24105", id->service[i]);
	}
}

void check_profile(const struct config_profile *p, const struct outline *o, struct errors *e)
{
	struct checking k = {.o = o, .e = e};
	struct nearest near = {.text = p->kind};
	bool known = false;

	for (unsigned i = 0; kinds[i]; i++) {
		known |= strcmp(kinds[i], p->kind) == 0;
		nearest_offer(&near, kinds[i]);
	}
	if (!known)
		wrong(&k, "kind",
		      "'kind' is '%.31s'; %s%s%sexpected monitor, pump, imaging, analyser, "
		      "ecg, sensor, camera, printer, workstation or other",
		      p->kind, near.best ? "did you mean '" : "", near.best ? near.best : "",
		      near.best ? "'? " : "");
	check_rules(&k, "starts", p->starts, p->starts_count);
	check_rules(&k, "accepts", p->accepts, p->accepts_count);
	check_services(&k, "services", p->services, p->services_count);
	if (p->identify)
		check_identify(&k, p->identify);
}
