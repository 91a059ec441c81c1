#ifndef BEDWARDEN_KEEP_RETENTION_H
#define BEDWARDEN_KEEP_RETENTION_H
/*
 * Destroys what a vault was to keep until now, class by class, and of a class
 * that is bounded in bytes the oldest beyond that, of who holds most of it first. The data keys that sealed it
 * are destroyed with it (keep/vault.h), and the vault's log proves which.
 */
#include "keep/vault.h"

#define RETENTION_BOUNDS 4

/* Of one class no more than so many bytes are kept, whatever they were to be kept until. */
struct retention_bound {
	const char *class;
	uint64_t max_bytes;
	uint32_t (*holder)(struct bytes name); /* whose it is, as a hash; NULL: all is one's */
};

struct retention {
	int err;	    /* nothing is said to be destroyed where it is not 0 */
	uint64_t destroyed; /* names, of … */
	uint64_t expired; /* … those that were kept long enough; the others were beyond a bound */
	uint64_t keys;	  /* data keys destroyed */
	uint64_t log_lines;		/* how far the vault's log goes now, and … */
	uint8_t log_chain[CRYPTO_HASH]; /* … what all of it comes to */
};

/* `now_ns` is the wall clock's, and is taken at its word. 0 or -errno, as ret_r->err. */
int retention_run(struct vault *v, int64_t now_ns, const struct retention_bound *bounds,
		  unsigned count, struct retention *ret_r);

#endif
