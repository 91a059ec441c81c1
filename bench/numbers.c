/*
 * How well the numbers of a monitor that sends no curves are judged
 * (doc/integrity.md): modelled patients, a message a second or a minute, as
 * they are and forged from a random moment on. Seeds are fixed. Prints rows of
 * a table.
 *
 *   bench-numbers [-q|-x]     -q: a tenth of everything; -x: what is true alone, ten times of it
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/vitals/vitals.h"

#define HEART_RATE 0x4182
#define PULSE_RATE 0x481a
#define SATURATION 0x4bb8
#define WARM_S	   900
#define AFTER_S	   600
#define PAST_S	   (24 * 3600)

/* How the heart goes: beats a minute, how far it strays, how soon it comes back; and the breath. */
struct patient {
	const char *name;
	double rate, stray, back_s;
	double deficit; /* beats of a minute that move no blood, on the mean */
	double cycle_s, cycle_rate, cycle_saturation; /* apnoea that comes and goes */
	double saturation, saturation_stray;
};

static const struct patient patients[] = {
	{"usual", 78, 3, 40, 0, 0, 0, 0, 97, 0.7},
	{"asleep, hardly varying", 58, 0.8, 120, 0, 0, 0, 0, 97.5, 0.3},
	{"quick, hardly varying", 92, 1.2, 90, 0, 0, 0, 0, 96, 0.5},
	{"restless", 95, 9, 25, 0, 0, 0, 0, 95, 1.5},
	{"atrial fibrillation", 104, 11, 8, 14, 0, 0, 0, 96, 0.8},
	{"paced", 70, 0.05, 60, 0, 0, 0, 0, 97, 0.5},
	{"Cheyne-Stokes breathing", 66, 1, 60, 0, 62, 5, 4, 92, 0.4},
};

enum deed {
	DEED_REPLAY,
	DEED_STILL,
	DEED_DOWN,
	DEED_UP,
	DEED_ARREST,
	DEED_OFF,
	DEED_CPR,    /* asystole, and compressions counted as a pulse */
	DEED_AGONAL, /* the same over some 20 complexes a minute, */
	DEED_PEA,    /* or over a rhythm that moves no blood */
};

struct row {
	const char *name;
	enum deed deed;
	bool forged;
	double length_s;
	unsigned every_s; /* a message */
};

static const struct row rows[] = {
	{"replay of a minute of numbers, with fresh times", DEED_REPLAY, true, 60, 1},
	{"replay of ten minutes", DEED_REPLAY, true, 600, 1},
	{"heart rate 0, pulse goes on", DEED_STILL, true, 0, 1},
	{"heart rate drifts down to half over 10 min", DEED_DOWN, true, 0, 1},
	{"heart rate drifts up by 80 % over 10 min", DEED_UP, true, 0, 1},
	{"arrest: the pulse is held for 20 s, then none", DEED_ARREST, false, 0, 1},
	{"electrodes off: no heart rate", DEED_OFF, false, 0, 1},
	{"arrest, compressions counted as a pulse", DEED_CPR, false, 0, 1},
	{"the same, agonal rhythm", DEED_AGONAL, false, 0, 1},
	{"the same, pulseless electrical activity", DEED_PEA, false, 0, 1},
	{"arrest and compressions, a message each 10 s", DEED_CPR, false, 0, 10},
	{"the same, agonal rhythm, each 10 s", DEED_AGONAL, false, 0, 10},
	{"arrest and compressions, a message a minute", DEED_CPR, false, 0, 60},
};

struct shown {
	double heart, pulse, saturation; /* NAN: none */
};

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / (double)(1ull << 53);
}

static double normal(void)
{
	return sqrt(-2 * log(1 - uniform())) * cos(2 * M_PI * uniform());
}

/* What the monitor shows, second by second. */
static void live(const struct patient *p, struct shown *s, unsigned seconds)
{
	double heart = 0, air = 0, shown = p->rate, pulse = p->rate, deficit = p->deficit;
	double phase = 0;

	for (unsigned t = 0; t < seconds; t++) {
		double swing = 0;

		heart += -heart / p->back_s + p->stray * sqrt(2 / p->back_s) * normal();
		air += -air / 20 + p->saturation_stray * sqrt(0.1) * normal();
		deficit += (p->deficit - deficit) / 30 + p->deficit * 0.15 * normal();
		if (p->cycle_s > 0) {
			phase += 2 * M_PI / p->cycle_s * (1 + 0.1 * normal());
			swing = sin(phase);
		}
		shown += (p->rate + heart + p->cycle_rate * swing - shown) / 4;
		pulse += (p->rate + heart + p->cycle_rate * swing - fmax(deficit, 0) - pulse) / 6;
		s[t].heart = rint(shown);
		s[t].pulse = rint(pulse + 0.3 * normal());
		s[t].saturation =
			fmin(100, rint(p->saturation + air + p->cycle_saturation * swing));
	}
}

/*
 * The last rate is held for a while; from `hands` on theirs is shown, but for checks of the pulse,
 * after which somebody else presses. Where breaths are given after each thirty, some counters see
 * the pauses, as a rate that falls by a third.
 */
static void resuscitate(enum deed deed, struct shown *s, unsigned at, unsigned end)
{
	unsigned held = (unsigned)(uniform() * 20), hands = 3 + (unsigned)(uniform() * 40);
	double pace = 75 + uniform() * 65, steadily = 0.6 * (1 + uniform()), stray = 0, counted = 1;
	double heart = deed == DEED_CPR ? 0 : deed == DEED_AGONAL ? 20 : 40 + uniform() * 50;
	double left = s[at - 1].heart;
	bool shows_checks = uniform() < 0.5, shows_breaths = uniform() < 0.2;

	for (unsigned t = at; t < end; t++) {
		unsigned since = t - at, turn = (since - hands) % 130;
		bool check = since > hands && turn > 120 && shows_checks;
		bool breath = shows_breaths && turn % 20 > 15;

		if (since > hands && turn == 125)
			pace = fmin(fmax(pace + 6 * normal(), 75), 140);
		stray += -stray / 10 + steadily * normal();
		counted += ((breath ? 0 : 1) - counted) / 8;
		left += (heart - left) / 4;
		s[t].heart = rint(heart > 0 ? fmax(0, left + normal()) : 0);
		s[t].saturation = s[at - 1].saturation;
		s[t].pulse = since >= hands && !check ? rint((pace + stray) * counted)
			     : since < held	      ? s[at - 1].pulse
						      : NAN;
	}
}

static void forge(const struct row *w, struct shown *s, unsigned at, unsigned end)
{
	unsigned lag = (unsigned)(w->length_s + uniform() * (at - w->length_s - 60));

	if (w->deed >= DEED_CPR)
		resuscitate(w->deed, s, at, end);
	for (unsigned t = at; t < end; t++) {
		double part = fmin(1, (t - at) / 600.0);

		switch (w->deed) {
		case DEED_REPLAY:
			if (t - at < w->length_s)
				s[t] = s[t - lag];
			break;
		case DEED_STILL:
			s[t].heart = 0;
			break;
		case DEED_DOWN:
			s[t].heart = rint(s[t].heart * (1 - part / 2));
			break;
		case DEED_UP:
			s[t].heart = rint(s[t].heart * (1 + part * 0.8));
			break;
		case DEED_ARREST:
			s[t].heart = 0;
			s[t].pulse = t - at < 20 ? s[at - 1].pulse : NAN;
			s[t].saturation = t - at < 20 ? s[at - 1].saturation : NAN;
			break;
		case DEED_OFF:
			s[t].heart = NAN;
			break;
		default:
			break;
		}
	}
}

/* `sure`: those that call what they find forged; with less confidence the patient is looked at first. */
struct tally {
	unsigned findings, sure;
	double first_s;
};

#define DOUBT 0.3

static double now_s;

static void found(void *arg, const struct vitals_finding *f)
{
	struct tally *y = arg;

	y->sure += f->confidence > DOUBT;
	if (!y->findings++)
		y->first_s = now_s;
}

static void say(struct vitals *v, struct vitals_monitor *m, uint16_t code, double value)
{
	const struct vitals_numeric n = {.code = code, .value = value, .off = isnan(value)};

	vitals_numeric(v, m, &n);
}

/* One message every `every` seconds. */
static struct tally watch(const struct shown *s, unsigned seconds, unsigned every)
{
	const struct vitals_options o = {.streams = 4};
	const struct vitals_source from = {.subject = 1, .bound = true};
	struct tally y = {0};
	struct vitals *v = vitals_new(&o, found, &y);

	if (!v)
		exit(1);
	for (unsigned t = 0; t < seconds; t += every) {
		const struct vitals_place p = {.time_ns = (1000000ull + t) * 1000000000ull};
		struct vitals_monitor *m = vitals_heard(v, &from, &p);

		now_s = t;
		say(v, m, HEART_RATE, s[t].heart);
		say(v, m, PULSE_RATE, s[t].pulse);
		say(v, m, SATURATION, s[t].saturation);
		vitals_ended(v, m);
	}
	vitals_free(v);
	return y;
}

static void undisturbed(unsigned days)
{
	static struct shown s[PAST_S];

	printf("\n| undisturbed, numbers alone | days | findings, one message a second | a minute "
	       "|\n|---|---|---|---|\n");
	for (unsigned i = 0; i < sizeof(patients) / sizeof(patients[0]); i++) {
		unsigned each[2] = {0};

		for (unsigned d = 0; d < days; d++) {
			seed = 1000 * i + d;
			live(&patients[i], s, PAST_S);
			each[0] += watch(s, PAST_S, 1).findings;
			each[1] += watch(s, PAST_S, 60).findings;
		}
		printf("| %s | %u | %u | %u |\n", patients[i].name, days, each[0], each[1]);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct row *w, const struct patient *p, unsigned runs)
{
	static struct shown s[2 * WARM_S + AFTER_S];
	static double after[10000];
	unsigned count = 0, sure = 0;

	for (unsigned r = 0; r < runs; r++) {
		unsigned at = WARM_S + (unsigned)(uniform() * WARM_S), before;
		struct tally y;

		live(p, s, 2 * WARM_S + AFTER_S);
		before = watch(s, at, w->every_s).findings;
		forge(w, s, at, at + AFTER_S);
		y = watch(s, at + AFTER_S, w->every_s);
		if (y.findings && !before)
			after[count++] = y.first_s - at;
		sure += y.sure && !before;
	}
	qsort(after, count, sizeof(*after), ascending);
	printf("| %s | %s | %u | %.1f %% | %.1f %% | ", w->name, p->name, runs,
	       100.0 * count / runs, 100.0 * sure / runs);
	if (count)
		printf("%.0f s |\n", after[count / 2]);
	else
		printf("- |\n");
}

int main(int argc, char **argv)
{
	bool quick = argc > 1 && !strcmp(argv[1], "-q"), extra = argc > 1 && !strcmp(argv[1], "-x");

	if (!extra)
		undisturbed(quick ? 1 : 10);
	for (unsigned forged = extra ? 1 : 2; forged-- > 0;) {
		printf("\n| %s, numbers alone | patient | runs | told | called forged | median "
		       "|\n|---|---|---|---|---|---|\n",
		       forged ? "forged" : "true");
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			for (unsigned k = 0; k < sizeof(patients) / sizeof(patients[0]); k++)
				if (rows[i].forged == forged) {
					seed = 77 + i;
					measure(&rows[i], &patients[k],
						quick	? 20
						: extra ? 2000
							: 200);
				}
	}
	return 0;
}
