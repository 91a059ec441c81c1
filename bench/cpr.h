#ifndef BEDWARDEN_BENCH_CPR_H
#define BEDWARDEN_BENCH_CPR_H
/*
 * A resuscitation as a monitor sees it, after a heart that stood still at 0 s:
 * what hands or a machine on the chest do to the blood and to the electrodes,
 * and what is left of the heart's own electricity. Heights are in beats.
 */
#include <stdbool.h>
#include <stdint.h>

enum cpr_heart {
	CPR_ASYSTOLE,
	CPR_FIBRILLATION, /* until flat_s */
	CPR_SHOCKED,	  /* the same, ended by a shock */
	CPR_AGONAL,	  /* wide complexes, 10 to 20 a minute */
	CPR_PACED,	  /* spikes that nothing follows, until flat_s */
	CPR_BEATING,	  /* weakly, until flat_s: hands help a heart that is too slow */
};

struct cpr {
	enum cpr_heart heart;
	double start_s, flat_s;
	double pace_hz, sharp; /* compressions a second; how short one is */
	double height;	       /* of the pulse they make */
	double seen;	       /* of it in the ECG */
	bool machine;	       /* exactly at its pace, all alike */
	bool breaths;	       /* a pause after each thirty */
	bool thump;	       /* one or two blows first, and compressions a while later */
	double every_s;	       /* between two of the heart's complexes or spikes */
	uint64_t seed;
};

/* Drawn: first compression within soon_s to late_s, seen in the ECG as far as `seen`. */
struct cpr cpr_draw(enum cpr_heart heart, double soon_s, double late_s, double seen, uint64_t seed);
/* 0 to 1 and somewhat above: how far the chest is pressed. */
double cpr_press(const struct cpr *c, double t);
/* Of the heart's own, without the beats of CPR_BEATING. */
double cpr_ecg(const struct cpr *c, double t);

#endif
