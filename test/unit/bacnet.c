#include "talk.h"

#include "guard/proto/bacnet.h"

/* One message each way of every kind, by an encoder after ANSI/ASHRAE 135 §20 and Annex J. */
static const struct {
	struct talk_piece piece;
	const char *said;
} messages[] = {
	{TALK_PIECE(0, "\x81\x0a\x00\x11\x01\x04\x00\x05\x01\x0c\x0c\x02\x3f\xff\xff\x19K"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"readProperty\",\"object_type\":\"device\",\"property\":\"object-"
	 "identifier\",\"invoke_id\":1,\"instance\":4194303}}\n"},
	{TALK_PIECE(1, "\x81\x0a\x00\x17\x01\x00"
		       "0\x01\x0c\x0c\x02\x00\x04\xd2\x19K>\xc4\x02\x00\x04\xd2\x3f"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"complex_ack\",\"service\":"
	 "\"readProperty\",\"object_type\":\"device\",\"property\":\"object-identifier\",\"invoke_"
	 "id\":1,\"instance\":1234}}\n"},
	{TALK_PIECE(0, "\x81\x0b\x00\x0c\x01 \xff\xff\x00\xff\x10\x08"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Broadcast-NPDU\",\"pdu_type\":\"unconfirmed_request\","
	 "\"service\":\"who-Is\",\"dnet\":65535}}\n"},
	{TALK_PIECE(1, "\x81\x0b\x00\x15\x01\x00\x10\x00\xc4\x02\x00\x04\xd2\x22\x05\xc4\x91\x03"
		       "\x22\x01\x04"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Broadcast-NPDU\",\"pdu_type\":\"unconfirmed_request\","
	 "\"service\":\"i-Am\",\"object_type\":\"device\",\"instance\":1234}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x1c\x01\x04\x00\x04\x02\x0f\x0c\x00@\x00\x03\x19U)\x02>"
		       "DB\x82\x00\x00\x3f"
		       "9\x08"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"writeProperty\",\"object_type\":\"analog-output\",\"property\":\"present-"
	 "value\",\"invoke_id\":2,\"instance\":3,\"array_index\":2,\"control\":true}}\n"},
	{TALK_PIECE(1, "\x81\x0a\x00\x09\x01\x00 \x02\x0f"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"simple_ack\",\"service\":"
	 "\"writeProperty\",\"invoke_id\":2}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x15\x01\x04\x00\x05\x03\x14\x09\x00\x1d\x07\x00secret"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"reinitializeDevice\",\"state\":\"coldstart\",\"password\":true,\"invoke_"
	 "id\":3,\"control\":true}}\n"},
	{TALK_PIECE(1, "\x81\x0a\x00\x0d\x01\x00P\x03\x14\x91\x04\x91\x1a"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"error\",\"service\":"
	 "\"reinitializeDevice\",\"invoke_id\":3,\"error_class\":4,\"error_code\":26}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x0e\x01\x04\x00\x05\x04\x11\x09\x0a\x19\x01"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"deviceCommunicationControl\",\"state\":\"disable\",\"invoke_id\":4,"
	 "\"control\":true}}\n"},
	{TALK_PIECE(1, "\x81\x0a\x00\x09\x01\x00`\x04\x09"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"reject\",\"invoke_id\":4,"
	 "\"error_code\":9}}\n"},
	{TALK_PIECE(
		 0,
		 "\x81\x0a\x00\x15\x01\x04\x00\x05\x05\x0e\x0c\x02\x00\x04\xd2\x1e\x09U\x09M\x1f"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"readPropertyMultiple\",\"object_type\":\"device\",\"property\":[\"present-"
	 "value\",\"object-name\"],\"invoke_id\":5,\"instance\":1234}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x0e\x01\x04\x0d\x05\x06\x01\x10\x0f\x0c\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"writeProperty\",\"segmented\":true,\"invoke_id\":6,"
	 "\"sequence_number\":1,\"more_follows\":true,\"control\":true}}\n"},
	{TALK_PIECE(1, "\x81\x0a\x00\x0a\x01\x00@\x06\x01\x10"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"segment_ack\",\"invoke_"
	 "id\":6,\"sequence_number\":1}}\n"},
	{TALK_PIECE(0, "\x81\x04\x00\x1c\x0a\x09\x01\x0c\xba\xc0\x01\x08\x00\x05\x01\x1f\x10\x06"
		       "\xa4~\x04\x01\x01\xb4\x0c\x00\x00\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Forwarded-NPDU\",\"pdu_type\":\"unconfirmed_request\","
	 "\"service\":\"timeSynchronization\",\"snet\":5,\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x08\x01\x80\x06\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"network_message\":\"Initialize-Routing-"
	 "Table\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x0a\x01\x80\x81\x00\x0f\x01"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"network_message\":\"proprietary\","
	 "\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x07\x01\x80\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"network_message\":\"Who-Is-Router-To-"
	 "Network\"}}\n"},
	{TALK_PIECE(0, "\x81\x01\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Write-Broadcast-Distribution-Table\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x05\x00\x06\x00<"),
	 "{\"bacnet\":{\"bvlc\":\"Register-Foreign-Device\"}}\n"},
	{TALK_PIECE(1, "\x81\x00\x00\x06\x00\x00"), "{\"bacnet\":{\"bvlc\":\"BVLC-Result\"}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x0a\x01\x04\x00\x05\x07"
		       "c"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"unknown\",\"invoke_id\":7,\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x12\x01\x04\x00\x05\x08\x0c\x0c\xff\xc0\x00\x01\x1a\x03\xe7"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_request\","
	 "\"service\":\"readProperty\",\"object_type\":\"1023\",\"property\":\"999\",\"invoke_id\":"
	 "8,\"instance\":1}}\n"},
};

static void services_are_told(void **state)
{
	for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		talk_expect("bacnet", true, &messages[i].piece, 1, messages[i].said);
}

/* What is cut anywhere is either malformed or not taken for BACnet. */
static void lies_are_malformed(void **state)
{
	static const struct talk_piece bad[] = {
		TALK_PIECE(0, "\x81\x0a\x00\x05\x01\x00"),		/* length */
		TALK_PIECE(0, "\x81\x0a\x00"),				/* cut */
		TALK_PIECE(0, "\x82\x0a\x00\x04"),			/* kind */
		TALK_PIECE(0, "\x81 \x00\x04"),				/* function */
		TALK_PIECE(0, "\x81\x0a\x00\x08\x02\x00\x10\x08"),	/* network version */
		TALK_PIECE(0, "\x81\x0a\x00\x08\x01@\x10\x08"),		/* reserved bits */
		TALK_PIECE(0, "\x81\x0a\x00\x06\x01\x00"),		/* no apdu */
		TALK_PIECE(0, "\x81\x0a\x00\x08\x01\x00\x80\x00"),	/* pdu type */
		TALK_PIECE(0, "\x81\x0a\x00\x0a\x01 \x00\x01\x09\x01"), /* address cut */
		TALK_PIECE(0,
			   "\x81\x0a\x00\x0b\x01\x08\xff\xff\x00\x10\x08"), /* from all networks */
		TALK_PIECE(0,
			   "\x81\x0a\x00\x0d\x01\x04\x00\x05\x01\x0c\x0c\x02\x3f"), /* object cut */
		TALK_PIECE(
			0,
			"\x81\x0a\x00\x0e\x01\x04\x00\x05\x01\x0c\x0b\x02\x3f\xff"), /* object of three */
		TALK_PIECE(0, "\x81\x0a\x00\x11\x01\x04\x00\x05\x01\x14\x0d\xff\xff\xff\xff\xff"
			      "\x00"),				   /* length beyond */
		TALK_PIECE(0, "\x81\x0a\x00\x08\x01\x04\x00\x05"), /* no invoke */
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		talk_seed("bacnet", true, &bad[i], 1);
		talk_play(r, "bacnet", true, &bad[i], 1, 0);
		if (!strstr(r->said, "\"reason\":\"bacnet.malformed\""))
			fail_msg("case %u: %s", i, r->said);
	}
	free(r);
}

static enum parse probe(const void *data, size_t len)
{
	struct proto_input in = {.data = unit_exact(data, len), .datagram = true};
	enum parse got = bacnet_proto.probe(&in);

	free((void *)in.data.data);
	return got;
}

static void the_link_layer_is_known(void **state)
{
	const struct talk_piece *p = &messages[0].piece;

	assert_int_equal(probe(p->data, p->len), PARSE_OK);
	for (size_t n = 0; n < p->len; n++)
		assert_int_equal(probe(p->data, n), PARSE_BAD);
	assert_int_equal(probe("\x81\x20\0\4", 4), PARSE_BAD);
}

/* Every object and property of a Multiple is told and held against rules, and its answer is none broken. */
#define SEVERAL                                                                    \
	"\x81\x0a\x00\x1e\x01\x04\x02\x75\x05\x0e\x0c\x00\x00\x00\x01\x1e\x09\x55" \
	"\x09\x4d\x1f\x0c\x02\x00\x00\x63\x1e\x09\x08\x1f"
#define ANSWERED                                                                   \
	"\x81\x0a\x00\x31\x01\x00\x30\x05\x0e\x0c\x00\x00\x00\x01\x1e\x29\x55\x4e" \
	"\x44\x3f\x80\x00\x00\x4f\x29\x4d\x4e\x75\x03\x00\x61\x62\x4f\x1f\x0c\x02" \
	"\x00\x00\x63\x1e\x29\x08\x5e\x91\x02\x91\x20\x5f\x1f"
#define WRITTEN                                                                    \
	"\x81\x0a\x00\x29\x01\x04\x02\x75\x06\x10\x0c\x00\x40\x00\x01\x1e\x09\x55" \
	"\x2e\x44\x3f\x80\x00\x00\x2f\x39\x08\x1f\x0c\x01\x00\x00\x02\x1e\x09\x6f" \
	"\x2e\x91\x01\x2f\x1f"
static void all_of_several_are_told(void **state)
{
	static const struct talk_piece pieces[] = {TALK_PIECE(0, SEVERAL), TALK_PIECE(1, ANSWERED),
						   TALK_PIECE(0, WRITTEN)};
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t odd[sizeof(SEVERAL)];

	talk_play(r, "bacnet", true, pieces, 3, 0);
	assert_null(strstr(r->said, "malformed"));
	for (const char *at = r->said, *line = at; *at; at = line) {
		line = strchr(at, '\n') + 1;
		assert_non_null(strstr(at, "\"object_type\":[\"analog-"));
		assert_non_null(strstr(at, "\"property\":[\"present-value\","));
	}
	assert_non_null(
		strstr(r->said, "\"property\":[\"present-value\",\"object-name\",\"all\"]"));
	assert_non_null(strstr(r->said, "\"object_type\":[\"analog-output\",\"binary-output\"]"));
	for (size_t len = 11; len < sizeof(SEVERAL) - 1; len++) {
		struct talk_piece piece = {0, odd, len};

		memcpy(odd, SEVERAL, len); /* cut, but it says how long it is */
		odd[3] = (uint8_t)len;
		talk_play(r, "bacnet", true, &piece, 1, 0);
		if (len != 15 && len != 21 && len != 26) /* where an object, or its list, ends */
			assert_non_null(strstr(r->said, "bacnet.malformed"));
	}
	free(r);
}

/* §5.4: cut anywhere, so what a later segment names is like no pattern; the first one's is known. */
static void segments_hide_nothing(void **state)
{
	static const struct talk_piece first = TALK_PIECE(
		0,
		"\x81\x0a\x00\x19\x01\x04\x0c\x75\x06\x00\x04\x10\x0c\x00\x40\x00\x01\x1e\x09\x55"
		"\x2e\x44\x3f\x80\x00");
	static const char later[] =
		"\x81\x0a\x00\x1a\x01\x04\x08\x75\x06\x01\x04\x10\x00\x2f\x1f\x0c\x01"
		"\x00\x00\x02\x1e\x09\x6f\x2e\x2f\x1f";
	struct proto_input in = {.data = unit_exact(later, sizeof(later) - 1), .datagram = true};
	struct proto_output out = {0};
	struct bacnet m = {.service = NULL};
	const char *const names[] = {"object_type", "property"};
	char buf[PROTO_VALUE_MAX];

	talk_expect(
		"bacnet", true, &first, 1,
		"{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"confirmed_"
		"request\","
		"\"service\":\"writePropertyMultiple\",\"segmented\":true,\"object_type\":"
		"\"analog-output\",\"property\":\"present-value\",\"invoke_id\":6,"
		"\"sequence_number\":0,\"more_follows\":true,\"instance\":1,\"control\":true}}\n");
	assert_int_equal(bacnet_proto.read(NULL, &in, &m.msg, &out), PARSE_OK);
	assert_int_equal(m.msg.reason, REASON_NONE);
	assert_true(m.msg.control);
	assert_int_equal(m.sequence_number, 1);
	for (unsigned i = 0; i < 2; i++) {
		size_t at = 0;
		struct bytes v = proto_next(proto_field(&bacnet_proto, names[i]), &m.msg, &at, buf);

		assert_non_null(v.data);
		assert_int_equal(v.len, 0);
	}
	free((void *)in.data.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_told),
		cmocka_unit_test(all_of_several_are_told),
		cmocka_unit_test(segments_hide_nothing),
		cmocka_unit_test(lies_are_malformed),
		cmocka_unit_test(the_link_layer_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
