#ifndef BEDWARDEN_TEST_VITALS_KIT_H
#define BEDWARDEN_TEST_VITALS_KIT_H
/* What the tests of vital signs share: a bedside monitor, and what is found about it. */
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
	unsigned count[REASON_COUNT], sure[REASON_COUNT]; /* and of those that are not doubted */
	struct vitals_finding last[REASON_COUNT];
	uint64_t first_ns[REASON_COUNT];
	/* what is done to the signals */
	bool flat, flat_one, arrest, off, test, rail, pulse_flat, pulse_off;
	uint16_t pleth_code;
	int32_t low, high; /* what the monitor states of its ECG's values */
	bool fibrillation; /* in place of the heart's own ECG */
	bool handled;	   /* somebody is at the electrodes */
	double gain;	   /* of the ECG since; 0: as it was */
	double rest,
		hum; /* where a flat line lies, and how far it goes to each side at 50 Hz, in mV */
	double pace; /* of hands on the chest, a minute; no other pulse then */
	double pressed; /* how many times they did */
	uint64_t seed;
	int32_t ecg[ECG_N], lead2[ECG_N], pleth[PLETH_N];
};

static inline void found(void *arg, const struct vitals_finding *f)
{
	struct ward *w = arg;

	assert_true(f->confidence > 0 && f->confidence < 1);
	assert_true(f->facts <= VITALS_EVIDENCE);
	if (!w->count[f->reason]++)
		w->first_ns[f->reason] = f->time_ns;
	w->sure[f->reason] += f->confidence > VITALS_DOUBT;
	w->last[f->reason] = *f;
}

static inline void open_ward(struct ward *w, double rate, uint64_t seed)
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

static inline void close_ward(struct ward *w)
{
	vitals_free(w->v);
	ecgsyn_free(w->heart);
}

static inline double noise(struct ward *w)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return ((double)(w->seed >> 40) / (1 << 24) - 0.5) * 6;
}

/* Hands move the blood, and the electrodes hardly. */
static inline void press(struct ward *w, double *pleth, double *mv)
{
	double wave = sin(M_PI * w->pressed);

	w->pressed += w->pace / 60 / 250;
	*pleth = 0.8 * wave * wave;
	*mv += 0.05 * *pleth;
}

static inline void next_samples(struct ward *w)
{
	for (unsigned i = 0; i < ECG_N; i++) {
		double pleth, mv = ecgsyn_next(w->heart, NULL, &pleth), line;

		if (w->arrest)
			mv = pleth = 0;
		if (w->fibrillation)
			mv = 0.3 * sin(2 * M_PI * 5.3 * (w->block * 0.256 + i / 250.0));
		if (w->handled)
			mv = noise(w);
		if (w->gain > 0)
			mv *= w->gain;
		if (w->pace > 0)
			press(w, &pleth, &mv);
		w->ecg[i] = (int32_t)(8192 + 400 * mv + noise(w));
		w->lead2[i] = (int32_t)(8192 + 250 * mv + noise(w));
		line = w->rest + w->hum * sin(2 * M_PI * 50 * (w->block * 0.256 + i / 250.0));
		if (w->flat || w->flat_one)
			w->ecg[i] = (int32_t)(8192 + 400 * line);
		if (w->flat)
			w->lead2[i] = (int32_t)(8192 + 250 * line);
		if (w->rail)
			w->ecg[i] = w->lead2[i] = 16383;
		if (i % 2 == 0)
			w->pleth[i / 2] =
				(int32_t)(500 + 2000 * (w->pulse_flat ? 0 : pleth) + noise(w));
	}
}

static inline struct vitals_place place_of(struct ward *w, uint16_t channel)
{
	return (struct vitals_place){.time_ns = w->now_ns,
				     .channel = channel,
				     .sequence_bits = 16,
				     .sequence = w->block & 0xffff,
				     .clock_hz = 8000,
				     .clock = w->block * 2048};
}

static inline struct vitals_monitor *hear(struct ward *w, const struct vitals_place *p)
{
	return vitals_heard(w->v, &w->from, p);
}

static inline void send_wave(struct ward *w, struct vitals_monitor *m, uint16_t code,
			     const int32_t *v, unsigned n, bool ecg)
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
static inline void send_block(struct ward *w)
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

static inline void play(struct ward *w, double seconds)
{
	for (double s = 0; s < seconds; s += 0.256) {
		next_samples(w);
		send_block(w);
	}
}

static inline unsigned all(const struct ward *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		n += w->count[i];
	return n;
}

#endif
