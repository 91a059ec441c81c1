#ifndef BEDWARDEN_GUARD_VITALS_ECHO_H
#define BEDWARDEN_GUARD_VITALS_ECHO_H
/*
 * Samples that were here before. At every summit of the wave the differences of
 * the samples around it are hashed; the same hash at the same distance behind,
 * again and again for four seconds, is a recording played back. Where the
 * blocks of a message begin does not matter, nor does a shift of the baseline.
 *
 * A wave that resembles itself anyway (a simulator, a pacemaker on a silent
 * trace, a flat line) is no replay: for a minute before it nothing may have
 * come back. Fixed size; remembers about ten minutes of a wave.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_SLOTS  4096
#define ECHO_WINDOW 128 /* samples, at most, around a summit */
#define ECHO_BUSY   64	/* summits that the past minute is judged by, at least */

struct echo_slot {
	uint32_t print; /* 0: empty */
	uint32_t at;	/* the sample's number */
};

struct echo {
	uint32_t period_ns;
	unsigned half;	/* samples on either side of a summit */
	uint32_t count; /* samples so far; wraps after months */
	unsigned filled;
	int32_t ring[ECHO_WINDOW];
	struct echo_slot slot[ECHO_SLOTS];
	/* the run of summits that came back at one distance */
	uint32_t lag, run_from, run_last;
	unsigned run, missed;
	/* of the summits before it, by eighths of a minute: how many, how many known */
	uint32_t era;
	uint16_t seen[10], known[10];
	bool found;
};

struct echo_finding {
	double lag_s, span_s;
	unsigned summits;
};

void echo_init(struct echo *e);
/* The wave is interrupted; what was remembered stays. */
void echo_break(struct echo *e);
/* True where this sample completes four seconds that were here before, and every four seconds more. */
bool echo_sample(struct echo *e, int32_t value, uint32_t period_ns, struct echo_finding *ret_f);

#endif
