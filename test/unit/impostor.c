#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "guard/impostor.h"
#include "guard/proto/claim.h"

static struct gate_ip ip_of(uint8_t a, uint8_t b)
{
	uint8_t bytes[4] = {10, 9, a, b};
	struct gate_ip ip;

	packet_ip_map(bytes, &ip);
	return ip;
}

/* An answer of LLMNR that a name is 10.9.1.`address`. */
static size_t answer(char *buf, const char *name, uint8_t address)
{
	size_t n = strlen(name);

	memcpy(buf, "\0\1\x80\0\0\0\0\1\0\0\0\0", 12);
	buf[12] = (char)n;
	memcpy(buf + 13, name, n);
	memcpy(buf + 13 + n, "\0\0\1\0\1\0\0\0\x1e\0\4\x0a\x09\1", 14);
	buf[27 + n] = (char)address;
	return 28 + n;
}

static enum reason claim_at(struct impostor *i, uint8_t from, const char *name, uint8_t address,
			    uint64_t now_ns)
{
	char text[128];
	size_t n = answer(text, name, address);
	struct packet p;
	enum reason found;

	memset(&p, 0, sizeof(p));
	p.proto = PROTO_UDP;
	p.has_ports = true;
	p.src_port = 5355;
	p.src_ip = ip_of(1, from);
	p.payload = unit_exact(text, n);
	assert_true(impostor_may_claim(&p));
	found = impostor_claimed(i, &p, 0, now_ns).reason;
	free((void *)p.payload.data);
	return found;
}

static void who_has_every_name_is_told_once(void **state)
{
	static const char *const names[] = {"files", "scan", "FILES", "pacs",
					    "print", "mail", "lab"};
	struct impostor *i = impostor_new();
	unsigned found = 0;

	for (unsigned n = 0; n < 7; n++)
		if (claim_at(i, 66, names[n], 66, NSEC_PER_SEC) == REASON_NAMES_POISONED) {
			found++;
			assert_string_equal(names[n], "mail"); /* the fifth that is another one */
		}
	assert_int_equal(found, 1);
	impostor_free(i);
}

/* To be everybody's proxy one name is enough. */
/* Whatever their hashes are: of fifty keys, none. */
static void others_names_hide_nobody(void **state)
{
	static const char *const names[] = {"files", "scan", "pacs", "print", "mail"};

	for (unsigned key = 0; key < 50; key++) {
		struct impostor *i = impostor_new();
		enum reason found = REASON_NONE;

		for (unsigned n = 0; n < 5; n++) {
			for (uint8_t other = 1; other <= 12; other++)
				assert_int_equal(claim_at(i, other, "own", other, NSEC_PER_SEC),
						 REASON_NONE);
			found = claim_at(i, 66, names[n], 66, NSEC_PER_SEC);
		}
		assert_int_equal(found, REASON_NAMES_POISONED);
		impostor_free(i);
	}
}

static void who_has_the_proxys_name_is_told(void **state)
{
	struct impostor *i = impostor_new();

	assert_int_equal(claim_at(i, 66, "wpads", 66, NSEC_PER_SEC), REASON_NONE);
	assert_int_equal(claim_at(i, 66, "WPAD", 66, NSEC_PER_SEC), REASON_NAMES_POISONED);
	assert_int_equal(claim_at(i, 66, "wpad", 66, NSEC_PER_SEC), REASON_NONE); /* told */
	/* What a server says of another. */
	assert_int_equal(claim_at(i, 67, "wpad", 5, NSEC_PER_SEC), REASON_NONE);
	impostor_free(i);
}

static void who_has_its_own_names_is_not(void **state)
{
	static const char *const names[] = {"archive", "clinic", "service", "samba"};
	struct impostor *i = impostor_new();
	char name[16];

	for (unsigned n = 0; n < 40; n++)
		assert_int_equal(claim_at(i, 5, names[n % 4], 5, NSEC_PER_SEC), REASON_NONE);
	/* What a server says of others. */
	for (unsigned n = 0; n < 40; n++) {
		snprintf(name, sizeof(name), "bed-%u", n);
		assert_int_equal(claim_at(i, 6, name, (uint8_t)(100 + n), NSEC_PER_SEC),
				 REASON_NONE);
	}
	/* One name after the other, each of its day. */
	for (unsigned n = 0; n < 40; n++) {
		snprintf(name, sizeof(name), "bed-%u", n);
		assert_int_equal(claim_at(i, 7, name, 7, n * IMPOSTOR_WINDOW_NS), REASON_NONE);
	}
	impostor_free(i);
}

/* RFC 1001 §14.1: "WPAD" with suffix 0 and with suffix 20 is one name, and so is LLMNR's. */
static void a_name_is_one_however_it_is_asked(void **state)
{
	static const char netbios[] = "\0\1\x85\0\0\0\0\1\0\0\0\0\x20"
				      "FHFAEBEECACACACACACACACACACACAAA\0"
				      "\0\x20\0\1\0\0\0\x1e\0\6\0\0\x0a\x09\1\x42";
	uint32_t names[CLAIMS], others[CLAIMS];
	struct gate_ip ip = ip_of(1, 66), other = ip_of(1, 67);
	char copy[sizeof(netbios)], text[64];
	struct bytes b = unit_exact(netbios, sizeof(netbios) - 1);
	size_t n = answer(text, "wpad", 66);

	assert_int_equal(claim_read(b, &ip, names), 1);
	assert_int_equal(claim_read((struct bytes){(uint8_t *)text, n}, &ip, others), 1);
	assert_int_equal(names[0], others[0]);
	assert_int_equal(claim_read(b, &other, names), 0);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(claim_read((struct bytes){b.data, len}, &ip, names), 0);
	free((void *)b.data);
	memcpy(copy, netbios, sizeof(copy));
	copy[56] = (char)0x80; /* a group's */
	assert_int_equal(claim_read((struct bytes){(uint8_t *)copy, sizeof(copy) - 1}, &ip, names),
			 0);
	copy[56] = 0;
	memset(copy + 13, 0, 4); /* no letters */
	assert_int_equal(claim_read((struct bytes){(uint8_t *)copy, sizeof(copy) - 1}, &ip, names),
			 1);
	copy[2] = 0; /* asked */
	assert_int_equal(claim_read((struct bytes){(uint8_t *)copy, sizeof(copy) - 1}, &ip, names),
			 0);
}

static bool elsewhere; /* do answers go another way? */

static uint8_t relay; /* that questions and answers say they came by */

static enum reason offer(struct impostor *i, uint8_t server, uint8_t router, uint8_t resolver,
			 uint64_t now_ns)
{
	struct packet p;
	struct dhcp d;

	memset(&p, 0, sizeof(p));
	memset(&d, 0, sizeof(d));
	d.reply = true;
	d.type = DHCP_OFFER;
	d.server = ip_of(0, server);
	d.router = ip_of(0, router);
	d.resolver = ip_of(0, resolver);
	d.yours = ip_of(1, 100);
	if (relay)
		d.relay = ip_of(2, relay);
	return impostor_offered(i, &p, &d, 0, !elsewhere, now_ns).reason;
}

static void a_second_server_with_other_ways_is_told(void **state)
{
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	assert_int_equal(offer(i, 5, 1, 2, now), REASON_NONE);
	assert_int_equal(offer(i, 6, 1, 2, now), REASON_NONE); /* stands in for it */
	assert_int_equal(offer(i, 5, 1, 3, now), REASON_NONE); /* set anew */
	assert_int_equal(offer(i, 66, 66, 3, now), REASON_DHCP_SECOND_SERVER);
	assert_int_equal(offer(i, 66, 66, 3, now), REASON_NONE); /* told */
	assert_int_equal(offer(i, 67, 1, 67, now), REASON_DHCP_SECOND_SERVER);
	assert_int_equal(offer(i, 67, 1, 67, now + IMPOSTOR_WINDOW_NS), REASON_DHCP_SECOND_SERVER);
	/* The first has gone for good. */
	now += IMPOSTOR_SERVER_NS;
	assert_int_equal(offer(i, 7, 9, 9, now), REASON_NONE);
	assert_int_equal(offer(i, 7, 9, 9, now), REASON_NONE);
	impostor_free(i);
}

#define FD00_9	 "\xfd\0\0\x09\0\0\0\0\0\0\0\0\0\0\0"
#define NETWORK	 "\x03\x04\x40\xc0\0\0\x0e\x10\0\0\x0e\x10\0\0\0\0" FD00_9 "\0"
#define RESOLVER "\x19\x03\0\0\0\0\x07\x08" FD00_9

/* A text of bytes, and how many. */
#define OF(text) text, sizeof(text) - 1

/* From fe80::`from`, at 0 by ICMP, else by UDP from this port. */
static enum reason lead(struct impostor *i, uint8_t from, uint16_t port, const char *text,
			size_t len, uint64_t now_ns)
{
	struct packet p;
	enum reason found;

	memset(&p, 0, sizeof(p));
	p.ip_version = 6;
	p.proto = port ? PROTO_UDP : PROTO_ICMPV6;
	p.has_ports = port != 0;
	p.src_port = port;
	p.dst_port = port == 546 ? 547 : port ? 546 : 0;
	p.icmp_type = (uint8_t)text[0];
	p.ttl = 255;
	p.src_ip.b[0] = 0xfe;
	p.src_ip.b[1] = 0x80;
	p.src_ip.b[15] = from;
	p.l4 = p.payload = unit_exact(text, len);
	found = impostor_may_lead(&p) ? impostor_led(i, &p, 0, !elsewhere, now_ns).reason
				      : REASON_NONE;
	free((void *)p.payload.data);
	return found;
}

/* RFC 4861 §4.2 */
static void a_second_router_is_told(void **state)
{
	static const char first[] =
		"\x86\0\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0" NETWORK RESOLVER "\x53";
	static const char mine[] =
		"\x86\0\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0" NETWORK RESOLVER "\x66";
	static const char silent[] = "\x86\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0" NETWORK;
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	assert_int_equal(lead(i, 1, 0, OF(first), now), REASON_NONE);
	assert_int_equal(lead(i, 2, 0, OF(first), now), REASON_NONE);  /* stands in for it */
	assert_int_equal(lead(i, 3, 0, OF(silent), now), REASON_NONE); /* leads nobody */
	assert_int_equal(lead(i, 66, 0, OF(mine), now), REASON_ROUTER_SECOND);
	assert_int_equal(lead(i, 66, 0, OF(mine), now), REASON_NONE); /* told */
	for (size_t n = 1; n < sizeof(mine) - 1;
	     n++) /* cut; without options it is one, told once */
		assert_int_equal(lead(i, 67, 0, mine, n, now),
				 n == 16 ? REASON_ROUTER_SECOND : REASON_NONE);
	impostor_free(i);
}

/* RFC 8415 §16, RFC 3646 §3 */
static void a_second_server_of_dhcpv6_is_told(void **state)
{
	static const char first[] = "\x02\1\2\3\0\x17\0\x10" FD00_9 "\x53";
	static const char mine[] = "\x07\1\2\3\0\x01\0\2ab\0\x17\0\x10" FD00_9 "\x66";
	static const char asks[] = "\x01\1\2\3\0\x17\0\x10" FD00_9 "\x66";
	static const char nobody[] = "\x07\1\2\3\0\x01\0\2ab";
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	assert_int_equal(lead(i, 1, 547, OF(first), now), REASON_NONE);
	assert_int_equal(lead(i, 66, 547, OF(asks), now), REASON_NONE);
	assert_int_equal(lead(i, 66, 547, OF(nobody), now), REASON_NONE);
	assert_int_equal(lead(i, 66, 546, OF(mine), now), REASON_NONE);
	for (size_t n = 1; n < sizeof(mine) - 1; n++)
		assert_int_equal(lead(i, 66, 547, mine, n, now), REASON_NONE);
	assert_int_equal(lead(i, 66, 547, OF(mine), now), REASON_DHCP_SECOND_SERVER);
	assert_int_equal(lead(i, 66, 547, OF(mine), now), REASON_NONE);
	impostor_free(i);
}

static enum reason discover(struct impostor *i, uint64_t now_ns)
{
	struct packet p;
	struct dhcp d;

	memset(&p, 0, sizeof(p));
	memset(&d, 0, sizeof(d));
	d.type = DHCP_DISCOVER;
	if (relay)
		d.relay = ip_of(2, relay);
	return impostor_offered(i, &p, &d, 0, !elsewhere, now_ns).reason;
}

#define SOLICITS "\x85\0\0\0\0\0\0\0"
#define LEADS	 "\x86\0\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0" NETWORK
#define SOLICIT6 "\x01\1\2\3\0\x01\0\2ab"
#define INFORM6	 "\x0b\1\2\3\0\x01\0\2ab"
#define REPLY6	 "\x07\1\2\3\0\x17\0\x10" FD00_9 "\x66"

/* Who asks by all three ways, and who answers: what is said of those who do. */
static void ask_all(struct impostor *i, uint64_t now)
{
	assert_int_equal(discover(i, now), REASON_NONE);
	assert_int_equal(lead(i, 5, 0, OF(SOLICITS), now), REASON_NONE);
	assert_int_equal(lead(i, 5, 546, now % 2 ? SOLICIT6 : INFORM6, 10, now), REASON_NONE);
}

static void answer_all(struct impostor *i, uint8_t from, bool told, uint64_t now)
{
	assert_int_equal(offer(i, from, 1, 2, now), told ? REASON_DHCP_FIRST_SERVER : REASON_NONE);
	assert_int_equal(lead(i, from, 0, OF(LEADS), now),
			 told ? REASON_ROUTER_FIRST : REASON_NONE);
	assert_int_equal(lead(i, from, 547, OF(REPLY6), now),
			 told ? REASON_DHCP_FIRST_SERVER : REASON_NONE);
}

#define HOUR IMPOSTOR_WINDOW_NS

static void a_first_one_after_questions_in_vain_is_told(void **state)
{
	static const struct {
		unsigned questions;
		uint64_t waited;
		bool told;
	} rows[] = {{3, HOUR, true}, {9, 30 * HOUR, true}, {2, HOUR, false}, {3, HOUR - 1, false}};

	for (unsigned n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct impostor *i = impostor_new();
		uint64_t now = NSEC_PER_SEC;

		for (unsigned k = 0; k < rows[n].questions; k++)
			ask_all(i, now + k);
		answer_all(i, 66, rows[n].told, now + rows[n].waited);
		answer_all(i, 66, false, now + rows[n].waited + 1); /* told */
		impostor_free(i);
	}
}

static void a_first_one_that_was_there_is_not(void **state)
{
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	answer_all(i, 1, false, now); /* there from the beginning */
	for (unsigned k = 0; k < 9; k++)
		ask_all(i, ++now);
	answer_all(i, 1, false, now + 2 * HOUR);
	now += 2 * HOUR + IMPOSTOR_SERVER_NS; /* down for a day and longer, and back */
	for (unsigned k = 0; k < 9; k++)
		ask_all(i, ++now);
	answer_all(i, 1, false, now + HOUR);
	now += HOUR + IMPOSTOR_SERVER_NS;
	for (unsigned k = 0; k < 9; k++)
		ask_all(i, ++now);
	answer_all(i, 66, true, now + HOUR); /* for good */
	impostor_free(i);

	i = impostor_new();
	elsewhere = true;
	for (unsigned k = 0; k < 9; k++)
		ask_all(i, ++now);
	answer_all(i, 66, false, now + HOUR);
	elsewhere = false;
	impostor_free(i);
}

/* Whoever asks by relays that there are not makes no room for a second server. */
static void questions_push_no_server_out(void **state)
{
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	assert_int_equal(offer(i, 5, 1, 2, now), REASON_NONE);
	for (relay = 255; relay; relay--)
		for (unsigned k = 0; k < 9; k++)
			assert_int_equal(discover(i, ++now), REASON_NONE);
	assert_int_equal(offer(i, 66, 66, 2, now), REASON_DHCP_SECOND_SERVER);
	impostor_free(i);
}

#define SERVED 40

/* Each has its own, whatever happens elsewhere; and whoever came first is heard on where others claim to serve more. */
static void networks_are_watched_side_by_side(void **state)
{
	struct impostor *i = impostor_new();
	uint64_t now = NSEC_PER_SEC;

	for (relay = SERVED; relay; relay--)
		assert_int_equal(offer(i, 5, 1, 2, now), REASON_NONE);
	answer_all(i, 1, false, now);
	for (relay = SERVED; relay; relay--)
		assert_int_equal(offer(i, 66, 66, 2, now), REASON_DHCP_SECOND_SERVER);
	for (relay = 255; relay > SERVED; relay--)
		assert_int_equal(offer(i, 66, 66, 2, ++now), REASON_NONE);
	for (relay = SERVED; relay; relay--)
		assert_int_equal(offer(i, 67, 67, 2, now), REASON_DHCP_SECOND_SERVER);
	assert_int_equal(offer(i, 66, 66, 2, now), REASON_DHCP_SECOND_SERVER);
	impostor_free(i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_every_name_is_told_once),
		cmocka_unit_test(others_names_hide_nobody),
		cmocka_unit_test(who_has_the_proxys_name_is_told),
		cmocka_unit_test(who_has_its_own_names_is_not),
		cmocka_unit_test(a_name_is_one_however_it_is_asked),
		cmocka_unit_test(a_second_server_with_other_ways_is_told),
		cmocka_unit_test(a_second_router_is_told),
		cmocka_unit_test(a_second_server_of_dhcpv6_is_told),
		cmocka_unit_test(a_first_one_after_questions_in_vain_is_told),
		cmocka_unit_test(a_first_one_that_was_there_is_not),
		cmocka_unit_test(questions_push_no_server_out),
		cmocka_unit_test(networks_are_watched_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
