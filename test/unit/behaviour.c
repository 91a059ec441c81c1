#include "unit.h"

#include "guard/behaviour.h"

#define SECOND 1000000000ull

static struct packet tcp(uint8_t src, uint8_t dst, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct packet p;
	uint8_t s[4] = {10, 0, 0, src}, d[4] = {10, 0, 1, dst};

	memset(&p, 0, sizeof(p));
	p.ip_version = 4;
	p.proto = PROTO_TCP;
	p.has_ports = true;
	packet_ip_map(s, &p.src_ip);
	packet_ip_map(d, &p.dst_ip);
	p.src_port = sport;
	p.dst_port = dport;
	p.tcp_flags = flags;
	return p;
}

static struct packet reversed(const struct packet *p, uint8_t flags)
{
	struct packet r = *p;

	r.src_ip = p->dst_ip;
	r.dst_ip = p->src_ip;
	r.src_port = p->dst_port;
	r.dst_port = p->src_port;
	r.tcp_flags = flags;
	return r;
}

static void many_ports_of_one_machine_are_a_scan_once(void **state)
{
	struct behaviour *b = behaviour_new(64);
	unsigned found = 0;

	for (uint16_t port = 1; port <= 200; port++) {
		struct packet p = tcp(1, 1, 40000, port, TCP_SYN);
		struct behaviour_finding f = behaviour_opened(b, &p, 0, SECOND);

		if (f.reason == REASON_NONE)
			continue;
		assert_int_equal(f.reason, REASON_SCAN_PORTS);
		assert_int_equal(port, BEHAVIOUR_PORTS);
		found++;
	}
	assert_int_equal(found, 1);
	behaviour_free(b);
}

static void one_port_of_many_machines_is_a_sweep(void **state)
{
	struct behaviour *b = behaviour_new(64);
	struct packet p;

	for (uint8_t host = 1; host < BEHAVIOUR_HOSTS; host++) {
		p = tcp(1, host, 40000, 445, TCP_SYN);
		assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_NONE);
		assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_NONE);
	}
	p = tcp(1, BEHAVIOUR_HOSTS, 40000, 445, TCP_SYN);
	assert_int_equal(behaviour_held(b, &p.src_ip, 0, SECOND), REASON_NONE);
	assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_SCAN_HOSTS);
	assert_int_equal(behaviour_held(b, &p.src_ip, 0, SECOND), REASON_SCAN_HOSTS);
	assert_int_equal(behaviour_held(b, &p.src_ip, 1, SECOND), REASON_NONE);
	assert_int_equal(behaviour_held(b, &p.src_ip, 0, SECOND + BEHAVIOUR_HELD_NS), REASON_NONE);
	behaviour_free(b);
}

/* Of IPv6 the whole address tells who and whom; its last 32 bits may be anybody's. */
static void ipv6_is_told_apart_by_all_of_it(void **state)
{
	struct behaviour *b = behaviour_new(64);
	unsigned found = 0;

	for (uint8_t host = 1; host <= BEHAVIOUR_HOSTS; host++) {
		struct packet p = tcp(1, 1, 40000, 445, TCP_SYN), other;

		p.ip_version = 6;
		p.src_ip.b[0] = p.dst_ip.b[0] = 0x20;
		p.dst_ip.b[5] = host;
		other = p;
		other.src_ip.b[5] = host; /* each tries one machine, and is no search */
		assert_int_equal(behaviour_opened(b, &other, 0, SECOND).reason, REASON_NONE);
		found += behaviour_opened(b, &p, 0, SECOND).reason == REASON_SCAN_HOSTS;
		assert_int_equal(found, host == BEHAVIOUR_HOSTS);
	}
	behaviour_free(b);
}

/* A central station that polls fifty monitors, all of which answer. */
static void answered_attempts_are_no_search(void **state)
{
	struct behaviour *b = behaviour_new(64);

	for (uint8_t host = 1; host <= 50; host++) {
		struct packet p = tcp(1, host, 40000, 24105, TCP_SYN);
		struct packet a = reversed(&p, TCP_SYN | TCP_ACK);

		assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_NONE);
		behaviour_answered(b, &a, 0);
	}
	behaviour_free(b);
}

static void a_refusal_is_no_answer(void **state)
{
	struct behaviour *b = behaviour_new(64);
	unsigned found = 0;

	for (uint8_t host = 1; host <= 50; host++) {
		struct packet p = tcp(1, host, 40000, 445, TCP_SYN);
		struct packet a = reversed(&p, TCP_RST | TCP_ACK);

		found += behaviour_opened(b, &p, 0, SECOND).reason == REASON_SCAN_HOSTS;
		behaviour_answered(b, &a, 0);
	}
	assert_int_equal(found, 1);
	behaviour_free(b);
}

static void a_slow_walk_is_no_search(void **state)
{
	struct behaviour *b = behaviour_new(64);

	for (uint16_t port = 1; port <= 200; port++) {
		struct packet p = tcp(1, 1, 40000, port, TCP_SYN);

		assert_int_equal(behaviour_opened(b, &p, 0, port * 10 * SECOND).reason,
				 REASON_NONE);
	}
	behaviour_free(b);
}

/* Picked up in the middle, a server's answers go to many ports of its client. */
static void answers_seen_alone_are_no_scan(void **state)
{
	struct behaviour *b = behaviour_new(64);

	for (uint16_t port = 0; port < 200; port++) {
		struct packet p = tcp(1, 1, 80, 40000 + port, TCP_ACK);

		assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_NONE);
		p.proto = PROTO_UDP;
		p.tcp_flags = 0;
		p.src_port = 53;
		assert_int_equal(behaviour_opened(b, &p, 0, SECOND).reason, REASON_NONE);
	}
	behaviour_free(b);
}

static void a_flood_is_found_once_a_window(void **state)
{
	struct behaviour *b = behaviour_new(64);
	struct packet p = tcp(1, 1, 1, 1, TCP_SYN);
	unsigned found = 0;

	for (unsigned second = 1; second <= 30; second++)
		for (unsigned i = 0; i < BEHAVIOUR_FLOOD + 10; i++)
			found += behaviour_unanswered(b, &p, 0, 1, second * SECOND).reason ==
				 REASON_FLOOD;
	assert_int_equal(found, 1);
	behaviour_free(b);
}

/* A vital sign stream of 5,000 packets/s that nobody answers. */
static void a_busy_stream_is_no_flood(void **state)
{
	struct behaviour *b = behaviour_new(64);
	struct packet p = tcp(1, 1, 1, 1, 0);

	for (uint64_t i = 0; i < 50000; i++)
		assert_int_equal(behaviour_unanswered(b, &p, 0, 1, SECOND + i * 200000).reason,
				 REASON_NONE);
	behaviour_free(b);
}

/* Packets of one source in `seconds` s as the engine counts them, out of so many conversations. */
static unsigned floods(unsigned conversations, unsigned per_second, unsigned seconds)
{
	struct behaviour *b = behaviour_new(64);
	struct packet p = tcp(1, 1, 1, 1, 0);
	uint64_t *sent = test_calloc(conversations, sizeof(*sent));
	unsigned found = 0;

	for (unsigned n = 0; n < per_second * seconds; n++) {
		unsigned c = n % conversations;
		uint64_t now = SECOND + (uint64_t)n * SECOND / per_second;
		uint32_t weight = behaviour_weight(++sent[c], c);

		if (weight)
			found += behaviour_unanswered(b, &p, 0, weight, now).reason == REASON_FLOOD;
	}
	test_free(sent);
	behaviour_free(b);
	return found;
}

static void packets_that_stand_for_others_count_as_many(void **state)
{
	for (uint32_t salt = 0; salt < 2 * BEHAVIOUR_STRIDE; salt++) {
		uint64_t sum = 0;

		for (uint64_t n = 1; n <= 16 * BEHAVIOUR_STRIDE; n++) {
			sum += behaviour_weight(n, salt);
			assert_in_range(n - sum, 0, BEHAVIOUR_STRIDE - 1);
		}
	}
	/* One conversation or many, each packet its own or each one of a thousand: the rate counts. */
	assert_int_equal(floods(1, 10100, 2), 1);
	assert_int_equal(floods(1, 9900, 20), 0);
	assert_int_equal(floods(700, 12000, 5), 1);
	assert_int_equal(floods(700, 8000, 20), 0);
	assert_int_equal(floods(5000, 12000, 5), 1);
	assert_int_equal(floods(700, 700, 40), 0); /* one a second of each, all begun together */
	assert_int_equal(floods(30000, 10100, 2), 1);
}

/* However many a spoofer invents, the one who searches is still found. */
static void noise_does_not_hide_a_scan(void **state)
{
	struct behaviour *b = behaviour_new(64);
	unsigned found = 0;

	for (uint16_t port = 1; port <= 30; port++) {
		struct packet p = tcp(1, 1, 40000, port, TCP_SYN);

		found += behaviour_opened(b, &p, 0, SECOND + port).reason == REASON_SCAN_PORTS;
		p = tcp((uint8_t)(port + 10), 9, 1, 80, TCP_SYN);
		behaviour_opened(b, &p, 0, SECOND + port);
	}
	assert_int_equal(found, 1);
	behaviour_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_ports_of_one_machine_are_a_scan_once),
		cmocka_unit_test(one_port_of_many_machines_is_a_sweep),
		cmocka_unit_test(ipv6_is_told_apart_by_all_of_it),
		cmocka_unit_test(answered_attempts_are_no_search),
		cmocka_unit_test(a_refusal_is_no_answer),
		cmocka_unit_test(a_slow_walk_is_no_search),
		cmocka_unit_test(answers_seen_alone_are_no_scan),
		cmocka_unit_test(a_flood_is_found_once_a_window),
		cmocka_unit_test(a_busy_stream_is_no_flood),
		cmocka_unit_test(packets_that_stand_for_others_count_as_many),
		cmocka_unit_test(noise_does_not_hide_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
