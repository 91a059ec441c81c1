/*
 * SOAP as HTTP may carry it besides plain text: compressed, as the root of
 * several parts, in UTF-16, in chunks or not, and all of it at once. What is
 * asked for is known all the same, or it counts as anything.
 */
#include <zlib.h>

#include "talk.h"

#include "guard/proto/soap_body.h"

#define ENVELOPE(action, rest)                                                      \
	"<?xml version='1.0'?>\n<s:Envelope><s:Header><a:Action>urn:x/" action "</" \
	"a:Action></s:Header><s:Body><m:" action ">" rest "</m:" action "></s:Body></s:Envelope>"
#define SET                                           \
	ENVELOPE("SetValue", "<m:Value>37.5 \xc2\xb0" \
			     "C</m:Value>")
#define NEXT	  "GET / HTTP/1.1\r\n\r\n"
#define SOAP_TYPE "application/soap+xml; charset=utf-8"
#define MTOM(more)                                                                   \
	"Multipart/Related; boundary=\"=_b 1\"; type=\"application/xop+xml\"; " more \
	"start-info=\"application/soap+xml\""
#define IS_SET                                                                     \
	"{\"sdc\":{\"action\":\"SetValue\",\"action_uri\":\"urn:x/SetValue\","     \
	"\"body\":\"SetValue\",\"method\":\"POST\",\"control\":true}}\n{\"sdc\":{" \
	"\"method\":\"GET\"}}\n"
#define IS_ANYTHING                                                                           \
	"{\"sdc\":{\"action\":\"\",\"method\":\"POST\",\"unread\":true,\"control\":true}}\n{" \
	"\"sdc\":{\"method\":"                                                                \
	"\"GET\"}}\n"

struct body {
	uint8_t data[1 << 17];
	size_t len;
};

static struct body body, other;

static void add(struct body *b, const void *data, size_t len)
{
	assert_true(len <= sizeof(b->data) - b->len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void add_text(struct body *b, const char *text)
{
	add(b, text, strlen(text));
}

static void set_text(struct body *b, const char *text)
{
	b->len = 0;
	add_text(b, text);
}

static void compress_body(struct body *b, int bits)
{
	z_stream z = {.next_in = b->data, .avail_in = (uInt)b->len};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8, 0), Z_OK);
	z.next_out = other.data;
	z.avail_out = sizeof(other.data);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len = 0;
	add(b, other.data, sizeof(other.data) - z.avail_out);
	deflateEnd(&z);
}

/* The degree sign is the one character of two bytes. */
static void widen(struct body *b, bool big, bool marked)
{
	other.len = 0;
	if (marked)
		add(&other, big ? "\xfe\xff" : "\xff\xfe", 2);
	for (size_t i = 0; i < b->len; i++) {
		bool two = b->data[i] == 0xc2;
		uint8_t c = b->data[i += two], unit[2] = {big ? 0 : c, big ? c : 0};

		add(&other, unit, 2);
	}
	b->len = 0;
	add(b, other.data, other.len);
}

/* A request with that body, in chunks of at most `chunk` bytes, or by its length; and the next one. */
static struct talk_piece request(const char *type, const char *coding, size_t chunk)
{
	static struct body whole;
	char line[200];

	whole.len = 0;
	add_text(&whole, "POST /set HTTP/1.1\r\nContent-Type: ");
	add_text(&whole, type);
	snprintf(line, sizeof(line), "\r\n%s%s%s", coding ? "Content-Encoding: " : "",
		 coding ? coding : "", coding ? "\r\n" : "");
	add_text(&whole, line);
	if (!chunk) {
		snprintf(line, sizeof(line), "Content-Length: %zu\r\n\r\n", body.len);
		add_text(&whole, line);
		add(&whole, body.data, body.len);
	} else {
		add_text(&whole, "Transfer-Encoding: chunked\r\n\r\n");
	}
	for (size_t at = 0; chunk && at < body.len; at += chunk) {
		size_t n = body.len - at < chunk ? body.len - at : chunk;

		snprintf(line, sizeof(line), "%zx\r\n", n);
		add_text(&whole, line);
		add(&whole, body.data + at, n);
		add_text(&whole, "\r\n");
	}
	add_text(&whole, chunk ? "0\r\n\r\n" NEXT : NEXT);
	return (struct talk_piece){0, whole.data, whole.len};
}

static void expect(const char *type, const char *coding, const char *expected)
{
	static const size_t chunks[] = {0, 1, 2, 100, 5000};

	for (unsigned i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct talk_piece piece = request(type, coding, chunks[i]);

		talk_expect("sdc", false, &piece, 1, expected);
	}
}

/* What is not one message of SOAP, or is two. */
static void refuse(const char *type, const char *coding)
{
	struct talk_record *r = malloc(sizeof(*r));

	for (size_t chunk = 0; chunk < 200; chunk += 99) {
		struct talk_piece piece = request(type, coding, chunk);

		talk_seed("sdc", false, &piece, 1);
		for (size_t cut = 0; cut < 3; cut++) {
			talk_play(r, "sdc", false, &piece, 1, cut);
			if (!strstr(r->said, "\"reason\":\"sdc.malformed\"") ||
			    r->last != PARSE_BAD)
				fail_msg("chunks of %zu, cut at %zu: %s", chunk, cut, r->said);
		}
	}
	free(r);
}

static void the_compressed_is_read(void **state)
{
	set_text(&body, SET);
	compress_body(&body, 15 + 16);
	expect(SOAP_TYPE, "gzip", IS_SET);
	expect(SOAP_TYPE, "X-GZip", IS_SET);
	set_text(&body, SET);
	compress_body(&body, 15);
	expect(SOAP_TYPE, "deflate", IS_SET);
	set_text(&body, SET);
	compress_body(&body, -15);
	expect(SOAP_TYPE, "deflate", IS_SET);
}

static void the_wide_is_read(void **state)
{
	for (unsigned how = 0; how < 4; how++) {
		set_text(&body, SET);
		widen(&body, how & 1, how & 2);
		expect("application/soap+xml; charset=utf-16", NULL, IS_SET);
		compress_body(&body, 15 + 16);
		expect(SOAP_TYPE, "gzip", IS_SET);
	}
}

#define PART(head, text) "--=_b 1\r\n" head "\r\n" text "\r\n"
#define ROOT		 "Content-Type: application/xop+xml\r\nContent-ID: <root@x>\r\n"
#define PICTURE		 PART("Content-ID: <2@x>\r\nContent-Transfer-Encoding: base64\r\n", "AAAA")
#define END		 "--=_b 1--\r\n"

#define PCD_HEADER "MSH|^~\\&amp;|PUMP|WARD|EHR|MAIN|2026||"
#define PCD(text)                                                                             \
	"<s:Envelope><s:Header><a:Action>urn:ihe:pcd:2010:CommunicatePCDData</a:Action>"      \
	"</s:Header><s:Body><p:CommunicatePCDData>" text "</p:CommunicatePCDData></s:Body></" \
	"s:Envelope>"
#define IS_PCD(more)                                                                     \
	"{\"sdc\":{\"action\":\"CommunicatePCDData\",\"action_uri\":\"urn:ihe:pcd:2010:" \
	"CommunicatePCDData\",\"body\":\"CommunicatePCDData\",\"method\":\"POST\"" more "}}\n"
#define IS_HL7(type, id) ",\"hl7\":{\"message_type\":\"" type "\",\"control_id\":\"" id "\"}"
#define IS_NEXT		 "{\"sdc\":{\"method\":\"GET\"}}\n"

/* IHE PCD TF-2, 3.1 and 3.3 as a Web service: results and orders go to one address, by one action. */
static void hl7_inside_is_told(void **state)
{
	static const char *const orders[] = {
		PCD(PCD_HEADER "RGV^O15^RGV_O15|7|P|2.6\rPID|1\r"),
		PCD("<![CDATA[MSH|^~\\&|PUMP|WARD|EHR|MAIN|2026||RGV^O15^RGV_O15|7|P|2.6\rPID|1\r]]"
		    ">"),
		PCD("\n" PCD_HEADER "RGV^O15^RGV_O15|7|P|2.6&#xD;PID|1&#13;"),
		PCD("TVNIfF5+XCZ8TEFCfFdBUkR8RUhSfE1BSU58MjAyNnx8UkdWXk8xNXw3fFB8Mi41DQ=="),
	};

	for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		set_text(&body, orders[i]);
		expect(SOAP_TYPE, NULL, IS_PCD() IS_PCD(IS_HL7("RGV^O15", "7")) IS_NEXT);
		compress_body(&body, 15 + 16);
		expect(SOAP_TYPE, "gzip", IS_PCD(IS_HL7("RGV^O15", "7")) IS_NEXT);
		set_text(&body, PART(ROOT, PCD("<xop:Include href='cid:2@x'/>"))
					PART("Content-ID: <2@x>\r\n",
					     "MSH|^~\\&|||||||RGV^O15|7|P|2.6\r") END);
		expect(MTOM(""), NULL, IS_PCD(IS_HL7("RGV^O15", "7")) IS_NEXT);
	}
	/* The next one is told, too, behind a first one of another kind. */
	set_text(&body, PCD(PCD_HEADER "ORU^R01|1|P|2.6\rPID|1\r" PCD_HEADER "RGV^O15|7|P|2.6\r"));
	expect(SOAP_TYPE, NULL,
	       IS_PCD() IS_PCD(IS_HL7("ORU^R01", "1")) IS_PCD(IS_HL7("RGV^O15", "7")) IS_NEXT);
}

static void the_root_of_parts_is_read(void **state)
{
	set_text(&body, "\r\n" PART(ROOT, SET) PICTURE END);
	expect(MTOM(""), NULL, IS_SET);
	set_text(&body,
		 "nothing\r\n" PICTURE PART(ROOT "Content-Transfer-Encoding: binary\r\n", SET) END);
	expect(MTOM("start=\"<root@x>\"; "), NULL, IS_SET);
	compress_body(&body, 15 + 16);
	expect(MTOM("start=root@x; "), "gzip", IS_SET);
	set_text(&body, SET);
	widen(&body, false, true);
	set_text(&other, PART(ROOT, ""));
	other.len -= 2;
	add(&other, body.data, body.len);
	add_text(&other, "\r\n" END);
	body.len = 0;
	add(&body, other.data, other.len);
	expect(MTOM(""), NULL, IS_SET);
}

static void two_ways_to_read_are_none(void **state)
{
	/* two roots, none, no end, one that is encoded, one of another boundary */
	set_text(&body, PART(ROOT, ENVELOPE("GetMdib", "")) PART(ROOT, SET) END);
	refuse(MTOM("start=\"<root@x>\"; "), NULL);
	refuse(MTOM("start=\"<other@x>\"; "), NULL);
	set_text(&body, PART(ROOT, SET));
	refuse(MTOM(""), NULL);
	set_text(&body, PART(ROOT "Content-Transfer-Encoding: base64\r\n", SET) END);
	refuse(MTOM(""), NULL);
	set_text(&body, "--=_b 2\r\n\r\n" ENVELOPE("GetMdib", "") "\r\n--=_b 2--\r\n");
	refuse(MTOM(""), NULL);

	/* more than a member, what is none, half a character, two bodies */
	set_text(&body, ENVELOPE("GetMdib", ""));
	compress_body(&body, 15 + 16);
	add(&body, body.data, body.len);
	refuse(SOAP_TYPE, "gzip");
	set_text(&body, SET);
	refuse(SOAP_TYPE, "gzip");
	widen(&body, true, true);
	body.len--;
	refuse(SOAP_TYPE, NULL);
	set_text(&body,
		 "<s:Envelope><s:Header><a:Action>urn:x/GetMdib</a:Action></s:Header><s:Body>"
		 "<m:GetMdib/><m:SetValue/></s:Body></s:Envelope>");
	widen(&body, true, false);
	refuse(SOAP_TYPE, NULL);
	compress_body(&body, 15 + 16);
	refuse(SOAP_TYPE, "gzip");
}

/* It may be anything, and is passed over. */
static void too_much_is_anything(void **state)
{
	static char text[400000];
	size_t len;

	set_text(&body, SET);
	expect(SOAP_TYPE, "br", IS_ANYTHING);
	expect(SOAP_TYPE, "gzip, gzip", IS_ANYTHING);
	expect(MTOM("boundary=x; "), NULL, IS_ANYTHING);
	expect(MTOM("start=\"<a\\\"b>\"; "), NULL, IS_ANYTHING);

	/* a bomb */
	len = (size_t)snprintf(text, sizeof(text),
			       "<s:Envelope><s:Header><a:Action>urn:x/GetMdib"
			       "</a:Action></s:Header><s:Body><m:GetMdib>");
	memset(text + len, ' ', sizeof(text) - len);
	z_stream z = {.next_in = (uint8_t *)text, .avail_in = sizeof(text)};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
	z.next_out = body.data;
	z.avail_out = sizeof(body.data);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	body.len = sizeof(body.data) - z.avail_out;
	deflateEnd(&z);
	expect(SOAP_TYPE, "gzip", IS_ANYTHING);

	/* more than is held, by its length, by its chunks, by one of them */
	memset(body.data, 0, SOAP_BODY_MAX + 1);
	memcpy(body.data, "\xff\xfe<\0", 4);
	body.len = SOAP_BODY_MAX + 1;
	for (size_t chunk = 0; chunk <= 2 * SOAP_BODY_MAX; chunk += SOAP_BODY_MAX / 2) {
		struct talk_record *r = malloc(sizeof(*r));
		struct talk_piece piece = request(SOAP_TYPE, NULL, chunk);

		for (size_t cut = 0; cut < 4000; cut += 1400) {
			talk_play(r, "sdc", false, &piece, 1, cut);
			assert_string_equal(r->said, IS_ANYTHING);
		}
		free(r);
	}
}

/* An answer is told though it cannot be read; nothing is asked for in it. */
static void answers_are_read_as_far_as_they_can_be(void **state)
{
	static struct body text;
	struct talk_piece piece = {1, text.data, 0};

	set_text(&body, ENVELOPE("GetMdibResponse", "<m:Mdib/>"));
	compress_body(&body, 15 + 16);
	set_text(&text, "HTTP/1.1 200 OK\r\nContent-Type: " SOAP_TYPE
			"\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
	text.len += (size_t)sprintf((char *)text.data + text.len, "%zx\r\n", body.len);
	add(&text, body.data, body.len);
	add_text(&text, "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: " SOAP_TYPE
			"\r\nContent-Encoding: gzip\r\n\r\n");
	add(&text, body.data, body.len);
	piece.len = text.len;
	talk_expect("sdc", false, &piece, 1,
		    "{\"sdc\":{\"action\":\"GetMdibResponse\",\"action_uri\":\"urn:x/"
		    "GetMdibResponse\",\"body\":\"GetMdibResponse\",\"status\":200}}\n"
		    "{\"sdc\":{\"action\":\"\",\"status\":200}}\n");
}

/* What an HTTP head says decides whose message it is. */
static void types_are_known(void **state)
{
	static const struct {
		const char *type;
		bool soap;
	} types[] = {
		{"application/soap+xml", true},
		{"Application/SOAP+XML;action=\"a;b\"", true},
		{"application/xml", false},
		{"", false},
		{"multipart/related", false},
		{MTOM(""), true},
		{"multipart/related;boundary=b;type=application/soap+xml", true},
		{"multipart/related;boundary=\";type=application/soap+xml;\"", false},
		{"multipart/related; type=\"application/dicom\"; boundary=b", false},
		{"multipart/mixed; type=\"application/soap+xml\"", false},
	};

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct bytes b = unit_exact(types[i].type, strlen(types[i].type));

		assert_int_equal(soap_is_type(b), types[i].soap);
		free((void *)b.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_compressed_is_read),
		cmocka_unit_test(hl7_inside_is_told),
		cmocka_unit_test(the_wide_is_read),
		cmocka_unit_test(the_root_of_parts_is_read),
		cmocka_unit_test(two_ways_to_read_are_none),
		cmocka_unit_test(too_much_is_anything),
		cmocka_unit_test(answers_are_read_as_far_as_they_can_be),
		cmocka_unit_test(types_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
