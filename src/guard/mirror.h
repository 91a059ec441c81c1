#ifndef BEDWARDEN_GUARD_MIRROR_H
#define BEDWARDEN_GUARD_MIRROR_H
/*
 * Where two ports of a switch are mirrored, a capture has every packet twice, one right behind the
 * other. Told twice it would be another reading, or a replay, that nobody sent. TCP needs no such
 * memory: its sequence numbers say what was said already.
 *
 * A copy is the second that is the same from its IP header on, between the same machines, within
 * MIRROR_NS; a third one is a flood, or somebody repeats himself. So is what a router sends on, a hop
 * less and with other hardware addresses, if it is not the one to which it came in the same VLAN: who
 * stands in the path does that. Bounded: the last few are kept, whole, up to MIRROR_LEN bytes from the IP
 * header on.
 */
#include "guard/decode/packet.h"

#define MIRROR_NS  2000000ull
#define MIRROR_LEN 2048

struct mirror;

/* NULL with errno ENOMEM. */
struct mirror *mirror_new(void);
void mirror_free(struct mirror *m);
/* Did the same packet come by a moment ago? */
bool mirror_is_copy(struct mirror *m, const struct packet *p);

#endif
