/* The integrity of vital signs: what is found, and above all what is not. */
#include "guard/vitals/vitals.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "demo/ecgsyn.h"
#include "guard/vitals/echo.h"
#include "guard/vitals/pulse.h"
#include "finding.h"
#include "unit.h"

#define ECG   0x0102
#define LEAD2 0x0143
#define PLETH 0x4bb4
#define HR    0x4182
#define PULSE 0x4822
#define SPO2  0x4bb8

#define ECG_N	64 /* samples of 256 ms at 250 Hz */
#define PLETH_N 32
#define BLOCK	256000000ull

/* A bedside monitor and what was found about it. */
struct ward {
	struct vitals *v;
	struct vitals_source from;
	struct ecgsyn *heart;
	uint64_t now_ns;
	uint32_t block;
	unsigned count[REASON_COUNT];
	struct vitals_finding last[REASON_COUNT];
	uint64_t first_ns[REASON_COUNT];
	/* what is done to the signals */
	bool flat, flat_one, arrest, off, test, rail, pulse_flat, pulse_off;
	uint16_t pleth_code;
	int32_t low, high; /* what the monitor states of its ECG's values */
	bool fibrillation; /* in place of the heart's own ECG */
	double pace;	   /* of hands on the chest, a minute; no other pulse then */
	double pressed;	   /* how many times they did */
	uint64_t seed;
	int32_t ecg[ECG_N], lead2[ECG_N], pleth[PLETH_N];
};

static void found(void *arg, const struct vitals_finding *f)
{
	struct ward *w = arg;

	assert_true(f->confidence > 0 && f->confidence < 1);
	assert_true(f->facts <= VITALS_EVIDENCE);
	if (!w->count[f->reason]++)
		w->first_ns[f->reason] = f->time_ns;
	w->last[f->reason] = *f;
}

static void open_ward(struct ward *w, double rate, uint64_t seed)
{
	const struct vitals_options o = {.streams = 16};
	const struct ecgsyn_options e = {
		.rate_hz = 250, .heart_rate = rate, .heart_sd = 1.5, .seed = seed};

	memset(w, 0, sizeof(*w));
	w->v = vitals_new(&o, found, w);
	w->heart = ecgsyn_new(&e);
	assert_true(w->v && w->heart);
	w->from = (struct vitals_source){
		.segment = 1, .mac = {0, 9, 0xfb, 1, 2, 3}, .bound = true, .device = 7};
	w->from.ip.b[15] = 12;
	w->now_ns = 1000000000000ull;
	w->high = 16383;
	w->pleth_code = PLETH;
	w->seed = seed;
}

static void close_ward(struct ward *w)
{
	vitals_free(w->v);
	ecgsyn_free(w->heart);
}

static double noise(struct ward *w)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return ((double)(w->seed >> 40) / (1 << 24) - 0.5) * 6;
}

/* Hands move the blood, and the electrodes hardly. */
static void press(struct ward *w, double *pleth, double *mv)
{
	double wave = sin(M_PI * w->pressed);

	w->pressed += w->pace / 60 / 250;
	*pleth = 0.8 * wave * wave;
	*mv += 0.05 * *pleth;
}

static void next_samples(struct ward *w)
{
	for (unsigned i = 0; i < ECG_N; i++) {
		double pleth, mv = ecgsyn_next(w->heart, NULL, &pleth);

		if (w->arrest)
			mv = pleth = 0;
		if (w->fibrillation)
			mv = 0.3 * sin(2 * M_PI * 5.3 * (w->block * 0.256 + i / 250.0));
		if (w->pace > 0)
			press(w, &pleth, &mv);
		w->ecg[i] = (int32_t)(8192 + 400 * mv + noise(w));
		w->lead2[i] = (int32_t)(8192 + 250 * mv + noise(w));
		if (w->flat || w->flat_one)
			w->ecg[i] = 8192;
		if (w->flat)
			w->lead2[i] = 8192;
		if (w->rail)
			w->ecg[i] = w->lead2[i] = 16383;
		if (i % 2 == 0)
			w->pleth[i / 2] =
				(int32_t)(500 + 2000 * (w->pulse_flat ? 0 : pleth) + noise(w));
	}
}

static struct vitals_place place_of(struct ward *w, uint16_t channel)
{
	return (struct vitals_place){.time_ns = w->now_ns,
				     .channel = channel,
				     .sequence_bits = 16,
				     .sequence = w->block & 0xffff,
				     .clock_hz = 8000,
				     .clock = w->block * 2048};
}

static struct vitals_monitor *hear(struct ward *w, const struct vitals_place *p)
{
	return vitals_heard(w->v, &w->from, p);
}

static void send_wave(struct ward *w, struct vitals_monitor *m, uint16_t code, const int32_t *v,
		      unsigned n, bool ecg)
{
	const struct vitals_wave in = {.code = code,
				       .period_ns = (uint32_t)(BLOCK / n),
				       .values = v,
				       .count = n,
				       .off = ecg ? w->off : w->pulse_off,
				       .test = w->test,
				       .has_range = true,
				       .low = ecg ? w->low : 0,
				       .high = ecg ? w->high : 16383};

	if (m)
		vitals_wave(w->v, m, &in);
}

/* One message of waves, as it is now. */
static void send_block(struct ward *w)
{
	struct vitals_place p;
	struct vitals_monitor *m;

	w->now_ns += BLOCK;
	w->block++;
	p = place_of(w, 1);
	m = hear(w, &p);
	send_wave(w, m, ECG, w->ecg, ECG_N, true);
	send_wave(w, m, LEAD2, w->lead2, ECG_N, true);
	send_wave(w, m, w->pleth_code, w->pleth, PLETH_N, false);
}

static void play(struct ward *w, double seconds)
{
	for (double s = 0; s < seconds; s += 0.256) {
		next_samples(w);
		send_block(w);
	}
}

static unsigned all(const struct ward *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		n += w->count[i];
	return n;
}

static void a_calm_hour_says_nothing(void **state)
{
	static const double rates[] = {48, 75, 130};
	struct ward w;

	for (unsigned i = 0; i < 3; i++) {
		open_ward(&w, rates[i], 11 + i);
		play(&w, 1200);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

static void a_flat_line_over_a_pulse_is_found_in_time(void **state)
{
	static const double rates[] = {50, 62, 75, 90, 130};
	const struct vitals_finding *f;
	struct ward w;

	for (unsigned i = 0; i < 25; i++) {
		uint64_t from;

		open_ward(&w, rates[i % 5], 100 + i);
		play(&w, 45 + i * 0.37);
		w.flat = true;
		from = w.now_ns;
		play(&w, 5);
		f = &w.last[REASON_VITALS_FLATLINE_PERFUSING];
		assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
		assert_true(w.first_ns[REASON_VITALS_FLATLINE_PERFUSING] - from <= 3000000000ull);
		assert_string_equal(text(f, "live"), "pleth");
		assert_true(f->since_ns <= f->time_ns - 1000000000ull);
		assert_int_equal(f->device, 7);
		close_ward(&w);
	}
}

/* What a wave passes all the time, as 0 to 1 mV of it, is no end of a converter's range. */
static void a_scale_is_no_rail(void **state)
{
	struct ward w;

	open_ward(&w, 75, 5);
	w.low = 7000;
	w.high = 8190;
	play(&w, 60);
	w.flat = true;
	play(&w, 4);
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	close_ward(&w);

	open_ward(&w, 75, 6); /* the other end may be one all the same */
	w.low = 8192;
	play(&w, 60);
	w.rail = true;
	play(&w, 10);
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

/* A monitor may send each wave by itself: messages of one moment, numbered on. */
static void waves_of_one_moment_in_several_messages(void **state)
{
	struct ward w;

	open_ward(&w, 75, 6);
	for (unsigned n = 0; n < 300; n++) {
		struct vitals_place p;

		w.flat = n > 280;
		next_samples(&w);
		w.now_ns += BLOCK;
		for (unsigned i = 0; i < 3; i++) {
			p = place_of(&w, 1);
			p.sequence = (n * 3 + i) & 0xffff;
			p.clock = n * 2048;
			p.time_ns += i * 1000000;
			send_wave(&w, hear(&w, &p),
				  i == 2 ? PLETH
				  : i	 ? LEAD2
					 : ECG,
				  i == 2 ? w.pleth
				  : i	 ? w.lead2
					 : w.ecg,
				  i == 2 ? PLETH_N : ECG_N, i < 2);
		}
	}
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	assert_int_equal(all(&w), w.count[REASON_VITALS_FLATLINE_PERFUSING]);
	close_ward(&w);
}

/* Neither a number that stands still, nor a clock that does, nor numbers by chance hide anything. */
static void spoilt_numbers_hide_no_flat_line(void **state)
{
	struct ward w;

	for (unsigned spoilt = 0; spoilt < 4; spoilt++) {
		open_ward(&w, 75, 7 + spoilt);
		for (unsigned n = 0; n < 300; n++) {
			struct vitals_place p;
			struct vitals_monitor *m;

			w.flat = n > 280;
			next_samples(&w);
			w.now_ns += BLOCK;
			w.block++;
			p = place_of(&w, 1);
			p.sequence = spoilt == 3 ? (n * 40503u) & 0xffff : spoilt ? 5 : p.sequence;
			p.clock = spoilt == 3 ? n * 2654435761u : spoilt == 1 ? p.clock : 77;
			m = hear(&w, &p);
			send_wave(&w, m, ECG, w.ecg, ECG_N, true);
			send_wave(&w, m, PLETH, w.pleth, PLETH_N, false);
		}
		assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
		close_ward(&w);
	}
}

static void every_pulse_counts_by_whatever_code(void **state)
{
	static const uint16_t pulses[] = {0x4bb4, 0xf08c, 0xf08d, 0xf09b, 0x4a0c, 0x4a10,
					  0x4a14, 0x4a1c, 0x4a28, 0xf0bc, 0xf0c0, 0x4a00,
					  0xf0a4, 0xf0a8, 0xf0ac, 0xf0b0};
	struct ward w;

	for (unsigned i = 0; i < sizeof(pulses) / sizeof(pulses[0]); i++) {
		open_ward(&w, 75, 40 + i);
		w.pleth_code = pulses[i];
		play(&w, 30);
		w.flat = true;
		play(&w, 4);
		assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
		assert_string_not_equal(text(&w.last[REASON_VITALS_FLATLINE_PERFUSING], "live"),
					"other");
		close_ward(&w);
	}
}

static void one_flat_lead_is_less_sure(void **state)
{
	struct ward w;

	open_ward(&w, 75, 5);
	play(&w, 45);
	w.flat_one = true;
	play(&w, 3);
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	assert_string_equal(text(&w.last[REASON_VITALS_FLATLINE_PERFUSING], "flat"), "ECG II");
	close_ward(&w);
}

/* Told once, and again every minute; a lead that comes back is told anew when it goes. */
static void a_finding_that_lasts_is_not_repeated(void **state)
{
	struct ward w;

	open_ward(&w, 75, 6);
	play(&w, 45);
	w.flat_one = true;
	play(&w, 50);
	assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 1);
	w.flat_one = false;
	play(&w, 60);
	w.flat_one = true;
	play(&w, 10);
	assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 2);
	close_ward(&w);
}

static void an_arrest_is_never_called_forged(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 10; i++) {
		open_ward(&w, 55 + 8 * i, 200 + i);
		play(&w, 45 + i * 0.41);
		w.arrest = true;
		play(&w, 120);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

/* The heart has stopped; sooner or later hands press the chest, and rest, and press again. */
static void hands_on_a_chest_are_no_heart(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 24; i++) {
		open_ward(&w, 52 + 3 * i, 900 + i);
		play(&w, 45 + i * 0.37);
		w.arrest = true;
		play(&w, 1.3 + 0.8 * i);
		for (unsigned k = 0; k < 3; k++) {
			w.pace = 95 + (i * 7 + k) % 35;
			play(&w, 18);
			w.pace = 0;
			play(&w, 4 + 3 * k);
		}
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

/* They press already when the heart's own electricity ends, by itself or by a shock. */
static void hands_that_go_on_over_a_flat_line_are_no_heart(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 24; i++) {
		open_ward(&w, 52 + 3 * i, 950 + i);
		play(&w, 45 + i * 0.37);
		w.arrest = true;
		w.fibrillation = true;
		play(&w, 3 + i % 3);
		w.pace = 95 + i * 7 % 35;
		play(&w, 1 + i);
		w.fibrillation = false;
		play(&w, 30);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

/* A heart whose beats move no blood, and hands that do, until the beats end. */
static void hands_that_help_a_heart_are_none(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 10; i++) {
		open_ward(&w, 40 + 4 * i, 970 + i);
		play(&w, 60 + i * 0.37);
		w.pace = 100 + 2 * i;
		play(&w, 3 + 3 * i);
		w.arrest = true;
		play(&w, 30);
		assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 0);
		close_ward(&w);
	}
}

/* The heart goes on, and a pulse was not seen: that is no pause. */
static void a_pulse_that_was_missed_is_no_arrest(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 10; i++) {
		open_ward(&w, 122, 990 + i);
		play(&w, 45 + i * 0.37);
		w.flat = true;
		play(&w, 0.3);
		w.pulse_flat = true;
		play(&w, 0.4);
		w.pulse_flat = false;
		play(&w, 6);
		assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 2); /* leads */
		close_ward(&w);
	}
}

static void electrodes_off_are_never_called_forged(void **state)
{
	const struct vitals_alarm inop = {.id = 9, .source = ECG, .code = 0x1a, .technical = true};
	struct ward w;

	open_ward(&w, 75, 31); /* the monitor says invalid */
	play(&w, 45);
	w.off = true;
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	w.off = false; /* and back again */
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	close_ward(&w);

	open_ward(&w, 75, 32); /* the converter saturates */
	play(&w, 45);
	w.rail = true;
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	close_ward(&w);

	open_ward(&w, 75, 33); /* an INOP comes with a line that looks like any other */
	play(&w, 45);
	w.flat = true;
	for (unsigned i = 0; i < 100; i++) {
		struct vitals_place p = {.time_ns = w.now_ns, .channel = 9};

		vitals_alarm(w.v, hear(&w, &p), &inop);
		next_samples(&w);
		send_block(&w);
	}
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

/* A cuff on the arm is no finding; what stays away is one that says how little is known. */
static void a_pulse_that_is_gone_is_told_as_that(void **state)
{
	static struct ward w;

	open_ward(&w, 72, 5);
	play(&w, 60);
	for (unsigned i = 0; i < 3; i++) {
		w.pulse_flat = true;
		play(&w, 58);
		w.pulse_flat = false;
		play(&w, 30);
	}
	/* Away, as the monitor itself says. */
	w.pulse_flat = w.pulse_off = true;
	play(&w, 120);
	w.pulse_off = false;
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	w.pulse_flat = false;
	play(&w, 30);
	w.pulse_flat = true;
	play(&w, 64);
	assert_int_equal(all(&w), 0);
	play(&w, 3);
	assert_int_equal(w.count[REASON_VITALS_PULSE_ABSENT], 1);
	assert_int_equal(all(&w), 1);
	assert_true(w.last[REASON_VITALS_PULSE_ABSENT].confidence < 0.4);
	assert_string_equal(text(&w.last[REASON_VITALS_PULSE_ABSENT], "flat"), "pleth");
	assert_true(fact(&w.last[REASON_VITALS_PULSE_ABSENT], "seconds") >= 65);
	/* With the heart, all of it. */
	w.arrest = true;
	play(&w, 200);
	assert_int_equal(all(&w), 1);
	close_ward(&w);
}

static void a_test_signal_is_no_patient(void **state)
{
	struct ward w;

	open_ward(&w, 75, 34);
	w.test = true;
	play(&w, 60);
	w.flat = true;
	play(&w, 20);
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

/* 30 s that were recorded, played later over what the patient has, at any lag. */
static void a_replay_is_found(void **state)
{
	enum { KEPT = 117 };
	static int32_t ecg[KEPT][ECG_N], pleth[KEPT][PLETH_N];
	struct ward w;

	for (unsigned k = 0; k < 5; k++) {
		uint64_t from;

		open_ward(&w, 60 + 10 * k, 40 + k);
		for (unsigned i = 0; i < KEPT; i++) {
			play(&w, 0.2);
			memcpy(ecg[i], w.ecg, sizeof(w.ecg));
			memcpy(pleth[i], w.pleth, sizeof(w.pleth));
		}
		play(&w, 75 + 3.3 * k);
		from = w.now_ns;
		assert_int_equal(all(&w), 0);
		for (unsigned i = 0; i < KEPT; i++) {
			unsigned shift = 7 * k; /* blocks begin elsewhere than they did */

			next_samples(&w);
			for (unsigned n = 0; n < ECG_N && i + 1 < KEPT; n++)
				w.ecg[n] = n + shift < ECG_N ? ecg[i][n + shift]
							     : ecg[i + 1][n + shift - ECG_N];
			memcpy(w.pleth, pleth[i], sizeof(w.pleth));
			send_block(&w);
		}
		assert_true(w.count[REASON_VITALS_REPLAYED] > 0);
		assert_true(w.first_ns[REASON_VITALS_REPLAYED] - from < 8000000000ull);
		assert_true(fact(&w.last[REASON_VITALS_REPLAYED], "seconds_ago") > 60);
		close_ward(&w);
	}
}

/* A simulator's wave, a pacemaker's, a line: they come back to themselves and are no replay. */
static void a_regular_signal_is_no_replay(void **state)
{
	static const unsigned periods[] = {125, 200, 251, 3 * 200, 20 * 250};

	for (unsigned k = 0; k < sizeof(periods) / sizeof(periods[0]); k++) {
		struct echo *e = calloc(1, sizeof(*e));
		struct echo_finding f;
		int32_t *cycle = calloc(periods[k], sizeof(*cycle));
		uint64_t seed = k;

		for (unsigned i = 0; i < periods[k]; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			cycle[i] = (int32_t)(1000 * exp(-pow((i % 200) - 60.0, 2) / 40) +
					     (double)(seed >> 60));
		}
		for (unsigned i = 0; i < 250 * 600; i++)
			assert_false(echo_sample(e, cycle[i % periods[k]], 4000000, &f));
		for (unsigned i = 0; i < 250 * 600; i++)
			assert_false(echo_sample(e, 512, 4000000, &f));
		free(cycle);
		free(e);
	}
}

static void beats_are_counted(void **state)
{
	static const double rates[] = {40, 72, 150};
	static const uint32_t periods[] = {2000000, 2777778, 4000000, 8000000};

	for (unsigned k = 0; k < 12; k++) {
		const uint32_t period = periods[k % 4];
		struct ecgsyn_options o = {1e9 / period, rates[k / 4], 1, 77};
		struct ecgsyn *e = ecgsyn_new(&o);
		struct pulse ecg, pleth;
		double wave, rate;
		uint64_t t = 0;

		pulse_init(&ecg, true);
		pulse_init(&pleth, false);
		for (; t < 60000000000ull; t += period) {
			double mv = ecgsyn_next(e, NULL, &wave);

			pulse_sample(&ecg, mv, period, t);
			pulse_sample(&pleth, wave, period, t);
		}
		rate = 60e9 / (double)pulse_interval(&ecg, t, 12);
		assert_true(fabs(rate - rates[k / 4]) < 4);
		rate = 60e9 / (double)pulse_interval(&pleth, t, 12);
		assert_true(fabs(rate - rates[k / 4]) < 4);
		assert_true(ecg.beats > rates[k / 4] * 0.9 - 4 && ecg.beats < rates[k / 4] * 1.1);
		ecgsyn_free(e);
	}
}

static void messages_out_of_their_row_are_told(void **state)
{
	struct vitals_place p;
	struct ward w;

	open_ward(&w, 75, 50);
	play(&w, 20);
	p = place_of(&w, 1);
	assert_null(hear(&w, &p)); /* the network brought it twice */
	assert_int_equal(all(&w), 0);
	w.block += 3;
	w.now_ns += 3 * BLOCK;
	play(&w, 0.2);
	assert_int_equal(w.count[REASON_VITALS_SEQUENCE_BREAK], 1);
	assert_int_equal(fact(&w.last[REASON_VITALS_SEQUENCE_BREAK], "missing"), 3);
	play(&w, 5);
	p = place_of(&w, 1);
	p.sequence -= 40; /* an old one */
	p.clock -= 40 * 2048;
	p.time_ns += 1000000;
	assert_null(hear(&w, &p));
	assert_int_equal(w.count[REASON_VITALS_SEQUENCE_BREAK], 2);
	assert_string_equal(text(&w.last[REASON_VITALS_SEQUENCE_BREAK], "kind"), "backwards");
	p = place_of(&w, 1);
	p.sequence++;
	p.clock += 8000 * 60; /* the right number at another time */
	assert_null(hear(&w, &p));
	assert_string_equal(text(&w.last[REASON_VITALS_SEQUENCE_BREAK], "kind"), "time");
	play(&w, 20);
	assert_int_equal(w.count[REASON_VITALS_SEQUENCE_BREAK], 3);
	assert_int_equal(all(&w), 3);
	close_ward(&w);
}

/* Linked results share a number; a new poll or association begins at zero. */
static void numbers_that_may_repeat(void **state)
{
	struct vitals_place p;
	struct ward w;

	open_ward(&w, 75, 51);
	for (unsigned i = 0; i < 20; i++) {
		w.now_ns += BLOCK;
		w.block++;
		p = place_of(&w, 2);
		for (unsigned part = 1; part <= 3; part++) {
			p.part = part % 3;
			assert_non_null(hear(&w, &p));
		}
		assert_null(hear(&w, &p));
	}
	vitals_restart(w.v, &w.from, 2);
	p = place_of(&w, 2);
	p.clock += 2048;
	p.time_ns += BLOCK;
	p.sequence = 0;
	assert_non_null(hear(&w, &p));
	vitals_restart(w.v, &w.from, VITALS_EVERY_CHANNEL);
	p.sequence = 999;
	p.clock = 5;
	assert_non_null(hear(&w, &p));
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

static void two_rows_of_numbers_are_two_machines(void **state)
{
	struct ward w;

	open_ward(&w, 75, 52);
	play(&w, 20);
	for (unsigned i = 0; i < 8; i++) {
		struct vitals_place p = {.time_ns = w.now_ns + 1000000,
					 .channel = 1,
					 .sequence_bits = 16,
					 .sequence = 30000 + i,
					 .clock_hz = 8000,
					 .clock = 90000000 + i * 2048};

		assert_null(hear(&w, &p));
		play(&w, 0.2);
	}
	assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES], 1);
	assert_string_equal(text(&w.last[REASON_VITALS_TWO_SOURCES], "kind"), "interleaved");
	close_ward(&w);
}

static void machines_are_told_apart(void **state)
{
	struct vitals_place p;
	struct ward w;

	open_ward(&w, 75, 53); /* one address, two cards by turns */
	play(&w, 5);
	w.from.mac[5] = 99;
	play(&w, 1);
	assert_int_equal(all(&w), 0); /* replaced: nothing to say yet */
	w.from.mac[5] = 3;
	play(&w, 1);
	assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES], 1);
	close_ward(&w);

	open_ward(&w, 75, 54); /* one name, two addresses */
	w.from.system = 0x0009fb010203;
	play(&w, 5);
	w.from.ip.b[15] = 66;
	p = (struct vitals_place){.time_ns = w.now_ns, .channel = 1};
	hear(&w, &p);
	assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES], 1);
	assert_string_equal(text(&w.last[REASON_VITALS_TWO_SOURCES], "kind"), "two_addresses");
	close_ward(&w);

	open_ward(&w, 75, 55); /* bound, and then not */
	play(&w, 5);
	w.from.bound = false;
	play(&w, 1);
	assert_int_equal(w.count[REASON_VITALS_UNBOUND_SOURCE], 1);
	close_ward(&w);

	open_ward(&w, 75, 56); /* never bound: a stranger is binding's business */
	w.from.bound = false;
	play(&w, 5);
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

static void tell_number_of(struct ward *w, uint16_t code, double value)
{
	const struct vitals_numeric n = {.code = code, .value = value, .off = isnan(value)};
	struct vitals_place p = {.time_ns = w->now_ns, .channel = 5};
	struct vitals_monitor *m = hear(w, &p);

	vitals_numeric(w->v, m, &n);
	vitals_ended(w->v, m);
}

static void a_leap_is_told_and_the_wave_asked(void **state)
{
	struct ward w;

	open_ward(&w, 75, 60);
	for (unsigned i = 0; i < 40; i++) {
		play(&w, 1);
		tell_number_of(&w, HR, 75 + i % 3);
		tell_number_of(&w, SPO2, 97);
	}
	assert_int_equal(all(&w), 0);
	play(&w, 1);
	tell_number_of(&w, HR, 180);
	assert_int_equal(w.count[REASON_VITALS_JUMP], 1);
	assert_true(w.last[REASON_VITALS_JUMP].confidence > 0.8); /* the wave goes at 75 */
	assert_int_equal(fact(&w.last[REASON_VITALS_JUMP], "to"), 180);
	tell_number_of(&w, SPO2, 60);
	assert_int_equal(w.count[REASON_VITALS_JUMP], 2);
	tell_number_of(&w, SPO2, NAN); /* the clip comes off, and is put on again */
	tell_number_of(&w, SPO2, 97);
	assert_int_equal(w.count[REASON_VITALS_JUMP], 2);
	close_ward(&w);
}

/* A number that leaves its curve a beat at a time: no leap, but not what is measured. */
static void a_slow_drift_is_told(void **state)
{
	struct ward w;
	unsigned i;

	open_ward(&w, 75, 61);
	for (i = 0; i < 40; i++) {
		play(&w, 1);
		tell_number_of(&w, HR, 75 + i % 3);
	}
	assert_int_equal(all(&w), 0);
	for (i = 0; i < 60 && !w.count[REASON_VITALS_RATE_MISMATCH]; i++) {
		play(&w, 1);
		tell_number_of(&w, HR, 75 + i);
	}
	assert_true(i < 45);
	assert_int_equal(w.count[REASON_VITALS_JUMP], 0);
	assert_true(w.last[REASON_VITALS_RATE_MISMATCH].confidence > 0.8);
	close_ward(&w);
}

static void send_alarm(struct ward *w, uint64_t id, bool withheld, uint32_t answer_ms)
{
	const struct vitals_alarm a = {
		.id = id, .source = HR, .code = 12, .withheld = withheld, .answer_ms = answer_ms};
	struct vitals_place p = {.time_ns = w->now_ns, .channel = 8};

	vitals_alarm(w->v, hear(w, &p), &a);
}

static void a_lost_alarm_is_told(void **state)
{
	const uint64_t sec = 1000000000ull;
	struct ward w;

	open_ward(&w, 75, 70);
	send_alarm(&w, 1, false, 10000);
	vitals_tick(w.v, w.now_ns + 9 * sec);
	vitals_answer(w.v, &w.from, 1, true, w.now_ns + 9 * sec);
	vitals_tick(w.v, w.now_ns + 20 * sec);
	assert_int_equal(all(&w), 0);
	w.now_ns += 30 * sec;
	send_alarm(&w, 2, false, 10000);
	vitals_tick(w.v, w.now_ns + 9 * sec);
	assert_int_equal(all(&w), 0);
	vitals_tick(w.v, w.now_ns + 11 * sec);
	assert_int_equal(w.count[REASON_VITALS_ALARM_LOST], 1);
	assert_string_equal(text(&w.last[REASON_VITALS_ALARM_LOST], "kind"), "unanswered");
	w.now_ns += 30 * sec;
	send_alarm(&w, 3, false, 10000);
	vitals_answer(w.v, &w.from, 3, false, w.now_ns + sec);
	assert_string_equal(text(&w.last[REASON_VITALS_ALARM_LOST], "kind"), "refused");
	w.now_ns += 30 * sec;
	send_alarm(&w, 4, true, 0);
	assert_string_equal(text(&w.last[REASON_VITALS_ALARM_LOST], "kind"), "withheld");
	assert_int_equal(w.count[REASON_VITALS_ALARM_LOST], 3);
	close_ward(&w);
}

static void alarms_taken_out_of_a_list(void **state)
{
	struct ward w;

	for (unsigned k = 0; k < 2; k++) {
		open_ward(&w, 75, 71);
		for (unsigned i = 0; i < 30; i++) {
			const struct vitals_numeric n = {
				.code = HR, .value = 140, .in_alarm = true};
			struct vitals_place p = {.time_ns = w.now_ns, .channel = 5};
			struct vitals_monitor *m = hear(&w, &p);

			vitals_numeric(w.v, m, &n);
			vitals_alarm_list(w.v, m, 0, k == 1); /* 1: somebody silenced them */
			w.now_ns += 1000000000;
		}
		assert_int_equal(w.count[REASON_VITALS_ALARM_LOST], k == 0);
		close_ward(&w);
	}
}

/* Ten times as many monitors and waves as there is room for: the oldest go, nothing else happens. */
static void memory_is_bounded(void **state)
{
	struct ward w;

	open_ward(&w, 75, 80);
	for (unsigned i = 0; i < 2000; i++) {
		struct vitals_place p = {.time_ns = w.now_ns += 1000000, .channel = (uint16_t)i};
		struct vitals_monitor *m;

		w.from.ip.b[14] = (uint8_t)(i % 80);
		w.from.subject = i % 3;
		m = hear(&w, &p);
		next_samples(&w);
		for (unsigned k = 0; k < 20; k++)
			send_wave(&w, m, (uint16_t)(0x100 + k), w.ecg, ECG_N, true);
		for (unsigned k = 0; k < 40; k++)
			tell_number_of(&w, (uint16_t)(0x4000 + k + i), k);
	}
	close_ward(&w);
}

/* As many strangers as there is room for come by, each with a name of its own. */
static void strangers_come(struct ward *w, bool between)
{
	const struct vitals_source own = w->from;

	for (unsigned i = 0; i < 8; i++) {
		struct vitals_place p = {.time_ns = w->now_ns += 1000000, .channel = 1};

		w->from.ip.b[14] = (uint8_t)(1 + i);
		w->from.system = 0x1000 + i;
		send_wave(w, hear(w, &p), 0x102, w->ecg, ECG_N, true);
		w->from = own;
		p.time_ns = w->now_ns += 1000000;
		if (between)
			hear(w, &p);
	}
}

/* Who is heard now and then is remembered however many others come; who is not, makes room. */
static void the_longest_unheard_goes(void **state)
{
	for (unsigned heard = 0; heard < 2; heard++) {
		struct vitals_place p = {.channel = 1};
		struct ward w;

		open_ward(&w, 75, 81);
		p.time_ns = w.now_ns;
		w.from.system = 77;
		hear(&w, &p);
		for (unsigned i = 0; i < 3; i++)
			strangers_come(&w, heard);
		assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES], 0);

		p.time_ns = w.now_ns += 1000000;
		w.from.ip.b[13] = 9; /* somebody else by its name */
		hear(&w, &p);
		assert_int_equal(w.count[REASON_VITALS_TWO_SOURCES], heard);
		w.from.ip.b[13] = 0;
		w.from.bound = false;
		hear(&w, &p);
		assert_int_equal(w.count[REASON_VITALS_UNBOUND_SOURCE], heard);
		close_ward(&w);
	}
}

/* Values of any size, periods of any length, times that jump: nothing breaks. */
static void absurd_input_is_harmless(void **state)
{
	struct ward w;
	uint64_t seed = 3;

	open_ward(&w, 75, 81);
	for (unsigned i = 0; i < 20000; i++) {
		int32_t values[8];
		struct vitals_wave in = {.code = ECG, .values = values, .count = 8};
		struct vitals_place p;
		struct vitals_monitor *m;

		for (unsigned k = 0; k < 8; k++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			values[k] = (int32_t)(seed >> (seed % 33));
		}
		w.now_ns += seed % 5 ? seed >> 40 : seed >> 5;
		p = (struct vitals_place){.time_ns = w.now_ns,
					  .channel = (uint16_t)(seed % 4),
					  .sequence_bits = seed % 3 ? 16 : 32,
					  .sequence = (uint32_t)(seed >> 7),
					  .clock_hz = seed % 7 ? 8000 : 1,
					  .clock = (uint32_t)(seed >> 11)};
		in.period_ns = seed % 3 ? 4000000 : (uint32_t)(seed >> 33) | 1;
		m = hear(&w, &p);
		if (m)
			vitals_wave(w.v, m, &in);
	}
	close_ward(&w);
}

static void a_finding_is_written(void **state)
{
	const struct vitals_finding f = {
		.reason = REASON_VITALS_FLATLINE_PERFUSING,
		.confidence = 0.75,
		.facts = 2,
		.fact = {{.name = "flat", .text = "ECG II"}, {.name = "pulses", .number = 3}},
	};
	char buf[512];
	struct json j = json_new(buf, sizeof(buf) - 1);

	json_open(&j, NULL);
	vitals_write(&f, "monitor-1", &j);
	json_close(&j);
	assert_false(j.out.bad);
	buf[j.out.len] = 0;
	assert_string_equal(
		buf, "{\"vitals\":{\"device\":\"monitor-1\",\"finding\":\"flatline_perfusing\","
		     "\"confidence\":0.75,\"evidence\":{\"flat\":\"ECG II\",\"pulses\":3}}}");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_calm_hour_says_nothing),
		cmocka_unit_test(a_flat_line_over_a_pulse_is_found_in_time),
		cmocka_unit_test(a_scale_is_no_rail),
		cmocka_unit_test(waves_of_one_moment_in_several_messages),
		cmocka_unit_test(spoilt_numbers_hide_no_flat_line),
		cmocka_unit_test(every_pulse_counts_by_whatever_code),
		cmocka_unit_test(one_flat_lead_is_less_sure),
		cmocka_unit_test(a_finding_that_lasts_is_not_repeated),
		cmocka_unit_test(an_arrest_is_never_called_forged),
		cmocka_unit_test(hands_on_a_chest_are_no_heart),
		cmocka_unit_test(hands_that_go_on_over_a_flat_line_are_no_heart),
		cmocka_unit_test(hands_that_help_a_heart_are_none),
		cmocka_unit_test(a_pulse_that_was_missed_is_no_arrest),
		cmocka_unit_test(electrodes_off_are_never_called_forged),
		cmocka_unit_test(a_pulse_that_is_gone_is_told_as_that),
		cmocka_unit_test(a_test_signal_is_no_patient),
		cmocka_unit_test(a_replay_is_found),
		cmocka_unit_test(a_regular_signal_is_no_replay),
		cmocka_unit_test(beats_are_counted),
		cmocka_unit_test(messages_out_of_their_row_are_told),
		cmocka_unit_test(numbers_that_may_repeat),
		cmocka_unit_test(two_rows_of_numbers_are_two_machines),
		cmocka_unit_test(machines_are_told_apart),
		cmocka_unit_test(a_leap_is_told_and_the_wave_asked),
		cmocka_unit_test(a_slow_drift_is_told),
		cmocka_unit_test(a_lost_alarm_is_told),
		cmocka_unit_test(alarms_taken_out_of_a_list),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(the_longest_unheard_goes),
		cmocka_unit_test(absurd_input_is_harmless),
		cmocka_unit_test(a_finding_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
