#ifndef BEDWARDEN_GUARD_PROTO_SIP_H
#define BEDWARDEN_GUARD_PROTO_SIP_H
/*
 * SIP (RFC 3261) over UDP and TCP, as nurse calls and telephones speak it: what
 * is asked of which server, and the answer. Who calls whom is left out: a
 * telephone number may be a patient's.
 */
#include "guard/proto/proto.h"

struct sip_msg {
	struct msg msg;
	struct bytes method, uri, version; /* uri: the scheme and the host */
	struct bytes code, reason, user_agent, content_type;
	struct bytes answers; /* the method of the request that it follows (CSeq) */
	uint16_t room_used;
	char room[1024]; /* what does not fit is left out */
};

extern const struct proto sip_proto;

#endif
