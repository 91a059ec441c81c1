#ifndef BEDWARDEN_DEMO_WFDB_H
#define BEDWARDEN_DEMO_WFDB_H
/*
 * Reads PhysioNet recordings (WFDB header(5), signal(5)): single-segment
 * records whose signals share one file in format 16 or 212, one sample a
 * frame. Anything else is refused with -ENOTSUP, a broken header with
 * -EBADMSG. Works on bytes in memory; the caller opens the files.
 */
#include "base/bytes.h"

#define WFDB_SIGNALS 12
#define WFDB_INVALID INT16_MIN /* no value at that instant */

struct wfdb_signal {
	char name[32];
	char units[16];
	double gain; /* ADC units per physical unit */
	int baseline;
};

struct wfdb_record {
	char file[64]; /* of the samples, beside the header */
	double rate_hz;
	unsigned format;     /* 16 or 212 */
	unsigned offset;     /* bytes before the first sample */
	unsigned long count; /* samples a signal; 0: as many as the file has */
	unsigned signals;
	struct wfdb_signal signal[WFDB_SIGNALS];
};

int wfdb_header(struct bytes text, struct wfdb_record *ret_record);
/* Index of the first signal whose name begins so; -1 none. */
int wfdb_find(const struct wfdb_record *r, const char *name);
/* Up to max samples of one signal; how many. */
size_t wfdb_samples(const struct wfdb_record *r, struct bytes data, unsigned signal,
		    int16_t *ret_samples, size_t max);

#endif
