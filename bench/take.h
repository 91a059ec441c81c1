#ifndef BEDWARDEN_BENCH_TAKE_H
#define BEDWARDEN_BENCH_TAKE_H
/*
 * A stretch of signals as a monitor would send them, for measurements of their
 * integrity: out of a recording, or out of the ECGSYN model with the noise of a
 * converter; and what is done to them, forged or true.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard/vitals/vitals.h"

#define TAKE_LEADS 6

struct take_lead {
	uint16_t code;
	bool ecg, pulse;
	uint32_t period_ns;
	double beat; /* height of a beat, in steps of the converter */
	int32_t *v;  /* VITALS_INVALID where nothing was recorded */
	size_t n;
};

struct take {
	char name[48];
	bool model;
	double seconds;
	double rate; /* beats a minute; 0 not known */
	unsigned leads;
	struct take_lead lead[TAKE_LEADS];
};

/* NULL where it can't be read or holds no ECG. */
struct take *take_record(const char *dir, const char *header);
struct take *take_model(double seconds, double heart_rate, uint64_t seed);
void take_free(struct take *t);

/* Same seed, same numbers. */
uint64_t take_random(uint64_t *seed);
double take_uniform(uint64_t *seed, double low, double high);
double take_gauss(uint64_t *seed);

#endif
