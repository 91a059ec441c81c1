#ifndef BEDWARDEN_GUARD_HAIRPIN_H
#define BEDWARDEN_GUARD_HAIRPIN_H
/*
 * Where a ward's switch isolates its ports, the gateway stands in for the
 * neighbours: it answers the question who has one's address with its own, and
 * sends what then arrives back out of the same port. The kernel's floor does
 * both itself for what it passes; here is the same for what a guard forwards.
 */
#include "guard/capture/capture.h"
#include "guard/policy/policy.h"

/* Rewrites the frame's addresses in place, from the port to the neighbour. False where the
 * verdict names no neighbour or the frame is too short: drop it. */
bool hairpin_readdress(const struct frame *f, const struct policy *p, const struct gate_verdict *v,
		       const struct gate_port *port);

/* The reply to "who has my neighbour?": ARP (RFC 826), 42 bytes and VLAN tags, or a neighbour
 * advertisement (RFC 4861 §7.2.4), 86 and tags; 0 where `p` asks neither. */
#define HAIRPIN_ANSWER_MAX 96
size_t hairpin_answer(const struct packet *p, const struct gate_port *port,
		      uint8_t ret_frame[HAIRPIN_ANSWER_MAX]);

#endif
