/* What a message tells of a patient, whatever its protocol. */
#include "guard/bedside.h"

#include "guard/proto/hl7.h"
#include "guard/proto/intellivue.h"
#include "session_kit.h"

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

#define MDC(number, v) ((struct hl7_observation){.code = (number), .value = (v), .status = 'R'})

/* An update waits for them, be they named or not. */
static void a_vital_sign_is_a_patients(void **state)
{
	struct hl7_observation gone = MDC(147842, 72);

	assert_int_equal(on_patient(7, MDC(147842, 72), true), 1);
	assert_int_equal(on_patient(0, MDC(147842, 72), true), 1);
	/* Another's, none at all, a device's own. */
	assert_int_equal(on_patient(7, MDC(147842, 72), false), 0);
	assert_int_equal(on_patient(7, MDC(147842, 0), true), 0);
	assert_int_equal(on_patient(7, MDC(147842, -100), true), 0);
	assert_int_equal(on_patient(7, MDC(69837, 1), true), 0);
	gone.off = true;
	assert_int_equal(on_patient(7, gone, true), 0);
	gone.off = false;
	gone.test = true;
	assert_int_equal(on_patient(7, gone, true), 0);
	gone.test = false;
	for (const char *s = "DWX"; *s; s++) {
		gone.status = (uint8_t)*s;
		assert_int_equal(on_patient(7, gone, true), 0);
	}
}

static void name_reason(void *arg, const struct vitals_finding *f)
{
	*(enum reason *)arg = f->reason;
}

/* Polls of one class side by side, of two flows or of one: what is found in ten seconds of both. */
static enum reason rows_found(uint64_t other_flow, uint16_t other_row, uint16_t other_class)
{
	static struct intellivue_msg i;
	struct flow f = {.id = 1};
	struct packet p = {.time_ns = 1000000000};
	const struct session_message said = {
		.proto = &intellivue_proto, .msg = &i.msg, .packet = &p, .flow = &f};
	const struct bedside_message m = {.said = &said};
	enum reason found = REASON_NONE;
	struct bedside *b = bedside_new(0, name_reason, NULL, &found);

	assert_non_null(b);
	i.extended = i.has_sequence = i.has_time = true;
	for (unsigned n = 0; n < 40; n++, p.time_ns += 256000000) {
		i.time = n * 2048;
		for (unsigned other = 0; other < 2; other++) {
			f.id = other ? other_flow : 1;
			i.class_ = other ? other_class : 6;
			i.row = other ? other_row : 3;
			i.sequence = (uint16_t)(n + 5000 * other);
			bedside_said(b, &m);
		}
	}
	bedside_free(b);
	return found;
}

static void polls_are_counted_apart(void **state)
{
	assert_int_equal(rows_found(1, 4, 6), REASON_NONE);
	assert_int_equal(rows_found(1, 3, 9), REASON_NONE);
	assert_int_equal(rows_found(2, 3, 6), REASON_NONE);
	assert_int_equal(rows_found(257, 3, 6), REASON_NONE);
	assert_int_equal(rows_found(1, 3, 6), REASON_VITALS_TWO_SOURCES);
}

#define STRANGER 0x0a090142 /* 10.9.1.66 */
#define HEART                                                                                      \
	ORU "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|||" \
	    "||R\r\x1c\r"

static void note_device(void *arg, uint32_t device, uint64_t wall_ns)
{
	*(uint32_t *)arg = device;
}

/* A vital sign makes a device one that is on a patient where the device itself says it: no other machine in
 * its name or beside it, and nobody who tells it to the device. */
static void a_patient_is_on_the_device_that_says_so(void **state)
{
	static const struct {
		const char *what;
		unsigned end; /* who says it */
		uint32_t ip;
		uint8_t mac;
		bool late; /* it is read when the other end confirms what came before it */
		bool counts;
	} cases[] = {
		{"the device's own", 0, DEVICE, 1, false, true},
		{"the device's, confirmed", 0, DEVICE, 1, true, true},
		{"told to the device", 1, DEVICE, 5, false, false},
		{"by another in its name", 0, DEVICE, 9, false, false},
		{"the device's, from elsewhere", 0, STRANGER, 1, false, false},
		{"a stranger's", 0, STRANGER, 9, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new("observe, unknown_devices: observe", "open", HL7);
		uint32_t seen = ~0u, seq = cases[i].end ? 5000 : 1000;
		uint32_t other = cases[i].end ? 1000 : 5000, late = cases[i].late ? 100 : 0;

		w->ip = cases[i].ip;
		shake_hands(w);
		w->mac = cases[i].mac;
		(void)send(w, cases[i].end, seq + late, other, HEART);
		w->mac = 0;
		(void)send_flags(w, !cases[i].end, other, seq + late + sizeof(HEART) - 1, TCP_ACK,
				 "");
		engine_patients(w->engine, 0, note_device, &seen);
		if ((seen != ~0u) != cases[i].counts || !told(w, "ORU^R01"))
			fail_msg("%s: %s", cases[i].what, w->said);
		wire_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vital_sign_is_a_patients),
		cmocka_unit_test(polls_are_counted_apart),
		cmocka_unit_test(a_patient_is_on_the_device_that_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
