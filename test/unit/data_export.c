/* IntelliVue Data Export: what is read of messages that the guide describes, or a monitor sent. */
#include "guard/proto/intellivue.h"

#include <math.h>

#include "demo/intellivue.h"
#include "talk.h"

#define MONITOR 1
#define CENTRAL 0

/* A message being put together: lengths are filled in when their part is closed. */
struct maker {
	uint8_t data[2048];
	struct writer w;
	size_t open[12];
	unsigned depth;
};

static void begin(struct maker *k)
{
	k->w = writer_new(k->data, sizeof(k->data));
	k->depth = 0;
}

static void words(struct maker *k, unsigned n, const uint16_t *v)
{
	for (unsigned i = 0; i < n; i++)
		write_be16(&k->w, v[i]);
}
#define WORDS(k, ...) \
	words(k, sizeof((uint16_t[]){__VA_ARGS__}) / 2, (const uint16_t[]){__VA_ARGS__})

static void open_part(struct maker *k)
{
	write_be16(&k->w, 0);
	k->open[k->depth++] = k->w.len;
}

static void close_parts(struct maker *k, unsigned n)
{
	while (n--) {
		size_t at = k->open[--k->depth], len = k->w.len - at;

		k->data[at - 2] = (uint8_t)(len >> 8);
		k->data[at - 1] = (uint8_t)len;
	}
}

/* Session header and remote operation, up to the object that the command is about. */
static void operation(struct maker *k, uint16_t apdu, uint16_t invoke, uint16_t command)
{
	begin(k);
	WORDS(k, 0xe100, 2, apdu);
	open_part(k);
	if (apdu == 5)
		WORDS(k, 0x0101);
	WORDS(k, invoke, command);
	open_part(k);
	WORDS(k, 0x21, 0, 0);
}

static void result(struct maker *k, uint16_t apdu, uint16_t class_, uint16_t sequence)
{
	operation(k, apdu, 7, 7);
	WORDS(k, 0xf13b);
	open_part(k);
	WORDS(k, 3, sequence, 0, 8000, 0xffff, 0xffff, 0xffff, 0xffff, 1, class_, 0);
}

/* One context with one object. */
static void object(struct maker *k, uint16_t handle, uint16_t attributes)
{
	WORDS(k, 1);
	open_part(k);
	WORDS(k, 0, 1);
	open_part(k);
	WORDS(k, handle, attributes);
	open_part(k);
}

static struct intellivue_msg got;

static void keep(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	got = *(const struct intellivue_msg *)m;
	talk_note(arg, t, in, m);
}

/* Reads one datagram in a block of its exact size; true where it is sound. */
static bool read_one(struct talk_record *r, unsigned end, const void *data, size_t len)
{
	struct bytes b = unit_exact(data, len);
	size_t used;

	memset(&got, 0, sizeof(got));
	r->said[0] = 0;
	r->in.end = (uint8_t)end;
	r->in.data = b;
	r->in.port[1] = 24105;
	r->talk->dead = false;
	r->last = talk_read(r->talk, &r->in, keep, r, &used);
	free((void *)b.data);
	return r->last == PARSE_OK;
}

static bool read_made(struct talk_record *r, struct maker *k)
{
	assert_false(k->w.bad);
	assert_int_equal(k->depth, 0);
	return read_one(r, MONITOR, k->data, k->w.len);
}

static struct talk_record *begin_talk(void)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "intellivue", true);
	return r;
}

static void end_talk(struct talk_record *r)
{
	talk_finish(r);
	free(r);
}

/* A poll of numerics as clients of several makers send it. */
static const uint8_t poll[] = {0xe1, 0x00, 0x00, 0x02, 0x00, 0x01, 0x00, 0x1c, 0x00,
			       0x01, 0x00, 0x07, 0x00, 0x16, 0x00, 0x21, 0x00, 0x00,
			       0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x16, 0x00,
			       0x08, 0x00, 0x01, 0x00, 0x01, 0x00, 0x06, 0x00, 0x00};

static void a_poll_is_named(void **state)
{
	struct talk_record *r = begin_talk();

	assert_true(read_one(r, CENTRAL, poll, sizeof(poll)));
	assert_string_equal(r->said,
			    "{\"intellivue\":{\"message\":\"poll\",\"object\":\"numerics\","
			    "\"invoke_id\":1,\"poll_number\":1}}\n");
	assert_true(got.is_poll);
	assert_false(got.msg.control || got.msg.answer);
	end_talk(r);
}

/* An extended poll, and which row a result of that number is in afterwards. */
static void ask(struct talk_record *r, uint16_t number, uint16_t class_)
{
	struct maker k;

	operation(&k, 1, 1, 7);
	WORDS(&k, 0, 0, 0xf13b);
	open_part(&k);
	WORDS(&k, number, 1, class_, 0, 0, 0);
	close_parts(&k, 3);
	assert_true(read_one(r, CENTRAL, k.data, k.w.len));
	assert_true(got.is_poll && got.extended);
	assert_int_equal(got.row, number);
}

static unsigned row(struct talk_record *r, uint16_t number, uint16_t class_)
{
	struct maker k;

	operation(&k, 2, 7, 7);
	WORDS(&k, 0xf13b);
	open_part(&k);
	WORDS(&k, number, 1, 0, 8000, 0xffff, 0xffff, 0xffff, 0xffff, 1, class_, 0, 0, 0);
	close_parts(&k, 3);
	assert_true(read_made(r, &k));
	return got.row;
}

/* By what was asked for, or else by what they say: a poll that nobody asked for has no row of its own. */
static void polls_have_rows(void **state)
{
	struct talk_record *r = begin_talk();

	assert_int_equal(row(r, 7, 6), 7);
	ask(r, 1, 6);
	ask(r, 1, 6);
	assert_int_equal(row(r, 7, 6), 1);
	assert_int_equal(row(r, 7, 9), 7);
	ask(r, 2, 6);
	assert_int_equal(row(r, 1, 6), 1);
	assert_int_equal(row(r, 2, 6), 2);
	assert_int_equal(row(r, 7, 6), 2);
	for (uint16_t n = 3; n < 50; n++)
		ask(r, n, 6);
	assert_int_equal(row(r, 49, 6), 49);
	assert_int_equal(row(r, 48, 6), 48);
	assert_int_equal(row(r, 47, 9), 47);
	end_talk(r);
}

/* Both sides of an association as the demonstration's monitor and station speak it. */
static void an_association_is_followed(void **state)
{
	static const struct {
		enum ivue_kind kind;
		unsigned end;
		const char *said;
		bool answer, restart;
	} steps[] = {
		{IVUE_ASSOCIATE, CENTRAL, "association_request", false, false},
		{IVUE_ASSOCIATED, MONITOR, "association_response", true, true},
		{IVUE_MDS_CREATE, MONITOR, "mds_create", false, true},
		{IVUE_MDS_CREATED, CENTRAL, "mds_create_result", true, false},
		{IVUE_POLL, CENTRAL, "extended_poll", false, false},
		{IVUE_RELEASE, CENTRAL, "release_request", false, false},
		{IVUE_RELEASED, MONITOR, "release_response", true, false},
		{IVUE_ABORT, MONITOR, "abort", false, false},
		{IVUE_REFUSED, MONITOR, "association_refuse", true, false},
	};
	struct talk_record *r = begin_talk();

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct ivue_message m = {.kind = steps[i].kind, .class_ = IVUE_CLASS_WAVE};
		uint8_t buf[2048];
		struct writer w = writer_new(buf, sizeof(buf));

		ivue_write(&w, &m);
		assert_true(read_one(r, steps[i].end, buf, w.len));
		assert_string_equal(got.message, steps[i].said);
		assert_int_equal(got.msg.answer, steps[i].answer);
		assert_int_equal(got.restart, steps[i].restart);
	}
	end_talk(r);
}

static void the_monitor_says_who_it_is(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	operation(&k, 1, 1, 1);
	WORDS(&k, 0, 8000, 0x0d06);
	open_part(&k);
	WORDS(&k, 0x21, 0, 0, 3);
	open_part(&k);
	WORDS(&k, 0x0984, 8, 6, 0x0009, 0xfb70, 0xd80b); /* system id */
	WORDS(&k, 0x0928, 14, 8);			 /* system model */
	write_bytes(&k.w, "Philips\0\0\2M8", 12);
	WORDS(&k, 0x091e, 4, 2, 0x0042); /* bed label: not told */
	close_parts(&k, 4);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"mds_create\",\"invoke_id\":1,"
				     "\"manufacturer\":\"Philips\",\"model\":\"M8\","
				     "\"system_id\":\"00:09:fb:70:d8:0b\"}}\n");
	end_talk(r);
}

static void numerics_are_read(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 6, 9);
	object(&k, 0x82b3, 2);
	WORDS(&k, 0x0950, 10, 0x4182, 0x0002, 0x0aa0, 0xff00, 0x02cb); /* 71.5 */
	WORDS(&k, 0x094b, 34, 3, 30, 0x4a15, 0, 0x0f20, 0, 120, 0x4a16, 0x8000, 0x0f20, 0x007f,
	      0xffff, 0x4a17, 0, 0x0f20, 0x00ff, 0xffff); /* none, and -1 */
	close_parts(&k, 6);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"extended_poll_result\","
				     "\"object\":\"numerics\",\"invoke_id\":7,\"poll_number\":3,"
				     "\"numerics\":4,\"sequence\":9}}\n");
	assert_int_equal(got.numerics, 4);
	assert_int_equal(got.numeric[0].code, 0x4182);
	assert_true(fabs(got.numeric[0].value - 71.5) < 1e-9);
	assert_true(got.numeric[0].state & INTELLIVUE_IN_ALARM);
	assert_true(got.numeric[1].value == 120);
	assert_true(isnan(got.numeric[2].value) && got.numeric[2].state & INTELLIVUE_OFF);
	assert_true(got.numeric[3].value == -1);
	assert_int_equal(got.time, 8000);
	end_talk(r);
}

/* Nobody asks for what has no name here past a rule that says what may be asked for. */
static void other_objects_have_a_name(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	operation(&k, 1, 7, 7);
	WORDS(&k, 0, 0, 0x0c16);
	open_part(&k);
	WORDS(&k, 1, 1, 0x3d, 0);
	close_parts(&k, 3);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"poll\",\"object\":\"other\","
				     "\"invoke_id\":7,\"poll_number\":1}}\n");
	end_talk(r);
}

/* What samples mean is told once and needed ever after; marked ones are no values. */
static void waves_are_read(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 9, 0);
	object(&k, 0x2ae, 4);
	WORDS(&k, 0x096d, 6, 4, 0x100e, 0x1000); /* 14 bits, others mark */
	WORDS(&k, 0x0a16, 8, 1, 4, 1, 0x8000);	 /* the top one: invalid */
	WORDS(&k, 0x096f, 12, 0x007f, 0xffff, 0x007f, 0xffff, 0, 16383);
	WORDS(&k, 0x098d, 4, 0, 16); /* 2 ms */
	close_parts(&k, 6);
	assert_true(read_made(r, &k));
	assert_int_equal(got.waves, 0);

	result(&k, 2, 9, 1);
	object(&k, 0x2ae, 1);
	WORDS(&k, 0x096e, 14, 0x0102, 0, 8, 0x1fff, 0x5fff, 0x8000, 0);
	close_parts(&k, 6);
	assert_true(read_made(r, &k));
	assert_int_equal(got.waves, 1);
	assert_int_equal(got.wave[0].code, 0x0102);
	assert_int_equal(got.wave[0].count, 4);
	assert_int_equal(got.wave[0].period_us, 2000);
	assert_int_equal(got.sample[0], 0x1fff);
	assert_int_equal(got.sample[1], 0x1fff);
	assert_int_equal(got.sample[2], INTELLIVUE_NO_VALUE);
	assert_int_equal(got.sample[3], 0);
	assert_true(got.wave[0].has_range);
	assert_int_equal(got.wave[0].high, 16383);
	end_talk(r);
}

/* A measurement server counts its objects for itself: the same handle twice is two waves. */
static void handles_are_a_servers_own(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 9, 0);
	WORDS(&k, 2);
	open_part(&k);
	for (uint16_t server = 0; server < 2; server++) {
		WORDS(&k, server, 1);
		open_part(&k);
		WORDS(&k, 0x2ae, 2);
		open_part(&k);
		WORDS(&k, 0x096d, 6, 4, server ? 0x0808 : 0x1010, 0);
		WORDS(&k, 0x098d, 4, 0, server ? 64 : 16);
		close_parts(&k, 2);
	}
	close_parts(&k, 4);
	assert_true(read_made(r, &k));

	result(&k, 2, 9, 1);
	object(&k, 0x2ae, 1);
	WORDS(&k, 0x096e, 14, 0x0102, 0, 8, 1, 2, 3, 4);
	close_parts(&k, 6);
	assert_true(read_made(r, &k));
	assert_int_equal(got.wave[0].count, 4);
	assert_int_equal(got.wave[0].period_us, 2000);
	end_talk(r);
}

/* Several leads at once, at half the rate that the context says: 64 in 256 ms are 4 ms apart. */
static void leads_at_once_are_read(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 9, 2);
	object(&k, 0x2ae, 1);
	WORDS(&k, 0x0967);
	open_part(&k);
	WORDS(&k, 2);
	open_part(&k);
	for (unsigned lead = 0; lead < 2; lead++) {
		WORDS(&k, lead ? 0x0143 : 0x0102, 0x0400, 128);
		for (unsigned i = 0; i < 64; i++)
			WORDS(&k, (uint16_t)(lead * 1000 + i));
	}
	close_parts(&k, 8);
	assert_true(read_made(r, &k));
	assert_int_equal(got.waves, 2);
	assert_int_equal(got.wave[1].period_us, 4000);
	assert_true(got.wave[1].state & INTELLIVUE_TEST);
	assert_int_equal(got.sample[got.wave[1].first + 63], 1063);
	end_talk(r);
}

static void the_demo_and_this_agree(void **state)
{
	uint8_t ecg[256], buf[2048];
	struct ivue_message m = {
		.kind = IVUE_RESULT,
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
			  .low = -1,
			  .high = 1,
			  .high_raw = 16383}},
		.numeric = {{.physio = IVUE_HEART_RATE, .unit = IVUE_UNIT_BPM, .value = 71.5}}};
	struct writer w = writer_new(buf, sizeof(buf));
	struct talk_record *r = begin_talk();

	for (unsigned i = 0; i < sizeof(ecg); i++)
		ecg[i] = (uint8_t)(i * 7);
	ivue_write(&w, &m);
	assert_true(read_one(r, MONITOR, buf, w.len));
	assert_int_equal(got.sequence, 41);
	assert_int_equal(got.time, 123456);
	assert_int_equal(got.wave[0].period_us, 2000);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(got.sample[i], ecg[2 * i] << 8 | ecg[2 * i + 1]);
	assert_true(fabs(got.numeric[0].value - 71.5) < 1e-9);
	end_talk(r);
}

static void linked_results_belong_together(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 5, 6, 4);
	WORDS(&k, 0, 0);
	close_parts(&k, 3);
	assert_true(read_made(r, &k));
	assert_string_equal(got.linked, "first");
	assert_int_equal(got.part, 1);
	result(&k, 2, 6, 4);
	WORDS(&k, 0, 0);
	close_parts(&k, 3);
	assert_true(read_made(r, &k));
	assert_null(got.linked);
	assert_int_equal(got.part, 0);
	end_talk(r);
}

static void alarms_are_read(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 0x36, 0);
	object(&k, 0x8401, 3);
	WORDS(&k, 0x0916, 10, 0x0000, 3, 4, 0, 0);
	WORDS(&k, 0x0902);
	open_part(&k);
	WORDS(&k, 1);
	open_part(&k);
	WORDS(&k, 0x4182, 0x0c04, 0x0400, 0x0008, 6, 0, 0x82b3, 516, 6, 0, 0, 0);
	close_parts(&k, 2);
	WORDS(&k, 0x0904);
	open_part(&k);
	WORDS(&k, 1);
	open_part(&k);
	WORDS(&k, 0x0102, 0x001a, 0x0001, 0, 9, 0, 0x2ae, 513, 0);
	close_parts(&k, 8);
	assert_true(read_made(r, &k));
	assert_int_equal(got.alarms, 2);
	assert_int_equal(got.alarm[0].source, 0x4182);
	assert_int_equal(got.alarm[0].code, 0x0c04);
	assert_false(got.alarm[0].technical);
	assert_true(got.alarm[1].technical);
	assert_true(got.has_alarms);
	assert_non_null(strstr(r->said, "\"alarms\":2"));
	end_talk(r);
}

static void a_set_is_control(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	operation(&k, 1, 5, 5);
	WORDS(&k, 0, 0, 1);
	open_part(&k);
	WORDS(&k, 0, 0xf23a, 8, 1, 4, 2, 0x0102);
	close_parts(&k, 3);
	assert_true(read_one(r, CENTRAL, k.data, k.w.len));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"set\",\"object\":\"monitor\","
				     "\"invoke_id\":5,\"attribute\":\"wave_priority_list\","
				     "\"control\":true}}\n");
	operation(&k, 1, 5, 5); /* a second one hides behind none, nor one without a name */
	WORDS(&k, 0, 0, 2);
	open_part(&k);
	WORDS(&k, 0, 0xf23a, 2, 7, 0, 0x1234, 0);
	close_parts(&k, 3);
	assert_true(read_one(r, CENTRAL, k.data, k.w.len));
	assert_non_null(strstr(r->said, "\"attribute\":[\"wave_priority_list\",\"4660\"]"));
	operation(&k, 2, 5, 5); /* its answer is none */
	WORDS(&k, 0);
	open_part(&k);
	close_parts(&k, 3);
	assert_true(read_made(r, &k));
	assert_false(got.msg.control);
	assert_string_equal(got.message, "set_result");
	operation(&k, 1, 5, 7); /* an action that is no poll */
	WORDS(&k, 0, 0, 0x0c99);
	open_part(&k);
	close_parts(&k, 3);
	assert_true(read_one(r, CENTRAL, k.data, k.w.len));
	assert_true(got.msg.control);
	end_talk(r);
}

static void an_error_is_named(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	begin(&k);
	WORDS(&k, 0xe100, 2, 3, 6, 4, 2, 0);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"error\",\"invoke_id\":4,"
				     "\"error\":\"access_denied\"}}\n");
	end_talk(r);
}

static void patients_are_not_told(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	result(&k, 2, 0x2a, 0);
	object(&k, 1, 1);
	WORDS(&k, 0x095c, 10, 8);
	write_bytes(&k.w, "\0D\0O\0E\0\0", 8);
	close_parts(&k, 6);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"extended_poll_result\","
				     "\"object\":\"patient\",\"invoke_id\":7,\"poll_number\":3,"
				     "\"sequence\":0}}\n");
	end_talk(r);
}

static void a_connect_indication_is_read(void **state)
{
	static const uint8_t network[] = {0, 9, 0xfb, 1, 2, 3, 10, 9, 1, 12, 255, 255, 0, 0};
	struct talk_record *r = begin_talk();
	struct maker k;

	begin(&k);
	WORDS(&k, 0, 0x0100, 1);
	open_part(&k);
	WORDS(&k, 0, 0);
	open_part(&k);
	WORDS(&k, 0x21, 0, 0, 0, 8000, 0x0d17);
	open_part(&k);
	WORDS(&k, 1);
	open_part(&k);
	WORDS(&k, 0xf100, sizeof(network));
	write_bytes(&k.w, network, sizeof(network));
	close_parts(&k, 4);
	assert_true(read_made(r, &k));
	assert_string_equal(r->said, "{\"intellivue\":{\"message\":\"connect_indication\","
				     "\"system_id\":\"00:09:fb:01:02:03\"}}\n");
	end_talk(r);
}

/* Every length one too long or too short, and every message cut anywhere. */
static void broken_messages_are_refused(void **state)
{
	struct talk_record *r = begin_talk();
	struct maker k;

	for (size_t n = 1; n < sizeof(poll); n++)
		assert_false(read_one(r, CENTRAL, poll, n));
	result(&k, 2, 6, 9);
	object(&k, 0x82b3, 1);
	WORDS(&k, 0x0950, 10, 0x4182, 0, 0x0aa0, 0xff00, 0x02cb);
	close_parts(&k, 6);
	for (size_t n = 1; n < k.w.len; n++)
		assert_false(read_one(r, MONITOR, k.data, n));
	for (size_t at = 7; at < 14; at += 6) /* of the operation and of its command */
		for (int by = -1; by <= 1; by += 2) {
			k.data[at] = (uint8_t)(k.data[at] + by);
			assert_false(read_made(r, &k));
			assert_non_null(strstr(r->said, "proto.malformed"));
			k.data[at] = (uint8_t)(k.data[at] - by);
		}
	assert_true(read_made(r, &k));
	end_talk(r);
}

static void others_are_not_taken_for_it(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} others[] = {
		{"\x0d\x0a", 2},
		{"\x09\x00", 2},
		{"\xe1\x00\x00\x02", 4},
		{"\x0d\x02\x41\x42", 4},
		{"\x00\x00\x01\x00\x00\x01\x00\x02\x00\x00", 10},
		{"GET / HTTP/1.1\r\n", 16},
	};
	struct proto_input in = {.datagram = true, .port = {40000, 53}};

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		in.data = unit_exact(others[i].data, others[i].len);
		assert_int_equal(intellivue_proto.probe(&in), PARSE_BAD);
		free((void *)in.data.data);
	}
	in.data = (struct bytes){poll, sizeof(poll)};
	assert_int_equal(intellivue_proto.probe(&in), PARSE_OK);
}

/* The sum as ITU-T X.25 §2.2.7.4 says it: a polynomial division, bits in the order of the line. */
static uint16_t x25(const uint8_t *p, size_t len)
{
	uint32_t rest = 0xffff;
	uint16_t sum = 0;

	for (size_t i = 0; i < len * 8; i++) {
		unsigned bit = p[i / 8] >> (i % 8) & 1;

		rest = rest << 1 ^ (bit << 16);
		if (rest & 0x10000)
			rest ^= 0x11021;
	}
	for (int i = 0; i < 16; i++)
		sum |= (uint16_t)((~rest >> (15 - i) & 1) << i);
	return sum;
}

static size_t frame(uint8_t *out, const uint8_t *message, size_t len, uint16_t spoil)
{
	uint8_t plain[512] = {0x11, 0x01, (uint8_t)(len >> 8), (uint8_t)len};
	size_t n = 0;
	uint16_t sum;

	memcpy(plain + 4, message, len);
	sum = x25(plain, len + 4) ^ spoil;
	plain[len + 4] = (uint8_t)sum;
	plain[len + 5] = (uint8_t)(sum >> 8);
	out[n++] = 0xc0;
	for (size_t i = 0; i < len + 6; i++) {
		if (plain[i] == 0xc0 || plain[i] == 0xc1 || plain[i] == 0x7d) {
			out[n++] = 0x7d;
			out[n++] = plain[i] ^ 0x20;
		} else {
			out[n++] = plain[i];
		}
	}
	out[n++] = 0xc1;
	return n;
}

static void frames_of_a_serial_port(void **state)
{
	uint8_t data[1024], odd[sizeof(poll)];
	size_t first, len;
	struct talk_piece piece = {CENTRAL, data, 0};

	assert_int_equal(x25((const uint8_t *)"123456789", 9), 0x906e); /* the known check value */
	memcpy(odd, poll, sizeof(poll));
	odd[9] = 0xc1; /* to be escaped */
	odd[29] = 0x7d;
	first = frame(data, poll, sizeof(poll), 0);
	len = first + frame(data + first, odd, sizeof(odd), 0);
	piece.len = len;
	talk_expect(
		"intellivue", false, &piece, 1,
		"{\"intellivue\":{\"message\":\"poll\",\"object\":\"numerics\",\"invoke_id\":1,"
		"\"poll_number\":1,\"framing\":\"mib\"}}\n"
		"{\"intellivue\":{\"message\":\"poll\",\"object\":\"numerics\",\"invoke_id\":193,"
		"\"poll_number\":125,\"framing\":\"mib\"}}\n");
}

/* As on a serial line: the next sound frame is read, whatever was between. */
static void a_spoilt_frame_blinds_nobody(void **state)
{
	static const char malformed[] = "{\"intellivue\":{\"framing\":\"mib\"},"
					"\"reason\":\"proto.malformed\"}\n";
	static const char sound[] =
		"{\"intellivue\":{\"message\":\"poll\",\"object\":\"numerics\",\"invoke_id\":1,"
		"\"poll_number\":1,\"framing\":\"mib\"}}\n";
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t data[1024], big[5000];
	size_t len;
	char expected[1024];

	talk_begin(r, "intellivue", false);
	len = frame(data, poll, sizeof(poll), 0x0100); /* a bit is wrong */
	talk_feed(r, CENTRAL, data, len);
	len = frame(data, poll, sizeof(poll), 0);
	talk_feed(r, CENTRAL, data, len);
	talk_feed(r, CENTRAL, "\xc0\x11\x01", 3); /* begun, and begun anew */
	talk_feed(r, CENTRAL, data, len);
	talk_feed(r, CENTRAL, "noise", 5);
	talk_feed(r, CENTRAL, data, len);
	memset(big, 0x55, sizeof(big)); /* begins like one and never ends */
	big[0] = 0xc0;
	talk_feed(r, CENTRAL, big, sizeof(big));
	talk_feed(r, CENTRAL, data, len);
	snprintf(expected, sizeof(expected), "%s%s%s%s%s%s%s%s", malformed, sound, malformed, sound,
		 malformed, sound, malformed, sound);
	assert_string_equal(r->said, expected);
	end_talk(r);
}

/* A receiver begins anew at BOF, and throws away what ends with an escape: an escape hides no set. */
static void an_escape_hides_no_frame(void **state)
{
	static const char sound[] =
		"{\"intellivue\":{\"message\":\"poll\",\"object\":\"numerics\",\"invoke_id\":1,"
		"\"poll_number\":1,\"framing\":\"mib\"}}\n";
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t data[1024];
	size_t len = frame(data, poll, sizeof(poll), 0);
	char expected[1024];

	talk_begin(r, "intellivue", false);
	talk_feed(r, CENTRAL, "\xc0\x11\x01\x00\x7d", 5);
	talk_feed(r, CENTRAL, data, len);
	snprintf(expected, sizeof(expected), "%s%s",
		 "{\"intellivue\":{\"framing\":\"mib\"},\"reason\":\"proto.malformed\"}\n", sound);
	assert_string_equal(r->said, expected);
	r->said[0] = 0;
	talk_feed(r, CENTRAL, "\xc0\x11\x01\x00\x7d\xc1", 6); /* given up by its sender: no fault */
	talk_feed(r, CENTRAL, data, len);
	assert_string_equal(r->said, sound);
	end_talk(r);
}

static void broadcasts_are_counted(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t time[64] = {[6] = 10, 9, 1, 12};

	talk_begin(r, "broadcast", true);
	r->in.port[0] = r->in.port[1] = 2000;
	assert_int_equal(proto_find("broadcast")->probe(&r->in), PARSE_BAD);
	r->in.to_all = true;
	assert_int_equal(proto_find("broadcast")->probe(&r->in), PARSE_OK);
	talk_feed(r, 0, time, sizeof(time));
	r->in.time_ns += 1500000;
	talk_feed(r, 0, time, 10);
	assert_string_equal(r->said,
			    "{\"broadcast\":{\"message\":\"time\",\"length\":64,\"number\":1,"
			    "\"address\":\"10.9.1.12\"}}\n"
			    "{\"broadcast\":{\"message\":\"time\",\"length\":10,\"number\":2,"
			    "\"since_us\":1500}}\n");
	r->in.port[1] = 7002;
	assert_int_equal(proto_find("broadcast")->probe(&r->in), PARSE_BAD);
	end_talk(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_poll_is_named),
		cmocka_unit_test(polls_have_rows),
		cmocka_unit_test(an_association_is_followed),
		cmocka_unit_test(the_monitor_says_who_it_is),
		cmocka_unit_test(numerics_are_read),
		cmocka_unit_test(waves_are_read),
		cmocka_unit_test(other_objects_have_a_name),
		cmocka_unit_test(handles_are_a_servers_own),
		cmocka_unit_test(leads_at_once_are_read),
		cmocka_unit_test(the_demo_and_this_agree),
		cmocka_unit_test(linked_results_belong_together),
		cmocka_unit_test(alarms_are_read),
		cmocka_unit_test(a_set_is_control),
		cmocka_unit_test(an_error_is_named),
		cmocka_unit_test(patients_are_not_told),
		cmocka_unit_test(a_connect_indication_is_read),
		cmocka_unit_test(broken_messages_are_refused),
		cmocka_unit_test(others_are_not_taken_for_it),
		cmocka_unit_test(frames_of_a_serial_port),
		cmocka_unit_test(a_spoilt_frame_blinds_nobody),
		cmocka_unit_test(an_escape_hides_no_frame),
		cmocka_unit_test(broadcasts_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
