#ifndef BEDWARDEN_GUARD_VITALS_PULSE_H
#define BEDWARDEN_GUARD_VITALS_PULSE_H
/*
 * The beats in one wave as it comes in: where they are, how high, and since
 * when there is nothing that could be one. For an ECG the height is the range
 * within 160 ms, for pleth and arterial pressure the rise within 280 ms; the
 * threshold follows the median of the last beats, the reference a minute of
 * them, so that a wave that fades does not take its own measure with it.
 *
 * Samples of any rate are averaged to 125 Hz first. Times are of the stream, in
 * nanoseconds, and only differences count. Fixed size, no allocation.
 */
#include <stdbool.h>
#include <stdint.h>

#define PULSE_RING  80 /* steps kept, 640 ms */
#define PULSE_SHAPE 12 /* points of a pulse that say what it looks like */
#define PULSE_BEATS 128

struct pulse_beat {
	uint64_t time_ns; /* of its summit */
	uint64_t
		onset_ns; /* when it rose above the threshold: to a part of a step, whatever noise there is */
	float height;
	float unlike; /* how far its shape is from those before, 0 to 2; below 0: not known */
	float rest;   /* of an ECG: the line's level ahead of it, where it moved the least */
};

struct pulse {
	bool ecg;
	uint32_t period_ns;
	/* a step being averaged */
	double sum;
	uint32_t summed;
	uint64_t step_ns;
	/* the last steps */
	double ring[PULSE_RING];
	unsigned steps; /* in the ring since the last gap, at most PULSE_RING */
	unsigned at;
	uint64_t now_ns; /* where the last step ends */
	/* a beat on its way */
	double summit;
	uint64_t summit_ns, onset_ns;
	double before;	       /* how high it was a step ago */
	uint64_t shapeless_ns; /* onset of the last one, whose shape is still to come; 0: of none */
	/* what beats look like here */
	double level;		  /* median of the last ones, 0 not known yet */
	double reference;	  /* of a good minute */
	float shape[PULSE_SHAPE]; /* mean 0, at most 1 long; */
	uint32_t shapes;	  /* that it was learned from */
	double window_max, window_last;
	uint64_t window_ns, heard_ns;
	struct pulse_beat beat[PULSE_BEATS]; /* the last ones, by beats % PULSE_BEATS */
	uint64_t beats;
	uint64_t active_ns; /* when the wave last moved as a beat's parts do */
	double flat_max;    /* the most it has moved since, */
	double settled;	    /* and the level at which that began */
	double rest;	    /* the level where it moved the least since the last beat, */
	double least;	    /* and by how much */
	uint64_t
		stirred_ns; /* when it last moved by as much as a hum, or a heart that hardly shows */
};

void pulse_init(struct pulse *p, bool ecg);
/* Nothing is known of what comes next: a gap, a sensor that was off. Keeps what beats look like. */
void pulse_break(struct pulse *p);
/* One sample; period_ns is what it stands for and must not be 0. */
void pulse_sample(struct pulse *p, double value, uint32_t period_ns, uint64_t time_ns);

/* Of the last `n` (at most PULSE_BEATS) beats not later than `before_ns`: the median time between
 * two, in ns; 0 where there were fewer than four. */
uint64_t pulse_interval(const struct pulse *p, uint64_t before_ns, unsigned n);
/* The i-th beat back, 0 the last. NULL: not kept. */
const struct pulse_beat *pulse_back(const struct pulse *p, unsigned i);
/* Of a few. */
void pulse_sort(double *v, unsigned n);
/* Has shown enough beats that their absence means something. */
bool pulse_is_known(const struct pulse *p);

#endif
