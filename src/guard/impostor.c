#include "guard/impostor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "guard/proto/claim.h"

#define MACHINES 1024
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

struct domain_key {
	struct gate_ip relay;
	uint32_t segment;
	uint16_t vlan, spare;
};

struct server {
	struct gate_ip ip, router, resolver;
	uint64_t last_ns;
};

struct domain {
	struct domain_key key;
	struct server first;
	struct gate_ip other; /* the last that was told of, at told_ns */
	uint64_t told_ns;
};

struct impostor {
	struct machine machines[MACHINES];
	struct domain domains[DOMAINS];
	struct hash_key key;
};

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
	struct machine *m;

	memset(&k, 0, sizeof(k));
	k.ip = p->src_ip;
	k.segment = segment;
	m = &i->machines[hash_bytes(&i->key, &k, sizeof(k)) % MACHINES];
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
	struct behaviour_finding found = {REASON_NONE, 0};
	uint32_t names[CLAIMS];
	unsigned count = claim_read(p->payload, &p->src_ip, names);
	struct machine *m;
	bool proxy = false;

	if (!count)
		return found;
	m = machine_of(i, p, segment, now_ns);
	for (unsigned n = 0; n < count; n++) {
		note_name(m, names[n]);
		proxy |= claim_is_proxy(names[n]);
	}
	if (m->found || (m->count < IMPOSTOR_NAMES && !proxy))
		return found;
	m->found = true;
	return (struct behaviour_finding){REASON_NAMES_POISONED, m->count};
}

static struct domain *domain_of(struct impostor *i, const struct packet *p, const struct dhcp *d,
				uint32_t segment)
{
	struct domain_key k;
	struct domain *l;

	memset(&k, 0, sizeof(k));
	k.relay = d->relay;
	k.segment = segment;
	k.vlan = p->vlan_count ? p->vlan[0] : 0;
	l = &i->domains[hash_bytes(&i->key, &k, sizeof(k)) % DOMAINS];
	if (memcmp(&l->key, &k, sizeof(k)))
		*l = (struct domain){.key = k};
	return l;
}

static bool same(const struct gate_ip *a, const struct gate_ip *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Two that stand in for each other say the same; one that only names files to boot from (PXE) offers
 * no address. */
struct behaviour_finding impostor_offered(struct impostor *i, const struct packet *p,
					  const struct dhcp *d, uint32_t segment, uint64_t now_ns)
{
	static const uint8_t none[4];
	struct behaviour_finding found = {REASON_NONE, 0};
	struct server s = {d->server, d->router, d->resolver, now_ns};
	struct domain *l;

	if (!d->reply || (d->type != DHCP_OFFER && d->type != DHCP_ACK) ||
	    !memcmp(d->yours.b + 12, none, sizeof(none)))
		return found;
	l = domain_of(i, p, d, segment);
	if (is_past(l->first.last_ns, now_ns, IMPOSTOR_SERVER_NS) || !l->first.last_ns ||
	    same(&l->first.ip, &s.ip)) {
		l->first = s;
		return found;
	}
	if (same(&l->first.router, &s.router) && same(&l->first.resolver, &s.resolver))
		return found;
	if (same(&l->other, &s.ip) && !is_past(l->told_ns, now_ns, IMPOSTOR_WINDOW_NS))
		return found;
	l->other = s.ip;
	l->told_ns = now_ns;
	return (struct behaviour_finding){REASON_DHCP_SECOND_SERVER, 2};
}
