#ifndef BEDWARDEN_GUARD_DECODE_TUNNEL_H
#define BEDWARDEN_GUARD_DECODE_TUNNEL_H
/*
 * Packets within packets. Switches send what they mirror far away in one (ERSPAN), and so do clouds
 * (VXLAN, GENEVE) and small routers (TZSP); between them and on the air others travel so all the time
 * (IP in IP, GRE, NVGRE, GTP-U).
 */
#include "guard/decode/packet.h"

struct tunnel_inner {
	struct bytes frame; /* borrowed from the packet */
	uint32_t wire_len;
	enum link link;
};

/* Is there one in what the packet carries? Of a fragment there is none. */
bool tunnel_inner(const struct packet *p, struct tunnel_inner *ret);

#endif
