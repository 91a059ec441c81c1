#include "talk.h"

#include "guard/proto/bacnet.h"
#include "guard/proto/bacnet_names.h"

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
	/* In a pair of tags, with what failed behind it, and a code of its maker's. */
	{TALK_PIECE(1, "\x81\x0a\x00\x12\x01\x00P\x07\x0a\x0e\x91\x01\x92\x01\x2c\x0f\x19\x01"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"pdu_type\":\"error\",\"service\":"
	 "\"createObject\",\"invoke_id\":7,\"error_class\":1,\"error_code\":300}}\n"},
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
	 "\"sequence_number\":1,\"more_follows\":true,\"gap\":true,\"control\":true}}\n"},
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
	/* Who says so is sent what was for others, or nothing more is. */
	{TALK_PIECE(0, "\x81\x0b\x00\x0b\x01\x80\x01\x00\x05\x00\x06"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Broadcast-NPDU\",\"network_message\":\"I-Am-Router-To-"
	 "Network\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0b\x00\x09\x01\x80\x04\x00\x05"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Broadcast-NPDU\",\"network_message\":\"Router-Busy-To-"
	 "Network\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0b\x00\x0a\x01\x80\x13\x00\x05\x01"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Broadcast-NPDU\",\"network_message\":\"Network-Number-"
	 "Is\","
	 "\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x01\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	 "{\"bacnet\":{\"bvlc\":\"Write-Broadcast-Distribution-Table\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0a\x00\x0a\x01\x80\x0b\x01\x02\x03"),
	 "{\"bacnet\":{\"bvlc\":\"Original-Unicast-NPDU\",\"network_message\":\"Security-Payload\","
	 "\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x0c\x00\x08\x01\x02\x03\x04"),
	 "{\"bacnet\":{\"bvlc\":\"Secure-BVLL\",\"control\":true}}\n"},
	{TALK_PIECE(0, "\x81\x05\x00\x06\x00<"),
	 "{\"bacnet\":{\"bvlc\":\"Register-Foreign-Device\",\"control\":true}}\n"},
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

/* What a service is about, wherever it says so (§13, §14, §15); what says it of no object, of them all. */
static void services_name_their_objects(void **state)
{
	static const struct {
		uint8_t pdu, choice;
		struct bytes params;
		const char *said;
	} cases[] = {
#define P(text) {(const uint8_t *)text, sizeof(text) - 1}
		{0, 0, P("\x09\1\x1c\0\x80\0\1"), "\"object_type\":\"analog-value\""},
		{0, 5, P("\x09\1\x1c\0\x80\0\1"), "\"object_type\":\"analog-value\""},
		{0, 7, P("\xc4\2\x80\0\1"), "\"object_type\":\"file\""},
		{0, 11, P("\xc4\0\x80\0\1"), "\"object_type\":\"analog-value\""},
		{0, 10, P("\x0e\x09\2\x0f"), "\"object_type\":\"analog-value\""},
		{0, 10, P("\x0e\x1c\0\x80\0\1\x0f"), "\"object_type\":\"analog-value\""},
		{0, 27, P("\x09\1\x1c\5\x40\0\1\x29\4\x3c\5\x40\0\1"),
		 "\"object_type\":\"life-safety-point\""},
		{0, 28, P("\x09\1\x1c\0\x80\0\1\x4e\x09\x55\x4f"),
		 "\"object_type\":\"analog-value\",\"property\":\"present-value\""},
		{1, 2,
		 P("\x09\1\x1c\2\0\0\1\x2c\0\x80\0\1\x39\0\x4e\x09\x55\x2e\x44\0\0\0\0\x2f\x4f"),
		 "\"object_type\":\"analog-value\""},
		{1, 3, P("\x09\1\x1c\2\0\0\1\x2c\0\x80\0\1"), "\"object_type\":\"analog-value\""},
#undef P
	};

	struct talk_record *r = malloc(sizeof(*r));

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t b[64] = {0x81, 0x0a, 0, 0, 1, 4};
		size_t at = 6;
		struct talk_piece piece = {0, b, 0};

		b[at++] = (uint8_t)(cases[i].pdu << 4);
		if (!cases[i].pdu) {
			b[at++] = 5;
			b[at++] = 1;
		}
		b[at++] = cases[i].choice;
		memcpy(b + at, cases[i].params.data, cases[i].params.len);
		piece.len = at + cases[i].params.len;
		b[3] = (uint8_t)piece.len;
		talk_seed("bacnet", true, &piece, 1);
		talk_play(r, "bacnet", true, &piece, 1, 0);
		assert_non_null(strstr(r->said, cases[i].said));
		assert_null(strstr(r->said, "reason"));
	}
	free(r);
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

/* What a conversation names, in its order; "?" for what is like no pattern, "!" for a reason. */
struct named {
	char types[512], properties[512];
	unsigned reasons, duplicates, gaps;
};

static void append(char *to, struct bytes v)
{
	size_t n = strlen(to);

	snprintf(to + n, 512 - n, "%.*s,", v.len ? (int)v.len : 1,
		 v.len ? (const char *)v.data : "?");
}

static void note_names(void *arg, const struct talk *t, const struct proto_input *in,
		       const struct msg *msg)
{
	const struct bacnet *m = (const struct bacnet *)msg;
	struct named *n = arg;
	char buf[PROTO_VALUE_MAX];
	struct bytes v;

	n->reasons += msg->reason == REASON_BACNET_SEGMENTS;
	n->duplicates += m->duplicate;
	n->gaps += m->gap;
	for (size_t at = 0;
	     (v = proto_next(proto_field(t->proto, "object_type"), msg, &at, buf)).data;)
		append(n->types, v);
	for (size_t at = 0;
	     (v = proto_next(proto_field(t->proto, "property"), msg, &at, buf)).data;)
		append(n->properties, v);
}

static void say(struct talk *t, struct named *n, unsigned end, const uint8_t *datagram, size_t len,
		uint64_t time_ns)
{
	struct proto_input in = {.data = unit_exact(datagram, len),
				 .datagram = true,
				 .end = (uint8_t)end,
				 .time_ns = time_ns};
	size_t used;

	assert_int_equal(talk_read(t, &in, note_names, n, &used), PARSE_OK);
	free((void *)in.data.data);
}

/* Segment `number` of invocation 5, whose service's parameters are `part`. */
static void say_segment(struct talk *t, struct named *n, bool answer, uint8_t choice,
			uint8_t number, bool more, const uint8_t *part, size_t len)
{
	uint8_t d[600] = {0x81, 0x0a, 0, 0, 1, 4};
	size_t at = 6;

	d[at++] = (uint8_t)((answer ? 0x38 : 0x08) | (more ? 4 : 0));
	if (!answer)
		d[at++] = 0x75;
	d[at++] = 5;
	d[at++] = number;
	d[at++] = 16;
	d[at++] = choice;
	memcpy(d + at, part, len);
	at += len;
	d[2] = (uint8_t)(at >> 8);
	d[3] = (uint8_t)at;
	say(t, n, answer, d, at, 1000);
}

static void expect_cut(const uint8_t *whole, size_t len, bool answer, unsigned choice, size_t head)
{
	struct named want = {""};
	struct talk *t = talk_new(&bacnet_proto);

	say(t, &want, answer, whole, len, 1000);
	free(t);
	for (size_t size = 1; size < len - head; size++) {
		struct named got = {""};
		uint8_t number = 0;

		t = talk_new(&bacnet_proto);
		for (size_t at = head; at < len; at += size, number++) {
			size_t n = len - at < size ? len - at : size;

			say_segment(t, &got, answer, (uint8_t)choice, number, at + n < len,
				    whole + at, n);
			/* Every other one is said again. */
			if (number & 1) {
				struct named again = {""};

				say_segment(t, &again, answer, (uint8_t)choice, number,
					    at + n < len, whole + at, n);
				assert_int_equal(again.duplicates, 1);
				assert_int_equal(again.reasons, 0);
			}
		}
		free(t);
		assert_string_equal(got.types, want.types);
		assert_string_equal(got.properties, want.properties);
		assert_int_equal(got.reasons, 0);
	}
}

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* §5.4: cut anywhere, every object and property is told as of the whole. */
static void segments_hide_nothing(void **state)
{
	uint8_t big[500] =
		"\x81\x0a\x01\xf4\x01\x04\x02\x75\x06\x10\x0c\x00\x40\x00\x01\x1e\x09\x55\x2e"
		"\x75\xfe\x01\xc0\x00";
	static const char tail[] = "\x2f\x1f\x0c\x01\x00\x00\x02\x1e\x0a\x03\xe8\x2e\x2f\x1f";

	expect_cut(BYTES(SEVERAL), false, 14, 10);
	expect_cut(BYTES(ANSWERED), true, 14, 9);
	expect_cut(BYTES(WRITTEN), false, 16, 10);
	/* A long text among them, which goes over many. */
	memcpy(big + 23 + 448, tail, sizeof(tail) - 1);
	big[3] = (uint8_t)(23 + 448 + sizeof(tail) - 1);
	big[2] = (uint8_t)((23 + 448 + sizeof(tail) - 1) >> 8);
	expect_cut(big, 23 + 448 + sizeof(tail) - 1, false, 16, 10);
}

static const uint8_t *const written = (const uint8_t *)WRITTEN + 10;
#define WRITTEN_LEN (sizeof(WRITTEN) - 11)

static void segments_out_of_order_name_nothing(void **state)
{
	struct talk *t = talk_new(&bacnet_proto);
	struct named n = {""};

	/* Never begun, then ahead of what is awaited; what was missed comes later. */
	say_segment(t, &n, false, 16, 1, true, written + 10, 10);
	assert_string_equal(n.types, "?,");
	assert_string_equal(n.properties, "?,");
	assert_int_equal(n.gaps, 1);
	n = (struct named){""};
	say_segment(t, &n, false, 16, 0, true, written, 10);
	say_segment(t, &n, false, 16, 2, false, written + 20, WRITTEN_LEN - 20);
	assert_string_equal(n.types, "analog-output,?,");
	assert_int_equal(n.gaps, 1);
	n = (struct named){""};
	say_segment(t, &n, false, 16, 1, true, written + 10, 10);
	say_segment(t, &n, false, 16, 2, false, written + 20, WRITTEN_LEN - 20);
	assert_string_equal(n.types, "binary-output,");
	assert_int_equal(n.gaps + n.reasons, 0);
	/* The number of a service that is done begins another. */
	n = (struct named){""};
	say_segment(t, &n, false, 16, 0, true, written, 10);
	assert_int_equal(n.duplicates + n.reasons, 0);
	free(t);
}

static void segments_that_do_not_fit_are_told(void **state)
{
	struct talk *t = talk_new(&bacnet_proto);
	struct named n = {""};

	/* A second copy behind which the next one would mean something else. */
	say_segment(t, &n, false, 16, 0, true, written, 10);
	say_segment(t, &n, false, 16, 1, true, written + 10, 10);
	assert_int_equal(n.reasons, 0);
	say_segment(t, &n, false, 16, 1, true, written + 10, 9);
	assert_int_equal(n.reasons, 1);
	say_segment(t, &n, false, 16, 0, true, written, 9);
	assert_int_equal(n.reasons, 2);
	/* Another service than it began with, and an end within a pair of tags. */
	say_segment(t, &n, false, 14, 2, true, written + 20, 5);
	assert_int_equal(n.reasons, 3);
	say_segment(t, &n, false, 16, 2, false, written + 20, 5);
	assert_int_equal(n.reasons, 4);
	/* What is no tag. */
	free(t);
	t = talk_new(&bacnet_proto);
	say_segment(t, &n, false, 16, 0, true, (const uint8_t *)"\x0c\0\x40\0\1\x1e\x26", 7);
	assert_int_equal(n.reasons, 5);
	free(t);
	/* A property that is left to a later segment is like no pattern. */
	t = talk_new(&bacnet_proto);
	n = (struct named){""};
	say_segment(t, &n, false, 15, 0, true, (const uint8_t *)"\x0c\0\x40\0\1", 5);
	assert_string_equal(n.types, "analog-output,");
	assert_string_equal(n.properties, "?,");
	free(t);
}

/* A window said again after 16 others, and a number that was given up. */
static void what_is_kept_of_segments_is_bounded(void **state)
{
	struct talk *t = talk_new(&bacnet_proto);
	struct named n = {""};
	uint8_t d[] = {0x81, 0x0a, 0, 17, 1, 4, 0x0c, 0x75, 5, 0, 16, 16, 0x0c, 0, 0x40, 0, 1};

	say_segment(t, &n, false, 16, 0, true, (const uint8_t *)"\x0c\0\x40\0\1\x1e\x09\x55\x2e",
		    9);
	for (unsigned i = 1; i < 300; i++)
		say_segment(t, &n, false, 16, (uint8_t)i, true, (const uint8_t *)"\x75\2\0a", 4);
	assert_string_equal(n.types, "analog-output,");
	assert_int_equal(n.reasons + n.gaps + n.duplicates, 0);
	say_segment(t, &n, false, 16, (uint8_t)(300 - 16), true, (const uint8_t *)"\x75\2\0a", 4);
	assert_string_equal(n.types, "analog-output,");
	say_segment(t, &n, false, 16, (uint8_t)(300 - 17), true, (const uint8_t *)"\x75\2\0a", 4);
	assert_string_equal(n.types, "analog-output,?,");
	assert_int_equal(n.duplicates, 2);
	n = (struct named){""};
	say(t, &n, 0, d, sizeof(d), 11000000000ull);
	assert_string_equal(n.types, "analog-output,");
	assert_int_equal(n.duplicates, 0);
	free(t);
}

/* §21; as Wireshark has them. What has no name is told by its number. */
static void numbers_have_names(void **state)
{
	assert_string_equal(bacnet_property_name(0), "acked-transitions");
	assert_string_equal(bacnet_property_name(108), "setpoint");
	assert_string_equal(bacnet_property_name(123), "weekly-schedule");
	assert_string_equal(bacnet_property_name(174), "schedule-default");
	assert_null(bacnet_property_name(175));
	assert_string_equal(bacnet_object_name(31), "timer");
	assert_string_equal(bacnet_object_name(56), "network-port");
	assert_string_equal(bacnet_object_name(64), "color-temperature");
	assert_null(bacnet_object_name(65));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_told),
		cmocka_unit_test(numbers_have_names),
		cmocka_unit_test(all_of_several_are_told),
		cmocka_unit_test(segments_hide_nothing),
		cmocka_unit_test(segments_out_of_order_name_nothing),
		cmocka_unit_test(segments_that_do_not_fit_are_told),
		cmocka_unit_test(what_is_kept_of_segments_is_bounded),
		cmocka_unit_test(services_name_their_objects),
		cmocka_unit_test(lies_are_malformed),
		cmocka_unit_test(the_link_layer_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
