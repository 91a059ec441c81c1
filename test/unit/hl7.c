/* HL7 v2 over MLLP: what is said of messages, whole or in any cut. */
#include "hl7_kit.h"

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
	/* Behind blanks, which some receivers strip from a line, it does not pass; a text does. */
	for (unsigned i = 0; i < 4; i++) {
		static const char *const blanks[] = {" ", "\t \t", "\n  ", "          "};
		char line[128];
		int n = snprintf(line, sizeof(line),
				 "\vMSH|^~\\&|||||||ORU^R01|1\rNTE|1\n%sMSH|^~\\&|||||||ORM^O01\r"
				 "\x1c\r",
				 blanks[i]);

		EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":3}"
		       ","
		       "\"reason\":\"hl7.segment_name\"}\n",
		       {0, line, (size_t)n});
	}
	EXPECT("{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":3}}\n",
	       P(0, "\vMSH|^~\\&|||||||ORU^R01|1\rNTE|1|\n   MSHA was told\n \rNTE\r\x1c\r"));
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
	/* One of none passes, with what is said of it. */
	EXPECT("", P(0, "\vFHS|^~\\&|X\rSFT|X\rBHS|^~\\&|X\rNTE|1\rZZZ|1\rBTS|0\rFTS|1\r\x1c\r"));
	/* What stands in the place of a header is told, where it is none. */
#define HEADERLESS "{\"hl7\":{},\"reason\":\"hl7.no_header\"}\n"
	EXPECT(HEADERLESS, P(0, "\vBHS|^~\\&|X||||||RGV^O15\rRXG|1\rRXR|1\rBTS|1\r\x1c\r"));
	EXPECT(HEADERLESS
	       "{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"1\",\"segments\":2,"
	       "\"batch\":true}}\n" HEADERLESS,
	       P(0,
		 "\vBHS|^~\\&|X\rRXG|1\rMSH|^~\\&|||||||ORU^R01|1\rOBR|1\rBTS|1\rRXG|2\r\x1c\r"));
	EXPECT(HEADERLESS, P(0, "\vBHS|^~\\&|X\r MSH|^~\\&|||||||ORM^O01|1\rORC|NW\r\x1c\r"));
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
	       "{\"hl7\":{\"message_type\":\"EAR^U08\",\"segments\":1}}\n"
	       "{\"hl7\":{\"message_type\":\"MFN^M08\",\"segments\":1,\"control\":true}}\n"
	       "{\"hl7\":{\"message_type\":\"MFK^M08\",\"segments\":1}}\n",
	       P(0, "\vMSH|^~\\&|||||||EAC^U07^EAC_U07\rMSH|^~\\&|||||||TCU^U10\rMSH|^~\\&|||||||"
		    "EAR^U08\rMSH|^~\\&|||||||MFN^M08^MFN_M08\rMSH|^~\\&|||||||MFK^M08\r"
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

/* Begun twice, begun by blanks or zeros, ended by FS alone: whose receivers read on, so do we. */
static void careless_frames_are_read(void **state)
{
	EXPECT(BARE_ORM_SAID, P(0, "\v\v" BARE_ORM "\x1c\r"));
	EXPECT(BARE_ORM_SAID BARE_ORU_SAID,
	       P(0, "\v  \t" BARE_ORM "\x1c\r\v\r\n " BARE_ORU "\x1c\r"));
	EXPECT(BARE_ORM_SAID BARE_ORU_SAID,
	       P(0, "\v\0" BARE_ORM "\x1c\r\v\0\0 " BARE_ORU "\x1c\n"));
	EXPECT(ORU_SAID BARE_ORU_SAID BARE_ORM_SAID ORU_SAID,
	       P(0, "\vMSH|^~\\&|LAB^1.2^ISO|WARD|EHR|MAIN|20260131||ORU^R01^ORU_R01|M-1|P|2.5.1\r"
		    "PID|1||4711\rOBR|1\rOBX|1|NM|2339-0^GLUCOSE^LN||98\r\x1c"
		    "\v" BARE_ORU "\x1c\n\v" BARE_ORM "\x1c\r" ORU));
	/* An end that comes twice is told with what follows. */
	EXPECT(ORU_SAID BARE_ORU_SAID BARE_ORM_SAID ORU_SAID,
	       P(0, ORU "\x1c\r\v" BARE_ORU "\x1c\x1c\r\v" BARE_ORM "\x1c\r" ORU "\x1c\r"));
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

static void note_headerless(void *arg, const struct talk *t, const struct proto_input *in,
			    const struct msg *m)
{
	*(unsigned *)arg += m->ahead && m->reason == REASON_HL7_NO_HEADER && !m->readable;
}

/* So is a batch without a header, whose last segment may be whole. */
static void a_bare_batch_is_asked_for(void **state)
{
	static const char text[] = BARE_ORU "\rBHS|^~\\&|X\rNTE|1\rRXG|1";
	struct talk_record *r = malloc(sizeof(*r));
	unsigned asked = 0;
	size_t used;

	talk_begin(r, "hl7", false);
	r->in.data = (struct bytes){(const uint8_t *)text, sizeof(text) - 1};
	talk_read(r->talk, &r->in, note_headerless, &asked, &used);
	assert_int_equal(asked, 1);
	talk_finish(r);
	talk_begin(r, "hl7", false);
	talk_feed(r, 0, text, sizeof(text) - 1);
	talk_end(r, 0);
	assert_string_equal(r->said, BARE_ORU_SAID HEADERLESS);
	talk_finish(r);
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
		{"20260131071500123", 1769843700},
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

static uint64_t fine(const char *dtm)
{
	struct bytes b = unit_exact(dtm, strlen(dtm));
	uint64_t ns = hl7_time_fine(b);

	free((void *)(uintptr_t)b.data);
	return ns;
}

static void times_are_read_finely(void **state)
{
	const uint64_t s = 1769843700000000000;

	assert_int_equal(fine("20260131071500.000"), s);
	assert_int_equal(fine("20260131071500.1"), s + 100000000);
	assert_int_equal(fine("20260131081500.1234+0100"), s + 123400000);
	assert_int_equal(fine("20260131071500123"), s + 123000000);
	assert_int_equal(fine("20260131071500"), 0);
	assert_int_equal(fine("20260131071500."), 0);
	assert_int_equal(fine("20260131071500+0000"), 0);
	assert_int_equal(fine("202601310715.5"), 0);
	assert_int_equal(fine("2026013107150012"), 0);
	assert_int_equal(fine(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_to_the_second),
		cmocka_unit_test(times_are_read_finely),
		cmocka_unit_test(a_result_and_its_acknowledgement),
		cmocka_unit_test(patients_are_not_told),
		cmocka_unit_test(other_separators),
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
		cmocka_unit_test(one_header_is_refused),
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
		cmocka_unit_test(a_bare_batch_is_asked_for),
		cmocka_unit_test(behind_a_gap_a_bare_header_is_found),
		cmocka_unit_test(only_hl7_is_taken_for_hl7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
