/* HL7 v2 over MLLP: what is said of messages, whole or in any cut. */
#include "guard/proto/hl7.h"
#include "guard/proto/hl7_time.h"

#include <stdio.h>

#include "talk.h"

#define P(end, text)                        \
	{                                   \
		end, text, sizeof(text) - 1 \
	}
#define EXPECT(expected, ...)                                                                    \
	do {                                                                                     \
		const struct talk_piece pieces[] = {__VA_ARGS__};                                \
		talk_expect("hl7", false, pieces, sizeof(pieces) / sizeof(pieces[0]), expected); \
	} while (0)

#define FEED(r, end, text) talk_feed(r, end, text, sizeof(text) - 1)

#define ORU                                                                                 \
	"\vMSH|^~\\&|LAB^1.2^ISO|WARD|EHR|MAIN|20260131||ORU^R01^ORU_R01|M-1|P|2.5.1\r"     \
	"PID|1||4711||DOE^JANE\rOBR|1\rOBX|1|NM|2339-0^GLUCOSE^LN||98|mg/dL|70-105|N|||F\r" \
	"\x1c\r"
#define ORU_SAID                                                                               \
	"{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"M-1\",\"version\":\"2.5.1\"," \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\","                       \
	"\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":4,"    \
	"\"observations\":1}}\n"

static void a_result_and_its_acknowledgement(void **state)
{
	EXPECT(ORU_SAID "{\"hl7\":{\"message_type\":\"ACK^R01\",\"control_id\":\"A-1\",\"version\":"
			"\"2.5.1\","
			"\"sending_application\":\"EHR\",\"sending_facility\":\"MAIN\","
			"\"receiving_application\":\"LAB\",\"receiving_facility\":\"WARD\","
			"\"ack_code\":\"AA\",\"acked_control_id\":\"M-1\",\"segments\":2}}\n",
	       P(0, ORU),
	       P(1, "\vMSH|^~\\&|EHR|MAIN|LAB|WARD|2026||ACK^R01|A-1|P|2.5.1\rMSA|AA|M-1\r\x1c\r"));
}

static void patients_are_not_told(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	const struct talk_piece piece = P(0, ORU);

	talk_play(r, "hl7", false, &piece, 1, 0);
	assert_null(strstr(r->said, "DOE"));
	assert_null(strstr(r->said, "4711"));
	free(r);
}

static void other_separators(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"version\":\"2.3\","
	       "\"sending_application\":\"A\",\"segments\":2}}\n",
	       P(0, "\vMSH#*@!%#A*B######ADT*A01#7#P#2.3\rPV1#1\r\x1c\r"));
}

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

#define WIDE_HEAD "\v\xff\xfeM\0S\0H\0|\0^\0~\0&\0|\0"
#define WIDE_SAID(name, more)                       \
	"{\"hl7\":{\"sending_application\":\"" name \
	"\",\"segments\":1,\"encoding\":\"UTF-16\"}" more "}\n"
#define ENCODING ",\"reason\":\"hl7.encoding\""

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

/* Whoever takes the messages of a frame one by one takes those behind a header that is none, too. */
static void one_header_is_refused(void **state)
{
	static char line[4200];
	struct talk_piece piece = {0, line, 0};

#define REFUSED	   "{\"hl7\":{},\"reason\":\"hl7.delimiters\"}\n"
#define SAYS(name) "{\"hl7\":{\"sending_application\":\"" name "\",\"segments\":2}}\n"
#define ONE(name)  "MSH|^~\\&|" name "\rPID|1\r"
	EXPECT(SAYS("A") REFUSED REFUSED SAYS("B") SAYS("C"),
	       P(0, "\v" ONE("A") "MSH|||||\rPID|1\r--\rMSHa\r" ONE("B") "\x1c\r\v" ONE(
			    "C") "\x1c\r"));
	/* What stands at the end of what is held of a long line begins none. */
	snprintf(line, sizeof(line), "\vMSH|%4091s|" ONE("A") ONE("B") "\x1c\r", "|");
	piece.len = strlen(line);
	talk_expect("hl7", false, &piece, 1, REFUSED SAYS("B"));
	EXPECT(REFUSED SAYS("A"), P(0, "\vMSH|||||\rPID|1\r\x1c\r\v" ONE("A") "\x1c\r"));
	EXPECT(REFUSED "{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,\"batch\":true}}\n",
	       P(0, "\vBHS|^~\\&|X\rMSH|^^\\&|A\rPID|1\r" ONE("A") "BTS|2\r\x1c\r"));
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

/* HL7 v2.xml, in MLLP as any other: a header of `more` fields, a message behind it. */
#define XML_HEAD(root) \
	"\v<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" root " xmlns=\"urn:hl7-org:v2xml\">\n"
#define XML_MSH(code, more)                                                                  \
	"<MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.3 LongName=\"a > b\"><HD.1> LAB " \
	"</HD.1>"                                                                            \
	"<HD.2>1.2</HD.2></MSH.3><MSH.4><HD.1>WARD</HD.1></MSH.4>\r\n "                      \
	"<MSH.7><TS.1>20260131</TS.1>"                                                       \
	"</MSH.7><MSH.9><MSG.1>" code                                                        \
	"</MSG.1><MSG.2>R01</MSG.2><MSG.3/></MSH.9><MSH.10>7</MSH.10>"                       \
	"<MSH.11><PT.1>P</PT.1></MSH.11><MSH.12><VID.1>2.5</VID.1></MSH.12>" more "</MSH>\n"
#define XML_SAID(type, segments, more)                                                          \
	"{\"hl7\":{\"message_type\":\"" type "^R01\",\"control_id\":\"7\",\"version\":\"2.5\"," \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\",\"segments\":" segments  \
		more
#define XML_END	    ",\"encoding\":\"XML\"}}\n"
#define XML_REFUSED "\"reason\":\"hl7.xml\""

#define XML_ORU                                                                                  \
	XML_HEAD("ORU_R01")                                                                      \
	XML_MSH("ORU", "")                                                                       \
	"<ORU_R01.PATIENT_RESULT><ORU_R01.PATIENT><PID><PID.3><CX.1>4711</CX.1><CX.4><HD.1>A</"  \
	"HD.1>"                                                                                  \
	"</CX.4></PID.3><PID.3><CX.1>0</CX.1></PID.3></PID></ORU_R01.PATIENT>"                   \
	"<ORU_R01.ORDER_OBSERVATION><OBR/><ORU_R01.OBSERVATION><OBX><OBX.1>1</OBX.1>"            \
	"<OBX.2>NM</OBX.2><OBX.3><CWE.1>149530</CWE.1><CWE.2>MDC_PULS</CWE.2><CWE.3>MDC</CWE.3>" \
	"</OBX.3><OBX.5>6&#49;</OBX.5><OBX.6><CWE.1>264864</CWE.1></OBX.6><OBX.11>R</OBX.11></"  \
	"OBX>"                                                                                   \
	"</ORU_R01.OBSERVATION></ORU_R01.ORDER_OBSERVATION></ORU_R01.PATIENT_RESULT>\n</"        \
	"ORU_R01>\n"                                                                             \
	"\x1c\r"

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
		{"ORU_R01", "<MSG.1>ORU</MSG.1>", "<!-- -->"},
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
		{"\v<!DOCTYPE ACK SYSTEM 'a'><ACK>", PARSE_BAD},
		{"\v<!-- --><ACK>", PARSE_BAD},
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

/* Implementation Support Guide, appendix C.3: a version before, a length and a sum behind. */
static void hybrid_frames_are_read(void **state)
{
	static const char hybrid[] = "\vD23\rMSH|^~\\&|";
	struct proto_input in = {.datagram = false};

	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"version\":\"2.3\","
	       "\"sending_application\":\"A\",\"segments\":2}}\n",
	       P(0, "\vD23\rMSH|^~\\&|A||||||ADT^A01|7|P|2.3\rPV1|1\r00052217\x1c\r"),
	       P(1, "\vN23\rC00005123\x1c\r"));
	/* What stands in a refusal is no way round a rule. */
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"version\":\"2.3\","
	       "\"sending_application\":\"A\",\"segments\":1}}\n"
	       "{\"hl7\":{},\"reason\":\"hl7.no_header\"}\n",
	       P(0, "\vN23\rMSH|^~\\&|A||||||ADT^A01|7|P|2.3\r\x1c\r\vN23\rPID|1\r\x1c\r"));
	in.data = unit_exact(hybrid, sizeof(hybrid) - 1);
	assert_int_equal(hl7_proto.probe(&in), PARSE_OK);
	for (in.data.len = 1; in.data.len < 5; in.data.len++)
		assert_int_equal(hl7_proto.probe(&in), PARSE_MORE);
	free((void *)in.data.data);
}

static void line_feeds_end_segments_too(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"segments\":3}}\n",
	       P(0, "\vMSH|^~\\&|||||||ADT^A01|7\nPID|1\nPV1|1\n\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"control_id\":\"7\",\"segments\":3}}\n",
	       P(0, "\vMSH|^~\\&|||||||ADT^A01|7\r\nPID|1\r\nPV1|1\x1c\r\n"));
}

static void a_line_feed_within_a_field_ends_nothing(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"7\",\"segments\":2,"
	       "\"observations\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01|7\rOBX|1|TX|A||two\nlines\nMSH "
		    "low\nFHS-2\nMSH\r\x1c\r"));
}

#define HIDDEN_SAID                                                                      \
	"{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":2}}\n" \
	"{\"hl7\":{\"message_type\":\"ORM^O01\",\"control_id\":\"2\",\"segments\":2}}\n"

/* Receivers end a segment by CR, by what ended the first one, or by either: no message hides in that. */
static void no_header_hides_behind_a_line_end(void **state)
{
	static const char rest[] = "\nMSx\nMSH|^~\\&|||||||ORM^O01|2\rORC|NW\r\x1c\r";
	static uint8_t text[3 * 4096];
	struct talk_record *r = malloc(sizeof(*r));

	EXPECT(HIDDEN_SAID, P(0, "\vMSH|^~\\&|||||||ORU^R01|1\nPID|1\rMSH|^~\\&|||||||ORM^O01|2\r"
				 "ORC|NW\r\x1c\r"));
	EXPECT(HIDDEN_SAID,
	       P(0, "\vMSH|^~\\&|||||||ORU^R01|1\rNTE|1\nMS\n\nMSH|^~\\&|||||||ORM^O01|"
		    "2\nORC|NW\r\n\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":3}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01|1\nPID|1\r\nPV1|1\n\r\x1c\r"));
	EXPECT("{\"hl7\":{\"sending_application\":\"A\",\"segments\":2,\"encoding\":\"UTF-16\"}}\n"
	       "{\"hl7\":{\"sending_application\":\"B\",\"segments\":1,\"encoding\":\"UTF-16\"}}\n",
	       P(0, WIDE_HEAD "A\0\r\0N\0T\0E\0\n\0M\0S\0H\0|\0^\0~\0&\0|\0B\0\r\0\x1c\r"));
	/* In what is passed of a long segment, too, however it comes. */
	memset(text, 'x', sizeof(text));
	for (size_t n = 1; n < 6; n++) {
		talk_begin(r, "hl7", false);
		FEED(r, 0, "\vMSH|^~\\&|||||||ORU^R01|1\rNTE|");
		talk_feed(r, 0, text, sizeof(text));
		for (size_t i = 0; i < sizeof(rest) - 1; i += n)
			talk_feed(r, 0, rest + i,
				  sizeof(rest) - 1 - i < n ? sizeof(rest) - 1 - i : n);
		assert_string_equal(r->said, HIDDEN_SAID);
		talk_finish(r);
	}
	free(r);
}

static void batches_are_taken_apart(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":2,"
	       "\"batch\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"2\",\"segments\":1,"
	       "\"batch\":true}}\n",
	       P(0, "\vFHS|^~\\&|X\rBHS|^~\\&|X\rMSH|^~\\&|||||||ORU^R01|1\rPID|1\r"
		    "MSH|^~\\&|||||||ORU^R01|2\rBTS|2\rFTS|1\r\x1c\r"));
	/* What stands in the place of a header is told, where it is none. */
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.no_header\"}\n",
	       P(0, "\vBHS|^~\\&|X\r MSH|^~\\&|||||||ORM^O01|1\rORC|NW\r\x1c\r"));
}

#define NAME_46 "0123456789012345678901234567890123456789012345"

/* What senders leave out, put in, or write otherwise. */
static void odd_messages_are_read(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ACK\",\"control_id\":\"7\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ACK|7\r\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01^ORU_R01\x1c\r"));
	EXPECT("{\"hl7\":{\"sending_application\":\"A\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|A\r\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"QBP\",\"type_by_structure\":\"QBP^Q21\","
	       "\"control_id\":\"7\",\"version\":\"2.5\","
	       "\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||QBP^^QBP_Q21|7|P|2.5^DEU^2.5.1|||AL|NE\r\r\r\x1c\r\r\n"));
	/* An answer that says more than that it is one. */
	EXPECT("{\"hl7\":{\"message_type\":\"ORR^O02\",\"control_id\":\"8\",\"ack_code\":\"AR\","
	       "\"acked_control_id\":\"7\",\"segments\":3}}\n",
	       P(1, "\vMSH|^~\\&|||||||ORR^O02|8\rMSA|AR|7|no\rERR|\r\x1c\r"));
	/* As programs write that mean one backslash. */
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\\\&|||||||ADT^A01\r\x1c\r"));
	/* Two in a frame, which nobody called a batch. */
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":2}}\n"
	       "{\"hl7\":{\"message_type\":\"ORM^O01\",\"control_id\":\"2\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01|1\rPID|1\rMSH|^~\\&|||||||ORM^O01|2\r\x1c\r"));
	/* Line ends before the frame, blanks in the place of a segment. */
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":2,"
	       "\"observations\":1}}\n",
	       P(0, "\r\n\vMSH|^~\\&|||||||ORU^R01|1\rOBX|1|ST   \r  \t\r\x1c\r"));
	/* ISO 8859-1 and UTF-8; escapes stay as they are. */
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"sending_application\":\"S\\u00fcd\","
	       "\"sending_facility\":\"S\xc3\xbc"
	       "d\",\"receiving_application\":\"A\\\\T\\\\B\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|S\xfc"
		    "d|S\xc3\xbc"
		    "d|A\\T\\B||||ADT^A01\r\x1c\r"));
	/* A name that is longer than any is kept, up to a whole character. */
	EXPECT("{\"hl7\":{\"sending_application\":\"" NAME_46 "\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|" NAME_46 "\xc3\xbc" NAME_46 "\r\x1c\r"));
	EXPECT("{\"hl7\":{\"sending_application\":\"" NAME_46 "a\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|" NAME_46 "a\xc3\xbc\r\x1c\r"));
}

static void alerts_are_marked(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R40\",\"control_id\":\"9\",\"version\":\"2.6\","
	       "\"segments\":1,\"alert\":true}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R40^ORU_R40|9|P|2.6\r\x1c\r"));
}

#define RGV_TOO "\"type_by_structure\":\"RGV^O15\","

/* An order that a pump carries out itself, whatever its separators are; others ask people. */
static void infusion_orders_are_control(void **state)
{
	EXPECT("{\"hl7\":{\"message_type\":\"RGV^O15\",\"control_id\":\"9\",\"version\":\"2.6\","
	       "\"segments\":1,\"control\":true}}\n",
	       P(0, "\vMSH|^~\\&|||||||RGV^O15^RGV_O15|9|P|2.6\r\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"RGV^O15\",\"control_id\":\"9\","
	       "\"segments\":1,\"control\":true}}\n",
	       P(0, "\vMSH*$~\\&*******RGV$O15*9\r\x1c\r"));
	/* An analyser's, too; it answers with others. */
	EXPECT("{\"hl7\":{\"message_type\":\"EAC^U07\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"TCU^U10\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"EAR^U08\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||EAC^U07^EAC_U07\rMSH|^~\\&|||||||TCU^U10\rMSH|^~\\&|||||||"
		    "EAR^U08\r"
		    "\x1c\r"));
	/* As older versions name it, and as some receivers still take it. */
	EXPECT("{\"hl7\":{\"message_type\":\"RGV^O01\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"RGV\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\" rgv ^O15\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"RGVX\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||RGV^O01\rMSH|^~\\&|||||||RGV\rMSH|^~\\&||||||| rgv ^O15\r"
		    "MSH|^~\\&|||||||RGVX\r\x1c\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ORM^O01\",\"control_id\":\"9\","
	       "\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORM^O01|9\r\x1c\r"));
	/* By its structure, and by escapes, whatever their character is. */
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\"," RGV_TOO
	       "\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{" RGV_TOO "\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"RG%X56%^O15\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"ORU^R01\",\"segments\":1}}\n"
	       "{\"hl7\":{\"message_type\":\"TCR^U11\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01^RGV_O15\rMSH|^~\\&|||||||^^RGV_O15\r"
		    "MSH|^~%&|||||||RG%X56%^O15\rMSH|^~%&|||||||ORU^R01^ORU_R01\r"
		    "MSH|^~%&|||||||TCR^U11^TCU_U10\r\x1c\r"));
}

static void what_is_malformed_is_said(void **state)
{
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.delimiters\"}\n", P(0, "\vMSH|||||\r"));
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.delimiters\"}\n", P(0, "\vMSH|^^\\&|A\r"));
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.delimiters\"}\n", P(0, "\vMSHa^~\\&aA\r"));
	EXPECT("{\"hl7\":{},\"reason\":\"hl7.no_header\"}\n", P(0, "\vPID|1\r"));
	EXPECT(ORU_SAID "{\"hl7\":{},\"reason\":\"hl7.framing\"}\n", P(0, ORU "GET "));
	EXPECT("{\"hl7\":{\"sending_application\":\"A\",\"segments\":1},"
	       "\"reason\":\"hl7.framing\"}\n",
	       P(0, "\vMSH|^~\\&|A\r\vMSH|^~\\&|B\r"));
	EXPECT("{\"hl7\":{\"message_type\":\"ADT^A01\",\"segments\":2},"
	       "\"reason\":\"hl7.segment_name\"}\n",
	       P(0, "\vMSH|^~\\&|||||||ADT^A01\r--|x\r\x1c\r"));
}

static void expect_at_the_end(const char *text, const char *expected)
{
	struct talk_record *r = malloc(sizeof(*r));

	for (size_t cut = 1; cut < 100; cut += 33) {
		const struct talk_piece piece = {0, text, strlen(text)};

		talk_begin(r, "hl7", false);
		for (size_t at = 0; at < piece.len; at += cut)
			talk_feed(r, 0, text + at, piece.len - at < cut ? piece.len - at : cut);
		talk_end(r, 0);
		talk_end(r, 0); /* once is enough */
		assert_string_equal(r->said, expected);
		talk_finish(r);
	}
	free(r);
}

/* Some receivers take a connection that is closed for the end that the message lacks. */
static void a_frame_has_an_end(void **state)
{
#define CUT                                                                            \
	"{\"hl7\":{\"message_type\":\"ORM^O01\",\"control_id\":\"7\",\"segments\":2}," \
	"\"reason\":\"hl7.framing\"}\n"
	expect_at_the_end("\vMSH|^~\\&|||||||ORM^O01|7\rORC|1\r", CUT);
	expect_at_the_end("\vMSH|^~\\&|||||||ORM^O01|7\rORC|1", CUT);
	expect_at_the_end("\vMSH|^~\\&|||||||ORM^O01|7\rORC|1\rMSH|^~\\&|||||||ORU", CUT);
	expect_at_the_end("\vMSH|^~\\&|||||||ORM^O01|7", "{\"hl7\":{\"message_type\":\"ORM^O01\","
							 "\"control_id\":\"7\",\"segments\":1},"
							 "\"reason\":\"hl7.framing\"}\n");
	expect_at_the_end("\vMS", "{\"hl7\":{},\"reason\":\"hl7.framing\"}\n");
	expect_at_the_end(ORU, ORU_SAID);
}

/* A document in one segment is passed on without being held; an absurd one is refused. */
static void long_segments(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	static char part[60000];

	memset(part, 'Q', sizeof(part));
	talk_begin(r, "hl7", false);
	FEED(r, 0, "\vMSH|^~\\&|||||||ORU^R01|1\rOBX|1|ED|PDF||");
	for (unsigned i = 0; i < 100; i++)
		talk_feed(r, 0, part, sizeof(part));
	assert_int_equal(r->held_len[0], 0);
	FEED(r, 0, "\rOBX|2|NM|1^A||7\r\x1c\r");
	assert_string_equal(r->said, "{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\","
				     "\"segments\":3,\"observations\":2}}\n");
	FEED(r, 0, "\vMSH|^~\\&|||||||ORU^R01|2\rOBX|");
	for (unsigned i = 0; i < 400 && !r->talk->dead; i++)
		talk_feed(r, 0, part, sizeof(part));
	assert_non_null(strstr(r->said, "hl7.segment_too_long"));
	talk_finish(r);
	free(r);
}

/* Whatever stands behind is nothing that rules could be asked about. */
static void a_header_is_read_whole(void **state)
{
	static const char *const marks[] = {"", "\xef\xbb\xbf"};
	static const char said[] = "\"reason\":\"hl7.segment_too_long\"}\n";
	struct talk_record *r = malloc(sizeof(*r));
	static char text[8192];

	for (unsigned i = 0; i < 4; i++)
		for (size_t pad = 4040; pad < 4100; pad += 59) {
			int len = snprintf(text, sizeof(text),
					   "\v%sMSH|^~\\&|%0*u||||||RGV^O15|1|P|2.6\r\x1c\r" ORU,
					   marks[i & 1], (int)pad, 0);
			const struct talk_piece piece = {0, text, (size_t)len};

			talk_play(r, "hl7", false, &piece, 1, i & 2 ? 100 : 0);
			if (pad == 4040)
				assert_non_null(strstr(r->said, "\"message_type\":\"RGV^O15\""));
			else
				assert_memory_equal(strchr(r->said, '\n') + 2 - sizeof(said), said,
						    sizeof(said) - 1);
			assert_string_equal(strchr(r->said, '\n') + 1, ORU_SAID);
		}
	free(r);
}

static void behind_a_gap_the_next_message_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "hl7", false);
	FEED(r, 0, "\vMSH|^~\\&|A\rPID|");
	talk_gap(r->talk, 0, 100);
	free(r->held[0]);
	r->held[0] = NULL;
	r->held_len[0] = 0;
	FEED(r, 0, "rest\r\x1c\r" ORU);
	assert_string_equal(r->said, ORU_SAID);
	talk_finish(r);
	free(r);
}

/* MLLP release 2's own acknowledgements, and frames of nothing, say nothing and break nothing. */
static void frames_of_the_lower_layer_are_passed_over(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "hl7", false);
	FEED(r, 0, "\v\x1c\r" ORU);
	FEED(r, 1, "\v\x06\x1c\r\v\x15\x1c\r");
	assert_int_equal(r->last, PARSE_OK);
	assert_string_equal(r->said, ORU_SAID);
	FEED(r, 1, "\v\x07\x1c\r");
	assert_non_null(strstr(r->said, "hl7.no_header"));
	talk_finish(r);
	free(r);
}

/* A stray byte, a frame begun anew, one that is none: each is told, and the next message is read. */
static void what_follows_a_broken_frame_is_read(void **state)
{
	static const char *const broken[] = {"x", "\vMSH|^~\\&||", "\vMSH||||\r\x1c\r",
					     "\vPID|1\r\x1c\r"};
	static const char *const why[] = {"hl7.framing", "hl7.framing", "hl7.delimiters",
					  "hl7.no_header"};
	struct talk_record *r = malloc(sizeof(*r));
	char expected[4096];

	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		talk_begin(r, "hl7", false);
		FEED(r, 0, ORU);
		*r->said = 0;
		talk_feed(r, 0, broken[i], strlen(broken[i]));
		FEED(r, 0, ORU);
		snprintf(expected, sizeof(expected), "{\"hl7\":{%s},\"reason\":\"%s\"}\n%s",
			 i == 1 ? "\"segments\":1" : "", why[i], ORU_SAID);
		assert_string_equal(r->said, expected);
		talk_finish(r);
	}
	free(r);
}

static void a_middle_is_read_from_the_next_message_on(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "hl7", false);
	r->in.midstream = true;
	FEED(r, 0, "PID|of old\r\x1c\r" ORU);
	assert_string_equal(r->said, ORU_SAID);
	FEED(r, 0, "x");
	assert_non_null(strstr(r->said, "hl7.framing"));
	talk_finish(r);
	free(r);
}

#define BARE_ORU "MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5\rPID|1\rOBX|1|NM|8867-4^^LN||61\r"
#define BARE_ORM "MSH|^~\\&|LAB||||||ORM^O01|2|P|2.5\rORC|1\r"
#define BARE_SAID(type, id, segments, more)                                                      \
	"{\"hl7\":{\"message_type\":\"" type "\",\"control_id\":\"" id "\",\"version\":\"2.5\"," \
	"\"sending_application\":\"LAB\",\"segments\":" #segments more "},"                      \
	"\"reason\":\"hl7.framing\"}\n"
#define BARE_ORU_SAID BARE_SAID("ORU^R01", "1", 3, ",\"observations\":1")
#define BARE_ORM_SAID BARE_SAID("ORM^O01", "2", 2, "")

static void expect_whole(const char *text, bool last, const char *expected)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "hl7", false);
	talk_feed(r, 0, text, strlen(text));
	if (last)
		talk_end(r, 0);
	if (strcmp(r->said, expected))
		fprintf(stderr, "of %s said:\n%s", text, r->said);
	assert_string_equal(r->said, expected);
	assert_int_equal(r->last, PARSE_OK);
	talk_finish(r);
	free(r);
}

/* No VT, no FS: a message goes as far as the next header, an empty line, a lone FS, or what was said. */
static void what_has_no_frame_is_read(void **state)
{
	static const char *const between[] = {"",     "\r",	"\r\r\n", "\n",
					      "\x1c", "\x1c\r", "\3",	  " \r\n"};
	char text[512];

	for (unsigned i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		snprintf(text, sizeof(text), BARE_ORU "%s" BARE_ORM "%s", between[i], between[i]);
		expect_whole(text, false, BARE_ORU_SAID BARE_ORM_SAID);
		expect_whole(text, true, BARE_ORU_SAID BARE_ORM_SAID);
	}
	/* Line ends of any kind, and none at the last. */
	expect_whole("MSH|^~\\&|LAB||||||ORM^O01|2|P|2.5\r\nORC|1\r\n", false, BARE_ORM_SAID);
	expect_whole("\r\nMSH|^~\\&|LAB||||||ORM^O01|2|P|2.5\nORC|1\n\n", false, BARE_ORM_SAID);
	expect_whole("MSH|^~\\&|LAB||||||ORM^O01|2|P|2.5\rORC|1", true, BARE_ORM_SAID);
	expect_whole("MSH|^~\\&|LAB||||||ORM^O01|2|P|2.5", true, BARE_SAID("ORM^O01", "2", 1, ""));
	/* Beside frames of either kind. */
	expect_whole(ORU BARE_ORM "\v" BARE_ORU "\x1c\r" BARE_ORM "\r\2" BARE_ORU "\3", false,
		     ORU_SAID BARE_ORM_SAID
		     "{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"version\":"
		     "\"2.5\",\"sending_application\":\"LAB\",\"segments\":3,"
		     "\"observations\":1}}\n" BARE_ORM_SAID BARE_ORU_SAID);
}

static void stx_and_etx_frame_too(void **state)
{
	/* A sum, or an end of a line, may stand behind. */
	EXPECT(BARE_ORU_SAID BARE_ORM_SAID BARE_ORU_SAID,
	       P(0, "\2" BARE_ORU "\3\2" BARE_ORM "\0034F\r\n\2" BARE_ORU "\3\r"));
	expect_at_the_end("\2" BARE_ORM "\3", BARE_ORM_SAID);
	expect_at_the_end("\2" BARE_ORM, BARE_ORM_SAID);
}

/* Begun twice, begun by blanks, ended by FS alone: whose receivers read on, so do we. */
static void careless_frames_are_read(void **state)
{
	EXPECT(BARE_ORM_SAID, P(0, "\v\v" BARE_ORM "\x1c\r"));
	EXPECT(BARE_ORM_SAID BARE_ORU_SAID,
	       P(0, "\v  \t" BARE_ORM "\x1c\r\v\r\n " BARE_ORU "\x1c\r"));
	EXPECT(ORU_SAID BARE_ORU_SAID BARE_ORM_SAID ORU_SAID,
	       P(0, "\vMSH|^~\\&|LAB^1.2^ISO|WARD|EHR|MAIN|20260131||ORU^R01^ORU_R01|M-1|P|2.5.1\r"
		    "PID|1||4711\rOBR|1\rOBX|1|NM|2339-0^GLUCOSE^LN||98\r\x1c"
		    "\v" BARE_ORU "\x1c\n\v" BARE_ORM "\x1c\r" ORU));
}

static void note_ahead(void *arg, const struct talk *t, const struct proto_input *in,
		       const struct msg *m)
{
	struct talk_record *r = arg;

	assert_true(m->readable);
	strcat(r->said, m->ahead ? "ahead " : "told ");
	strcat(r->said, m->answer ? "answer, " : "message, ");
}

/* Its receiver may take any pause for the end: it is asked for by its header, and by what it brings. */
static void what_may_be_whole_is_asked_for(void **state)
{
#define BARE_ACK "MSH|^~\\&|||||||ACK|2\rMSA|AA|1\r"
	static const struct {
		const char *first, *then, *said;
	} cases[] = {
		{"MSH|^~\\&|||||||ORM^O01|1\rORC|1", "|2\r", "ahead message, told message, "},
		{"MSH|^~\\&|||||||ORM^O01|1\r", "ORC|1\r", "told message, "},
		{BARE_ACK, "ORC|1\r", "told answer, told message, "},
		{BARE_ACK, "ERR|1\r", "told answer, "},
		{BARE_ACK "ORC|", "1\r", "ahead message, told message, "},
		{"MSH|^~\\&|||||||ACK|2\rMSA|A", "A|1\r", "ahead answer, told answer, "},
		{"MSH|^~\\&|||||||ACK|2\rMSA|A", "A|1\rORC|1", "ahead answer, ahead message, "},
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes first = {(const uint8_t *)cases[i].first, strlen(cases[i].first)};
		char both[256];
		size_t used;

		talk_begin(r, "hl7", false);
		r->in.data = first;
		talk_read(r->talk, &r->in, note_ahead, r, &used);
		snprintf(both, sizeof(both), "%s%s", cases[i].first + used, cases[i].then);
		r->in.data = (struct bytes){(const uint8_t *)both, strlen(both)};
		talk_read(r->talk, &r->in, note_ahead, r, &used);
		assert_string_equal(r->said, cases[i].said);
		talk_finish(r);
	}
	free(r);
}

static void behind_a_gap_a_bare_header_is_found(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < 2; i++) {
		talk_begin(r, "hl7", false);
		FEED(r, 0, BARE_ORU);
		talk_gap(r->talk, 0, 100);
		*r->said = 0;
		if (i)
			FEED(r, 0, "rest|MSH|^~\\&|\r\2" BARE_ORM "\3");
		else
			FEED(r, 0, "rest|MSH|^~\\&|\r" BARE_ORM);
		assert_string_equal(r->said, BARE_ORM_SAID);
		talk_finish(r);
	}
	free(r);
}

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

static void expect_code(const char *code, const char *unit, uint32_t mdc, bool loinc,
			unsigned dimension)
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
		assert_int_equal(k.o[0].loinc, loinc);
		assert_int_equal(k.o[0].unit, dimension);
	}
	free((void *)(uintptr_t)in.data.data);
	free(t);
}

/* As monitors of several makers write them. */
static void codes_are_mdc_or_loinc(void **state)
{
	expect_code("0002-4182^HR^MDIL", "0004-0aa0^bpm^MDIL", 147842, false, 0x0aa0);
	expect_code("0002-4B60^Tcore^MDIL", "0004-1140^F^MDIL", 0x24b60, false, HL7_FAHRENHEIT);
	expect_code("150344^MDC_TEMP^MDC", "266560^MDC_DIM_FAHR^MDC", 150344, false,
		    HL7_FAHRENHEIT);
	expect_code("8889-8^Heart rate^LN^149530^MDC_PULS_OXIM_PULS_RATE^MDC", "/min", 149530,
		    false, 0);
	expect_code("101^HR^99MNDRY^147842^MDC_ECG_HEART_RATE^MDC", "bpm", 147842, false, 0);
	expect_code("8867-4^HR^LN", "{beats}/min^^UCUM", 8867, true, 0);
	expect_code("HR^HR^L^8867-4^Heart rate^LN", "", 8867, true, 0);
	expect_code("8310-5^Temp^LN", "[degF]^^UCUM", 8310, true, HL7_FAHRENHEIT);
	expect_code("8310-5^Temp^LN",
		    "\xc2\xb0"
		    "F",
		    8310, true, HL7_FAHRENHEIT);
	expect_code("8310-5^Temp^LN", "Cel", 8310, true, 0);
	/* A maker's own numbers, and what looks like others'. */
	expect_code("101^HR^99MNDRY", "bpm", 0, false, 0);
	expect_code("8867-4^HR^L", "", 0, false, 0);
	expect_code("8867^HR^LN", "", 0, false, 0);
	expect_code("0002-41x2^HR^MDIL", "", 0, false, 0);
	expect_code("99999999999^HR^MDC", "", 0, false, 0);
	expect_code("", "", 0, false, 0);
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

static void only_hl7_is_taken_for_hl7(void **state)
{
	static const struct {
		const char *text;
		enum parse expected;
	} cases[] = {{"\v", PARSE_MORE},	{"\vMS", PARSE_MORE},
		     {"\vMSH|", PARSE_OK},	{"\vBHS", PARSE_OK},
		     {"MSH|", PARSE_MORE},	{"\vPID", PARSE_BAD},
		     {"\v\v", PARSE_MORE},	{"\v\r\n", PARSE_MORE},
		     {"\v\vMSH", PARSE_OK},	{"\v \tMSH", PARSE_OK},
		     {"\v\vPID", PARSE_BAD},	{"\r\n MSH|^~\\&|", PARSE_OK},
		     {"MSH|^~\\&", PARSE_MORE}, {"MSH|^~\\&|", PARSE_OK},
		     {"MSH#*@!%#", PARSE_OK},	{"MSH|^~|", PARSE_OK},
		     {"MSH||", PARSE_BAD},	{"MSH-A|", PARSE_BAD},
		     {"MSHE: ", PARSE_BAD},	{"MSH|^~\\&#*|", PARSE_BAD},
		     {"\2", PARSE_MORE},	{"\2MSH|^~\\&|", PARSE_OK},
		     {"\0021MSH", PARSE_BAD},	{"\2\2MSH", PARSE_BAD},
		     {"\v\r\nMSH", PARSE_OK},	{"\v\x1c", PARSE_OK},
		     {"\v\x06", PARSE_MORE},	{"\v\x06\x1c", PARSE_OK},
		     {"\v\x15M", PARSE_BAD},	{"\v\n\n\n\n\n\n\n\n\nMSH", PARSE_BAD}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].text, strlen(cases[i].text))};

		assert_int_equal(hl7_proto.probe(&in), cases[i].expected);
		free((void *)(uintptr_t)in.data.data);
	}
}

static void times_are_read_to_the_second(void **state)
{
	static const struct {
		const char *dtm;
		uint32_t s;
	} cases[] = {
		{"20260131071500", 1769843700},
		{"202601310715", 1769843700},
		{"20260131071500.1234+0100", 1769840100},
		{"20260131071500-0530", 1769863500},
		{"20240229235959Z", 1709251199},
		{"19700101000001", 1},
		{"19700101000000", 0},
		{"20260131", 0},
		{"2026013107150", 0},
		{"99991231235959", 0},
		{"20260131071500+01", 1769843700},
		{"", 0},
		{"-", 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(hl7_time((struct bytes){(const uint8_t *)cases[i].dtm,
							 strlen(cases[i].dtm)}),
				 cases[i].s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_to_the_second),
		cmocka_unit_test(a_result_and_its_acknowledgement),
		cmocka_unit_test(patients_are_not_told),
		cmocka_unit_test(other_separators),
		cmocka_unit_test(wide_characters_are_read),
		cmocka_unit_test(wide_characters_become_utf_8),
		cmocka_unit_test(what_is_no_utf_16_is_told),
		cmocka_unit_test(what_may_be_the_end_is_judged),
		cmocka_unit_test(a_type_is_one_by_characters_too),
		cmocka_unit_test(one_message_is_refused_for_its_encoding),
		cmocka_unit_test(one_header_is_refused),
		cmocka_unit_test(latin_letters_are_no_halves),
		cmocka_unit_test(separators_are_halves_of_characters),
		cmocka_unit_test(xml_is_read),
		cmocka_unit_test(xml_is_read_in_one_way),
		cmocka_unit_test(xml_is_known_by_its_root),
		cmocka_unit_test(long_xml_segments),
		cmocka_unit_test(no_acknowledgement_hides_an_order),
		cmocka_unit_test(long_wide_segments),
		cmocka_unit_test(a_mark_before_utf_8_is_none),
		cmocka_unit_test(hybrid_frames_are_read),
		cmocka_unit_test(line_feeds_end_segments_too),
		cmocka_unit_test(a_line_feed_within_a_field_ends_nothing),
		cmocka_unit_test(no_header_hides_behind_a_line_end),
		cmocka_unit_test(batches_are_taken_apart),
		cmocka_unit_test(odd_messages_are_read),
		cmocka_unit_test(a_frame_has_an_end),
		cmocka_unit_test(alerts_are_marked),
		cmocka_unit_test(infusion_orders_are_control),
		cmocka_unit_test(what_is_malformed_is_said),
		cmocka_unit_test(long_segments),
		cmocka_unit_test(a_header_is_read_whole),
		cmocka_unit_test(behind_a_gap_the_next_message_is_read),
		cmocka_unit_test(frames_of_the_lower_layer_are_passed_over),
		cmocka_unit_test(what_follows_a_broken_frame_is_read),
		cmocka_unit_test(a_middle_is_read_from_the_next_message_on),
		cmocka_unit_test(what_has_no_frame_is_read),
		cmocka_unit_test(stx_and_etx_frame_too),
		cmocka_unit_test(careless_frames_are_read),
		cmocka_unit_test(what_may_be_whole_is_asked_for),
		cmocka_unit_test(behind_a_gap_a_bare_header_is_found),
		cmocka_unit_test(observations_are_numbers),
		cmocka_unit_test(observations_are_numbers_in_xml_too),
		cmocka_unit_test(codes_are_mdc_or_loinc),
		cmocka_unit_test(a_subject_is_somebody),
		cmocka_unit_test(observations_are_of_the_patient_before_them),
		cmocka_unit_test(an_alert_may_want_no_answer),
		cmocka_unit_test(every_acknowledgement_has_its_latency),
		cmocka_unit_test(only_hl7_is_taken_for_hl7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
