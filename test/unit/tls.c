/* TLS and DTLS: what their openings tell, however they are cut. */
#include "guard/proto/tls.h"

#include "talk_case.h"

static void a_hello_and_its_certificate(void **state)
{
	seed_same(r, "tls", "tls-1");
	assert_says(r, "{\"tls\":{\"type\":\"client_hello\",\"sni\":\"archive.clinic.example\","
		       "\"version\":\"TLS 1.2\",\"ja3\":{\"hash\":");
	assert_says(r, "{\"tls\":{\"type\":\"server_hello\",\"sni\":\"archive.clinic.example\","
		       "\"version\":\"TLS 1.2\","
		       "\"cipher\":\"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\","
		       "\"subject\":\"C=DE, O=Clinic, CN=archive.clinic.example\","
		       "\"issuerdn\":\"C=DE, O=Clinic, CN=archive.clinic.example\",\"serial\":");
	assert_says(r, "\"self_signed\":true");
	assert_says(r, "{\"type\":\"client_certificate\","
		       "\"subject\":\"O=Clinic, OU=Devices, CN=pump-7\"");
	assert_says(r, "\"client_alpns\":[\"h2\",\"http/1.1\"],\"server_alpns\":[\"http/1.1\"]");
	assert_int_equal(seed_count(r, "\n"), 3);
}

static void versions_are_told_apart(void **state)
{
	seed_same(r, "tls", "tls-2");
	assert_says(r, "\"server_hello\",\"sni\":\"archive.clinic.example\","
		       "\"version\":\"TLS 1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\"");
	assert_silent(r, "subject");
	seed_same(r, "tls", "tls-5");
	assert_says(r, "\"server_hello\",\"version\":\"TLSv1\"");
}

static void a_session_that_goes_on_shows_no_certificate(void **state)
{
	seed_same(r, "tls", "tls-3");
	assert_says(r, "\"subject\"");
	assert_silent(r, "session_resumed");
	seed_same(r, "tls", "tls-4");
	assert_says(r, "\"session_resumed\":true");
	assert_silent(r, "subject");
}

static void a_retry_is_no_answer(void **state)
{
	seed_same(r, "tls", "tls-6");
	assert_int_equal(seed_count(r, "client_hello"), 2);
	assert_int_equal(seed_count(r, "server_hello"), 1);
}

static void dtls_says_the_same(void **state)
{
	seed_same(r, "dtls", "dtls-1");
	assert_says(r, "{\"dtls\":{\"type\":\"client_hello\",\"sni\":\"gateway.clinic.example\","
		       "\"version\":\"DTLS 1.2\"");
	assert_says(r, "\"subject\":\"O=Clinic, CN=gateway.clinic.example\"");
	assert_says(r, "\"ja4\":\"dd2d280700_");
}

/* A hello in records of one byte each is still a hello. */
static void tiny_records_hide_nothing(void **state)
{
	uint8_t hello[600], tiny[6 * 600];
	struct writer w = writer_new(hello, sizeof(hello)), t = writer_new(tiny, sizeof(tiny));
	static const uint8_t zero[32];
	struct talk_piece piece;

	write_bytes(&w, "\1\0\0\0\3\3", 6);
	write_bytes(&w, zero, 32);
	write_bytes(&w, "\0\0\2\x13\1\1\0\0\x14\0\0\0\x10\0\x0e\0\0\x0b", 18);
	write_bytes(&w, "example.org", 11);
	hello[3] = (uint8_t)(w.len - 4);
	for (size_t i = 0; i < w.len; i++) {
		write_bytes(&t, "\x16\3\1\0\1", 5);
		write_u8(&t, hello[i]);
	}
	piece = (struct talk_piece){0, tiny, t.len};
	r->in = (struct proto_input){.data = {tiny, t.len}};
	assert_int_equal(tls_proto.probe(&r->in), PARSE_OK);
	talk_expect("tls", false, &piece, 1,
		    "{\"tls\":{\"type\":\"client_hello\",\"sni\":\"example.org\","
		    "\"version\":\"TLS 1.2\",\"ja3\":{\"hash\":"
		    "\"1e7c622032b0cb79401b0f7be3793a1a\",\"string\":\"771,4865,0,,\"},"
		    "\"ja4\":\"t12d010100_0f2cb44170f4_000000000000\"}}\n");
}

/* A hello of DTLS for `name`, without its head. */
static size_t datagram_hello(uint8_t hello[300], const char *name)
{
	struct writer w = writer_new(hello, 300);
	uint8_t len = (uint8_t)strlen(name);

	write_bytes(&w, "\xfe\xfd", 2);
	write_bytes(&w, "0123456789abcdef0123456789abcdef", 32);
	write_bytes(&w, "\0\0\0\2\x13\1\1\0\0", 9); /* session, cookie, ciphers, compression */
	write_u8(&w, len + 9u);
	write_bytes(&w, "\0\0\0", 3);
	write_u8(&w, len + 5u);
	write_u8(&w, 0);
	write_u8(&w, len + 3u);
	write_bytes(&w, "\0\0", 2);
	write_u8(&w, len);
	write_bytes(&w, name, len);
	return w.len;
}

static void put_part(struct writer *w, uint8_t type, uint16_t number, const void *message,
		     size_t len, size_t at, size_t n)
{
	write_u8(w, type);
	write_u8(w, 0);
	write_be16(w, (uint16_t)len);
	write_be16(w, number);
	write_u8(w, 0);
	write_be16(w, (uint16_t)at);
	write_u8(w, 0);
	write_be16(w, (uint16_t)n);
	write_bytes(w, (const uint8_t *)message + at, n);
}

static void put_fragment(struct writer *w, uint16_t number, const uint8_t *hello, size_t len,
			 size_t at, size_t n)
{
	put_part(w, TLS_CLIENT_HELLO, number, hello, len, at, n);
}

/* A datagram with one record of one fragment. */
static void feed_part(unsigned end, uint8_t type, uint16_t number, const void *message, size_t len,
		      size_t at, size_t n)
{
	uint8_t room[400];
	struct writer w = writer_new(room, sizeof(room));

	write_bytes(&w, "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0", 12);
	write_u8(&w, (uint8_t)(n + 12));
	put_part(&w, type, number, message, len, at, n);
	talk_feed(r, end, room, w.len);
}

static void feed_fragment(uint16_t number, const uint8_t *hello, size_t len, size_t at, size_t n)
{
	feed_part(0, TLS_CLIENT_HELLO, number, hello, len, at, n);
}

static const char sni_a[] =
	"{\"dtls\":{\"type\":\"client_hello\",\"sni\":\"a.example\",\"version\":"
	"\"DTLS 1.2\"";

/* RFC 6347 §4.2.3: in any pieces and order, some twice. */
static void fragments_hide_nothing(void **state)
{
	uint8_t hello[300];
	size_t len = datagram_hello(hello, "a.example");

	for (size_t n = 1; n < len; n++) {
		talk_begin(r, "dtls", true);
		for (size_t at = 0; at < len; at += n)
			feed_fragment(0, hello, len, at, at + n < len ? n : len - at);
		assert_says(r, sni_a);
		assert_int_equal(seed_count(r, "\n"), 1);
		/* From the end, each reaching into the one before. */
		for (size_t at = len; at > 0; at = at > n ? at - n : 0)
			feed_fragment(1, hello, len, at > n ? at - n : 0,
				      at - (at > n ? at - n : 0));
		assert_int_equal(seed_count(r, sni_a), 2);
		feed_fragment(2, hello, len, 0, n);
		feed_fragment(2, hello, len, 0, n);
		feed_fragment(2, hello, len, n - 1, len - n + 1);
		assert_int_equal(seed_count(r, sni_a), 3);
		assert_int_equal(seed_count(r, "\n"), 3);
		talk_finish(r);
	}
}

/* Records that a connection ID was agreed on for (RFC 9146) do not say their length where others do, and
 * acknowledgements of DTLS 1.3 (RFC 9147 §7) are no more of a lie. */
static void records_of_other_forms_are_read_on(void **state)
{
	static const uint8_t acked[] = {26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 0};
	static const uint8_t sealed[] = {25,   0xfe, 0xfd, 0,	 1,    0, 0, 0, 0, 0, 1, 0xca,
					 0xfe, 0xba, 0xbe, 0xde, 0xad, 0, 4, 1, 2, 3, 4};
	uint8_t hello[300], bare[sizeof(sealed)];
	size_t len = datagram_hello(hello, "a.example");

	memcpy(bare, sealed, sizeof(bare));
	bare[4] = 0; /* nothing is encrypted yet */
	talk_begin(r, "dtls", true);
	feed_fragment(0, hello, len, 0, len);
	talk_feed(r, 1, acked, sizeof(acked));
	talk_feed(r, 0, sealed, sizeof(sealed));
	assert_silent(r, "tls.malformed");
	feed_fragment(0, hello, len, 0, len);
	assert_int_equal(seed_count(r, sni_a), 2);
	talk_feed(r, 0, bare, sizeof(bare));
	assert_says(r, "tls.malformed");
	talk_finish(r);
}

/* What receivers may read in two ways, and a hello that its sender does not end. */
static void fragments_that_lie_are_told(void **state)
{
	uint8_t hello[300], other[300];
	size_t len = datagram_hello(hello, "a.example");

	datagram_hello(other, "b.example");
	talk_begin(r, "dtls", true);
	feed_fragment(0, hello, len, 0, len - 2);
	feed_fragment(0, other, len, 20, len - 20);
	assert_says(r, "tls.malformed");
	talk_finish(r);

	talk_begin(r, "dtls", true);
	feed_fragment(0, hello, len, 0, len - 20);
	assert_string_equal(r->said, "");
	feed_fragment(1, other, len, 0, 30);
	assert_int_equal(seed_count(r, "client_hello"), 1);
	feed_fragment(1, other, len, 30, len - 30);
	assert_int_equal(seed_count(r, "client_hello"), 2);
	assert_says(r, "\"sni\":\"b.example\"");
	talk_finish(r);
}

/* A server's hello in fragments, while its client's is on its way once more. */
static void fragments_of_both_ends_do_not_mix(void **state)
{
	static const char server[] = "\xfe\xfd"
				     "0123456789abcdef0123456789abcdef"
				     "\0\x13\1\0\0\6\0\x2b\0\2\xfe\xfc";
	uint8_t hello[300];
	size_t len = datagram_hello(hello, "a.example"), half = 20;

	talk_begin(r, "dtls", true);
	feed_fragment(0, hello, len, 0, len - 20);
	feed_part(1, 2, 0, server, sizeof(server) - 1, 0, half);
	feed_fragment(0, hello, len, len - 20, 20);
	assert_says(r, sni_a);
	feed_fragment(0, hello, len, 0, len - 20);
	feed_part(1, 2, 0, server, sizeof(server) - 1, half, sizeof(server) - 1 - half);
	assert_says(r, "\"type\":\"server_hello\",\"sni\":\"a.example\",\"version\":\"DTLS 1.3\"");
	talk_finish(r);
}

/* One end's message that takes all the room gives way to the other's. */
static void a_long_message_locks_nobody_out(void **state)
{
	static uint8_t chain[4000];
	uint8_t hello[300];
	size_t len = datagram_hello(hello, "a.example");

	talk_begin(r, "dtls", true);
	feed_part(1, 11, 1, chain, sizeof(chain), 0, 200);
	feed_fragment(0, hello, len, 0, 20);
	feed_fragment(0, hello, len, 20, len - 20);
	assert_says(r, sni_a);
	assert_int_equal(seed_count(r, "\n"), 1);
	talk_finish(r);
}

/* Versions that never were any, but whose hellos are on the way still. */
static void drafts_are_named(void **state)
{
	static const struct {
		const char *versions, *said;
	} cases[] = {
		{"\x7f\x1c\3\3", "TLS 1.3 draft-28"}, {"\3\3\x7f\x17", "TLS 1.3 draft-23"},
		{"\xfb\x1a\3\3", "TLS 1.3 draft-26"}, {"\x7f\x1c\3\4", "TLS 1.3"},
		{"\x7f\x2a\3\3", "TLS 1.2"}, /* none of them */
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t hello[100];
		struct writer w = writer_new(hello, sizeof(hello));
		struct tls_hello h;

		write_bytes(&w,
			    "\3\3"
			    "0123456789abcdef0123456789abcdef",
			    34);
		write_bytes(&w, "\0\0\2\x13\1\1\0\0\x09\0\x2b\0\5\4", 14);
		write_bytes(&w, cases[i].versions, 4);
		assert_true(
			tls_hello_read((struct bytes){hello, w.len}, TLS_CLIENT_HELLO, false, &h));
		assert_string_equal(tls_version_name(h.version), cases[i].said);
		assert_int_equal(tls_is_1_3(h.version), i != 4);
	}
}

/* RFC 6347 §4.2.3: "multiple DTLS messages may be placed in the same record". */
static void a_record_holds_several_messages(void **state)
{
	uint8_t hello[300], room[800];
	size_t len = datagram_hello(hello, "a.example");
	struct writer w = writer_new(room, sizeof(room));

	write_bytes(&w, "\x16\xfe\xfd\0\0\0\0\0\0\0\0", 11);
	write_be16(&w, (uint16_t)(12 + 3 * (len + 12)));
	write_bytes(&w, "\0\0\0\0\0\0\0\0\0\0\0\0", 12); /* asks for a hello */
	put_fragment(&w, 0, hello, len, 0, len);
	put_fragment(&w, 1, hello, len, 0, len / 2);
	put_fragment(&w, 1, hello, len, len / 2, len - len / 2);
	put_fragment(&w, 2, hello, len, 0, len);
	write_bytes(&w, "\x15\xfe\xfd\0\0\0\0\0\0\0\1\0\2\1\0", 15);
	room[12] = (uint8_t)(w.len - 15 - 13);
	talk_begin(r, "dtls", true);
	talk_feed(r, 0, room, w.len);
	assert_int_equal(seed_count(r, sni_a), 3);
	assert_int_equal(seed_count(r, "\n"), 3);
	talk_finish(r);
}

/* Of two names one server takes the first and another one the last. */
static void two_names_break_it(void **state)
{
	static const char two[] = "\x16\3\1\0\x43\1\0\0\x3f\3\3"
				  "0123456789abcdef0123456789abcdef\0\0\2\x13\1\1\0\0\x14"
				  "\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b";
	struct talk_piece piece = {0, two, sizeof(two) - 1};

	talk_expect("tls", false, &piece, 1,
		    "{\"tls\":{\"type\":\"client_hello\",\"version\":\"TLS 1.2\"},"
		    "\"reason\":\"tls.malformed\"}\n");
}

/* A name for which there is no room is none to whom keeps no more, and one to others. */
static void a_name_is_no_longer_than_a_host_s(void **state)
{
	static const uint8_t zero[32];
	uint8_t hello[400];

	for (unsigned n = TLS_NAME_MAX; n <= TLS_NAME_MAX + 1; n++) {
		struct writer w = writer_new(hello, sizeof(hello));
		struct tls_hello h;

		write_bytes(&w, "\3\3", 2);
		write_bytes(&w, zero, 32);
		write_bytes(&w, "\0\0\2\x13\1\1\0", 7);
		write_be16(&w, (uint16_t)(n + 9));
		write_be16(&w, 0);
		write_be16(&w, (uint16_t)(n + 5));
		write_be16(&w, (uint16_t)(n + 3));
		write_u8(&w, 0);
		write_be16(&w, (uint16_t)n);
		for (unsigned i = 0; i < n; i++)
			write_u8(&w, 'a');
		assert_int_equal(
			tls_hello_read((struct bytes){hello, w.len}, TLS_CLIENT_HELLO, false, &h),
			n == TLS_NAME_MAX);
	}
}

#define HELLO_OF(name)                                           \
	"\x16\3\1\0\x39\1\0\0\x35\3\3"                           \
	"0123456789abcdef0123456789abcdef\0\0\2\x13\1\1\0\0\x0a" \
	"\0\0\0\6\0\4\0\0\1" name
#define CHANGE "\x14\3\3\0\1\1"
#define DATA   "\x17\3\3\0\4data"
#define RETRY                                                                                  \
	"\x16\3\3\0\x32\2\0\0\x2e\3\3"                                                         \
	"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a" \
	"\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c\0\x13\1\0\0\6\0\x2b\0\2\3\4"
#define FEED(end, text) talk_feed(r, end, text, sizeof(text) - 1)

/* RFC 8446 §4.2.10: a server that asks for another hello passes over what came early. Nor does any server
 * have something to say before its own. */
static void early_data_hides_no_hello(void **state)
{
	talk_begin(r, "tls", false);
	FEED(0, HELLO_OF("a") CHANGE DATA);
	FEED(1, RETRY CHANGE);
	FEED(0, DATA HELLO_OF("b"));
	assert_says(r, "\"sni\":\"a\"");
	assert_says(r, "\"sni\":\"b\"");
	assert_silent(r, "tls.malformed");
	FEED(1, DATA);
	assert_says(r, "tls.malformed");
	talk_finish(r);

	talk_begin(r, "tls", false);
	FEED(0, HELLO_OF("a"));
	FEED(1, CHANGE);
	assert_says(r, "tls.malformed");
	talk_finish(r);
}

/* What STARTTLS led to has not shown by its beginning what it is. */
static void without_a_hello_it_is_no_tls(void **state)
{
	for (unsigned end = 0; end < 2; end++) {
		talk_begin(r, "tls", false);
		FEED(end, DATA);
		assert_says(r, "tls.malformed");
		talk_finish(r);
	}
}

static void lies_of_length_break_it(void **state)
{
	static const char lie[] = "\x16\3\1\0\x08\1\0\0\4\3\3\0\0";
	static const char never[] = "\x16\3\1\0\x04\1\xff\0\0";
	static const char bleed[] = "\x16\3\1\0\4\2\0\0\0\x18\3\2\0\3\1\x40\0";
	struct talk_piece piece = {0, lie, sizeof(lie) - 1};

	talk_expect("tls", false, &piece, 1,
		    "{\"tls\":{\"type\":\"client_hello\",\"version\":\"TLS 1.2\"},"
		    "\"reason\":\"tls.malformed\"}\n");
	piece = (struct talk_piece){0, never, sizeof(never) - 1};
	talk_expect("tls", false, &piece, 1, "{\"tls\":{},\"reason\":\"tls.malformed\"}\n");
	piece = (struct talk_piece){0, bleed + 9, sizeof(bleed) - 10};
	talk_expect("tls", false, &piece, 1, "{\"tls\":{},\"reason\":\"tls.heartbleed\"}\n");
}

/* The list behind a well-known JA4, as its makers and others publish it. */
static void ja4_is_what_others_call_it(void **state)
{
	static const uint16_t ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
					   0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
					   0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
	static const uint16_t extensions[] = {0x2d,   0x33,   0x10,   0xfe0d, 0x17,   0x44cd,
					      0x0000, 0x000b, 0x000a, 0x002b, 0xff01, 0x0023,
					      0x0012, 0x0005, 0x000d, 0x001b};
	static const uint8_t signatures[] = {4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1};
	struct tls_hello h = {.client = true, .legacy = 0x0303, .version = 0x0304};
	uint8_t c[64], e[128];
	struct writer cw = writer_new(c, sizeof(c)), ew = writer_new(e, sizeof(e));
	char ja4[TLS_JA4_LEN], ja3[TLS_JA3_LEN];

	write_be16(&cw, 0x2a2a);
	for (unsigned i = 0; i < sizeof(ciphers) / 2; i++)
		write_be16(&cw, ciphers[i]);
	for (unsigned i = 0; i < sizeof(extensions) / 2; i++)
		write_be32(&ew, (uint32_t)extensions[i] << 16);
	h.ciphers = (struct bytes){c, cw.len};
	h.extensions = (struct bytes){e, ew.len};
	h.signatures = (struct bytes){signatures, sizeof(signatures)};
	h.alpn = (struct bytes){(const uint8_t *)"h2", 2};
	h.groups = (struct bytes){(const uint8_t *)"\x11\xec\0\x1d\0\x17\0\x18", 8};
	h.point_formats = (struct bytes){(const uint8_t *)"\0", 1};
	tls_ja4(&h, ja4);
	assert_string_equal(ja4, "t13d1516h2_8daaf6152771_d8a2da3f94cd");
	tls_ja3(&h, ja3, NULL);
	assert_string_equal(ja3, "98487aa16281980e7d1120d399efb6a4");
}

/* A scanner offers every suite that there is, in no order, and has a fingerprint all the same. */
static void ja4_of_many(void **state)
{
	struct tls_hello h = {.client = true, .legacy = 0x0303, .version = 0x0303};
	uint8_t c[2 * 1030]; /* five of the 600 mean nothing */
	struct writer w = writer_new(c, sizeof(c));
	char ja4[TLS_JA4_LEN];

	for (unsigned i = 1; i <= 600; i++)
		write_be16(&w, (uint16_t)(i * 257 * 3));
	h.ciphers = (struct bytes){c, w.len};
	tls_ja4(&h, ja4);
	assert_string_equal(ja4, "t12i990000_40393fe187c7_000000000000");
	while (w.len < sizeof(c))
		write_be16(&w, 1);
	h.ciphers.len = w.len;
	tls_ja4(&h, ja4);
	assert_string_equal(ja4, "");
}

/* Of more protocols than there is room for the first ones are told. */
static void many_protocols(void **state)
{
	static const uint8_t zero[32];
	uint8_t hello[400];
	struct writer w = writer_new(hello, sizeof(hello));
	struct talk_piece piece = {0, hello, 0};

	write_bytes(&w, "\x16\3\1\0\xe0\1\0\0\xdc\3\3", 11);
	write_bytes(&w, zero, 32);
	write_bytes(&w, "\0\0\2\x13\1\1\0\0\xb1\0\x10\0\xad\0\xab\2h2\x64", 19);
	for (unsigned i = 0; i < 100; i++)
		write_u8(&w, 'a');
	write_u8(&w, 66);
	for (unsigned i = 0; i < 66; i++)
		write_u8(&w, 'b');
	piece.len = w.len;
	talk_play(r, "tls", false, &piece, 1, 0);
	assert_says(r, "\"client_alpns\":[\"h2\",\"aaaaaaaa");
	assert_silent(r, "bbbb");
}

/* RFC 5280 §4.1.2.4: several attributes may stand in one set, which a name of the first alone hides. */
static void every_attribute_is_told(void **state)
{
	static const char name[] =
		"\x30\x23\x31\x12\x30\x07\6\3\x55\4\3\x0c\0"
		"\x30\x07\6\3\x55\4\x0a\x0c\0\x31\x0d\x30\x0b\6\3\x55\4\x2b\x1e\4\0J\0\xe9";
	char text[64];
	struct writer w = writer_new(text, sizeof(text));
	struct bytes b = unit_exact(name, sizeof(name) - 1);

	x509_name(b, &w);
	assert_int_equal(w.len, strlen("CN= + O=, initials=J?"));
	assert_memory_equal(text, "CN= + O=, initials=J?", w.len);
	free((void *)b.data);
}

static void times_of_certificates(void **state)
{
	char text[X509_TIME_LEN];

	x509_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00");
	x509_time(951782400, text);
	assert_string_equal(text, "2000-02-29T00:00:00");
	x509_time(4102444799, text);
	assert_string_equal(text, "2099-12-31T23:59:59");
	x509_time(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59");
}

static void a_certificate_that_lies(void **state)
{
	struct x509 x;
	struct bytes b = unit_exact("\x30\x82\xff\xff\x30\x80", 6);

	assert_int_equal(x509_read(b, &x), PARSE_BAD);
	free((void *)b.data);
	b = unit_exact("\x30\x84\xff\xff\xff\xff", 6);
	assert_int_equal(x509_read(b, &x), PARSE_BAD);
	free((void *)b.data);
}

static size_t load(const char *name, uint8_t *room, size_t cap)
{
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/fuzz/seeds/x509/%s", UNIT_SOURCE, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(room, 1, cap, f);
	fclose(f);
	return n;
}

/* RFC 5280 §4.2.1.6 */
static void names_of(const char *seed, const char *const *expected, unsigned count)
{
	uint8_t room[2048];
	char address[X509_ADDRESS_LEN];
	struct bytes b = unit_exact(room, load(seed, room, sizeof(room))), name;
	struct x509 x;
	size_t at = 0;

	assert_int_equal(x509_read(b, &x), PARSE_OK);
	for (unsigned i = 0; i < count; i++) {
		name = x509_next_name(x.names, &at, address);
		assert_int_equal(name.len, strlen(expected[i]));
		assert_memory_equal(name.data, expected[i], name.len);
	}
	assert_null(x509_next_name(x.names, &at, address).data);
	free((void *)b.data);
}

static void names_a_certificate_is_good_for(void **state)
{
	names_of("wildcard", (const char *const[]){"*.clinic.example", "clinic.example"}, 2);
	names_of("addresses", (const char *const[]){"10.9.0.5", "fd00:9::5"}, 2);
	names_of("ec", NULL, 0);
}

/* A name of another kind is passed over; one that lies about its length ends the list. */
static void names_that_lie(void **state)
{
	static const char list[] = "\x88\1\x2a\x87\3\1\2\3\x82\2ab\x82\x7f"
				   "c";
	struct bytes b = unit_exact(list, sizeof(list) - 1), name;
	char address[X509_ADDRESS_LEN];
	size_t at = 0;

	name = x509_next_name(b, &at, address);
	assert_int_equal(name.len, 2);
	assert_memory_equal(name.data, "ab", 2);
	assert_null(x509_next_name(b, &at, address).data);
	assert_null(x509_next_name(b, &at, address).data);
	free((void *)b.data);
}

static void the_server_s_names_are_told(void **state)
{
	seed_same(r, "tls", "names-2");
	assert_says(r, "\"subject\":\"O=Clinic, CN=*.clinic.example\"");
	assert_says(r, "\"subjectaltname\":[\"*.clinic.example\",\"clinic.example\"]");
	seed_same(r, "tls", "names-3");
	assert_says(r, "\"subjectaltname\":[\"10.9.0.5\",\"fd00:9::5\"]");
	/* Key shares of X25519MLKEM768 make a hello that takes two segments. */
	seed_same(r, "tls", "hybrid-0");
	assert_says(r, "\"sni\":\"archive.clinic.example\",\"version\":\"TLS 1.3\"");
}

static enum parse identify(const char *data, size_t len)
{
	struct bytes b = unit_exact(data, len);
	struct proto_input in = {.data = b};
	enum parse got = tls_proto.probe(&in);

	free((void *)b.data);
	return got;
}

static void it_knows_its_own(void **state)
{
	assert_int_equal(identify("\x16\3\1\1\0\1\0", 7), PARSE_OK);
	assert_int_equal(identify("\x16\3", 2), PARSE_MORE);
	assert_int_equal(identify("\x16\4", 2), PARSE_BAD);
	assert_int_equal(identify("GET / HTTP", 10), PARSE_BAD);
	assert_int_equal(identify("\x80\x2e\1\0\2\0\x15\0\0\0\x10", 11), PARSE_OK);
	assert_int_equal(identify("\x80\x2e\1\0\2\0\x16\0\0\0\x10", 11), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_and_its_certificate),
		cmocka_unit_test(versions_are_told_apart),
		cmocka_unit_test(a_session_that_goes_on_shows_no_certificate),
		cmocka_unit_test(a_retry_is_no_answer),
		cmocka_unit_test(dtls_says_the_same),
		cmocka_unit_test(fragments_hide_nothing),
		cmocka_unit_test(records_of_other_forms_are_read_on),
		cmocka_unit_test(fragments_that_lie_are_told),
		cmocka_unit_test(fragments_of_both_ends_do_not_mix),
		cmocka_unit_test(a_long_message_locks_nobody_out),
		cmocka_unit_test(drafts_are_named),
		cmocka_unit_test(a_record_holds_several_messages),
		cmocka_unit_test(tiny_records_hide_nothing),
		cmocka_unit_test(two_names_break_it),
		cmocka_unit_test(a_name_is_no_longer_than_a_host_s),
		cmocka_unit_test(early_data_hides_no_hello),
		cmocka_unit_test(without_a_hello_it_is_no_tls),
		cmocka_unit_test(lies_of_length_break_it),
		cmocka_unit_test(ja4_is_what_others_call_it),
		cmocka_unit_test(ja4_of_many),
		cmocka_unit_test(many_protocols),
		cmocka_unit_test(every_attribute_is_told),
		cmocka_unit_test(times_of_certificates),
		cmocka_unit_test(a_certificate_that_lies),
		cmocka_unit_test(names_a_certificate_is_good_for),
		cmocka_unit_test(names_that_lie),
		cmocka_unit_test(the_server_s_names_are_told),
		cmocka_unit_test(it_knows_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
