#include "talk.h"

#include "guard/proto/mqtt.h"

#define EXPECT(pieces, expected) \
	talk_expect("mqtt", false, pieces, sizeof(pieces) / sizeof((pieces)[0]), expected)

/* A client of 3.1.1 and a v5 one, named `a`, and what the broker says to them. */
#define CONNECT	 "\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a"
#define CONNACK	 "\x20\2\0\0"
#define CONNECT5 "\x10\x0e\0\4MQTT\5\2\0\x3c\0\0\1a"
/* With aliases from the broker, too. */
#define CONNECT5A "\x10\x11\0\4MQTT\5\2\0\x3c\3\x22\0\2\0\1a"
#define CONNACK5  "\x20\6\0\0\3\x22\0\x0a"

#define SAID_CONNECT(version)                                                                    \
	"{\"mqtt\":{\"connect\":{\"qos\":0,\"retain\":false,\"dup\":false,"                      \
	"\"protocol_string\":\"MQTT\",\"protocol_version\":" version ",\"client_id\":\"a\","     \
	"\"flags\":{\"username\":false,\"password\":false,\"will_retain\":false,\"will\":false," \
	"\"clean_session\":true},\"keep_alive\":60"
#define SAID_CONNACK                                                        \
	"{\"mqtt\":{\"connack\":{\"qos\":0,\"retain\":false,\"dup\":false," \
	"\"session_present\":false,\"return_code\":0"
#define HEADER1 "{\"qos\":1,\"retain\":false,\"dup\":false"
#define HEADER	"{\"qos\":0,\"retain\":false,\"dup\":false"

/* Whoever tries a login may know no better; a broker that lets it in has it. */
static void a_default_login_is_told_if_taken(void **state)
{
	static const char connect[] = "\x10\x1a\0\4MQTT\4\xc2\0\x3c\0\0\0\5admin\0\5admin";
	static const struct {
		const char *connack;
		unsigned told;
	} cases[] = {{"\x20\2\0\0", 2}, {"\x20\2\0\5", 1}};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < 2; i++) {
		struct talk_piece pieces[] = {{0, connect, sizeof(connect) - 1},
					      {1, cases[i].connack, 4}};
		unsigned told = 0;

		talk_seed("mqtt", false, pieces, 2);
		talk_play(r, "mqtt", false, pieces, 2, 0);
		for (const char *at = r->said; (at = strstr(at, "\"default_login\":true")); at++)
			told++;
		assert_int_equal(told, cases[i].told);
		assert_null(strstr(r->said, "reason\":\"mqtt"));
	}
	free(r);
}

static void a_session_is_told(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, CONNECT),
		TALK_PIECE(1, CONNACK),
		TALK_PIECE(0, "\x82\x08\0\1\0\3x/+\1\xa2\x07\0\2\0\3x/+"),
		TALK_PIECE(1, "\x90\3\0\1\1\xb0\2\0\2"),
		TALK_PIECE(0, "\x32\x0d\0\5b/tmp\0\7"
			      "36.6"),
		TALK_PIECE(1, "\x40\2\0\7"),
		TALK_PIECE(0, "\xc0\0"),
		TALK_PIECE(1, "\xd0\0"),
		TALK_PIECE(1, "\x35\x07\0\1t\0\x09zz\x62\2\0\x09"),
		TALK_PIECE(0, "\x50\2\0\x09\x70\2\0\x09\xe0\0"),
	};

	EXPECT(pieces,
	       SAID_CONNECT("4") "}}}\n" SAID_CONNACK "}}}\n"
				 "{\"mqtt\":{\"subscribe\":" HEADER1
				 ",\"message_id\":1,\"topics\":["
				 "{\"topic\":\"x/+\",\"qos\":1}]}}}\n"
				 "{\"mqtt\":{\"unsubscribe\":" HEADER1
				 ",\"message_id\":2,\"topics\":[\"x/+\"]}}}\n"
				 "{\"mqtt\":{\"suback\":" HEADER
				 ",\"message_id\":1,\"qos_granted\":[1]}}}\n"
				 "{\"mqtt\":{\"unsuback\":" HEADER ",\"message_id\":2}}}\n"
				 "{\"mqtt\":{\"publish\":{\"qos\":1,\"retain\":false,\"dup\":false,"
				 "\"topic\":\"b/tmp\",\"message_id\":7,\"message_length\":4}}}\n"
				 "{\"mqtt\":{\"puback\":" HEADER ",\"message_id\":7}}}\n"
				 "{\"mqtt\":{\"pingreq\":" HEADER
				 "}}}\n{\"mqtt\":{\"pingresp\":" HEADER "}}}\n"
				 "{\"mqtt\":{\"publish\":{\"qos\":2,\"retain\":true,\"dup\":false,"
				 "\"topic\":\"t\","
				 "\"message_id\":9,\"message_length\":2}}}\n"
				 "{\"mqtt\":{\"pubrel\":{\"qos\":1,\"retain\":false,\"dup\":false,"
				 "\"message_id\":9}}}\n"
				 "{\"mqtt\":{\"pubrec\":" HEADER ",\"message_id\":9}}}\n"
				 "{\"mqtt\":{\"pubcomp\":" HEADER ",\"message_id\":9}}}\n"
				 "{\"mqtt\":{\"disconnect\":" HEADER "}}}\n");
}

/* A password, a will's text, authentication data and user properties are not told. */
static void secrets_are_facts(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, "\x10\x4f\0\4MQTT\5\xee\0\x0a"
			      "\x13\x15\0\1m\x16\0\3key\x26\0\1n\0\3val"
			      "\0\1a"
			      "\5\x18\0\0\0\5\0\5p/set\0\6secret"
			      "\0\4ward\0\6passwd"),
	};
	struct talk_piece fixed = pieces[0];
	char copy[128];

	memcpy(copy, fixed.data, fixed.len);
	copy[1] = (char)(fixed.len - 2);
	fixed.data = copy;
	talk_expect(
		"mqtt", false, &fixed, 1,
		"{\"mqtt\":{\"connect\":" HEADER ",\"protocol_string\":\"MQTT\","
		"\"protocol_version\":5,\"client_id\":\"a\",\"flags\":{\"username\":true,"
		"\"password\":true,\"will_retain\":true,\"will\":true,\"clean_session\":true},"
		"\"keep_alive\":10,\"username\":\"ward\",\"will\":{\"topic\":\"p/set\",\"qos\":1,"
		"\"message_length\":6,\"properties\":{\"will_delay_interval\":5}},"
		"\"properties\":{\"authentication_method\":\"m\",\"authentication_data\":true,"
		"\"user_property\":true}},\"control\":true}}\n");
}

static void aliases_are_resolved(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, CONNECT5A),
		TALK_PIECE(1, CONNACK5),
		TALK_PIECE(0, "\x30\x0b\0\5p/cmd\3\x23\0\1"),
		TALK_PIECE(0, "\x30\x07\0\0\3\x23\0\1x"),
		TALK_PIECE(1, "\x30\x06\0\0\3\x23\0\1"),
		TALK_PIECE(1, "\x30\x09\0\3q/x\3\x23\0\1"), /* each end has its own */
		TALK_PIECE(0, "\x30\x06\0\0\3\x23\0\1"),
		TALK_PIECE(1, "\x30\x06\0\0\3\x23\0\1"),
	};

	EXPECT(pieces,
	       SAID_CONNECT("5") ",\"properties\":{\"topic_alias_maximum\":2}}}}\n" SAID_CONNACK
				 ",\"properties\":{\"topic_alias_maximum\":10}}}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"p/cmd\",\"message_length\":0,"
				 "\"properties\":{\"topic_alias\":1}},\"control\":true}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"p/cmd\",\"message_length\":1,"
				 "\"properties\":{\"topic_alias\":1}},\"control\":true}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"\",\"message_length\":0,"
				 "\"properties\":{\"topic_alias\":1}},\"control\":true}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"q/x\",\"message_length\":0,"
				 "\"properties\":{\"topic_alias\":1}}}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"p/cmd\",\"message_length\":0,"
				 "\"properties\":{\"topic_alias\":1}},\"control\":true}}\n"
				 "{\"mqtt\":{\"publish\":" HEADER
				 ",\"topic\":\"q/x\",\"message_length\":0,"
				 "\"properties\":{\"topic_alias\":1}}}}\n");
}

/* Ten topics of the length that a hospital's have, and the last in force where one is named anew. */
static void as_many_aliases_as_brokers_allow(void **state)
{
	static const char topic[] =
		"clinic/building-a/floor-3/ward-07/bed-%02u/monitor/temperature/c";
	struct talk_record *r = malloc(sizeof(*r));
	char text[80], expected[120], packet[100];
	int len;

	talk_begin(r, "mqtt", false);
	talk_feed(r, 0, CONNECT5, sizeof(CONNECT5) - 1);
	talk_feed(r, 1, CONNACK5, sizeof(CONNACK5) - 1);
	for (unsigned i = 0; i < 20; i++) {
		len = snprintf(text, sizeof(text), topic, i % 10 + (i >= 10));
		memcpy(packet, "\x30\x00\0\0", 4);
		packet[1] = (char)(len + 6);
		packet[3] = (char)len;
		memcpy(packet + 4, text, (size_t)len);
		memcpy(packet + 4 + len, "\3\x23\0", 3);
		packet[7 + len] = (char)(i % 10 + 1);
		talk_feed(r, 0, packet, (size_t)len + 8);
	}
	for (unsigned i = 0; i < 10; i++) {
		memcpy(packet, "\x30\6\0\0\3\x23\0", 7);
		packet[7] = (char)(i + 1);
		r->said[0] = 0;
		talk_feed(r, 0, packet, 8);
		snprintf(text, sizeof(text), topic, i + 1);
		snprintf(expected, sizeof(expected), "\"topic\":\"%s\"", text);
		assert_non_null(strstr(r->said, expected));
		assert_null(strstr(r->said, "control"));
	}
	talk_finish(r);
	free(r);
}

static void topics_command(void **state)
{
	static const char *const yes[] = {"pump/3/set",
					  "cmnd/x/POWER",
					  "a/Command",
					  "CMD",
					  "spBv1.0/g/NCMD/n",
					  "$iothub/methods/POST/reboot/?$rid=1",
					  "$aws/things/pump-3/shadow/update/delta",
					  "ward/pump-3/set_rate",
					  "pump/ctrl",
					  "v3/app@clinic/devices/pump-3/down/push"};
	static const char *const no[] = {"pump/3/settings", "offset",	  "",	       "/",
					 "commander/x",	    "method",	  "icu/delta", "setter/x",
					 "pump/3/set-up",   "down/pushed"};

	for (unsigned i = 0; i < 10; i++) {
		struct bytes y = unit_exact(yes[i], strlen(yes[i]));
		struct bytes n = unit_exact(no[i], strlen(no[i]));

		assert_true(mqtt_topic_commands(y));
		assert_false(mqtt_topic_commands(n));
		free((void *)y.data);
		free((void *)n.data);
	}
}

/* Whoever answers does to that topic what was asked of him. */
static void what_is_answered_to_a_command_topic_is_control(void **state)
{
	static const struct {
		const char *publish;
		size_t len;
		bool control;
	} cases[] = {
		{"\x30\x0d\0\1a\x08\x08\0\5b/cmd1", 15, true},
		{"\x30\x0d\0\1a\x08\x08\0\5b/cmx1", 15, false},
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < 2; i++) {
		struct talk_piece pieces[] = {TALK_PIECE(0, CONNECT5),
					      TALK_PIECE(1, CONNACK5),
					      {0, cases[i].publish, cases[i].len}};

		talk_seed("mqtt", false, pieces, 3);
		talk_play(r, "mqtt", false, pieces, 3, 0);
		assert_int_equal(!!strstr(r->said, "\"control\":true"), cases[i].control);
		assert_non_null(strstr(r->said, "\"response_topic\":\"b/cm"));
		assert_null(strstr(r->said, "\"reason\""));
	}
	free(r);
}

/* What the last thing said gives as its reason, behind a greeting; "" where there is none. */
static const char *reason_of(const char *greeting, size_t greeting_len, unsigned end,
			     const void *data, size_t len)
{
	struct talk_piece pieces[] = {
		{0, greeting, greeting_len},
		{1, greeting_len == sizeof(CONNECT) - 1 ? CONNACK : CONNACK5,
		 greeting_len ? greeting_len == sizeof(CONNECT) - 1 ? 4u : 8u : 0u},
		{end, data, len},
	};
	struct talk_record *r = malloc(sizeof(*r));
	static char found[64];
	char *at;

	talk_seed("mqtt", false, pieces, 3);
	*found = 0;
	for (size_t cut = 0; cut < 2; cut++) {
		talk_play(r, "mqtt", false, pieces, 3, cut);
		at = strstr(r->said, "\"reason\":\"");
		if (at)
			snprintf(found, sizeof(found), "%.*s", (int)strcspn(at + 10, "\""),
				 at + 10);
		assert_int_equal(r->last, at ? PARSE_BAD : PARSE_OK);
	}
	free(r);
	return found;
}

#define AFTER(greeting, end, literal) \
	reason_of(greeting, sizeof(greeting) - 1, end, literal, sizeof(literal) - 1)

static void violations_are_named(void **state)
{
	assert_string_equal(AFTER("", 0, "\x30\x03\0\1t"), "mqtt.out_of_turn");
	assert_string_equal(AFTER("", 1, CONNECT), "mqtt.out_of_turn");
	assert_string_equal(AFTER(CONNECT, 0, CONNECT), "mqtt.out_of_turn");
	assert_string_equal(AFTER(CONNECT, 1, "\x82\x08\0\1\0\3x/+\1"), "mqtt.out_of_turn");
	assert_string_equal(AFTER(CONNECT, 0, "\x90\3\0\1\1"), "mqtt.out_of_turn");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\xff\xff\xff\xff\x01"), "mqtt.length");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x83\0\0\1t"), "mqtt.length");
	assert_string_equal(AFTER(CONNECT, 0, "\xc0\x80\0"), "mqtt.length");
	assert_string_equal(AFTER(CONNECT, 0, "\x82\xff\xff\x7f"), "mqtt.too_long");
	assert_string_equal(AFTER(CONNECT, 0, "\x00\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\xf0\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x36\x05\0\1t\0\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x32\x05\0\1t\0\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x03\0\1#"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x03\0\2t"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x02\0\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x04\0\2\xc0\x80"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x04\0\2a\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x82\x02\0\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x82\x07\0\1\0\2a#\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x82\x08\0\1\0\3#/a\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x82\x06\0\1\0\1a\3"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x80\x06\0\1\0\1a\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\xc0\1\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x05\0\1t\x05\x23"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x07\0\1t\3\x24\0\1"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x0a\0\1t\6\x23\0\1\x23\0\2"),
			    "mqtt.malformed");
	assert_string_equal(AFTER("", 0, "\x10\x0d\0\4MQTT\4\3\0\x3c\0\1a"), "mqtt.malformed");
	assert_string_equal(AFTER("", 0, "\x10\x0d\0\4MQTT\6\2\0\x3c\0\1a"), "mqtt.malformed");
	assert_string_equal(AFTER("", 0, "\x10\x0d\0\4MQTT\4\x1a\0\x3c\0\1a"), "mqtt.malformed");
	/* MQTT 3.1 lets a user and a password be announced and missing; later versions do not. */
	assert_string_equal(AFTER("", 0, "\x10\x0f\0\6MQIsdp\3\xc2\0\x3c\0\1a"), "");
	assert_string_equal(AFTER("", 0, "\x10\x12\0\6MQIsdp\3\xc2\0\x3c\0\1a\0\1u"), "");
	assert_string_equal(AFTER("", 0, "\x10\x10\0\6MQIsdp\3\x82\0\x3c\0\1a\0"),
			    "mqtt.malformed");
	assert_string_equal(AFTER("", 0, "\x10\x0d\0\4MQTT\4\xc2\0\x3c\0\1a"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT, 0, "\x30\x04\0\1t\0"), "");
	assert_string_equal(AFTER(CONNECT5, 1, "\xe0\2\x8b\0"), "");
}

/* v5 §3.3.2.3.4, §4.8.2 and those of §3 that make a value a protocol error. */
static void what_was_never_agreed_is_named(void **state)
{
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x07\0\1t\3\x23\0\0"), "mqtt.topic_alias");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x06\0\0\3\x23\0\0"), "mqtt.topic_alias");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x07\0\1t\3\x23\0\x0b"), "mqtt.topic_alias");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x07\0\1t\3\x23\0\x0a"), "");
	assert_string_equal(AFTER(CONNECT5, 1, "\x30\x07\0\1t\3\x23\0\1"), "mqtt.topic_alias");
	assert_string_equal(AFTER(CONNECT5A, 1, "\x30\x07\0\1t\3\x23\0\2"), "");
	assert_string_equal(AFTER(CONNECT5A, 1, "\x30\x07\0\1t\3\x23\0\3"), "mqtt.topic_alias");
	/* Retain handling 3, a shared subscription without one's own, or without a name. */
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x07\0\1\0\0\1a\x30"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x07\0\1\0\0\1a\x20"), "");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x10\0\1\0\0\x0a$share/g/a\0"), "");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x10\0\1\0\0\x0a$share/g/a\4"),
			    "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x0f\0\1\0\0\x09$share//a\0"),
			    "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x0e\0\1\0\0\x08$share/g\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x10\0\1\0\0\x0a$share/+/a\0"),
			    "mqtt.malformed");
	/* A subscription's number 0, an answer wanted at a pattern. */
	assert_string_equal(AFTER(CONNECT5, 0, "\x82\x09\0\1\2\x0b\0\0\1a\0"), "mqtt.malformed");
	assert_string_equal(AFTER(CONNECT5, 0, "\x30\x09\0\1t\5\x08\0\2a#"), "mqtt.malformed");
	assert_string_equal(AFTER("", 0, "\x10\x11\0\4MQTT\5\2\0\x3c\3\x21\0\0\0\1a"),
			    "mqtt.malformed");
}

/* A payload of 256 MB costs nothing, and what follows it is read. */
static void payloads_are_passed_over(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t block[4096];

	memset(block, 0xc0, sizeof(block));
	talk_begin(r, "mqtt", false);
	talk_feed(r, 0, CONNECT, sizeof(CONNECT) - 1);
	talk_feed(r, 0, "\x30\xff\xff\xff\x7f\0\1t", 8);
	for (uint64_t left = 268435455 - 3; left;) {
		size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

		if (left > 1000000)
			talk_gap(r->talk, 0, n);
		else
			talk_feed(r, 0, block, n);
		left -= n;
	}
	talk_feed(r, 0, "\xe0\0", 2);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "\"message_length\":268435452"));
	assert_non_null(strstr(r->said, "disconnect"));
	talk_finish(r);
	free(r);
}

/* Picked up in its middle, a conversation is read as either version. */
static void a_middle_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "mqtt", false);
	r->in.midstream = true;
	talk_feed(r, 1, "\x82\x09\0\1\0\0\3x/+\1", 11);
	talk_feed(r, 0, "\x90\4\0\1\0\1", 6);
	talk_feed(r, 1,
		  "\x30\x07\0\1t\0"
		  "abc",
		  9);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "\"qos_granted\":[1],\"properties\":{}"));
	assert_non_null(strstr(r->said, "\"message_length\":3"));
	talk_feed(r, 0, "\x82\x09\0\1\0\0\3x/+\1", 11);
	assert_int_equal(r->last, PARSE_BAD);
	talk_finish(r);
	free(r);
}

/* An alias that was said before stands for a topic that nobody heard: anything. */
static void an_alias_in_a_middle_is_no_mistake(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	talk_begin(r, "mqtt", false);
	r->in.midstream = true;
	talk_feed(r, 1, "\x30\x09\0\0\3\x23\0\1abc", 11);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "\"message_length\":3"));
	assert_non_null(strstr(r->said, "\"control\":true"));
	talk_finish(r);
	free(r);
}

static enum parse probe(const char *data, size_t len, uint16_t port)
{
	struct bytes b = unit_exact(data, len);
	struct proto_input in = {.data = b, .port = {40000, port}};
	enum parse got = mqtt_proto.probe(&in);

	free((void *)b.data);
	return got;
}

static void connects_are_known(void **state)
{
	struct proto_input in = {.port = {1883, 21}, .end = 1};

	for (size_t n = 0; n < 8; n++)
		assert_int_equal(probe(CONNECT, n, 80), PARSE_MORE);
	assert_int_equal(probe(CONNECT, 8, 80), PARSE_OK);
	assert_int_equal(probe("\x10\x12\0\6MQIsdp\3", 11, 80), PARSE_OK);
	assert_int_equal(probe("\x10\x12\0\5MQTTX", 9, 80), PARSE_BAD);
	assert_int_equal(probe("\x30\x03\0\1t", 5, 80), PARSE_BAD);
	assert_int_equal(probe("\x30\x03\0\1t", 5, 1883), PARSE_OK);
	/* "220 FTP": a client's port is any. */
	in.data = unit_exact("220 FTP", 7);
	assert_int_equal(mqtt_proto.probe(&in), PARSE_BAD);
	in.midstream = true;
	assert_int_equal(mqtt_proto.probe(&in), PARSE_OK);
	in.port[0] = 40000;
	assert_int_equal(mqtt_proto.probe(&in), PARSE_BAD);
	in.expected = true;
	assert_int_equal(mqtt_proto.probe(&in), PARSE_OK);
	free((void *)in.data.data);
	assert_int_equal(probe("GET / HTTP/1.1", 14, 1883), PARSE_BAD);
	assert_int_equal(probe("\x16\3\1\0\x20", 5, 1883), PARSE_BAD);
}

static void policies_see_every_filter(void **state)
{
	static const char list[] = "\0\1a\0\0\x0f$share/ward/x/+\1";
	struct mqtt m = {.type = MQTT_SUBSCRIBE, .list = {(const uint8_t *)list, sizeof(list) - 1}};
	const struct proto_field *f = proto_field(&mqtt_proto, "subscribe.topics");
	char buf[PROTO_VALUE_MAX];
	struct bytes v;
	size_t at = 0;

	v = proto_next(f, &m.msg, &at, buf);
	assert_int_equal(v.len, 1);
	v = proto_next(f, &m.msg, &at, buf);
	assert_int_equal(v.len, 3);
	assert_memory_equal(v.data, "x/+", 3);
	assert_null(proto_next(f, &m.msg, &at, buf).data);
	m.type = MQTT_UNSUBSCRIBE;
	at = 0;
	assert_null(proto_next(f, &m.msg, &at, buf).data);
}

/* However many and however long: an event has room for some. */
static void long_lists_stay_events(void **state)
{
	enum { FILTERS = 60, LEN = 1000 };
	static uint8_t packet[6 + FILTERS * (LEN + 3)];
	struct talk_record *r = malloc(sizeof(*r));
	struct writer w = writer_new(packet, sizeof(packet));
	uint32_t len = 2 + FILTERS * (LEN + 3);
	char *line;

	write_u8(&w, 0x82);
	write_u8(&w, (uint8_t)(len & 0x7f) | 0x80);
	write_u8(&w, (uint8_t)(len >> 7 & 0x7f) | 0x80);
	write_u8(&w, (uint8_t)(len >> 14));
	write_be16(&w, 1);
	for (unsigned i = 0; i < FILTERS; i++) {
		write_be16(&w, LEN);
		for (unsigned k = 0; k < LEN; k++)
			write_u8(&w, 1); /* a control character: six bytes in JSON */
		write_u8(&w, 0);
	}
	talk_begin(r, "mqtt", false);
	talk_feed(r, 0, CONNECT, sizeof(CONNECT) - 1);
	talk_feed(r, 0, packet, w.len);
	assert_int_equal(r->last, PARSE_OK);
	line = strchr(r->said, '\n') + 1;
	assert_non_null(strstr(line, "subscribe"));
	talk_finish(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_told),
		cmocka_unit_test(a_default_login_is_told_if_taken),
		cmocka_unit_test(secrets_are_facts),
		cmocka_unit_test(aliases_are_resolved),
		cmocka_unit_test(as_many_aliases_as_brokers_allow),
		cmocka_unit_test(topics_command),
		cmocka_unit_test(what_is_answered_to_a_command_topic_is_control),
		cmocka_unit_test(violations_are_named),
		cmocka_unit_test(what_was_never_agreed_is_named),
		cmocka_unit_test(payloads_are_passed_over),
		cmocka_unit_test(a_middle_is_read),
		cmocka_unit_test(an_alias_in_a_middle_is_no_mistake),
		cmocka_unit_test(connects_are_known),
		cmocka_unit_test(policies_see_every_filter),
		cmocka_unit_test(long_lists_stay_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
