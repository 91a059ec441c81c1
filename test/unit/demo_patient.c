#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "demo/ecgsyn.h"
#include "demo/patient.h"
#include "demo/wfdb.h"

static void model_beats_at_its_rate(void **state)
{
	static const double rates[] = {45, 72, 140};

	for (unsigned k = 0; k < 3; k++) {
		struct ecgsyn_options o = {500, rates[k], 1.5, 7};
		struct ecgsyn *e = ecgsyn_new(&o);
		unsigned beats = 0;
		bool beat;

		assert_non_null(e);
		for (unsigned i = 0; i < 500 * 60; i++) {
			ecgsyn_next(e, &beat, NULL);
			beats += beat;
		}
		assert_in_range(beats, (unsigned)(rates[k] * 0.96),
				(unsigned)(rates[k] * 1.04) + 1);
		ecgsyn_free(e);
	}
}

/* The R peak is the highest point of every beat, and stands where the model says the beat is. */
static void r_peaks_are_the_highest(void **state)
{
	struct ecgsyn_options o = {500, 60, 1, 11};
	struct ecgsyn *e = ecgsyn_new(&o);
	double wave[10000], low = 0, high = 0;
	bool beat[10000];

	for (unsigned i = 0; i < 10000; i++) {
		wave[i] = ecgsyn_next(e, &beat[i], NULL);
		low = fmin(low, wave[i]);
		high = fmax(high, wave[i]);
	}
	assert_true(high > 1.1 && high < 1.4);
	assert_true(low < -0.3 && low > -0.6);
	for (unsigned i = 200; i < 9800; i++) {
		double near = -1;

		if (!beat[i])
			continue;
		for (unsigned k = i - 15; k <= i + 15; k++)
			near = fmax(near, wave[k]);
		for (unsigned k = i - 150; k <= i + 150; k++)
			assert_true(wave[k] <= near + 1e-9);
	}
	ecgsyn_free(e);
}

static void same_seed_same_heart(void **state)
{
	struct ecgsyn_options o = {500, 60, 1, 11};
	struct ecgsyn *a = ecgsyn_new(&o), *b = ecgsyn_new(&o);

	for (unsigned i = 0; i < 2000; i++)
		assert_true(ecgsyn_next(a, NULL, NULL) == ecgsyn_next(b, NULL, NULL));
	ecgsyn_free(a);
	ecgsyn_free(b);
	o.heart_rate = 3;
	assert_null(ecgsyn_new(&o));
	assert_int_equal(errno, EINVAL);
}

static void patient_of_the_model(void **state)
{
	struct patient *p = patient_new(NULL, 75);

	assert_non_null(p);
	assert_true(p->count >= 200);
	for (unsigned i = 40; i < 60; i++) {
		assert_true(fabs(patient_block(p, i)->heart_rate - 75) < 5);
		assert_true(fabs(patient_block(p, i)->pulse_rate - 75) < 5);
	}
	patient_free(p);
}

static void header_is_read(void **state)
{
	static const char text[] = "# a comment\r\n"
				   "100 2 360 650000\n"
				   "100.dat 212 200 11 1024 995 -22131 0 MLII\n\n"
				   "100.dat 212 12.5(-3)/mmHg 11 1024 1011 20052 0 V5 two words\n";
	struct bytes b = unit_exact(text, sizeof(text) - 1);
	struct wfdb_record r;

	assert_int_equal(wfdb_header(b, &r), 0);
	assert_int_equal(r.signals, 2);
	assert_int_equal(r.signal[1].format, 212);
	assert_int_equal(r.count, 650000);
	assert_true(r.rate_hz == 360);
	assert_string_equal(r.signal[0].name, "MLII");
	assert_int_equal(r.signal[0].baseline, 1024);
	assert_true(r.signal[1].gain == 12.5);
	assert_int_equal(r.signal[1].baseline, -3);
	assert_string_equal(r.signal[1].units, "mmHg");
	assert_string_equal(r.signal[1].name, "V5 two words");
	assert_int_equal(wfdb_find(&r, "V5"), 1);
	assert_int_equal(wfdb_find(&r, "PLETH"), -1);
	free((void *)b.data);
}

static void header_is_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{"", -EBADMSG},
		{"100\n", -EBADMSG},
		{"100 1 0\na.dat 16\n", -EBADMSG},
		{"100 2 360\na.dat 16\n", -EBADMSG},
		{"100 1 360\na.dat 8\n", -ENOTSUP},
		{"100 1 360\na.dat 508\n", -ENOTSUP},
		{"100 1 360\na.dat 212x99\n", -ENOTSUP},
		{"100 1 360\na.dat 212x\n", -ENOTSUP},
		{"100 1 360\na.dat 16,3\n", -ENOTSUP},
		{"100 1 360\n../a.dat 16\n", -ENOTSUP},
		{"100 99 360\na.dat 16\n", -ENOTSUP},
		{"100/3 1 360\na 16\n", -EBADMSG},
		{"100/x 1 360\na 16\n", -EBADMSG},
		{"100/1 1 360\n../a 16\n", -ENOTSUP},
		{"100/65 1 360\na 16\n", -ENOTSUP},
	};
	struct wfdb_record r;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes b = unit_exact(bad[i].text, strlen(bad[i].text));

		assert_int_equal(wfdb_header(b, &r), bad[i].err);
		free((void *)b.data);
	}
}

static void unpacks(unsigned format, const uint8_t *packed, size_t len, const int32_t *want,
		    size_t count)
{
	struct wfdb_record r = {.signals = 1, .signal = {{.format = format, .per_frame = 1}}};
	struct bytes b = unit_exact(packed, len);
	int32_t v[8];

	assert_int_equal(wfdb_samples(&r, b, 0, v, 8), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(v[i], want[i]);
	r.signal[0].offset = 100;
	assert_int_equal(wfdb_samples(&r, b, 0, v, 8), 0);
	free((void *)b.data);
}

/* signal(5)'s own layouts, each with a last sample that is cut off, or its mark for none. */
static void samples_are_unpacked(void **state)
{
#define UNPACKS(format, packed, ...)                                   \
	unpacks(format, (const uint8_t *)(packed), sizeof(packed) - 1, \
		(const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4)
	UNPACKS(16, "\x34\x12\xff\xff\x00\x80\x01", 0x1234, -1, WFDB_INVALID);
	UNPACKS(61, "\x12\x34\xff\xff\x80\x00\x01", 0x1234, -1, WFDB_INVALID);
	UNPACKS(24, "\x56\x34\x12\xfe\xff\xff\x01", 0x123456, -2);
	UNPACKS(32, "\x78\x56\x34\x12\xff\xff\xff\xff\x01", 0x12345678, -1);
	UNPACKS(80, "\x80\xff\x01\x00", 0, 127, -127, WFDB_INVALID);
	UNPACKS(160, "\x01\x80\xff\x7f\x01", 1, -1);
	UNPACKS(212, "\x23\xf1\xfe\xff\x07", 0x123, -2, 0x7ff); /* the odd one is whole */
	/* 5, -1 and 0x155 in their ten bits each, low bits of the pairs thrown away */
	UNPACKS(310, "\x0b\xa8\xff\x57\x00", 5, -1, 0x155);
	UNPACKS(311, "\x05\xfc\x5f\x15\x00", 5, -1, 0x155);
}

static void frames_are_taken_apart(void **state)
{
	static const uint8_t packed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	struct wfdb_record r = {.signals = 2,
				.signal = {{.format = 80, .per_frame = 2, .file = "a"},
					   {.format = 80, .per_frame = 1, .file = "a"}}};
	struct bytes b = unit_exact(packed, sizeof(packed));
	int32_t v[16];

	assert_int_equal(wfdb_samples(&r, b, 0, v, 16), 8);
	assert_int_equal(v[1], 2 - 128);
	assert_int_equal(v[2], 4 - 128);
	r.signal[1].skew = 1;
	assert_int_equal(wfdb_samples(&r, b, 1, v, 16), 3);
	assert_int_equal(v[0], 6 - 128);
	assert_int_equal(wfdb_samples(&r, b, 2, v, 16), 0);
	r.signal[1].file[0] = 'b'; /* then the file is its own */
	assert_int_equal(wfdb_samples(&r, b, 1, v, 16), 11);
	free((void *)b.data);
}

/* Only where the recordings are: an ECG that is no model and has a pleth beside it. */
static void recording_is_a_patient(void **state)
{
	static const char *dirs[] = {"../shared/data/physio/wfdb-python",
				     "../../shared/data/physio/wfdb-python"};
	struct patient *p;

	for (unsigned i = 0; i < 2; i++) {
		if (access(dirs[i], R_OK))
			continue;
		p = patient_new(dirs[i], 75);
		assert_non_null(p);
		assert_non_null(strstr(p->source, "recording"));
		assert_in_range((unsigned)patient_block(p, 100)->heart_rate, 30, 180);
		patient_free(p);
		return;
	}
	print_message("skipped: no recordings in ../shared/data/physio\n");
	skip();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_beats_at_its_rate),
		cmocka_unit_test(r_peaks_are_the_highest),
		cmocka_unit_test(same_seed_same_heart),
		cmocka_unit_test(patient_of_the_model),
		cmocka_unit_test(header_is_read),
		cmocka_unit_test(header_is_refused),
		cmocka_unit_test(samples_are_unpacked),
		cmocka_unit_test(frames_are_taken_apart),
		cmocka_unit_test(recording_is_a_patient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
