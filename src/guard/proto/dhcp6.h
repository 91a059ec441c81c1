#ifndef BEDWARDEN_GUARD_PROTO_DHCP6_H
#define BEDWARDEN_GUARD_PROTO_DHCP6_H
/*
 * One DHCPv6 message (RFC 8415 §8, §9), the payload of a UDP datagram to port 546 or 547: what
 * kind it is and whom it makes resolve names (RFC 3646 §3). Allocates nothing.
 */
#include "base/bytes.h"
#include "bpf/shared.h"

#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REPLY = 7,
	DHCP6_INFORMATION_REQUEST = 11,
	DHCP6_RELAY_FORWARD = 12,
	DHCP6_RELAY_REPLY = 13,
};

struct dhcp6 {
	uint8_t type;		 /* enum dhcp6_type, or another one's number */
	bool has_resolver;	 /* option 23; */
	struct gate_ip resolver; /* its first */
};

/* PARSE_BAD for what is no DHCPv6 or lies about a length; of an option that comes twice the first counts. */
enum parse dhcp6_read(struct bytes payload, struct dhcp6 *ret_d);

#endif
