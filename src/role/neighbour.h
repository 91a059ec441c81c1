#ifndef BEDWARDEN_ROLE_NEIGHBOUR_H
#define BEDWARDEN_ROLE_NEIGHBOUR_H
/*
 * Which hardware address a neighbour has, as the kernel knows it (rtnetlink(7),
 * RTM_GETNEIGH): of who connects from the same network, where a door is to be
 * opened for that very workstation. Whoever comes through a router has none.
 */
#include <stdbool.h>
#include <stdint.h>

struct neighbours;
struct sockaddr;

#define NEIGHBOUR_MS 2000 /* how old an answer may be */

/* Opens its socket; what follows needs no right to. NULL with errno. */
struct neighbours *neighbours_new(void);
void neighbours_free(struct neighbours *n);
/* false: not a neighbour, or not known. */
bool neighbour_mac(struct neighbours *n, const struct sockaddr *who, uint64_t now_ns,
		   uint8_t ret_mac[6]);

#endif
