#ifndef BEDWARDEN_GUARD_VITALS_FLATLINE_H
#define BEDWARDEN_GUARD_VITALS_FLATLINE_H
/*
 * A flat ECG that does not fit the rest of the body: pleth or arterial pressure
 * goes on pulsing, or another lead goes on beating. A heart that stands still
 * ends both within a beat, so what decides are pulses that no beat before the
 * flat line can explain, as high as they were and at the pace they had.
 *
 * What hands on the chest or at the electrodes may look like as well is
 * doubted: it is told at once, and the patient is looked at first.
 */
#include "guard/vitals/pulse.h"

struct flatline {
	double confidence; /* 0: nothing, or nothing yet */
	const char *doubt; /* what else it may be; NULL: nothing that bodies or hands do */
	uint64_t since_ns; /* of the ECG's own time, */
	uint64_t now_ns;   /* and when it was judged */
	unsigned pulses;   /* that nothing explains */
	double height;	   /* the last one's, against what was usual before */
	double moved;	   /* the most the flat line moved, against a beat */
	bool lead_only;	   /* the other is a lead, no pulse */
};

/* Both on the same time base. `last`: what was found before, of these two and no others. */
struct flatline flatline_judge(const struct pulse *ecg, const struct pulse *other,
			       const struct flatline *last);

#endif
