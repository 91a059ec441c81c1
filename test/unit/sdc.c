#include "talk.h"

#include "guard/proto/sdc.h"
#include "guard/proto/soap.h"

#define SPACES                                                             \
	"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" " \
	"xmlns:a=\"http://www.w3.org/2005/08/addressing\">"
#define WSD "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/"
#define SDC "http://standards.ieee.org/downloads/11073/11073-20701-2018/"
#define HEADER(uri)                                                        \
	"<s:Header><a:Action s:mustUnderstand=\"true\">" uri "</a:Action>" \
	"<a:MessageID>urn:uuid:1</a:MessageID></s:Header>"
#define MESSAGE(uri, body) SPACES HEADER(uri) "<s:Body>" body "</s:Body></s:Envelope>"

#define HELLO                                                                                  \
	"<?xml version='1.0' encoding=\"UTF-8\"?>" MESSAGE(                                    \
		WSD "Hello",                                                                   \
		"<d:Hello><a:EndpointReference><a:Address> urn:uuid:monitor </a:Address>"      \
		"</a:EndpointReference><d:Types>dpws:Device mdpws:MedicalDevice</d:Types>"     \
		"<d:Scopes>sdc.ctxt.loc:/ward4</d:Scopes><d:XAddrs>https://10.9.1.12:6464/m</" \
		"d:XAddrs>"                                                                    \
		"<d:MetadataVersion>1</d:MetadataVersion></d:Hello>")

static void discovery_is_told(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0, HELLO),
		TALK_PIECE(0, MESSAGE(WSD "Probe", "<d:Probe/>")),
		TALK_PIECE(1, SPACES "<s:Header><a:RelatesTo>urn:uuid:1</a:RelatesTo><a:Action>" WSD
				     "ProbeMatches</a:Action></s:Header><s:Body><d:ProbeMatches/></"
				     "s:Body></s:Envelope>"),
		TALK_PIECE(0, MESSAGE(WSD "Bye", "<d:Bye><a:EndpointReference><a:Address>urn:uuid:m"
						 "</a:Address></a:EndpointReference></d:Bye>")),
	};

	talk_expect(
		"sdc", true, pieces, 4,
		"{\"sdc\":{\"action\":\"Hello\",\"action_uri\":\"" WSD "Hello\",\"body\":\"Hello\","
		"\"message_id\":\"urn:uuid:1\",\"endpoint\":\"urn:uuid:monitor\","
		"\"types\":\"dpws:Device mdpws:MedicalDevice\","
		"\"xaddrs\":\"https://10.9.1.12:6464/m\"}}\n"
		"{\"sdc\":{\"action\":\"Probe\",\"action_uri\":\"" WSD "Probe\",\"body\":\"Probe\","
		"\"message_id\":\"urn:uuid:1\"}}\n"
		"{\"sdc\":{\"action\":\"ProbeMatches\",\"action_uri\":\"" WSD "ProbeMatches\","
		"\"body\":\"ProbeMatches\",\"relates_to\":\"urn:uuid:1\"}}\n"
		"{\"sdc\":{\"action\":\"Bye\",\"action_uri\":\"" WSD "Bye\",\"body\":\"Bye\","
		"\"message_id\":\"urn:uuid:1\",\"endpoint\":\"urn:uuid:m\"}}\n");
}

/* Who answers for several devices: a rule asks for each of them, cut in pieces or not. */
static void all_matches_are_told(void **state)
{
	static const struct talk_piece piece = TALK_PIECE(
		0,
		"<s:Envelope><s:Header><a:Action>urn:d/ProbeMatches</a:Action></s:Header><s:Body>"
		"<d:ProbeMatches><d:ProbeMatch><a:EPR><a:Address> urn:1 </a:Address></a:EPR>"
		"<d:Types>a</d:Types></d:ProbeMatch><!-- <d:Types>c</d:Types> --><d:ProbeMatch>"
		"<a:EPR><a:Address>urn:2</a:Address></a:EPR><d:Types>a<![CDATA[ b]]></d:Types>"
		"</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>");

	talk_expect("sdc", true, &piece, 1,
		    "{\"sdc\":{\"action\":\"ProbeMatches\",\"action_uri\":\"urn:d/ProbeMatches\","
		    "\"body\":\"ProbeMatches\",\"endpoint\":[\"urn:1\",\"urn:2\"],"
		    "\"types\":[\"a\",\"a\",\"b\"]}}\n");
}

/* `text` with two bytes a character, the first one at `low`. */
static size_t widen(const char *text, unsigned low, uint8_t *to)
{
	size_t n = strlen(text);

	memset(to, 0, 2 * n + 2);
	memcpy(to, low ? "\xfe\xff" : "\xff\xfe", 2);
	for (size_t i = 0; i < n; i++)
		to[2 + 2 * i + low] = (uint8_t)text[i];
	return 2 * n + 2;
}

/* SOAP-over-UDP §2.1 leaves the encoding to XML: UTF-16 of either order, with a mark and without. */
static void wide_discovery_is_read(void **state)
{
	struct talk_record *plain = malloc(sizeof(*plain)), *wide = malloc(sizeof(*wide));
	struct talk_piece hello = TALK_PIECE(0, HELLO);
	struct proto_input in = {.port = {40000, 3702}, .datagram = true};
	uint8_t text[2 * sizeof(HELLO) + 2];

	talk_play(plain, "sdc", true, &hello, 1, 0);
	for (unsigned low = 0; low < 2; low++)
		for (unsigned mark = 0; mark <= 2; mark += 2) {
			const struct talk_piece piece = {0, (char *)text + mark,
							 widen(HELLO, low, text) - mark};

			in.data = (struct bytes){text + mark, piece.len};
			assert_int_equal(sdc_proto.probe(&in), PARSE_OK);
			talk_seed("sdc", true, &piece, 1);
			talk_play(wide, "sdc", true, &piece, 1, 0);
			assert_string_equal(wide->said, plain->said);
		}
	hello = (struct talk_piece){0, (char *)text, sizeof(HELLO) * 2 - 1}; /* half a character */
	talk_play(wide, "sdc", true, &hello, 1, 0);
	assert_non_null(strstr(wide->said, "\"reason\":\"sdc.malformed\""));
	free(plain);
	free(wide);
}

static void a_broken_datagram_is_malformed(void **state)
{
	static const struct talk_piece bad[] = {
		TALK_PIECE(0, "<x/>"),
		TALK_PIECE(0, SPACES),
		TALK_PIECE(0, MESSAGE(WSD "Hello", "<d:Hello>")),
		TALK_PIECE(0, MESSAGE("", "<d:Hello/>")),
		TALK_PIECE(0, MESSAGE(SDC "&#83;etService/SetValue", "<m:GetMdib/>")),
		TALK_PIECE(0, SPACES "<s:Header><a:Action>a</a:Action><a:Action>b</a:Action>"
				     "</s:Header><s:Body/></s:Envelope>"),
		TALK_PIECE(0, SPACES
			   "<s:Header><a:Action>a<b/></a:Action></s:Header><s:Body/></s:Envelope>"),
		TALK_PIECE(0, HELLO "<x/>"),
		TALK_PIECE(0, "<!DOCTYPE x [<!ENTITY a 'b'>]>" HELLO),
	};
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		talk_seed("sdc", true, &bad[i], 1);
		talk_play(r, "sdc", true, &bad[i], 1, 0);
		if (!strstr(r->said, "\"reason\":\"sdc.malformed\""))
			fail_msg("case %u: %s", i, r->said);
	}
	free(r);
}

#define POST(fields, body)                                                      \
	"POST /set HTTP/1.1\r\nHost: m\r\nContent-Type: application/soap+xml; " \
	"charset=utf-8\r\n" fields "\r\n" body

/* A request with its length in front, in a static block. */
static struct talk_piece post(unsigned end, const char *head, const char *body)
{
	static char room[8][2048];
	static unsigned next;
	char *at = room[next++ % 8];
	int len = snprintf(
		at, sizeof(room[0]),
		"%s\r\nContent-Type: application/soap+xml\r\nContent-Length: %zu\r\n\r\n%s", head,
		strlen(body), body);

	return (struct talk_piece){end, at, (size_t)len};
}

static void setting_is_control(void **state)
{
	const struct talk_piece pieces[] = {
		post(0, "POST /get HTTP/1.1", MESSAGE(SDC "GetService/GetMdib", "<m:GetMdib/>")),
		post(1, "HTTP/1.1 200 OK",
		     MESSAGE(SDC "GetService/GetMdibResponse",
			     "<m:GetMdibResponse><m:Mdib><x>1</x></m:Mdib></m:GetMdibResponse>")),
		post(0, "POST /set HTTP/1.1", MESSAGE(SDC "SetService/SetValue", "<m:SetValue/>")),
		post(1, "HTTP/1.1 200 OK",
		     MESSAGE(SDC "SetService/SetValueResponse", "<m:SetValueResponse/>")),
		post(0, "POST /set HTTP/1.1",
		     MESSAGE(SDC "GetService/GetMdib", "<m:Activate><x/></m:Activate>")),
		post(0, "POST /dpws HTTP/1.1",
		     SPACES HEADER(
			     "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get") "<s:Body/></"
										   "s:Envelope>"),
		TALK_PIECE(0, "GET /wsdl HTTP/1.1\r\nHost: m\r\n\r\n"),
		TALK_PIECE(1, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
	};

	talk_expect("sdc", false, pieces, 8,
		    "{\"sdc\":{\"action\":\"GetMdib\",\"action_uri\":\"" SDC "GetService/GetMdib\","
		    "\"body\":\"GetMdib\",\"method\":\"POST\"}}\n"
		    "{\"sdc\":{\"action\":\"GetMdibResponse\",\"action_uri\":\"" SDC
		    "GetService/GetMdibResponse\",\"body\":\"GetMdibResponse\",\"status\":200}}\n"
		    "{\"sdc\":{\"action\":\"SetValue\",\"action_uri\":\"" SDC
		    "SetService/SetValue\","
		    "\"body\":\"SetValue\",\"method\":\"POST\",\"control\":true}}\n"
		    "{\"sdc\":{\"action\":\"SetValueResponse\",\"action_uri\":\"" SDC
		    "SetService/SetValueResponse\",\"body\":\"SetValueResponse\",\"status\":200}}\n"
		    "{\"sdc\":{\"action\":\"GetMdib\",\"action_uri\":\"" SDC "GetService/GetMdib\","
		    "\"body\":\"Activate\",\"method\":\"POST\",\"control\":true}}\n"
		    "{\"sdc\":{\"action\":\"Get\","
		    "\"action_uri\":\"http://schemas.xmlsoap.org/ws/2004/09/transfer/Get\","
		    "\"method\":\"POST\"}}\n"
		    "{\"sdc\":{\"method\":\"GET\"}}\n"
		    "{\"sdc\":{\"status\":202}}\n");
}

#define SET SPACES HEADER(SDC "SetService/SetString") "<s:Body><m:SetString>"

static void chunks_are_read(void **state)
{
	struct talk_piece piece = {0};
	static char text[2048];
	int len = snprintf(text, sizeof(text),
			   POST("Transfer-Encoding: chunked\r\n",
				"%zx\r\n%s\r\n10\r\n0123456789abcdef\r\n"
				"0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
			   strlen(SET), SET);

	piece.data = text;
	piece.len = (size_t)len;
	talk_expect("sdc", false, &piece, 1,
		    "{\"sdc\":{\"action\":\"SetString\",\"action_uri\":\"" SDC
		    "SetService/SetString\","
		    "\"body\":\"SetString\",\"method\":\"POST\",\"control\":true}}\n"
		    "{\"sdc\":{\"method\":\"GET\"}}\n");
}

/* Wherever a chunk ends, within a tag too; blanks around a header's value are none of it. */
static void chunks_may_end_anywhere(void **state)
{
	static const char body[] = MESSAGE(SDC "SetService/SetString", "<m:SetString a='>'/>");

	for (size_t size = 40; size < sizeof(body); size += 7) {
		static char text[8192];
		struct talk_piece piece = {0, text, 0};
		int len =
			snprintf(text, sizeof(text), POST("Transfer-Encoding:  chunked \r\n", ""));

		for (size_t at = 0; at < sizeof(body) - 1; at += size)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%zx\r\n%.*s\r\n",
					sizeof(body) - 1 - at < size ? sizeof(body) - 1 - at : size,
					(int)size, body + at);
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
		piece.len = (size_t)len;
		talk_expect("sdc", false, &piece, 1,
			    "{\"sdc\":{\"action\":\"SetString\",\"action_uri\":\"" SDC
			    "SetService/SetString\","
			    "\"body\":\"SetString\",\"method\":\"POST\",\"control\":true}}\n"
			    "{\"sdc\":{\"method\":\"GET\"}}\n");
	}
}

/* All samples of a wave that a monitor sends at once are one attribute, in chunks or not. */
static void waves_are_long(void **state)
{
	static char samples[20000], body[24000], text[30000];
	struct talk_piece piece = {0, text, 0};
	int len;

	memset(samples, '1', sizeof(samples) - 1);
	len = snprintf(body, sizeof(body),
		       MESSAGE(SDC "WaveformService/WaveformStream",
			       "<m:WaveformStream><p:Value Samples='%s'/></m:WaveformStream>"),
		       samples);
	assert_in_range(len, sizeof(samples), sizeof(body) - 1);
	for (unsigned size = 512; size < sizeof(body); size += sizeof(body) - 513) {
		int n = snprintf(text, sizeof(text), POST("Transfer-Encoding: chunked\r\n", ""));

		for (int at = 0; at < len; at += (int)size)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%x\r\n%.*s\r\n",
				      len - at < (int)size ? (unsigned)(len - at) : size, (int)size,
				      body + at);
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
		assert_in_range(n, len, sizeof(text) - 1);
		piece.len = (size_t)n;
		talk_expect("sdc", false, &piece, 1,
			    "{\"sdc\":{\"action\":\"WaveformStream\",\"action_uri\":\"" SDC
			    "WaveformService/WaveformStream\",\"body\":\"WaveformStream\","
			    "\"method\":\"POST\"}}\n"
			    "{\"sdc\":{\"method\":\"GET\"}}\n");
	}
}

/* What cannot be read may be anything: it counts as control. */
static void the_unreadable_is_control(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(0,
			   POST("Content-Encoding: br\r\nContent-Length: 4\r\n", "\x1f\x8b\0\0")),
		TALK_PIECE(0, "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"),
	};

	talk_expect(
		"sdc", false, pieces, 2,
		"{\"sdc\":{\"action\":\"\",\"method\":\"POST\",\"unread\":true,\"control\":true}}\n"
		"{\"sdc\":{\"action\":\"\",\"method\":\"POST\",\"unread\":true,\"control\":true}}"
		"\n");
}

static void expect_malformed(const char *text)
{
	const struct talk_piece piece = {0, text, strlen(text)};
	struct talk_record *r = malloc(sizeof(*r));

	talk_seed("sdc", false, &piece, 1);
	for (size_t cut = 0; cut < 2; cut++) {
		talk_play(r, "sdc", false, &piece, 1, cut);
		if (!strstr(r->said, "\"reason\":\"sdc.malformed\"") || r->last != PARSE_BAD)
			fail_msg("%s gives %s", text, r->said);
	}
	free(r);
}

static void expect_posted_malformed(const char *body)
{
	expect_malformed(post(0, "POST /get HTTP/1.1", body).data);
}

/* Servers go by the action, by the first thing in the body, or by the last. */
static void a_request_asks_for_one_thing(void **state)
{
	static char text[2048];

	expect_posted_malformed(
		MESSAGE(SDC "GetService/GetMdib", "<m:GetMdib/><m:SetValue><x/></m:SetValue>"));
	expect_posted_malformed(
		MESSAGE(SDC "GetService/GetMdib", "<m:GetMdib><y/></m:GetMdib> <m:SetValue/>"));
	expect_posted_malformed(SPACES HEADER(
		SDC "GetService/GetMdib") "<s:Body><m:GetMdib/></s:Body><s:Body><m:SetValue/></"
					  "s:Body></s:Envelope>");
	expect_posted_malformed(SPACES HEADER(
		SDC "GetService/GetMdib") "<s:Body/><s:Body><m:SetValue/></s:Body></s:Envelope>");
	snprintf(text, sizeof(text),
		 POST("Transfer-Encoding: chunked\r\n", "%zx\r\n%s\r\nd\r\n<m:SetValue/>\r\n"),
		 strlen(SPACES HEADER(SDC "GetService/GetMdib") "<s:Body><m:GetMdib/>"),
		 SPACES HEADER(SDC "GetService/GetMdib") "<s:Body><m:GetMdib/>");
	expect_malformed(text);
}

#define TWO   "1\r\na\r\n1\r\na\r\n"
#define EIGHT TWO TWO TWO TWO

/* In UTF-7 and its like what looks like text may be elements. */
static void what_is_no_ascii_is_malformed(void **state)
{
	static const char *const names[] = {"UTF-7", "utf-7", "ISO-2022-JP", "IBM037", ""};
	char text[1024];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "<?xml version='1.0' encoding='%s'?>%s", names[i],
			 MESSAGE(SDC "GetService/GetMdib", "<m:GetMdib/>"));
		expect_posted_malformed(text);
	}
}

static void what_hides_is_malformed(void **state)
{
	expect_malformed(POST("Content-Length: 3\r\nContent-Length: 4\r\n", "<a>"));
	expect_malformed(POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "<a>"));
	expect_malformed(POST("Transfer-Encoding: gzip, chunked\r\n", "<a>"));
	expect_malformed(POST("Content-Length: -1\r\n", "<a>"));
	expect_malformed(POST("Content-Length: 3\r\n x: folded\r\n", "<a>"));
	expect_malformed(POST("Content-Length: 3\r\n", "<a>"));
	expect_malformed(POST("Content-Length: 99\r\n", "{\"a\":1}"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n",
			      "1\r\n<\r\n" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "4\r\n<s:E\r\n0\r\n\r\n"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "4\r\n<s:E9\r\nnvelope>\r\n"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "4\r\n<s:E\r\nx\r\nnvelope>\r\n"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "zz\r\n"));
	expect_malformed(POST("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"));
	expect_malformed("POST\r\n\r\n");
	expect_malformed("HTTP/1.1 abc\r\n\r\n");
}

static enum parse probe(const char *text, bool datagram, uint16_t port)
{
	struct proto_input in = {.data = unit_exact(text, strlen(text)),
				 .port = {40000, port},
				 .datagram = datagram};
	enum parse got = sdc_proto.probe(&in);

	free((void *)in.data.data);
	return got;
}

static void beginnings_are_known(void **state)
{
	assert_int_equal(probe(HELLO, true, 9), PARSE_OK);
	assert_int_equal(probe("<a/>", true, 9), PARSE_BAD);
	assert_int_equal(probe("<a/>", true, 3702), PARSE_OK);
	assert_int_equal(probe("M-SEARCH * HTTP/1.1", true, 3702), PARSE_BAD);
	assert_int_equal(probe("POS", false, 80), PARSE_MORE);
	assert_int_equal(probe("PUT /", false, 80), PARSE_BAD);
	assert_int_equal(probe(POST("", ""), false, 80), PARSE_OK);
	assert_int_equal(probe("POST / HTTP/1.1\r\nHost: a\r\n\r\n", false, 80), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(discovery_is_told),
		cmocka_unit_test(all_matches_are_told),
		cmocka_unit_test(wide_discovery_is_read),
		cmocka_unit_test(a_broken_datagram_is_malformed),
		cmocka_unit_test(setting_is_control),
		cmocka_unit_test(chunks_are_read),
		cmocka_unit_test(chunks_may_end_anywhere),
		cmocka_unit_test(waves_are_long),
		cmocka_unit_test(the_unreadable_is_control),
		cmocka_unit_test(a_request_asks_for_one_thing),
		cmocka_unit_test(what_is_no_ascii_is_malformed),
		cmocka_unit_test(what_hides_is_malformed),
		cmocka_unit_test(beginnings_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
