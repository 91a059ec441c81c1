#ifndef BEDWARDEN_GUARD_CAPTURE_PEEL_H
#define BEDWARDEN_GUARD_CAPTURE_PEEL_H
/*
 * What a capture's link type puts ahead of the frame proper, taken off: radio headers of Wi-Fi,
 * what firewalls and Apple's systems note of a packet. Pure; reads no further than `len`.
 */
#include "guard/decode/packet.h"

struct peeled {
	uint32_t ahead;	 /* bytes that are not of the frame */
	uint32_t behind; /* the same at its end, of what was on the wire: a checksum */
	enum link link;
};

/* A link type, by its number at tcpdump.org. */
struct peel {
	uint16_t type;
	uint8_t ahead; /* at least */
	uint8_t behind;
	bool varies; /* with the packet: what there is ahead says more */
	enum link link;
};

/* NULL: nothing reads its frames. */
const struct peel *peel_find(uint16_t type);
/* False: the packet is none to read, be it damaged, or of a type within its type that is not read.
 * `swap`: what its system wrote in its own byte order is not in ours. */
bool peel(const struct peel *how, struct bytes packet, bool swap, struct peeled *ret);

#endif
