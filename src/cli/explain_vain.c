#include "cli/explain_internal.h"

#include <string.h>

#include "base/address.h"

/* A protocol that is never spoken over what the line allows: nothing would pass there. */
static void warn_transport(const struct gate_rule *r, const struct proto *p, const char *service,
			   const struct warning *w)
{
	uint8_t over = r->proto == 6 ? PROTO_OVER_TCP : r->proto == 17 ? PROTO_OVER_UDP : 0;

	if (p && r->proto && !(p->over & over))
		explain_warn(w, "the line '%s' allows nothing: %s is spoken over %s", service,
			     p->name,
			     p->over == PROTO_OVER_TCP	 ? "tcp"
			     : p->over == PROTO_OVER_UDP ? "udp"
							 : "tcp and udp");
}

static bool ports_within(const struct config_rule *r, const struct config_rule *of)
{
	uint16_t lo, hi, from, to;

	if (!of->port_count)
		return true;
	for (unsigned i = 0; i < r->port_count; i++) {
		bool in = false;

		if (!address_ports(r->port[i], &lo, &hi))
			return false;
		for (unsigned j = 0; !in && j < of->port_count; j++)
			in = address_ports(of->port[j], &from, &to) && from <= lo && hi <= to;
		if (!in)
			return false;
	}
	return r->port_count;
}

static bool hides(const struct config_rule *a, const struct config_rule *b)
{
	uint8_t over_a, over_b;

	return address_proto(a->proto, &over_a) && address_proto(b->proto, &over_b) &&
	       (!over_a || over_a == over_b) &&
	       (!strcmp(a->peer, "any") || !strcmp(a->peer, b->peer)) && ports_within(b, a);
}

/* The first line that fits decides alone. That a device's own hide its profile's is meant. */
static void warn_hidden(const char *whose, const struct config_rule *rules, unsigned count,
			const struct warning *w)
{
	for (unsigned b = 1; b < count; b++)
		for (unsigned a = 0; a < b; a++)
			if (hides(&rules[a], &rules[b])) {
				explain_warn(w,
					     "the line '%s' of %s is never reached: '%s' above it "
					     "covers the same ports and peers, and decides alone; "
					     "make one line of both",
					     rules[b].service, whose, rules[a].service);
				break;
			}
}

void explain_vain(const struct explaining *x, const struct warning *w)
{
	const char *said = NULL;

	for (uint32_t i = 0; i < x->rule_count; i++) {
		const char *text = policy_rule_messages(x->p, i);
		const char *service = policy_rule_service(x->p, i);

		if (service == said)
			continue;
		said = service;
		warn_transport(&x->rules[i], explain_protocol(text), service, w);
		explain_messages_vain(service, text, w);
	}
	for (unsigned i = 0; i < x->c->profiles_count; i++) {
		const struct config_profile *p = &x->c->profiles[i];

		warn_hidden(p->name, p->starts, p->starts_count, w);
		warn_hidden(p->name, p->accepts, p->accepts_count, w);
	}
	for (unsigned i = 0; i < x->c->devices_count; i++) {
		const struct config_device *d = &x->c->devices[i];

		warn_hidden(d->name, d->starts, d->starts_count, w);
		warn_hidden(d->name, d->accepts, d->accepts_count, w);
	}
}
