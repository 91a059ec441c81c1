#ifndef BEDWARDEN_DEMO_WFDB_H
#define BEDWARDEN_DEMO_WFDB_H
/*
 * Reads PhysioNet recordings (WFDB header(5), signal(5)): headers of one and of
 * several segments, and samples in formats 16, 24, 32, 61, 80, 160, 212, 310
 * and 311, with several samples a frame, skew, and signals spread over files.
 * A MATLAB v4 file is format 16 behind its 24 bytes. Anything else (8, which
 * stores differences, and FLAC) is refused with -ENOTSUP, a broken header with
 * -EBADMSG. Works on bytes in memory; record.h opens the files.
 */
#include "base/bytes.h"

#define WFDB_SIGNALS  12
#define WFDB_SEGMENTS 64
#define WFDB_FRAME    32	/* samples of one signal in a frame, at most */
#define WFDB_INVALID  INT32_MIN /* no value at that instant */

struct wfdb_signal {
	char file[64]; /* of the samples, beside the header; "~" in a layout: none */
	unsigned format;
	unsigned per_frame;
	unsigned skew;	 /* frames that this signal's samples come late in the file */
	unsigned offset; /* bytes before the first sample */
	char name[32];
	char units[16];
	double gain; /* ADC units per physical unit */
	int baseline;
};

struct wfdb_segment {
	char name[64]; /* "~": nothing was recorded */
	unsigned long count;
};

struct wfdb_record {
	double rate_hz;	     /* frames a second */
	unsigned long count; /* frames; 0: as many as the file has */
	unsigned signals;
	struct wfdb_signal signal[WFDB_SIGNALS];
	unsigned segments; /* 0: one, and this is it; signals are then described here */
	struct wfdb_segment segment[WFDB_SEGMENTS];
};

int wfdb_header(struct bytes text, struct wfdb_record *ret_record);
/* Index of the first signal whose name begins so; -1 none. */
int wfdb_find(const struct wfdb_record *r, const char *name);
/* Up to max samples of one signal out of its file; how many. */
size_t wfdb_samples(const struct wfdb_record *r, struct bytes data, unsigned signal,
		    int32_t *ret_samples, size_t max);

#endif
