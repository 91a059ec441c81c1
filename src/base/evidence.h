#ifndef BEDWARDEN_BASE_EVIDENCE_H
#define BEDWARDEN_BASE_EVIDENCE_H
/*
 * A frame of evidence on its way from a guard to the keeper. Both are the same
 * binary, so it is a plain struct with the frame's bytes behind it, several in
 * one message; a receiver takes them by evidence_next(), which refuses what a
 * guard that was taken over might say.
 */
#include "base/bytes.h"
#include "base/reason.h"

#define EVIDENCE_FRAME_MAX 16384 /* bytes kept of one frame */

enum evidence_fate { EVIDENCE_PASSED, EVIDENCE_WOULD_DROP, EVIDENCE_DROPPED };

#define EVIDENCE_LAST 1 /* no frame, and none follows: the case is closed */

struct evidence_record {
	uint64_t id;	   /* of the conversation: EVE flow_id */
	uint64_t time_ns;  /* wall clock, when captured */
	uint32_t wire_len; /* bytes the frame had */
	uint32_t len;	   /* bytes of it that follow */
	uint32_t device; /* whose case it is: a hash of its name; 0: of nobody that is registered */
	uint16_t reason; /* enum reason: what was found with it; NONE */
	uint8_t fate;	 /* enum evidence_fate */
	uint8_t flags;	 /* EVIDENCE_* */
	char port[16];	 /* it came in by, zero-terminated */
};

/* The next record at the front of *in, which moves behind it. False: its end, or malformed, which
 * leaves bytes in *in. */
static inline bool evidence_next(struct bytes *in, struct evidence_record *ret_r,
				 struct bytes *ret_frame)
{
	struct reader r = reader_new(in->data, in->len);
	struct bytes head = read_bytes(&r, sizeof(*ret_r)), frame;
	struct evidence_record x;

	if (r.bad)
		return false;
	memcpy(&x, head.data, sizeof(x));
	frame = read_bytes(&r, x.len);
	if (r.bad || x.len > EVIDENCE_FRAME_MAX || x.wire_len < x.len || x.reason >= REASON_COUNT ||
	    x.fate > EVIDENCE_DROPPED || x.flags & ~EVIDENCE_LAST ||
	    !memchr(x.port, 0, sizeof(x.port)))
		return false;
	*in = (struct bytes){in->data + r.off, in->len - r.off};
	*ret_r = x;
	*ret_frame = frame;
	return true;
}

#endif
