/*
 * What is in a message of HTTP: programs in images, kinds of images that are stored, HL7,
 * FHIR's requests; plain, in chunks, in parts, compressed, and where no sight reaches.
 */
#include <zlib.h>

#include "http_kit.h"

static void a_program_is_seen_by_its_first_bytes(void **state)
{
	expect("GET /a.jpg HTTP/1.1\r\n\r\n",
	       "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: "
	       "image/jpeg\r\n\r\n\177ELF1234",
	       "{\"http\":{\"url\":\"/a.jpg\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\"}}\n"
	       "{\"http\":{\"url\":\"/a.jpg\",\"http_content_type\":\"image/jpeg\","
	       "\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"length\":8}}\n"
	       "{\"http\":{\"program\":\"ELF\"}}\n");
}

/* However the body is cut, the program in front of an image is found. */
static void an_image_with_a_program_is_seen(void **state)
{
	char answer[400] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n84\r\n";
	size_t head = strlen(answer);
	struct talk_piece pieces[] = {{0, "GET /i.dcm HTTP/1.1\r\n\r\n", 23},
				      {1, answer, head + 134}};

	memcpy(answer + head, "MZ", 2);
	memcpy(answer + head + 128, "DICM\r\n", 6);
	talk_expect(
		"http", false, pieces, 2,
		"{\"http\":{\"url\":\"/i.dcm\",\"http_method\":\"GET\",\"protocol\":\"HTTP/"
		"1.1\"}}\n"
		"{\"http\":{\"url\":\"/i.dcm\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\","
		"\"status\":200,\"chunked\":true}}\n"
		"{\"http\":{\"program\":\"PE\"}}\n"
		"{\"http\":{\"program\":\"PE\"},\"reason\":\"dicom.preamble_executable\"}\n");
}

/* Into `to`, a part of DICOMweb with an image that begins with `start`; how long it is. */
static size_t put_part(char *to, const char *head, const char *start)
{
	size_t len = (size_t)sprintf(to, "%s", head);

	memset(to + len, 0, 140);
	memcpy(to + len, start, strlen(start));
	memcpy(to + len + 128, "DICM\2\0\0\0UL\4\0", 12);
	return len + 140;
}

/* Two images and their boundaries, the second one a program too. */
static size_t put_parts(char *to)
{
	size_t len = put_part(to, "--b \t\r\nContent-Type: application/dicom\r\n\r\n", "II*");

	len += put_part(to + len, "\r\n--b\nContent-Type: application/dicom\n\n", "MZ\n\n");
	return len + (size_t)sprintf(to + len, "\r\n--b--\r\n");
}

static void expect_in_parts(const char *fields, bool chunked)
{
	char text[2048], parts[1024];
	size_t size = put_parts(parts);
	int len = sprintf(text, "POST /dicom-web/studies HTTP/1.1\r\n%s", fields);

	len += chunked ? sprintf(text + len, "Transfer-Encoding: chunked\r\n\r\n")
		       : sprintf(text + len, "Content-Length: %zu\r\n\r\n", size);
	for (size_t at = 0, n; at < size; at += n) {
		n = !chunked || size - at < 100 ? size - at : 100;
		len += chunked ? sprintf(text + len, "%zx\r\n", n) : 0;
		memcpy(text + len, parts + at, n);
		len += (int)n;
		len += chunked ? sprintf(text + len, "\r\n") : 0;
	}
	len += sprintf(text + len, "%sGET /next HTTP/1.1\r\n\r\n", chunked ? "0\r\n\r\n" : "");
	for (size_t cut = 0; cut < 300; cut += cut < 3 ? 1 : 70) {
		const struct talk_piece piece = {0, text, (size_t)len};

		if (!cut)
			talk_seed("http", false, &piece, 1);
		talk_play(r, "http", false, &piece, 1, cut);
		assert_says(r, "{\"http\":{\"program\":\"PE\"},\"reason\":\"dicom.preamble_"
			       "executable\"}\n{\"http\":{\"url\":\"/next\"");
		assert_int_equal(seed_count(r, "reason"), 1);
	}
}

/* STOW-RS, and a form that uploads images (PS3.18 §8.6.1.2, RFC 7578): what the boundary is does not count. */
static void an_image_among_others_is_seen(void **state)
{
	for (unsigned chunked = 0; chunked < 2; chunked++) {
		expect_in_parts("Content-Type: multipart/related; type=\"application/dicom\"; "
				"boundary=\"b\"\r\n",
				chunked);
		expect_in_parts("Content-Type: Multipart/Form-Data\r\n", chunked);
		expect_in_parts("Content-Type: text/plain\r\nContent-Type: multipart/related\r\n",
				chunked);
	}
}

/* WADO-RS, which gives parts to who asks, here to the end of the connection. */
static void an_answer_in_parts_is_seen(void **state)
{
	char text[2048] = "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; "
			  "type=\"application/dicom\"; boundary=b\r\n\r\n";
	size_t head = strlen(text);
	struct talk_piece pieces[] = {{0, "GET /studies/1 HTTP/1.1\r\n\r\n", 27}, {1, text, 0}};

	pieces[1].len = head + put_parts(text + head);
	talk_expect("http", false, pieces, 2,
		    "{\"http\":{\"url\":\"/studies/1\",\"http_method\":\"GET\","
		    "\"protocol\":\"HTTP/1.1\"}}\n"
		    "{\"http\":{\"url\":\"/studies/1\",\"http_content_type\":\"multipart/related\","
		    "\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\",\"status\":200}}\n"
		    "{\"http\":{\"url\":\"/studies/1\",\"http_method\":\"GET\",\"sop_class\":\"\","
		    "\"sop_class_uid\":\"\"}}\n"
		    "{\"http\":{\"program\":\"PE\"},\"reason\":\"dicom.preamble_executable\"}\n");
}

static size_t deflate_all(int bits, const char *plain, size_t len, char *to, size_t max)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)plain,
		      .avail_in = (uInt)len,
		      .next_out = (Bytef *)to,
		      .avail_out = (uInt)max};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

/* What is told of a compressed body besides its request and the one behind it. */
static void expect_within(const char *fields, int bits, bool chunked, struct bytes plain,
			  const char *said)
{
	char packed[8192], text[8192];
	size_t size =
		deflate_all(bits, (const char *)plain.data, plain.len, packed, sizeof(packed));
	int len = sprintf(text, "POST /instances HTTP/1.1\r\n%s", fields);

	len += sprintf(text + len,
		       chunked ? "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
			       : "Content-Length: %zu\r\n\r\n",
		       size);
	memcpy(text + len, packed, size);
	len += (int)size;
	len += sprintf(text + len, "%sGET /next HTTP/1.1\r\n\r\n", chunked ? "\r\n0\r\n\r\n" : "");
	for (size_t cut = 0; cut < 300; cut += cut < 3 ? 1 : 70) {
		const struct talk_piece piece = {0, text, (size_t)len};

		if (!cut)
			talk_seed("http", false, &piece, 1);
		talk_play(r, "http", false, &piece, 1, cut);
		assert_says(r, said);
		assert_says(r, "{\"http\":{\"url\":\"/next\"");
		assert_int_equal(seed_count(r, "reason"), strstr(said, "reason") != NULL);
	}
}

#define CT_CLASS "1.2.840.10008.5.1.4.1.1.2"
#define SR_CLASS "1.2.840.10008.5.1.4.1.1.88.11"
#define CT_SAID	 "\"sop_class\":\"CT Image Storage\",\"sop_class_uid\":\"" CT_CLASS "\"}}\n"
#define SR_SAID	 "\"sop_class\":\"Basic Text SR Storage\",\"sop_class_uid\":\"" SR_CLASS "\"}}\n"
#define UNKNOWN	 "\"sop_class\":\"\",\"sop_class_uid\":\"\"}}\n"
#define STORED	 "{\"http\":{\"hostname\":\"pacs\",\"url\":\"/studies\",\"http_method\":\"POST\","

/* A file of that kind, behind what a part begins with. */
static size_t put_kind(char *to, const char *before, const char *uid)
{
	static const char meta[] = "DICM\2\0\0\0UL\4\0\x4c\0\0\0"
				   "\2\0\1\0OB\0\0\2\0\0\0\0\1\2\0\2\0UI";
	size_t len = (size_t)sprintf(to, "%s", before), n = strlen(uid) + strlen(uid) % 2;

	memset(to + len, 0, 300);
	memcpy(to + len + 128, meta, sizeof(meta) - 1);
	len += 128 + sizeof(meta) - 1;
	to[len] = (char)n;
	memcpy(to + len + 2, uid, strlen(uid));
	return len + 2 + n;
}

static void expect_kinds(const char *fields, struct bytes body, const char *said)
{
	char text[4096];
	int len = sprintf(text,
			  "POST /studies HTTP/1.1\r\nHost: pacs\r\n%sContent-Length: %zu\r\n\r\n",
			  fields, body.len);

	memcpy(text + len, body.data, body.len);
	len += (int)body.len;
	len += sprintf(text + len, "GET /next HTTP/1.1\r\n\r\n");
	for (size_t cut = 0; cut < 400; cut += cut < 3 ? 1 : 70) {
		const struct talk_piece piece = {0, text, (size_t)len};
		const char *at;

		if (!cut)
			talk_seed("http", false, &piece, 1);
		talk_play(r, "http", false, &piece, 1, cut);
		at = strchr(r->said, '\n') + 1;
		if (strncmp(at, said, strlen(said)))
			fail_msg("cut at %zu: %s", cut, r->said);
		at += strlen(said);
		if (strncmp(at, "{\"http\":{\"url\":\"/next\"", 22))
			fail_msg("cut at %zu: %s", cut, r->said);
	}
}

/* PS3.10 §7.1, (0002,0002): of each image in what is stored, by itself and as parts. */
static void what_is_stored_is_told(void **state)
{
	static const char in_parts[] = "Content-Type: multipart/related\r\n";
	char body[2048];
	size_t len = put_kind(body, "", CT_CLASS);

	expect_kinds("", (struct bytes){(uint8_t *)body, len + 200}, STORED CT_SAID);
	len = put_kind(body, "--b\r\n\r\n", CT_CLASS);
	len += put_kind(body + len, "\r\n--b\r\n\r\n", SR_CLASS);
	expect_kinds(in_parts, (struct bytes){(uint8_t *)body, len + 9},
		     STORED CT_SAID STORED SR_SAID);
	/* A kind of a maker's own; what is no UID; another head where a kind should be. */
	len = put_kind(body, "\n", "1.2.826.0.1.3680043.10.1337");
	expect_kinds(in_parts, (struct bytes){(uint8_t *)body, len},
		     STORED "\"sop_class\":\"1.2.826.0.1.3680043.10.1337\",\"sop_class_uid\":"
			    "\"1.2.826.0.1.3680043.10.1337\"}}\n");
	len = put_kind(body, "\n", "CT Image");
	expect_kinds(in_parts, (struct bytes){(uint8_t *)body, len}, STORED UNKNOWN);
	len = put_kind(body, "\n", CT_CLASS);
	body[133 + 12] = '\n';
	memcpy(body + 133 + 13 + 128, "DICM", 4);
	expect_kinds(in_parts, (struct bytes){(uint8_t *)body, len + 150},
		     STORED UNKNOWN STORED UNKNOWN);
}

/* Compressed, all at once: what they have in common. */
static void what_is_stored_compressed_is_told(void **state)
{
	static const char in_parts[] =
		"Content-Type: multipart/related\r\nContent-Encoding: gzip\r\n";
	char body[2048], packed[2048];
	const char *kinds[][3] = {{CT_CLASS, CT_CLASS, STORED CT_SAID},
				  {CT_CLASS, SR_CLASS, STORED UNKNOWN},
				  {"1.2.3", "1.2.4", STORED UNKNOWN}};
	size_t len = put_kind(body, "", SR_CLASS);

	len = deflate_all(15 + 16, body, len + 100, packed, sizeof(packed));
	expect_kinds("Content-Encoding: gzip\r\n", (struct bytes){(uint8_t *)packed, len},
		     STORED SR_SAID);
	for (unsigned i = 0; i < 3; i++) {
		len = put_kind(body, "--b\r\n\r\n", kinds[i][0]);
		len += put_kind(body + len, "\r\n--b\r\n\r\n", kinds[i][1]);
		len = deflate_all(15 + 16, body, len, packed, sizeof(packed));
		expect_kinds(in_parts, (struct bytes){(uint8_t *)packed, len}, kinds[i][2]);
	}
}

#define HL7_TYPED  "Content-Type: application/hl7-v2; charset=UTF-8\r\n"
#define HL7_HEADER "MSH|^~\\&|LAB|WARD|EHR|MAIN|2026||"
#define HL7_SAID(type, id) \
	STORED "\"hl7\":{\"message_type\":\"" type "\",\"control_id\":\"" id "\"}}}\n"

#define HL7_BLANK STORED "\"hl7\":{\"message_type\":\"\"}}}\n"

static void expect_hl7(const char *fields, const char *body, const char *said)
{
	expect_kinds(fields, (struct bytes){(const uint8_t *)body, strlen(body)}, said);
}

/* As HAPI and others send it: the message is the body. */
static void hl7_is_told_by_its_type(void **state)
{
	expect_hl7(HL7_TYPED, HL7_HEADER "ORU^R01^ORU_R01|7|P|2.5\rPID|1\r",
		   HL7_SAID("ORU^R01", "7"));
	expect_hl7(HL7_TYPED, "\v" HL7_HEADER "ORU^R01|7|P|2.5\r\x1c\r", HL7_SAID("ORU^R01", "7"));
	expect_hl7(HL7_TYPED, HL7_HEADER "ADT^A08^ADT_A39|7|P|2.5",
		   STORED "\"hl7\":{\"message_type\":\"ADT^A08\",\"type_by_structure\":\"ADT^A39\","
			  "\"control_id\":\"7\"}}}\n");
	expect_hl7("Content-Type: application/hl7-v2+xml\r\n",
		   "<ACK><MSH><MSH.9><MSG.1>ACK</MSG.1></MSH.9><MSH.10>7</MSH.10></MSH></ACK>",
		   HL7_SAID("ACK", "7"));
	/* Several messages, of one type or not. */
	expect_hl7(HL7_TYPED, HL7_HEADER "ORU^R01|7|P|2.5\r" HL7_HEADER "ORU^R01|8|P|2.5\r",
		   HL7_SAID("ORU^R01", "7"));
	expect_hl7(HL7_TYPED, HL7_HEADER "ORU^R01|7|P|2.5\n" HL7_HEADER "ORM^O01|8|P|2.5\n",
		   HL7_SAID("", "7"));
	expect_hl7(HL7_TYPED, "no\rmessage", HL7_BLANK);
	expect_hl7(HL7_TYPED, "\v" HL7_HEADER "ORU^R01||P|2.5\rOBX|1\r\v" HL7_HEADER "RGV^O15",
		   HL7_BLANK);
}

/* Many receivers take what is posted for a message, whatever its type says. */
static void hl7_is_told_by_its_beginning(void **state)
{
	static const char *const types[] = {"Content-Type: text/plain\r\n", "",
					    "Content-Type: application/edi-hl7\r\n"};
	static const char *const before[] = {"", "\v", "\xef\xbb\xbf", "\r\n"};
	static const char *const none[] = {"",	   "\n",  "MSH", "MSHELL|", "{\"MSH|^\": 1}",
					   "<a/>", "<ORU"};
	char body[200], packed[200];
	size_t len;

	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 4; k++) {
			sprintf(body, "%s" HL7_HEADER "RGV^O15|7|P|2.5\r", before[k]);
			expect_hl7(types[i], body, HL7_SAID("RGV^O15", "7"));
		}
	expect_hl7("Content-Type: text/xml\r\n",
		   "<?xml "
		   "version=\"1.0\"?>\n<RGV_O15><MSH><MSH.9><MSG.1>RGV</MSG.1><MSG.2>O15</MSG.2></"
		   "MSH.9>"
		   "<MSH.10>7</MSH.10></MSH></RGV_O15>",
		   HL7_SAID("RGV^O15", "7"));
	memset(body, '\n', sizeof(body)); /* which a receiver trims */
	strcpy(body + 20, HL7_HEADER "RGV^O15|7|P|2.5\r");
	expect_hl7("", body, HL7_SAID("RGV^O15", "7"));
	len = deflate_all(15 + 16, body, 20 + strlen(body + 20), packed, sizeof(packed));
	expect_kinds("Content-Encoding: gzip\r\n", (struct bytes){(uint8_t *)packed, len},
		     HL7_SAID("RGV^O15", "7"));
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect_hl7("Content-Type: text/plain\r\n", none[i], "");
}

#define FORM	 "Content-Type: application/x-www-form-urlencoded\r\n"
#define PARTS	 "Content-Type: multipart/form-data; boundary=b\r\n"
#define JSON	 "Content-Type: application/json\r\n"
#define SOAP	 "Content-Type: text/xml\r\n"
#define ORDER	 "RGV^O15|7|P|2.5\r"
#define ORDER_64 "TVNIfF5+XCZ8TEFCfFdBUkR8RUhSfE1BSU58MjAyNnx8UkdWXk8xNXw3fFB8Mi41DQ=="
/* "FHS|^~\&|a", a line's end, and the order behind it. */
#define BATCH_64 "RkhTfF5+XCZ8YQ1NU0h8Xn5cJnxMQUJ8V0FSRHxFSFJ8TUFJTnwyMDI2fHxSR1ZeTzE1fDd8UHwyLjUN"

/* In the words of whoever carries it. */
static void hl7_inside_is_told(void **state)
{
	static const struct {
		const char *fields, *body;
	} orders[] = {
		{PARTS,
		 "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nno\r\n--b\r\n\r\n" HL7_HEADER
			 ORDER "\r\n--b--\r\n"},
		{PARTS, "--b\r\n\r\n\v" HL7_HEADER ORDER "\x1c\r\r\n--b--\r\n"},
		{PARTS,
		 "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" ORDER_64 "\r\n--b--\r\n"},
		{PARTS,
		 "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" BATCH_64 "\r\n--b--\r\n"},
		{PARTS, "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
			"MSH|^~\\&|LAB|WARD|EHR|MAIN|2026=\r\n||RGV=5EO15|7|P|2.5=0DPID|1=0D\r\n--"
			"b--\r\n"},
		{FORM, "a=b&hl7=MSH%7C%5E~%5C%26%7CLAB%7CWARD%7CEHR%7CMAIN%7C2026%7C%7CRGV%5EO15%"
		       "7C7%7CP%7C2.5%0D"},
		{FORM, "hl7=%4d%53%48%7C%5E%7E%5C%26%7C%7C%7C%7C%7C%7C%7CRGV%5EO15%7C7"},
		{FORM, "hl7=" HL7_HEADER ORDER},
		{FORM, "hl7=" ORDER_64},
		{JSON, "{\"a\":[{\"hl7\":\"MSH|^~\\\\&|LAB|WARD|EHR|MAIN|2026||RGV^O15|7|P|2."
		       "5\\rPID|1\\r\"}]}"},
		{JSON,
		 "{\"hl7\":\"\\u004dSH\\u007c^~\\u005c&\\u007c\\u007c\\u007c\\u007c\\u007c\\u007c"
		 "\\u007cRGV^O15\\u007c7\\u007cP\"}\r"},
		{JSON, "{\"resourceType\":\"Binary\",\"data\":\"" ORDER_64 "\"}"},
		{SOAP,
		 "<Envelope><Body><CommunicatePCDData>MSH|^~\\&amp;|LAB|WARD|EHR|MAIN|2026||" ORDER
		 "OBX|1</CommunicatePCDData></Body></Envelope>"},
		{SOAP, "<Envelope><Body><c><![CDATA[" HL7_HEADER ORDER "]]></c></Body></Envelope>"},
		{SOAP, "<Envelope><Body><c>MSH&#x7C;^~\\&#38;&#0000000000124;&#124;&#124;&#124;&#"
		       "124;&#x7c;"
		       "&#124;RGV^O15&#124;7</c></Body></Envelope>"},
		{SOAP, "<Document>\r\n  " ORDER_64 "\r\n</Document>"},
		{SOAP,
		 "<Document>TVNIfF5+XCZ8TEFCfFdBUkR8RUhSfE1B\r\n\tSU58MjAyNnx8UkdWXk8xNXw3fFB8Mi41"
		 "</Document>"},
		{"", "a line\nMSH|^~\\&#|LAB|WARD|EHR|MAIN|2026||" ORDER},
	};
	/* Who reads escapes and who does not read two headers; of a message in XML no type is told. */
	static const struct {
		const char *fields, *body;
	} unsure[] = {
		{FORM, "hl7=MSH|^~\\&|A%7CB|WARD|EHR|MAIN|2026||ORU^R01|RGV^O15|7\r"},
		{SOAP, "<c>MSH|^~\\&amp;|A&#124;B|WARD|EHR|MAIN|2026||ORU^R01|RGV^O15|7\r</c>"},
		{SOAP, "<c><ORU_R01 xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.9/></MSH></ORU_R01></c>"},
		{JSON, "{\"a\":\"MSH|^~\\\\&|||||||ORU^R01|7|P\",\"b\":\"" ORDER_64 "\"}"},
	};
	static const struct {
		const char *fields, *body;
	} none[] = {
		{PARTS, "--b\r\n\r\nxMSH|^~\\&|LAB|WARD|EHR|MAIN|2026||" ORDER "\r\n--b--\r\n"},
		{JSON, "{\"MSH\":\"|\",\"data\":\"MSH\",\"b\":\"MSH|\"}"},
		{"Content-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n",
		 "--b\r\n\r\n" HL7_HEADER ORDER "\r\n--b--\r\n"},
	};

	for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		expect_hl7(orders[i].fields, orders[i].body, HL7_SAID("RGV^O15", "7"));
	for (unsigned i = 0; i < sizeof(unsure) / sizeof(unsure[0]); i++)
		expect_hl7(unsure[i].fields, unsure[i].body, HL7_BLANK);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect_hl7(none[i].fields, none[i].body, "");
	expect_hl7(PARTS,
		   "--b\r\n\r\n" HL7_HEADER "ORU^R01|1|P|2.5\r\r\n--b\r\n\r\n" HL7_HEADER ORDER
		   "\r\n--b--\r\n",
		   HL7_SAID("ORU^R01", "1") HL7_SAID("RGV^O15", "7"));
}

#define FHIR_JSON "Content-Type: application/fhir+json\r\n"
#define FHIR_XML  "Content-Type: application/fhir+xml\r\n"
#define ASKS(method, url) \
	STORED "\"fhir\":{\"method\":\"" method "\",\"url\":\"" url "\"},\"control\":true}}\n"
#define READS(method, url) STORED "\"fhir\":{\"method\":\"" method "\",\"url\":\"" url "\"}}}\n"
#define BUNDLE(entries)	   "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[" entries "]}"
#define XML_BUNDLE(entries)                                                                  \
	"<?xml version='1.0'?>\n<Bundle xmlns=\"http://hl7.org/fhir\"><!-- it's -->" entries \
	"</Bundle>"

/* R4 §3.1.0.11: each entry of a Bundle asks for something, below the base that it is posted to. */
static void bundles_are_read(void **state)
{
	static const char nothing[] = "{\"request\":{\"reference\":\"ServiceRequest/1\"},"
				      "\"method\":\"DELETE\",\"url\":\"Patient/1\"}";
	char packed[1000];
	const char *two = BUNDLE("{\"request\":{\"method\":\"GET\",\"url\":\"Patient?name=x\"}},"
				 "{\"request\":{\"method\":\"GET\",\"url\":\"Observation\"}}");
	size_t len = deflate_all(15 + 16, two, strlen(two), packed, sizeof(packed));

	expect_hl7(FHIR_JSON,
		   BUNDLE("{\"resource\":{\"text\":\"a \\\"request\\\":{\"},\"request\" : { "
			  "\"method\": "
			  "\"PUT\", "
			  "\"url\":\"Patient/1\"}},{\"request\":{\"url\":\"Observation?code=a\","
			  "\"extension\":[{\"url\":\"http://x/"
			  "y\"}],\"ifMatch\":\"1\",\"method\":\"GET\"}}"),
		   ASKS("PUT", "/studies/Patient/1") READS("GET", "/studies/Observation"));
	expect_hl7(FHIR_XML,
		   XML_BUNDLE("<entry><request><extension url=\"Observation/1\"/><method id='GET' "
			      "value = \"DELETE\"/><url value='Patient/1'/></request></entry>"
			      "<f:entry><f:request><f:method value=\"GET\"/><f:url "
			      "value=\"http://pacs/r4/Patient\"/></f:request></f:entry>"),
		   ASKS("DELETE", "/studies/Patient/1") READS("GET", "http://pacs/r4/Patient"));
	/* What could be read in two ways, or in none. */
	expect_hl7(FHIR_JSON,
		   BUNDLE("{\"request\":{\"method\":\"GET\",\"method\":\"PUT\",\"url\":\"a\"}}"),
		   ASKS("", ""));
	expect_hl7(FHIR_JSON, BUNDLE("{\"request\":{\"method\":\"GET\",\"url\":\"../a\"}}"),
		   READS("GET", ""));
	expect_hl7(FHIR_JSON, "{\"re\\u0071uest\":{\"method\":\"PUT\"}}", ASKS("", ""));
	expect_hl7(FHIR_JSON, "{\"gr\\u00f6\\u00dfe\":1}", "");
	expect_hl7(FHIR_XML, XML_BUNDLE("<![CDATA[<]]>"), ASKS("", ""));
	expect_hl7("Content-Type: text/xml\r\n", "<Envelope><![CDATA[<]]></Envelope>", "");
	expect_hl7(FHIR_JSON, nothing, "");
	expect_kinds(FHIR_JSON "Content-Encoding: gzip\r\n", (struct bytes){(uint8_t *)packed, len},
		     READS("GET", ""));
}

/* However small the chunks are, and however long the lines between them. */
static void hl7_in_chunks_is_told(void **state)
{
	static const char order[] = HL7_HEADER "RGV^O15|7|P|2.5\r";
	static const char *const lines[] = {"1\r\n",
					    "1;x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"};
	char text[8192];

	for (unsigned i = 0; i < 2; i++) {
		int len = sprintf(text,
				  "POST /oru HTTP/1.1\r\nHost: lis\r\n"
				  "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
		struct talk_piece piece = {0, text, 0};

		for (const char *c = order; *c; c++)
			len += sprintf(text + len, "%s%c\r\n", lines[i], *c);
		len += sprintf(text + len, "0\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
		piece.len = (size_t)len;
		talk_seed("http", false, &piece, 1);
		for (size_t cut = 0; cut < 300; cut += 7) {
			talk_play(r, "http", false, &piece, 1, cut);
			assert_says(r,
				    "\"hl7\":{\"message_type\":\"RGV^O15\",\"control_id\":\"7\"");
			assert_int_equal(seed_count(r, "hl7"), 1);
			assert_says(r, "\"/next\"");
		}
	}
}

#define LONG 100000

/* A document in a message, and another message behind that. */
static void long_hl7_is_told(void **state)
{
	static char text[LONG + 1000];

	for (unsigned i = 0; i < 4; i++) {
		bool chunked = i & 1, two = i & 2;
		size_t head = (size_t)sprintf(
			text, "POST /studies HTTP/1.1\r\nHost: pacs\r\n" HL7_TYPED "%s",
			chunked ? "Transfer-Encoding: chunked\r\n\r\n186a0\r\n"
				: "Content-Length: 100000\r\n\r\n");
		struct talk_piece piece = {0, text, 0};
		int begun;

		memset(text + head, 'M', LONG);
		begun = sprintf(text + head, HL7_HEADER "ORU^R01|7|P|2.5\rOBX|1|ED|");
		text[head + (size_t)begun] = 'M';
		text[head + 59992] = '\r'; /* of what is held the last */
		if (two)
			memcpy(text + head + 90000, "\rMSH", 4);
		piece.len = head + LONG;
		piece.len += (size_t)sprintf(text + piece.len, "%sGET /next HTTP/1.1\r\n\r\n",
					     chunked ? "\r\n0\r\n\r\n" : "");
		for (size_t cut = 0; cut < 30000; cut += 9973) {
			talk_play(r, "http", false, &piece, 1, cut);
			assert_says(r, HL7_SAID("ORU^R01", "7"));
			assert_says(r, "\"/next\"");
			assert_int_equal(seed_count(r, "\"message_type\":\"\""), two);
		}
	}
}

/* Orthanc, for one, inflates what it is given so. */
static void a_compressed_image_is_seen(void **state)
{
	static const char found[] =
		"{\"http\":{\"program\":\"PE\"},\"reason\":\"dicom.preamble_executable\"}\n";
	char parts[1024], image[4096 + 140];
	size_t size = put_parts(parts), len = put_part(image, "", "MZ");
	struct bytes whole = {(const uint8_t *)image, sizeof(image)};

	for (size_t i = len; i < sizeof(image); i++) /* pixels, that do not compress */
		image[i] = (char)(i * i * 40503 >> 7);
	for (unsigned chunked = 0; chunked < 2; chunked++) {
		expect_within("Content-Encoding: gzip\r\n", 15 + 16, chunked, whole, found);
		expect_within("Content-Encoding: deflate\r\n", 15, chunked, whole, found);
		expect_within("Content-Encoding: deflate\r\n", -15, chunked, whole, found);
		expect_within("Content-Type: multipart/related\r\nContent-Encoding: x-gzip\r\n",
			      15 + 16, chunked, (struct bytes){(const uint8_t *)parts, size},
			      found);
	}
	memcpy(image, "II*", 4);
	expect_within("Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", 15 + 16, false,
		      whole, "\"content_encoding\":\"gzip\"");
	memcpy(image, "\177ELF", 4);
	image[128] = 0;
	expect_within("Content-Encoding: gzip\r\n", 15 + 16, false, whole,
		      "{\"http\":{\"program\":\"ELF\"}}\n");
}

#define BIG 200000

/* Bytes that compress to about as many; no letter of a head among them. */
static void put_noise(char *to, size_t len)
{
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		to[i] = (char)(x >> 24 == 'M' ? 'N' : x >> 24);
	}
}

/* A body of these bytes in chunks of `chunk`, or in none, that `end` says; what is told of it but its head. */
static char *told_of(unsigned end, const char *fields, const char *packed, size_t size,
		     size_t chunk, size_t cut)
{
	char *text = malloc(2 * BIG), *said;
	struct talk_piece pieces[] = {{0, "GET / HTTP/1.1\r\n\r\n", 18}, {(uint8_t)end, text, 0}};
	size_t len = (size_t)sprintf(text, "%s\r\n%s%s",
				     end ? "HTTP/1.1 200 OK" : "POST / HTTP/1.1",
				     "Content-Encoding: gzip\r\nContent-Type: ", fields),
	       n;

	len += chunk ? (size_t)sprintf(text + len, "\r\nTransfer-Encoding: chunked\r\n\r\n")
		     : (size_t)sprintf(text + len, "\r\nContent-Length: %zu\r\n\r\n", size);
	for (size_t at = 0; at < size; at += n) {
		n = chunk && chunk < size - at ? chunk : size - at;
		len += chunk ? (size_t)sprintf(text + len, "%zx;a=\"b\"\r\n", n) : 0;
		memcpy(text + len, packed + at, n);
		len += n;
		len += chunk ? (size_t)sprintf(text + len, "\r\n") : 0;
	}
	len += chunk ? (size_t)sprintf(text + len, "0\r\n\r\n") : 0;
	pieces[1].len = len;
	talk_play(r, "http", false, pieces + !end, 1 + end, cut);
	free(text);
	said = strstr(r->said, end ? "\"status\"" : "\"http_method\"");
	assert_non_null(said);
	return strchr(said, '\n') + 1;
}

#define RELATED	 "multipart/related; type=\"application/dicom\""
#define POLYGLOT "{\"http\":{\"program\":\"PE\"},\"reason\":\"dicom.preamble_executable\"}\n"
#define UNSEEN	 "{\"http\":{},\"reason\":\"http.packed\"}\n"

/* Wherever in a compressed body, in chunks of any size, and in whichever member of a gzip. */
static void a_compressed_image_is_seen_further_on(void **state)
{
	static char plain[BIG], packed[BIG];
	static const size_t chunks[] = {0, 40000, 1000};
	size_t noise = 40000, size, first;

	put_noise(plain, noise);
	size = noise + put_parts(plain + noise);
	size = deflate_all(15 + 16, plain, size, packed, sizeof(packed));
	for (unsigned i = 0; i < 3; i++)
		for (unsigned end = 0; end < 2; end++)
			for (size_t cut = 0; cut < 3000; cut += 1400)
				assert_string_equal(
					told_of(end, RELATED, packed, size, chunks[i], cut),
					POLYGLOT);
	assert_string_equal(told_of(0, RELATED, packed, size, 7, 0), UNSEEN);
	/* One image in chunks of a byte, a member of nothing ahead of it. */
	first = deflate_all(15 + 16, "", 0, packed, sizeof(packed));
	size = put_part(plain, "", "MZ");
	size = first + deflate_all(15 + 16, plain, size, packed + first, sizeof(packed) - first);
	assert_string_equal(told_of(0, "application/dicom", packed, size, 1, 0), POLYGLOT);
	assert_string_equal(told_of(0, "application/dicom", packed, size, 0, 1), POLYGLOT);
}

/* Of parts all is seen, or that it is not is said, whoever sends them; of one image its head. */
static void what_is_packed_beyond_sight_is_told(void **state)
{
	static char plain[0x48000], packed[BIG];
	size_t size;

	put_noise(plain, 70000);
	size = deflate_all(15 + 16, plain, 70000, packed, sizeof(packed));
	for (unsigned i = 0; i < 4; i++) {
		size_t chunk = i / 2 * 9000;

		assert_string_equal(told_of(i % 2, RELATED, packed, size, chunk, 0), UNSEEN);
		assert_string_equal(told_of(i % 2, "application/dicom", packed, size, chunk, 0),
				    "");
	}
	memset(plain, 0, sizeof(plain));
	size = deflate_all(15 + 16, plain, sizeof(plain), packed, sizeof(packed));
	for (unsigned end = 0; end < 2; end++)
		assert_string_equal(told_of(end, RELATED, packed, size, 0, 0), UNSEEN);
	/* A name of the file ahead of it that nobody needs (RFC 1952 §2.3.1). */
	memset(packed, 'a', 65000);
	memcpy(packed, "\x1f\x8b\x08\x08\0\0\0\0\0\3", 10);
	assert_string_equal(told_of(0, "application/dicom", packed, 65000, 0, 0), UNSEEN);
	assert_string_equal(told_of(1, "application/dicom", packed, 65000, 900, 0), UNSEEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_seen_by_its_first_bytes),
		cmocka_unit_test(an_image_with_a_program_is_seen),
		cmocka_unit_test(an_image_among_others_is_seen),
		cmocka_unit_test(an_answer_in_parts_is_seen),
		cmocka_unit_test(what_is_stored_is_told),
		cmocka_unit_test(what_is_stored_compressed_is_told),
		cmocka_unit_test(hl7_is_told_by_its_type),
		cmocka_unit_test(hl7_is_told_by_its_beginning),
		cmocka_unit_test(hl7_inside_is_told),
		cmocka_unit_test(bundles_are_read),
		cmocka_unit_test(hl7_in_chunks_is_told),
		cmocka_unit_test(long_hl7_is_told),
		cmocka_unit_test(a_compressed_image_is_seen),
		cmocka_unit_test(a_compressed_image_is_seen_further_on),
		cmocka_unit_test(what_is_packed_beyond_sight_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
