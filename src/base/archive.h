#ifndef BEDWARDEN_BASE_ARCHIVE_H
#define BEDWARDEN_BASE_ARCHIVE_H
/*
 * A message or an image on its way from a guard to the keeper, which archives it
 * (`archive: yes`): BEGIN, any number of MORE, then END with what is known of it,
 * or DROP: it is not to be kept after all. Both ends are the same binary, so these
 * are plain structs with bytes behind them, several in one message; a receiver
 * takes them by archive_next(), which refuses what a guard that was taken over
 * might say.
 */
#include "base/bytes.h"

#define ARCHIVE_PIECE_MAX 16384 /* bytes behind one record */

enum archive_what {
	ARCHIVE_BEGIN,
	ARCHIVE_MORE,
	ARCHIVE_END,
	ARCHIVE_DROP,
	ARCHIVE_MISSED, /* so many (`object`) could not be had whole */
};

struct archive_record {
	uint64_t object; /* its number with this guard, never used twice */
	uint32_t len;	 /* bytes that follow */
	uint32_t what;	 /* enum archive_what */
};

/* Texts end with a zero. */
struct archive_about {
	uint64_t flow_id; /* EVE flow_id */
	uint64_t time_ns; /* wall clock, of its last byte */
	char device[64];  /* as the policy calls it */
	char proto[16];	  /* "hl7", "dicom" */
	char suffix[8];	  /* ".hl7", ".dcm" */
	char label[96];	  /* tells it from others: "ORU^R01-MSG00001", a SOP instance UID */
};

static inline bool archive_is_text(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

/* What stands behind an END. */
static inline bool archive_about(struct bytes body, struct archive_about *ret_about)
{
	struct archive_about a;

	if (body.len != sizeof(a))
		return false;
	memcpy(&a, body.data, sizeof(a));
	if (!archive_is_text(a.device, sizeof(a.device)) ||
	    !archive_is_text(a.proto, sizeof(a.proto)) ||
	    !archive_is_text(a.suffix, sizeof(a.suffix)) ||
	    !archive_is_text(a.label, sizeof(a.label)))
		return false;
	*ret_about = a;
	return true;
}

/* The next record at the front of *in, which moves behind it. False: its end, or malformed, which
 * leaves bytes in *in. */
static inline bool archive_next(struct bytes *in, struct archive_record *ret_r,
				struct bytes *ret_body)
{
	struct reader r = reader_new(in->data, in->len);
	struct bytes head = read_bytes(&r, sizeof(*ret_r)), body;
	struct archive_record x;

	if (r.bad)
		return false;
	memcpy(&x, head.data, sizeof(x));
	if (x.len > ARCHIVE_PIECE_MAX || x.what > ARCHIVE_MISSED ||
	    (x.what != ARCHIVE_MORE && x.what != ARCHIVE_END && x.len) ||
	    (x.what == ARCHIVE_END && x.len != sizeof(struct archive_about)))
		return false;
	body = read_bytes(&r, x.len);
	if (r.bad)
		return false;
	*in = (struct bytes){in->data + r.off, in->len - r.off};
	*ret_r = x;
	*ret_body = body;
	return true;
}

#endif
