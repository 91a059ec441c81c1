#ifndef BEDWARDEN_GUARD_PROTO_DHCP_H
#define BEDWARDEN_GUARD_PROTO_DHCP_H
/*
 * One DHCP message (RFC 2131, options of RFC 2132 and, in several parts, RFC
 * 3396), the payload of a UDP datagram to port 67 or 68: who asks, who answers,
 * and what tells one kind of machine from another. Borrows the payload.
 */
#include "base/bytes.h"
#include "bpf/shared.h"

struct json;

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

struct dhcp {
	bool reply;	/* BOOTREPLY: from a server */
	uint8_t type;	/* enum dhcp_type; 0 in a BOOTP message */
	uint8_t mac[6]; /* the client's; all zero where it is not of Ethernet */
	uint32_t xid;
	uint32_t lease_s, renewal_s,
		rebinding_s; /* of options 51, 58, 59; 0 where it is not said */
	struct gate_ip client, yours, next, relay; /* mapped; 0.0.0.0 where empty */
	struct gate_ip requested, server, mask;	   /* of options 50, 54, 1 */
	struct gate_ip router, resolver;	   /* the first of options 3, 6, */
	struct bytes routers, resolvers;	   /* and all of them, four bytes each */
	struct bytes client_id;	   /* option 61: a kind of hardware or 0, and a name */
	struct bytes host_name;	   /* option 12 */
	struct bytes vendor_class; /* option 60 */
	struct bytes params;	   /* option 55: the list asked for, in its order: a fingerprint */
	size_t room_used;
	uint8_t room[512]; /* options that came in parts */
};

/* PARSE_BAD for what is no DHCP or lies about a length. *ret_d stays where it is: it refers to itself. */
enum parse dhcp_read(struct bytes payload, struct dhcp *ret_d);
/* "discover", as Suricata says it; "unknown". */
const char *dhcp_type_name(uint8_t type);
/* What the message says, as members of an event's own object, but for its type and the client's MAC. */
void dhcp_write(const struct dhcp *d, struct json *j);

#endif
