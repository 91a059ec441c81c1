#ifndef BEDWARDEN_SEAL_LINK_CLAMP_H
#define BEDWARDEN_SEAL_LINK_CLAMP_H
/*
 * The maximum segment size that a TCP SYN announces (RFC 9293 §3.7.1), lowered to what
 * passes the link in one piece; the checksum is kept right (RFC 1624). Ethernet with up
 * to two VLAN tags, IPv4, IPv6 with extension headers. Whatever else it is stays as it is.
 */
#include "base/bytes.h"

/*
 * `frame` longest that is to come back, headers included. `partial`: its checksum covers the pseudo
 * header alone, the rest is still to be added by hardware. True where something was changed.
 */
bool clamp_frame(uint8_t *data, size_t len, size_t frame, bool partial);

#endif
