/* What HL7 says of patients: observations, codes, subjects, alerts, and how long answers took. */
#include "hl7_kit.h"

struct kept {
	unsigned count;
	struct hl7_observation o[HL7_OBSERVATIONS];
	uint64_t latency_us;
};

static void keep_observations(void *arg, const struct talk *t, const struct proto_input *in,
			      const struct msg *m)
{
	const struct hl7_msg *h = (const void *)m;
	struct kept *k = arg;

	k->latency_us = h->latency_us;
	if (h->ack_code.data)
		return;
	k->count = h->kept;
	memcpy(k->o, h->observations, h->kept * sizeof(k->o[0]));
}

/* IHE PCD-01: numbers by MDC code, and how long the acknowledgement took. */
static void observations_are_numbers(void **state)
{
	static const char pcd[] =
		"\vMSH|^~\\&|PAT_DEVICE||||2026||ORU^R01^ORU_R01|5|P|2.6\r"
		"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|"
		"||||R\r"
		"OBX|2|ST|1^X^MDC|1.1.1.2|text\r"
		"OBX|3|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.3|98.5|262688^MDC_DIM_PERCENT^MDC||"
		"L|"
		"||R\r"
		"OBX|4|NM|1^B||12;rm|\r\x1c\r";
	static const char ack[] = "\vMSH|^~\\&|||||||ACK|6\rMSA|AA|5\r\x1c\r";
	struct talk *t = talk_new(&hl7_proto);
	struct proto_input in = {.data = unit_exact(pcd, sizeof(pcd) - 1), .time_ns = 1000000};
	struct kept k = {0};
	size_t used;

	assert_int_equal(talk_read(t, &in, keep_observations, &k, &used), PARSE_OK);
	free((void *)(uintptr_t)in.data.data);
	assert_int_equal(k.count, 2);
	assert_int_equal(k.o[0].code, 147842);
	assert_int_equal(k.o[0].unit, 264864 & 0xffff);
	assert_true(k.o[0].value == 72 && k.o[0].status == 'R' && !k.o[0].abnormal);
	assert_true(k.o[1].code == 150456 && k.o[1].value == 98.5 && k.o[1].abnormal);
	in = (struct proto_input){
		.data = unit_exact(ack, sizeof(ack) - 1), .time_ns = 13000000, .end = 1};
	talk_read(t, &in, keep_observations, &k, &used);
	assert_int_equal(k.latency_us, 12000);
	free((void *)(uintptr_t)in.data.data);
	free(t);
}

static void observations_are_numbers_in_xml_too(void **state)
{
	struct talk *t = talk_new(&hl7_proto);
	struct proto_input in = {.data = unit_exact(XML_ORU, sizeof(XML_ORU) - 1)};
	struct kept k = {0};
	size_t used;

	assert_int_equal(talk_read(t, &in, keep_observations, &k, &used), PARSE_OK);
	assert_int_equal(k.count, 1);
	assert_true(k.o[0].code == 149530 && k.o[0].value == 61 && k.o[0].status == 'R');
	free((void *)(uintptr_t)in.data.data);
	free(t);
}

static void expect_code(const char *code, const char *unit, uint32_t mdc, unsigned dimension)
{
	struct talk *t = talk_new(&hl7_proto);
	struct kept k = {0};
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "\vMSH|^~\\&|A||||||ORU^R01|5|P|2.6\rOBX|1|NM|%s||7|%s|||||F\r\x1c\r",
			   code, unit);
	struct proto_input in = {.data = unit_exact(text, (size_t)len)};
	size_t used;

	assert_int_equal(talk_read(t, &in, keep_observations, &k, &used), PARSE_OK);
	assert_int_equal(k.count, mdc != 0);
	if (mdc) {
		assert_int_equal(k.o[0].code, mdc);
		assert_int_equal(k.o[0].unit, dimension);
	}
	free((void *)(uintptr_t)in.data.data);
	free(t);
}

/* As monitors of several makers write them. */
static void codes_are_read(void **state)
{
	expect_code("0002-4182^HR^MDIL", "0004-0aa0^bpm^MDIL", 147842, 0x0aa0);
	expect_code("0002-4B60^Tcore^MDIL", "0004-1140^F^MDIL", 0x24b60, HL7_FAHRENHEIT);
	expect_code("150344^MDC_TEMP^MDC", "266560^MDC_DIM_FAHR^MDC", 150344, HL7_FAHRENHEIT);
	expect_code("8889-8^Heart rate^LN^149530^MDC_PULS_OXIM_PULS_RATE^MDC", "/min", 149530, 0);
	expect_code("101^HR^99MNDRY^147842^MDC_ECG_HEART_RATE^MDC", "bpm", 147842, 0);
	expect_code("8867-4^HR^LN", "{beats}/min^^UCUM", 147842, 0);
	expect_code("HR^HR^L^8867-4^Heart rate^LN", "", 147842, 0);
	expect_code("8310-5^Temp^LN", "[degF]^^UCUM", 150344, HL7_FAHRENHEIT);
	expect_code("8310-5^Temp^LN",
		    "\xc2\xb0"
		    "F",
		    150344, HL7_FAHRENHEIT);
	expect_code("8310-5^Temp^LN", "Cel", 150344, 0);
	/* By reference identifier, beside a number that is none or without any; by what is said without codes. */
	expect_code("MDC_PULS_OXIM_SAT_O2", "", 150456, 0);
	expect_code("MDC_ECG_HEART_RATE^Heart rate^MDC", "/min^/min^MDC", 147842, 0);
	expect_code("1^MDC_ECG_HEART_RATE^MDC", "1^MDC_DIM_BEAT_PER_MIN^MDC", 147842, 0);
	expect_code("^MDC_TEMP_CORE^MDC", "Cel", 150368, 0);
	expect_code("MDC_TEMP_RECT", "Cel", 188420, 0);
	expect_code("7^pulse^99X^mdc_x^MDC_PULS_OXIM_PULS_RATE^MDC", "", 149530, 0);
	expect_code("150456^MDC_ECG_HEART_RATE^MDC", "", 150456, 0); /* the number counts */
	expect_code("HR^Heart Rate", "bpm", 147842, 0);
	expect_code("SPO2^Oxygen Saturation^L", "%", 150456, 0);
	expect_code("Temp", "F", 150344, HL7_FAHRENHEIT);
	expect_code("pulse", "bpm", 149514, 0);
	expect_code("0002^SpO2^MDIL", "%", 150456, 0);
	expect_code("0002^NBPs^MDIL", "mmHg", 0, 0);
	expect_code("HRV^Variability^L", "ms", 0, 0);
	expect_code("MDC_ECG_HEART^HR", "", 0, 0);
	expect_code("2339-0^Glucose^LN", "mg/dL", 0, 0);
	/* A maker's own numbers, and what looks like others'. */
	expect_code("101^HR^99MNDRY", "bpm", 0, 0);
	expect_code("8867-4^HR^L", "", 0, 0);
	expect_code("8867^HR^LN", "", 0, 0);
	expect_code("0002-41x2^HR^MDIL", "", 0, 0);
	expect_code("99999999999^HR^MDC", "", 0, 0);
	expect_code("", "", 0, 0);
}

/* A monitor's settings and counts come ahead of its saturation; what is kept of them makes room. Some write text. */
static void a_vital_sign_has_its_place(void **state)
{
	static char text[8192];
	struct talk *t = talk_new(&hl7_proto);
	int at = snprintf(text, sizeof(text), "\vMSH|^~\\&|A||||||ORU^R01|5|P|2.6\r");
	struct proto_input in;
	struct kept k = {0};
	size_t used;

	for (unsigned i = 0; i < 40; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       "OBX|1|NM|%u^MDC_ECG_V_P_C_RATE^MDC||%u|||||R\r", 148066 + i % 2, i);
	at += snprintf(
		text + at, sizeof(text) - (size_t)at,
		"OBX|2|ST|150456^SpO2^MDC||97||||||R\rOBX|3|ST|LevelOfConsciousness||Alert\r"
		"OBX|4|NM|147842^HR^MDC||72||||||R\rOBX|5|NM|148066^X^MDC||9||||||R\r\x1c\r");
	in = (struct proto_input){.data = unit_exact(text, (size_t)at)};
	assert_int_equal(talk_read(t, &in, keep_observations, &k, &used), PARSE_OK);
	assert_int_equal(k.count, HL7_OBSERVATIONS);
	assert_true(k.o[0].value == 2 && k.o[HL7_OBSERVATIONS - 3].value == 27);
	assert_true(k.o[HL7_OBSERVATIONS - 2].code == 150456 &&
		    k.o[HL7_OBSERVATIONS - 2].value == 97);
	assert_true(k.o[HL7_OBSERVATIONS - 1].code == 147842 &&
		    k.o[HL7_OBSERVATIONS - 1].value == 72);
	free((void *)(uintptr_t)in.data.data);
	free(t);
}

/* What the monitor says is no measurement is none, however well it looks (IHE PCD TF-2, OBX-8). */
static void validity_is_read(void **state)
{
	static const struct {
		const char *flags;
		bool off, test;
	} cases[] = {
		{"", false, false},	  {"N", false, false},	  {"L", false, false},
		{"INV", true, false},	  {"L~INV", true, false}, {"NAV~L", true, false},
		{"OFF", true, false},	  {"DEMO", false, true},  {"INV~TEST", true, true},
		{"QUES", false, false},	  {"IN", false, false},	  {"INVX", false, false},
		{"~~~~INV", true, false}, {"~", false, false},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk *t = talk_new(&hl7_proto);
		struct kept k = {0};
		char text[128];
		int len =
			snprintf(text, sizeof(text),
				 "\vMSH|^~\\&|A||||||ORU^R01|5|P|2.6\rOBX|1|NM|147842||0|||%s|||R\r"
				 "\x1c\r",
				 cases[i].flags);
		struct proto_input in = {.data = unit_exact(text, (size_t)len)};
		size_t used;

		assert_int_equal(talk_read(t, &in, keep_observations, &k, &used), PARSE_OK);
		assert_int_equal(k.count, 1);
		assert_int_equal(k.o[0].off, cases[i].off);
		assert_int_equal(k.o[0].test, cases[i].test);
		free((void *)(uintptr_t)in.data.data);
		free(t);
	}
}

struct about {
	uint64_t subject;
	unsigned kept;
	bool unanswered;
};

static void keep_about(void *arg, const struct talk *t, const struct proto_input *in,
		       const struct msg *m)
{
	const struct hl7_msg *h = (const void *)m;

	*(struct about *)arg = (struct about){h->subjects[0], h->kept, h->unanswered};
}

/* What is said of a message of these segments behind its header, whose acknowledgement is `asked` for. */
static struct about about(const char *type, const char *asked, const char *segments)
{
	struct talk *t = talk_new(&hl7_proto);
	struct about a = {0};
	char text[512];
	int len = snprintf(text, sizeof(text), "\vMSH|^~\\&|A||||||%s|5|P|2.6|||%s\r%s\x1c\r", type,
			   asked, segments);
	struct proto_input in = {.data = unit_exact(text, (size_t)len)};
	size_t used;

	assert_int_equal(talk_read(t, &in, keep_about, &a, &used), PARSE_OK);
	free((void *)(uintptr_t)in.data.data);
	free(t);
	return a;
}

#define HR "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||72\r"

/* Nobody is named by "" or by delimiters: then the place tells patients apart. Of several the first counts. */
static void a_subject_is_somebody(void **state)
{
	uint64_t bed = about("ORU^R01", "", "PV1|1|I|ICU^^1\r" HR).subject;

	assert_int_not_equal(bed, 0);
	assert_int_equal(about("ORU^R01", "", "PID|1||\"\"\rPV1|1|I|ICU^^1\r" HR).subject, bed);
	assert_int_equal(about("ORU^R01", "", "PID|1||^^^CLINIC^MR\rPV1|1|I|ICU^^1\r" HR).subject,
			 bed);
	assert_int_not_equal(about("ORU^R01", "", "PID|1||\"\"\rPV1|1|I|ICU^^2\r" HR).subject, bed);
	assert_int_equal(about("ORU^R01", "", "PID|1||\"\"^^^\rPV1|1|I|^^\r" HR).subject, 0);
	assert_int_not_equal(about("ORU^R01", "", "PID|1||A\rPV1|1|I|ICU^^1\r" HR).subject, bed);
	assert_int_equal(about("ORU^R01", "", "PID|1||A\r" HR HR).kept, 2);
	assert_int_equal(about("ORU^R01", "", "PID|1||A\r" HR "PID|2||B\r" HR).kept, 2);
	assert_int_equal(about("ORU^R01", "", "PID|1||A\r" HR "PID|2||B\r" HR).subject,
			 about("ORU^R01", "", "PID|1||A\r" HR).subject);
	assert_int_equal(about("ORU^R01", "", "PID|1\rPID|2||B\r" HR).subject, 0);
}

static void keep_subjects(void *arg, const struct talk *t, const struct proto_input *in,
			  const struct msg *m)
{
	const struct hl7_msg *h = (const void *)m;
	char *said = arg;

	assert_true(h->patients <= HL7_PATIENTS);
	for (unsigned i = 0; i < h->kept; i++) {
		unsigned p = h->observations[i].patient;

		assert_true(p < h->patients);
		for (unsigned k = 0; k < p; k++)
			assert_true(!h->subjects[k] || h->subjects[k] != h->subjects[p]);
		sprintf(said + strlen(said), "%u%s=%g ", p, h->subjects[p] ? "" : "?",
			h->observations[i].value);
	}
}

static void expect_subjects(const char *segments, const char *expected)
{
	char text[2048], said[512] = "";
	struct proto_input in = {.data = {(const uint8_t *)text, 0}};
	struct talk *t = talk_new(&hl7_proto);
	size_t used;

	in.data.len = (size_t)snprintf(text, sizeof(text), "\vMSH|^~\\&|||||||ORU^R01|1\r%s\x1c\r",
				       segments);
	talk_read(t, &in, keep_subjects, said, &used);
	assert_string_equal(said, expected);
	free(t);
}

/* HL7 v2.9 §7.3.1: a result may be of several patients, each with observations of his own. */
static void observations_are_of_the_patient_before_them(void **state)
{
#define OF(value) "OBX|1|NM|147842^MDC||" value "\r"
	char many[1024] = "", said[512] = "";

	expect_subjects("PID|1||A\r" OF("1")
				OF("2") "PID|2||B\rPV1|1\r" OF("3") "PID|3||C\r" OF("4"),
			"0=1 0=2 1=3 2=4 ");
	expect_subjects(OF("1") "PID|1||A\r" OF("2"), "0=1 0=2 ");
	expect_subjects("PID|1\rPV1|1||X\r" OF("1") "PID|2\r" OF("2") "PID|3\rPV1|1||Y\r" OF("3"),
			"0=1 1?=2 2=3 ");
	for (unsigned i = 0; i < HL7_PATIENTS + 3; i++) {
		sprintf(many + strlen(many), "PID|1||%c\r" OF("%u"), 'A' + i, i);
		if (i < HL7_PATIENTS)
			sprintf(said + strlen(said), "%u=%u ", i, i);
	}
	expect_subjects(many, said);
}

/* HL7 v2.9 §2.9.2: MSH-15 and MSH-16 tell whether an acknowledgement is to come. */
static void an_alert_may_want_no_answer(void **state)
{
	static const char *const answered[] = {"", "AL", "AL|NE", "NE|AL", "|SU", "ER|AL", "X|NE"};
	static const char *const unanswered[] = {"NE|NE", "NE", "|NE", "ER|NE"};

	for (unsigned i = 0; i < sizeof(answered) / sizeof(answered[0]); i++)
		assert_false(about("ORU^R40", answered[i], HR).unanswered);
	for (unsigned i = 0; i < sizeof(unanswered) / sizeof(unanswered[0]); i++)
		assert_true(about("ORU^R40", unanswered[i], HR).unanswered);
}

static void expect_latency(struct talk_record *r, unsigned end, uint64_t ms, const char *message,
			   const char *expected)
{
	r->in.time_ns = 1000000000 + ms * 1000000;
	*r->said = 0;
	talk_feed(r, end, message, strlen(message));
	if (expected)
		assert_non_null(strstr(r->said, expected));
	else
		assert_null(strstr(r->said, "latency_us"));
}

#define SENT(id)	    "\vMSH|^~\\&|||||||ORU^R01|" id "\r\x1c\r"
#define ACKED(id, code, of) "\vMSH|^~\\&|||||||ACK|" id "\rMSA|" code "|" of "\r\x1c\r"
#define TOOK(us)	    "\"latency_us\":" us ","

/* HL7 v2.9 §2.9.3: committed, then taken, which is committed as well; in any order, and numbers come again. */
static void every_acknowledgement_has_its_latency(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	char sent[64], said[64], number[8];

	talk_begin(r, "hl7", false);
	expect_latency(r, 0, 0, SENT("1"), NULL);
	expect_latency(r, 1, 10, ACKED("a", "CA", "1"), TOOK("10000"));
	expect_latency(r, 1, 25, ACKED("b", "AA", "1"), TOOK("25000"));
	expect_latency(r, 0, 27, ACKED("c", "CA", "b"), TOOK("2000"));
	expect_latency(r, 1, 28, ACKED("d", "AA", "1"), NULL);
	expect_latency(r, 0, 30, SENT("1"), NULL);
	expect_latency(r, 0, 40, SENT("2"), NULL);
	expect_latency(r, 0, 50, SENT("1"), NULL);
	expect_latency(r, 1, 60, ACKED("e", "AE", "2"), TOOK("20000"));
	expect_latency(r, 1, 70, ACKED("f", "AA", "1"), TOOK("40000"));
	expect_latency(r, 1, 80, ACKED("g", "AA", "1"), TOOK("30000"));
	/* As many as are waited for. */
	for (unsigned i = 0; i < 12; i++) {
		snprintf(sent, sizeof(sent), SENT("n%u"), i);
		expect_latency(r, 0, 100 + i, sent, NULL);
	}
	for (unsigned i = 12; i-- > 0;) {
		snprintf(number, sizeof(number), "n%u", i);
		snprintf(sent, sizeof(sent), ACKED("x", "AA", "%s"), number);
		snprintf(said, sizeof(said), TOOK("%u"), (100 - i) * 1000);
		expect_latency(r, 1, 200, sent, said);
	}
	talk_finish(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(observations_are_numbers),
		cmocka_unit_test(observations_are_numbers_in_xml_too),
		cmocka_unit_test(codes_are_read),
		cmocka_unit_test(a_vital_sign_has_its_place),
		cmocka_unit_test(validity_is_read),
		cmocka_unit_test(a_subject_is_somebody),
		cmocka_unit_test(observations_are_of_the_patient_before_them),
		cmocka_unit_test(an_alert_may_want_no_answer),
		cmocka_unit_test(every_acknowledgement_has_its_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
