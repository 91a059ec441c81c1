#ifndef BEDWARDEN_SEAL_LINK_REJOIN_H
#define BEDWARDEN_SEAL_LINK_REJOIN_H
/*
 * Frames that came in pieces, until they are whole: LINK_REJOIN at most, REJOIN_NS long. A
 * piece is opened into its place before it is known to be authentic, so a place is open
 * only until its true piece has come, and a new frame begins only with an authentic one.
 */
#include "seal/link/framing.h"
#include "seal/link/link.h"

#define REJOIN_NS 1000000000ull

struct rejoin_slot {
	uint8_t *data; /* NULL: free */
	uint32_t id, total;
	uint16_t channel;
	uint8_t form, pieces, have;
	uint64_t begun_ns;
	uint64_t came[4]; /* by index */
};

struct rejoin {
	struct rejoin_slot slots[LINK_REJOIN];
};

/*
 * Where the piece is to be opened to. *ret_fresh: memory taken for a frame that would begin with
 * it. NULL: nowhere; it came before, is too late, contradicts the others, or there is no memory
 * (then *ret_none).
 */
uint8_t *rejoin_place(struct rejoin *j, const struct framing *f, const struct links_calls *calls,
		      uint64_t now_ns, uint8_t **ret_fresh, bool *ret_none);
/*
 * The piece is in its place, and authentic. True: its frame is whole, ret_frame, whose memory is
 * the caller's. *ret_lost counts a frame that had to make room.
 */
bool rejoin_add(struct rejoin *j, const struct framing *f, const struct links_calls *calls,
		uint8_t *fresh, uint64_t now_ns, struct link_frame *ret_frame, unsigned *ret_lost);
/* Gives up what has waited too long (`all`: everything). How many frames. */
unsigned rejoin_expire(struct rejoin *j, const struct links_calls *calls, uint64_t now_ns,
		       bool all);

#endif
