#ifndef BEDWARDEN_ROLE_PARCELS_H
#define BEDWARDEN_ROLE_PARCELS_H
/*
 * Messages that wait for room in a socket, in order: whoever sends never waits, and never
 * leaves half of something behind. Bytes are bounded.
 */
#include "base/ipc.h"

struct parcels {
	struct parcel *first, *last;
	size_t waiting, max; /* bytes */
};

/* What waits is forgotten. */
void parcels_clear(struct parcels *p);
bool parcels_empty(const struct parcels *p);
/* Room for answers or questions of that many bytes, in pieces? */
bool parcels_room(const struct parcels *p, size_t len);
/* Sends, or keeps it; a descriptor (-1 none) stays the caller's. false: no room, or no memory. */
bool parcels_put(struct parcels *p, int sock, enum ipc_type type, uint32_t id, struct bytes body,
		 int fd);
/* A whole text in pieces, an empty one behind them; all of it or none. */
bool parcels_put_text(struct parcels *p, int sock, enum ipc_type type, uint32_t id,
		      struct bytes text);
/* The socket has room. */
void parcels_send(struct parcels *p, int sock);

#endif
