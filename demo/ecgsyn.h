#ifndef BEDWARDEN_DEMO_ECGSYN_H
#define BEDWARDEN_DEMO_ECGSYN_H
/*
 * A patient out of equations: the dynamical ECG model of McSharry, Clifford,
 * Tarassenko and Smith (IEEE Trans. Biomed. Eng. 50(3), 2003; "ECGSYN"). A
 * point runs round a limit cycle once a beat; P, Q, R, S and T are hills and
 * valleys on its way; the beat-to-beat interval wanders with the two bands of
 * heart rate variability. The same seed gives the same heart.
 *
 * Values in millivolts. The pleth follows each beat by the pulse's travel time
 * and is in arbitrary units, 0 to 1.
 */
#include <stdbool.h>
#include <stdint.h>

struct ecgsyn;

struct ecgsyn_options {
	double rate_hz;	   /* samples a second */
	double heart_rate; /* mean, beats a minute, 20..250 */
	double heart_sd;   /* standard deviation, beats a minute */
	uint64_t seed;
};

/* NULL with errno EINVAL or ENOMEM. */
struct ecgsyn *ecgsyn_new(const struct ecgsyn_options *o);
void ecgsyn_free(struct ecgsyn *e);
/* The next sample in mV; ret_beat (or NULL): this sample is an R peak; ret_pleth or NULL. */
double ecgsyn_next(struct ecgsyn *e, bool *ret_beat, double *ret_pleth);

#endif
