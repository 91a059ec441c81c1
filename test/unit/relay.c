#include "unit.h"

#include <stdio.h>

#include "guard/proto/proto.h"
#include "seal/pki/est.h"
#include "seal/relay/proxy.h"
#include "seal/relay/reading.h"

/* --- PROXY --------------------------------------------------------------------- */

static enum parse read_exact(const void *data, size_t len, struct proxy_header *ret_h,
			     size_t *ret_used)
{
	struct bytes b = unit_exact(data, len);
	enum parse got = proxy_read(b, ret_h, ret_used);

	free((void *)b.data);
	return got;
}

static void a_header_is_read_as_it_was_written(void **state)
{
	struct proxy_header h = {.known = true, .from_port = 0x1234, .to_port = 443}, got;
	uint8_t text[PROXY_OURS], more[PROXY_OURS + 4];
	size_t used, len;

	memcpy(h.from, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
	memcpy(h.to, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x04", 16);
	len = proxy_write(&h, text);
	assert_int_equal(len, 28);
	assert_int_equal(read_exact(text, len, &got, &used), PARSE_OK);
	assert_int_equal(used, len);
	assert_memory_equal(got.from, h.from, 16);
	assert_int_equal(got.from_port, 0x1234);
	for (size_t n = 1; n < len; n++)
		assert_int_equal(read_exact(text, n, &got, &used), PARSE_MORE);
	memcpy(more, text, len);
	memcpy(more + len, "\x16\x03\x01", 3); /* what follows is not its own */
	assert_int_equal(read_exact(more, len + 3, &got, &used), PARSE_OK);
	assert_int_equal(used, len);
	h.from[0] = 0xfd;
	len = proxy_write(&h, text);
	assert_int_equal(len, 52);
	assert_int_equal(read_exact(text, len, &got, &used), PARSE_OK);
	assert_memory_equal(got.from, h.from, 16);
	h.known = false;
	len = proxy_write(&h, text);
	assert_int_equal(len, 16);
	assert_int_equal(read_exact(text, len, &got, &used), PARSE_OK);
	assert_false(got.known);
}

static void what_is_no_header_is_refused(void **state)
{
	static const char *const bad[] = {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "\x16\x03\x01\x02",
					  "\r\n\r\n\1", "\r\n\r\n"};
	uint8_t text[600] = "\r\n\r\n\0\r\nQUIT\n";
	struct proxy_header got;
	size_t used;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(read_exact(bad[i], strlen(bad[i]), &got, &used), PARSE_BAD);
	assert_int_equal(read_exact(bad[3], 4, &got, &used), PARSE_MORE);
	text[12] = 0x11; /* version 1 */
	assert_int_equal(read_exact(text, 16, &got, &used), PARSE_BAD);
	text[12] = 0x22; /* an unknown command */
	assert_int_equal(read_exact(text, 16, &got, &used), PARSE_BAD);
	text[12] = 0x21;
	text[13] = 0x11;
	text[15] = 11; /* too short for its addresses */
	assert_int_equal(read_exact(text, 27, &got, &used), PARSE_BAD);
	text[14] = 2;
	text[15] = 9; /* longer than we take */
	assert_int_equal(read_exact(text, 600, &got, &used), PARSE_BAD);
}

/* --- reading --------------------------------------------------------------------- */

static unsigned messages;
static enum reason verdict;

static enum reason said(void *arg, unsigned end, const struct proto *p, const struct msg *m)
{
	messages++;
	return m->reason != REASON_NONE ? m->reason : verdict;
}

#define ONE "\x0bMSH|^~\\&|A|W|L|H|20260101||ORU^R01|c1|P|2.5\rPID|1\r\x1c\r"

/* How much of the conversation passes, cut into pieces of `step`. */
static size_t passes(const char *text, size_t step, enum reason *ret_why)
{
	struct reading *r = reading_new(proto_find("hl7"), (uint16_t[]){40000, 2575});
	size_t len = strlen(text), total = 0;

	messages = 0;
	*ret_why = REASON_NONE;
	for (size_t at = 0; at < len && *ret_why == REASON_NONE; at += step) {
		struct bytes b = unit_exact(text + at, len - at < step ? len - at : step);

		total += reading_take(r, 0, b, 0, said, NULL, ret_why);
		free((void *)b.data);
	}
	reading_free(r);
	return total;
}

static void messages_pass_however_they_are_cut(void **state)
{
	enum reason why;

	verdict = REASON_NONE;
	for (size_t step = 1; step <= strlen(ONE ONE); step++) {
		assert_int_equal(passes(ONE ONE, step, &why), strlen(ONE ONE));
		assert_int_equal(why, REASON_NONE);
		assert_int_equal(messages, 2);
	}
}

static void a_refused_message_never_goes_on_whole(void **state)
{
	enum reason why;

	verdict = REASON_POLICY_MESSAGE;
	for (size_t step = 1; step <= strlen(ONE ONE); step++) {
		assert_true(passes(ONE ONE, step, &why) < strlen(ONE));
		assert_int_equal(why, REASON_POLICY_MESSAGE);
		assert_int_equal(messages, 1);
	}
	verdict = REASON_NONE;
	/* Whole ones in front of it do. */
	assert_int_equal(passes(ONE "GET / HTTP/1.0\r\n\r\n", 1000, &why), strlen(ONE));
	assert_int_not_equal(why, REASON_NONE);
}

/* MQTT in WebSocket is not read here: where a relay is for MQTT, not a byte of it goes on. */
static void what_opens_a_web_socket_is_no_mqtt(void **state)
{
	static const char ask[] = "GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n"
				  "Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
	struct reading *r = reading_new(proto_find("mqtt"), (uint16_t[]){40000, 1883});
	struct bytes b = unit_exact(ask, sizeof(ask) - 1);
	enum reason why;

	messages = 0;
	verdict = REASON_NONE;
	assert_int_equal(reading_take(r, 0, b, 0, said, NULL, &why), 0);
	assert_int_equal(why, REASON_MQTT_MALFORMED);
	free((void *)b.data);
	reading_free(r);
}

/* Some receivers take the connection's end for the message's. */
static void an_end_completes_no_message(void **state)
{
	static const struct {
		const char *text;
		enum reason judged, why;
		unsigned messages;
	} tries[] = {
		{ONE, REASON_NONE, REASON_NONE, 1},
		{ONE "\x0bMSH|^~\\&|A|W|L|H|20260101||ORM^O01|c2|P|2.5\rORC|N", REASON_NONE,
		 REASON_HL7_FRAMING, 2},
		{"\x0bMSH|^~\\&|A|W|L|H|20260101||ORM^O01|c2|P|2.5", REASON_POLICY_MESSAGE,
		 REASON_HL7_FRAMING, 1},
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct reading *r = reading_new(proto_find("hl7"), (uint16_t[]){40000, 2575});
		struct bytes b = unit_exact(tries[i].text, strlen(tries[i].text));
		enum reason why;

		messages = 0;
		verdict = REASON_NONE;
		assert_int_equal(reading_take(r, 0, b, 0, said, NULL, &why), b.len);
		assert_int_equal(why, REASON_NONE);
		free((void *)b.data);
		verdict = tries[i].judged;
		assert_int_equal(reading_close(r, 0, 0, said, NULL), tries[i].why);
		assert_int_equal(messages, tries[i].messages);
		assert_int_equal(reading_close(r, 1, 0, said, NULL),
				 tries[i].why == REASON_NONE ? REASON_NONE
							     : REASON_PROTO_MALFORMED);
		reading_free(r);
	}
}

/* --- EST ----------------------------------------------------------------------------- */

#define ENROLL "POST /.well-known/est/simpleenroll HTTP/1.1\r\n"
#define KIND   "Content-Type: application/pkcs10\r\n"

static unsigned status_of(const char *text)
{
	struct bytes b = unit_exact(text, strlen(text));
	struct est_request r;
	unsigned status;
	enum parse got = est_read(b, &r, &status);

	free((void *)b.data);
	return got == PARSE_OK ? 200 : got == PARSE_MORE ? status : status;
}

static void requests_are_read_or_refused_by_number(void **state)
{
	static const struct {
		const char *text;
		unsigned status; /* 0: it goes on */
	} tries[] = {
		{"GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 200},
		{"GET /.well-known/est/cacerts HTTP/1.1\nHost: a\n\n", 200},
		{"GET /.well-known/est/cacerts HTTP/1.1\r\n", 0},
		{"", 0},
		{"GET / HTTP/1.1\r\n\r\n", 404},
		{"GET /.well-known/est/cacerts/ HTTP/1.1\r\n\r\n", 404},
		{"GET /.well-known/est/cacerts HTTP/1.0\r\n\r\n", 505},
		{"DELETE /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 405},
		{"POST /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 405},
		{"nonsense\r\n\r\n", 400},
		{ENROLL KIND "Content-Length: 4\r\n\r\nAAAA", 200},
		{ENROLL KIND "Content-Length: 4\r\n\r\nAAA", 0},
		{ENROLL KIND "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", 100},
		{ENROLL KIND "\r\n", 411},
		{ENROLL KIND "Transfer-Encoding: chunked\r\n\r\n", 411},
		{ENROLL KIND "Content-Length: 99999\r\n\r\n", 413},
		{ENROLL KIND "Content-Length: 9999999999999999999999\r\n\r\n", 413},
		{ENROLL KIND "Content-Length: -1\r\n\r\n", 400},
		{ENROLL KIND "Content-Length: 4\r\nContent-Length: 5\r\n\r\nAAAA", 400},
		{ENROLL "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nAAAA", 415},
		{ENROLL KIND "Authorization: Bearer x\r\nContent-Length: 4\r\n\r\nAAAA", 401},
		{ENROLL KIND "Authorization: Basic !!!!\r\nContent-Length: 4\r\n\r\nAAAA", 401},
		{ENROLL KIND "Content-Length : 4\r\n\r\nAAAA", 400},
		{ENROLL KIND "Content-Length\t: 4\r\n\r\nAAAA", 400},
		{ENROLL KIND " folded\r\nContent-Length: 4\r\n\r\nAAAA", 400},
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		unsigned got = status_of(tries[i].text);

		if (got != tries[i].status)
			print_message("%s: %u\n", tries[i].text, got);
		assert_int_equal(got, tries[i].status);
	}
}

static void the_code_is_the_password(void **state)
{
	static const char text[] = ENROLL KIND
		"Authorization: Basic eDpBQkNELUVGR0gtSktNTg==\r\nContent-Length: 4\r\n\r\nAAAA";
	struct est_request r;
	unsigned status;

	assert_int_equal(est_read((struct bytes){(const uint8_t *)text, strlen(text)}, &r, &status),
			 PARSE_OK);
	assert_string_equal(r.code, "ABCD-EFGH-JKMN");
	assert_int_equal(r.body.len, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_header_is_refused),
		cmocka_unit_test(messages_pass_however_they_are_cut),
		cmocka_unit_test(a_refused_message_never_goes_on_whole),
		cmocka_unit_test(what_opens_a_web_socket_is_no_mqtt),
		cmocka_unit_test(an_end_completes_no_message),
		cmocka_unit_test(requests_are_read_or_refused_by_number),
		cmocka_unit_test(the_code_is_the_password),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
