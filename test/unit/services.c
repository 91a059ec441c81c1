/* The services of any office network but shares (smb.c): screens, telephones, logs, simple file transfer. */
#include "service_kit.h"

static void rdp_tells_how_a_desktop_is_protected(void **state)
{
	seed_same(r, "rdp", "rdp-1");
	assert_says(r, "{\"rdp\":{\"event_type\":\"initial_request\",\"cookie\":\"service\","
		       "\"offered\":\"hybrid\",\"control\":true}}\n"
		       "{\"rdp\":{\"event_type\":\"initial_response\",\"protocol\":\"ssl\"}}\n"
		       "{\"tls\":{\"type\":\"client_hello\"");
	seed_same(r, "rdp", "rdp-2");
	assert_says(r, "{\"event_type\":\"initial_response\",\"protocol\":\"rdp\"}");
	assert_says(r, "connect_request");
	assert_silent(r, "reason");
}

/* A client that is led on by a broker of sessions shows the broker's token; it is no user's name. */
static void rdp_takes_tokens_of_any_form(void **state)
{
	static const char ask[] =
		"\3\0\0\x25\x20\xe0\0\0\0\0\0tsv://Plugin.1.S\r\n\1\0\x08\0\3\0\0\0";
	struct talk_piece pieces[] = {{0, ask, sizeof(ask) - 1}};

	r->in = (struct proto_input){.data = {(const uint8_t *)ask, sizeof(ask) - 1}};
	assert_int_equal(proto_find("rdp")->probe(&r->in), PARSE_OK);
	talk_play(r, "rdp", false, pieces, 1, 1);
	assert_says(r, "{\"rdp\":{\"event_type\":\"initial_request\",\"offered\":\"hybrid\","
		       "\"control\":true}}\n");
}

static void rdp_goes_on_in_its_own_packets(void **state)
{
	static const char ask[] = "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\1\0\0\0";
	static const char hello[] = "\x16\3\1\0\5hello";
	struct talk_piece pieces[] = {{0, ask, sizeof(ask) - 1}, {0, hello, sizeof(hello) - 1}};

	talk_play(r, "rdp", false, pieces, 2, 1);
	assert_says(
		r, "{\"rdp\":{\"event_type\":\"connect_request\"},\"reason\":\"rdp.malformed\"}\n");
}

static void rdp_knows_bluekeep(void **state)
{
	static const char ask[] = "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\0\0\0\0";
	static const char legacy[] = "\3\0\0\x0b\x06\xd0\0\0\x12\x34\0";
	static const char connect[] = "\3\0\0\x13\2\xf0\x80\x7f\x65..Ms_t120\0";
	struct talk_piece pieces[] = {{0, ask, 19}, {1, legacy, 11}, {0, connect, 19}};

	talk_play(r, "rdp", false, pieces, 3, 1);
	assert_says(r,
		    "{\"rdp\":{\"event_type\":\"connect_request\"},\"reason\":\"rdp.bluekeep\"}\n");
}

static void vnc_tells_who_may_look(void **state)
{
	seed_same(r, "rfb", "vnc-1");
	assert_says(r, "\"authentication\":{\"security_type\":2,\"security_result\":\"OK\"},"
		       "\"login\":\"succeeded\"}}\n");
	assert_says(r, "\"framebuffer\":{\"width\":320,\"height\":200,\"name\":");
	seed_same(r, "rfb", "vnc-2");
	assert_says(r, "\"security_result\":\"FAIL\"},\"login\":\"failed\"");
	seed_same(r, "rfb", "vnc-3");
	assert_says(r, "\"security_type\":1},\"no_password\":true,\"control\":true}");
}

static void vnc_since_3_7_lets_the_client_choose(void **state)
{
	struct talk_piece pieces[] = {
		{1, "RFB 003.008\n", 12}, {0, "RFB 003.008\n", 12}, {1, "\2\1\2", 3}, {0, "\1", 1},
		{1, "\0\0\0\0", 4},
	};

#define VERSIONS                                                             \
	"\"server_protocol_version\":{\"major\":\"003\",\"minor\":\"008\"}," \
	"\"client_protocol_version\":{\"major\":\"003\",\"minor\":\"008\"}"
	talk_expect("rfb", false, pieces, 5,
		    "{\"rfb\":{" VERSIONS "}}\n"
		    "{\"rfb\":{" VERSIONS ",\"authentication\":{\"security_type\":1},"
		    "\"no_password\":true,\"control\":true}}\n"
		    "{\"rfb\":{" VERSIONS ",\"authentication\":{\"security_type\":1,"
		    "\"security_result\":\"OK\"},\"login\":\"succeeded\",\"no_password\":true}}\n");
	pieces[1].data = "RFB 103.008\n";
	talk_play(r, "rfb", false, pieces, 2, 0);
	assert_says(r, "\"reason\":\"rfb.malformed\"");
	/* RealVNC's own goes on in its own way, if the client can; a login, for all that is known. */
	pieces[0].data = pieces[1].data = "RFB 005.000\n";
	talk_expect("rfb", false, pieces, 5,
		    "{\"rfb\":{\"server_protocol_version\":{\"major\":\"005\",\"minor\":\"000\"},"
		    "\"client_protocol_version\":{\"major\":\"005\",\"minor\":\"000\"},"
		    "\"unread\":true,\"control\":true}}\n");
	pieces[1].data = "RFB 003.008\n";
	talk_play(r, "rfb", false, pieces, 5, 0);
	assert_says(r, "\"major\":\"005\"");
	assert_says(r, "\"login\":\"succeeded\"");
	/* A server that knows 3.3 alone decides, whatever its client says it knows. */
	pieces[0].data = "RFB 003.003\n";
	pieces[2] = (struct talk_piece){1, "\0\0\0\2", 4};
	talk_play(r, "rfb", false, pieces, 3, 0);
	assert_says(r, "\"security_type\":2},\"control\":true}}");
}

/* A capture may begin behind the server's greeting. */
static void vnc_is_picked_up_behind_a_greeting(void **state)
{
	talk_begin(r, "rfb", false);
	r->in.midstream = true;
	talk_feed(r, 0, "RFB 003.008\n", 12);
	talk_feed(r, 1, "\1\2", 2);
	talk_feed(r, 0, "\2", 1);
	assert_says(r, "\"security_type\":2},\"control\":true}}");
	assert_silent(r, "malformed");
	talk_finish(r);
}

static void tftp_tells_the_file(void **state)
{
	seed_same(r, "tftp", "tftp-3");
	assert_string_equal(r->said, "{\"tftp\":{\"packet\":\"write\",\"file\":\"config.txt\","
				     "\"mode\":\"octet\",\"control\":true}}\n");
	expect("tftp", true, 1, "\0\5\0\1File not found\0", 19,
	       "{\"tftp\":{\"packet\":\"error\",\"error_code\":1}}\n");
	expect("tftp", true, 0, "\0\1name-without-end", 18,
	       "{\"tftp\":{\"packet\":\"read\"},\"reason\":\"tftp.malformed\"}\n");
}

/* Most servers encrypt by it, so that what is in it counts. */
static void vnc_says_how_it_is_encrypted(void **state)
{
	static const struct {
		const char *kind, *said;
	} kinds[] = {
		{"\0\0\1\1", "\"security_type\":19,\"security_subtype\":257},\"encrypted\":true,"},
		{"\0\0\1\0", "\"security_type\":19,\"security_subtype\":256},\"control\":true"},
		{"\0\0\0\1", "\"security_type\":19},\"control\":true"},
	};
	struct talk_piece pieces[] = {
		TALK_PIECE(1, "RFB 003.008\n"),
		TALK_PIECE(0, "RFB 003.008\n"),
		TALK_PIECE(1, "\1\x13"),
		TALK_PIECE(0, "\x13"),
		TALK_PIECE(1, "\0\2"),
		TALK_PIECE(0, "\0\2"),
		TALK_PIECE(1, "\0\2\0\0\1\1\0\0\1\0"),
		{0, NULL, 4},
		TALK_PIECE(1, "\1\x16\3\3"),
		TALK_PIECE(0, "\x16\3\1"),
	};

	for (unsigned i = 0; i < 3; i++) {
		pieces[7].data = kinds[i].kind;
		for (size_t cut = 0; cut < 3; cut++) {
			talk_play(r, "rfb", false, pieces, 10, cut);
			assert_says(r, kinds[i].said);
			assert_int_equal(seed_count(r, "\n"), 3);
		}
		talk_seed("rfb", false, pieces, 10);
	}
	pieces[3] = (struct talk_piece){0, "\5", 1}; /* RealVNC's own */
	talk_play(r, "rfb", false, pieces, 4, 0);
	assert_says(r, "\"security_type\":5},\"encrypted\":true");
}

static enum parse identify(const char *proto, uint16_t port, bool datagram, const void *data,
			   size_t len)
{
	struct proto_input in = {.port = {4000, port}, .datagram = datagram};
	enum parse got;

	in.data = unit_exact(data, len);
	got = proto_find(proto)->probe(&in);
	free((void *)in.data.data);
	return got;
}

static void sip_leaves_out_who_calls(void **state)
{
	seed_same(r, "sip", "sip-1");
	assert_says(r, "{\"sip\":{\"method\":\"INVITE\",\"uri\":\"sip:10.9.0.5:5060\","
		       "\"version\":\"SIP/2.0\",\"content_type\":\"application/sdp\"}}\n");
	assert_silent(r, "nurse-station");
	seed_same(r, "sip", "sip-2"); /* over TCP, with bodies */
	assert_int_equal(seed_count(r, "\n"), 6);
	assert_says(r, "\"code\":\"180\",\"reason\":\"Ringing\"");
	expect("sip", true, 0, "OPTIONS tel:+49123;x SIP/2.0\r\nl: x\r\n\r\n", 38,
	       "{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"tel:\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
	/* Of two lengths a server takes one or the other. */
	expect("sip", true, 0, "OPTIONS tel:1 SIP/2.0\r\nl: 9\r\nl: 0\r\n\r\n", 38,
	       "{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"tel:\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
	expect("sip", true, 0, "OPTIONS tel:1 SIP/2.0\r\nl:\r\n 9\r\n\r\n", 34,
	       "{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"tel:\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
	/* A method may be any token, and nothing else. */
	expect("sip", true, 0, "nurse-Call.7!* sip:b SIP/2.0\r\n\r\n", 32,
	       "{\"sip\":{\"method\":\"nurse-Call.7!*\",\"uri\":\"sip:b\",\"version\":\"SIP/"
	       "2.0\"}}\n");
	expect("sip", true, 0, "nurse(Call) sip:b SIP/2.0\r\n\r\n", 29,
	       "{\"sip\":{\"method\":\"nurse(Call)\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
	/* Some readers pass over what stands before the length, and others read none. */
	expect("sip", true, 0, "OPTIONS tel:1 SIP/2.0\r\nl: \v9\r\n\r\n", 33,
	       "{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"tel:\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
}

/* RFC 3261 §7.3.1 */
/* What stands in front is no part of a message, and hides none; nothing but that keeps a path open. */
static void sip_may_begin_with_nothing(void **state)
{
	static const char options[] = "\r\n\n\r\nOPTIONS sip:b SIP/2.0\r\nl:0\r\n\r\n";
	static const char said[] =
		"{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"sip:b\",\"version\":\"SIP/2.0\"}}\n";

	expect("sip", true, 0, options, sizeof(options) - 1, said);
	expect("sip", false, 0, options, sizeof(options) - 1, said);
	expect("sip", true, 0, "\r\n\r\n", 4, "");
	expect("sip", true, 0, "\0\0\0\0", 4, "");
	expect("sip", true, 0, "\0OPTIONS sip:b SIP/2.0\r\n\r\n", 27,
	       "{\"sip\":{\"method\":\"\\u0000OPTIONS\",\"version\":\"SIP/2.0\"},"
	       "\"reason\":\"sip.malformed\"}\n");
	assert_int_equal(identify("sip", 5060, true, options, sizeof(options) - 1), PARSE_OK);
	assert_int_equal(identify("sip", 5060, false, options, sizeof(options) - 1), PARSE_OK);
	assert_int_equal(identify("sip", 5060, true, "\r\n\r\n", 4), PARSE_OK);
	assert_int_equal(identify("sip", 5060, true, "\0\0\0\0", 4), PARSE_OK);
	assert_int_equal(identify("sip", 5060, false, "\r\n\r\n", 4), PARSE_MORE);
	assert_int_equal(identify("sip", 5061, true, "\r\n\r\n", 4), PARSE_BAD);
}

static void sip_values_may_be_folded(void **state)
{
	static const char folded[] = "OPTIONS sip:a@b SIP/2.0\r\nUser-Agent: Ward\r\n\t Phone/2\r\n"
				     " (a)\r\nContent-Type: a/b;\r\n c=d\r\nl: 0\r\n\r\n";

	expect("sip", true, 0, folded, sizeof(folded) - 1,
	       "{\"sip\":{\"method\":\"OPTIONS\",\"uri\":\"sip:b\",\"version\":\"SIP/2.0\","
	       "\"user_agent\":\"Ward Phone/2 (a)\",\"content_type\":\"a/b; c=d\"}}\n");
}

/* In the seed, whose bytes come one by one at a port that says nothing: is it waited for until it is known? */
static bool is_waited_for(const struct proto *p, const char *dir, const char *name)
{
	static uint8_t file[1 << 16], said[2][1 << 16];
	const struct proto *is = NULL;
	size_t len[2] = {0, 0};
	bool undecided = true;
	struct reader seed = seed_read(dir, name, file, sizeof(file));

	read_u8(&seed);
	while (reader_left(&seed) && undecided && !is) {
		unsigned end = read_u8(&seed) & 1;
		struct bytes b = read_bytes(&seed, read_be16(&seed));

		for (size_t i = 0; i < b.len && undecided && !is; i++) {
			struct proto_input in = {.end = (uint8_t)end, .port = {40000, 9}};

			said[end][len[end]++] = b.data[i];
			in.data = unit_exact(said[end], len[end]);
			is = talk_identify(&in, &undecided);
			if (!is)
				is = talk_identify_as(&in, p, &undecided);
			free((void *)in.data.data);
		}
	}
	return is == p || (is && (is == p->carrier || is->leads_to == p));
}

/* A rule refuses what is not its protocol at once, and not a byte too early. */
static void a_rule_waits_for_its_protocol(void **state)
{
	static const char *const seeds[][3] = {
		{"http", "http", "http-2"},	{"mqtt", "http", "mqtt-websocket-1"},
		{"sdc", "sdc", "chunks-1"},	{"ssh", "ssh", "ssh-1"},
		{"smb", "smb", "smb-1"},	{"smb", "smb", "smb-3"},
		{"rdp", "rdp", "rdp-1"},	{"rfb", "rfb", "vnc-1"},
		{"tls", "tls", "tls-1"},	{"sip", "sip", "sip-2"},
		{"dns", "dns", "dns-9"},	{"coap", "coap", "tcp-1"},
		{"snmp", "snmp", "tcp-1"},	{"syslog", "syslog", "syslog-3"},
		{"ftp", "ftp", "ftp-1"},	{"hl7", "hl7", "conversation"},
		{"poct1a", "poct1a", "utf-16"},
	};

	for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		if (!is_waited_for(proto_find(seeds[i][0]), seeds[i][1], seeds[i][2]))
			fail_msg("%s: %s", seeds[i][0], seeds[i][2]);
}

static void syslog_tells_who_and_not_what(void **state)
{
	seed_same(r, "syslog", "syslog-1");
	assert_string_equal(r->said,
			    "{\"syslog\":{\"facility\":\"local0\",\"severity\":\"warning\","
			    "\"hostname\":\"vm\",\"appname\":\"pump\"}}\n");
	seed_same(r, "syslog", "syslog-3"); /* counted, over TCP */
	assert_string_equal(r->said,
			    "{\"syslog\":{\"facility\":\"daemon\",\"severity\":\"info\","
			    "\"version\":1,\"hostname\":\"vm\",\"appname\":\"monitor\"}}\n");
	seed_same(r, "syslog", "syslog-4"); /* a line each */
	assert_int_equal(seed_count(r, "\"hostname\":\"pump-7\",\"appname\":\"infusion\""), 2);
	/* As rsyslog forwards with its own template. */
	expect("syslog", true, 0, "<13>2026-01-02T03:04:05.123456+01:00 vm dev[1]: x", 48,
	       "{\"syslog\":{\"facility\":\"user\",\"severity\":\"notice\",\"hostname\":\"vm\","
	       "\"appname\":\"dev\"}}\n");
	/* Without a host: tags look different, and so do the hosts that some write in other ways. */
	expect("syslog", true, 0, "<30>Jan  2 03:04:05 leads[41]: off", 34,
	       "{\"syslog\":{\"facility\":\"daemon\",\"severity\":\"info\","
	       "\"appname\":\"leads\"}}\n");
	expect("syslog", true, 0, "<30>Jan  2 03:04:05 leads: off", 30,
	       "{\"syslog\":{\"facility\":\"daemon\",\"severity\":\"info\","
	       "\"appname\":\"leads\"}}\n");
	expect("syslog", true, 0, "<30>Jan  2 03:04:05 fd00::9:1 leads: off", 40,
	       "{\"syslog\":{\"facility\":\"daemon\",\"severity\":\"info\",\"hostname\":\"fd00::9:"
	       "1\","
	       "\"appname\":\"leads\"}}\n");
	expect("syslog", true, 0, "<30>Jan  2 03:04:05 [10.9.1.12] leads: off", 42,
	       "{\"syslog\":{\"facility\":\"daemon\",\"severity\":\"info\","
	       "\"hostname\":\"[10.9.1.12]\",\"appname\":\"leads\"}}\n");
	expect("syslog", true, 0, "<13>2026-01-02 what else", 24,
	       "{\"syslog\":{\"facility\":\"user\",\"severity\":\"notice\"}}\n");
	expect("syslog", true, 0, "<192>x", 6, "{\"syslog\":{},\"reason\":\"syslog.malformed\"}\n");
}

/* RFC 3164 §4.3.3: small devices send it so. */
static void a_datagram_without_a_priority_is_syslog(void **state)
{
	struct proto_input in = {.datagram = true, .port = {514, 514}};

	in.data = unit_exact("pump 7: door open\n", 18);
	assert_int_equal(proto_find("syslog")->probe(&in), PARSE_OK);
	in.port[1] = 5140;
	assert_int_equal(proto_find("syslog")->probe(&in), PARSE_BAD);
	free((void *)in.data.data);
	in.port[1] = 514;
	in.data = unit_exact("\0\1\2\3", 4);
	assert_int_equal(proto_find("syslog")->probe(&in), PARSE_BAD);
	free((void *)in.data.data);
	expect("syslog", true, 0, "pump 7: door open\n", 18,
	       "{\"syslog\":{\"facility\":\"user\",\"severity\":\"notice\"},"
	       "\"reason\":\"syslog.malformed\"}\n");
}

#define LINE "<13>Feb  5 17:32:18 h a: x"
#define LINE_WAS                                                                         \
	"{\"syslog\":{\"facility\":\"user\",\"severity\":\"notice\",\"hostname\":\"h\"," \
	"\"appname\":\"a\"}}\n"
#define BARE_WAS                                                                           \
	"{\"syslog\":{\"facility\":\"user\",\"severity\":\"notice\"},\"reason\":\"syslog." \
	"malformed\"}\n"

/* RFC 6587 §3.4.2: what ends a message is no one's agreement, and senders are as they are. */
static void syslog_ends_as_its_sender_likes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *said;
	} rows[] = {
		{LINE "\n" LINE "\r\n", 2 * sizeof(LINE) + 1, LINE_WAS LINE_WAS},
		{LINE "\0" LINE "\0", 2 * sizeof(LINE), LINE_WAS LINE_WAS},
		{"26 " LINE "\n26 " LINE "\n", 2 * sizeof(LINE) + 6, LINE_WAS LINE_WAS},
		{LINE "\n at more\n2nd one\n" LINE "\n", 2 * sizeof(LINE) + 17,
		 LINE_WAS BARE_WAS BARE_WAS LINE_WAS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk_piece piece = {0, rows[i].text, rows[i].len};

		talk_expect("syslog", false, &piece, 1, rows[i].said);
	}
	talk_begin(r, "syslog", false);
	talk_feed(r, 0, LINE, sizeof(LINE) - 1);
	assert_string_equal(r->said, "");
	talk_end(r, 0);
	assert_string_equal(r->said, LINE_WAS);
	assert_int_equal(r->last, PARSE_OK);
	talk_finish(r);
}

/* What is longer than is looked at: by its count passed over, else it goes on in another message. */
static void syslog_may_be_long(void **state)
{
	static const struct {
		const char *count, *behind, *said;
		size_t len;
	} rows[] = {
		{"9000 ", "26 " LINE, LINE_WAS LINE_WAS, 9000},
		{"200000 ", "26 " LINE, LINE_WAS LINE_WAS, 200000},
		{"", "\n" LINE "\n", LINE_WAS BARE_WAS LINE_WAS, 9000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t head = strlen(rows[i].count), behind = strlen(rows[i].behind);
		struct talk_piece piece = {0, NULL, head + rows[i].len + behind};
		char *text = malloc(piece.len);

		memset(text, 'x', piece.len);
		memcpy(text, rows[i].count, head);
		memcpy(text + head, LINE, sizeof(LINE) - 1);
		memcpy(text + head + rows[i].len, rows[i].behind, behind);
		piece.data = text;
		talk_play(r, "syslog", false, &piece, 1, 1400);
		assert_string_equal(r->said, rows[i].said);
		free(text);
	}
	assert_int_equal(identify("syslog", 514, false, "200000 <13>x", 12), PARSE_OK);
	assert_int_equal(identify("syslog", 514, false, "2000000 <13>x", 13), PARSE_BAD);
}

static void they_know_their_own(void **state)
{
	assert_int_equal(identify("smb", 445, false, "\0\0\0\x90\xfeSMB", 8), PARSE_OK);
	assert_int_equal(identify("smb", 445, false, "\0\0\0\x90\xfeSMC", 8), PARSE_BAD);
	assert_int_equal(identify("smb", 445, false, "\0\0\0", 3), PARSE_MORE);
	assert_int_equal(identify("rdp", 3389, false, "\3\0\0\x0b\6\xe0\0\0\0\0\0", 11), PARSE_OK);
	/* the same of an S7 controller, with parameters of its own */
	assert_int_equal(identify("rdp", 102, false,
				  "\3\0\0\x16\x11\xe0\0\0\0\1\0\xc1\2\1\0\xc2\2\1\2\xc0\1\x0a", 22),
			 PARSE_BAD);
	assert_int_equal(identify("rfb", 5900, false, "RFB 003.889\n", 12), PARSE_OK);
	assert_int_equal(identify("rfb", 5900, false, "RFB 005.000\n", 12), PARSE_OK);
	assert_int_equal(identify("rfb", 5900, false, "RFB 00", 6), PARSE_MORE);
	assert_int_equal(identify("rfb", 5900, false, "RFB 006.000\n", 12), PARSE_BAD);
	assert_int_equal(identify("tftp", 69, true, "\0\1a\0octet\0", 10), PARSE_OK);
	assert_int_equal(identify("tftp", 69, true, "\0\1a\0other\0", 10), PARSE_BAD);
	assert_int_equal(identify("sip", 5060, true, "OPTIONS sip:a SIP/2.0\r\n", 23), PARSE_OK);
	assert_int_equal(identify("sip", 80, false, "GET / HTTP/1.1\r\n", 16), PARSE_BAD);
	assert_int_equal(identify("syslog", 514, true, "<13>x", 5), PARSE_OK);
	assert_int_equal(identify("syslog", 514, true, "<?xml", 5), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rdp_tells_how_a_desktop_is_protected),
		cmocka_unit_test(rdp_takes_tokens_of_any_form),
		cmocka_unit_test(rdp_goes_on_in_its_own_packets),
		cmocka_unit_test(rdp_knows_bluekeep),
		cmocka_unit_test(vnc_tells_who_may_look),
		cmocka_unit_test(vnc_since_3_7_lets_the_client_choose),
		cmocka_unit_test(vnc_is_picked_up_behind_a_greeting),
		cmocka_unit_test(tftp_tells_the_file),
		cmocka_unit_test(vnc_says_how_it_is_encrypted),
		cmocka_unit_test(sip_leaves_out_who_calls),
		cmocka_unit_test(sip_may_begin_with_nothing),
		cmocka_unit_test(sip_values_may_be_folded),
		cmocka_unit_test(a_datagram_without_a_priority_is_syslog),
		cmocka_unit_test(a_rule_waits_for_its_protocol),
		cmocka_unit_test(syslog_tells_who_and_not_what),
		cmocka_unit_test(syslog_ends_as_its_sender_likes),
		cmocka_unit_test(syslog_may_be_long),
		cmocka_unit_test(they_know_their_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
