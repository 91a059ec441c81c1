#ifndef BEDWARDEN_SEAL_LINK_FRAMING_H
#define BEDWARDEN_SEAL_LINK_FRAMING_H
/*
 * What is inside a record of the link: doc/link.md. The first byte is version and kind;
 * then a head that says all lengths, then the frames' bytes, so that whoever opens a
 * record knows from its head where each byte belongs. A reader of outside bytes: what
 * does not add up exactly is refused whole.
 */
#include "base/bytes.h"
#include "seal/link/link.h"

#define FRAMING_VERSION	  1
#define FRAMING_SHARE	  32 /* frames in a record */
#define FRAMING_PIECES	  255
#define FRAMING_FRAMES(n) (2u + 5u * (n)) /* head of n frames */
#define FRAMING_PIECE	  14		  /* head of a piece */
#define FRAMING_ECHO	  10		  /* a question or answer without padding */
#define FRAMING_HEAD	  FRAMING_FRAMES(FRAMING_SHARE)

enum framing_kind { FRAMING_WHOLE = 1, FRAMING_PART, FRAMING_ASK, FRAMING_ANSWER };

/* What a question is for; its answer repeats it and the token. */
enum framing_what { FRAMING_PING, FRAMING_PROBE, FRAMING_CHALLENGE, FRAMING_WHATS };

struct framing_frame {
	uint16_t len, channel;
	uint8_t form;
};

struct framing {
	enum framing_kind kind;
	size_t head; /* bytes of it; the frames' follow */
	/* WHOLE */
	unsigned count;
	struct framing_frame frames[FRAMING_SHARE];
	/* PART: piece `index` of `pieces`, of a frame of `total` bytes */
	uint32_t id, total;
	uint16_t channel;
	uint8_t form, index, pieces;
	uint32_t offset, len; /* of the piece in its frame, which follow from these */
	/* ASK, ANSWER */
	enum framing_what what;
	uint64_t token;
};

/* Bytes of a record's head, by its first two; 0: it has no form. */
size_t framing_head(const uint8_t two[2]);
/*
 * Reads the head of a record of `total` bytes out of its first ones, framing_head() of them
 * or more. False: against the rules.
 */
bool framing_read(struct bytes first, size_t total, struct framing *ret_f);
/* Bytes of the head as it is read again; 0: it has no form. ret_head: FRAMING_HEAD. */
size_t framing_write(const struct framing *f, uint8_t *ret_head);
/* Where piece `index` of `pieces` lies in a frame of `total` bytes. False: there is no such piece. */
bool framing_piece(uint32_t total, unsigned pieces, unsigned index, uint32_t *ret_offset,
		   uint32_t *ret_len);

#endif
