/* DNS over both transports: what is asked and answered, and names that lead nowhere. */
#include "base/event.h"
#include "guard/proto/dns.h"

#include "talk_case.h"

static void questions_and_answers(void **state)
{
	seed_same(r, "dns", "dns-3");
	assert_says(r, "{\"dns\":{\"type\":\"query\",\"id\":");
	assert_says(r, "\"rrname\":\"pacs.clinic.example\",\"rrtype\":\"A\",\"rcode\":\"NOERROR\","
		       "\"answers\":[{\"rrname\":\"pacs.clinic.example\",\"rrtype\":\"CNAME\","
		       "\"ttl\":0,\"rdata\":\"archive.clinic.example\"},"
		       "{\"rrname\":\"archive.clinic.example\",\"rrtype\":\"A\",\"ttl\":0,"
		       "\"rdata\":\"10.9.0.8\"}]");
	seed_same(r, "dns", "dns-2");
	assert_says(r, "\"rdata\":\"fd00:9::8\"");
	seed_same(r, "dns", "dns-6");
	assert_says(r, "\"srv\":{\"priority\":0,\"weight\":0,\"port\":104,"
		       "\"name\":\"archive.clinic.example\"}");
	seed_same(r, "dns", "dns-7");
	assert_says(r, "\"rcode\":\"NXDOMAIN\"");
	seed_same(r, "dns", "dns-9"); /* over TCP */
	assert_int_equal(seed_count(r, "archive.clinic.example"), 3);
}

/* A signed zone as NSD serves it, asked by dig. */
static void records_are_told(void **state)
{
	static const char *const said[] = {
		"\"soa\":{\"mname\":\"ns.clinic.example\",\"rname\":\"hostmaster.clinic.example\","
		"\"serial\":2026012801,\"refresh\":7200,\"retry\":3600,\"expire\":1209600,"
		"\"minimum\":300}",
		"\"caa\":{\"flags\":128,\"tag\":\"iodef\",\"value\":\"mailto:it@clinic.example\"}",
		"\"svcb\":{\"priority\":1,\"target\":\"\",\"alpn\":[\"h2\",\"h3\"],\"port\":8443,"
		"\"ipv4hint\":[\"10.9.0.8\"],\"ipv6hint\":[\"fd00:9::8\"]}",
		"\"svcb\":{\"priority\":0,\"target\":\"archive.clinic.example\"}",
		"\"naptr\":{\"order\":10,\"preference\":100,\"flags\":\"S\",\"service\":\"SIP+"
		"D2U\","
		"\"regexp\":\"\",\"replacement\":\"_sip._udp.clinic.example\"}",
		"\"sshfp\":{\"algo\":4,\"type\":2,\"fingerprint\":\"12:34:56:",
		"\"tlsa\":{\"usage\":3,\"selector\":1,\"matching_type\":1}",
		"\"hinfo\":{\"cpu\":\"PUMP\",\"os\":\"RTOS\"}",
		"\"rrtype\":\"DNAME\",\"ttl\":300,\"rdata\":\"other.example\"",
		"\"uri\":{\"priority\":10,\"weight\":1,\"target\":\"https://www.clinic.example/\"}",
		"\"dnskey\":{\"flags\":257,\"protocol\":3,\"algorithm\":13}",
		"\"rrsig\":{\"type_covered\":\"DNSKEY\",\"algorithm\":13,\"labels\":2,",
		"\"authorities\":[{\"rrname\":\"clinic.example\",\"rrtype\":\"NS\",\"ttl\":300,"
		"\"rdata\":\"ns.clinic.example\"}]",
	};

	seed_play(r, "dns", "records", 0);
	for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		assert_says(r, said[i]);
	seed_same(r, "dns", "records-0"); /* all of it at once */
	assert_says(r, "\"ds\":{\"key_tag\":");
}

/* RFC 7766 §6.2.1.1: three questions, then three answers. */
static void questions_in_a_row(void **state)
{
	seed_same(r, "dns", "records-1");
	assert_int_equal(seed_count(r, "\"type\":\"query\""), 3);
	assert_int_equal(seed_count(r, "\"type\":\"answer\""), 3);
}

#define ZONE "\1z\0\0\6\0\1"
#define SOA  "\xc0\x0c\0\6\0\1\0\0\0\5\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"
#define OPT  "\0\0\x29\4\xd0\0\0\0\0\0\0"

/* What a name server says ahead of questions (RFC 1996 §3.7), what changes a zone (RFC 2136 §2), and
 * what comes beside an answer; OPT is about the message. */
static void all_sections_are_told(void **state)
{
	static const struct talk_piece notify =
					       TALK_PIECE(0, "\0\1\x24\0\0\1\0\1\0\0\0\0" ZONE SOA),
				       update = TALK_PIECE(
					       0, "\0\2\x28\0\0\1\0\1\0\1\0\1" ZONE
						  "\xc0\x0c\0\xff\0\xff\0\0\0\0\0\0"
						  "\1n\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4" OPT),
				       answer = TALK_PIECE(
					       1, "\0\3\x84\0\0\1\0\0\0\0\0\2" ZONE OPT
						  "\1n\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4");

	/* RFC 6891 §6.1.3: 1 above, 0 in the head is BADVERS; RFC 1035 §3.2.4: a server's version is in CHAOS. */
	static const struct talk_piece version = TALK_PIECE(
		1, "\0\4\x84\0\0\1\0\0\0\0\0\1\1v\0\0\x10\0\3\0\0\x29\4\xd0\1\0\0\0\0\0");
	const struct talk_piece *both[] = {&notify, &update};

	talk_play(r, "dns", true, &notify, 1, 0);
	assert_says(
		r,
		"\"opcode\":4,\"rrname\":\"z\",\"rrtype\":\"SOA\",\"answers\":[{\"rrname\":\"z\"");
	talk_play(r, "dns", true, &update, 1, 0);
	assert_says(
		r,
		"\"opcode\":5,\"rrname\":\"z\",\"rrtype\":\"SOA\",\"answers\":[{\"rrname\":\"z\","
		"\"rrtype\":\"ANY\",\"ttl\":0}],\"authorities\":[{\"rrname\":\"n.z\","
		"\"rrtype\":\"A\",\"ttl\":60,\"rdata\":\"1.2.3.4\"}],\"control\":true}}");
	talk_play(r, "dns", true, &answer, 1, 0);
	assert_says(r,
		    "\"rcode\":\"NOERROR\",\"additionals\":[{\"rrname\":\"n.z\",\"rrtype\":\"A\","
		    "\"ttl\":60,\"rdata\":\"1.2.3.4\"}]}}");
	talk_play(r, "dns", true, &version, 1, 0);
	assert_says(
		r,
		"\"rrname\":\"v\",\"rrtype\":\"TXT\",\"rcode\":\"BADVERS\",\"rrclass\":\"CH\"}}");
	for (unsigned i = 0; i < 2; i++) {
		struct proto_input in = {.data = unit_exact(both[i]->data, both[i]->len),
					 .datagram = true};

		assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
		free((void *)in.data.data);
	}
}

#define HEAD "\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
#define ASK  "\1a\0\0\1\0\1"

static void refuse(const char *data, size_t len)
{
	struct talk_piece piece = {1, data, len};

	talk_play(r, "dns", true, &piece, 1, 0);
	assert_says(r, "\"reason\":\"dns.malformed\"");
	assert_int_equal(r->last, PARSE_BAD);
}
#define REFUSE(literal) refuse(literal, sizeof(literal) - 1)

static void circles_and_lies_are_refused(void **state)
{
	REFUSE(HEAD ASK "\xc0\x13\0\1\0\1\0\0\0\0\0\4\1\2\3\4"); /* to itself */
	REFUSE(HEAD ASK "\xc0\x15\0\1\0\1\0\0\0\0\0\4\1\2\3\4"); /* forward */
	REFUSE(HEAD ASK "\x80\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4");
	REFUSE(HEAD ASK "\xc0\x0c\0\1\0\1\0\0\0\0\0\5\1\2\3\4");
	REFUSE("\x12\x34\x81\x80\0\1\xff\xff\0\0\0\0" ASK);
	REFUSE("\x12\x34\x81\x80\0\2\0\0\0\0\0\0" ASK);
}

/* RFC 3597 §5 */
static void a_class_without_a_name_has_its_number(void **state)
{
	static const char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\xff\xfe";
	struct talk_piece piece = {0, query, sizeof(query) - 1};

	talk_play(r, "dns", true, &piece, 1, 0);
	assert_says(r, "\"rrclass\":\"CLASS65534\"");
	talk_seed("dns", true, &piece, 1);
}

static void names_end(void **state)
{
	uint8_t chain[600];
	struct reader in;
	struct dns_name n;

	/* A label, then pointers that each lead two bytes back: long, but it ends. */
	memcpy(chain, "\1a\0", 3);
	for (unsigned i = 3; i + 1 < sizeof(chain); i += 2) {
		unsigned to = i == 3 ? 0 : i - 2;

		chain[i] = (uint8_t)(0xc0 | to >> 8);
		chain[i + 1] = (uint8_t)to;
	}
	in = (struct reader){.in = {chain, sizeof(chain)}, .off = 597};
	assert_true(dns_name_read(&in, &n));
	assert_int_equal(n.count, 1);
	assert_int_equal(in.off, 599);
}

/* RFC 9619: no resolver asks two things at once; who does is told with all he asks. */
static void two_questions_are_refused(void **state)
{
	static const char two[] = "\x12\x34\1\0\0\2\0\0\0\0\0\0" ASK "\4EVIL\0\0\x10\0\1";
	struct proto_input in = {.datagram = true, .port = {4000, 9999}};
	struct talk_piece piece = {0, two, sizeof(two) - 1};

	in.data = unit_exact(two, sizeof(two) - 1);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
	free((void *)in.data.data);
	talk_play(r, "dns", true, &piece, 1, 0);
	assert_says(r, "\"rrname\":\"a\",\"rrtype\":\"A\",\"queries\":[{\"rrname\":\"a\","
		       "\"rrtype\":\"A\"},{\"rrname\":\"EVIL\",\"rrtype\":\"TXT\"}]},"
		       "\"reason\":\"dns.malformed\"");
}

/* RFC 5452 §4: whoever does not see the question tries one number after the other. */
static void guessed_answers_are_told_once(void **state)
{
	static const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0" ASK;
	char answer[] = HEAD ASK "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\x09\0\5";
	struct talk_piece pieces[2] = {{0, query, sizeof(query) - 1},
				       {1, answer, sizeof(answer) - 1}};

	talk_begin(r, "dns", true);
	talk_feed(r, 0, query, sizeof(query) - 1);
	for (unsigned i = 0; i < 20; i++)
		talk_feed(r, 1, answer, sizeof(answer) - 1); /* the true one, however often */
	assert_silent(r, "dns.forged");
	for (unsigned i = 0; i < 20; i++) {
		answer[1] = (char)i;
		talk_feed(r, 1, answer, sizeof(answer) - 1);
		if (i < 7)
			assert_silent(r, "dns.forged");
	}
	assert_int_equal(seed_count(r, "\"reason\":\"dns.forged\""), 1);
	talk_finish(r);
	talk_seed("dns", true, pieces, 2);
}

/* A resolver that asks for all by one port has more questions than are kept. */
static void many_questions_are_no_guesses(void **state)
{
	char query[] = "\x12\0\1\0\0\1\0\0\0\0\0\0" ASK;
	char answer[] = HEAD ASK "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\x09\0\5";

	talk_begin(r, "dns", true);
	for (unsigned i = 0; i < 300; i++) {
		query[1] = (char)i;
		talk_feed(r, 0, query, sizeof(query) - 1);
		answer[1] = (char)i;
		answer[0] = 0x12;
		talk_feed(r, 1, answer, sizeof(answer) - 1);
		assert_silent(r, "dns.forged");
		r->said[0] = 0;
	}
	talk_finish(r);
}

/* RFC 1035 §3.3.14 */
static void all_strings_of_a_text_are_told(void **state)
{
	static const char answer[] = HEAD ASK "\xc0\x0c\0\x10\0\1\0\0\0\0\0\6\2ab\0\1c";
	struct talk_piece piece = {1, answer, sizeof(answer) - 1};

	talk_play(r, "dns", true, &piece, 1, 0);
	assert_says(r, "\"rrtype\":\"TXT\",\"ttl\":0,\"rdata\":\"abc\"");
}

/* As many as there is room for, whatever their bytes: none is left out of the log for its length. */
static void long_answers_fit(void **state)
{
	uint8_t long_one[4096] = "\x12\x34\x81\x80\0\1\0\x0c\0\0\0\0" ASK;
	size_t at = 12 + sizeof(ASK) - 1;
	uint64_t state_room[PROTO_STATE_MAX / 8] = {0}; /* nobody asked */
	struct dns_msg m = {.qr = false};
	struct proto_input in = {.datagram = true, .end = 1};
	struct proto_output out = {0};
	char line[EVENT_MAX];
	struct json j = json_new(line, sizeof(line));

	for (unsigned i = 0; i < 12; i++) {
		memcpy(long_one + at, "\xc0\x0c\0\x10\0\1\0\0\0\0\1\0\xff", 13);
		memset(long_one + at + 13, 1, 255);
		at += 13 + 255;
	}
	in.data = unit_exact(long_one, at);
	assert_int_equal(dns_proto.read(state_room, &in, &m.msg, &out), PARSE_OK);
	proto_write(&dns_proto, &m.msg, &j);
	assert_false(j.out.bad);
	assert_true(j.out.len > sizeof(line) / 2);
	free((void *)in.data.data);
}

/* RFC 9460 §2.2: keys ascend; what a value lacks is left out, and ends within its record. */
static void bindings_that_lie(void **state)
{
	static const char answer[] = HEAD ASK "\xc0\x0c\0\x41\0\1\0\0\0\0\0\x15\0\1\0"
					      "\0\3\0\1\x1f\0\1\0\3\2h2\0\4\xff\xff\1\2";
	struct talk_piece piece = {1, answer, sizeof(answer) - 1};

	talk_play(r, "dns", true, &piece, 1, 0);
	assert_says(r, "\"svcb\":{\"priority\":1,\"target\":\"\",\"port\":0}}]");
}

static void it_knows_its_own(void **state)
{
	static const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0" ASK;
	static const char mdns[] = "\0\0\x84\0\0\0\0\1\0\0\0\0" ASK;
	struct proto_input in = {.datagram = true, .port = {4000, 9999}};

	in.data = unit_exact(query, sizeof(query) - 1);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
	in.port[1] = 5353;
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_BAD);
	in.port[0] = 5353;
	in.port[1] = 53;
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
	in.port[1] = 5353;
	free((void *)in.data.data);
	in.port[1] = 9999;
	in.data = unit_exact(mdns, sizeof(mdns) - 1);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_BAD);
	free((void *)in.data.data);
	/* Without a question the port decides. */
	in.data = unit_exact("\x12\x34\x81\1\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_BAD);
	in.port[1] = 53;
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
	free((void *)in.data.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_and_answers),
		cmocka_unit_test(records_are_told),
		cmocka_unit_test(questions_in_a_row),
		cmocka_unit_test(all_sections_are_told),
		cmocka_unit_test(bindings_that_lie),
		cmocka_unit_test(circles_and_lies_are_refused),
		cmocka_unit_test(names_end),
		cmocka_unit_test(a_class_without_a_name_has_its_number),
		cmocka_unit_test(two_questions_are_refused),
		cmocka_unit_test(guessed_answers_are_told_once),
		cmocka_unit_test(many_questions_are_no_guesses),
		cmocka_unit_test(all_strings_of_a_text_are_told),
		cmocka_unit_test(long_answers_fit),
		cmocka_unit_test(it_knows_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
