#ifndef BEDWARDEN_GUARD_CAPTURE_CHECKSUM_H
#define BEDWARDEN_GUARD_CAPTURE_CHECKSUM_H
/*
 * Finishes what a sender on this machine left to its network card. A frame from
 * a virtual port (veth, virtio) carries in its TCP or UDP checksum field only
 * the sum over the pseudo-header, and whoever passes it on as plain bytes owes
 * the rest. Only such a field is touched: a checksum that is right comes out
 * unchanged, and one that is wrong stays wrong (but for the one value in 65536
 * that cannot be told from an unfinished one).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An Ethernet frame with up to two VLAN tags; IPv4 and IPv6, whole packets only.
 * True where the field was rewritten. */
bool checksum_finish(uint8_t *frame, size_t len);

#endif
