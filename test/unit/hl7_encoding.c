/* HL7 in wide characters, in characters of two bytes, and in XML. */
#include "hl7_kit.h"

/* `text`, of which every byte is a character, in characters of `width` bytes; returns the bytes. */
static size_t widen(uint8_t *to, const char *text, size_t len, unsigned width, bool big)
{
	memset(to, 0, len * width);
	for (size_t i = 0; i < len; i++)
		to[i * width + (big ? width - 1 : 0)] = (uint8_t)text[i];
	return len * width;
}

static size_t put_mark(uint8_t *to, unsigned width, bool big)
{
	memset(to, 0, width);
	to[big ? width - 2 : 0] = big ? 0xfe : 0xff;
	to[big ? width - 1 : 1] = big ? 0xff : 0xfe;
	return width;
}

/* A message behind its first byte and before its last two. */
static const char inside[] = "MSH|^~\\&|LAB|WARD|EHR|MAIN|2026||ORM^O01|1|P|2.5\rPID|1\r"
			     "OBX|1|NM|149530^MDC_PULS^MDC||61|264864^MDC|||||R\r";
#define INSIDE_SAID                                                                         \
	"{\"hl7\":{\"message_type\":\"ORM^O01\",\"control_id\":\"1\",\"version\":\"2.5\","  \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\","                    \
	"\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":3," \
	"\"observations\":1,\"encoding\":\"UTF-%u\"}}\n"

/* A frame's own bytes of one byte each or as wide as the message, whose mark stands before it. */
static void expect_wide(unsigned width, bool big, bool mark, bool frame)
{
	uint8_t wide[sizeof(inside) * 4 + 32];
	struct talk_piece twice[2] = {{0, wide, 0}, {0, wide, 0}};
	size_t n = 0;
	struct proto_input in = {.datagram = false};
	char said[2048];

	if (mark && frame)
		n += put_mark(wide, width, big);
	n += widen(wide + n, "\v", 1, frame ? width : 1, big);
	if (mark && !frame)
		n += put_mark(wide + n, width, big);
	n += widen(wide + n, inside, sizeof(inside) - 1, width, big);
	n += widen(wide + n, "\x1c\r", 2, frame ? width : 1, big);
	twice[0].len = twice[1].len = n;
	in.data = unit_exact(wide, n);
	assert_int_equal(hl7_proto.probe(&in), PARSE_OK);
	for (in.data.len = 0; in.data.len < 6; in.data.len++)
		assert_int_not_equal(hl7_proto.probe(&in), PARSE_BAD);
	free((void *)in.data.data);
	snprintf(said, sizeof(said), INSIDE_SAID INSIDE_SAID, width * 8, width * 8);
	talk_expect("hl7", false, twice, 2, said);
}

/* HL7 v2.9 §2.14.9.18 has such encodings not go with MLLP; those who send them all the same are read. */
static void wide_characters_are_read(void **state)
{
	for (unsigned i = 0; i < 16; i++)
		expect_wide(i & 1 ? 4 : 2, i & 2, i & 4, i & 8);
	/* Between others, and by other line ends. */
	EXPECT(ORU_SAID "{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,"
			"\"encoding\":\"UTF-16\"}}\n" ORU_SAID,
	       P(0, ORU), P(0, "\vM\0S\0H\0|\0^\0~\0&\0|\0A\0\r\0\n\0P\0V\0001\0\n\0\x1c\r"),
	       P(0, ORU));
	EXPECT("{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,\"encoding\":\"UTF-16\"}}\n",
	       P(0, "\v\0M\0S\0H\0|\0^\0~\0&\0|\0A\0\n\0P\0V\0001\0\x1c\0\r"));
}

/* Names beyond ASCII come out in UTF-8, surrogates as one character. */
static void wide_characters_become_utf_8(void **state)
{
	EXPECT(WIDE_SAID("\xd0\x90\xd0\xab\xf0\x9f\xab\x80z", ""),
	       P(0, WIDE_HEAD "\x10\x04\x2b\x04\x3e\xd8\xc0\xdez\0\r\0\x1c\r"));
	/* The same order without a mark, the frame's own bytes alone. */
	EXPECT(WIDE_SAID("\xd0\x90", ""), P(0, "\vM\0S\0H\0|\0^\0~\0&\0|\0\x10\x04\r\0\x1c\r"));
	EXPECT(WIDE_SAID("\xd0\x90", ""), P(0, "\v\0M\0S\0H\0|\0^\0~\0&\0|\x04\x10\0\r\x1c\r"));
	/* A character that has the byte of an end in it, but no end. */
	EXPECT("{\"hl7\":{\"sending_application\":\"\xd0\x9c\xd0\x9c\",\"segments\":1,"
	       "\"encoding\":\"UTF-16\"}}\n",
	       P(0, WIDE_HEAD "\x1c\x04\x1c\x04\r\0\x1c\r"));
}

static void what_is_no_utf_16_is_told(void **state)
{
	/* Halves of a pair alone, the second first, and the first at the very end. */
	EXPECT(WIDE_SAID("\xef\xbf\xbdz", ENCODING), P(0, WIDE_HEAD "\x3e\xd8z\0\r\0\x1c\r"));
	EXPECT(WIDE_SAID("\xef\xbf\xbd", ENCODING), P(0, WIDE_HEAD "\xc0\xde\r\0\x1c\r"));
	EXPECT(WIDE_SAID("\xef\xbf\xbd", ENCODING), P(0, WIDE_HEAD "\x3e\xd8\x1c\r"));
	/* An end within a character. */
	EXPECT(WIDE_SAID("A", ENCODING), P(0, WIDE_HEAD "A\0z\x1c\r"));
	/* Beyond what Unicode has. */
	EXPECT("{\"hl7\":{\"sending_application\":\"\xef\xbf\xbd\",\"segments\":1,"
	       "\"encoding\":\"UTF-32\"},\"reason\":\"hl7.encoding\"}\n",
	       P(0, "\v\0\0\0M\0\0\0S\0\0\0H\0\0\0|\0\0\0^\0\0\0~\0\0\0&\0\0\0|\0\x11\0\0\x1c\r"));
	/* Wide throughout and without a mark: in the other order it says something else. */
	EXPECT(WIDE_SAID("\xd0\x90", ENCODING),
	       P(0, "\v\0M\0S\0H\0|\0^\0~\0&\0|\x04\x10\0\r\0\x1c\0\r"));
	EXPECT(WIDE_SAID("\xd0\x90", ""),
	       P(0, "\0\v\0M\0S\0H\0|\0^\0~\0&\0|\x04\x10\0\r\0\x1c\0\r"));
	/* Another frame within a character. */
	EXPECT("{\"hl7\":{\"sending_application\":\"A\",\"segments\":1,\"encoding\":\"UTF-16\"},"
	       "\"reason\":\"hl7.framing\"}\n" ORU_SAID,
	       P(0, WIDE_HEAD "A\0\r\0z" ORU));
}

/* Some receivers take 0x1c alone for the end: the message is told before the byte behind it is there. */
static void what_may_be_the_end_is_judged(void **state)
{
	static const char front[] = WIDE_HEAD "A\0\r\0O\0R\0C\0\r\0\x1c";
	struct talk_record *r = malloc(sizeof(*r));
	static const char said[] = "{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,"
				   "\"encoding\":\"UTF-16\"}}\n";

	for (unsigned i = 0; i < 3; i++) {
		talk_begin(r, "hl7", false);
		talk_feed(r, 0, front, sizeof(front) - 1);
		assert_string_equal(r->said, said);
		if (i == 1)
			FEED(r, 0, "\x04\r\0\x1c\r");
		else if (i == 2)
			FEED(r, 0, "\r");
		if (i)
			FEED(r, 0, ORU);
		else
			talk_end(r, 0);
		assert_int_equal(strncmp(r->said, said, sizeof(said) - 1), 0);
		assert_string_equal(r->said + sizeof(said) - 1,
				    i ? ORU_SAID : "{\"hl7\":{},\"reason\":\"hl7.framing\"}\n");
		talk_finish(r);
	}
	free(r);
}

/* What goes on behind that is more than an acknowledgement: it is judged as what it is. */
/* A header as it goes on behind MSH-4, whose end is `name` and a separator, which may be its second half. */
#define TWO_BYTES(name, type, id) \
	"\vMSH|^~\\&|LAB|" name "|EHR|MAIN|2026||" type "|" id "|P|2.5\r\x1c\r"
#define TWO_BYTES_SAID(name, more)                                                               \
	"{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"ORM^O01\",\"version\":\"2.5\"," \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"" name "\","                     \
	"\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":1}" more \
	"}\n"

/*
 * By bytes the separator ends MSH-4, by characters it is half of one and MSH-9 what was MSH-10: Shift_JIS,
 * Big5, GB 18030; ISO 2022 that is not switched back.
 */
static void a_type_is_one_by_characters_too(void **state)
{
	EXPECT(TWO_BYTES_SAID("\\u0083", ENCODING), P(0, TWO_BYTES("\x83", "ORU^R01", "ORM^O01")));
	EXPECT(TWO_BYTES_SAID("\\u001b$B!", ENCODING),
	       P(0, TWO_BYTES("\x1b$B!", "ORU^R01", "ORM^O01")));
	EXPECT(TWO_BYTES_SAID("\\u000e!", ENCODING),
	       P(0, TWO_BYTES("\x0e!", "ORU^R01", "ORM^O01")));
	/* Of two halves a decoder may know one: what is two fields on is nothing's type. */
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"orm\",\"version\":\"2.5\","
	       "\"sending_application\":\"\\u0083\",\"sending_facility\":\"\\u0083\","
	       "\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":"
	       "1}" ENCODING "}\n",
	       P(0, "\vMSH|^~\\&|\x83|\x83|EHR|MAIN|2026||ORU^R01|orm|P|2.5\r\x1c\r"));
	/* In whole characters, and switched back: one reading. */
	EXPECT(TWO_BYTES_SAID("\\u0083@", ""), P(0, TWO_BYTES("\x83@", "ORU^R01", "ORM^O01")));
	EXPECT(TWO_BYTES_SAID("\\u001b$B0!\\u001b(B", ""),
	       P(0, TWO_BYTES("\x1b$B0!\x1b(B", "ORU^R01", "ORM^O01")));
}

/* Of several in one frame the others are what they are, before it and behind it. */
static void one_message_is_refused_for_its_encoding(void **state)
{
	static const char plain[] = "{\"hl7\":{\"sending_application\":\"A\",\"segments\":1}}\n";
	char said[1024];

	snprintf(said, sizeof(said), "%s%s%s", plain, TWO_BYTES_SAID("\\u0083", ENCODING), plain);
	EXPECT(said, P(0, "\vMSH|^~\\&|A\r"
			  "MSH|^~\\&|LAB|\x83|EHR|MAIN|2026||ORU^R01|ORM^O01|P|2.5\r"
			  "MSH|^~\\&|A\r\x1c\r"));
#define WIDE_LINE "M\0S\0H\0|\0^\0~\0&\0|\0"
	EXPECT(WIDE_SAID("A", "") WIDE_SAID("\xef\xbf\xbdz", ENCODING) WIDE_SAID("B", "")
		       WIDE_SAID("C", ""),
	       P(0, WIDE_HEAD "A\0\r\0" WIDE_LINE "\x3e\xd8z\0\r\0" WIDE_LINE "B\0\r\0" WIDE_LINE
			      "C\0\r\0\x1c\r"));
}

/* What no reading takes for a type is none: names that end in Latin letters are no Shift_JIS. */
static void latin_letters_are_no_halves(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"MSG1\",\"version\":\"2.5\","
	       "\"sending_application\":\"LAB\",\"sending_facility\":\"Sant\\u00e9\","
	       "\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":1}}"
	       "\n",
	       P(0, TWO_BYTES("Sant\xe9", "ORU^R01", "MSG1")));
}

/* By bytes it has no type, by characters it has: a receiver that splits bytes has nothing of it. */
static void separators_are_halves_of_characters(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"7\",\"version\":\"2.5\","
	       "\"sending_application\":\"\\u0083\\u008c\\u0083|\",\"sending_facility\":\"WARD\","
	       "\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":1}}"
	       "\n",
	       P(0, "\vMSH|^~\\&|\x83\x8c\x83||WARD|EHR|MAIN|2026||ORU^R01|7|P|2.5\r\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"7\",\"version\":\"2.5\","
	       "\"sending_application\":\"\\u001b$B%]%|\\u001b(B\",\"sending_facility\":\"WARD\","
	       "\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":1}}"
	       "\n",
	       P(0, "\vMSH|^~\\&|\x1b$B%]%|\x1b(B|WARD|EHR|MAIN|2026||ORU^R01|7|P|2.5\r\x1c\r"));
}

static void xml_is_read(void **state)
{
	EXPECT(XML_SAID("ORU", "4",
			",\"observations\":1" XML_END) "{\"hl7\":{\"message_type\":\"ACK\","
						       "\"control_id\":\"8\",\"version\":\"2.5\","
						       "\"ack_code\":\"AA\",\"acked_control_id\":"
						       "\"7\",\"segments\":2,\"encoding\":\"XML\"}}"
						       "\n" ORU_SAID,
	       P(0, XML_ORU),
	       P(1,
		 "\v<ACK><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.9><MSG.1>ACK</MSG.1></"
		 "MSH.9>"
		 "<MSH.10>8</MSH.10><MSH.12><VID.1>2.5</VID.1></MSH.12></MSH><MSA><MSA.1>AA</MSA.1>"
		 "<MSA.2>7</MSA.2></MSA></ACK>\x1c\r"),
	       P(0, ORU));
	/* An order is one; what a document holds is not read. */
	EXPECT("{\"hl7\":{\"message_type\":\"RGV^R01\",\"type_by_structure\":\"RGV^O15\","
	       "\"control_id\":\"7\",\"version\":\"2.5\","
	       "\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\",\"segments\":2,"
	       "\"observations\":1,"
	       "\"encoding\":\"XML\",\"control\":true}}\n",
	       P(0,
		 XML_HEAD("RGV_O15") XML_MSH("RGV", "<MSH.18>ASCII</MSH.18><MSH.18>UNICODE</"
						    "MSH.18>") "<OBX><OBX.5><![CDATA[</OBX.5>]]></"
							       "OBX.5></OBX></RGV_O15>\x1c\r"));
}

/* XML 1.0 §2.5: around segments; who defines something ahead of the root is told as that. */
static void xml_has_comments(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ACK\",\"segments\":2,\"encoding\":\"XML\"}}"
	       "\n" ORU_SAID,
	       P(0, "\v<?xml version=\"1.0\"?>\n<!-- made by a-b -->\n<!----><ACK><!-- c -->"
		    "<MSH><MSH.9><MSG.1>ACK</MSG.1></MSH.9></MSH><!--d--><MSA/></ACK><!-- e "
		    "-->\x1c\r"),
	       P(0, ORU));
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.xml\"}\n" ORU_SAID,
	       P(0,
		 "\v<!DOCTYPE ACK><ACK><MSH><MSH.9><MSG.1>ACK</MSG.1></MSH.9></MSH></ACK>\x1c\r"),
	       P(0, ORU));
}

/* What one receiver reads and another one does not, or otherwise. */
static void xml_is_read_in_one_way(void **state)
{
	static const struct {
		const char *root, *header, *rest;
	} cases[] = {
		{"RGV_O15", "<MSG.1>ORU</MSG.1>", ""},
		{"ORU_R30", "<MSG.1>ORU</MSG.1><MSG.2>R01</MSG.2><MSG.3>ORM_O01</MSG.3>", ""},
		{"ORU_R01", "<MSG.1>ORU</MSG.1><MSG.1>RGV</MSG.1>", ""},
		{"ORU_R01", "<MSG.2>R01</MSG.2><MSG.1>ORU</MSG.1>", ""},
		{"ORU_R01", "<MSG.1><!-- -->ORU</MSG.1>", ""},
		{"ORU_R01", "<MSG.1><![CDATA[ORU]]></MSG.1>", ""},
		{"ORU_R01", "<MSG.1>OR&u;</MSG.1>", ""},
		{"ORU_R01", "<MSG.1>ORU<x>R</x></MSG.1>", ""},
		{"ORU_R01", "<MSG.1>ORU&#x1e;</MSG.1>", ""},
		{"ORU_R01", "<a:MSG.1>ORU</a:MSG.1>", ""},
		{"ORU_R01", "<MSG.1 xmlns=\"a\">ORU</MSG.1>", ""},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>RGV", ""},
		{"ORU_R01", "RGV<MSG.1>ORU</MSG.1>", ""},
		{"ORU_R01", "<MSG.1>ORU</MSG.1></MSH.9><MSH.9><MSG.1>RGV</MSG.1>", ""},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<MSH/>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<MSH><MSH.9><MSG.1>RGV</MSG.1></MSH.9></MSH>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<!-- <MSH> -->"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<!-- a--b -->"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<!-- -"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<?a b?>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<![CDATA[ ]]>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<!DOCTYPE a>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "RGV"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<PID><PID.3>\v</PID.3></PID>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<MSA><MSA.1>A<!-- -->A</MSA.1></MSA>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<a:MSH></a:MSH>"},
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "</ORU_R01><RGV_O15>"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk_record *r = malloc(sizeof(*r));
		struct talk_piece piece = {0};
		char text[512];
		int n = snprintf(text, sizeof(text),
				 "\v<%s><MSH><MSH.1>|</MSH.1><MSH.9>%s</MSH.9></MSH>%s</%s>\x1c\r",
				 cases[i].root, cases[i].header, cases[i].rest, cases[i].root);

		piece.data = text;
		piece.len = (size_t)n;
		talk_play(r, "hl7", false, &piece, 1, 0);
		if (!strstr(r->said, XML_REFUSED))
			fail_msg("case %u: %s", i, r->said);
		free(r);
	}
}

/* It is known from its first bytes on, and what is another kind of document is not it. */
static void xml_is_known_by_its_root(void **state)
{
	static const struct {
		const char *text;
		enum parse is;
	} cases[] = {
		{XML_HEAD("ORU_R01"), PARSE_OK},
		{"\v\r\n<ACK>", PARSE_OK},
		{"\v\xef\xbb\xbf<ACK>", PARSE_OK},
		{"\v<?xml version='1.0'?><MCCI_IN000002UV01 xmlns='urn:hl7-org:v3'>", PARSE_BAD},
		{"\v<?xml version='1.0' encoding='UTF-7'?><ACK>", PARSE_BAD},
		{"\v<!DOCTYPE ACK SYSTEM 'a'><ACK>", PARSE_OK},
		{"\v<!-- a-b --><ACK>", PARSE_OK},
		{"\v<!DOCTYPE html><html>", PARSE_BAD},
		{"\v<html>", PARSE_BAD},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].text, strlen(cases[i].text))};

		assert_int_equal(hl7_proto.probe(&in), cases[i].is);
		while (cases[i].is == PARSE_OK && --in.data.len)
			assert_int_not_equal(hl7_proto.probe(&in), PARSE_BAD);
		free((void *)in.data.data);
	}
}

/* A segment that holds a document is passed over, and a frame's byte within it is one. */
static void long_xml_segments(void **state)
{
	static const char head[] = XML_HEAD("ORU_R01") XML_MSH("ORU", "") "<OBX><OBX.5>";
	static const char tail[] = "</OBX.5></OBX><NTE/></ORU_R01>\x1c\r";
	size_t middle = 70000, n = 0;
	char *text = malloc(sizeof(head) + middle + sizeof(tail));
	struct talk_piece piece = {0, text, 0};

	memcpy(text, head, n = sizeof(head) - 1);
	memset(text + n, 'A', middle);
	memcpy(text + n + middle, tail, sizeof(tail) - 1);
	piece.len = n + middle + sizeof(tail) - 1;
	talk_expect("hl7", false, &piece, 1, XML_SAID("ORU", "3", ",\"observations\":1" XML_END));
	text[n + 40000] = 0x1c;
	talk_expect("hl7", false, &piece, 1,
		    XML_SAID("ORU", "2", ",\"observations\":1,\"encoding\":\"XML\"},") XML_REFUSED
		    "}\n");
	free(text);
}

static void no_acknowledgement_hides_an_order(void **state)
{
	static const char ack[] = "MSH|^~\\&|||||||ACK|9\rMSA|AA|1\r", rest[] = "Z\rORC|1\r";
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t wide[2 * sizeof(ack)];

	talk_begin(r, "hl7", false);
	FEED(r, 0, "\v");
	talk_feed(r, 0, wide, widen(wide, ack, sizeof(ack) - 1, 2, false));
	FEED(r, 0, "\x1c");
	assert_int_equal(strlen(strchr(r->said, '\n')), 1);
	FEED(r, 0, "\x04");
	talk_feed(r, 0, wide, widen(wide, rest, sizeof(rest) - 1, 2, false));
	FEED(r, 0, "\x1c\r");
	assert_int_equal(strlen(strchr(strchr(r->said, '\n') + 1, '\n')), 1);
	assert_non_null(strstr(strchr(r->said, '\n') + 1, "\"message_type\":\"ACK\""));
	talk_finish(r);
	free(r);
}

/* A document in UTF-16 passes without being held, and cut within characters. */
static void long_wide_segments(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	static uint8_t part[30001];

	for (size_t i = 0; i < sizeof(part); i += 4)
		memcpy(part + i, "\x3e\xd8\xc0\xde", sizeof(part) - i < 4 ? sizeof(part) - i : 4);
	talk_begin(r, "hl7", false);
	FEED(r, 0, WIDE_HEAD "A\0\r\0O\0B\0X\0|\0");
	for (unsigned i = 0; i < 8; i++)
		talk_feed(r, 0, part, sizeof(part) - 1 - (i & 1) * 2);
	assert_true(r->held_len[0] <= 4);
	FEED(r, 0, "\r\0\x1c\r");
	assert_string_equal(r->said, "{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,"
				     "\"observations\":1,\"encoding\":\"UTF-16\"},"
				     "\"reason\":\"hl7.encoding\"}\n");
	talk_finish(r);
	talk_begin(r, "hl7", false);
	FEED(r, 0, WIDE_HEAD "A\0\r\0O\0B\0X\0|\0");
	for (size_t i = 0, n = 0; i + 1 < sizeof(part) - 1; i += n) {
		n = i % 7 + 1 < sizeof(part) - 1 - i ? i % 7 + 1 : sizeof(part) - 1 - i;
		talk_feed(r, 0, part + i, n);
	}
	assert_true(r->held_len[0] <= 4);
	FEED(r, 0, "\r\0\x1c\r");
	assert_string_equal(r->said, "{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,"
				     "\"observations\":1,\"encoding\":\"UTF-16\"}}\n");
	talk_finish(r);
	free(r);
}

static void a_mark_before_utf_8_is_none(void **state)
{
	static const char marked[] = "\v\xef\xbb\xbfMSH|^~\\&|LAB";
	struct proto_input in = {.datagram = false};

	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"version\":\"2.3\","
	       "\"sending_application\":\"A\",\"segments\":1}}\n",
	       P(0, "\v\xef\xbb\xbfMSH|^~\\&|A||||||ADT^A01|7|P|2.3\r\x1c\r"));
	in.data = unit_exact(marked, sizeof(marked) - 1);
	assert_int_equal(hl7_proto.probe(&in), PARSE_OK);
	in.data.len = 5;
	assert_int_equal(hl7_proto.probe(&in), PARSE_MORE);
	free((void *)in.data.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wide_characters_are_read),
		cmocka_unit_test(wide_characters_become_utf_8),
		cmocka_unit_test(what_is_no_utf_16_is_told),
		cmocka_unit_test(what_may_be_the_end_is_judged),
		cmocka_unit_test(a_type_is_one_by_characters_too),
		cmocka_unit_test(one_message_is_refused_for_its_encoding),
		cmocka_unit_test(latin_letters_are_no_halves),
		cmocka_unit_test(separators_are_halves_of_characters),
		cmocka_unit_test(xml_is_read),
		cmocka_unit_test(xml_has_comments),
		cmocka_unit_test(xml_is_read_in_one_way),
		cmocka_unit_test(xml_is_known_by_its_root),
		cmocka_unit_test(long_xml_segments),
		cmocka_unit_test(no_acknowledgement_hides_an_order),
		cmocka_unit_test(long_wide_segments),
		cmocka_unit_test(a_mark_before_utf_8_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
