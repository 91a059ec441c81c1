/* Flat lines: those that are forged, and the arrests, electrodes and tests that are none. */
#include "vitals_kit.h"

#include "guard/vitals/flatline.h"

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
		assert_true(w.sure[REASON_VITALS_FLATLINE_PERFUSING] > 0);
		assert_true(w.first_ns[REASON_VITALS_FLATLINE_PERFUSING] - from <= 3000000000ull);
		assert_string_equal(text(f, "live"), "pleth");
		assert_true(f->since_ns <= f->time_ns - 1000000000ull);
		assert_int_equal(f->device, 7);
		close_ward(&w);
	}
}

/* 133 beats a minute, uneven by `sway` times up to 32 ms; each has its pulse so long after it. */
struct heart {
	unsigned sway, late_ms;
	bool stands_still; /* after `last_ms`; else its ECG alone ends there */
};

/* How long ago the last beat was, of those before `until_ms`; more than any pulse lasts: there was none. */
static unsigned since_beat(const struct heart *h, unsigned ms, unsigned until_ms)
{
	static const unsigned sway[] = {16, 32, 8, 0, 24, 12, 28};
	unsigned last = UINT32_MAX / 2;

	for (unsigned n = 0, at = 0; at <= ms && at < until_ms; n++) {
		last = ms - at;
		at += 434 + h->sway * sway[n % 7];
	}
	return last;
}

static struct flatline quick_heart(const struct heart *h, unsigned last_ms, unsigned end_ms)
{
	static const struct flatline none;
	struct pulse ecg, pulse;

	pulse_init(&ecg, true);
	pulse_init(&pulse, false);
	for (unsigned ms = 0; ms < end_ms; ms += 8) {
		unsigned beat = since_beat(h, ms, last_ms), late = UINT32_MAX;

		if (ms > h->late_ms)
			late = since_beat(h, ms - h->late_ms, h->stands_still ? last_ms : end_ms);
		pulse_sample(&ecg, beat < 40 ? 400 : 0, 8000000, ms * 1000000ull);
		pulse_sample(&pulse, late < 240 ? 900 - 7.5 * fabs(late - 120.0) : 0, 8000000,
			     ms * 1000000ull);
	}
	return flatline_judge(&ecg, &pulse, &none);
}

/* A beat's end is when it moved last, not when it leaves the span that is compared. */
static void pulses_are_explained_by_when_a_beat_was(void **state)
{
	const struct heart h = {.sway = 1, .late_ms = 130};
	struct flatline f = quick_heart(&h, 45140, 46640);

	assert_true(f.confidence > VITALS_DOUBT);
	assert_int_equal(f.pulses, 2);
	assert_true(quick_heart(&h, 45140, 46140).confidence == 0);
}

/*
 * A monitor may show a pleth seconds late, which then goes on over an arrest. That it does not is known from a
 * heart that beats unevenly; of one like a clock after three seconds.
 */
static void a_pulse_that_is_shown_late_is_doubted(void **state)
{
	struct heart h = {.stands_still = true};
	struct flatline f;
	unsigned told = 0;

	for (h.sway = 0; h.sway < 2; h.sway++)
		for (h.late_ms = 580; h.late_ms <= 2630; h.late_ms += 50)
			for (unsigned end = 46200; end < 51000; end += 256) {
				f = quick_heart(&h, 45000, end);
				assert_true(f.confidence <= VITALS_DOUBT);
				told += f.confidence > 0;
			}
	assert_true(told > 50);

	h = (struct heart){.late_ms = 130};
	f = quick_heart(&h, 45000, 47600);
	assert_string_equal(f.doubt, "a pulse that is shown late");
	f = quick_heart(&h, 45000, 49000);
	assert_true(f.confidence > VITALS_DOUBT && !f.doubt);
}

/* What an electrode does that lets go: `rest` mV, where a beat has 1.5, is where the line goes. */
static void let_go(unsigned i, double rest, double hum)
{
	struct ward w;

	open_ward(&w, 50 + 8 * (i % 10), 1300 + i);
	play(&w, 60 + i * 0.37);
	w.flat = true;
	w.rest = rest;
	w.hum = hum;
	play(&w, 30);
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	if (w.sure[REASON_VITALS_FLATLINE_PERFUSING])
		fail_msg("run %u", i);
	/* A jump may be taken for a beat that is half as high. */
	if (rest <= 0 || rest > 1)
		assert_string_equal(text(&w.last[REASON_VITALS_FLATLINE_PERFUSING], "may_be"),
				    "an electrode that lets go");
	close_ward(&w);
}

/* Further than any beat, sooner, or to where the line never rested. One that hums was not flattened by hand either. */
static void an_electrode_that_lets_go_is_doubted(void **state)
{
	for (unsigned i = 0; i < 20; i++)
		let_go(i, (i % 2 ? 1 : -1) * (2 + i % 6 / 4.0), 0);
	for (unsigned i = 20; i < 30; i++)
		let_go(i, 0, 0.04 + i % 10 / 500.0);
	for (unsigned i = 30; i < 60; i++)
		let_go(i, (i % 2 ? 1 : -1) * (0.4 + (i - 30) / 20.0), 0);
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

/* Its numbers and its clock, too, half a minute after it was switched off. */
static void a_monitor_that_starts_anew_says_nothing(void **state)
{
	struct ward w;

	open_ward(&w, 75, 8);
	play(&w, 60);
	w.now_ns += 30000000000ull;
	w.block = 0;
	vitals_restart(w.v, &w.from, VITALS_EVERY_CHANNEL, w.now_ns);
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	w.flat = true;
	play(&w, 4);
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	close_ward(&w);
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

static double bump(double t, double at, double width)
{
	return exp(-(t - at) * (t - at) / (2 * width * width));
}

/* T waves more than half as high as R: they are taken for beats, and there are two to each pulse. */
static void high_t_waves_hide_no_flat_line(void **state)
{
	struct ward w;

	open_ward(&w, 75, 44);
	for (unsigned k = 0; k < 70000 / 256; k++) {
		struct vitals_monitor *m;
		struct vitals_place p;

		for (unsigned i = 0; i < ECG_N; i++) {
			double t = fmod(k * 0.256 + i / 250.0, 0.66);
			double ecg = bump(t, 0.1, 0.015) + 0.6 * bump(t, 0.4, 0.03);

			w.ecg[i] = (int32_t)(8192 + (k < 240 ? 400 * ecg + noise(&w) : 0));
			w.pleth[i / 2] = (int32_t)(500 + 1000 * bump(t, 0.4, 0.08) + noise(&w));
		}
		w.now_ns += BLOCK;
		w.block++;
		p = place_of(&w, 1);
		m = hear(&w, &p);
		send_wave(&w, m, ECG, w.ecg, ECG_N, true);
		send_wave(&w, m, PLETH, w.pleth, PLETH_N, false);
	}
	assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	close_ward(&w);
}

/* A minute of a heart whose pulses a balloon pump raises, then four seconds of one of both alone. */
static void help_heart(struct ward *w, double height, double rate, bool heart_goes_on)
{
	double phase = 0;

	for (unsigned k = 0; k < 64000 / 256; k++) {
		bool alive = k < 60000 / 256;
		struct vitals_monitor *m;
		struct vitals_place p;

		for (unsigned i = 0; i < ECG_N; i++) {
			double s = k * 0.256 + i / 250.0, each = 60 / rate * (1 + 0.02 * sin(s));
			double pulse = alive || heart_goes_on ? bump(phase * each, 0.35, 0.06) : 0;

			phase = fmod(phase + 0.004 / each, 1);
			w->ecg[i] = (int32_t)(8192 + (alive ? 400 * bump(phase * each, 0.1, 0.015) +
								      noise(w)
							    : 0));
			pulse += height * bump(phase * each, 0.35 + 0.3 * each, 0.07);
			w->pleth[i / 2] = (int32_t)(500 + 1000 * pulse + noise(w));
		}
		w->now_ns += BLOCK;
		w->block++;
		p = place_of(w, 1);
		m = hear(w, &p);
		send_wave(w, m, ECG, w->ecg, ECG_N, true);
		send_wave(w, m, PLETH, w->pleth, PLETH_N, false);
	}
}

/* It triggers itself and goes on, evenly. What the heart had made of the pulse is gone. */
static void a_pump_that_goes_on_over_an_arrest_is_doubted(void **state)
{
	static const double heights[] = {0.3, 0.6, 0.9, 1.2};
	unsigned told = 0, sure = 0;
	struct ward w;

	for (unsigned i = 0; i < 32; i++) {
		open_ward(&w, 75, 70 + i);
		help_heart(&w, heights[i % 4], 65 + 10 * (i / 4), false);
		told += w.count[REASON_VITALS_FLATLINE_PERFUSING];
		sure += w.sure[REASON_VITALS_FLATLINE_PERFUSING];
		close_ward(&w);
	}
	assert_true(told > 0);
	assert_int_equal(sure, 0);
}

static void a_heart_that_a_pump_helps_is_still_one(void **state)
{
	struct ward w;

	open_ward(&w, 75, 71);
	help_heart(&w, 0.4, 75, true);
	assert_true(w.sure[REASON_VITALS_FLATLINE_PERFUSING] > 0);
	close_ward(&w);
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

/* However long it lasts: for many more pulses than are kept, until they end as well. */
static void a_flat_line_that_lasts_is_told_every_minute(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 2; i++) {
		open_ward(&w, 60 + 40 * i, 60 + i);
		play(&w, 45);
		w.flat = true;
		play(&w, 5 * 60);
		assert_in_range(w.count[REASON_VITALS_FLATLINE_PERFUSING], 5 * 2,
				6 * 2); /* leads */
		w.arrest = true;
		play(&w, 10);
		memset(w.count, 0, sizeof(w.count));
		play(&w, 180);
		assert_int_equal(all(&w), 0);
		w.pace = 110;
		play(&w, 180);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

/* An artificial heart without a pulse, for days: nobody reads what is told every minute. */
static void what_stays_doubtful_is_told_ever_more_rarely(void **state)
{
	struct ward w;

	open_ward(&w, 75, 7);
	play(&w, 60);
	w.pulse_flat = true;
	play(&w, 2 * 3600);
	assert_in_range(w.count[REASON_VITALS_PULSE_ABSENT], 6, 8);
	memset(w.count, 0, sizeof(w.count));
	w.pulse_flat = false;
	play(&w, 120);
	w.pulse_flat = true;
	play(&w, 70);
	assert_int_equal(w.count[REASON_VITALS_PULSE_ABSENT], 1);
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

/* So soon, at the heart's own pace, they look like it: the patient is looked at first. */
static void hands_that_come_at_once_are_doubted(void **state)
{
	struct ward w;

	for (unsigned i = 0; i < 160; i++) {
		open_ward(&w, 45 + 10 * (i % 8), 3000 + i);
		play(&w, 45 + i * 0.37);
		w.arrest = true;
		play(&w, 0.9 + 0.256 * (i / 8 % 4));
		w.pace = 85 + 10 * (i / 32);
		play(&w, 30);
		if (w.sure[REASON_VITALS_FLATLINE_PERFUSING])
			fail_msg("run %u", i);
		close_ward(&w);
	}
}

static void electrodes_put_on_anew_are_doubted(void **state)
{
	const struct vitals_finding *f;
	struct ward w;

	for (unsigned i = 0; i < 10; i++) {
		open_ward(&w, 50 + 8 * i, 1100 + i);
		play(&w, 60 + i * 0.37);
		w.handled = true;
		play(&w, 1 + i / 2.0);
		w.handled = false;
		w.gain = 0.08;
		play(&w, 60);
		f = &w.last[REASON_VITALS_FLATLINE_PERFUSING];
		assert_true(w.count[REASON_VITALS_FLATLINE_PERFUSING] > 0);
		assert_int_equal(w.sure[REASON_VITALS_FLATLINE_PERFUSING], 0);
		assert_string_equal(text(f, "may_be"), "electrodes put on anew");
		close_ward(&w);
	}
}

/* One pulse of a slow heart may be a blow on the chest. It is told once, and at once when the next has come. */
static void a_doubt_that_is_gone_is_told(void **state)
{
	struct ward w;

	open_ward(&w, 45, 1200);
	play(&w, 60);
	w.flat = true;
	for (unsigned i = 0; i < 12 && !w.count[REASON_VITALS_FLATLINE_PERFUSING]; i++)
		play(&w, 0.2);
	assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 2); /* leads */
	assert_int_equal(w.sure[REASON_VITALS_FLATLINE_PERFUSING], 0);
	assert_string_equal(text(&w.last[REASON_VITALS_FLATLINE_PERFUSING], "may_be"),
			    "chest compressions");
	play(&w, 2);
	assert_int_equal(w.count[REASON_VITALS_FLATLINE_PERFUSING], 4);
	assert_int_equal(w.sure[REASON_VITALS_FLATLINE_PERFUSING], 2);
	close_ward(&w);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_calm_hour_says_nothing),
		cmocka_unit_test(a_flat_line_over_a_pulse_is_found_in_time),
		cmocka_unit_test(pulses_are_explained_by_when_a_beat_was),
		cmocka_unit_test(a_pulse_that_is_shown_late_is_doubted),
		cmocka_unit_test(an_electrode_that_lets_go_is_doubted),
		cmocka_unit_test(a_scale_is_no_rail),
		cmocka_unit_test(waves_of_one_moment_in_several_messages),
		cmocka_unit_test(spoilt_numbers_hide_no_flat_line),
		cmocka_unit_test(a_monitor_that_starts_anew_says_nothing),
		cmocka_unit_test(every_pulse_counts_by_whatever_code),
		cmocka_unit_test(high_t_waves_hide_no_flat_line),
		cmocka_unit_test(a_pump_that_goes_on_over_an_arrest_is_doubted),
		cmocka_unit_test(a_heart_that_a_pump_helps_is_still_one),
		cmocka_unit_test(one_flat_lead_is_less_sure),
		cmocka_unit_test(a_finding_that_lasts_is_not_repeated),
		cmocka_unit_test(a_flat_line_that_lasts_is_told_every_minute),
		cmocka_unit_test(what_stays_doubtful_is_told_ever_more_rarely),
		cmocka_unit_test(an_arrest_is_never_called_forged),
		cmocka_unit_test(hands_on_a_chest_are_no_heart),
		cmocka_unit_test(hands_that_come_at_once_are_doubted),
		cmocka_unit_test(electrodes_put_on_anew_are_doubted),
		cmocka_unit_test(a_doubt_that_is_gone_is_told),
		cmocka_unit_test(hands_that_go_on_over_a_flat_line_are_no_heart),
		cmocka_unit_test(hands_that_help_a_heart_are_none),
		cmocka_unit_test(a_pulse_that_was_missed_is_no_arrest),
		cmocka_unit_test(electrodes_off_are_never_called_forged),
		cmocka_unit_test(a_pulse_that_is_gone_is_told_as_that),
		cmocka_unit_test(a_test_signal_is_no_patient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
