#include "talk.h"

#include "guard/proto/astm.h"

/* A frame with its right checksum: "\2" "1H|...\r" "\3" "CS" "\r\n". */
static struct talk_piece frame(unsigned end, const char *text, char terminator)
{
	static char room[16][512];
	static unsigned next;
	char *at = room[next++ % 16];
	uint8_t sum = (uint8_t)terminator;
	int len;

	for (const char *c = text; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	len = snprintf(at, sizeof(room[0]), "\2%s%c%02X\r\n", text, terminator, sum);
	return (struct talk_piece){end, at, (size_t)len};
}

#define HEADER "1H|\\^&||secret|Analyzer^2.1|||||LIS||P|LIS2-A2|20260401120000\r"

static void results_are_told_without_patients(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"),
		TALK_PIECE(1, "\6"),
		frame(0, HEADER, '\3'),
		TALK_PIECE(1, "\6"),
		frame(0, "2P|1|4711|||Doe^Jane||19700101|F\r", '\3'),
		TALK_PIECE(1, "\6"),
		frame(0, "3O|1|S-17||^^^GLU|R\rR|1|^^^GLU|5", '\x17'),
		TALK_PIECE(1, "\x15"),
		frame(0, "3O|1|S-17||^^^GLU|R\rR|1|^^^GLU|5", '\x17'),
		TALK_PIECE(1, "\6"),
		frame(0, "4.4|mmol/L||N\rL|1|N\r", '\3'),
		TALK_PIECE(1, "\6"),
		TALK_PIECE(0, "\4"),
	};

	talk_expect("astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]),
		    "{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"records\":[\"H\"],"
		    "\"sender\":\"Analyzer^2.1\",\"receiver\":\"LIS\",\"processing_id\":\"P\","
		    "\"version\":\"LIS2-A2\"}}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"2\",\"records\":[\"P\"]}}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"3\",\"intermediate\":true,"
		    "\"records\":[\"O\",\"R\"],\"test\":\"^^^GLU\"}}\n"
		    "{\"astm\":{\"frame\":\"nak\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"3\",\"intermediate\":true,"
		    "\"repeated\":true,\"records\":[\"O\",\"R\"],\"test\":\"^^^GLU\"}}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"4\",\"records\":[\"L\"],"
		    "\"termination\":\"N\"}}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n{\"astm\":{\"frame\":\"eot\"}}\n");
}

/* LIS2-A2 over TCP as it is: a line a record, the last one perhaps without its end. */
static void records_without_frames_are_read(void **state)
{
#define PLAIN(records, more) \
	"{\"astm\":{\"frame\":\"record\",\"records\":[\"" records "\"]" more "}}\n"
#define PLAIN_H                                                                             \
	PLAIN("H", ",\"sender\":\"Analyzer\",\"receiver\":\"LIS\",\"processing_id\":\"P\"," \
		   "\"version\":\"LIS2-A2\"")
#define PLAIN_SAID                                                \
	PLAIN_H PLAIN("P", "") PLAIN("O", ",\"test\":\"^^^GLU\"") \
		PLAIN("R", ",\"test\":\"^^^GLU\"") PLAIN("L", ",\"termination\":\"N\"")
	static const char *const records[] = {"H|\\^&|||Analyzer|||||LIS||P|LIS2-A2",
					      "P|1|4711|||Doe^Jane", "O|1|S-17||^^^GLU|R",
					      "R|1|^^^GLU|5.4|mmol/L", "L|1|N"};
	static const char *const ends[] = {"\r", "\n", "\r\n", "\r\r"};

	for (unsigned how = 0; how < 4; how++) {
		char text[512] = "", said[4096];
		struct talk_piece pieces[] = {
			{0, text, 0}, {0, text, 0}, TALK_PIECE(1, "\6"), TALK_PIECE(0, "\4")};

		for (unsigned i = 0; i < 5; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 records[i], ends[how]);
		pieces[0].len = pieces[1].len = strlen(text);
		snprintf(said, sizeof(said),
			 "%s%s{\"astm\":{\"frame\":\"ack\"}}\n{\"astm\":{\"frame\":\"eot\"}}\n",
			 PLAIN_SAID, PLAIN_SAID);
		talk_expect("astm", false, pieces, 4, said);
	}
}

static void a_record_may_lack_its_end(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "astm", false);
	talk_feed(r, 0, "H|\\^&\rO|1|S||^^^GLU", 19);
	talk_end(r, 0);
	assert_string_equal(r->said, PLAIN("H", "") PLAIN("O", ",\"test\":\"^^^GLU\""));
	talk_finish(r);
	/* What is no record, and what stands between frames. */
	talk_begin(r, "astm", false);
	talk_feed(r, 0, "H|\\^&\rX|1\r", 11);
	assert_non_null(strstr(r->said, "astm.malformed"));
	talk_finish(r);
	talk_begin(r, "astm", false);
	talk_feed(r, 0, "\5H|\\^&\r", 8);
	assert_non_null(strstr(r->said, "astm.malformed"));
	assert_null(strstr(r->said, "record"));
	talk_finish(r);
	free(r);
}

/* LIS1-A §8.3.2.1: 64,000 characters with all that frames them. */
static void a_frame_may_be_long(void **state)
{
	static char frame[70000];
	struct talk_record *r = malloc(sizeof(*r));
	size_t n = 0;
	uint8_t sum = 0;

	n += (size_t)snprintf(frame, sizeof(frame), "\5\0021H|\\^&|||");
	while (n < 64000 - 5)
		frame[n++] = 'x';
	frame[n++] = '\r';
	frame[n++] = '\3';
	for (size_t i = 2; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)frame[i]);
	n += (size_t)snprintf(frame + n, sizeof(frame) - n, "%02X\r\n", sum);
	for (size_t cut = 999; cut < sizeof(frame); cut += 32000) {
		const struct talk_piece piece = {0, frame, n};

		talk_play(r, "astm", false, &piece, 1, cut);
		assert_non_null(strstr(r->said, "\"number\":\"1\",\"records\":[\"H\"]"));
		assert_null(strstr(r->said, "reason"));
	}
	free(r);
}

/* What `after` is called wrong for, behind a greeting and one good frame. */
static void expect_wrong(struct talk_piece after, const char *reason, enum parse last)
{
	const struct talk_piece pieces[] = {TALK_PIECE(0, "\5"), TALK_PIECE(1, "\6"),
					    frame(0, HEADER, '\3'), TALK_PIECE(1, "\6"), after};
	struct talk_record *r = malloc(sizeof(*r));
	char *found;

	talk_seed("astm", false, pieces, 5);
	for (size_t cut = 0; cut < 2; cut++) {
		talk_play(r, "astm", false, pieces, 5, cut);
		found = strstr(r->said, "\"reason\":\"");
		assert_int_equal(r->last, last);
		if (!reason) {
			assert_null(found);
		} else {
			assert_non_null(found);
			assert_memory_equal(found + 10, reason, strlen(reason));
		}
	}
	free(r);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct talk_piece sum = TALK_PIECE(0, "\2"
							   "2L|1|N\r\3"
							   "00\r\n"),
				       number = TALK_PIECE(0, "\2"
							      "9L|1|N\r\3"
							      "09\r\n"),
				       garbage = TALK_PIECE(0, "GET /"),
				       nested = TALK_PIECE(0, "\2"
							      "2L|1\5"),
				       tail = TALK_PIECE(0, "\2"
							    "2L\3"
							    "B1xx"),
				       eot = TALK_PIECE(1, "\4");

	expect_wrong(frame(0, "2L|1|N\r", '\3'), NULL, PARSE_OK);
	expect_wrong(sum, "astm.checksum", PARSE_OK);
	expect_wrong(frame(0, "3L|1|N\r", '\3'), "astm.sequence", PARSE_OK);
	expect_wrong(frame(0, "0L|1|N\r", '\3'), "astm.sequence", PARSE_OK);
	expect_wrong(frame(1, "2L|1|N\r", '\3'), "astm.sequence", PARSE_OK);
	expect_wrong(eot, "astm.sequence", PARSE_OK);
	expect_wrong(frame(0, "2X|1|N\r", '\3'), "astm.malformed", PARSE_OK);
	expect_wrong(frame(0, "2L!1!N\r", '\3'), "astm.malformed", PARSE_OK);
	expect_wrong(frame(0, "2H|\r", '\3'), "astm.malformed", PARSE_OK);
	expect_wrong(number, "astm.malformed", PARSE_OK);
	expect_wrong(garbage, "astm.malformed", PARSE_OK);
	expect_wrong(nested, "astm.malformed", PARSE_OK);
	expect_wrong(tail, "astm.malformed", PARSE_OK);
}

/* Every test is told and held against rules, a record that begins behind an intermediate frame, too. */
static void no_test_hides_behind_another(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"), frame(0, "1O|1|S||^^^GLU\rR|1|^^^GLU|5\rR|2|^^^K|4\r", '\x17'),
		frame(0, "2O|2|S||^^^NA\rR|1|", '\x17'), frame(0, "3^^^CL|1\rL|1\r", '\3')};

	talk_expect("astm", false, pieces, 4,
		    "{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"intermediate\":true,"
		    "\"records\":[\"O\",\"R\",\"R\"],\"test\":[\"^^^GLU\",\"^^^GLU\",\"^^^K\"]}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"2\",\"intermediate\":true,"
		    "\"records\":[\"O\",\"R\"],\"test\":[\"^^^NA\",\"\"]}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"3\",\"records\":[\"L\"]}}\n");
	expect_wrong(frame(0, "2H|\\^&|||X|||||LIS\rH|\\^&|||Y|||||LIS\r", '\3'), "astm.malformed",
		     PARSE_OK);
}

/* Its receiver puts a record together; its front is not what it says. */
static void no_name_hides_behind_its_front(void **state)
{
	const struct talk_piece pieces[] = {TALK_PIECE(0, "\5"), frame(0, "1H|\\^&|||LAB1", '\x17'),
					    frame(0, "2EVIL|||||LIS\rR|1|^^^GLU", '\x17'),
					    frame(0, "3X|5\rH|\\^&|||LAB1|||||LIS||P|", '\x17')};

	talk_expect("astm", false, pieces, 4,
		    "{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"intermediate\":true,"
		    "\"records\":[\"H\"],\"sender\":\"\",\"receiver\":\"\",\"processing_id\":\"\","
		    "\"version\":\"\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"2\",\"intermediate\":true,"
		    "\"records\":[\"R\"],\"test\":\"\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"3\",\"intermediate\":true,"
		    "\"records\":[\"H\"],\"sender\":\"LAB1\",\"receiver\":\"LIS\",\"processing_"
		    "id\":\"P\","
		    "\"version\":\"\"}}\n");
}

/* What a receiver does not take is no turn: the number it waits for comes again. */
static void turns_go_on_behind_a_wrong_one(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"),	  frame(0, "1L|1\r", '\3'),
		frame(0, "5L|1\r", '\3'), TALK_PIECE(1, "\x15"),
		frame(0, "2L|1\r", '\3'), TALK_PIECE(1, "\4"), /* please stop */
		frame(0, "3L|1\r", '\3'), TALK_PIECE(1, "\6"),
		TALK_PIECE(0, "\4")};
	struct talk_record *r = malloc(sizeof(*r));
	char *wrong;

	talk_play(r, "astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]), 0);
	wrong = strstr(r->said, "astm.sequence");
	assert_non_null(wrong);
	assert_null(strstr(wrong + 1, "astm.sequence"));
	free(r);
}

/* The noise of a line, and frames that are interrupted or broken: told once, and the next is read. */
static void noise_makes_nobody_blind(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"),
		TALK_PIECE(1, "\x11\6"),
		TALK_PIECE(0, "\xff\0~\x7f"),
		frame(0, "1L|1|A\r", '\3'),
		TALK_PIECE(0, "\2"
			      "2L|1|cut\4\5"),
		frame(0, "1L|1|B\r", '\3'),
		TALK_PIECE(0, "\2"
			      "2L|1|C\r\3"
			      "00?"),
		TALK_PIECE(0, "\2xyz"),
		frame(0, "2L|1|D\r", '\3'),
	};

	talk_expect("astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]),
		    "{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{},\"reason\":\"astm.malformed\"}\n"
		    "{\"astm\":{\"frame\":\"ack\"}}\n"
		    "{\"astm\":{},\"reason\":\"astm.malformed\"}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"records\":[\"L\"],"
		    "\"termination\":\"A\"}}\n"
		    "{\"astm\":{\"frame\":\"data\"},\"reason\":\"astm.malformed\"}\n"
		    "{\"astm\":{\"frame\":\"eot\"}}\n{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"records\":[\"L\"],"
		    "\"termination\":\"B\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"2\",\"records\":[\"L\"],"
		    "\"termination\":\"C\"},\"reason\":\"astm.malformed\"}\n"
		    "{\"astm\":{\"frame\":\"data\"},\"reason\":\"astm.malformed\"}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"2\",\"records\":[\"L\"],"
		    "\"termination\":\"D\"}}\n");
}

#define DATA(n, records, more) \
	"{\"astm\":{\"frame\":\"data\",\"number\":\"" n "\",\"records\":[" records "]" more "}"
#define MALFORMED ",\"reason\":\"astm.malformed\"}\n"

/* Records end by CR; receivers that end them by LF, too, see no more of them than is told. */
static void records_end_by_line_feeds_too(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"), frame(0, "1H|\\^&|||X\nP|1\r\nO|1|S||^^^GLU\n", '\x17'),
		frame(0, "2C|1|I|two\nlines\nM 3\n\r\nR|1|^^^K|4\r\n", '\3')};

	talk_expect(
		"astm", false, pieces, 3,
		"{\"astm\":{\"frame\":\"enq\"}}\n"
		"{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"intermediate\":true,\"records\":"
		"[\"H\",\"P\",\"O\"],\"sender\":\"X\",\"test\":\"^^^GLU\"}}\n" DATA(
			"2", "\"C\",\"R\"", ",\"test\":\"^^^K\"") "}\n");
}

#define CARELESS DATA("1", "\"L\"", ",\"termination\":\"A\"") MALFORMED

/* Some receivers wait for no sum, or for no CR behind it: a frame is told without them. */
static void frames_without_a_trailer_are_read(void **state)
{
	static const size_t cuts[] = {2, 3, 4}; /* CR LF; half of the sum, too; all of it */
	struct talk_record *r = malloc(sizeof(*r));
	struct talk_piece whole = frame(0, "1L|1|A\r", '\3');

	for (unsigned i = 0; i < 3; i++) {
		const struct talk_piece pieces[] = {TALK_PIECE(0, "\5"),
						    {0, whole.data, whole.len - cuts[i]},
						    TALK_PIECE(1, "\6"),
						    TALK_PIECE(0, "\4")};

		talk_play(r, "astm", false, pieces, 4, 0);
		assert_non_null(strstr(r->said, CARELESS));
		assert_non_null(strstr(r->said, "{\"astm\":{\"frame\":\"eot\"}}"));
		talk_begin(r, "astm", false);
		talk_feed(r, 0, "\5", 1);
		talk_feed(r, 0, whole.data, whole.len - cuts[i]);
		talk_end(r, 0);
		assert_non_null(strstr(r->said, CARELESS));
		talk_finish(r);
	}
	free(r);
}

struct noted {
	unsigned ahead, told;
	bool readable;
};

static void note_ahead(void *arg, const struct talk *t, const struct proto_input *in,
		       const struct msg *m)
{
	struct noted *n = arg;

	n->ahead += m->ahead;
	n->told += !m->ahead;
	n->readable = m->readable || !m->reason;
}

/* From its ETX on it may be whole to its receiver: it is asked for once, before that byte passes. */
static void a_frame_is_asked_for_at_its_end(void **state)
{
	struct talk_piece whole = frame(0, "1O|1|S||^^^GLU\r", '\3');
	struct talk *t = talk_new(&astm_proto);
	struct proto_input in = {.data = unit_exact("\5", 1)};
	struct noted n = {0};
	size_t used;

	assert_int_equal(talk_read(t, &in, note_ahead, &n, &used), PARSE_OK);
	free((void *)(uintptr_t)in.data.data);
	for (size_t len = 1; len < whole.len - 1; len++) {
		in.data = unit_exact(whole.data, len);
		(void)talk_read(t, &in, note_ahead, &n, &used);
		assert_int_equal(used, 0);
		assert_int_equal(n.ahead, len >= whole.len - 4);
		assert_int_equal(n.told, 1);
		assert_true(n.readable);
		free((void *)(uintptr_t)in.data.data);
	}
	free(t);
}

/* SNIBE's: no number, no sum, and each part may be answered. */
static void unnumbered_frames_are_read(void **state)
{
#define ACKED	 TALK_PIECE(1, "\6")
#define ENQ_SAID "{\"astm\":{\"frame\":\"enq\"}}\n"
#define ACK_SAID "{\"astm\":{\"frame\":\"ack\"}}\n"
#define RESULT	 "H|\\^&||PW|X 1|||||Lis||P|1394\rR|1|^^^TSH|2.3\r\nL|1|N"
#define RESULT_H                      \
	PLAIN("H", ",\"sender\":\"X " \
		   "1\",\"receiver\":\"Lis\",\"processing_id\":\"P\",\"version\":\"1394\"")
#define RESULT_REST PLAIN("R", ",\"test\":\"^^^TSH\"") PLAIN("L", ",\"termination\":\"N\"")
#define EOT_SAID    "{\"astm\":{\"frame\":\"eot\"}}\n"
	const struct talk_piece parts[] = {TALK_PIECE(0, "\5"),
					   ACKED,
					   TALK_PIECE(0, "\2"),
					   ACKED,
					   TALK_PIECE(0, "H|\\^&||PW|X 1|||||Lis||P|1394\r"),
					   ACKED,
					   TALK_PIECE(0, "R|1|^^^TSH|2.3\rL|1|N\r"),
					   ACKED,
					   TALK_PIECE(0, "\3"),
					   ACKED,
					   TALK_PIECE(0, "\4")};
	const struct talk_piece whole[] = {TALK_PIECE(0, "\5\2" RESULT "\3\4"),
					   TALK_PIECE(0, "\5\2" RESULT "\r\3"
							 "C4\r\n\4"),
					   TALK_PIECE(1, "\2H|\\^&\r\3"
							 "C|1|I\r\4")};

	talk_expect("astm", false, parts, sizeof(parts) / sizeof(parts[0]),
		    ENQ_SAID ACK_SAID ACK_SAID RESULT_H ACK_SAID RESULT_REST ACK_SAID ACK_SAID
			    EOT_SAID);
	talk_expect("astm", false, whole, 3,
		    ENQ_SAID RESULT_H RESULT_REST EOT_SAID ENQ_SAID RESULT_H RESULT_REST EOT_SAID
			    PLAIN("H", "") PLAIN("C", "") EOT_SAID);
}

/* LIS1-A §8.2.7.1: both ask for the line, the analyser asks again. Later nobody takes it away. */
static void who_asks_for_the_line(void **state)
{
	const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\5"),	  TALK_PIECE(1, "\5"),	    TALK_PIECE(0, "\5"),
		TALK_PIECE(1, "\6"),	  frame(0, "1L|1\r", '\3'), TALK_PIECE(1, "\x15"),
		frame(0, "1L|1\r", '\3'), TALK_PIECE(1, "\5"),	    TALK_PIECE(1, "\6"),
		frame(0, "2L|1\r", '\3'), TALK_PIECE(1, "\6"),	    TALK_PIECE(0, "\4"),
		TALK_PIECE(1, "\5"),	  TALK_PIECE(0, "\6"),	    frame(1, "1L|1\r", '\3'),
	};
	struct talk_record *r = malloc(sizeof(*r));
	char *wrong;

	talk_seed("astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]));
	talk_play(r, "astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]), 0);
	wrong = strstr(r->said, "astm.sequence");
	assert_non_null(wrong);
	assert_null(strstr(wrong + 1, "astm.sequence"));
	assert_non_null(strstr(r->said, "\"repeated\":true"));
	free(r);
}

/* Who hears the other ask for the line, and gives way at once, need not be asked again. */
static void one_gives_way(void **state)
{
	for (unsigned first = 0; first < 2; first++)
		for (unsigned sender = 0; sender < 2; sender++) {
			const struct talk_piece pieces[] = {
				TALK_PIECE(0, "\5"),
				frame(0, HEADER, '\3'),
				TALK_PIECE(0, "\4"),
				TALK_PIECE(first, "\5"),
				TALK_PIECE(!first, "\5"),
				TALK_PIECE(!sender, "\6"),
				frame(sender, HEADER, '\3'),
				TALK_PIECE(!sender, "\4"), /* in place of ACK */
				frame(sender, "2L|1\r", '\3'),
				TALK_PIECE(sender, "\4"),
				frame(!sender, "1L|1\r", '\3'),
			};
			struct talk_record *r = malloc(sizeof(*r));
			char *wrong;

			talk_play(r, "astm", false, pieces, sizeof(pieces) / sizeof(pieces[0]), 0);
			wrong = strstr(r->said, "astm.sequence");
			assert_non_null(wrong);
			assert_null(strchr(strchr(wrong, '\n') + 1, '\n'));
			free(r);
		}
}

/* The first frame is number 1: a 0 is no repetition of anything, and its records are told. */
static void the_first_is_number_one(void **state)
{
	const struct talk_piece pieces[] = {TALK_PIECE(0, "\5"), frame(0, "0L|1|N\r", '\3'),
					    frame(0, "1L|1|T\r", '\3')};

	talk_expect("astm", false, pieces, 3,
		    "{\"astm\":{\"frame\":\"enq\"}}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"0\",\"records\":[\"L\"],"
		    "\"termination\":\"N\"},\"reason\":\"astm.sequence\"}\n"
		    "{\"astm\":{\"frame\":\"data\",\"number\":\"1\",\"records\":[\"L\"],"
		    "\"termination\":\"T\"}}\n");
}

/* The end is looked for once in every byte, however long the frame and small the pieces. */
static void long_frames_are_bounded(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	static char text[70000];

	memset(text, 'x', sizeof(text));
	talk_begin(r, "astm", false);
	talk_feed(r, 0,
		  "\5\2"
		  "1C|",
		  5);
	for (unsigned i = 0; i < 60; i++)
		talk_feed(r, 0, text, 1000);
	assert_int_equal(r->last, PARSE_MORE);
	for (unsigned i = 0; i < 5 && r->last == PARSE_MORE; i++)
		talk_feed(r, 0, text, 1000);
	assert_int_equal(r->last, PARSE_BAD);
	assert_non_null(strstr(r->said, "astm.malformed"));
	talk_finish(r);
	free(r);
}

static enum parse probe(const char *data, size_t len, bool midstream)
{
	struct proto_input in = {.data = unit_exact(data, len), .midstream = midstream};
	enum parse got = astm_proto.probe(&in);

	free((void *)in.data.data);
	return got;
}

static void senders_are_known(void **state)
{
	assert_int_equal(probe("\5", 1, false), PARSE_MORE);
	assert_int_equal(probe("\5\2"
			       "1H",
			       4, false),
			 PARSE_MORE);
	assert_int_equal(probe("\5\2"
			       "1H|",
			       5, false),
			 PARSE_OK);
	assert_int_equal(probe("\2"
			       "3R|",
			       4, true),
			 PARSE_OK);
	assert_int_equal(probe("\5\4\5\4\5\5\5\5\5\5\5\5\5\2"
			       "1H|",
			       17, false),
			 PARSE_OK);
	assert_int_equal(probe("\5\1\0", 3, false), PARSE_BAD); /* SOCKS 5 */
	assert_int_equal(probe("\5\2\0\2", 4, false), PARSE_BAD);
	assert_int_equal(probe("\6", 1, false), PARSE_BAD);
	assert_int_equal(probe("GET /", 5, false), PARSE_BAD);
	assert_int_equal(probe("H|\\^&", 5, false), PARSE_MORE);
	assert_int_equal(probe("H|\\^&|", 6, false), PARSE_OK);
	assert_int_equal(probe("\r\nH|`^&\r", 8, false), PARSE_OK);
	assert_int_equal(probe("H|\\^&1", 6, false), PARSE_BAD);
	assert_int_equal(probe("H|\\^^|", 6, false), PARSE_BAD);
	assert_int_equal(probe("HEAD /", 6, false), PARSE_BAD);
	assert_int_equal(probe("\r\nP|1", 5, false), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_told_without_patients),
		cmocka_unit_test(records_without_frames_are_read),
		cmocka_unit_test(a_record_may_lack_its_end),
		cmocka_unit_test(a_frame_may_be_long),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(no_test_hides_behind_another),
		cmocka_unit_test(no_name_hides_behind_its_front),
		cmocka_unit_test(turns_go_on_behind_a_wrong_one),
		cmocka_unit_test(noise_makes_nobody_blind),
		cmocka_unit_test(records_end_by_line_feeds_too),
		cmocka_unit_test(frames_without_a_trailer_are_read),
		cmocka_unit_test(a_frame_is_asked_for_at_its_end),
		cmocka_unit_test(unnumbered_frames_are_read),
		cmocka_unit_test(who_asks_for_the_line),
		cmocka_unit_test(one_gives_way),
		cmocka_unit_test(the_first_is_number_one),
		cmocka_unit_test(long_frames_are_bounded),
		cmocka_unit_test(senders_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
