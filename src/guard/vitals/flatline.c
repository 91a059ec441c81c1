#include "guard/vitals/flatline.h"

#include <math.h>
#include <stddef.h>

#include "guard/vitals/vitals.h"

#define MS	     1000000ull
#define FLAT_LEAST   (1200 * MS)
#define FLAT_BEATS   1.5	/* intervals without anything like a beat */
#define EXPLAINED    (600 * MS) /* a beat's pulse has come by then, at the finger too */
#define SPANNED	     (150 * MS) /* for so long what has moved is still within the span looked at */
#define LEAD_LATE    (150 * MS) /* between the same beat in two leads */
#define INTERVAL_MIN (250 * MS)
#define INTERVAL_MAX (2200 * MS)
#define SLOW	     (1050 * MS) /* intervals that leave no time to wait for a second pulse */
#define AGREE	     0.2	 /* between the rates of ECG and pulse, before */
#define AS_HIGH	     0.85	 /* as the lowest of the pulses before, */
#define HIGH_MIN     0.5	 /* and of the usual height, */
#define RISES	     3		 /* pulses of which one is */
#define RISE	     1.15	 /* so much higher than the one before it, and all at least */
#define RISE_MIN     0.55	 /* of the usual height: nor does that die away */
#define RISE_MEAN    0.7	 /* of the last ones before, on the whole */
#define ALONE	     0.9	 /* of the last ones before: a single pulse, where they are slow */
#define RECENT	     4		 /* and not falling away from the last ones before */
#define FALLEN	     0.8
#define STEADY	     4	  /* pulses of which the last is */
#define STEADY_HIGH  0.9  /* as high as any, and */
#define STEADY_MIN   0.4  /* of the usual height: what dies away gets lower each time */
#define BEFORE	     12	  /* pulses that say what is usual */
#define STEPS_MIN    6.0  /* of the converter, a pulse's height: less is no measure of it */
#define UNEVEN	     2.0  /* the highest of the pulses before, to their lowest: then */
#define UNEVEN_LEAST 3	  /* so many are waited for */
#define PACE_LEAST   0.6  /* of the interval before, between pulses: artefacts come faster, */
#define PACE_RISING  0.75 /* all the more where heights go up and down, */
#define PACE_MOST    1.6  /* and what ends comes slower */
#define FAR_HIGHER \
	3.0 /* than usual, of another lead: the patient moves, or somebody at the electrodes */
#define ROW	    16	      /* pulses, of which most came their time after a beat */
#define COUPLED	    0.75      /* so many of them, as */
#define NEAR	    (40 * MS) /* as the last of them, */
#define SAME	    0.08      /* apart at most, their paces; */
#define FULL	    0.5 /* and the beats of the usual height: an ECG shows compressions lower */
#define STOPPED	    (4000 * MS) /* without a pulse: no heart's until more than a row says so */
#define HANDS	    (1100 * MS) /* are not on the chest sooner after a pulse, */
#define PRESS	    (400 * MS)	/* nor do they press faster */
#define JUMPED	    1.3	  /* of the usual height is what no beat ends with: an electrode lets go, */
#define OF_PACE	    0.75  /* nor comes so soon after the one before; */
#define AWAY	    0.18  /* of a beat, from where it rests between beats, nor does a line end; */
#define RESTS	    8	  /* of those say where that is */
#define WHOLE	    0.8	  /* of the usual height are beats of electrodes that nobody touched, */
#define LAST	    4	  /* ones, each no less and no more than a beat; */
#define LASTING	    2.0	  /* intervals, at most, from the last of them to the flat line, */
#define LATELY	    4.0	  /* and from the row */
#define FIRST	    4	  /* pulses of a flat line, of which one has to look */
#define ALIKE	    2.0	  /* as those before, of which a quarter looks less alike; */
#define ALIKE_LEAST 0.022 /* noise makes so much of it, */
#define ALIKE_MOST  0.032 /* beyond it nothing is alike, */
#define UNLIKE	    0.06  /* and where most before were, shapes say nothing */
#define PATIENCE    (2200 * MS) /* one more is waited for until then */
#define SHOWN_LATE \
	(3000 * MS)    /* a pulse may be, after its beat, where it is not known to be sooner: */
#define TIMED	    24 /* so many say so, */
#define TIMED_LEAST 12
#define BESIDE	    10	       /* beats, each with the pulses of up to so many later ones, */
#define CLEARLY	    0.7	       /* nearer in time than with the pulses of other beats */
#define HEARD	    (250 * MS) /* until a pulse is known to have been one */
#define STILL_NS    (700 * MS) /* the other has to be heard as late as this before now */

/* How far the times between pulses may lie apart that one heart makes. */
struct bounds {
	double pause;			     /* of the usual time, */
	double wider, widest;		     /* or of the longest in the row, but never more; */
	double quicker, narrower, narrowest; /* the same of the shortest */
	double twice;	  /* a pulse that was missed leaves twice the time, nearly */
	unsigned newest;  /* of the row, not taken for what is usual; */
	unsigned checked; /* of the row, and all since */
};

/* Beyond the first it is no heart's; within the second it is nobody else's. */
static const struct bounds possible = {1.5, 1.3, 2.2, 0.7, 0.8, 0.4, 0.12, 0, BEFORE};
static const struct bounds certain = {1.2, 1.1, 1.4, 0.8, 0.9, 0.65, 0, 4, 4};

/* Those that nothing explains, latest first, and those before. */
struct pulses {
	unsigned unexplained, before;
	uint64_t last_ns, first_ns;
	double last, least, most; /* heights of the unexplained, */
	double later;		  /* and of the one looked at before this */
	double sum;		  /* and of all of them */
	double lowest, highest;	  /* of those before, */
	double recent;		  /* and the mean of the last RECENT */
	bool rising;		  /* one clearly higher than the one before it */
};

static void count_pulse(struct pulses *n, const struct pulse_beat *b)
{
	if (!n->unexplained++) {
		n->last = n->least = n->most = n->later = b->height;
		n->last_ns = b->time_ns;
	}
	n->sum += b->height;
	n->rising |= n->later >= b->height * RISE;
	n->later = b->height;
	n->first_ns = b->time_ns;
	n->least = b->height < n->least ? b->height : n->least;
	n->most = b->height > n->most ? b->height : n->most;
}

static struct pulses count_pulses(const struct pulse *other, uint64_t from_ns)
{
	struct pulses n = {.before = 0};
	const struct pulse_beat *b;

	for (unsigned i = 0; (b = pulse_back(other, i)) && n.before < BEFORE; i++) {
		if (b->time_ns > from_ns) {
			count_pulse(&n, b);
			continue;
		}
		if (n.before < RECENT)
			n.recent += b->height / RECENT;
		if (!n.before++ || b->height < n.lowest)
			n.lowest = b->height;
		n.highest = b->height > n.highest ? b->height : n.highest;
	}
	return n;
}

static bool agrees(uint64_t a, uint64_t b)
{
	double ratio = (double)a / (double)b;

	return ratio > 1 - AGREE && ratio < 1 / (1 - AGREE);
}

/* The time between two, against the interval before; 1 where there is but one. */
static double pace_of(const struct pulses *n, uint64_t interval)
{
	if (n->unexplained < 2)
		return 1;
	return (double)(n->last_ns - n->first_ns) / (n->unexplained - 1) / (double)interval;
}

/* At the pace they had: neither twice as fast, as artefacts come, nor ever slower. */
static bool keeps_pace(const struct pulses *n, double pace, uint64_t interval, uint64_t from_ns,
		       uint64_t now_ns)
{
	if (now_ns > n->last_ns + interval + interval / 2 + HEARD)
		return false;
	if (n->unexplained == 1)
		return n->last_ns < from_ns + 2 * interval;
	return pace > PACE_LEAST && pace < PACE_MOST;
}

static bool keeps_height(const struct pulses *n, double usual, double pace)
{
	if (n->unexplained == 1 && n->last < n->recent * ALONE)
		return false;
	if (n->least >= n->lowest * AS_HIGH && n->least >= usual * HIGH_MIN &&
	    n->sum >= n->recent * FALLEN * n->unexplained)
		return true;
	if (n->unexplained >= RISES && n->rising && n->least >= usual * RISE_MIN &&
	    n->sum >= n->recent * RISE_MEAN * n->unexplained && pace > PACE_RISING)
		return true;
	return n->unexplained >= STEADY && n->last >= n->most * STEADY_HIGH &&
	       n->least >= usual * STEADY_MIN;
}

/* The time between the i-th pulse back and the one before it; 0: not kept. */
static uint64_t gap_at(const struct pulse *p, unsigned i)
{
	const struct pulse_beat *b = pulse_back(p, i + 1);

	return b ? pulse_back(p, i)->time_ns - b->time_ns : 0;
}

/* Did most of `row` pulses from the i-th back come as long after a full beat as that one? */
static bool is_coupled(const struct pulse *ecg, const struct pulse *other, unsigned i, unsigned row)
{
	uint64_t late = other->ecg ? LEAD_LATE : 0, due = pulse_back(other, i)->time_ns + late;
	double full = ecg->reference * FULL;
	const struct pulse_beat *p, *b;
	unsigned count = 0, k = 0;
	uint64_t delay;

	while ((b = pulse_back(ecg, k)) && (b->time_ns > due || b->height < full))
		k++;
	if (!b || due - b->time_ns > EXPLAINED)
		return false;
	delay = due - b->time_ns;
	for (unsigned j = 0; j < row && (p = pulse_back(other, i + j)); j++) {
		due = p->time_ns + late - delay;
		while ((b = pulse_back(ecg, k)) && b->time_ns > due + NEAR)
			k++;
		if (!b)
			break;
		count += b->time_ns + NEAR > due && b->height >= full;
	}
	return count >= row * COUPLED;
}

/*
 * As many pulses as beats: hands that go at another pace meet a heart's now and then. T waves as
 * high as half of a beat may be taken for beats, too: no hands are so slow that there are two of each.
 */
static bool same_pace(const struct pulse *ecg, const struct pulse *other, uint64_t until_ns)
{
	double a = (double)pulse_interval(ecg, until_ns, BEFORE);
	double b = (double)pulse_interval(other, until_ns, BEFORE);

	return fabs(a - b) <= a * SAME || fabs(a - b / 2) <= a * SAME;
}

/*
 * The last pulse, counted back, that ends a row of the heart's own: each its time after a beat.
 * Since a long pause all have to be, as a pace of hands may go with a heart's, or a pacemaker's,
 * for a while. -1: there is none.
 */
static int find_row(const struct pulse *ecg, const struct pulse *other, bool *ret_paused)
{
	uint64_t until = ecg->active_ns + (other->ecg ? LEAD_LATE : 0), gap;
	unsigned stop = 0, row;
	const struct pulse_beat *b;

	while ((gap = gap_at(other, stop)) && gap <= STOPPED)
		stop++;
	*ret_paused = gap;
	for (unsigned i = 0; (b = pulse_back(other, i)); i++) {
		row = gap ? stop + 1 - i : ROW;
		if (gap && i + ROW > stop + 1)
			break;
		if (b->time_ns <= until && is_coupled(ecg, other, i, row) &&
		    same_pace(ecg, other, b->time_ns))
			return (int)i;
	}
	return -1;
}

/*
 * A heart goes on at its own pace. One that stood still was silent before hands came to the chest,
 * and those press at a pace of theirs. `end`: of the row.
 */
static bool is_the_hearts(const struct pulse *other, unsigned end, double usual,
			  const struct bounds *b)
{
	double least = usual, most = 0, gap;

	for (unsigned j = end + b->newest; j < end + ROW; j++) {
		gap = (double)gap_at(other, j);
		least = gap > 0 ? fmin(gap, least) : least;
		most = fmax(gap, most);
	}
	most = fmax(b->pause * usual, fmin(b->wider * most, b->widest * usual));
	least = fmin(b->quicker * usual, fmax(b->narrower * least, b->narrowest * usual));
	for (unsigned j = 0; j < end + b->checked; j++) {
		gap = (double)gap_at(other, j);
		if (gap > most && (gap > HANDS || fabs(gap / usual - 2) > b->twice))
			return false;
		if (gap > PRESS && gap < least)
			return false;
	}
	return true;
}

/* Was the last beat one? An electrode that lets go moves the line once more, further or sooner than a heart. */
static bool ended_with_a_beat(const struct pulse *ecg, double interval)
{
	const struct pulse_beat *b = pulse_back(ecg, 0);

	return b->height <= ecg->reference * JUMPED && (double)gap_at(ecg, 0) >= interval * OF_PACE;
}

/* Has the line neither a hum nor beats that are too low to be seen as such? */
static bool is_still(const struct pulse *ecg, double interval)
{
	return (double)(ecg->now_ns - ecg->stirred_ns) >= FLAT_BEATS * interval;
}

/* Is the line flat about where it was between beats? One whose electrode lets go is led elsewhere. */
static bool is_at_rest(const struct pulse *ecg)
{
	double rest[RESTS];
	const struct pulse_beat *b;
	unsigned n = 0;

	for (; n < RESTS && (b = pulse_back(ecg, n)); n++)
		rest[n] = (double)b->rest;
	pulse_sort(rest, n);
	return n && fabs(ecg->settled - rest[n / 2]) < ecg->reference * AWAY;
}

/* Did beats as high as ever go on until the line was flat? */
static bool was_whole(const struct pulse *ecg, double interval)
{
	double usual = ecg->reference;
	const struct pulse_beat *b = pulse_back(ecg, 0);

	if (ecg->level < usual * WHOLE || ecg->level > usual / WHOLE ||
	    (double)ecg->active_ns > (double)b->time_ns + LASTING * interval)
		return false;
	for (unsigned i = 0; i < LAST && (b = pulse_back(ecg, i)); i++)
		if (b->height < usual * FULL || b->height > usual * FAR_HIGHER)
			return false;
	return true;
}

/*
 * Does one of the first look like those before? A pump in the aorta goes on over an arrest: but what the
 * heart had made of the pulse is missing from then on. Later ones do not count, as they are the usual by then.
 */
static bool keeps_shape(const struct pulse *other, const struct pulses *n)
{
	double least = 2, before[ROW], usual;
	const struct pulse_beat *b;
	unsigned count = 0;

	for (unsigned i = n->unexplained; i-- && n->unexplained - i <= FIRST;)
		if ((b = pulse_back(other, i)) && b->unlike >= 0)
			least = fmin(least, (double)b->unlike);
	for (unsigned i = n->unexplained; i < n->unexplained + ROW && (b = pulse_back(other, i));
	     i++)
		if (b->unlike >= 0)
			before[count++] = (double)b->unlike;
	pulse_sort(before, count);
	usual = count ? before[count * 3 / 4] : 0;
	return count && before[count / 2] <= UNLIKE &&
	       least <= fmin(fmax(usual * ALIKE, ALIKE_LEAST), ALIKE_MOST);
}

/*
 * How much the time varies from a beat to its pulse, in ns, if that is the `behind`th before the last one ahead
 * of the pulse; below 0: too few to say. The median of that time in *ret_delay.
 */
static double spread_of(const struct pulse *ecg, const struct pulse *other, unsigned end,
			unsigned behind, double *ret_delay)
{
	double delay[TIMED], sum = 0, full = ecg->reference * FULL;
	const struct pulse_beat *p, *b;
	unsigned count = 0, k = 0;

	for (unsigned i = end; i < end + TIMED && (p = pulse_back(other, i)); i++) {
		unsigned left = behind, at;

		while ((b = pulse_back(ecg, k)) && (b->time_ns > p->time_ns || b->height < full))
			k++;
		for (at = k; b && left; left -= b && b->height >= full)
			b = pulse_back(ecg, ++at);
		if (!b)
			break;
		delay[count++] = (double)(p->time_ns - b->time_ns);
	}
	if (count < TIMED_LEAST)
		return -1;
	pulse_sort(delay, count);
	*ret_delay = delay[count / 2];
	for (unsigned i = 0; i < count; i++)
		sum += fabs(delay[i] - *ret_delay);
	return sum / count;
}

/*
 * Does each pulse come with the beat just before it? A heart's intervals vary, and a pulse keeps its distance to
 * the beat that made it: so a pleth is known that a monitor shows seconds late, which goes on after an arrest.
 */
static bool is_prompt(const struct pulse *ecg, const struct pulse *other, unsigned end)
{
	double sooner = INFINITY, later = INFINITY, delay, spread;

	for (unsigned behind = 0; behind <= BESIDE; behind++) {
		spread = spread_of(ecg, other, end, behind, &delay);
		if (spread < 0)
			break;
		if (delay <= EXPLAINED)
			sooner = fmin(sooner, spread);
		else
			later = fmin(later, spread);
	}
	return sooner < later * CLEARLY;
}

static const char *const a_pump = "a balloon pump";

/* What else it may be that is nobody's forgery; NULL: nothing that bodies or hands do. */
static const char *doubt_of(const struct pulse *ecg, const struct pulse *other,
			    const struct pulses *n, unsigned end, bool paused, double usual)
{
	double row_ns = (double)pulse_back(other, end)->time_ns;

	if (!was_whole(ecg, usual))
		return "electrodes put on anew";
	if (!ended_with_a_beat(ecg, usual) || !is_at_rest(ecg) ||
	    (!other->ecg && !is_still(ecg, usual)))
		return "an electrode that lets go";
	if (n->unexplained < 2 || paused || (double)ecg->active_ns > row_ns + LATELY * usual ||
	    !is_the_hearts(other, end, usual, &certain))
		return "chest compressions";
	if (!other->ecg && !keeps_shape(other, n))
		return a_pump;
	if (!other->ecg && n->last_ns < ecg->active_ns + SHOWN_LATE && !is_prompt(ecg, other, end))
		return "a pulse that is shown late";
	return NULL;
}

/* How many have to come before anything is said. */
static unsigned least_of(const struct pulses *n, uint64_t interval, bool agreed, bool lead)
{
	if (!agreed || (!lead && n->highest > n->lowest * UNEVEN))
		return UNEVEN_LEAST;
	return interval > SLOW ? 1 : 2;
}

static double weigh(const struct pulses *n, bool lead)
{
	double c = n->unexplained == 2 ? 0.75 : 0.85;

	if (n->unexplained > 4)
		c = 0.95;
	return lead ? c * 0.6 : c;
}

/* The pulses before a line that has long been flat are forgotten: does what was found of it last? */
static bool lasts(const struct flatline *last, const struct pulse *ecg, const struct pulse *other)
{
	const struct pulse_beat *first = pulse_back(other, PULSE_BEATS - ROW - BEFORE);
	uint64_t usual = pulse_interval(other, other->now_ns, BEFORE);

	return last->confidence > 0 && last->since_ns == ecg->active_ns &&
	       ecg->now_ns - last->now_ns < STOPPED &&
	       other->now_ns - pulse_back(other, 0)->time_ns < STOPPED && first &&
	       first->time_ns > ecg->active_ns && usual &&
	       is_the_hearts(other, PULSE_BEATS - 1 - ROW, (double)usual, &possible);
}

struct flatline flatline_judge(const struct pulse *ecg, const struct pulse *other,
			       const struct flatline *last)
{
	struct flatline f = {
		.since_ns = ecg->active_ns, .now_ns = ecg->now_ns, .lead_only = other->ecg};
	uint64_t from = ecg->active_ns + (other->ecg ? LEAD_LATE : EXPLAINED - SPANNED);
	uint64_t flat = ecg->now_ns - ecg->active_ns, interval, theirs;
	struct pulses n;
	double pace, usual;
	bool agreed, paused;
	int end;

	if (!ecg->active_ns || flat < FLAT_LEAST || !pulse_is_known(ecg) ||
	    !pulse_is_known(other) || other->reference < STEPS_MIN ||
	    other->now_ns + STILL_NS < ecg->now_ns)
		return f;
	if (lasts(last, ecg, other)) {
		f = *last;
		f.now_ns = ecg->now_ns;
		return f;
	}
	interval = pulse_interval(ecg, ecg->active_ns, BEFORE);
	theirs = pulse_interval(other, from, BEFORE);
	if (!interval || !theirs)
		return f;
	/* Where the two did not agree, as in a bout of tachycardia, the slower one counts. */
	agreed = agrees(interval, theirs);
	if (!agreed && theirs > interval)
		interval = theirs;
	if (interval < INTERVAL_MIN || interval > INTERVAL_MAX ||
	    (double)flat < FLAT_BEATS * (double)interval)
		return f;
	n = count_pulses(other, from);
	f.pulses = n.unexplained;
	if (n.before < BEFORE || n.unexplained < least_of(&n, interval, agreed, other->ecg))
		return f;
	f.height = n.last / other->reference;
	f.moved = ecg->reference > 0 ? ecg->flat_max / ecg->reference : 0;
	if (other->ecg && n.most > other->reference * FAR_HIGHER)
		return f;
	pace = pace_of(&n, interval);
	if (!keeps_height(&n, other->reference, pace) ||
	    !keeps_pace(&n, pace, interval, from, other->now_ns))
		return f;
	end = find_row(ecg, other, &paused);
	if (end < 0)
		return f;
	usual = (double)pulse_interval(other, pulse_back(other, (unsigned)end)->time_ns, BEFORE);
	if (!is_the_hearts(other, (unsigned)end, usual, &possible))
		return f;
	f.doubt = doubt_of(ecg, other, &n, (unsigned)end, paused, usual);
	/* The first may have been cut short, or shaken, and the next look as ever. */
	if (f.doubt == a_pump && n.unexplained < FIRST && flat < PATIENCE)
		return f;
	f.confidence = f.doubt ? VITALS_DOUBT : weigh(&n, other->ecg);
	return f;
}
