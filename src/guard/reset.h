#ifndef BEDWARDEN_GUARD_RESET_H
#define BEDWARDEN_GUARD_RESET_H
/*
 * Ends a TCP conversation for both ends at once: a segment with RST that each
 * believes to be the other's (RFC 9293 §3.5.2), made from a packet between them.
 */
#include "guard/decode/packet.h"

#define RESET_MAX 96 /* bytes of a frame */

/*
 * `back`: to the packet's sender; else on to its receiver. `seq` is what that
 * one expects next. The frame's length; 0 where the packet is no TCP over
 * Ethernet.
 */
size_t reset_make(const struct packet *p, bool back, uint32_t seq, uint8_t ret_frame[RESET_MAX]);

#endif
