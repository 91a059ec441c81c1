#include "talk.h"

#include "guard/proto/ber.h"
#include "guard/proto/snmp.h"

#define GET                                                  \
	"0:\x02\x01\x01\x04\x06public\xa0-\x02\x04\x12"      \
	"4Vx\x02\x01\x00\x02\x01\x00"                        \
	"0\x1f"                                              \
	"0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00" \
	"0\x0f\x06\x0b+\x06\x01\x04\x01\x82"                 \
	"7\x01\x81\x01\x0a\x05\x00"
#define GET_V1                                                                     \
	"0&\x02\x01\x00\x04\x06ward7x\xa1\x19\x02\x01\x05\x02\x01\x00\x02\x01\x00" \
	"0\x0e"                                                                    \
	"0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"
#define ANSWER                                             \
	"0*\x02\x01\x01\x04\x06public\xa2\x1d\x02\x04\x12" \
	"4Vx\x02\x01\x02\x02\x01\x01"                      \
	"0\x0f"                                            \
	"0\x0d\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x04\x01x"
#define SET                                                                         \
	"0(\x02\x01\x01\x04\x07private\xa3\x1a\x02\x01\x06\x02\x01\x00\x02\x01\x00" \
	"0\x0f"                                                                     \
	"0\x0d\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x02\x01\x02"
#define BULK                                                                          \
	"0\x22\x02\x01\x01\x04\x06ward7x\xa5\x15\x02\x01\x07\x02\x01\x00\x02\x01\x0a" \
	"0\x0a"                                                                       \
	"0\x08\x06\x04+\x06\x01\x02\x05\x00"
#define TRAP                                                                 \
	"0&\x02\x01\x00\x04\x06ward7x\xa4\x19\x06\x06+\x06\x01\x04\x01\x09@" \
	"\x04\x0a\x09\x01\x0c\x02\x01\x04\x02\x01\x00"                       \
	"C\x01\x01"                                                          \
	"0\x00"
#define V3_GET                                                                        \
	"0@\x02\x01\x03"                                                              \
	"0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\x04\x18"          \
	"0\x16\x04\x02\x80\x00\x02\x01\x01\x02\x01\x02\x04\x06reader\x04\x00\x04\x00" \
	"0\x11\x04\x00\x04\x00\xa0\x0b\x02\x01\x09\x02\x01\x00\x02\x01\x00"           \
	"0\x00"
#define V3_SET                                                                \
	"0[\x02\x01\x03"                                                      \
	"0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x05\x02\x01\x03\x04$"     \
	"0\x22\x04\x02\x80\x00\x02\x01\x01\x02\x01\x02\x04\x06writer\x04\x0c" \
	"000000000000\x04\x00"                                                \
	"0 \x04\x00\x04\x00\xa3\x1a\x02\x01\x09\x02\x01\x00\x02\x01\x00"      \
	"0\x0f"                                                               \
	"0\x0d\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x02\x01\x01"
#define V3_SECRET                                                           \
	"0G\x02\x01\x03"                                                    \
	"0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x07\x02\x01\x03\x04,0*" \
	"\x04\x02\x80\x00\x02\x01\x01\x02\x01\x02\x04\x06writer\x04\x0c"    \
	"000000000000\x04\x08"                                              \
	"12345678\x04\x04\x01\x02\x03\x04"

#define EXPECT(literal, expected)                                               \
	do {                                                                    \
		static const struct talk_piece piece_ = TALK_PIECE(0, literal); \
		talk_expect("snmp", true, &piece_, 1, expected);                \
	} while (0)

/* Object names, but no value and no community. */
static void versions_are_told(void **state)
{
	EXPECT(GET, "{\"snmp\":{\"version\":2,\"pdu_type\":\"get_request\","
		    "\"default_community\":true,\"request_id\":305419896,\"vars\":[\"1.3.6.1.2.1.1."
		    "5.0\","
		    "\"1.3.6.1.4.1.311.1.129.10\"]}}\n");
	EXPECT(GET_V1,
	       "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":5,"
	       "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n");
	EXPECT(ANSWER, "{\"snmp\":{\"version\":2,\"pdu_type\":\"response\","
		       "\"error\":\"NoSuchName\",\"default_community\":true,"
		       "\"request_id\":305419896,\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n");
	EXPECT(BULK, "{\"snmp\":{\"version\":2,\"pdu_type\":\"get_bulk_request\",\"request_id\":7,"
		     "\"vars\":[\"1.3.6.1.2\"]}}\n");
	EXPECT(TRAP, "{\"snmp\":{\"version\":1,\"pdu_type\":\"trap_v1\","
		     "\"trap_type\":\"AuthenticationFailure\",\"trap_oid\":\"1.3.6.1.4.1.9\","
		     "\"trap_address\":\"10.9.1.12\"}}\n");
}

/* RFC 3416 §3: an Integer32, so it may be negative, or zero. Some write one without a sign. */
#define GET_ID(id)                                                                   \
	"0&\x02\x01\x00\x04\x06ward7x\xa1\x19\x02\x01" id "\x02\x01\x00\x02\x01\x00" \
	"0\x0e"                                                                      \
	"0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"

#define GET_LONG_ID(id)                                                              \
	"0*\x02\x01\x00\x04\x06ward7x\xa1\x1d\x02\x05" id "\x02\x01\x00\x02\x01\x00" \
	"0\x0e"                                                                      \
	"0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"

static void request_ids_have_a_sign(void **state)
{
	EXPECT(GET_ID("\xff"),
	       "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":-1,"
	       "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n");
	EXPECT(GET_ID("\0"),
	       "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":0,"
	       "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n");
	EXPECT(GET_LONG_ID("\0\xff\xff\xff\xfe"), "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_"
						  "next_request\",\"request_id\":4294967294,"
						  "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n");
	EXPECT(GET_LONG_ID("\1\0\0\0\0"),
	       "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":0},"
	       "\"reason\":\"snmp.malformed\"}\n");
}

/* What GET_ID() says behind its length, which may be written longer than it has to be. */
#define LATE_GET                                                                 \
	"\x02\x01\x00\x04\x06ward7x\xa1\x19\x02\x01\x09\x02\x01\x00\x02\x01\x00" \
	"0\x0e"                                                                  \
	"0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"
#define SAID_LATE                                                                                \
	"{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":9,\"vars\":[" \
	"\"1.3.6.1.2.1.1.5.0\"]}}\n"

/* RFC 3430 §2.1: one behind the other. A length of another form, and what cannot be a message. */
static void streams_are_read(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, GET_V1 SET),
		TALK_PIECE(1, "0\x81*\x02\x01\x01\x04\x06ward7x\xa2\x1d\x02\x04\x12"
			      "4Vx\x02\x01\x00\x02\x01\x00"
			      "0\x0f"
			      "0\x0d\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x04\x01x"),
		TALK_PIECE(0, "0\x84\0\0\0&" LATE_GET "0\x83\0\0&" LATE_GET V3_SECRET
			      "0\x0c\x02\x01\x01\x60"),
	};

	talk_expect("snmp", false, pieces, 3,
		    "{\"snmp\":{\"version\":1,\"pdu_type\":\"get_next_request\",\"request_id\":5,"
		    "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n"
		    "{\"snmp\":{\"version\":2,\"pdu_type\":\"set_request\","
		    "\"default_community\":true,\"request_id\":6,\"vars\":[\"1.3.6.1.2.1.1.5.0\"],"
		    "\"control\":true}}\n"
		    "{\"snmp\":{\"version\":2,\"pdu_type\":\"response\",\"request_id\":305419896,"
		    "\"vars\":[\"1.3.6.1.2.1.1.5.0\"]}}\n" SAID_LATE SAID_LATE
		    "{\"snmp\":{\"version\":3,\"pdu_type\":\"encrypted\",\"usm\":\"writer\","
		    "\"security_level\":\"authPriv\",\"control\":true}}\n"
		    "{\"snmp\":{},\"reason\":\"snmp.malformed\"}\n");
}

/* LDAP begins as SNMP does, and so may anything else. */
static void streams_are_known(void **state)
{
	static const struct {
		struct talk_piece said;
		enum parse probe;
	} cases[] = {
		{TALK_PIECE(0, GET), PARSE_OK},
		{TALK_PIECE(0, V3_GET), PARSE_OK},
		{TALK_PIECE(0, "0:\x02\x01\x01\x04"), PARSE_MORE},
		{TALK_PIECE(0, "0\x82\x01"), PARSE_MORE},
		{TALK_PIECE(0, "0\x0c\x02\x01\x01\x60"), PARSE_BAD},
		{TALK_PIECE(0, "0\x0c\x02\x01\x02"), PARSE_BAD},
		{TALK_PIECE(0, "0\x83\x01\0\0"), PARSE_BAD},
		{TALK_PIECE(0, "0abc"), PARSE_BAD},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].said.data, cases[i].said.len),
					 .port = {40000, 161}};

		assert_int_equal(snmp_proto.probe(&in), cases[i].probe);
		free((void *)in.data.data);
	}
}

static void setting_is_control(void **state)
{
	EXPECT(SET, "{\"snmp\":{\"version\":2,\"pdu_type\":\"set_request\","
		    "\"default_community\":true,\"request_id\":6,\"vars\":[\"1.3.6.1.2.1.1.5.0\"],"
		    "\"control\":true}}\n");
	EXPECT(V3_SET, "{\"snmp\":{\"version\":3,\"pdu_type\":\"set_request\","
		       "\"usm\":\"writer\",\"security_level\":\"authNoPriv\","
		       "\"request_id\":9,\"vars\":[\"1.3.6.1.2.1.1.5.0\"],\"control\":true}}\n");
}

/* What is sealed: to an agent's port whoever began, and not where traps go. */
static void what_is_sealed_is_control(void **state)
{
	static const struct {
		uint16_t port[2];
		uint8_t end;
		bool control;
	} cases[] = {
		{{40000, 161}, 0, true},
		{{40000, 161}, 1, false},
		{{40000, 162}, 0, false},
		{{40000, 162}, 1, false},
		{{161, 162}, 0, false},
		{{161, 162}, 1, true}, /* traps came from the agent's own port */
		{{40000, 1161}, 0, true},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {
			.data = {(const uint8_t *)V3_SECRET, sizeof(V3_SECRET) - 1},
			.port = {cases[i].port[0], cases[i].port[1]},
			.end = cases[i].end,
			.datagram = true};
		uint64_t room[PROTO_STATE_MAX / sizeof(uint64_t)] = {0};
		struct proto_output out = {0};
		struct snmp m = {0};

		assert_int_equal(snmp_proto.read(room, &in, &m.msg, &out), PARSE_OK);
		assert_string_equal(m.pdu_type, "encrypted");
		assert_int_equal(m.msg.control, cases[i].control);
	}
}

static void users_are_told(void **state)
{
	EXPECT(V3_GET,
	       "{\"snmp\":{\"version\":3,\"pdu_type\":\"get_request\","
	       "\"usm\":\"reader\",\"security_level\":\"noAuthNoPriv\",\"request_id\":9}}\n");
	EXPECT(V3_SECRET,
	       "{\"snmp\":{\"version\":3,\"pdu_type\":\"encrypted\","
	       "\"usm\":\"writer\",\"security_level\":\"authPriv\",\"control\":true}}\n");
}

/* X.690 §8.3.2 and §8.19.2 want no padding; some agents have it, and every manager takes it. */
static void padding_is_none_of_it(void **state)
{
	EXPECT("0\x20\x02\x01\x01\x04\x01"
	       "a\xa2\x18\x02\x05\xff\xfb\x6a\x65\x17\x02\x01\x00\x02\x01\x00"
	       "0\x09"
	       "0\x07\x06\x03+\x80\x06\x05\x00",
	       "{\"snmp\":{\"version\":2,\"pdu_type\":\"response\",\"request_id\":-76913385,"
	       "\"vars\":[\"1.3.6\"]}}\n");
	EXPECT("0\x21\x02\x01\x01\x04\x01"
	       "a\xa2\x19\x02\x05\x00\x00\x00\x00\x07\x02\x01\x00\x02\x01\x00"
	       "0\x0a"
	       "0\x08\x06\x04+\x80\x81\x7f\x05\x00",
	       "{\"snmp\":{\"version\":2,\"pdu_type\":\"response\",\"request_id\":7,"
	       "\"vars\":[\"1.3.255\"]}}\n");
}

static void lies_are_malformed(void **state)
{
	static const struct talk_piece bad[] = {
		TALK_PIECE(0, "0:\x02\x01\x01\x04\x06public\xa0-\x02\x04\x12"
			      "4Vx\x02\x01\x00\x02\x01\x00"
			      "0\x1f"
			      "0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"
			      "0\x0f\x06\x0b+\x06\x01\x04\x01\x82"
			      "7\x01\x81\x01\x0a\x05\x00x"), /* trailing */
		TALK_PIECE(0, "0:\x02\x01\x01\x04\x06public\xa0-\x02\x04\x12"
			      "4Vx\x02\x01\x00\x02\x01\x00"
			      "0\x1f"
			      "0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"
			      "0\x0f\x06\x0b+\x06\x01\x04\x01\x82"
			      "7\x01\x81\x01\x0a\x05"), /* cut */
		TALK_PIECE(0, "0\x80\x02\x01\x01\x04\x06public\xa0-\x02\x04\x12"
			      "4Vx\x02\x01\x00\x02\x01\x00"
			      "0\x1f"
			      "0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00\x05\x00"
			      "0\x0f\x06\x0b+\x06\x01\x04\x01\x82"
			      "7\x01\x81\x01\x0a\x05\x00"), /* indefinite */
		TALK_PIECE(0, "0\x13\x02\x01\x07\x04\x01"
			      "a\xa0\x0b\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* version */
		TALK_PIECE(0, "0\x13\x02\x01\x00\x04\x01"
			      "a\xa5\x0b\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* v1 bulk */
		TALK_PIECE(0, "0\x13\x02\x01\x01\x04\x01"
			      "a\xa9\x0b\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* unknown pdu */
		TALK_PIECE(0, "0\x17\x02\x01\x01\x04\x01"
			      "a\xa0\x0f\x02\x05\x01\x00\x00\x00\x00\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* id of 33 bits */
		TALK_PIECE(0, "0\x17\x02\x01\x01\x04\x01"
			      "a\xa0\x0f\x02\x05\xff\x7f\x00\x00\x00\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* below 0 */
		TALK_PIECE(0, "0\x1b\x02\x01\x01\x04\x01"
			      "a\xa0\x13\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x08"
			      "0\x06\x06\x02+\x81\x05\x00"), /* oid cut */
		TALK_PIECE(0, "0 \x02\x01\x01\x04\x01"
			      "a\xa0\x18\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x0d"
			      "0\x0b\x06\x07+\xff\xff\xff\xff\xff\x7f\x05\x00"), /* oid big */
		TALK_PIECE(0, "0\x19\x02\x01\x01\x04\x01"
			      "a\xa0\x11\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x06"
			      "0\x04\x06\x00\x05\x00"), /* oid empty */
		TALK_PIECE(0, "0!\x02\x01\x01\x04\x01"
			      "a\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x0e"
			      "0\x0c\x06\x08+\x06\x01\x02\x01\x01\x05\x00"
			      "0\x00"), /* value */
		TALK_PIECE(0, "0\x15\x02\x01\x01\x04\x01"
			      "a\xa0\x0d\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x00\x05\x00"), /* pdu tail */
		TALK_PIECE(0, "0.\x02\x01\x03"
			      "0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x02\x02\x01\x03\x04\x13"
			      "0\x11\x04\x02\x80\x00\x02\x01\x01\x02\x01\x02\x04\x01w\x04\x00\x04"
			      "\x00\x04\x04"
			      "1234"), /* priv no auth */
		TALK_PIECE(
			0,
			"0<\x02\x01\x03"
			"0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x00\x02\x01\x03\x04\x14"
			"0\x12\x04\x00\x02\x01\x01\x02\x01\x02\x04\x01u\x04\x00\x04\x00\x02\x01\x01"
			"0\x11\x04\x00\x04\x00\xa0\x0b\x02\x01\x09\x02\x01\x00\x02\x01\x00"
			"0\x00"), /* usm tail */
		TALK_PIECE(0, "0[\x02\x01\x03"
			      "0\x0e\x02\x01M\x02\x03\x00\xff\xe3\x04\x01\x00\x02\x01\x03\x04"
			      "301\x04\x02\x80\x00\x02\x01\x01\x02\x01\x02\x04!"
			      "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu\x04\x00\x04\x00"
			      "0\x11\x04\x00\x04\x00\xa0\x0b\x02\x01\x09\x02\x01\x00\x02\x01\x00"
			      "0\x00"), /* long user */
		TALK_PIECE(0, "0\x1b\x02\x01\x00\x04\x01"
			      "a\xa4\x13\x06\x02+\x06@\x02\x01\x02\x02\x01\x04\x02\x01\x00"
			      "C\x01\x01"
			      "0\x00"), /* trap ip */
		TALK_PIECE(0, "0\x17\x02\x05\x00\x00\x00\x00\x01\x04\x01"
			      "a\xa0\x0b\x02\x01\x01\x02\x01\x00\x02\x01\x00"
			      "0\x00"),			    /* int long */
		TALK_PIECE(0, "0\x00"),			    /* empty */
		TALK_PIECE(0, "0\x84\xff\xff\xff\xff\x02"), /* lying */
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		talk_seed("snmp", true, &bad[i], 1);
		talk_play(r, "snmp", true, &bad[i], 1, 0);
		if (!strstr(r->said, "\"reason\":\"snmp.malformed\""))
			fail_msg("case %u: %s", i, r->said);
	}
	free(r);
}

/* Of every message, every part that is cut off is missed. */
static void cut_messages_are_malformed(void **state)
{
	static const char whole[] = V3_SET;
	struct proto_input in = {.datagram = true};

	for (size_t n = 0; n < sizeof(whole); n++) {
		in.data = unit_exact(whole, n);
		assert_int_equal(snmp_proto.probe(&in),
				 n == sizeof(whole) - 1 ? PARSE_OK : PARSE_BAD);
		free((void *)in.data.data);
	}
	in.port[1] = 161;
	in.data = unit_exact(whole, 5);
	assert_int_equal(snmp_proto.probe(&in), PARSE_OK);
	free((void *)in.data.data);
}

static void names_are_dotted(void **state)
{
	static const uint8_t joint[] = {0x88, 0x37, 3},
			     largest[] = {0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f};
	uint8_t many[128];
	char text[BER_OID_TEXT];
	struct bytes b = unit_exact(joint, sizeof(joint));

	assert_true(ber_oid_text(b, text));
	assert_string_equal(text, "2.999.3");
	free((void *)b.data);
	b = unit_exact(largest, sizeof(largest));
	assert_true(ber_oid_text(b, text));
	assert_string_equal(text, "1.3.4294967295");
	free((void *)b.data);
	memset(many, 0x7f, sizeof(many));
	b = unit_exact(many, sizeof(many));
	assert_true(ber_oid_text(b, text));
	assert_true(strlen(text) < sizeof(text));
	free((void *)b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_told),
		cmocka_unit_test(streams_are_read),
		cmocka_unit_test(streams_are_known),
		cmocka_unit_test(setting_is_control),
		cmocka_unit_test(what_is_sealed_is_control),
		cmocka_unit_test(request_ids_have_a_sign),
		cmocka_unit_test(users_are_told),
		cmocka_unit_test(padding_is_none_of_it),
		cmocka_unit_test(lies_are_malformed),
		cmocka_unit_test(cut_messages_are_malformed),
		cmocka_unit_test(names_are_dotted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
