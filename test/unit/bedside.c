/* What a message tells of a patient, whatever its protocol. */
#include "guard/bedside.h"

#include "guard/proto/hl7.h"
#include "unit.h"

static void count(void *arg, const struct bedside_message *m)
{
	++*(unsigned *)arg;
}

static void ignore(void *arg, const struct vitals_finding *f)
{
}

/* How many vital signs of somebody a message of one observation brings. */
static unsigned on_patient(uint64_t subject, struct hl7_observation o, bool bound)
{
	struct hl7_msg h = {.subjects = &subject, .patients = 1, .observations = &o, .kept = 1};
	struct packet p = {.time_ns = 1000000000};
	struct flow f = {.id = 1};
	const struct session_message said = {
		.proto = &hl7_proto, .msg = &h.msg, .packet = &p, .flow = &f};
	const struct bedside_message m = {.said = &said, .bound = bound};
	unsigned seen = 0;
	struct bedside *b = bedside_new(0, ignore, count, &seen);

	assert_non_null(b);
	bedside_said(b, &m);
	bedside_free(b);
	return seen;
}

#define MDC(number, v)	 ((struct hl7_observation){.code = (number), .value = (v), .status = 'R'})
#define LOINC(number, v) ((struct hl7_observation){.code = (number), .loinc = true, .value = (v)})

/* An update waits for them, be they named or not. */
static void a_vital_sign_is_a_patients(void **state)
{
	struct hl7_observation gone = MDC(147842, 72);

	assert_int_equal(on_patient(7, MDC(147842, 72), true), 1);
	assert_int_equal(on_patient(0, MDC(147842, 72), true), 1);
	assert_int_equal(on_patient(7, LOINC(59408, 97), true), 1);
	/* Another's, none at all, a laboratory's, a device's own. */
	assert_int_equal(on_patient(7, MDC(147842, 72), false), 0);
	assert_int_equal(on_patient(7, MDC(147842, 0), true), 0);
	assert_int_equal(on_patient(7, MDC(147842, -100), true), 0);
	assert_int_equal(on_patient(7, LOINC(2339, 98), true), 0);
	assert_int_equal(on_patient(7, MDC(69837, 1), true), 0);
	for (const char *s = "DWX"; *s; s++) {
		gone.status = (uint8_t)*s;
		assert_int_equal(on_patient(7, gone, true), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vital_sign_is_a_patients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
