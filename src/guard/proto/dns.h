#ifndef BEDWARDEN_GUARD_PROTO_DNS_H
#define BEDWARDEN_GUARD_PROTO_DNS_H
/*
 * DNS (RFC 1035) over UDP and TCP, and LLMNR (RFC 4795), which has the same
 * messages: what is asked and what is answered. Names that point in circles or
 * forward, and counts beyond the message, break it. mDNS and NetBIOS are not
 * read here.
 */
#include "guard/proto/dns_name.h"
#include "guard/proto/proto.h"

struct dns_msg {
	struct msg msg;
	const char *type; /* "query", "answer" */
	const char *rcode;
	struct bytes flags, rrname, rrtype,
		rrclass; /* of the first question; events leave out IN */
	uint16_t id;
	uint8_t opcode;
	bool qr, aa, tc, rd, ra;
	struct bytes whole;				   /* the message */
	size_t answers_at, authorities_at, additionals_at; /* where they begin in it */
	unsigned question_count, answer_count, authority_count, additional_count;
	size_t room_used;
	uint8_t room[512];
};

extern const struct proto dns_proto;

#endif
