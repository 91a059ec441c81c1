#include "talk.h"

#include "guard/proto/poct1a.h"
#include "guard/proto/xml.h"

#define HEADER(type, id)                                                 \
	"<HDR><HDR.message_type V=\"" type "\"/><HDR.control_id V=\"" id \
	"\"/><HDR.version_id V='POCT1'/><HDR.creation_dttm "             \
	"V=\"2026-04-01T12:00:00+02:00\"/></HDR>"

static const struct talk_piece session[] = {
	TALK_PIECE(0,
		   "<?xml version=\"1.0\"?>\r\n<HEL.R01>" HEADER(
			   "HEL.R01", "1") "<DEV><DEV.device_id V=\"00-80-C2\"/><DEV.vendor_id "
					   "V=\"ACME\"/>"
					   "<DEV.model_id V=\"Gluco 3\"/><DEV.serial_id V=\"SN1\"/>"
					   "<DEV.sw_version V=\"2.1\"/></DEV></HEL.R01>\r\n"),
	TALK_PIECE(1,
		   "<ACK.R01>" HEADER("ACK.R01",
				      "7") "<ACK><ACK.type_cd V=\"AA\"/>"
					   "<ACK.ack_control_id V = \"1\" /></ACK></ACK.R01>"
					   "<REQ.R01>" HEADER("REQ.R01",
							      "8") "<REQ><REQ.request_cd "
								   "V=\"ROBS\"/></REQ></REQ.R01>"),
	TALK_PIECE(0, "<OBS.R01>" HEADER(
			      "OBS.R01",
			      "2") "<!-- </OBS.R01> -->"
				   "<SVC><PT><PT.patient_id V=\"4711\"/><PT.name V=\"Doe > "
				   "Jane\"/>"
				   "<OBS><OBS.observation_id V=\"2339-0\"/><OBS.value "
				   "V=\"5.4\"/></OBS>"
				   "<OBS><OBS.value V=\"1\"/><NTE><![CDATA[<OBS>]]></NTE></OBS>"
				   "</PT></SVC></OBS.R01>"),
	TALK_PIECE(1,
		   "<DTV.R01>" HEADER("DTV.R01",
				      "9") "<DTV><DTV.command_cd V=\"LOCK\"/></DTV></DTV.R01>\n\n"
					   "<KPA.R01>" HEADER("KPA.R01", "10") "</KPA.R01>"),
};

#define SESSION_SAID                                                                \
	"{\"poct1a\":{\"message_type\":\"HEL.R01\",\"control_id\":\"1\","           \
	"\"version\":\"POCT1\",\"device_id\":\"00-80-C2\",\"vendor_id\":\"ACME\","  \
	"\"model_id\":\"Gluco 3\",\"serial_id\":\"SN1\",\"sw_version\":\"2.1\"}}\n" \
	"{\"poct1a\":{\"message_type\":\"ACK.R01\",\"control_id\":\"7\","           \
	"\"version\":\"POCT1\",\"ack_code\":\"AA\",\"ack_control_id\":\"1\"}}\n"    \
	"{\"poct1a\":{\"message_type\":\"REQ.R01\",\"control_id\":\"8\","           \
	"\"version\":\"POCT1\",\"request\":\"ROBS\"}}\n"                            \
	"{\"poct1a\":{\"message_type\":\"OBS.R01\",\"control_id\":\"2\","           \
	"\"version\":\"POCT1\",\"observations\":2}}\n"                              \
	"{\"poct1a\":{\"message_type\":\"DTV.R01\",\"control_id\":\"9\","           \
	"\"version\":\"POCT1\",\"command\":\"LOCK\",\"control\":true}}\n"           \
	"{\"poct1a\":{\"message_type\":\"KPA.R01\",\"control_id\":\"10\","          \
	"\"version\":\"POCT1\"}}\n"

static void a_session_is_told_without_patients(void **state)
{
	talk_expect("poct1a", false, session, 4, SESSION_SAID);
}

/* `b`, which is ASCII, in UTF-16. */
static struct talk_piece wide(struct talk_piece b, bool big, bool mark)
{
	static uint8_t room[16][4096];
	static unsigned next;
	struct talk_piece w = {b.end, room[next % 16], 0};
	uint8_t *at = room[next++ % 16];

	if (mark) {
		at[0] = big ? 0xfe : 0xff;
		at[1] = big ? 0xff : 0xfe;
		w.len = 2;
	}
	for (size_t i = 0; i < b.len; i++) {
		at[w.len + big] = ((const uint8_t *)b.data)[i];
		at[w.len + !big] = 0;
		w.len += 2;
	}
	return w;
}

/* XML 1.0 §4.3.3: every reader takes UTF-16 by its mark, and some without. */
static void utf_16_is_read(void **state)
{
	static const char filler[] = "<HEL.R01><HDR><HDR.message_type V=\"HEL.R01\"/></HDR><a b=\"";
	static char text[2000];
	struct talk_piece pieces[4], narrow = {0, text, 0};

	for (unsigned how = 0; how < 4; how++) {
		struct proto_input in = {.datagram = false};

		for (unsigned i = 0; i < 4; i++)
			pieces[i] = wide(session[i], how & 1, how & 2);
		talk_expect("poct1a", false, pieces, 4, SESSION_SAID);
		in.data = unit_exact(pieces[0].data, pieces[0].len);
		assert_int_equal(poct1a_proto.probe(&in), PARSE_OK);
		for (in.data.len = 0; in.data.len < 20; in.data.len++)
			assert_int_equal(poct1a_proto.probe(&in), PARSE_MORE);
		free((void *)(uintptr_t)in.data.data);
	}
	/* A tag and a text longer than most, and either kind by turns. */
	snprintf(text, sizeof(text), "%s%0300d\"/>%0700d</HEL.R01>", filler, 0, 0);
	narrow.len = strlen(text);
	pieces[0] = pieces[2] = wide(narrow, false, true);
	pieces[1] = narrow;
	talk_expect("poct1a", false, pieces, 3,
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\"}}\n"
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\"}}\n"
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\"}}\n");
}

/* Namespaces in XML §4: a prefix is anybody's choice. */
static void prefixes_are_no_names(void **state)
{
	static const struct talk_piece piece = TALK_PIECE(
		0, "<p:DTV.R01 xmlns:p='urn:x'><p:HDR><p:HDR.message_type V='DTV.R01'/></p:HDR>"
		   "<p:DTV><p:DTV.command_cd V='LOCK'/></p:DTV><p:OBS/></p:DTV.R01>"
		   "<HEL.R01><a:DEV><a:DEV.device_id V='7'/></a:DEV></HEL.R01>");

	talk_expect("poct1a", false, &piece, 1,
		    "{\"poct1a\":{\"message_type\":\"DTV.R01\",\"command\":\"LOCK\",\"control\":"
		    "true}}\n"
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\",\"device_id\":\"7\"}}\n");
}

static void expect_malformed(const char *text)
{
	const struct talk_piece piece = {0, text, strlen(text)};
	struct talk_record *r = malloc(sizeof(*r));

	talk_seed("poct1a", false, &piece, 1);
	for (size_t cut = 0; cut < 2; cut++) {
		talk_play(r, "poct1a", false, &piece, 1, cut);
		if (!strstr(r->said, "\"reason\":\"poct1a.malformed\""))
			fail_msg("%s gives %s", text, r->said);
	}
	free(r);
}

static void what_hides_is_malformed(void **state)
{
	static char deep[64 * 4 + 16] = "<HEL.R01>";

	expect_malformed("<HEL.R01><HDR></DEV></HEL.R01>");
	expect_malformed("<HEL.R01></DTV.R01>");
	expect_malformed("<p:HEL.R01></q:HEL.R01>");
	expect_malformed("<p:HEL.R01>" HEADER("DTV.R01", "1") "</p:HEL.R01>");
	expect_malformed("<HEL.R01>" HEADER("DTV.R01", "1") "</HEL.R01>");
	expect_malformed("<HEL.R01/>garbage");
	expect_malformed("<HEL.R01><HDR <X>");
	expect_malformed("<!DOCTYPE HEL.R01 [<!ENTITY a \"b\">]><HEL.R01/>");
	expect_malformed("<!ELEMENT a><HEL.R01/>");
	expect_malformed("<HEL.R01><!DOCTYPE x></HEL.R01>");
	expect_malformed("<html></html>");
	expect_malformed("<![CDATA[x]]><HEL.R01/>");
	expect_malformed("</HEL.R01>");
	expect_malformed("<HEL.R01>< HDR/></HEL.R01>");
	for (unsigned i = 0; i < 64; i++)
		strcat(deep, "<a>");
	expect_malformed(deep);
}

/* A tag has a bound, text has none. */
static void tags_are_bounded(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	static char text[XML_TAG + 1000];

	memset(text, 'x', sizeof(text));
	talk_begin(r, "poct1a", false);
	talk_feed(r, 0, "<OBS.R01><a>", 12);
	for (unsigned i = 0; i < 100; i++)
		talk_feed(r, 0, text, sizeof(text));
	assert_int_equal(r->last, PARSE_OK);
	assert_int_equal(r->held_len[0], 0);
	talk_feed(r, 0, "<a", 2);
	talk_feed(r, 0, text, sizeof(text));
	assert_int_equal(r->last, PARSE_BAD);
	talk_finish(r);
	free(r);
}

static enum parse probe(const char *text)
{
	struct proto_input in = {.data = unit_exact(text, strlen(text))};
	enum parse got = poct1a_proto.probe(&in);

	free((void *)in.data.data);
	return got;
}

static void roots_are_known(void **state)
{
	assert_int_equal(probe("<"), PARSE_MORE);
	assert_int_equal(probe("\r\n<?xml version='1.0'?>"), PARSE_MORE);
	assert_int_equal(probe("<?xml version='1.0'?><!DOCTYPE HEL.R01 SYSTEM 'x'><HEL.R01>"),
			 PARSE_OK);
	assert_int_equal(probe("<HEL.R01"), PARSE_MORE);
	assert_int_equal(probe("<DST.R01>"), PARSE_OK);
	assert_int_equal(probe("\xef\xbb\xbf<?xml version='1.0'?><DST.R01>"), PARSE_OK);
	assert_int_equal(probe("\xef\xbb"), PARSE_MORE);
	assert_int_equal(probe("<p:DST.R01 a='b'>"), PARSE_OK);
	assert_int_equal(probe("<stream"), PARSE_MORE);
	assert_int_equal(probe("<stream>"), PARSE_BAD);
	assert_int_equal(probe("<stream:stream"), PARSE_BAD);
	assert_int_equal(probe("<HTML>"), PARSE_BAD);
	assert_int_equal(probe("<134>Oct 11 22:14:15 su: x"), PARSE_BAD);
	assert_int_equal(probe("GET /"), PARSE_BAD);
}

static void attributes_are_found(void **state)
{
	struct bytes a = unit_exact(" V = 'a\"b' x=\"1\" bad", 20);
	struct xml_token t = {.attributes = a};

	assert_true(xml_is(xml_attribute(&t, "V"), "a\"b"));
	assert_true(xml_is(xml_attribute(&t, "x"), "1"));
	assert_null(xml_attribute(&t, "bad").data);
	assert_null(xml_attribute(&t, "v").data);
	free((void *)a.data);
}

static void keep_answer(void *arg, const struct talk *t, const struct proto_input *in,
			const struct msg *m)
{
	*(bool *)arg = m->answer;
}

static bool is_answer(const char *text)
{
	struct talk *t = talk_new(&poct1a_proto);
	struct proto_input in = {.data = unit_exact(text, strlen(text))};
	bool answer = false;
	size_t used;

	assert_int_equal(talk_read(t, &in, keep_answer, &answer, &used), PARSE_OK);
	free((void *)in.data.data);
	free(t);
	return answer;
}

#define ACKED "<ACK><ACK.type_cd V=\"AA\"/></ACK>"

static void an_acknowledgement_brings_nothing_else(void **state)
{
	assert_true(is_answer("<ACK.R01>" ACKED "</ACK.R01>"));
	assert_false(
		is_answer("<ACK.R01>" ACKED "<DTV><DTV.command_cd V=\"LOCK\"/></DTV></ACK.R01>"));
	assert_false(
		is_answer("<ACK.R01>" ACKED "<REQ><REQ.request_cd V=\"ROBS\"/></REQ></ACK.R01>"));
	assert_false(is_answer("<ACK.R01>" ACKED "<OBS></OBS></ACK.R01>"));
	assert_false(is_answer("<OBS.R01>" ACKED "</OBS.R01>"));
}

static void expect_unescaped(const char *value, size_t cap, const char *expected)
{
	struct bytes v = unit_exact(value, strlen(value));
	uint8_t *text = malloc(cap);
	size_t n = xml_unescape(v, text, cap);

	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, n);
	free(text);
	free((void *)v.data);
}

static void references_are_replaced(void **state)
{
	expect_unescaped("A&amp;B &lt;&gt;&quot;&apos;", 40, "A&B <>\"'");
	expect_unescaped("&#76;&#x4f;&#x4F;&#0000075;", 40, "LOOK");
	expect_unescaped("&#xe4;&auml;&#;&#x;&#x4g;&#99999999999;&amp", 60,
			 "&#xe4;&auml;&#;&#x;&#x4g;&#99999999999;&amp");
	expect_unescaped("&#1a;&&amp;;&#000000000000000065;", 60, "&#1a;&&;&#000000000000000065;");
	expect_unescaped("ab&amp;c", 3, "ab&");
	expect_unescaped("", 1, "");
}

/* A maker's own directive, and a command that a parser of XML reads though it is written otherwise. */
static void directives_are_known(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(
			0,
			"<HEL.R01><DEV><DEV.vendor_id V=\"Caesar &amp; Sons\"/></DEV></HEL.R01>"),
		TALK_PIECE(1, "<DTV.SIEMENS.SETCLOCK><DTV><DTV.command_cd V=\"L&#79;CK\"/></DTV>"
			      "</DTV.SIEMENS.SETCLOCK>")};

	talk_expect("poct1a", false, pieces, 2,
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\",\"vendor_id\":\"Caesar & Sons\"}}\n"
		    "{\"poct1a\":{\"message_type\":\"DTV.SIEMENS.SETCLOCK\",\"command\":\"LOCK\","
		    "\"control\":true}}\n");
}

/* Makers send lists, settings and firmware by messages of their own: they are read on behind, and control. */
static void messages_of_makers_are_control(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "<HEL.R01>" HEADER("HEL.R01", "1") "</HEL.R01>"),
		TALK_PIECE(1,
			   "<ACME.FRM>" HEADER(
				   "ACME.FRM",
				   "2") "<FRM>AAECAw==</FRM></ACME.FRM>"
					"<ACME.METER_2.SETUP><HDR><HDR.control_id V=\"3\"/></HDR>"
					"</ACME.METER_2.SETUP>"),
		TALK_PIECE(0, "<ACK.R01>" ACKED "</ACK.R01>")};

	talk_expect("poct1a", false, pieces, 3,
		    "{\"poct1a\":{\"message_type\":\"HEL.R01\",\"control_id\":\"1\","
		    "\"version\":\"POCT1\"}}\n"
		    "{\"poct1a\":{\"message_type\":\"ACME.FRM\",\"control_id\":\"2\","
		    "\"version\":\"POCT1\",\"control\":true}}\n"
		    "{\"poct1a\":{\"message_type\":\"ACME.METER_2.SETUP\",\"control_id\":\"3\","
		    "\"control\":true}}\n"
		    "{\"poct1a\":{\"message_type\":\"ACK.R01\",\"ack_code\":\"AA\"}}\n");
	expect_malformed("<HEL.R01/><FRM/>");
	expect_malformed("<HEL.R01/><.FRM/>");
	expect_malformed("<HEL.R01/><ACME.0123456789012345678901234567890/>");
	assert_int_equal(probe("<ACME.FRM>"), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_told_without_patients),
		cmocka_unit_test(utf_16_is_read),
		cmocka_unit_test(prefixes_are_no_names),
		cmocka_unit_test(what_hides_is_malformed),
		cmocka_unit_test(tags_are_bounded),
		cmocka_unit_test(roots_are_known),
		cmocka_unit_test(attributes_are_found),
		cmocka_unit_test(an_acknowledgement_brings_nothing_else),
		cmocka_unit_test(references_are_replaced),
		cmocka_unit_test(directives_are_known),
		cmocka_unit_test(messages_of_makers_are_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
