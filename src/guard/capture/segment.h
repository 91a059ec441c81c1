#ifndef BEDWARDEN_GUARD_CAPTURE_SEGMENT_H
#define BEDWARDEN_GUARD_CAPTURE_SEGMENT_H
/*
 * TCP segmentation in software: a frame that a sender left to its network card to cut, as the
 * packets that would have been on the wire. Addresses, options and payload stay; sequence
 * numbers, lengths, IPv4 identification, FIN, PSH, CWR and checksums are each packet's own.
 */
#include "base/bytes.h"

#define SEGMENT_HEAD_MAX \
	256 /* Ethernet with tags, IP with extensions or options, TCP with options */

struct segment {
	struct bytes frame;	 /* borrowed */
	size_t ip, tcp, payload; /* where they begin */
	size_t mss, next;	 /* how much a packet carries; how much was cut */
	bool v6;
	uint16_t number;
};

/* False where the frame is no whole TCP packet of IPv4 or IPv6, or mss is 0. */
bool segment_begin(struct segment *s, struct bytes frame, uint16_t mss);
/* The next packet into `out`; its length, 0 when there are no more, -EMSGSIZE: `cap` is too small. */
int segment_next(struct segment *s, uint8_t *out, size_t cap);

#endif
