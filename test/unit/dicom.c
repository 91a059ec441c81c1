/* DICOM: messages, and what becomes of them in any cut. */
#include "dicom_kit.h"

static void an_echo_is_told(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512];

	associate(s, 32768);
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_pdv(s, 1, 1, 3, command(buf, VERIFICATION, 0x8030, 7, 0, false));
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	expect(s,
	       ASSOCIATED ECHO_RQ PART(
		       "P-DATA-TF") "\"command\":\"C-ECHO-RSP\",\"sop_class\":\"Verification SOP "
				    "Class\","
				    "\"sop_class_uid\":\"1.2.840.10008.1.1\",\"status\":\"0x0000\","
				    "\"status_name\":\"Success\",\"transfer_syntax\":\"Implicit VR "
				    "Little Endian\","
				    "\"presentation_context\":1,\"message_id_responded_to\":7,"
				    "\"data_set\":false}}\n" BARE("A-RELEASE-RQ")
					    BARE("A-RELEASE-RP"));
}

/* A command in three fragments, two of them in one PDU; a data set in several of several sizes. */
static void fragments_make_one_message(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512], data[20000];
	struct bytes c = command(buf, CT, 0x0001, 9, -1, true);
	size_t from, at;

	memset(data, 0x55, sizeof(data));
	associate(s, 32768);
	say_pdv(s, 0, 3, 1, (struct bytes){c.data, 20});
	from = s->w.len;
	at = open_pdu(&s->w, 4);
	pdv(&s->w, 3, 1, c.data + 20, 5);
	pdv(&s->w, 3, 1, c.data + 25, 0);
	pdv(&s->w, 3, 3, c.data + 25, c.len - 25);
	pdv(&s->w, 3, 0, data, 6);
	fill(&s->w, at, 4);
	say(s, 0, from);
	say_pdv(s, 0, 3, 0, (struct bytes){data, 0});
	say_pdv(s, 0, 3, 0, (struct bytes){data, sizeof(data)});
	say_pdv(s, 0, 3, 2, (struct bytes){data, 0});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	expect(s, ASSOCIATED STORE_RQ
	       "\"presentation_context\":3,\"message_id\":9,\"data_set\":true}}\n" ECHO_RQ);
}

/* Every service, asked and answered, by the names that PS3.7 §E.1 gives them. */
static void every_command_has_its_name(void **state)
{
	static const struct {
		uint16_t field;
		const char *name;
		bool control;
	} all[] = {
		{0x0001, "C-STORE", false}, {0x0010, "C-GET", false},
		{0x0020, "C-FIND", false},  {0x0021, "C-MOVE", true},
		{0x0030, "C-ECHO", false},  {0x0100, "N-EVENT-REPORT", false},
		{0x0110, "N-GET", false},   {0x0120, "N-SET", true},
		{0x0130, "N-ACTION", true}, {0x0140, "N-CREATE", true},
		{0x0150, "N-DELETE", true}, {0x0fff, "C-CANCEL", false},
	};
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512];
	char want[64];

	for (unsigned i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++) {
		bool response = i & 1;
		uint16_t field = all[i / 2].field | (response ? 0x8000 : 0);
		struct script *s = script_new();

		if (field == 0x8fff)
			snprintf(want, sizeof(want), "\"reason\":\"dicom.malformed\"");
		else
			snprintf(want, sizeof(want), "\"command\":\"%s-%s\"", all[i / 2].name,
				 response ? "RSP" : "RQ");
		associate(s, 32768);
		say_pdv(s, response, 3, 3, command(buf, CT, field, 1, response ? 0 : -1, false));
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, want));
		assert_int_equal(!!strstr(r->said, "\"control\":true"),
				 all[i / 2].control && !response);
		free(s);
	}
	free(r);
}

#define FOR_CT "\"abstract_syntax\":\"CT Image Storage\",\"abstract_syntax_uid\":\"" CT "\","

static void a_move_says_where_to(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512];

	associate(s, 32768);
	say_pdv(s, 0, 3, 3, command(buf, PRIVATE, 0x0021, 1, -1, false));
	say_pdv(s, 1, 3, 3, command(buf, NULL, 0x8021, 1, 0xff00, false));
	expect(s,
	       ASSOCIATED PART(
		       "P-DATA-TF") "\"command\":\"C-MOVE-RQ\",\"sop_class\":\"" PRIVATE
				    "\",\"sop_class_uid\":\"" PRIVATE "\"," FOR_CT
				    "\"transfer_syntax\":\"Explicit VR Little Endian\","
				    "\"move_destination\":\"WORKSTATION\",\"presentation_context\":"
				    "3,\"message_id\":1,"
				    "\"data_set\":false,\"control\":true}}\n" PART(
					    "P-DATA-TF") "\"command\":\"C-MOVE-RSP\",\"sop_class\":"
							 "\"" PRIVATE "\","
							 "\"sop_class_uid\":\"" PRIVATE "\"," FOR_CT
							 "\"status\":\"0xff00\","
							 "\"status_name\":\"Pending\",\"transfer_"
							 "syntax\":\"Explicit VR Little Endian\","
							 "\"presentation_context\":3,\"message_id_"
							 "responded_to\":1,\"data_set\":false,"
							 "\"suboperations\":{\"remaining\":0,"
							 "\"completed\":1,\"failed\":2,\"warning\":"
							 "3}}}\n");
}

static void contexts_that_do_not_fit(void *arg, const struct talk *t, const struct proto_input *in,
				     const struct msg *m)
{
	char small[4096];
	struct json j = json_new(small, sizeof(small) - 1);
	unsigned told = 0, omitted = 0;
	char *at;

	proto_write(t->proto, m, &j);
	assert_false(j.out.bad);
	small[j.out.len] = 0;
	assert_true(j.out.len < sizeof(small) - 200);
	for (at = small; (at = strstr(at, "\"id\":")); at++)
		told++;
	at = strstr(small, "_omitted\":");
	assert_non_null(at);
	omitted = (unsigned)strtoul(at + 10, NULL, 10);
	assert_int_equal(told + omitted, 128);
	*(unsigned *)arg = omitted;
}

static void a_line_has_an_end(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), used;
	struct talk *t = talk_new(proto_find("dicom"));
	struct proto_input in = {0};
	unsigned omitted = 0;

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned id = 1; id < 256; id += 2)
		offer(&s->w, (uint8_t)id, CT, both);
	fill(&s->w, at, 4);
	in.data = (struct bytes){s->buf, s->w.len};
	assert_int_equal(talk_read(t, &in, contexts_that_do_not_fit, &omitted, &used), PARSE_OK);
	assert_true(omitted > 0);
	free(t);
	free(s);
}

static void lies_about_lengths_are_refused(void **state)
{
	uint8_t buf[512];
	struct bytes c;
	struct script *s;

	refused(SAYING(script_new(), 0, "\x08\0\0\0\0\4"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\0\0\0\0\0\0"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\1\0\0\0\0\x43"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\1\0\xff\xff\xff\xff"), "dicom.too_long");
	refused(SAYING(script_new(), 0, "\1\0\0\x10\0\1"), "dicom.too_long");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\5\0\0\0\1\1"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\0\0\0\x07\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\xff\xff\xff\xff\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\0\0\0\1\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0b\0\0\0\2\1\1\0\0\0\0\0"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\5\0\0\0\0\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\7\0\xff\xff\xff\xff"), "dicom.malformed");

	c = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	for (size_t n = 0; n < c.len; n++) { /* no element may be cut */
		s = associated();
		say_pdv(s, 0, 1, 3, (struct bytes){c.data, n});
		refused(s, "dicom.malformed");
	}
}

/* The receiver said how much it takes at once. Told once, and read on. */
static void a_pdu_longer_than_agreed(void **state)
{
	struct script *s = script_new();
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], data[2000] = {0};

	associate(s, 1000);
	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 7, -1, true));
	say_pdv(s, 0, 3, 0, (struct bytes){data, 994});
	say_pdv(s, 0, 3, 0, (struct bytes){data, 995});
	say_pdv(s, 0, 3, 2, (struct bytes){data, 2000});
	say_pdv(s, 1, 3, 3, command(buf, CT, 0x8001, 7, 0, false));
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_non_null(strstr(r->said, PART("P-DATA-TF") ""));
	assert_non_null(
		strstr(r->said, "\"called_ae\":\"ARCHIVE\"},\"reason\":\"dicom.too_long\"}"));
	assert_null(strstr(strstr(r->said, "dicom.too_long") + 1, "dicom.too_long"));
	assert_non_null(strstr(r->said, "\"command\":\"C-STORE-RSP\""));
	assert_int_equal(r->last, PARSE_OK);
	free(s);
	free(r);
}

static void command_sets_are_kept_in_order(void **state)
{
	static const uint8_t bad[][20] = {
		{0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0}, /* twice */
		{8, 0, 0, 1, 2, 0, 0, 0, 0x30, 0},	      /* of another group */
		{0, 0, 0, 1, 1, 0, 0, 0, 0x30},		      /* a number of one byte */
		{0, 0, 0, 1, 4, 0, 0, 0, 0x30, 0, 0, 0},      /* and of four */
		{0, 0, 0, 1, 2, 0, 0, 0, 0x31, 0},	      /* no command there is */
		{0, 0, 2, 0, 4, 0, 0, 0, 'a', '.', 'b', 'c'}, /* no UID */
		{0, 0, 0, 8, 2, 0, 0, 0, 1, 1},		      /* no command at all */
	};
	static const size_t lens[] = {20, 10, 9, 12, 10, 12, 10};
	struct script *s;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = associated();
		say_pdv(s, 0, 1, 3, (struct bytes){bad[i], lens[i]});
		refused(s, "dicom.malformed");
	}
	s = associated(); /* an attribute list of 2 GiB */
	say_pdv(s, 0, 1, 3, (struct bytes){(const uint8_t *)"\0\0\5\x10\0\0\0\x80....", 12});
	refused(s, "dicom.too_long");
	s = associated(); /* elements without end: the others keep below 32 KiB a PDU */
	for (unsigned i = 0; i < 3; i++) {
		static uint8_t much[32000] = {0, 0, 0, 0x50, 0xf8, 0x7c};

		much[2] = (uint8_t)i;
		say_pdv(s, 0, 1, 1, (struct bytes){much, sizeof(much)});
	}
	refused(s, "dicom.too_long");
}

static void explicit_element(struct writer *w, uint16_t number, const char *vr, const void *data,
			     size_t len)
{
	bool is_long = !strcmp(vr, "UN") || !strcmp(vr, "OB");

	le16(w, 0);
	le16(w, number);
	write_bytes(w, vr, 2);
	if (is_long)
		le16(w, 0);
	le16(w, (uint16_t)len);
	if (is_long)
		le16(w, 0);
	write_bytes(w, data, len);
}

/* PS3.7 §6.3.1 forbids a command in Explicit VR; pydicom reads it, so what it says is told. */
static void a_command_in_explicit_vr_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512];
	struct writer w = writer_new(buf, sizeof(buf));
	const char *said;

	explicit_element(&w, 0x0000, "UL", "\0\0\0\0", 4);
	explicit_element(&w, 0x0002, "UI", CT "\0", sizeof(CT) - 1 + (sizeof(CT) - 1) % 2);
	explicit_element(&w, 0x0100, "US", "\x20\0", 2);
	explicit_element(&w, 0x0110, "US", "\1\0", 2);
	explicit_element(&w, 0x0700, "UN", "\2\0", 2);
	explicit_element(&w, 0x0800, "US", "\1\1", 2);
	say_pdv(s, 0, 3, 3, (struct bytes){buf, w.len});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	for (size_t cut = 0; cut < 3; cut++) {
		talk_play(r, "dicom", false, s->pieces, s->count, cut);
		said = strstr(r->said, "\"command\":\"C-FIND-RQ\"");
		assert_non_null(said);
		assert_non_null(strstr(said, "\"priority\":\"LOW\""));
		assert_non_null(strstr(said, "\"reason\":\"dicom.command_coding\""));
		assert_non_null(strstr(said, "\"command\":\"C-ECHO-RQ\""));
		assert_null(strstr(strstr(said, "C-ECHO-RQ"), "reason"));
	}
	free(s);
	s = associated(); /* one among them that is not */
	w = writer_new(buf, sizeof(buf));
	explicit_element(&w, 0x0000, "UL", "\0\0\0\0", 4);
	number(&w, 0x0100, 0x0030);
	say_pdv(s, 0, 1, 3, (struct bytes){buf, w.len});
	refused(s, "dicom.malformed");
	free(r);
}

/* One that a receiver goes by, and another for who stands in between. */
static void a_message_is_of_one_class(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned same = 0; same < 2; same++) {
		struct script *s = associated();
		uint8_t buf[512];
		struct writer w = writer_new(buf, sizeof(buf));

		element(&w, 0x0002, same ? CT : VERIFICATION, strlen(same ? CT : VERIFICATION));
		element(&w, 0x0003, CT, strlen(CT));
		number(&w, 0x0100, 0x0001);
		number(&w, 0x0110, 1);
		number(&w, 0x0700, 9);
		number(&w, 0x0800, 0x0001);
		say_pdv(s, 0, 3, 3, (struct bytes){buf, w.len});
		if (!same) {
			refused(s, "dicom.malformed");
			continue;
		}
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, "\"sop_class\":\"CT Image Storage\""));
		assert_non_null(strstr(r->said, "\"priority\":\"unknown\""));
		assert_null(strstr(r->said, "reason"));
		free(s);
	}
	free(r);
}

/* Receivers go by what a command says, or by what its context was agreed on for: both are told. */
static void a_context_is_for_a_class(void **state)
{
	struct script *s = associated();
	uint8_t buf[512];

	say_pdv(s, 0, 1, 3, command(buf, CT, 0x0001, 9, -1, true));
	expect(s,
	       ASSOCIATED PART(
		       "P-DATA-TF") "\"command\":\"C-STORE-RQ\",\"sop_class\":\"CT Image Storage\","
				    "\"sop_class_uid\":\"" CT
				    "\",\"abstract_syntax\":\"Verification SOP Class\","
				    "\"abstract_syntax_uid\":\"" VERIFICATION "\","
				    "\"transfer_syntax\":\"Implicit VR Little "
				    "Endian\",\"priority\":\"MEDIUM\","
				    "\"presentation_context\":1,\"message_id\":9,\"data_set\":true}"
				    "}\n");
}

static struct script *storing(const char *preamble, size_t len, const char *mark)
{
	struct script *s = associated();
	uint8_t buf[512], data[400] = {0};

	memcpy(data, preamble, len);
	memcpy(data + 128, mark, 4);
	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 9, -1, true));
	say_pdv(s, 0, 3, 0, (struct bytes){data, 100});
	say_pdv(s, 0, 3, 0, (struct bytes){data + 100, 31});
	say_pdv(s, 0, 3, 2, (struct bytes){data + 131, 269});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	return s;
}

#define STORED STORE_RQ "\"presentation_context\":3,\"message_id\":9,\"data_set\":true}}\n"

/* A file sent as it is, and one that would start; in a data set there is room for neither. */
static void a_preamble_that_starts_is_told(void **state)
{
	expect(storing("MZ\x90", 3, "DICM"), ASSOCIATED STORED STORE_RQ
	       "\"preamble\":\"PE\",\"presentation_context\":3,\"message_id\":9,"
	       "\"data_set\":true},\"reason\":\"dicom.preamble_executable\"}\n" ECHO_RQ);
	expect(storing("MZ\x90", 3, "DICN"), ASSOCIATED STORED ECHO_RQ);
	expect(storing("", 0, "DICM"), ASSOCIATED STORED ECHO_RQ);
	expect(storing("II*\0", 4, "DICM"), ASSOCIATED STORED ECHO_RQ);
}

/* In the middle of a conversation there is neither order nor context to judge by. */
static void a_conversation_is_picked_up(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	uint8_t buf[512], data[300] = {0};

	say_pdv(s, 0, 3, 2, (struct bytes){data, 300});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 5, 0);
	talk_begin(r, "dicom", false);
	r->in.midstream = true;
	for (size_t i = 0; i < s->count; i++)
		talk_feed(r, 0, s->pieces[i].data, s->pieces[i].len);
	talk_finish(r);
	assert_string_equal(r->said,
			    "{\"dicom\":{\"pdu\":\"P-DATA-TF\",\"command\":\"C-ECHO-RQ\","
			    "\"sop_class\":\"Verification SOP Class\","
			    "\"sop_class_uid\":\"1.2.840.10008.1.1\",\"presentation_context\":1,"
			    "\"message_id\":7,\"data_set\":false}}\n"
			    "{\"dicom\":{\"pdu\":\"A-RELEASE-RQ\"}}\n");
	free(s);
	free(r);
}

/* Where the answers take another way, what is asked is read all the same. */
static void one_end_alone_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512];

	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 5, 0);
	for (unsigned end = 0; end < 2; end++) {
		talk_begin(r, "dicom", false);
		r->in.alone = true;
		for (size_t i = 0; i < s->count; i++)
			if (s->pieces[i].end == end)
				talk_feed(r, end, s->pieces[i].data, s->pieces[i].len);
		talk_finish(r);
		assert_null(strstr(r->said, "reason"));
		assert_non_null(strstr(r->said, end ? "A-ASSOCIATE-AC" : "A-RELEASE-RQ"));
	}
	free(s);
	free(r);
}

/* Behind a hole reading goes on where a PDU begins; a hole in what is passed over is none. */
static void holes_are_survived(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512], data[3000] = {0};
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	uint8_t store[512];

	say_pdv(s, 0, 3, 3, command(store, CT, 0x0001, 9, -1, true));
	say_pdv(s, 0, 3, 2, (struct bytes){data, 3000});
	say_pdv(s, 0, 1, 3, echo);
	talk_begin(r, "dicom", false);
	talk_feed(r, 0, s->pieces[0].data, s->pieces[0].len);
	talk_feed(r, 1, s->pieces[1].data, s->pieces[1].len);
	talk_feed(r, 0, s->pieces[2].data, s->pieces[2].len);
	talk_feed(r, 0, s->pieces[3].data, 500);
	talk_gap(r->talk, 0, s->pieces[3].len - 500);
	talk_feed(r, 0, s->pieces[4].data, s->pieces[4].len);
	assert_string_equal(r->said, ASSOCIATED STORED ECHO_RQ);
	talk_gap(r->talk, 0, 40);
	talk_feed(r, 0, "of what was lost", 16);
	talk_feed(r, 0, s->pieces[4].data, s->pieces[4].len);
	assert_string_equal(r->said, ASSOCIATED STORED ECHO_RQ ECHO_RQ);
	talk_finish(r);
	free(s);
	free(r);
}

static enum parse probed(const void *data, size_t len, bool midstream)
{
	struct bytes b = unit_exact(data, len);
	struct proto_input in = {.data = b, .midstream = midstream};
	enum parse got = proto_find("dicom")->probe(&in);

	free((void *)b.data);
	return got;
}

static void it_is_known_by_its_first_bytes(void **state)
{
	static const char *const others[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
					     "\x16\3\1\2\0\1\0",
					     "SSH-2.0-OpenSSH\r\n",
					     "\x0bMSH|^~\\&|",
					     "\x10\x0f\0\4MQTT",
					     "\3\1\1\1\1\1",
					     "\1\2\3\4\5\6\7"};
	struct script *s = associated();
	uint8_t buf[512], *first = s->buf;
	size_t rest = s->w.len;

	for (size_t n = 0; n < 78; n++)
		assert_int_equal(probed(first, n, false), PARSE_MORE);
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	assert_int_equal(probed(s->pieces[1].data, s->pieces[1].len, false), PARSE_OK);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(probed(others[i], strlen(others[i]), true), PARSE_BAD);
	first[12] = 1; /* a control character hides nothing */
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	first[2] = 0xff; /* nor does a length that nobody believes */
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	first[80] = 'x'; /* but with the application context gone too, what is left of it? */
	assert_int_equal(probed(first, 92, false), PARSE_BAD);

	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, false), PARSE_OK);
	rest = s->w.len;
	say_pdv(s, 0, 1, 2, (struct bytes){buf, 100});
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, false), PARSE_BAD);
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, true), PARSE_OK);
	rest = s->w.len;
	say_short(s, 0, 7, 0);
	assert_int_equal(probed(s->buf + rest, 9, true), PARSE_MORE);
	assert_int_equal(probed(s->buf + rest, 10, true), PARSE_OK);
	assert_int_equal(probed(s->buf + rest, 10, false), PARSE_BAD);
	free(s);
}

/* A command set in either coding, and one of which the first fragment holds a byte or two. */
static void a_command_is_known_in_the_middle(void **state)
{
	static const char implicit[] = "\0\0\0\0\4\0\0", explicit[] = "\0\0\0\0UL\4";
	struct script *s = script_new();

	for (size_t n = 1; n <= 8; n++) {
		const char *heads[] = {implicit, explicit, "\0\0\0\0\4\0\0\1" + 8 - n};

		for (unsigned i = 0; i < 3; i++) {
			size_t from = s->w.len, len;

			say_pdv(s, 0, 1, 1, (struct bytes){(const uint8_t *)heads[i], n});
			len = s->w.len - from;
			assert_int_equal(probed(s->buf + from, len - 1, true), PARSE_MORE);
			assert_int_equal(probed(s->buf + from, len, true),
					 i < 2 ? PARSE_OK : PARSE_BAD);
		}
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_is_told),
		cmocka_unit_test(fragments_make_one_message),
		cmocka_unit_test(every_command_has_its_name),
		cmocka_unit_test(a_move_says_where_to),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(lies_about_lengths_are_refused),
		cmocka_unit_test(a_command_in_explicit_vr_is_read),
		cmocka_unit_test(a_pdu_longer_than_agreed),
		cmocka_unit_test(command_sets_are_kept_in_order),
		cmocka_unit_test(a_message_is_of_one_class),
		cmocka_unit_test(a_context_is_for_a_class),
		cmocka_unit_test(a_preamble_that_starts_is_told),
		cmocka_unit_test(a_conversation_is_picked_up),
		cmocka_unit_test(one_end_alone_is_read),
		cmocka_unit_test(holes_are_survived),
		cmocka_unit_test(it_is_known_by_its_first_bytes),
		cmocka_unit_test(a_command_is_known_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
