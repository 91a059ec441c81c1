/*
 * MQTT over WebSocket: from HTTP's 101 on its packets are told however frames,
 * masks and segments cut them; what breaks RFC 6455 is named.
 */
#include "talk.h"

#include "guard/proto/websocket.h"

#define ASK(protocols)                                                                   \
	"GET /mqtt HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Protocol: " protocols "\r\n\r\n"
#define GRANT(protocol, more)                                             \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" more \
	"Connection: Upgrade\r\nSec-WebSocket-Protocol: " protocol "\r\n\r\n"

#define SAID_HTTP(status, protocol)                                                            \
	"{\"http\":{\"hostname\":\"b\",\"url\":\"/mqtt\",\"http_method\":\"GET\","             \
	"\"protocol\":\"HTTP/1.1\"" status ",\"upgrade\":\"websocket\",\"websocket_protocol\"" \
	":\"" protocol "\"}}\n"
#define SAID_OPEN SAID_HTTP("", "mqtt") SAID_HTTP(",\"status\":101", "mqtt")
#define SAID_CONNECT                                                                             \
	"{\"mqtt\":{\"connect\":{\"qos\":0,\"retain\":false,\"dup\":false,"                      \
	"\"protocol_string\":\"MQTT\",\"protocol_version\":4,\"client_id\":\"a\","               \
	"\"flags\":{\"username\":false,\"password\":false,\"will_retain\":false,\"will\":false," \
	"\"clean_session\":true},\"keep_alive\":60}}}\n"
#define HEADER "{\"qos\":0,\"retain\":false,\"dup\":false"
#define SAID_CONNACK \
	"{\"mqtt\":{\"connack\":" HEADER ",\"session_present\":false,\"return_code\":0}}}\n"
#define SAID_PUBLISH(topic, length, more)                                                       \
	"{\"mqtt\":{\"publish\":" HEADER ",\"topic\":\"" topic "\",\"message_length\":" #length \
	"}" more "}}\n"

#define CONNECT	 "\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a"
#define SETS	 "\x30\x08\0\5p/setx"
#define PINGS	 "\xc0\0"
#define BIN	 0x82
#define BIN_MORE 0x02
#define GOES_ON	 0x00
#define ENDS	 0x80
#define PINGED	 0x89

static struct talk_piece pieces[16];
static uint8_t room[1 << 18];
static size_t room_len, count;

/* What follows is said behind the two heads of HTTP. */
static void open_as(const char *ask, const char *grant)
{
	room_len = 0;
	count = 2;
	pieces[0] = (struct talk_piece){0, ask, strlen(ask)};
	pieces[1] = (struct talk_piece){1, grant, strlen(grant)};
}

static int open_mqtt(void **state)
{
	open_as(ASK("mqtt"), GRANT("mqtt", ""));
	return 0;
}

static void add(unsigned end, const void *data, size_t len)
{
	assert_true(room_len + len <= sizeof(room) && count < 16);
	memcpy(room + room_len, data, len);
	pieces[count++] = (struct talk_piece){end, room + room_len, len};
	room_len += len;
}

/* A frame that says it is `said` bytes long, written with `width` bytes, and holds `len`. */
static void frame_as(unsigned end, uint8_t head, const void *data, size_t len, uint64_t said,
		     unsigned width, bool masked)
{
	static const uint8_t key[4] = {0x5a, 0, 0xff, 0x21};
	static uint8_t f[1 << 17];
	struct writer w = writer_new(f, sizeof(f));

	write_u8(&w, head);
	write_u8(&w, (uint8_t)((masked ? 0x80 : 0) | (width == 8 ? 127 : width == 2 ? 126 : said)));
	for (unsigned i = width; i--;)
		write_u8(&w, (uint8_t)(said >> 8 * i));
	if (masked)
		write_bytes(&w, key, 4);
	for (size_t i = 0; i < len; i++)
		write_u8(&w, (uint8_t)(((const uint8_t *)data)[i] ^ (masked ? key[i % 4] : 0)));
	assert_false(w.bad);
	add(end, f, w.len);
}

static void frame(unsigned end, uint8_t head, const void *data, size_t len)
{
	frame_as(end, head, data, len, len, len > 65535 ? 8 : len > 125 ? 2 : 0, !end);
}
#define FRAME(end, head, literal) frame(end, head, literal, sizeof(literal) - 1)

static void expect(const char *expected)
{
	talk_expect("http", false, pieces, count, expected);
}

static void packets_in_frames_are_told(void **state)
{
	FRAME(0, BIN, CONNECT);
	FRAME(1, BIN, "\x20\2\0\0");
	FRAME(0, BIN, PINGS SETS PINGS);
	FRAME(1, BIN, "\x30\x05\0\3w/a");
	expect(SAID_OPEN SAID_CONNECT SAID_CONNACK
	       "{\"mqtt\":{\"pingreq\":" HEADER "}}}\n" SAID_PUBLISH(
		       "p/set", 1, ",\"control\":true") "{\"mqtt\":{\"pingreq\":" HEADER
							"}}}\n" SAID_PUBLISH("w/a", 0, ""));
}

static void frames_cut_packets_anywhere(void **state)
{
	FRAME(0, BIN_MORE, "\x10");
	FRAME(0, PINGED, "are you there?");
	FRAME(0, GOES_ON, "\x0d\0\4MQ");
	FRAME(0, GOES_ON, "");
	FRAME(0, ENDS, "TT\4\2\0\x3c");
	FRAME(0, BIN, "\0\1a\x30\x08\0\5p/s");
	FRAME(1, PINGED, "");
	FRAME(0, BIN, "etx");
	expect(SAID_OPEN SAID_CONNECT SAID_PUBLISH("p/set", 1, ",\"control\":true"));
}

static void payloads_are_passed_over(void **state)
{
	static uint8_t big[80000] = "\x30\xfd\xf0\4\0\1t";

	FRAME(0, BIN, CONNECT);
	frame(0, BIN, big, 40000);
	frame(0, BIN, big + 7, 40000 - 7);
	FRAME(0, BIN, "12345678" SETS);
	frame(0, BIN, big, 80000);
	FRAME(0, BIN, "1" SETS);
	expect(SAID_OPEN SAID_CONNECT SAID_PUBLISH("t", 79994, "")
		       SAID_PUBLISH("p/set", 1, ",\"control\":true") SAID_PUBLISH("t", 79994, "")
			       SAID_PUBLISH("p/set", 1, ",\"control\":true"));
}

static void refuse(const char *reason)
{
	struct talk_record *r = malloc(sizeof(*r));
	char part[64];

	snprintf(part, sizeof(part), "\"reason\":\"%s\"", reason);
	for (size_t cut = 0; cut < 4; cut++) {
		talk_play(r, "http", false, pieces, count, cut);
		if (!strstr(r->said, part))
			fail_msg("no %s in: %s", part, r->said);
		assert_int_equal(r->last, PARSE_BAD);
	}
	talk_seed("http", false, pieces, count);
	free(r);
	open_mqtt(NULL);
}

static void frames_that_break_their_rules_are_named(void **state)
{
	static const uint8_t heads[] = {0x81, 0x80, 0x83, 0x87, 0xc2, 0x92, 0xa2, 0x8b, 0x8f, 0x09};

	for (unsigned i = 0; i < sizeof(heads); i++) {
		FRAME(0, heads[i], "x");
		refuse("websocket.malformed");
	}
	frame_as(0, BIN, PINGS, 2, 2, 0, false); /* a client masks */
	refuse("websocket.malformed");
	frame_as(1, BIN, "\x20\2\0\0", 4, 4, 0, true); /* a server does not */
	refuse("websocket.malformed");
	frame_as(0, BIN, PINGS, 2, 2, 2, true); /* in more bytes than it takes */
	refuse("websocket.malformed");
	frame_as(0, BIN, PINGS, 2, 65535, 8, true);
	refuse("websocket.malformed");
	frame_as(0, BIN, PINGS, 2, 1ull << 63, 8, true);
	refuse("websocket.malformed");
	frame_as(0, PINGED, CONNECT, 15, 126, 2, true); /* longer than control frames are */
	refuse("websocket.malformed");
	FRAME(0, BIN_MORE, "\x10");
	FRAME(0, BIN, "\x0d");
	refuse("websocket.malformed");
	FRAME(0, 0x88, "");
	FRAME(0, BIN, CONNECT);
	refuse("websocket.malformed");
}

static void packets_that_break_theirs_are_named(void **state)
{
	static uint8_t big[4000];

	FRAME(0, BIN, PINGS);
	refuse("mqtt.out_of_turn");
	FRAME(0, BIN, "\x10\x80\x80\x80\x80");
	refuse("mqtt.length");
	FRAME(0, BIN, CONNECT);
	FRAME(0, BIN, "\x30\x03\0\3xyz");
	refuse("mqtt.malformed");
	memcpy(big, "\x10\x9d\x1f\0\4MQTT\4\xc2\0\x3c\0\1a\0\1u\x0f\x8a", 22);
	frame(0, BIN, big, sizeof(big));
	refuse("mqtt.too_long");
}

/* An identity that a cloud's devices show for a password, and all the filters they ask for. */
static void long_packets_are_read(void **state)
{
	static uint8_t big[1500];
	struct talk_record *r = malloc(sizeof(*r));

	memcpy(big, "\x10\xd9\x0b\0\4MQTT\4\xc2\0\x3c\0\1a\0\1u\5\xc7", 22);
	frame(0, BIN, big, sizeof(big));
	talk_play(r, "http", false, pieces, count, 100);
	assert_non_null(strstr(r->said, "\"password\":true"));
	assert_null(strstr(r->said, "reason"));
	free(r);
}

/* Other subprotocols, and what an extension changes, are passed over. */
static void others_are_not_read(void **state)
{
	open_as(ASK("ocpp1.6, mqtt"), GRANT("ocpp1.6", ""));
	FRAME(0, 0x81, "[2,1]");
	expect(SAID_HTTP("", "ocpp1.6, mqtt") SAID_HTTP(",\"status\":101", "ocpp1.6"));
	open_as(ASK("mqtt"), GRANT("mqtt", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
	FRAME(0, 0xc2, "xyz");
	expect(SAID_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(packets_in_frames_are_told, open_mqtt),
		cmocka_unit_test_setup(frames_cut_packets_anywhere, open_mqtt),
		cmocka_unit_test_setup(payloads_are_passed_over, open_mqtt),
		cmocka_unit_test_setup(frames_that_break_their_rules_are_named, open_mqtt),
		cmocka_unit_test_setup(packets_that_break_theirs_are_named, open_mqtt),
		cmocka_unit_test_setup(long_packets_are_read, open_mqtt),
		cmocka_unit_test_setup(others_are_not_read, open_mqtt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
