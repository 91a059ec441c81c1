#include "base/clock.h"
#include "guard/flow/flow.h"
#include "guard/flow/tcp.h"

#include "frames.h"

#define CLIENT 0x0a000001u
#define SERVER 0x0a000002u

static struct flow_table *table;
static unsigned ended[4];
static uint64_t last_ended_id;

static void count_end(void *arg, struct flow *f, enum flow_end how)
{
	assert_ptr_equal(arg, &table);
	ended[how]++;
	last_ended_id = f->id;
}

static void open_table(uint32_t max)
{
	memset(ended, 0, sizeof(ended));
	table = flow_table_new(max, NULL, count_end, &table);
	assert_non_null(table);
}

static int teardown(void **state)
{
	flow_table_free(table);
	table = NULL;
	return 0;
}

static const struct flow *see(struct bytes frame, double at_s, uint8_t *ret_end)
{
	struct packet p;
	struct flow *f;

	packet_decode(frame, LINK_ETHERNET, (uint64_t)(at_s * 1e9), (uint32_t)frame.len, &p);
	assert_int_equal(p.anomalies, 0);
	f = flow_lookup(table, &p, 0, ret_end);
	free((void *)frame.data);
	return f;
}

static const struct flow *tcp(bool client, uint8_t flags, uint32_t seq, uint32_t ack, size_t len)
{
	struct frame_tcp t = {.src = client ? 4000 : 80,
			      .dst = client ? 80 : 4000,
			      .seq = seq,
			      .ack = ack,
			      .flags = flags};
	uint8_t end;

	return see(frame_ipv4_tcp(client ? CLIENT : SERVER, client ? SERVER : CLIENT, &t, len), 100,
		   &end);
}

static const struct flow *udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
			      double at_s)
{
	uint8_t end;

	return see(frame_ipv4_udp(src, sport, dst, dport, "x", 1), at_s, &end);
}

static void both_directions_are_one_flow(void **state)
{
	const struct flow *f;
	uint8_t end;

	open_table(8);
	f = see(frame_ipv4_udp(SERVER, 5000, CLIENT, 53, "abc", 3), 1, &end);
	assert_int_equal(end, 0);
	assert_ptr_equal(f, see(frame_ipv4_udp(CLIENT, 53, SERVER, 5000, "a", 1), 2, &end));
	assert_int_equal(end, 1);
	assert_int_equal(flow_count(table), 1);
	assert_int_equal(f->packets[0], 1);
	assert_int_equal(f->packets[1], 1);
	assert_int_equal(f->bytes[0], 45);
	assert_int_equal(f->bytes[1], 43);
	assert_int_equal(f->first_ns, 1 * NSEC_PER_SEC);
	assert_int_equal(f->last_ns, 2 * NSEC_PER_SEC);
	assert_string_equal(flow_state_name(f), "established");
	assert_true(f->id > 0 && f->id < 1ull << 53);
	udp(SERVER, 5001, CLIENT, 53, 2);
	assert_int_equal(flow_count(table), 2);
}

static const struct flow *shake_hands(void)
{
	const struct flow *f = tcp(true, TCP_SYN, 1000, 0, 0);

	assert_int_equal(f->state, TCP_SYN_SENT);
	assert_string_equal(flow_state_name(f), "new");
	tcp(false, TCP_SYN | TCP_ACK, 5000, 1001, 0);
	assert_int_equal(f->state, TCP_SYN_RECV);
	tcp(true, TCP_ACK, 1001, 5001, 0);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	return f;
}

static void tcp_opens_talks_and_closes(void **state)
{
	const struct flow *f;
	uint64_t id;

	open_table(8);
	f = shake_hands();
	id = f->id;
	tcp(true, TCP_ACK | TCP_PSH, 1001, 5001, 100);
	tcp(false, TCP_ACK, 5001, 1101, 0);
	tcp(false, TCP_ACK | TCP_FIN, 5001, 1101, 0);
	assert_int_equal(f->state, TCP_FIN_WAIT);
	tcp(true, TCP_ACK | TCP_FIN, 1101, 5002, 0);
	assert_int_equal(f->state, TCP_CLOSED);
	assert_string_equal(flow_state_name(f), "closed");
	f = tcp(true, TCP_SYN, 80000, 0, 0); /* nobody has confirmed that it is over */
	assert_int_equal(f->id, id);
	tcp(false, TCP_ACK, 5002, 1102, 0);
	f = tcp(true, TCP_SYN, 90000, 0, 0);
	assert_int_not_equal(f->id, id);
	assert_int_equal(ended[FLOW_CLOSED], 1);
	assert_int_equal(f->state, TCP_SYN_SENT);
}

static void a_wrong_confirmation_opens_nothing(void **state)
{
	const struct flow *f;

	open_table(8);
	f = tcp(true, TCP_SYN, 1000, 0, 0);
	tcp(false, TCP_SYN | TCP_ACK, 5000, 77, 0);
	assert_int_equal(f->state, TCP_SYN_SENT);
	tcp(false, TCP_RST | TCP_ACK, 0, 1000, 0);
	assert_int_equal(f->state, TCP_SYN_SENT);
	tcp(false, TCP_RST | TCP_ACK, 0, 1001, 0);
	assert_int_equal(f->state, TCP_RESET);
}

static void a_blind_reset_ends_nothing(void **state)
{
	const struct flow *f;

	open_table(8);
	f = shake_hands();
	tcp(true, TCP_ACK, 1001, 5001, 10);
	tcp(true, TCP_RST, 1012, 0, 0);
	tcp(true, TCP_RST, 900, 0, 0);
	tcp(false, TCP_RST, 0x80000000, 0, 0);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	assert_true(f->anomalies & 1ull << ANOMALY_TCP_BLIND_RESET);
	tcp(true, TCP_FIN | TCP_ACK, 0x70000000, 5001, 0);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	tcp(true, TCP_RST, 1011, 0, 0);
	assert_int_equal(f->state, TCP_RESET);
}

static void a_conversation_is_picked_up_midstream(void **state)
{
	const struct flow *f;

	open_table(8);
	f = tcp(false, TCP_ACK, 5000, 1000, 50);
	assert_int_equal(f->state, TCP_MIDSTREAM);
	assert_string_equal(flow_state_name(f), "new");
	tcp(true, TCP_ACK, 1000, 5050, 0);
	assert_string_equal(flow_state_name(f), "established");
	tcp(true, TCP_RST, 700, 0, 0);
	assert_int_equal(f->state, TCP_MIDSTREAM);
	tcp(true, TCP_RST | TCP_ACK, 1000, 5050, 0);
	assert_int_equal(f->state, TCP_RESET);
}

static void what_both_ends_lost_begins_anew(void **state)
{
	const struct flow *f;
	uint64_t id;

	open_table(8);
	f = shake_hands();
	id = f->id;
	tcp(true, TCP_ACK | TCP_PSH, 1001, 5001, 100);
	/* a SYN alone, the server's refusal of it, and a yes to another SYN change nothing */
	tcp(true, TCP_SYN, 70000000, 0, 0);
	tcp(false, TCP_ACK, 5001, 1101, 0);
	f = tcp(false, TCP_SYN | TCP_ACK, 90000000, 1234, 0);
	assert_int_equal(f->id, id);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	assert_int_equal(f->tcp_next[0], 1101);
	f = tcp(false, TCP_SYN | TCP_ACK, 90000000, 70000001, 0);
	assert_int_not_equal(f->id, id);
	assert_int_equal(ended[FLOW_CLOSED], 1);
	assert_int_equal(last_ended_id, id);
	assert_int_equal(f->state, TCP_SYN_RECV);
	assert_int_equal(f->key.port[f->starter], 4000);
	assert_int_equal(f->packets[1], 1);
	f = tcp(true, TCP_ACK | TCP_PSH, 70000001, 90000001, 10);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	assert_int_equal(f->tcp_first[0], 70000001);
	assert_int_equal(f->tcp_first[1], 90000001);
	/* repetitions of both are old news */
	id = f->id;
	tcp(true, TCP_SYN, 70000000, 0, 0);
	f = tcp(false, TCP_SYN | TCP_ACK, 90000000, 70000001, 0);
	assert_int_equal(f->id, id);
	assert_int_equal(flow_count(table), 1);
}

static void syns_that_cross_are_one_conversation(void **state)
{
	const struct flow *f;
	uint64_t id;

	open_table(8);
	id = tcp(true, TCP_SYN, 1000, 0, 0)->id;
	tcp(false, TCP_SYN, 5000, 0, 0);
	tcp(true, TCP_SYN | TCP_ACK, 1000, 5001, 0);
	f = tcp(false, TCP_SYN | TCP_ACK, 5000, 1001, 0);
	assert_int_equal(f->id, id);
	assert_int_equal(flow_count(table), 1);
}

static void every_class_has_its_timeout(void **state)
{
	open_table(8);
	udp(CLIENT, 1, SERVER, 1, 100); /* 30 s */
	udp(CLIENT, 2, SERVER, 2, 100);
	udp(SERVER, 2, CLIENT, 2, 100); /* answered: 300 s */
	assert_int_equal(flow_expire(table, 129 * NSEC_PER_SEC, 100), 0);
	assert_int_equal(flow_expire(table, 130 * NSEC_PER_SEC, 100), 1);
	assert_int_equal(flow_expire(table, 399 * NSEC_PER_SEC, 100), 0);
	udp(SERVER, 2, CLIENT, 2, 399);
	assert_int_equal(flow_expire(table, 698 * NSEC_PER_SEC, 100), 0);
	assert_int_equal(flow_expire(table, 699 * NSEC_PER_SEC, 100), 1);
	assert_int_equal(ended[FLOW_TIMEOUT], 2);
	assert_int_equal(flow_count(table), 0);
}

static void a_clock_set_back_only_delays(void **state)
{
	open_table(8);
	udp(CLIENT, 1, SERVER, 1, 5000);
	udp(CLIENT, 2, SERVER, 2, 5000);
	assert_int_equal(flow_expire(table, 100 * NSEC_PER_SEC, 100), 0);
	assert_int_equal(flow_expire(table, 129 * NSEC_PER_SEC, 100), 0);
	assert_int_equal(flow_expire(table, 130 * NSEC_PER_SEC, 1), 1);
	assert_int_equal(flow_expire(table, 130 * NSEC_PER_SEC, 1), 1);
}

static void a_full_table_evicts_the_idlest(void **state)
{
	const struct flow *kept;
	uint64_t id;

	open_table(4);
	udp(CLIENT, 1, SERVER, 9, 100);
	kept = udp(CLIENT, 2, SERVER, 9, 101);
	id = kept->id;
	udp(CLIENT, 3, SERVER, 9, 102);
	udp(CLIENT, 4, SERVER, 9, 103);
	udp(CLIENT, 1, SERVER, 9, 110);
	udp(CLIENT, 5, SERVER, 9, 111);
	assert_int_equal(ended[FLOW_EVICTED], 1);
	assert_int_equal(last_ended_id, id);
	for (unsigned i = 0; i < 1000; i++)
		udp(CLIENT, (uint16_t)(1000 + i), SERVER, 9, 120);
	assert_int_equal(flow_count(table), 4);
	assert_int_equal(ended[FLOW_EVICTED], 1001);
}

static uint64_t may_go; /* an id */

static bool all_others_stay(void *arg, const struct flow *f, bool full)
{
	return f->id != may_go;
}

/* Though many who are silent for longer have to stay. */
static void who_may_go_is_found(void **state)
{
	open_table(64);
	flow_table_ask(table, all_others_stay);
	for (unsigned i = 0; i < 64; i++) {
		const struct flow *f = udp(CLIENT, (uint16_t)(1 + i), SERVER, 9, 100 + i);

		may_go = i == 40 ? f->id : may_go;
	}
	udp(CLIENT, 1000, SERVER, 9, 170);
	assert_int_equal(ended[FLOW_EVICTED], 1);
	assert_int_equal(last_ended_id, may_go);
	udp(CLIENT, 1001, SERVER, 9, 171); /* memory is bounded all the same */
	assert_int_equal(ended[FLOW_EVICTED], 2);
	assert_int_equal(flow_count(table), 64);
}

/* More of them at once than are moved at once. */
static void who_talks_outlives_who_does_not(void **state)
{
	open_table(64);
	for (unsigned i = 0; i < 64; i++)
		udp(CLIENT, (uint16_t)(1 + i), SERVER, 9, 100);
	/* Whom this finds at the head of its list is not there any more when it looks again. */
	assert_int_equal(flow_expire(table, 109 * NSEC_PER_SEC, 1000), 0);
	for (unsigned i = 0; i < 40; i++)
		udp(CLIENT, (uint16_t)(1 + i), SERVER, 9, 110);
	udp(CLIENT, 1000, SERVER, 9, 111); /* in the place of one of the silent */
	assert_int_equal(ended[FLOW_EVICTED], 1);
	assert_int_equal(flow_expire(table, 131 * NSEC_PER_SEC, 1000), 23);
	assert_int_equal(flow_expire(table, 139 * NSEC_PER_SEC, 1000), 0);
	assert_int_equal(flow_expire(table, 140 * NSEC_PER_SEC, 1000), 40);
	assert_int_equal(flow_count(table), 1);
}

static void sum_packets(void *arg, const struct flow *f)
{
	*(uint64_t *)arg += f->packets[0] + f->packets[1];
}

static void a_flow_begins_before_it_ends(void **state)
{
	const struct flow *f;

	open_table(16);
	f = udp(CLIENT, 1, SERVER, 9, 100);
	udp(CLIENT, 1, SERVER, 9, 97);
	udp(SERVER, 9, CLIENT, 1, 98);
	assert_int_equal(f->first_ns, 97 * NSEC_PER_SEC);
	assert_int_equal(f->last_ns, 100 * NSEC_PER_SEC);
	/* a packet of another flow says that it is 50: this one waits, and keeps its times */
	assert_int_equal(flow_expire(table, 50 * NSEC_PER_SEC, 100), 0);
	assert_int_equal(f->last_ns, 100 * NSEC_PER_SEC);
	assert_int_equal(flow_expire(table, 1000 * NSEC_PER_SEC, 100), 1);
}

static void nothing_is_lost_among_many(void **state)
{
	uint64_t sum = 0;

	open_table(5000);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 4000; i++)
			udp(CLIENT, (uint16_t)i, SERVER + i % 7, 9, 100 + round * 8);
	flow_each(table, sum_packets, &sum);
	assert_int_equal(flow_count(table), 4000);
	assert_int_equal(sum, 12000);
	assert_int_equal(flow_expire(table, 146 * NSEC_PER_SEC, 1000), 1000);
	assert_int_equal(flow_expire(table, 146 * NSEC_PER_SEC, 10000), 3000);
	flow_table_free(table);
	open_table(10);
	udp(CLIENT, 1, SERVER, 1, 1);
	flow_table_free(table);
	table = NULL;
	assert_int_equal(ended[FLOW_SHUTDOWN], 1);
}

/* A segment in a VLAN, 0 in none. */
static const struct flow *tagged(bool client, uint8_t flags, uint32_t seq, uint32_t ack,
				 uint16_t vlan, double at_s)
{
	struct frame_tcp t = {.src = client ? 4000 : 80,
			      .dst = client ? 80 : 4000,
			      .seq = seq,
			      .ack = ack,
			      .flags = flags};
	struct bytes frame =
		frame_ipv4_tcp(client ? CLIENT : SERVER, client ? SERVER : CLIENT, &t, 0);
	struct packet p;
	struct flow *f;
	uint8_t end;

	packet_decode(frame, LINK_ETHERNET, (uint64_t)(at_s * 1e9), (uint32_t)frame.len, &p);
	p.vlan_count = vlan != 0;
	p.vlan[0] = vlan;
	f = flow_lookup(table, &p, 0, &end);
	assert_int_equal(end, !client);
	free((void *)(uintptr_t)frame.data);
	return f;
}

/* Mirrored ports tag what goes one way only, or show a packet in two VLANs. */
static void of_a_file_one_conversation_may_be_in_two_vlans(void **state)
{
	const struct flow *f;

	open_table(16);
	flow_table_grow(table);
	f = tagged(true, TCP_SYN, 100, 0, 0, 1);
	assert_ptr_equal(tagged(false, TCP_SYN | TCP_ACK, 500, 101, 7, 1.1), f);
	assert_ptr_equal(tagged(true, TCP_ACK, 101, 501, 0, 1.2), f);
	assert_ptr_equal(tagged(false, TCP_ACK, 501, 101, 7, 1.3), f);
	assert_int_equal(f->state, TCP_ESTABLISHED);
	assert_int_equal(flow_count(table), 1);
	flow_table_free(table);

	open_table(16);
	flow_table_grow(table);
	f = tagged(true, TCP_SYN, 100, 0, 7, 1);
	assert_ptr_equal(tagged(true, TCP_SYN, 100, 0, 8, 1.0001), f);
	assert_ptr_equal(tagged(false, TCP_SYN | TCP_ACK, 500, 101, 8, 1.1), f);
	assert_ptr_equal(tagged(false, TCP_SYN | TCP_ACK, 500, 101, 7, 1.1001), f);
	assert_int_equal(flow_count(table), 1);
}

static void the_same_addresses_in_two_vlans_are_two_conversations(void **state)
{
	for (unsigned file = 0; file < 2; file++) {
		flow_table_free(table);
		open_table(16);
		if (file)
			flow_table_grow(table);
		tagged(true, TCP_SYN, 100, 0, 7, 1);
		tagged(true, TCP_SYN, 300, 0, 8, 1.0001);
		tagged(false, TCP_SYN | TCP_ACK, 500, 101, 7, 1.1);
		tagged(false, TCP_SYN | TCP_ACK, 900, 301, 8, 1.1);
		assert_int_equal(flow_count(table), 2);
	}
}

/* It says who began, and where. */
static void of_a_file_an_answer_may_come_first(void **state)
{
	const struct flow *f;

	open_table(16);
	flow_table_grow(table);
	f = tagged(false, TCP_SYN | TCP_ACK, 500, 101, 0, 1);
	assert_int_equal(f->tcp_began, 3);
	assert_int_equal(f->tcp_first[0], 101);
	assert_int_equal(f->tcp_first[1], 501);
	assert_ptr_equal(tagged(true, TCP_ACK, 101, 501, 0, 1.1), f);
	assert_string_equal(flow_state_name(f), "established");
}

/* It grows twice, with some gone in between whose places others have taken. */
static void a_table_that_grows_loses_nothing(void **state)
{
	const unsigned ports = 50000, gone = 30000;
	uint64_t sum = 0;

	open_table(600000);
	flow_table_grow(table);
	for (unsigned i = 0; i < gone; i++)
		udp(CLIENT, (uint16_t)i, SERVER + 99, 9, 50);
	for (unsigned peer = 0; peer < 6; peer++) {
		for (unsigned i = 0; i < ports; i++)
			udp(CLIENT, (uint16_t)i, SERVER + peer, 9, 80);
		if (peer == 0)
			assert_int_equal(flow_expire(table, 90 * NSEC_PER_SEC, gone), gone);
	}
	assert_int_equal(flow_count(table), 6 * ports);
	for (unsigned peer = 0; peer < 6; peer++)
		for (unsigned i = 0; i < ports; i++)
			udp(CLIENT, (uint16_t)i, SERVER + peer, 9, 81);
	assert_int_equal(flow_count(table), 6 * ports);
	flow_each(table, sum_packets, &sum);
	assert_int_equal(sum, 12 * ports);
	assert_int_equal(flow_expire(table, 200 * NSEC_PER_SEC, 7 * ports), 6 * ports);
	assert_int_equal(flow_count(table), 0);
}

/* A segment of one of two ends that scale 128-fold, with its checksum. */
static bool
	sum_left; /* the sender leaves it to its card: what it has put there is the pseudo-header's */

static struct flow *scaled(bool client, uint8_t flags, uint16_t window, struct packet *ret_p)
{
	uint32_t src = client ? CLIENT : SERVER, dst = client ? SERVER : CLIENT;
	uint8_t body[36], *tcp = body + 12, end;
	struct writer w = writer_new(body, sizeof(body));
	struct frame_ip ip = {.src = src, .dst = dst, .proto = PROTO_TCP};
	struct bytes frame;
	struct flow *f;

	write_be32(&w, src);
	write_be32(&w, dst);
	write_be32(&w, PROTO_TCP << 16 | 24);
	write_be16(&w, client ? 4000 : 80);
	write_be16(&w, client ? 80 : 4000);
	write_be32(&w, client ? 1000 : 9000);
	write_be32(&w, flags & TCP_ACK ? (client ? 9001 : 1001) : 0);
	write_be16(&w, (uint16_t)(0x6000 | flags));
	write_be16(&w, window);
	write_be32(&w, 0);
	write_be32(&w, flags & TCP_URG ? 0x011e0301 : flags & TCP_SYN ? 0x03030701 : 0x01010101);
	w.len = 12 + 16;
	write_be16(&w, sum_left ? (uint16_t)~frame_sum(body, 12) : frame_sum(body, sizeof(body)));
	frame = frame_ipv4(&ip, tcp, 24);
	packet_decode(frame, LINK_ETHERNET, 1, (uint32_t)frame.len, ret_p);
	assert_true(packet_sum_holds(ret_p));
	f = flow_lookup(table, ret_p, 0, &end);
	assert_int_equal(end, !client);
	return f;
}

static uint16_t clamped(struct packet *p, const struct flow *f, uint32_t most)
{
	struct packet again;

	tcp_clamp_window(f, p, 1, most);
	packet_decode(p->frame, LINK_ETHERNET, 1, (uint32_t)p->frame.len, &again);
	assert_true(packet_sum_holds(&again));
	free((void *)p->frame.data);
	return again.tcp_window;
}

static void a_window_is_made_no_larger_than_is_kept(void **state)
{
	struct packet p;
	struct flow *f;

	open_table(8);
	scaled(true, TCP_SYN, 65535, &p);
	free((void *)p.frame.data);
	f = scaled(false, TCP_SYN | TCP_ACK, 65535, &p);
	assert_int_equal(clamped(&p, f, 1000), 65535); /* a SYN's is never scaled */
	f = scaled(false, TCP_ACK, 7168, &p);
	assert_int_equal(clamped(&p, f, 7168 << 7), 7168);
	f = scaled(false, TCP_ACK, 7169, &p);
	assert_int_equal(clamped(&p, f, 7168 << 7), 7168);
	for (uint32_t window = 1; window < 65536; window += 251) {
		f = scaled(false, TCP_ACK, (uint16_t)window, &p);
		assert_int_equal(clamped(&p, f, 128 * 300 + 127), window < 300 ? window : 300);
	}
}

static void a_sum_that_is_left_to_a_card_stays(void **state)
{
	struct packet p;
	struct flow *f;

	open_table(8);
	sum_left = true;
	scaled(true, TCP_SYN, 65535, &p);
	free((void *)p.frame.data);
	scaled(false, TCP_SYN | TCP_ACK, 65535, &p);
	free((void *)p.frame.data);
	f = scaled(false, TCP_ACK, 9000, &p);
	assert_int_equal(clamped(&p, f, 128 * 300), 300);
	sum_left = false;
}

static void an_option_is_left_out(void **state)
{
	struct packet p;

	open_table(16);
	for (unsigned i = 0; i < 2; i++) {
		sum_left = i;
		scaled(true, TCP_SYN | TCP_URG, 60000, &p);
		tcp_one_path(&p);
		assert_memory_equal(p.tcp_options.data, "\1\1\1\1", 4);
		assert_true(packet_sum_holds(&p));
		assert_int_equal(packet_sum_is_left(&p), i);
		free((void *)(uintptr_t)p.frame.data);
	}
	sum_left = false;
}

static void a_window_of_unknown_scale_stays(void **state)
{
	struct packet p;
	struct flow *f;

	open_table(8);
	scaled(true, TCP_ACK, 60000, &p);
	free((void *)p.frame.data);
	f = scaled(false, TCP_ACK, 60000, &p);
	assert_int_equal(clamped(&p, f, 1000), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(both_directions_are_one_flow, teardown),
		cmocka_unit_test_teardown(tcp_opens_talks_and_closes, teardown),
		cmocka_unit_test_teardown(a_wrong_confirmation_opens_nothing, teardown),
		cmocka_unit_test_teardown(a_blind_reset_ends_nothing, teardown),
		cmocka_unit_test_teardown(a_conversation_is_picked_up_midstream, teardown),
		cmocka_unit_test_teardown(what_both_ends_lost_begins_anew, teardown),
		cmocka_unit_test_teardown(syns_that_cross_are_one_conversation, teardown),
		cmocka_unit_test_teardown(every_class_has_its_timeout, teardown),
		cmocka_unit_test_teardown(a_clock_set_back_only_delays, teardown),
		cmocka_unit_test_teardown(a_flow_begins_before_it_ends, teardown),
		cmocka_unit_test_teardown(a_full_table_evicts_the_idlest, teardown),
		cmocka_unit_test_teardown(who_may_go_is_found, teardown),
		cmocka_unit_test_teardown(who_talks_outlives_who_does_not, teardown),
		cmocka_unit_test_teardown(nothing_is_lost_among_many, teardown),
		cmocka_unit_test_teardown(of_a_file_one_conversation_may_be_in_two_vlans, teardown),
		cmocka_unit_test_teardown(the_same_addresses_in_two_vlans_are_two_conversations,
					  teardown),
		cmocka_unit_test_teardown(of_a_file_an_answer_may_come_first, teardown),
		cmocka_unit_test_teardown(a_table_that_grows_loses_nothing, teardown),
		cmocka_unit_test_teardown(a_window_is_made_no_larger_than_is_kept, teardown),
		cmocka_unit_test_teardown(a_sum_that_is_left_to_a_card_stays, teardown),
		cmocka_unit_test_teardown(an_option_is_left_out, teardown),
		cmocka_unit_test_teardown(a_window_of_unknown_scale_stays, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
