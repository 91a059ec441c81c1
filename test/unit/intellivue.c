#include "unit.h"

#include <math.h>

#include "demo/intellivue.h"

static struct bytes encode(const struct ivue_message *m, uint8_t buf[2048])
{
	struct writer w = writer_new(buf, 2048);

	ivue_write(&w, m);
	assert_false(w.bad);
	assert_true(w.len <= IVUE_MTU);
	return unit_exact(buf, w.len);
}

static struct ivue_message a_result(const uint8_t *ecg)
{
	return (struct ivue_message){
		.kind = IVUE_RESULT,
		.invoke = 7,
		.poll = 3,
		.sequence = 41,
		.time = 123456,
		.class_ = IVUE_CLASS_WAVE,
		.waves = 1,
		.numerics = 1,
		.wave = {{.handle = 0x101,
			  .physio = IVUE_ECG_II,
			  .samples = {ecg, 256},
			  .bits = 14,
			  .period_ticks = 16,
			  .low = -40.96,
			  .high = 40.95,
			  .high_raw = 16383}},
		.numeric = {{.handle = 0x201,
			     .physio = IVUE_HEART_RATE,
			     .unit = IVUE_UNIT_BPM,
			     .value = 71.5}},
	};
}

static void results_come_back(void **state)
{
	uint8_t ecg[256], buf[2048];
	struct ivue_message in, out;
	struct bytes b;

	for (unsigned i = 0; i < sizeof(ecg); i++)
		ecg[i] = (uint8_t)(i * 7);
	in = a_result(ecg);
	b = encode(&in, buf);
	assert_int_equal(ivue_read(b, &out), PARSE_OK);
	assert_int_equal(out.kind, IVUE_RESULT);
	assert_int_equal(out.invoke, 7);
	assert_int_equal(out.poll, 3);
	assert_int_equal(out.sequence, 41);
	assert_int_equal(out.time, 123456);
	assert_int_equal(out.class_, IVUE_CLASS_WAVE);
	assert_int_equal(out.waves, 1);
	assert_int_equal(out.wave[0].handle, 0x101);
	assert_int_equal(out.wave[0].samples.len, 256);
	assert_memory_equal(out.wave[0].samples.data, ecg, 256);
	assert_int_equal(out.wave[0].bits, 14);
	assert_int_equal(out.wave[0].period_ticks, 16);
	assert_true(fabs(out.wave[0].low + 40.96) < 1e-9);
	assert_int_equal(out.wave[0].high_raw, 16383);
	assert_int_equal(out.numerics, 1);
	assert_int_equal(out.numeric[0].physio, IVUE_HEART_RATE);
	assert_true(fabs(out.numeric[0].value - 71.5) < 1e-9);
	free((void *)b.data);
}

/* Every message that the two sides say to each other keeps its kind and its numbers. */
static void dialogue_comes_back(void **state)
{
	static const enum ivue_kind kinds[] = {
		IVUE_ASSOCIATE, IVUE_ASSOCIATED, IVUE_REFUSED,	   IVUE_RELEASE, IVUE_RELEASED,
		IVUE_ABORT,	IVUE_MDS_CREATE, IVUE_MDS_CREATED, IVUE_POLL,
	};
	uint8_t buf[2048];

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ivue_message out, in = {.kind = kinds[i],
					       .invoke = 9,
					       .poll = 2,
					       .time = 77,
					       .period = 80000,
					       .class_ = IVUE_CLASS_NUMERIC};
		struct bytes b = encode(&in, buf);

		assert_int_equal(ivue_read(b, &out), PARSE_OK);
		assert_int_equal(out.kind, kinds[i]);
		if (kinds[i] == IVUE_POLL) {
			assert_int_equal(out.period, 80000);
			assert_int_equal(out.class_, IVUE_CLASS_NUMERIC);
		}
		free((void *)b.data);
	}
}

/* The lengths in an association's headers cover all that follows them. */
static void association_lengths(void **state)
{
	struct ivue_message m = {.kind = IVUE_ASSOCIATE};
	uint8_t buf[2048];
	struct bytes b = encode(&m, buf);

	assert_int_equal(b.data[0], 0x0d);
	assert_int_equal(b.data[1], b.len - 2);
	assert_int_equal(b.data[16], 0xc1);
	assert_int_equal(b.data[17], b.len - 18);
	free((void *)b.data);
}

/* MDS Create Result as it is seen on the wire of a real central. */
static void mds_result_bytes(void **state)
{
	static const uint8_t real[] = {0xe1, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00, 0x14, 0x00, 0x01,
				       0x00, 0x01, 0x00, 0x0e, 0x00, 0x21, 0x00, 0x00, 0x00, 0x00,
				       0x00, 0x48, 0x47, 0x00, 0x0d, 0x06, 0x00, 0x00};
	struct ivue_message m = {.kind = IVUE_MDS_CREATED, .invoke = 1, .time = 0x00484700}, out;
	uint8_t buf[2048];
	struct bytes b = encode(&m, buf);

	assert_int_equal(b.len, sizeof(real));
	assert_memory_equal(b.data, real, sizeof(real));
	assert_int_equal(ivue_read(b, &out), PARSE_OK);
	assert_int_equal(out.time, 0x00484700);
	free((void *)b.data);
}

static void truncated_is_bad(void **state)
{
	uint8_t ecg[256] = {0}, buf[2048];
	struct ivue_message in = a_result(ecg), out;
	struct bytes whole = encode(&in, buf);

	for (size_t n = 0; n < whole.len; n++) {
		struct bytes b = unit_exact(whole.data, n);

		assert_int_equal(ivue_read(b, &out), PARSE_BAD);
		free((void *)b.data);
	}
	free((void *)whole.data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_come_back),   cmocka_unit_test(dialogue_comes_back),
		cmocka_unit_test(association_lengths), cmocka_unit_test(mds_result_bytes),
		cmocka_unit_test(truncated_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
