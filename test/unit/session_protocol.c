/* What a conversation speaks: what its rule names, what else is tried, and what it turns into. */
#include "session_kit.h"

static void another_protocol_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "\1\2\3 nothing that anybody reads"));
	assert_true(told(w, "policy.wrong_protocol"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* What might still become something else (here: DNS) is none of that either, and its receiver may have
 * all of it already: this writes a register in Modbus's serial form. */
static void an_undecided_beginning_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HTTP);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "\1\6\1\1\1\1\x19\xca"));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);

	w = wire_new("enforce", "open", HTTP); /* and is decided at its end */
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, "GE"));
	assert_false(send_flags(w, 0, 1002, 5000, TCP_ACK | TCP_FIN, ""));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
}

static bool send_datagram(struct wire *w, unsigned end, const void *data, size_t len)
{
	struct frame f = {.time_ns = w->now_ns += 1000000, .ifindex = end ? 2 : 1};

	free(w->frame);
	f.data = end ? frame_ipv4_udp(SERVER, 40000, DEVICE, 53, data, len)
		     : frame_ipv4_udp(DEVICE, 53, SERVER, 40000, data, len);
	w->frame = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(w->frame, end ? "\2\0\0\0\0\1\2\0\0\0\0\5" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &w->capture, &f, 1);
	return w->passed;
}

/* A client answers nobody; the device, which serves here, may have been asked before this guard began. */
static void who_was_asked_may_answer(void **state)
{
	static const char ask[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	static const char answer[] = "\0\1\x81\0\0\1\0\0\0\0\0\0\1b\0\0\1\0\1";
	struct wire *w = wire_new("enforce", "open", 53);

	assert_false(send_datagram(w, 1, answer, sizeof(answer) - 1));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);

	w = wire_new("enforce", "open", 53);
	assert_true(send_datagram(w, 1, ask, sizeof(ask) - 1));
	assert_true(send_datagram(w, 0, answer, sizeof(answer) - 1));
	assert_false(send_datagram(w, 1, answer, sizeof(answer) - 1));
	wire_free(w);

	w = wire_new("enforce", "open", 53);
	assert_true(send_datagram(w, 0, answer, sizeof(answer) - 1));
	wire_free(w);
}

/* Who answers an analyser says nothing but that he does. */
static void an_acknowledgement_is_no_other_protocol(void **state)
{
	struct wire *w = wire_new("enforce", "open", ASTM);

	shake_hands(w);
	assert_true(send(w, 1, 5000, 1000, "\5"));
	assert_true(send(w, 0, 1000, 5001, "\6"));
	assert_true(send(w, 1, 5001, 1001,
			 "\2"
			 "1H|\\^&\r\3"
			 "E5\r\n"));
	assert_false(told(w, "wrong_protocol"));
	wire_free(w);
}

/* A banner is not told yet when its protocol is known: it does not pass either. */
static void the_first_words_of_another_do_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "SSH-2.0-x\r\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* RFC 4253 §4.2: lines before a server's banner, in any pieces, at a port that only the rule knows. */
static void a_greeting_is_waited_for(void **state)
{
	static const char *const said[] = {"Wel", "come\r\n", "Staff only\r\nS", "SH-2.0-x\r\n"};
	struct wire *w = wire_new("enforce", "open", 2222);
	uint32_t at = 5000;

	shake_hands(w);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(send(w, 1, at, 1000, said[i]));
		at += (uint32_t)strlen(said[i]);
	}
	assert_true(send(w, 0, 1000, at, "SSH-2.0-y\r\n"));
	assert_false(told(w, "wrong_protocol"));
	wire_free(w);
	/* Not without end, and not for what is no text. */
	w = wire_new("enforce", "open", 2222);
	shake_hands(w);
	assert_false(send(w, 1, 5000, 1000, "\xff\xfd\1\1\r\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
	w = wire_new("enforce", "open", 2222);
	shake_hands(w);
	at = 5000;
	for (unsigned i = 0; i < 40; i++, at += 32)
		assert_true(send(w, 1, at, 1000, "a line of thirty-two characters\n"));
	assert_false(send(w, 1, at, 1000, "a line of thirty-two characters\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
}

static void a_broken_message_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "\vMSH||||\r"));
	assert_true(told(w, "hl7.delimiters"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* Where no rule says what is spoken, breaking a protocol is only reported. */
static void without_a_named_protocol_nothing_is_blocked(void **state)
{
	struct wire *w = wire_new("enforce", "open", OTHER);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, "\vMSH||||\r"));
	assert_true(told(w, "\"reason\":\"hl7.delimiters\",\"verdict\":{\"action\":\"pass\"}"));
	wire_free(w);
}

/* Behind it requests are said in another way. */
static void http_2_is_not_let_in(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HTTP);
	const char *ask = "GET /results/1 HTTP/1.1\r\nHost: lis\r\nUpgrade: h2c\r\n\r\n";
	uint32_t at = 1000 + (uint32_t)strlen(ask);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask)); /* most servers pass over it */
	assert_false(send(w, 1, 5000, at, "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"));
	assert_true(told(w, "http.smuggling"));
	wire_free(w);

	w = wire_new("enforce", "closed", HTTP);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask));
	assert_true(send(w, 1, 5000, at, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
	assert_false(send(w, 0, at, 5038, "GET /admin HTTP/1.1\r\nHost: lis\r\n\r\n"));
	wire_free(w);
}

#define SOAP(action, body)                                                                    \
	"<s:Envelope><s:Header><a:Action>urn:x/" action "</a:Action></s:Header><s:Body>" body \
	"</s:Body></s:Envelope>"
#define WSDL	  "GET /results/w HTTP/1.1\r\nHost: lis\r\n\r\n"
#define ANSWER	  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwsdl"
#define SOAP_HEAD "POST /results/s HTTP/1.1\r\nHost: lis\r\nContent-Type: application/soap+xml\r\n"

/* A description is fetched first, by HTTP; then SOAP follows on the same connection, and both ends are read on. */
static bool set_behind(uint16_t port, const char *answer, const char *head, const char *body,
		       struct wire **ret_w)
{
	struct wire *w = wire_new("enforce", "closed", port);
	uint32_t at = 1000 + sizeof(WSDL) - 1, back = 5000 + (uint32_t)strlen(answer);
	char post[1024];

	*ret_w = w;
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, WSDL));
	assert_true(send(w, 1, 5000, at, answer));
	snprintf(post, sizeof(post), "%sContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
	return send(w, 0, at, back, post);
}

static void soap_is_known_when_it_comes(void **state)
{
	struct wire *w;

	assert_true(set_behind(OTHER, ANSWER, SOAP_HEAD, SOAP("SetValue", "<m:SetValue/>"), &w));
	assert_true(told(w, "\"http\":{\"hostname\":\"lis\",\"url\":\"/results/w\","));
	assert_true(told(w, "\"sdc\":{\"action\":\"SetValue\""));
	assert_true(send(w, 1, 5000 + sizeof(ANSWER) - 1, 2000, "HTTP/1.1 202 Ok\r\n\r\n"));
	wire_free(w);

	/* What a rule says of SDC holds for it. */
	assert_false(set_behind(SDC, ANSWER, SOAP_HEAD, SOAP("SetValue", "<m:SetValue/>"), &w));
	assert_true(told(w, "\"sdc\":{\"method\":\"GET\"}"));
	assert_true(told(w, "policy.control"));
	wire_free(w);
	assert_true(set_behind(SDC, ANSWER, SOAP_HEAD, SOAP("GetMdib", "<m:GetMdib/>"), &w));
	assert_false(told(w, "\"reason\":\"policy"));
	wire_free(w);

	/* Under one of HTTP it is another protocol, as if it had come first. */
	assert_false(set_behind(HTTP, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", SOAP_HEAD,
				SOAP("GetMdib", "<m:GetMdib/>"), &w));
	wire_free(w);
}

/* Of an answer a part is still to come, which nobody looks at: it is passed over all the same. */
static void what_is_passed_over_stays_so(void **state)
{
	static const char begun[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"
		"0123456789012345678901234567890123456789012345678901234567890123"
		"0123456789012345678901234567890123456789012345678901234567890123"
		"01234567";
	static const char zeros[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	uint32_t back = 5000 + sizeof(begun) - 1;
	struct wire *w;

	assert_true(set_behind(OTHER, begun, SOAP_HEAD, SOAP("GetMdib", "<m:GetMdib/>"), &w));
	for (unsigned left = 400 - 136; left; back += 64, left -= left < 64 ? left : 64)
		assert_true(send(w, 1, back, 2000, zeros + (left < 64 ? 64 - left : 0)));
	assert_true(told(w, "\"sdc\":{\"action\":\"GetMdib\""));
	assert_false(told(w, "malformed"));
	wire_free(w);
}

/* Nor is any other protocol that nobody asked for; what was asked for may be anything. */
static void a_server_does_not_change_the_protocol_alone(void **state)
{
	static const struct {
		const char *ask;
		bool passes;
	} cases[] = {
		{"GET /results/1 HTTP/1.1\r\nHost: lis\r\n\r\n", false},
		{"GET /results/1 HTTP/1.1\r\nHost: lis\r\nUpgrade: websocket\r\n\r\n", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);
		uint32_t at = 1000 + (uint32_t)strlen(cases[i].ask);

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, cases[i].ask));
		assert_int_equal(cases[i].passes, send(w, 1, 5000, at,
						       "HTTP/1.1 101 Switching\r\n"
						       "Upgrade: websocket\r\n\r\n"));
		assert_int_equal(!cases[i].passes, told(w, "http.smuggling"));
		wire_free(w);
	}
}

#define ASTM_HEAD                 \
	"\5\0021H|\\^&|||X\r\003" \
	"B1\r\n"

/* A line's noise garbles a frame: the receiver says NAK, and it comes again. What it must not say it says not even so. */
static void a_garbled_frame_ends_nothing(void **state)
{
	static const struct {
		const char *garbled;
		bool passes;
		const char *why;
	} cases[] = {
		{"\0022R|1|^^^GLU|5\r\003"
		 "00\r\n",
		 true, "astm.checksum"},
		{"\0022R|1|^^^POT|5\r\003"
		 "00\r\n",
		 false, "policy.message"},
		{"\0022X|1|^^^GLU|5\r\003"
		 "00\r\n",
		 false, "astm.checksum"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", ASTM);
		uint32_t at = 1000;

		shake_hands(w);
		assert_true(send(w, 0, at, 5000, ASTM_HEAD));
		at += sizeof(ASTM_HEAD) - 1;
		assert_true(send(w, 1, 5000, at, "\6\6"));
		assert_int_equal(cases[i].passes, send(w, 0, at, 5002, cases[i].garbled));
		assert_true(told(w, cases[i].why));
		at += (uint32_t)strlen(cases[i].garbled);
		if (cases[i].passes) {
			assert_true(send(w, 1, 5002, at, "\x15"));
			assert_true(send(w, 0, at, 5003,
					 "\0022R|1|^^^GLU|5\r\003"
					 "70\r\n"));
		}
		wire_free(w);
	}
}

#define GET(url) "GET " url " HTTP/1.1\r\nHost: lis\r\n\r\n"

/* What a rule names is what the server takes it for, however it is written. */
static void paths_that_lead_elsewhere_do_not_pass(void **state)
{
	static const char *const good[] = {GET("/results/1"),
					   GET("/results/J%C3%BCrgen%20D"),
					   GET("/results//1"),
					   GET("/results/.well-known/x;v=1"),
					   GET("/results/%e2%82%ac%u20ac%c3%a4%c0"),
					   GET("/results/a/../b"),
					   GET("http://lis/results/1"),
					   GET("HTTP://lis:80/results/%20"),
					   "GET /results/ HTTP/1.1\r\nHost: LIS\r\n\r\n"};
	static const char *const bad[] = {
		GET("/results/../admin"),
		GET("/results/%2e%2E/admin"),
		GET("/results/..%2fadmin"),
		GET("/results/..\\admin"),
		GET("/results/..%5cadmin"),
		GET("/results/%252e%252e/admin"),
		GET("/results/%u002e%u002e/admin"),
		GET("/results/%c0%ae%c0%ae%c0%afadmin"),
		GET("/results/%e0%80%ae%E0%80%AE/admin"),
		GET("/results/;/../..;x/admin"),
		GET("/results/a/../../admin?x"),
		GET("/admin"),
		GET("http://lis/admin"),
		GET("http://lis/results/../admin"),
		GET("http://lis"),
		GET("http://lis\\admin/results/1"),
		GET("http://lis#/results/1"),
		GET("admin/http://lis/results/1"),
		GET("/results/..%00/admin"),
		GET("/results/1%00.png"),
		GET("/results/1%2500"),
		GET("/results/..%20/admin"),
		GET("/results/../admin/..;/results/1"),
		GET("/results/../admin//../results/1"),
		GET("/results/../admin\\..\\results/1"),
		GET("/results/../admin/%252e%252e/results/1"),
		GET("/results/../admin#/../results/1"),
		"GET /results/ HTTP/1.1\r\nHost: other\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, good[i]));
		wire_free(w);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);

		shake_hands(w);
		assert_false(send(w, 0, 1000, 5000, bad[i]));
		assert_true(told(w, "policy.message_not_allowed"));
		wire_free(w);
	}
}

#define POST(fields, length, body) \
	"POST / HTTP/1.1\r\nHost: lis\r\n" fields "Content-Length: " length "\r\n\r\n" body
#define HL7_TYPE "Content-Type: application/hl7-v2\r\n"

/* What is in a body is asked for like what its head says, and a type that is said twice counts twice. */
static void what_is_posted_is_asked_for(void **state)
{
	static const struct {
		const char *said;
		bool passes;
	} rows[] = {
		{POST(HL7_TYPE, "22", "MSH|^~\\&|||||||ORU^R01"), true},
		{POST(HL7_TYPE, "22", "MSH|^~\\&|||||||ORM^O01"), false},
		{POST(HL7_TYPE, "30", "MSH|^~\\&|||||||ORU^R01^ORM_O01"), false},
		{POST(HL7_TYPE, "2", "{}"), false},
		{POST("Content-Type: text/plain\r\n", "22", "MSH|^~\\&|||||||ORU^R01"), false},
		{POST(HL7_TYPE "Content-Type: text/plain\r\n", "22", "MSH|^~\\&|||||||ORU^R01"),
		 false},
		{POST("Content-Encoding: br\r\n" HL7_TYPE, "2", "{}"), false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", POSTS);

		shake_hands(w);
		if (send(w, 0, 1000, 5000, rows[i].said) != rows[i].passes)
			fail_msg("%zu: %s", i, w->said);
		assert_int_equal(told(w, "policy.message_not_allowed"), !rows[i].passes);
		wire_free(w);
	}
}

/* A hello of TLS 1.2, or the version that the byte says, for mail.ward. */
#define HELLO(version)                                                                        \
	"\x16\3\1\0\x41\1\0\0\x3d\3" version "0123456789abcdef0123456789abcdef\0\0\2\xc0\x2f" \
	"\1\0\0\x12\0\0\0\xe\0\xc\0\0\x9"                                                     \
	"mail.ward"
#define HELLO_LEN (sizeof(HELLO("\3")) - 1)

/* What a client says ahead of TLS, line by line, each of which is answered, and then its hello. */
struct mail_case {
	uint16_t port;
	const char *said[3];
	const char *hello;
	int stopped; /* at which of them; 3: at the hello, 4: not at all */
	const char *why;
};

static void speak_mail(const struct mail_case *c)
{
	static const char greeting[] = "220 mail.ward ESMTP\r\n", go[] = "220 ok\r\n";
	struct wire *w = wire_new("enforce", "closed", c->port);
	uint32_t at = 1000, back = 5000 + sizeof(greeting) - 1;
	int n;

	shake_hands(w);
	assert_true(send(w, 1, 5000, at, greeting));
	for (n = 0; n < 3 && c->said[n]; n++) {
		if (!send(w, 0, at, back, c->said[n]))
			break;
		at += (uint32_t)strlen(c->said[n]);
		assert_true(send(w, 1, back, at, go));
		back += sizeof(go) - 1;
	}
	if (n == 3 || !c->said[n])
		n = send_bytes(w, 0, at, back, TCP_ACK | TCP_PSH, c->hello, HELLO_LEN) ? 4 : 3;
	assert_int_equal(n, c->stopped);
	assert_int_equal(told(w, "\"event_type\":\"tls\""), n >= 3);
	if (c->why)
		assert_true(told(w, c->why));
	wire_free(w);
}

/*
 * A rule for mail lets it go on behind STARTTLS, where it is told like any other TLS. A rule for TLS lets
 * STARTTLS be asked for, and no word of mail before it; its patterns are for the hello that follows.
 */
static void what_goes_on_in_tls_is_read_on(void **state)
{
	static const struct mail_case cases[] = {
		{MAIL, {"EHLO a\r\n", "STARTTLS\r\n"}, HELLO("\3"), 4, "\"sni\":\"mail.ward\""},
		{MAIL, {"STARTTLS\r\n"}, HELLO("\1"), 4, "\"app_proto\":\"tls\""},
		{MAIL,
		 {"STARTTLS\r\n"},
		 "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
		 "Subject: what is this\r\n\r\nno TLS at all\r\n.\r\n",
		 3,
		 "tls.malformed"},
		{SEALED, {"EHLO a\r\n", "STARTTLS\r\n"}, HELLO("\3"), 4, NULL},
		{SEALED,
		 {"EHLO a\r\n", "STARTTLS\r\n"},
		 "\x17\3\3\1\0MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
		 "Subject: what is this\r\n\r\nno TLS at all\r\n.\r\n",
		 3,
		 "tls.malformed"},
		{SEALED,
		 {"EHLO a\r\n", "NOOP\r\n", "STARTTLS\r\n"},
		 HELLO("\1"),
		 3,
		 "\"member\":\"version\""},
		{SEALED,
		 {"EHLO a\r\n", "MAIL FROM:<a@b>\r\n"},
		 HELLO("\3"),
		 1,
		 "policy.wrong_protocol"},
		{SEALED,
		 {"AUTH PLAIN AGFkbWluADEyMzQ=\r\n"},
		 HELLO("\3"),
		 0,
		 "policy.wrong_protocol"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		speak_mail(&cases[i]);
}

/* Nobody has agreed on it: a server of mail reads what is dressed up as TLS as lines of mail. */
static void tls_that_mail_did_not_lead_to_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "closed", MAIL);

	shake_hands(w);
	assert_false(send_bytes(w, 0, 1000, 5000, TCP_ACK | TCP_PSH, HELLO("\3"), HELLO_LEN));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_protocol_does_not_pass),
		cmocka_unit_test(an_undecided_beginning_does_not_pass),
		cmocka_unit_test(an_acknowledgement_is_no_other_protocol),
		cmocka_unit_test(who_was_asked_may_answer),
		cmocka_unit_test(the_first_words_of_another_do_not_pass),
		cmocka_unit_test(a_greeting_is_waited_for),
		cmocka_unit_test(a_broken_message_does_not_pass),
		cmocka_unit_test(without_a_named_protocol_nothing_is_blocked),
		cmocka_unit_test(http_2_is_not_let_in),
		cmocka_unit_test(soap_is_known_when_it_comes),
		cmocka_unit_test(what_is_passed_over_stays_so),
		cmocka_unit_test(a_server_does_not_change_the_protocol_alone),
		cmocka_unit_test(a_garbled_frame_ends_nothing),
		cmocka_unit_test(paths_that_lead_elsewhere_do_not_pass),
		cmocka_unit_test(what_is_posted_is_asked_for),
		cmocka_unit_test(what_goes_on_in_tls_is_read_on),
		cmocka_unit_test(tls_that_mail_did_not_lead_to_does_not_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
