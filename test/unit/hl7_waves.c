/* Curves in HL7, as IHE PCD's Waveform Content Module writes them, from the wire to what is found. */
#include "guard/bedside.h"

#include <math.h>
#include <stdio.h>

#include "demo/ecgsyn.h"
#include "guard/proto/hl7.h"
#include "unit.h"

#define ECG_N	500 /* a segment of them is longer than any that is no wave */
#define PLETH_N 125
#define START	1700000000ull
#define REPLAY	12 /* seconds that come again */

enum times { IN_OBX, IN_OBR, WITHOUT_POINT, BY_SECOND };

/* A monitor that tells one curve, or two, a second at a time. */
struct ward {
	struct talk *talk;
	struct bedside *bedside;
	struct ecgsyn *heart;
	uint64_t second, behind_ns; /* told, and how much later than measured they come */
	unsigned found[REASON_COUNT], patients;
	uint64_t first[REASON_COUNT]; /* the second it was found in */
	uint64_t seed;
	enum times times;
	bool flat, arrest, pleth_first, no_ecg, again;
	const char *ecg_flag, *ecg_status;
	char text[ECG_N * 16 * 3];
	char ecg[REPLAY][ECG_N * 16], pleth[REPLAY][PLETH_N * 8]; /* of the last seconds */
};

static void found(void *arg, const struct vitals_finding *f)
{
	struct ward *w = arg;

	if (!w->found[f->reason]++)
		w->first[f->reason] = w->second;
}

static void seen(void *arg, const struct bedside_message *m)
{
	((struct ward *)arg)->patients++;
}

static void said(void *arg, const struct talk *t, const struct proto_input *in,
		 const struct msg *msg)
{
	struct ward *w = arg;
	struct packet p = {.time_ns = in->time_ns};
	struct flow f = {.id = 1};
	const struct session_message s = {
		.proto = &hl7_proto, .msg = msg, .packet = &p, .flow = &f};
	const struct bedside_message m = {.said = &s, .bound = true};

	bedside_said(w->bedside, &m);
}

static void open_ward(struct ward *w, uint64_t seed)
{
	const struct ecgsyn_options e = {
		.rate_hz = ECG_N, .heart_rate = 72, .heart_sd = 1.5, .seed = seed};

	*w = (struct ward){.ecg_flag = "", .ecg_status = "R", .seed = seed};
	w->talk = talk_new(&hl7_proto);
	w->bedside = bedside_new(16, found, seen, w);
	w->heart = ecgsyn_new(&e);
	assert_true(w->talk && w->bedside && w->heart);
}

static void close_ward(struct ward *w)
{
	free(w->talk);
	bedside_free(w->bedside);
	ecgsyn_free(w->heart);
}

static double noise(struct ward *w)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return ((double)(w->seed >> 40) / (1 << 24) - 0.5) * 0.01;
}

static int put_wave(char *to, size_t room, const char *code, const char *samples,
		    const struct ward *w, bool ecg)
{
	char at[32];

	snprintf(at, sizeof(at), "20231114%02u%02u%02u.000", (unsigned)(w->second / 3600 % 24),
		 (unsigned)(w->second / 60 % 60), (unsigned)(w->second % 60));
	return snprintf(
		to, room,
		"OBX|1|NA|%s^MDC|1.1.1.1|%s|266418^MDC_DIM_MILLI_VOLT^MDC||%s|||%s|||%s\r"
		"OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|%d|264608^MDC_DIM_PER_SEC^MDC|||||R\r",
		code, samples, ecg ? w->ecg_flag : "", ecg ? w->ecg_status : "R",
		w->times == IN_OBX ? at : "", ecg ? ECG_N : PLETH_N);
}

static void next_second(struct ward *w, char *ecg, char *pleth)
{
	size_t e = 0, p = 0;

	for (unsigned i = 0; i < ECG_N; i++) {
		double pulse, mv = ecgsyn_next(w->heart, NULL, &pulse);

		if (w->arrest)
			mv = pulse = 0;
		mv = w->flat ? 0 : mv + noise(w);
		e += (size_t)sprintf(ecg + e, "%s%.6f", i ? "^" : "", mv);
		if (i % (ECG_N / PLETH_N) == 0)
			p += (size_t)sprintf(pleth + p, "%s%d", i ? "^" : "",
					     (int)(1000 + 2000 * pulse + 300 * noise(w)));
	}
}

/* In two pieces, cut somewhere. */
static void say(struct ward *w, struct proto_input *in, size_t len)
{
	size_t cut = w->second * 997 % len, at = 0, used;

	for (unsigned piece = 0; piece < 2; piece++) {
		in->data = unit_exact(w->text + at, (piece ? len : cut) - at);
		assert_int_not_equal(talk_read(w->talk, in, said, w, &used), PARSE_BAD);
		free((void *)(uintptr_t)in->data.data);
		at += used;
	}
	assert_int_equal(at, len);
}

static void send(struct ward *w)
{
	char *ecg = w->ecg[w->second % REPLAY], *pleth = w->pleth[w->second % REPLAY];
	static const char *const obr[] = {
		[IN_OBX] = "", [IN_OBR] = ".000", [WITHOUT_POINT] = "000", [BY_SECOND] = ""};
	const uint64_t t = START / 86400 * 86400 + w->second;
	struct proto_input in = {.time_ns = (t + 1) * 1000000000 + w->behind_ns};
	size_t n;

	if (!w->again)
		next_second(w, ecg, pleth);
	n = (size_t)sprintf(
		w->text,
		"\vMSH|^~\\&|MON|ICU|AM|ICU|20231114%02u%02u%02u||ORU^R01^ORU_R01|%u|P|2.6\r"
		"PID|1||4711\rOBR|1|||CONTINUOUS WAVEFORM|||20231114%02u%02u%02u%s\r",
		(unsigned)(w->second / 3600 % 24), (unsigned)(w->second / 60 % 60),
		(unsigned)(w->second % 60), (unsigned)w->second, (unsigned)(w->second / 3600 % 24),
		(unsigned)(w->second / 60 % 60), (unsigned)(w->second % 60), obr[w->times]);
	for (unsigned i = 0; i < 2; i++) {
		bool lead = i == w->pleth_first;

		if (lead && w->no_ecg)
			continue;
		n += (size_t)put_wave(w->text + n, sizeof(w->text) - n,
				      lead ? "131330^MDC_ECG_LEAD_II"
					   : "150452^MDC_PULS_OXIM_PLETH",
				      lead ? ecg : pleth, w, lead);
	}
	n += (size_t)sprintf(w->text + n, "\x1c\r");
	say(w, &in, n);
}

static void play(struct ward *w, unsigned seconds)
{
	while (seconds--) {
		send(w);
		w->second++;
	}
}

static unsigned all(const struct ward *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		n += w->found[i];
	return n;
}

/* Two minutes as they are, then ten seconds, or more, as `change` has made them. */
static void after(struct ward *w, enum times times, void (*change)(struct ward *w),
		  unsigned seconds)
{
	open_ward(w, 3);
	w->times = times;
	play(w, 120);
	assert_int_equal(all(w), 0);
	change(w);
	play(w, seconds);
}

static void flatten(struct ward *w)
{
	w->flat = true;
}

static void stop(struct ward *w)
{
	w->arrest = true;
}

static struct ward w;

static void a_flat_line_over_a_pulse_is_found(void **state)
{
	for (enum times t = IN_OBX; t <= WITHOUT_POINT; t++) {
		after(&w, t, flatten, 10);
		assert_true(w.found[REASON_VITALS_FLATLINE_PERFUSING]);
		assert_true(w.first[REASON_VITALS_FLATLINE_PERFUSING] < 123);
		assert_int_equal(w.patients, 260);
		close_ward(&w);
	}
}

static void an_arrest_is_none(void **state)
{
	after(&w, IN_OBX, stop, 30);
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

/* Behind the samples, which may be many: all of it is read before they are. */
static void mark(struct ward *s)
{
	s->flat = true;
	s->ecg_flag = s->seed % 2 ? "L~INV" : "NAV";
}

static void take_back(struct ward *s)
{
	s->flat = true;
	s->ecg_status = "X";
}

static void demonstrate(struct ward *s)
{
	s->flat = true;
	s->ecg_flag = "DEMO";
}

static void electrodes_that_the_monitor_knows_are_off_are_none(void **state)
{
	static void (*const off[])(struct ward *) = {mark, take_back, demonstrate};

	for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		after(&w, IN_OBX, off[i], 30);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

/* Two seconds without one curve, and a minute later the heart stops: its last pulses are no later for that. */
static void a_curve_that_was_away_keeps_its_time(void **state)
{
	for (uint64_t seed = 1; seed < 6; seed++) {
		open_ward(&w, seed);
		play(&w, 120);
		w.no_ecg = true;
		play(&w, 2);
		w.no_ecg = false;
		play(&w, 60);
		w.arrest = true;
		play(&w, 20);
		assert_int_equal(all(&w), 0);
		close_ward(&w);
	}
}

static void the_order_of_curves_is_nothing(void **state)
{
	open_ward(&w, 3);
	w.pleth_first = true;
	play(&w, 120);
	w.arrest = true;
	play(&w, 2);
	w.arrest = false;
	play(&w, 60);
	assert_int_equal(all(&w), 0);
	w.flat = true;
	play(&w, 5);
	assert_true(w.found[REASON_VITALS_FLATLINE_PERFUSING]);
	close_ward(&w);
}

static void replay(struct ward *s)
{
	s->again = true;
}

static void seconds_that_come_again_are_found(void **state)
{
	after(&w, IN_OBX, replay, REPLAY);
	assert_true(w.found[REASON_VITALS_REPLAYED]);
	close_ward(&w);
}

/* To another station, too, and some of it late. */
static void what_is_told_twice_is_no_replay(void **state)
{
	open_ward(&w, 5);
	for (w.second = 0; w.second < 150; w.second++) {
		const uint64_t now = w.second;

		send(&w);
		if (w.second > 90) { /* another receiver, three seconds behind */
			w.again = true;
			w.second -= 3;
			w.behind_ns = 3000000000;
			send(&w);
			w.second = now;
			w.behind_ns = 0;
			w.again = false;
		}
	}
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

static void curves_without_fine_times_are_not_compared(void **state)
{
	after(&w, BY_SECOND, flatten, 30);
	assert_int_equal(all(&w), 0);
	assert_int_equal(w.patients, 300);
	close_ward(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flat_line_over_a_pulse_is_found),
		cmocka_unit_test(an_arrest_is_none),
		cmocka_unit_test(electrodes_that_the_monitor_knows_are_off_are_none),
		cmocka_unit_test(a_curve_that_was_away_keeps_its_time),
		cmocka_unit_test(the_order_of_curves_is_nothing),
		cmocka_unit_test(seconds_that_come_again_are_found),
		cmocka_unit_test(what_is_told_twice_is_no_replay),
		cmocka_unit_test(curves_without_fine_times_are_not_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
