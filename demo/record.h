#ifndef BEDWARDEN_DEMO_RECORD_H
#define BEDWARDEN_DEMO_RECORD_H
/*
 * A recording out of a folder, whole: every signal at its own rate in physical
 * units, segments put in a row, NAN where nothing was recorded.
 */
#include "demo/wfdb.h"

struct record_signal {
	char name[32];
	char units[16];
	double rate_hz;
	double gain; /* steps of the converter per unit, in the last segment */
	double *v;
	size_t n;
};

struct record {
	double seconds;
	unsigned signals;
	struct record_signal signal[WFDB_SIGNALS];
};

/*
 * `header` is the name of the .hea file. -ENOTSUP, -EBADMSG as wfdb.h has it, -ENOENT where a
 * file is missing (but a segment's: that is a gap), -ENOMEM.
 */
int record_load(const char *dir, const char *header, struct record **ret_record);
void record_free(struct record *r);
/* The first signal whose name begins so; NULL none. */
const struct record_signal *record_find(const struct record *r, const char *name);

#endif
