#ifndef BEDWARDEN_GUARD_PROTO_HL7_WIDE_H
#define BEDWARDEN_GUARD_PROTO_HL7_WIDE_H
/*
 * HL7 frames in UTF-16 or UTF-32 (RFC 2781, Unicode 15 §3.9): where a segment
 * ends, and what it says in UTF-8. MLLP frames bytes, and its own may stand
 * within such characters, which is why HL7 v2.9 §2.14.9.18 forbids them; the
 * rules here end a frame wherever some receiver would, or say that it may.
 */
#include "base/bytes.h"

struct hl7_wide {
	uint8_t width; /* bytes of a unit: 2 or 4; 0: one, nothing is wide */
	bool big;      /* the high byte comes first */
	bool marked;   /* a mark said so */
};

enum hl7_stop {
	HL7_STOP_NONE,
	HL7_STOP_LINE,	/* CR or LF */
	HL7_STOP_END,	/* 0x1c followed by 0x0d, at whatever place of a unit */
	HL7_STOP_WIDE,	/* U+001C */
	HL7_STOP_MAYBE, /* 0x1c and nothing behind it yet: to some receivers the end */
	HL7_STOP_START, /* 0x0b: another frame begins */
};

struct hl7_wide_cut {
	size_t len;  /* bytes of the segment, whole units */
	size_t end;  /* bytes up to what stops it; more than `len` where a unit is torn */
	size_t used; /* and with that */
	enum hl7_stop stop;
};

/* How the frame behind its first byte is written. MORE: up to four bytes are needed. */
enum parse hl7_wide_probe(struct bytes b, struct hl7_wide *ret_w);

/*
 * Where the segment at the front ends: CR and LF both do. *scanned is the
 * caller's, zero at first: bytes that hold no end.
 */
struct hl7_wide_cut hl7_wide_cut(const struct hl7_wide *w, struct bytes b, size_t *scanned);

/* A high surrogate whose other half is not there yet: bytes to be left for later. */
size_t hl7_wide_half(const struct hl7_wide *w, struct bytes b);

/*
 * In UTF-8, at most `cap` bytes of whole characters, U+FFFD for what is none; all of `b` is looked
 * at. *ret_broken is set where a unit is no character, *ret_far where one is beyond U+00FF: what
 * begins with a zero byte and no mark then says something else to who takes it for the other order.
 */
size_t hl7_wide_text(const struct hl7_wide *w, struct bytes b, uint8_t *ret_text, size_t cap,
		     bool *ret_broken, bool *ret_far);

#endif
