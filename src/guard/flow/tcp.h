#ifndef BEDWARDEN_GUARD_FLOW_TCP_H
#define BEDWARDEN_GUARD_FLOW_TCP_H
/*
 * How far a TCP conversation has come, as seen from between its ends
 * (RFC 9293 §3.3.2). Only segments that fit what both ends have said so far
 * move the state; others are counted by the flow and change nothing here.
 */
#include "guard/flow/flow.h"

/* `end` sent the packet. The first packet of a flow finds TCP_NONE. */
void tcp_track(struct flow *f, const struct packet *p, unsigned end);

#endif
