/* The integrity of vital signs: what is found, and above all what is not. */
#include "vitals_kit.h"

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
	vitals_restart(w.v, &w.from, 2, w.now_ns);
	p = place_of(&w, 2);
	p.clock += 2048;
	p.time_ns += BLOCK;
	p.sequence = 0;
	assert_non_null(hear(&w, &p));
	vitals_restart(w.v, &w.from, VITALS_EVERY_CHANNEL, w.now_ns);
	p.sequence = 999;
	p.clock = 5;
	assert_non_null(hear(&w, &p));
	assert_int_equal(all(&w), 0);
	close_ward(&w);
}

/* Also where nothing was heard for a while before. */
static void a_poll_after_a_silence_begins_at_zero(void **state)
{
	struct vitals_place p;
	struct ward w;

	open_ward(&w, 75, 55);
	play(&w, 20);
	w.now_ns += 20 * 1000000000ull;
	vitals_restart(w.v, &w.from, 1, w.now_ns);
	p = place_of(&w, 1);
	p.clock += 20 * 8000;
	p.sequence = 0;
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
		cmocka_unit_test(a_replay_is_found),
		cmocka_unit_test(a_regular_signal_is_no_replay),
		cmocka_unit_test(beats_are_counted),
		cmocka_unit_test(messages_out_of_their_row_are_told),
		cmocka_unit_test(numbers_that_may_repeat),
		cmocka_unit_test(a_poll_after_a_silence_begins_at_zero),
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
