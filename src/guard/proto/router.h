#ifndef BEDWARDEN_GUARD_PROTO_ROUTER_H
#define BEDWARDEN_GUARD_PROTO_ROUTER_H
/*
 * A router advertisement (RFC 4861 §4.2, resolvers by RFC 8106 §5.1), from its ICMP header on: whether
 * the sender is to be the way out, for which network, and whom it makes resolve names. Allocates nothing.
 */
#include "base/bytes.h"
#include "bpf/shared.h"

#define ROUTER_SOLICITATION  133 /* types of ICMPv6 */
#define ROUTER_ADVERTISEMENT 134

struct router {
	uint16_t lifetime_s; /* as the way out; 0: it is none, or no longer */
	bool has_resolver;
	struct gate_ip network;	 /* the first prefix, zero where there is none; */
	struct gate_ip resolver; /* and the first of the resolvers */
};

/* PARSE_BAD for what is none or lies about a length. */
enum parse router_read(struct bytes icmp, struct router *ret_r);

#endif
