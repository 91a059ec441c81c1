#include "talk.h"

#include "guard/proto/modbus.h"

#define EXPECT(pieces, expected) \
	talk_expect("modbus", false, pieces, sizeof(pieces) / sizeof((pieces)[0]), expected)

#define HEAD(tid, fn, name, access)                                                        \
	"\"transaction_id\":" tid ",\"protocol_id\":0,\"unit_id\":17,\"function_raw\":" fn \
	",\"function_code\":\"" name "\",\"access_type\":\"" access                        \
	"\",\"category\":\"PUBLIC_ASSIGNED\",\"error_flags\":\"NONE\""
#define REQUEST(tid, fn, name, access, rest) \
	"{\"modbus\":{\"request\":{" HEAD(tid, fn, name, access) rest "}}}\n"
#define COMMAND(tid, fn, name, access, rest) \
	"{\"modbus\":{\"request\":{" HEAD(tid, fn, name, access) rest "},\"control\":true}}\n"
#define RESPONSE(tid, fn, name, access, rest) \
	"{\"modbus\":{\"response\":{" HEAD(tid, fn, name, access) rest "}}}\n"

static void readings_are_paired(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\0\1\0\0\0\6\x11\3\0\x6b\0\3"),
		TALK_PIECE(1, "\0\1\0\0\0\x09\x11\3\6\2\x2b\0\0\0\x64"),
		TALK_PIECE(0, "\0\2\0\0\0\6\x11\1\0\x13\0\x13\0\3\0\0\0\2\x11\x07"),
		TALK_PIECE(1, "\0\3\0\0\0\3\x11\x07\x6d\0\2\0\0\0\6\x11\1\3\xcd\x6b\5"),
		TALK_PIECE(0, "\0\4\0\0\0\6\x11\4\xff\xff\0\1"),
		TALK_PIECE(1, "\0\4\0\0\0\3\x11\x84\2"),
		TALK_PIECE(0, "\0\5\0\0\0\5\x11\x2b\x0e\1\0"),
		TALK_PIECE(1, "\0\5\0\0\0\x0d\x11\x2b\x0e\1\1\0\0\1\0\3"
			      "abc"),
		TALK_PIECE(0, "\0\6\0\0\0\4\x11\x18\4\xde"),
		TALK_PIECE(1, "\0\6\0\0\0\x0a\x11\x18\0\6\0\2\1\xb8\x12\x84"),
		TALK_PIECE(0, "\0\7\0\0\0\x0a\x11\x14\7\6\0\4\0\1\0\2"),
		TALK_PIECE(1, "\0\7\0\0\0\x09\x11\x14\6\5\6\x0d\xfe\0\x20"),
	};

	EXPECT(pieces,
	       REQUEST("1", "3", "RdHoldRegs", "READ | HOLDING",
		       ",\"read\":{\"address\":107,\"quantity\":3}")
		       RESPONSE("1", "3", "RdHoldRegs", "READ | HOLDING", "") REQUEST(
			       "2", "1", "RdCoils", "READ | COILS",
			       ",\"read\":{\"address\":19,\"quantity\":19}") REQUEST("3", "7",
										     "RdExcStatus",
										     "NONE", "")
			       RESPONSE("3", "7", "RdExcStatus", "NONE", "") RESPONSE(
				       "2", "1", "RdCoils", "READ | COILS",
				       "") REQUEST("4", "4", "RdInputRegs", "READ | INPUT",
						   ",\"read\":{\"address\":65535,\"quantity\":1}")
				       RESPONSE("4", "132", "RdInputRegs", "READ | INPUT",
						",\"exception\":{\"raw\":2,\"code\":"
						"\"IllegalDataAddr\"}") REQUEST("5", "43", "MEI",
										"NONE",
										",\"mei\":{\"raw\":"
										"14,\"code\":"
										"\"RdDevId\"}")
					       RESPONSE(
						       "5", "43", "MEI", "NONE",
						       ",\"mei\":{\"raw\":14,\"code\":\"RdDevId\"}")
						       REQUEST("6", "24", "RdFIFOQueue", "NONE",
							       ",\"read\":{\"address\":1246}")
							       RESPONSE("6", "24", "RdFIFOQueue",
									"NONE",
									"") REQUEST("7", "20",
										    "RdFileRec",
										    "NONE", "")
								       RESPONSE("7", "20",
										"RdFileRec", "NONE",
										""));
}

static void writes_are_control(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\0\1\0\0\0\6\x11\5\0\xac\xff\0"),
		TALK_PIECE(1, "\0\1\0\0\0\6\x11\5\0\xac\xff\0"),
		TALK_PIECE(0, "\0\2\0\0\0\6\x11\6\0\1\0\3"),
		TALK_PIECE(0, "\0\3\0\0\0\x09\x11\x0f\0\x13\0\x0a\2\xcd\1"),
		TALK_PIECE(0, "\0\4\0\0\0\x0b\x11\x10\0\1\0\2\4\0\x0a\1\2"),
		TALK_PIECE(1, "\0\4\0\0\0\6\x11\x10\0\1\0\2"),
		TALK_PIECE(0, "\0\5\0\0\0\x08\x11\x16\0\4\0\xf2\0\x25"),
		TALK_PIECE(0, "\0\6\0\0\0\x0d\x11\x17\0\3\0\6\0\x0e\0\1\2\0\xff"),
		TALK_PIECE(0, "\0\7\0\0\0\x0c\x11\x15\x09\6\0\4\0\7\0\1\6\xaf"),
		TALK_PIECE(0, "\0\x08\0\0\0\6\x11\x08\0\4\0\0"),
		TALK_PIECE(0, "\0\x09\0\0\0\6\x11\x08\0\0\xa5\x37"),
	};

	EXPECT(pieces,
	       COMMAND("1", "5", "WrSingleCoil", "WRITE | COILS | SINGLE | WRITE_SINGLE",
		       ",\"write\":{\"address\":172,\"data\":65280}") RESPONSE("1", "5",
									       "WrSingleCoil",
									       "WRITE | COILS | "
									       "SINGLE | "
									       "WRITE_SINGLE",
									       ",\"write\":{"
									       "\"address\":172,"
									       "\"data\":65280}")
		       COMMAND("2", "6", "WrSingleReg", "WRITE | HOLDING | SINGLE | WRITE_SINGLE",
			       ",\"write\":{\"address\":1,\"data\":3}") COMMAND("3", "15",
										"WrMultCoils",
										"WRITE | COILS | "
										"MULTIPLE | "
										"WRITE_MULTIPLE",
										",\"write\":{"
										"\"address\":19,"
										"\"quantity\":10}")
			       COMMAND("4", "16", "WrMultRegs",
				       "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
				       ",\"write\":{\"address\":1,\"quantity\":2}")
				       RESPONSE("4", "16", "WrMultRegs",
						"WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
						",\"write\":{\"address\":1,\"quantity\":2}")
					       COMMAND("5", "22", "MaskWrReg", "WRITE | HOLDING",
						       ",\"write\":{\"address\":4,\"and_mask\":242,"
						       "\"or_mask\":37}")
						       COMMAND("6", "23", "RdWrMultRegs",
							       "READ | WRITE | HOLDING | MULTIPLE "
							       "| WRITE_MULTIPLE",
							       ",\"read\":{\"address\":3,"
							       "\"quantity\":6},"
							       "\"write\":{\"address\":14,"
							       "\"quantity\":1}") COMMAND("7", "21",
											  "WrFileRe"
											  "c",
											  "NONE",
											  "")
							       COMMAND("8", "8", "Diagnostic",
								       "NONE",
								       ",\"diagnostic\":{\"raw\":4,"
								       "\"code\":"
								       "\"ForceListenOnlyMode\"}")
								       REQUEST("9", "8",
									       "Diagnostic", "NONE",
									       ",\"diagnostic\":{"
									       "\"raw\":0,\"code\":"
									       "\"RetQueryData\""
									       "}"));
}

/* What is private to a maker may program it: Unity's function 90 does. */
static void private_functions_are_control(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\0\1\0\0\0\4\x11\x5a\0\x41\0\2\0\0\0\2\x11\x41"),
	};
	static const struct talk_piece reserved[] = {
		TALK_PIECE(0, "\0\1\0\0\0\6\x11\x08\0\5\0\0"),
	};

	EXPECT(reserved,
	       "{\"modbus\":{\"request\":{\"transaction_id\":1,\"protocol_id\":0,\"unit_id\":17,"
	       "\"function_raw\":8,\"function_code\":\"Diagnostic\",\"access_type\":\"NONE\","
	       "\"category\":\"RESERVED\",\"error_flags\":\"NONE\",\"diagnostic\":{\"raw\":5,"
	       "\"code\":\"Reserved\"}},\"control\":true}}\n");

	EXPECT(pieces,
	       "{\"modbus\":{\"request\":{\"transaction_id\":1,\"protocol_id\":0,\"unit_id\":17,"
	       "\"function_raw\":90,\"function_code\":\"Unknown\",\"access_type\":\"NONE\","
	       "\"category\":\"RESERVED\",\"error_flags\":\"NONE\"},\"control\":true}}\n"
	       "{\"modbus\":{\"request\":{\"transaction_id\":2,\"protocol_id\":0,\"unit_id\":17,"
	       "\"function_raw\":65,\"function_code\":\"Unknown\",\"access_type\":\"NONE\","
	       "\"category\":\"USER_DEFINED\",\"error_flags\":\"NONE\"},\"control\":true}}\n");
}

/* Behind a code that a server does not know it looks for the next request: here for one that writes. */
static void what_has_room_for_a_request_is_control(void **state)
{
	static const struct {
		struct talk_piece piece;
		bool control;
	} rows[] = {
		{TALK_PIECE(0, "\0\1\0\0\0\6\x11\x08\0\0\xa5\x37"), false},
		{TALK_PIECE(0, "\0\1\0\0\0\x0e\x11\x08\0\0\0\0\0\6\x11\5\0\0\xff\0"), true},
		{TALK_PIECE(0, "\0\1\0\0\0\6\x11\x08\0\x0b\0\0"), false},
		{TALK_PIECE(0, "\0\1\0\0\0\x0e\x11\x0a\0\2\0\0\0\6\x11\5\0\0\xff\0"), true},
		{TALK_PIECE(0, "\0\1\0\0\0\x0e\x11\x0e\0\2\0\0\0\6\x11\5\0\0\xff\0"), true},
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		talk_seed("modbus", false, &rows[i].piece, 1);
		talk_play(r, "modbus", false, &rows[i].piece, 1, 0);
		assert_int_equal(strstr(r->said, "\"control\":true") != NULL, rows[i].control);
		assert_null(strstr(r->said, "reason"));
	}
	free(r);
}

/* "error_flags reason" of a request that is read on after; "" where nothing is wrong. */
static const char *wrong_with(const void *request, size_t len, const void *answer,
			      size_t answer_len, enum parse *ret_last)
{
	struct talk_piece pieces[] = {{0, request, len}, {1, answer, answer_len}};
	struct talk_record *r = malloc(sizeof(*r));
	static char found[128];
	char *flags, *reason;

	talk_seed("modbus", false, pieces, 2);
	talk_play(r, "modbus", false, pieces, 2, 0);
	*found = 0;
	reason = strstr(r->said, "\"reason\":\"");
	flags = reason;
	while (flags && flags > r->said && strncmp(flags, "error_flags", 11))
		flags--;
	if (reason)
		snprintf(found, sizeof(found), "%.*s %.*s", (int)strcspn(flags + 14, "\""),
			 flags > r->said ? flags + 14 : "", (int)strcspn(reason + 10, "\""),
			 reason + 10);
	*ret_last = r->last;
	free(r);
	return found;
}

#define WRONG(request, answer, last, expected)                                       \
	do {                                                                         \
		enum parse got_;                                                     \
		assert_string_equal(wrong_with(request, sizeof(request) - 1, answer, \
					       sizeof(answer) - 1, &got_),           \
				    expected);                                       \
		assert_int_equal(got_, last);                                        \
	} while (0)

#define ASK "\0\1\0\0\0\6\x11\3\0\0\0\2"

static void what_is_wrong_is_named(void **state)
{
	WRONG("\0\1\0\0\0\6\x11\3\0\0\0\x7e", "", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG("\0\1\0\0\0\6\x11\1\0\0\0\0", "", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG("\0\1\0\0\0\5\x11\3\0\0\0", "", PARSE_OK, "DATA_LENGTH modbus.malformed");
	WRONG("\0\1\0\0\0\7\x11\3\0\0\0\1x", "", PARSE_OK, "DATA_LENGTH modbus.malformed");
	WRONG("\0\1\0\0\0\6\x11\5\0\0\0\1", "", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG("\0\1\0\0\0\x0b\x11\x10\0\1\0\3\4\0\x0a\1\2", "", PARSE_OK,
	      "DATA_VALUE modbus.malformed");
	WRONG("\0\1\0\0\0\x0b\x11\x10\0\1\0\2\x09\0\x0a\1\2", "", PARSE_OK,
	      "DATA_LENGTH modbus.malformed");
	WRONG("\0\1\0\0\0\x0a\x11\x15\x09\6\0\4\0\7\0\4", "", PARSE_OK,
	      "DATA_LENGTH modbus.malformed");
	WRONG("\0\1\0\0\0\3\x11\x83\2", "", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG("\0\1\0\0\0\2\x11\0", "", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG(ASK, "\0\1\0\0\0\5\x11\3\2\0\0", PARSE_OK, "DATA_VALUE modbus.malformed");
	WRONG(ASK, "\0\1\0\0\0\7\x11\3\4\0\0\0\1", PARSE_OK, "");
	WRONG(ASK, "\0\1\0\0\0\3\x11\x83\x63", PARSE_OK, "EXC_CODE modbus.malformed");
	WRONG(ASK, "\0\2\0\0\0\7\x11\3\4\0\0\0\1", PARSE_OK, "NONE modbus.unasked");
	WRONG(ASK, "\0\1\0\0\0\7\x11\4\4\0\0\0\1", PARSE_OK, "NONE modbus.unasked");
	WRONG(ASK, "\0\1\0\0\0\7\x12\3\4\0\0\0\1", PARSE_OK, "NONE modbus.unasked");
	/* Numbers that stand for the server itself, whatever it calls itself; of two, the one that was meant. */
	WRONG(ASK, "\0\1\0\0\0\7\xff\3\4\0\0\0\1", PARSE_OK, "");
	WRONG("\0\1\0\0\0\6\0\3\0\0\0\2", "\0\1\0\0\0\7\1\3\4\0\0\0\1", PARSE_OK, "");
	WRONG("\0\1\0\0\0\6\0\3\0\0\0\1" ASK, "\0\1\0\0\0\7\x11\3\4\0\0\0\1", PARSE_OK, "");
	WRONG("\0\1\0\0\0\6\0\3\0\0\0\2", "\0\1\0\0\0\7\1\4\4\0\0\0\1", PARSE_OK,
	      "NONE modbus.unasked");
	WRONG(ASK "\0\1\0\1", "", PARSE_BAD, "NONE modbus.malformed");
	WRONG("\0\1\0\0\0\1\x11", "", PARSE_BAD, " modbus.malformed");
	WRONG("\0\1\0\0\0\xff\x11", "", PARSE_BAD, " modbus.malformed");
}

static enum parse probe(const char *data, size_t len, uint16_t port)
{
	struct bytes b = unit_exact(data, len);
	struct proto_input in = {.data = b, .port = {40000, port}};
	enum parse got = modbus_proto.probe(&in);

	free((void *)b.data);
	return got;
}

static void requests_are_known(void **state)
{
	assert_int_equal(probe(ASK, 3, 5020), PARSE_MORE);
	assert_int_equal(probe(ASK, 11, 5020), PARSE_MORE);
	assert_int_equal(probe(ASK, 12, 5020), PARSE_OK);
	assert_int_equal(probe("\0\1\0\0\0\2\x11\x5a", 8, 5020), PARSE_BAD);
	assert_int_equal(probe("\0\1\0\0\0\2\x11\x5a", 8, 502), PARSE_OK);
	/* An association request of DICOM, and what opens SMB. */
	assert_int_equal(probe("\1\0\0\0\0\xcd\0\1\0\0", 10, 502), PARSE_OK);
	assert_int_equal(probe("\0\0\0\x85\xffSMB", 8, 445), PARSE_BAD);
	assert_int_equal(probe("GET / HTTP/1.1", 14, 502), PARSE_BAD);
}

/* More than are kept may be under way: memory stays, and as many answers as requests were forgotten. */
static void a_flood_is_forgotten(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t ask[12] = ASK;

	talk_begin(r, "modbus", false);
	for (unsigned i = 0; i < 20; i++) {
		ask[1] = (uint8_t)i;
		talk_feed(r, 0, ask, sizeof(ask));
	}
	*r->said = 0;
	r->in.time_ns += 2500000;
	talk_feed(r, 1, "\0\x13\0\0\0\7\x11\3\4\0\0\0\1", 13);
	assert_non_null(strstr(r->said, "\"latency_us\":2500"));
	assert_null(strstr(r->said, "reason"));
	for (uint8_t i = 0; i < 4; i++) {
		uint8_t answer[] = {0, i, 0, 0, 0, 7, 0x11, 3, 4, 0, 0, 0, 1};

		talk_feed(r, 1, answer, sizeof(answer));
	}
	assert_null(strstr(r->said, "reason"));
	talk_feed(r, 1, "\0\0\0\0\0\7\x11\3\4\0\0\0\1", 13);
	assert_non_null(strstr(r->said, "modbus.unasked"));
	talk_finish(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readings_are_paired),
		cmocka_unit_test(writes_are_control),
		cmocka_unit_test(private_functions_are_control),
		cmocka_unit_test(what_has_room_for_a_request_is_control),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(requests_are_known),
		cmocka_unit_test(a_flood_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
