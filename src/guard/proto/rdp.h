#ifndef BEDWARDEN_GUARD_PROTO_RDP_H
#define BEDWARDEN_GUARD_PROTO_RDP_H
/*
 * How a remote desktop begins (MS-RDPBCGR §2.2.1.1, §2.2.1.2): the client's
 * cookie and the protections it offers, the server's choice. Where that is none
 * but RDP's own, the channels asked for are looked at, too; then nothing is.
 */
#include "guard/proto/proto.h"

struct rdp_msg {
	struct msg msg;
	const char *event_type; /* "initial_request", "initial_response", "connect_request" */
	struct bytes cookie;	/* the user, by most clients */
	const char *offered;	/* the strongest protection */
	const char *protocol;	/* the chosen one: "rdp", "ssl", "hybrid", "rdstls", ... */
	uint32_t error_code;
};

extern const struct proto rdp_proto;

#endif
