#ifndef BEDWARDEN_GUARD_PROTO_BROADCAST_H
#define BEDWARDEN_GUARD_PROTO_BROADCAST_H
/*
 * Bedside monitors that tell all stations at once (CARESCAPE network, formerly
 * Unity): UDP 2000 for the time, 7000 for discovery, which is their heartbeat,
 * and 7001 for alarms. Their makers publish the ports and, of the time message,
 * its length and the address that it names itself by (Vocera, "Understanding GE
 * Carescape Networks": bytes 7 to 10 of 64). Nothing else is read, so nothing
 * else is told: what such a datagram carries stays unread, its coming is not.
 */
#include "bpf/shared.h"
#include "guard/proto/proto.h"

struct broadcast_msg {
	struct msg msg;
	const char *message; /* "time", "discovery", "alarm" */
	uint16_t port;
	uint32_t length;
	uint32_t number;   /* messages of this kind in the conversation, from 1 on */
	uint64_t since_us; /* the one before; 0: the first */
	bool has_address;
	uint8_t address[4];
};

extern const struct proto broadcast_proto;

#endif
