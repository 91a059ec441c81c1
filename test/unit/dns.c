/* DNS over both transports: what is asked and answered, and names that lead nowhere. */
#include "guard/proto/dns_name.h"

#include "seed.h"

static struct talk_record *r;

static int setup(void **state)
{
	r = malloc(sizeof(*r));
	return 0;
}

static int teardown(void **state)
{
	free(r);
	return 0;
}

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

static void it_knows_its_own(void **state)
{
	static const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0" ASK;
	static const char mdns[] = "\0\0\x84\0\0\0\0\1\0\0\0\0" ASK;
	struct proto_input in = {.datagram = true, .port = {4000, 9999}};

	in.data = unit_exact(query, sizeof(query) - 1);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_OK);
	in.port[1] = 5353;
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_BAD);
	free((void *)in.data.data);
	in.port[1] = 9999;
	in.data = unit_exact(mdns, sizeof(mdns) - 1);
	assert_int_equal(proto_find("dns")->probe(&in), PARSE_BAD);
	free((void *)in.data.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_and_answers),
		cmocka_unit_test(circles_and_lies_are_refused),
		cmocka_unit_test(names_end),
		cmocka_unit_test(it_knows_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
