#include "talk.h"

#include "guard/proto/coap.h"

#define EXPECT(pieces, expected) \
	talk_expect("coap", true, pieces, sizeof(pieces) / sizeof((pieces)[0]), expected)

/* RFC 7252 appendix A, an observed resource of RFC 7641, and what a path escapes. */
static void exchanges_are_told(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "@\x01}4\xbbtemperature"),
		TALK_PIECE(1, "`E}4\xc0\xff"
			      "22.3 C"),
		TALK_PIECE(0, "B\x01}6sT4host0Ua%b/c\x03"
			      "c&dCa=1\x03"
			      "b&2"),
		TALK_PIECE(1, "bE}6sTa\x05"
			      "a2!(\xff{}"),
		TALK_PIECE(1, "RE\x00\x01sTa\x06\xff{}"),
		TALK_PIECE(0, "p\x00\x00\x01"),
		TALK_PIECE(0, "@\x00\x00\x02"),
		TALK_PIECE(1, "p\x00\x00\x02"),
		TALK_PIECE(0, "H\x01\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08"),
		TALK_PIECE(1, "h\x84\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08"),
	};

	EXPECT(pieces,
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.01\",\"code_name\":\"GET\",\"uri_"
	       "path\":\"/temperature\",\"message_id\":32052}}\n"
	       "{\"coap\":{\"type\":\"acknowledgement\",\"code\":\"2.05\",\"code_name\":"
	       "\"Content\",\"content_format\":\"text/"
	       "plain\",\"payload_length\":6,\"message_id\":32052}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.01\",\"code_name\":\"GET\",\"uri_"
	       "host\":\"host\",\"uri_path\":\"/a%25b%2Fc/"
	       "c&d\",\"uri_query\":\"a=1&b%262\",\"message_id\":32054,\"token\":\"7354\","
	       "\"observe\":0}}\n"
	       "{\"coap\":{\"type\":\"acknowledgement\",\"code\":\"2.05\",\"code_name\":"
	       "\"Content\",\"content_format\":\"application/"
	       "json\",\"payload_length\":2,\"message_id\":32054,\"token\":\"7354\",\"observe\":5}}"
	       "\n"
	       "{\"coap\":{\"type\":\"non_confirmable\",\"code\":\"2.05\",\"code_name\":"
	       "\"Content\",\"payload_length\":2,\"message_id\":1,\"token\":\"7354\",\"observe\":6}"
	       "}\n"
	       "{\"coap\":{\"type\":\"reset\",\"code\":\"0.00\",\"code_name\":\"Empty\",\"message_"
	       "id\":1}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.00\",\"code_name\":\"Empty\","
	       "\"message_id\":2}}\n"
	       "{\"coap\":{\"type\":\"reset\",\"code\":\"0.00\",\"code_name\":\"Empty\",\"message_"
	       "id\":2}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.01\",\"code_name\":\"GET\",\"uri_"
	       "path\":\"/\",\"message_id\":3,\"token\":\"0102030405060708\"}}\n"
	       "{\"coap\":{\"type\":\"acknowledgement\",\"code\":\"4.04\",\"code_name\":\"Not "
	       "Found\",\"message_id\":3,\"token\":\"0102030405060708\"}}\n");
}

static void all_but_reading_is_control(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "A\x02\x00\x01"
			      "a\xb4pump\xffx"),
		TALK_PIECE(0, "A\x03\x00\x02"
			      "b\xb4pump\xd1\x03\x1e\xffx"),
		TALK_PIECE(1, "a_\x00\x02"
			      "b\xd1\x0e\x1e"),
		TALK_PIECE(0, "Q\x04\x00\x03"
			      "c\xb4pump"),
		TALK_PIECE(0, "Q\x05\x00\x04"
			      "c\xb4pump\xc1\x06\xffq"),
		TALK_PIECE(0, "Q\x06\x00\x05"
			      "c\xb1p\xffq"),
		TALK_PIECE(0, "Q\x07\x00\x06"
			      "c\xb1p\xffq"),
		TALK_PIECE(0, "A\x02\x00\x07"
			      "d\x93\x09\x14\x01\xda\x0d"
			      "coap://h/x\xff\x01\x02"),
		TALK_PIECE(0, "A\x09\x00\x08"
			      "d"),
	};

	EXPECT(pieces,
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.02\",\"code_name\":\"POST\",\"uri_"
	       "path\":\"/"
	       "pump\",\"payload_length\":1,\"message_id\":1,\"token\":\"61\",\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.03\",\"code_name\":\"PUT\",\"uri_"
	       "path\":\"/"
	       "pump\",\"payload_length\":1,\"message_id\":2,\"token\":\"62\",\"block1\":{"
	       "\"number\":1,\"more\":true,\"size\":1024},\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"acknowledgement\",\"code\":\"2.31\",\"code_name\":"
	       "\"Continue\",\"message_id\":2,\"token\":\"62\",\"block1\":{\"number\":1,\"more\":"
	       "true,\"size\":1024}}}\n"
	       "{\"coap\":{\"type\":\"non_confirmable\",\"code\":\"0.04\",\"code_name\":\"DELETE\","
	       "\"uri_path\":\"/pump\",\"message_id\":3,\"token\":\"63\",\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"non_confirmable\",\"code\":\"0.05\",\"code_name\":\"FETCH\","
	       "\"uri_path\":\"/"
	       "pump\",\"payload_length\":1,\"message_id\":4,\"token\":\"63\",\"block2\":{"
	       "\"number\":0,\"more\":false,\"size\":1024}}}\n"
	       "{\"coap\":{\"type\":\"non_confirmable\",\"code\":\"0.06\",\"code_name\":\"PATCH\","
	       "\"uri_path\":\"/"
	       "p\",\"payload_length\":1,\"message_id\":5,\"token\":\"63\",\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"non_confirmable\",\"code\":\"0.07\",\"code_name\":\"iPATCH\","
	       "\"uri_path\":\"/"
	       "p\",\"payload_length\":1,\"message_id\":6,\"token\":\"63\",\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.02\",\"code_name\":\"POST\",\"uri_"
	       "path\":\"/\",\"proxy_uri\":\"coap://h/"
	       "x\",\"oscore\":true,\"payload_length\":2,\"message_id\":7,\"token\":\"64\","
	       "\"control\":true}}\n"
	       "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.09\",\"code_name\":\"Unknown\","
	       "\"uri_path\":\"/\",\"message_id\":8,\"token\":\"64\",\"control\":true}}\n");
}

/* RFC 8323: what both can first, messages without a number, a ping, a payload longer than is looked at. */
static void streams_are_read(void **state)
{
	static char body[5000] = "\xe1\x00\x00\x03\x07\xb4pump\xd1\x03\x0f\xff";
	struct talk_piece pieces[] = {
		TALK_PIECE(0, "\x50\xe1\x23\x80\x01\x00\x20"),
		TALK_PIECE(1, "\x30\xe1\x22\x10\x00"),
		TALK_PIECE(0, "\x51\x01\x01\xb4pump\x01\xe2\x09"),
		TALK_PIECE(1, "\xd1\x01\x45\x01\xc1\x32\xff{\"on\":true}\x01\xe3\x09"),
		{0, body, 0},
		TALK_PIECE(0, "\x61\x05\x08\xb4pump\xff"),
	};
	size_t len = sizeof(body);

	/* 269 and 4,724 bytes of options and payload, behind five of head. */
	body[1] = (char)((len - 5 - 269) >> 8);
	body[2] = (char)(len - 5 - 269);
	pieces[4].len = len;
	talk_expect(
		"coap", false, pieces, 6,
		"{\"coap\":{\"code\":\"7.01\",\"code_name\":\"CSM\"}}\n"
		"{\"coap\":{\"code\":\"7.01\",\"code_name\":\"CSM\"}}\n"
		"{\"coap\":{\"code\":\"0.01\",\"code_name\":\"GET\",\"uri_path\":\"/pump\","
		"\"token\":\"01\"}}\n"
		"{\"coap\":{\"code\":\"7.02\",\"code_name\":\"Ping\",\"token\":\"09\"}}\n"
		"{\"coap\":{\"code\":\"2.05\",\"code_name\":\"Content\","
		"\"content_format\":\"application/json\",\"payload_length\":11,\"token\":\"01\"}}\n"
		"{\"coap\":{\"code\":\"7.03\",\"code_name\":\"Pong\",\"token\":\"09\"}}\n"
		"{\"coap\":{\"code\":\"0.03\",\"code_name\":\"PUT\",\"uri_path\":\"/pump\","
		"\"payload_length\":4986,\"token\":\"07\","
		"\"block1\":{\"number\":0,\"more\":true,\"size\":1024},\"control\":true}}\n"
		"{\"coap\":{\"code\":\"0.05\",\"code_name\":\"FETCH\",\"uri_path\":\"/pump\","
		"\"token\":\"08\"},\"reason\":\"coap.malformed\"}\n");
}

static void streams_are_known(void **state)
{
	static const struct {
		struct talk_piece said;
		uint16_t port;
		enum parse probe;
	} cases[] = {
		{TALK_PIECE(0, "\x50\xe1\x23\x80\x01\x00\x20"), 7000, PARSE_OK},
		{TALK_PIECE(0, "\x50\xe1\x23\x80\x01"), 7000, PARSE_MORE},
		{TALK_PIECE(0, "\x50"), 7000, PARSE_MORE},
		{TALK_PIECE(0, "\x00\xe1"), 7000, PARSE_BAD},
		{TALK_PIECE(0, "\x00\xe1"), 5683, PARSE_OK},
		{TALK_PIECE(0, "\x50\x01"), 5683, PARSE_BAD},
		{TALK_PIECE(0, "\x5f"), 5683, PARSE_BAD},
		{TALK_PIECE(0, "GET / HTTP/1.1\r\n"), 5683, PARSE_BAD},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].said.data, cases[i].said.len),
					 .port = {40000, cases[i].port}};

		assert_int_equal(coap_proto.probe(&in), cases[i].probe);
		free((void *)in.data.data);
	}
}

/* Picked up in its middle, it is what the rule says if a message is there. */
static void streams_are_picked_up(void **state)
{
	static const struct {
		struct talk_piece said;
		enum parse probe;
	} cases[] = {
		{TALK_PIECE(0, "\x51\x03\x01\xb4temp"), PARSE_OK},
		{TALK_PIECE(1, "\x21\x45\x01\xffx"), PARSE_OK},
		{TALK_PIECE(0, "\x51\x03\x01\xb4te"), PARSE_MORE},
		{TALK_PIECE(0, "junk"), PARSE_BAD},
		{TALK_PIECE(0, "\x51\x63\x01\xb4temp"), PARSE_BAD}, /* there is no class 3 */
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].said.data, cases[i].said.len),
					 .port = {40000, 5683},
					 .end = (uint8_t)cases[i].said.end,
					 .midstream = true};

		assert_int_not_equal(coap_proto.probe(&in), PARSE_OK);
		in.expected = true;
		assert_int_equal(coap_proto.probe(&in), cases[i].probe);
		free((void *)in.data.data);
	}
}

/* RFC 7252 §5.4.3: one of a wrong length that nobody has to understand is passed over: an observe of four. */
static void elective_options_are_passed_over(void **state)
{
	static const struct talk_piece odd = TALK_PIECE(0, "@\x01\x00\x01"
							   "d1234"
							   "\x51p");

	talk_expect("coap", true, &odd, 1,
		    "{\"coap\":{\"type\":\"confirmable\",\"code\":\"0.01\",\"code_name\":\"GET\","
		    "\"uri_path\":\"/p\",\"message_id\":1}}\n");
}

static void lies_are_malformed(void **state)
{
	static const struct talk_piece bad[] = {
		TALK_PIECE(0, "\x80\x01\x00\x01"),  /* version */
		TALK_PIECE(0, "I\x01\x00J3456789"), /* token length */
		TALK_PIECE(0, "O\x01\x00J3456789abcdefgh"),
		TALK_PIECE(0, "M\x01\x00J"), /* its prolongation cut, and what it announces */
		TALK_PIECE(0, "M\x01\x00J\x01"
			      "3456789abcdef"),
		TALK_PIECE(0, "M\x00\x00J\x00"
			      "3456789abcdef"), /* empty, with a token */
		TALK_PIECE(0, "D\x01\x00\x01"
			      "abc"),		    /* token cut */
		TALK_PIECE(0, "@\x00\x00\x01x"),    /* empty with more */
		TALK_PIECE(0, "P\x00\x00\x01"),	    /* empty and no answer */
		TALK_PIECE(0, "pE\x00\x01"),	    /* a reset that says something */
		TALK_PIECE(0, "`\x01\x00\x01"),	    /* an acknowledging request */
		TALK_PIECE(0, "@%\x00\x01"),	    /* reserved class */
		TALK_PIECE(0, "@\xe1\x00\x01"),	    /* signalling */
		TALK_PIECE(0, "@\x01\x00\x01\xff"), /* marker, no payload */
		TALK_PIECE(0, "@\x01\x00\x01\xf1"
			      "a"), /* reserved delta */
		TALK_PIECE(0, "@\x01\x00\x01\xbf"
			      "a"), /* reserved length */
		TALK_PIECE(0, "@\x01\x00\x01\xb5"
			      "ab"),			    /* option cut */
		TALK_PIECE(0, "@\x01\x00\x01\xbd"),	    /* extension cut */
		TALK_PIECE(0, "@\x01\x00\x01\xe0\xff\xff"), /* number beyond 16 bits */
		TALK_PIECE(0, "@\x01\x00\x01"
			      "0"), /* host empty */
		TALK_PIECE(0, "@\x01\x00\x01\x73"
			      "123"),			    /* port of three */
		TALK_PIECE(0, "@\x01\x00\x01\xd1\x0a\x07"), /* block size 8 */
		TALK_PIECE(0, "@\x01\x00"),		    /* cut */
		TALK_PIECE(0, "@\x01\x00\x01\xb1s\x02..\x01"
			      "a"),		     /* a path up */
		TALK_PIECE(0, "@\x01\x00\x01\xb1."), /* a path to itself */
		TALK_PIECE(0, "@\x01\x00\x01\x31"
			      "a\x01"
			      "b"), /* two hosts */
		TALK_PIECE(0, "@\x01\x00\x01\xb1s\xd3\x0b"
			      "c:a"), /* a path, and a proxy asked for another */
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		talk_seed("coap", true, &bad[i], 1);
		talk_play(r, "coap", true, &bad[i], 1, 0);
		if (!strstr(r->said, "\"reason\":\"coap.malformed\""))
			fail_msg("case %u: %s", i, r->said);
	}
	free(r);
}

/* However many pieces a path has, its text is bounded. */
static void long_paths_are_cut(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t ask[4 + 60 * 6] = {0x40, 1, 0, 1};
	size_t at = 4;

	for (unsigned i = 0; i < 60; i++) {
		ask[at++] = i ? 0x05 : 0xb5;
		memcpy(ask + at, "%%/%a", 5);
		at += 5;
	}
	talk_begin(r, "coap", true);
	talk_feed(r, 0, ask, at);
	assert_null(strstr(r->said, "reason"));
	assert_in_range(strlen(strstr(r->said, "uri_path")), COAP_URI - 3, COAP_URI + 30);
	talk_finish(r);
	free(r);
}

static void answers_are_timed(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "coap", true);
	talk_feed(r, 0, "\x41\1\0\1a", 5);
	talk_feed(r, 0, "\x41\1\0\2b", 5);
	r->in.time_ns += 7000000;
	*r->said = 0;
	talk_feed(r, 1, "\x61\x45\0\1a", 5);
	assert_non_null(strstr(r->said, "\"latency_us\":7000"));
	*r->said = 0;
	talk_feed(r, 1, "\x61\x45\0\1a", 5);
	assert_null(strstr(r->said, "latency"));
	talk_finish(r);
	free(r);
}

/* RFC 8974: of tokens that begin alike, the answer is that one's which ends alike; they are told in part. */
static void long_tokens_are_read(void **state)
{
	static const char ends[] = "xyz";
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t text[6 + 270 + 5] = "\x4e\x03\0\1\0\1";

	memset(text + 6, 'T', 270);
	memcpy(text + 6 + 270, "\xb4pump", 5);
	talk_begin(r, "coap", true);
	for (unsigned i = 0; i < 3; i++) {
		text[3] = (uint8_t)i;
		text[6 + 269] = (uint8_t)ends[i];
		r->in.time_ns += 1000000;
		*r->said = 0;
		talk_feed(r, 0, text, sizeof(text));
		assert_non_null(strstr(r->said, "\"uri_path\":\"/pump\""));
		assert_non_null(strstr(
			r->said,
			"\"token\":"
			"\"5454545454545454545454545454545454545454545454545454545454545454\""));
		assert_null(strstr(r->said, "reason"));
	}
	text[0] = 0x6e, text[1] = 0x44;
	text[3] = 0, text[6 + 269] = 'x';
	*r->said = 0;
	r->in.time_ns += 1000000;
	talk_feed(r, 1, text, 6 + 270);
	assert_non_null(strstr(r->said, "\"latency_us\":3000"));
	talk_finish(r);

	/* In a stream the length of what follows comes before it. */
	talk_begin(r, "coap", false);
	talk_feed(r, 0, "\x00\xe1", 2);
	talk_feed(r, 0, "\x5d\x03\x00tokenoflength\xb4pump", 3 + 13 + 5);
	assert_non_null(
		strstr(r->said, "\"uri_path\":\"/pump\",\"token\":\"746f6b656e6f666c656e677468\""));
	assert_null(strstr(r->said, "reason"));
	talk_finish(r);
	free(r);
}

static enum parse probe(const char *data, size_t len, uint16_t port)
{
	struct proto_input in = {
		.data = unit_exact(data, len), .port = {40000, port}, .datagram = true};
	enum parse got = coap_proto.probe(&in);

	free((void *)in.data.data);
	return got;
}

static void requests_are_known(void **state)
{
	assert_int_equal(probe("\x40\1\x7d\x34\xb1t", 6, 9999), PARSE_OK);
	assert_int_equal(probe("\x40\1\x7d\x34", 4, 9999), PARSE_BAD);
	assert_int_equal(probe("\x40\1\x7d\x34", 4, 5683), PARSE_OK);
	assert_int_equal(probe("\x40\1\x7d", 3, 5683), PARSE_BAD);
	assert_int_equal(probe("\x16\xfe\xfd\0\0", 5, 5683), PARSE_BAD);
	assert_int_equal(probe("REGISTER sip:a SIP/2.0", 22, 5060), PARSE_BAD);
	assert_int_equal(probe("OPTIONS sip:a SIP/2.0", 21, 5060), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges_are_told),
		cmocka_unit_test(all_but_reading_is_control),
		cmocka_unit_test(streams_are_read),
		cmocka_unit_test(streams_are_known),
		cmocka_unit_test(streams_are_picked_up),
		cmocka_unit_test(elective_options_are_passed_over),
		cmocka_unit_test(lies_are_malformed),
		cmocka_unit_test(long_paths_are_cut),
		cmocka_unit_test(answers_are_timed),
		cmocka_unit_test(long_tokens_are_read),
		cmocka_unit_test(requests_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
