#include "guard/impostor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "guard/proto/claim.h"

#define MACHINES 1024
#define WAYS	 4  /* of them a hash may mean: the one that began longest ago makes room */
#define DOMAINS	 64 /* where addresses are handed out: of broadcasts, in a VLAN or behind a relay */

/* Compared as bytes: zero it first. */
struct machine_key {
	struct gate_ip ip;
	uint32_t segment;
};

struct machine {
	struct machine_key key;
	uint64_t since_ns;
	bool found;
	uint8_t count;
	uint32_t names[IMPOSTOR_NAMES];
};

/* Compared as bytes, too. */
struct domain_key {
	struct gate_ip relay;
	uint32_t segment;
	uint16_t vlan, reason; /* that a second one is told with */
};

/* Who leads traffic, and where to; a router of IPv6 leads what is of its network. */
struct server {
	struct gate_ip ip, router, resolver;
	uint64_t last_ns;
};

struct domain {
	struct domain_key key;
	struct server first;
	struct gate_ip other; /* the last that was told of, at told_ns */
	uint64_t told_ns;
	uint64_t asked_ns; /* the first of the questions in vain, while there is no server */
	uint32_t asked;
};

struct impostor {
	struct machine machines[MACHINES];
	struct domain domains[DOMAINS];
	struct hash_key key;
};

static const struct behaviour_finding nothing = {REASON_NONE, 0};

struct impostor *impostor_new(void)
{
	struct impostor *i = calloc(1, sizeof(*i));

	if (!i)
		errno = ENOMEM;
	else
		i->key = hash_key_random();
	return i;
}

void impostor_free(struct impostor *i)
{
	free(i);
}

static bool is_past(uint64_t since_ns, uint64_t now_ns, uint64_t span_ns)
{
	return now_ns < since_ns || now_ns - since_ns >= span_ns;
}

static struct machine *machine_of(struct impostor *i, const struct packet *p, uint32_t segment,
				  uint64_t now_ns)
{
	struct machine_key k;
	struct machine *set, *m;

	memset(&k, 0, sizeof(k));
	k.ip = p->src_ip;
	k.segment = segment;
	set = m = &i->machines[hash_bytes(&i->key, &k, sizeof(k)) % (MACHINES / WAYS) * WAYS];
	for (unsigned w = 0; w < WAYS; w++) {
		if (!memcmp(&set[w].key, &k, sizeof(k))) {
			m = &set[w];
			break;
		}
		if (set[w].since_ns < m->since_ns)
			m = &set[w];
	}
	if (memcmp(&m->key, &k, sizeof(k)) || is_past(m->since_ns, now_ns, IMPOSTOR_WINDOW_NS))
		*m = (struct machine){.key = k, .since_ns = now_ns};
	return m;
}

static void note_name(struct machine *m, uint32_t name)
{
	for (unsigned n = 0; n < m->count; n++)
		if (m->names[n] == name)
			return;
	if (m->count < IMPOSTOR_NAMES)
		m->names[m->count++] = name;
}

struct behaviour_finding impostor_claimed(struct impostor *i, const struct packet *p,
					  uint32_t segment, uint64_t now_ns)
{
	uint32_t names[CLAIMS];
	unsigned count = claim_read(p->payload, &p->src_ip, names);
	struct machine *m;
	bool proxy = false;

	if (!count)
		return nothing;
	m = machine_of(i, p, segment, now_ns);
	for (unsigned n = 0; n < count; n++) {
		note_name(m, names[n]);
		proxy |= claim_is_proxy(names[n]);
	}
	if (m->found || (m->count < IMPOSTOR_NAMES && !proxy))
		return nothing;
	m->found = true;
	return (struct behaviour_finding){REASON_NAMES_POISONED, m->count};
}

static bool is_gone(const struct domain *l, uint64_t now_ns)
{
	return !l->first.last_ns || is_past(l->first.last_ns, now_ns, IMPOSTOR_SERVER_NS);
}

static uint64_t heard_ns(const struct domain *l)
{
	return l->first.last_ns > l->asked_ns ? l->first.last_ns : l->asked_ns;
}

/* Where a server is heard, whoever names other networks pushes nobody out. NULL: there is no room. */
static struct domain *domain_of(struct impostor *i, const struct packet *p,
				const struct gate_ip *relay, uint32_t segment, enum reason reason,
				uint64_t now_ns)
{
	struct domain *l, *room = NULL;
	struct domain_key k;

	memset(&k, 0, sizeof(k));
	k.relay = *relay;
	k.segment = segment;
	k.vlan = p->vlan_count ? p->vlan[0] : 0;
	k.reason = (uint16_t)reason;
	for (l = i->domains; l < i->domains + DOMAINS; l++) {
		if (!memcmp(&l->key, &k, sizeof(k)))
			return l;
		if (is_gone(l, now_ns) && (!room || heard_ns(l) < heard_ns(room)))
			room = l;
	}
	if (room)
		*room = (struct domain){.key = k};
	return room;
}

static bool same(const struct gate_ip *a, const struct gate_ip *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* What is asked while somebody is there gets its answer. */
static struct behaviour_finding ask(struct domain *l, uint64_t now_ns)
{
	if (l && is_gone(l, now_ns)) {
		if (!l->asked)
			l->asked_ns = now_ns;
		l->asked += l->asked < IMPOSTOR_VAIN;
	}
	return nothing;
}

static enum reason first_of(enum reason second)
{
	return second == REASON_ROUTER_SECOND ? REASON_ROUTER_FIRST : REASON_DHCP_FIRST_SERVER;
}

/* Is it new where there was none, or a second one that leads another way? Two that stand in for each other say the same. */
static struct behaviour_finding compare(struct domain *l, const struct server *s)
{
	uint64_t now_ns = s->last_ns;
	bool known, gone, in_vain;

	if (!l)
		return nothing;
	known = same(&l->first.ip, &s->ip);
	gone = is_gone(l, now_ns);
	in_vain = l->asked == IMPOSTOR_VAIN && is_past(l->asked_ns, now_ns, IMPOSTOR_WINDOW_NS);
	if (known || gone) {
		l->first = *s;
		l->asked = 0;
		return known || !in_vain ? nothing
					 : (struct behaviour_finding){first_of(l->key.reason), 1};
	}
	if (same(&l->first.router, &s->router) && same(&l->first.resolver, &s->resolver))
		return nothing;
	if (same(&l->other, &s->ip) && !is_past(l->told_ns, now_ns, IMPOSTOR_WINDOW_NS))
		return nothing;
	l->other = s->ip;
	l->told_ns = now_ns;
	return (struct behaviour_finding){l->key.reason, 2};
}

/* One that only names files to boot from (PXE) offers no address. */
struct behaviour_finding impostor_offered(struct impostor *i, const struct packet *p,
					  const struct dhcp *d, uint32_t segment,
					  bool answered_here, uint64_t now_ns)
{
	static const uint8_t none[4];
	struct server s = {d->server, d->router, d->resolver, now_ns};
	struct domain *l;

	if (d->reply ? (d->type != DHCP_OFFER && d->type != DHCP_ACK) ||
			       !memcmp(d->yours.b + 12, none, sizeof(none))
		     : d->type != DHCP_DISCOVER || !answered_here)
		return nothing;
	l = domain_of(i, p, &d->relay, segment, REASON_DHCP_SECOND_SERVER, now_ns);
	return d->reply ? compare(l, &s) : ask(l, now_ns);
}

/* A server of DHCPv6 leads nobody, but by whom it makes resolve names. */
static enum reason read_dhcp6(const struct packet *p, struct server *ret_s, bool *ret_asks)
{
	struct dhcp6 d;

	if (dhcp6_read(p->payload, &d) != PARSE_OK)
		return REASON_NONE;
	*ret_asks = p->dst_port == DHCP6_SERVER_PORT &&
		    (d.type == DHCP6_SOLICIT || d.type == DHCP6_INFORMATION_REQUEST);
	ret_s->resolver = d.resolver;
	return *ret_asks || (p->src_port == DHCP6_SERVER_PORT && p->dst_port == DHCP6_CLIENT_PORT &&
			     (d.type == DHCP6_ADVERTISE || d.type == DHCP6_REPLY) && d.has_resolver)
		       ? REASON_DHCP_SECOND_SERVER
		       : REASON_NONE;
}

/*
 * RFC 4861 §6.1: from the link itself, or it is neither. One that is neither the way out nor names who
 * resolves leads nobody.
 */
static enum reason read_router(const struct packet *p, struct server *ret_s, bool *ret_asks)
{
	struct router r;

	*ret_asks = p->icmp_type == ROUTER_SOLICITATION;
	if (p->ttl != 255)
		return REASON_NONE;
	if (*ret_asks)
		return REASON_ROUTER_SECOND;
	if (router_read(p->l4, &r) != PARSE_OK || !(r.lifetime_s || r.has_resolver))
		return REASON_NONE;
	ret_s->router = r.network;
	ret_s->resolver = r.resolver;
	return REASON_ROUTER_SECOND;
}

struct behaviour_finding impostor_led(struct impostor *i, const struct packet *p, uint32_t segment,
				      bool answered_here, uint64_t now_ns)
{
	/* Not a relay of DHCP for IPv4, which has an address. */
	static const struct gate_ip link = {.b = {0xfe, 0x80}};
	struct server s = {.ip = p->src_ip, .last_ns = now_ns};
	struct domain *l;
	bool asks = false;
	enum reason reason =
		p->proto == PROTO_UDP ? read_dhcp6(p, &s, &asks) : read_router(p, &s, &asks);

	if (reason == REASON_NONE || (asks && !answered_here))
		return nothing;
	l = domain_of(i, p, &link, segment, reason, now_ns);
	return asks ? ask(l, now_ns) : compare(l, &s);
}
