#ifndef BEDWARDEN_GUARD_PROTO_SNMP_H
#define BEDWARDEN_GUARD_PROTO_SNMP_H
/*
 * One SNMP message a datagram, or one behind the other in a stream (RFC 3430):
 * v1 (RFC 1157 §4), v2c (RFC 1901 §3, RFC 3416 §3) and v3 with the user-based
 * security model (RFC 3412 §6, RFC 3414 §2.4), BER strictly bounded. Object names are told, values never; of a community, only
 * whether it is one of those that come from the factory.
 *
 * SetRequest is `control`, and so is what v3 encrypts on its way to an agent: it is told as
 * "encrypted", and may be one.
 */
#include "guard/proto/proto.h"

struct snmp {
	struct msg msg;
	uint8_t version; /* 1, 2, 3 */
	uint8_t type;	 /* the PDU's tag; 0 where it is encrypted */
	const char *pdu_type;
	int64_t request_id;
	const char *error;
	const char *trap_type;
	struct bytes trap_oid, trap_address; /* encoded */
	bool default_community;
	const char *security_level;
	struct bytes usm; /* the user */
	struct bytes variables;
	unsigned variable_count;
};

extern const struct proto snmp_proto;

#endif
