/* Numbers without curves: what two sensors and the past say of them, and what they do not. */
#include <math.h>

#include "guard/vitals/stamp.h"
#include "guard/vitals/vitals.h"
#include "finding.h"
#include "unit.h"

#define SEC_NS	    1000000000ull
#define HEART_RATE  0x4182
#define PULSE_RATE  0x481a
#define SATURATION  0x4bb8
#define TEMPERATURE 0x4b48
#define RECTAL	    0xe004

/* Monitors' numbers, and what was found about them. */
struct ward {
	struct vitals *v;
	uint64_t now_ns, seed;
	uint32_t sent_s;
	double heart; /* how far it has strayed */
	unsigned count[REASON_COUNT],
		sure; /* standstills that are called forged: with more than 0.3 */
	struct vitals_finding last[REASON_COUNT];
};

static void found(void *arg, const struct vitals_finding *f)
{
	struct ward *w = arg;

	assert_true(f->confidence > 0 && f->confidence < 1);
	w->count[f->reason]++;
	w->sure += f->reason == REASON_VITALS_FLATLINE_PERFUSING && f->confidence > 0.3;
	w->last[f->reason] = *f;
}

static void open_ward(struct ward *w, uint64_t seed)
{
	const struct vitals_options o = {.streams = 16};

	memset(w, 0, sizeof(*w));
	w->v = vitals_new(&o, found, w);
	w->now_ns = 1000000 * SEC_NS;
	w->sent_s = 1764000000;
	w->seed = seed;
	assert_non_null(w->v);
}

static unsigned all(const struct ward *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		n += w->count[i];
	return n;
}

static double uniform(struct ward *w)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(w->seed >> 11) / (double)(1ull << 53);
}

struct shown {
	double heart, pulse, saturation; /* NAN: none */
};

/* A heart that strays about a rate, as two sensors count it. */
static struct shown beat(struct ward *w, double rate, double stray)
{
	struct shown s;

	w->heart += -w->heart / 30 + stray * (uniform(w) - 0.5);
	s.heart = rint(rate + w->heart);
	s.pulse = rint(rate + w->heart + uniform(w) - 0.5);
	s.saturation = uniform(w) < 0.8 ? 97 : 98;
	return s;
}

static struct shown live(struct ward *w)
{
	return beat(w, 75, 1.6);
}

static void say(struct ward *w, struct vitals_monitor *m, uint16_t code, double value)
{
	const struct vitals_numeric n = {.code = code, .value = value, .off = isnan(value)};

	vitals_numeric(w->v, m, &n);
}

static void tell_from(struct ward *w, uint8_t address, struct shown s, uint32_t sent_s)
{
	struct vitals_source from = {
		.subject = 1, .bound = true, .system = 7, .passed_on = true, .ip.b[15] = address};
	struct vitals_place p = {
		.time_ns = w->now_ns, .sent_s = sent_s, .print = sent_s * 2654435761u};
	struct vitals_monitor *m = vitals_heard(w->v, &from, &p);

	if (!m)
		return;
	say(w, m, HEART_RATE, s.heart);
	say(w, m, PULSE_RATE, s.pulse);
	say(w, m, SATURATION, s.saturation);
	vitals_ended(w->v, m);
}

/* The next message of the one monitor, `every` seconds after the last. */
static void tell(struct ward *w, struct shown s, unsigned every)
{
	w->now_ns += every * SEC_NS;
	w->sent_s += every;
	tell_from(w, 12, s, w->sent_s);
}

static void play(struct ward *w, unsigned messages, unsigned every)
{
	for (unsigned i = 0; i < messages; i++)
		tell(w, live(w), every);
}

static void hours_say_nothing(void **state)
{
	struct ward w;

	for (unsigned k = 0; k < 4; k++) {
		open_ward(&w, 100 + k);
		play(&w, 4 * 3600, 1);
		play(&w, 600, 60);
		assert_int_equal(all(&w), 0);
		vitals_free(w.v);
	}
}

/* From the moment that no average can hold the pulse; surely, once it was seen to be none of hands. */
static void a_standstill_over_a_pulse_is_told(void **state)
{
	static const unsigned every[] = {1, 10, 60}, after_s[] = {30, 30, 120},
			      sure_s[] = {30, 70, 420};
	struct vitals_finding *f;
	struct ward w;

	for (unsigned k = 0; k < 3; k++) {
		uint64_t from_ns;

		open_ward(&w, k);
		for (unsigned i = 0; i < 60; i++)
			tell(&w, beat(&w, 65, 1.6), every[k]);
		from_ns = w.now_ns + every[k] * SEC_NS;
		for (unsigned i = 0; i < 100 && !all(&w); i++) {
			struct shown s = beat(&w, 65, 1.6);

			s.heart = 0;
			tell(&w, s, every[k]);
		}
		assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 1);
		assert_int_equal(all(&w), 1); /* and is no leap */
		assert_int_equal((w.now_ns - from_ns) / SEC_NS, after_s[k]);
		f = &w.last[REASON_VITALS_FLATLINE_PERFUSING];
		assert_string_equal(text(f, "flat"), "HR");
		assert_string_equal(text(f, "live"), "Pulse (SpO2)");
		assert_true(fact(f, "pulse_rate") > 50);
		while (!w.sure && w.now_ns - from_ns <= 600 * SEC_NS) {
			struct shown s = beat(&w, 65, 1.6);

			s.heart = 0;
			tell(&w, s, every[k]);
		}
		assert_in_range((w.now_ns - from_ns) / SEC_NS, sure_s[k],
				sure_s[k] + (k ? 60 : 0)); /* once a minute */
		vitals_free(w.v);
	}
}

/* At a pace of hands a pulse that goes on as it went, however it strays, is told surely after minutes. */
static void a_standstill_over_a_quick_pulse_is_told(void **state)
{
	unsigned found = 0;
	struct ward w;

	for (unsigned k = 0; k < 40; k++) {
		open_ward(&w, 300 + k);
		for (unsigned i = 0; i < 900; i++)
			tell(&w, beat(&w, 95 + k % 20, 1 + k % 4), 1);
		for (unsigned i = 0; i < 500; i++) {
			struct shown s = beat(&w, 95 + k % 20, 1 + k % 4);

			s.heart = 0;
			tell(&w, s, 1);
			assert_true(i >= 300 || !w.sure);
		}
		found += w.sure > 0;
		vitals_free(w.v);
	}
	assert_true(found >= 32);
}

/* Pulse rates are averages: they outlive a heart by as long as those are, and longer. */
static void an_arrest_is_never_called_forged(void **state)
{
	struct ward w;

	for (unsigned k = 0; k < 3; k++) {
		struct shown held;

		open_ward(&w, 20 + k);
		play(&w, 100, 1);
		held = live(&w);
		for (unsigned i = 0; i < 120; i++) {
			struct shown s = {0, NAN, NAN};

			if (i < 10 * k)
				s = (struct shown){0, held.pulse, held.saturation};
			tell(&w, s, 1);
		}
		assert_int_equal(all(&w), 0);
		vitals_free(w.v);
	}
}

/* Hands on a chest are counted as a pulse, for as long as they press. */
static void hands_on_a_chest_are_never_called_a_pulse(void **state)
{
	static const double hearts[] = {0, 20, 60}; /* what is left of the heart's electricity */
	struct ward w;

	for (unsigned k = 0; k < 12; k++) {
		struct shown held;

		open_ward(&w, 40 + k);
		play(&w, 100, 1);
		held = live(&w);
		for (unsigned i = 0; i < 600; i++) {
			struct shown s = {hearts[k % 3], 95 + 5 * (k / 3) + i % 3, 90};

			if (i < 10)
				s.pulse = held.pulse;
			tell(&w, s, 1);
		}
		assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 0);
		assert_int_equal(w.count[REASON_VITALS_RATE_MISMATCH], 0);
		assert_int_equal(w.count[REASON_VITALS_JUMP], 0);
		vitals_free(w.v);
	}
}

/* They take over while the monitor holds the last pulse, at its very pace, and get tired. */
static void hands_at_the_pace_of_the_heart(void **state)
{
	static const double hearts[] = {0, 20, 65};
	static const unsigned every[] = {1, 10, 60};
	unsigned forged = 0, doubted = 0;
	struct ward w;

	for (unsigned k = 0; k < 90; k++) {
		double pace = 80 + k / 9 * 3, stray = 0;
		struct shown held = {0};

		open_ward(&w, 400 + k);
		for (unsigned i = 0; i < 600; i++) {
			held = beat(&w, pace, 3 + k % 4);
			tell(&w, held, every[k % 3]);
		}
		for (unsigned i = 0; i < 600; i++) {
			struct shown s = {hearts[k / 3 % 3], 0, 90};

			stray += -stray / 10 + 1.5 * (uniform(&w) - 0.5);
			s.pulse = i * every[k % 3] < 8 ? held.pulse
						       : rint(pace - i % 120 * 0.05 + stray);
			tell(&w, s, every[k % 3]);
		}
		forged += w.sure > 0;
		forged += w.count[REASON_VITALS_RATE_MISMATCH] > 0;
		doubted += w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0;
		vitals_free(w.v);
	}
	assert_int_equal(forged, 0);
	assert_true(doubted <= 20); /* at its very pace, and where messages are rare */
}

/* Slowly from one pace to the next, every two minutes: who presses is relieved, and counters average. */
static double relieved(const double *paces, unsigned i)
{
	double part = i % 120 < 12 ? i % 120 / 12.0 : 1;

	return paces[i / 120] + (paces[i / 120 + 1] - paces[i / 120]) * part;
}

/* A heart swings with the breath, over many seconds; hands go on as far from one second to the next. */
static void hands_that_stray_as_far_as_the_heart(void **state)
{
	static const double paces[] = {95, 95, 88, 101, 93, 99};
	struct ward w;

	open_ward(&w, 500);
	for (unsigned i = 0; i < 1500; i++) {
		struct shown s = {0, rint(95 + 10 * sin(i / 9.5)), 97};

		if (i < 900)
			s.heart = s.pulse;
		else
			s.pulse = rint(relieved(paces, i - 900) + 2.4 * (uniform(&w) - 0.5));
		tell(&w, s, 1);
	}
	assert_int_equal(w.sure, 0);
	vitals_free(w.v);
}

/* Pauses for breaths make counters show them slower than they are, and rare messages about the same. */
static void hands_that_pause_for_breaths(void **state)
{
	struct ward w;

	open_ward(&w, 510);
	for (unsigned i = 0; i < 140; i++) {
		struct shown s = {0, rint(66 + 5 * sin(i)), 92};

		if (i < 90)
			s.heart = s.pulse;
		else
			s.pulse = 64 + i % 3;
		tell(&w, s, 10);
	}
	assert_int_equal(w.sure, 0);
	vitals_free(w.v);
}

/* Over a rhythm that moves no blood, at nearly its pace, until somebody else presses. */
static void hands_that_leave_the_heart(void **state)
{
	static const double hearts[] = {78, 66},
			    paces[][6] = {{78, 78, 83, 88, 104, 104}, {78, 78, 78, 82, 84, 84}};
	struct ward w;

	for (unsigned k = 0; k < 2; k++) {
		open_ward(&w, 520 + k);
		for (unsigned i = 0; i < 1500; i++) {
			struct shown s = beat(&w, 78, 1);

			if (i >= 900) {
				s.heart = rint(hearts[k] + uniform(&w));
				s.pulse = rint(relieved(paces[k], i - 900) + uniform(&w));
			}
			tell(&w, s, 1);
		}
		assert_true(w.count[REASON_VITALS_RATE_MISMATCH] > 0);
		assert_true(w.last[REASON_VITALS_RATE_MISMATCH].confidence <= 0.3);
		vitals_free(w.v);
	}
}

static void electrodes_off_are_never_called_forged(void **state)
{
	struct ward w;

	open_ward(&w, 30);
	play(&w, 100, 1);
	for (unsigned i = 0; i < 300; i++) {
		struct shown s = live(&w);

		s.heart = NAN;
		tell(&w, s, 1);
	}
	assert_int_equal(all(&w), 0);
	vitals_free(w.v);
}

/* Some show 0 for whatever they do not measure: then electrodes that come off have a rate of 0. */
static void a_monitor_whose_zero_is_none(void **state)
{
	for (unsigned zeros = 0; zeros < 2; zeros++) {
		struct ward w;

		open_ward(&w, 32);
		for (unsigned i = 0; i < 700; i++) {
			struct shown s = beat(&w, 66, 1.6);

			s.heart = i < 100 ? s.heart : 0;
			s.saturation = zeros && (i < 20 || i > 200) ? 0 : s.saturation;
			tell(&w, s, 1);
		}
		assert_int_equal(w.count[REASON_VITALS_JUMP], 0);
		assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING]);
		assert_int_equal(w.sure != 0, !zeros);
		vitals_free(w.v);
	}
}

static unsigned leap_of(uint16_t code, double from, double to, double *ret_sure)
{
	const struct vitals_source source = {.subject = 1, .bound = true};
	struct ward w;

	open_ward(&w, 33);
	for (unsigned i = 0; i < 20; i++) {
		struct vitals_place p = {.time_ns = w.now_ns += SEC_NS};
		struct vitals_monitor *m = vitals_heard(w.v, &source, &p);

		say(&w, m, code, i < 15 ? from : to);
		vitals_ended(w.v, m);
	}
	vitals_free(w.v);
	*ret_sure = w.last[REASON_VITALS_JUMP].confidence;
	return w.count[REASON_VITALS_JUMP];
}

/* A probe that falls out gets cold, one that is put on warm; what no body has stands for no value. */
static void sensors_that_come_off_do_not_leap(void **state)
{
	static const struct {
		uint16_t code;
		double from, to, sure; /* 0: not told */
	} cases[] = {
		{TEMPERATURE, 37, 39.5, 0.5}, {TEMPERATURE, 37, 35.5, 0.3},
		{TEMPERATURE, 24, 33, 0.3},   {TEMPERATURE, 37, 0, 0},
		{TEMPERATURE, 37, 655.35, 0}, {TEMPERATURE, 37, -17.78, 0},
		{SATURATION, 97, 70, 0.5},    {SATURATION, 97, 0, 0},
		{SATURATION, 80, 127, 0},     {RECTAL, 37, 39.5, 0.5},
		{HEART_RATE, 72, 180, 0.5},   {HEART_RATE, 72, 8388607, 0},
	};
	double sure;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(leap_of(cases[i].code, cases[i].from, cases[i].to, &sure),
				 cases[i].sure > 0);
		assert_true(!cases[i].sure || fabs(sure - cases[i].sure) < 0.01);
	}
}

/* From a heart rate that was never more than 0 nothing follows: nobody was connected. */
static void a_monitor_without_electrodes(void **state)
{
	struct ward w;

	open_ward(&w, 31);
	for (unsigned i = 0; i < 300; i++) {
		struct shown s = live(&w);

		s.heart = 0;
		tell(&w, s, 1);
	}
	assert_int_equal(all(&w), 0);
	vitals_free(w.v);
}

static void numbers_that_were_here_before_are_told(void **state)
{
	static struct shown past[400];
	struct vitals_finding *f;
	struct ward w;

	open_ward(&w, 40);
	for (unsigned i = 0; i < 400; i++) {
		past[i] = live(&w);
		tell(&w, past[i], 1);
	}
	assert_int_equal(all(&w), 0);
	for (unsigned i = 100; i < 160; i++)
		tell(&w, past[i], 1);
	assert_true(w.count[REASON_VITALS_REPLAYED] >= 1);
	f = &w.last[REASON_VITALS_REPLAYED];
	assert_string_equal(text(f, "kind"), "numbers");
	assert_int_equal(fact(f, "seconds_ago"), 300);
	assert_true(fact(f, "changes") >= 14);
	assert_int_equal(all(&w), w.count[REASON_VITALS_REPLAYED]);
	vitals_free(w.v);
}

/* What goes to and fro between a few numbers repeats itself always. */
static void a_regular_patient_is_no_replay(void **state)
{
	struct ward w;

	open_ward(&w, 41);
	for (unsigned i = 0; i < 4000; i++) {
		struct shown s = {70 + i % 3, 70 + i % 2, 97};

		tell(&w, s, 1);
	}
	assert_int_equal(all(&w), 0);
	/* A simulator's loop is one, until it is known that it always does. */
	for (unsigned i = 0; i < 4000; i++) {
		struct shown s = {rint(70 + 4 * sin(i * M_PI / 6)),
				  rint(70 + 4 * sin((i + 2) * M_PI / 6)),
				  rint(95 + 2 * cos(i * M_PI / 6))};

		if (i == 1000)
			memset(w.count, 0, sizeof(w.count));
		tell(&w, s, 1);
	}
	assert_int_equal(all(&w), 0);
	vitals_free(w.v);
}

static void sensors_that_part_are_told(void **state)
{
	struct vitals_finding *f;
	struct ward w;

	for (unsigned k = 0; k < 2; k++) {
		open_ward(&w, 50 + k);
		play(&w, 200, 1);
		for (unsigned i = 0; i < 900; i++) {
			struct shown s = live(&w);

			s.heart = rint(s.heart * (1 + (k ? 0.7 : -0.45) * fmin(1, i / 500.0)));
			tell(&w, s, 1);
		}
		assert_true(w.count[REASON_VITALS_RATE_MISMATCH] >= 1);
		assert_int_equal(all(&w), w.count[REASON_VITALS_RATE_MISMATCH]);
		f = &w.last[REASON_VITALS_RATE_MISMATCH];
		assert_string_equal(text(f, "kind"), "sensors");
		/* beats that move no blood are usual, pulses without a beat are not */
		assert_true(k ? f->confidence < 0.4 : f->confidence > 0.4);
		vitals_free(w.v);
	}
}

/* A fibrillating heart, whose pulse never was its rate; one that is counted twice. */
static void sensors_that_never_agreed(void **state)
{
	struct ward w;

	open_ward(&w, 52);
	for (unsigned i = 0; i < 3600; i++) {
		struct shown s = live(&w);

		s.heart = rint(s.heart * (i < 1800 ? 1.4 : 2) + 16 * (uniform(&w) - 0.5));
		tell(&w, s, 1);
	}
	assert_int_equal(w.count[REASON_VITALS_RATE_MISMATCH], 0);
	vitals_free(w.v);
}

static void a_leap_of_two_sensors_is_less_sure(void **state)
{
	struct ward w;

	for (unsigned k = 0; k < 2; k++) {
		open_ward(&w, 60);
		play(&w, 60, 1);
		tell(&w, (struct shown){185, k ? 183 : 75, 97}, 1);
		assert_int_equal(w.count[REASON_VITALS_JUMP], 1 + k);
		assert_true(k ? w.last[REASON_VITALS_JUMP].confidence < 0.4
			      : w.last[REASON_VITALS_JUMP].confidence > 0.4);
		vitals_free(w.v);
	}
}

static void two_addresses_that_differ_are_two_machines(void **state)
{
	struct ward w;

	for (unsigned k = 0; k < 2; k++) {
		open_ward(&w, 70);
		for (unsigned i = 0; i < 60; i++) {
			struct shown s = live(&w);

			tell(&w, s, 1);
			if (k) /* an interface engine passes it on; somebody says another thing */
				s = (struct shown){60 + i % 2, 60, 99 - i % 3};
			w.now_ns += SEC_NS / 10;
			tell_from(&w, 13, s, w.sent_s);
		}
		assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES] > 0, k == 1);
		assert_int_equal(all(&w), w.count[REASON_VITALS_TWO_SOURCES]);
		vitals_free(w.v);
	}
}

/* One takes over from the other: that is no turn. */
static void a_standby_takes_over(void **state)
{
	struct ward w;

	open_ward(&w, 71);
	play(&w, 60, 1);
	for (unsigned i = 0; i < 60; i++) {
		w.now_ns += SEC_NS;
		tell_from(&w, 13, live(&w), ++w.sent_s);
	}
	assert_int_equal(all(&w), 0);
	vitals_free(w.v);
}

static void a_message_that_was_here_before_is_told(void **state)
{
	struct shown then;
	struct ward w;

	open_ward(&w, 80);
	play(&w, 50, 1);
	then = live(&w);
	tell(&w, then, 1);
	w.now_ns += 60 * SEC_NS;
	tell_from(&w, 12, then, w.sent_s); /* not acknowledged: the same again */
	assert_int_equal(all(&w), 0);
	play(&w, 20, 1);
	w.now_ns += SEC_NS;
	tell_from(&w, 12, then, w.sent_s - 20);
	assert_int_equal(w.count[REASON_VITALS_REPLAYED], 1);
	assert_string_equal(text(&w.last[REASON_VITALS_REPLAYED], "kind"), "message");
	assert_int_equal(fact(&w.last[REASON_VITALS_REPLAYED], "seconds_ago"), 20);
	assert_int_equal(all(&w), 1);
	vitals_free(w.v);
}

static void senders_whose_time_goes_back(void **state)
{
	struct stamp s = {0};
	struct stamps all = {0};
	uint32_t behind;

	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(stamp_take(&s, &all, 1000 + i, i + 1, &behind), STAMP_NEXT);
	/* two threads of one sender */
	assert_int_equal(stamp_take(&s, &all, 1196, 900, &behind), STAMP_NEXT);
	assert_int_equal(behind, 3);
	/* what is remembered, what is not any more, what never came */
	assert_int_equal(stamp_take(&s, &all, 1150, 151, &behind), STAMP_AGAIN);
	assert_int_equal(behind, 49);
	assert_int_equal(stamp_take(&s, &all, 1010, 11, &behind), STAMP_BACK);
	assert_int_equal(stamp_take(&s, &all, 1300, 901, &behind), STAMP_NEXT);
	/* summer time ends: told, and then taken as it is */
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(stamp_take(&s, &all, 500 + i, 2000 + i, &behind),
				 i < 2 ? STAMP_BACK : STAMP_NEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hours_say_nothing),
		cmocka_unit_test(a_standstill_over_a_pulse_is_told),
		cmocka_unit_test(a_standstill_over_a_quick_pulse_is_told),
		cmocka_unit_test(hands_at_the_pace_of_the_heart),
		cmocka_unit_test(an_arrest_is_never_called_forged),
		cmocka_unit_test(hands_on_a_chest_are_never_called_a_pulse),
		cmocka_unit_test(hands_that_stray_as_far_as_the_heart),
		cmocka_unit_test(hands_that_pause_for_breaths),
		cmocka_unit_test(hands_that_leave_the_heart),
		cmocka_unit_test(electrodes_off_are_never_called_forged),
		cmocka_unit_test(a_monitor_whose_zero_is_none),
		cmocka_unit_test(sensors_that_come_off_do_not_leap),
		cmocka_unit_test(a_monitor_without_electrodes),
		cmocka_unit_test(numbers_that_were_here_before_are_told),
		cmocka_unit_test(a_regular_patient_is_no_replay),
		cmocka_unit_test(sensors_that_part_are_told),
		cmocka_unit_test(sensors_that_never_agreed),
		cmocka_unit_test(a_leap_of_two_sensors_is_less_sure),
		cmocka_unit_test(two_addresses_that_differ_are_two_machines),
		cmocka_unit_test(a_standby_takes_over),
		cmocka_unit_test(a_message_that_was_here_before_is_told),
		cmocka_unit_test(senders_whose_time_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
