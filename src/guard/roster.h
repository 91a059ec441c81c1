#ifndef BEDWARDEN_GUARD_ROSTER_H
#define BEDWARDEN_GUARD_ROSTER_H
/*
 * Who the policy says owns an address, by hash: what an event names, and how a
 * frame out of a file is placed on one side of the gateway. Built once from a
 * policy, which it borrows; never changes.
 */
#include "guard/decode/packet.h"
#include "guard/policy/policy.h"

struct roster;

/* NULL with errno ENOMEM. */
struct roster *roster_new(const struct policy *p);
void roster_free(struct roster *r);

/* NULL where the policy does not name it. */
const struct gate_bind *roster_mac(const struct roster *r, uint32_t segment, const uint8_t mac[6]);
const struct gate_bind *roster_ip(const struct roster *r, uint32_t segment,
				  const struct gate_ip *ip);
/* NULL where `ifindex` is none of the policy's. */
const struct gate_port *roster_port(const struct roster *r, uint32_t ifindex);

/*
 * A file has no ports. A frame counts as coming from a ward when its source
 * address, hardware or network, is a device's, and from the hospital's side of
 * the segment of the device it is for otherwise (the first segment's where it
 * is for none). The ifindex of that port; 0 where the policy has no segment.
 */
uint32_t roster_place(const struct roster *r, const struct packet *p);

#endif
