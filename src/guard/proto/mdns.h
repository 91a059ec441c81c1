#ifndef BEDWARDEN_GUARD_PROTO_MDNS_H
#define BEDWARDEN_GUARD_PROTO_MDNS_H
/*
 * What a machine says of itself by multicast DNS (RFC 6762) and DNS service
 * discovery (RFC 6763): its name, and the kinds of service it offers. Names are
 * compressed in the message, so they are copied out, cut to what fits.
 */
#include "base/bytes.h"

#define MDNS_PORT     5353
#define MDNS_NAME     64
#define MDNS_SERVICES 8

struct mdns {
	bool response;
	char host[MDNS_NAME];			/* "cart-3", without ".local"; "" none */
	char instance[MDNS_NAME];		/* "Lab Printer", ahead of its service; "" none */
	char service[MDNS_SERVICES][MDNS_NAME]; /* "_ipp._tcp" */
	unsigned service_count;
};

/* PARSE_BAD where it is no DNS message; compression loops and lies of length included. */
enum parse mdns_read(struct bytes payload, struct mdns *ret_m);

#endif
