#ifndef BEDWARDEN_GUARD_RESET_H
#define BEDWARDEN_GUARD_RESET_H
/*
 * Segments that an end of a TCP conversation believes to be the other's, made from a packet between
 * them: one with RST, which ends it (RFC 9293 §3.5.2), and one that has to be answered.
 */
#include "guard/decode/packet.h"

#define RESET_MAX 128 /* bytes of a frame */

/*
 * `back`: to the packet's sender; else on to its receiver. `seq` is what that
 * one expects next. The frame's length; 0 where the packet is no TCP over
 * Ethernet.
 */
size_t reset_make(const struct packet *p, bool back, uint32_t seq, uint8_t ret_frame[RESET_MAX]);

/*
 * Asks the packet's receiver what it expects next, by a keep-alive in its sender's name: it is empty
 * and a byte too early (RFC 9293 §3.8.4, RFC 1122 §4.2.3.6). The packet's options are in it too, since
 * some receivers want the time-stamp (RFC 7323 §3.2). As above what it returns.
 */
size_t reset_ask(const struct packet *p, uint8_t ret_frame[RESET_MAX]);

#endif
