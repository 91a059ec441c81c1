#include "frames.h"

static struct packet p;
static struct bytes frame;

static bool decode(const char *hex, enum link link)
{
	free((void *)frame.data);
	frame = frame_hex(hex);
	return packet_decode(frame, link, 7, (uint32_t)frame.len, &p);
}

static int teardown(void **state)
{
	free((void *)frame.data);
	frame = (struct bytes){0};
	return 0;
}

static anomaly_set only(enum anomaly a)
{
	return 1ull << a;
}

#define IPV4_UDP  "4500 0020 0001 0000 4011 66ca 0a000001 0a000002 "
#define UDP_HELLO "04d2 0035 000c 0000 68656c6c"

static void assert_udp(void)
{
	char text[PACKET_IP_LEN];

	assert_int_equal(p.ip_version, 4);
	assert_string_equal(packet_ip_text(&p.src_ip, text), "10.0.0.1");
	assert_string_equal(packet_ip_text(&p.dst_ip, text), "10.0.0.2");
	assert_true(p.has_ports);
	assert_int_equal(p.src_port, 1234);
	assert_int_equal(p.dst_port, 53);
	assert_int_equal(p.payload.len, 4);
	assert_memory_equal(p.payload.data, "hell", 4);
	assert_int_equal(p.anomalies, 0);
}

static void what_a_card_was_to_cut_up_is_as_long_as_its_frame(void **state)
{
	static const char v4[] = "4500 0000 0001 0000 4006 0000 0a000001 0a000002 ",
			  v6[] = "60000000 0000 0640 20010db8000000000000000000000001"
				 "20010db8000000000000000000000002 ",
			  tcp[] = "04d2 0015 00000001 00000001 5018 0200 1234 0000 68656c6c6f";
	char text[512];

	snprintf(text, sizeof(text), FRAME_ETHERNET "0800 %s %s", v4, tcp);
	assert_true(decode(text, LINK_ETHERNET | LINK_OFFLOAD));
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.payload.len, 5);
	assert_int_equal(p.payload_wire, 5);
	assert_true(packet_sum_holds(&p));
	/* From a wire it is what no receiver takes. */
	assert_true(decode(text, LINK_ETHERNET));
	assert_true(p.anomalies & only(ANOMALY_IPV4_BAD_TOTAL_LEN));
	assert_true(p.anomalies & only(ANOMALY_IPV4_BAD_CHECKSUM));
	assert_int_equal(p.payload.len, 0);
	/* And a length that is too small is none. */
	text[sizeof(FRAME_ETHERNET "0800 4500 000") - 1] = '7';
	assert_true(decode(text, LINK_ETHERNET | LINK_OFFLOAD));
	assert_true(p.anomalies & only(ANOMALY_IPV4_BAD_TOTAL_LEN));

	snprintf(text, sizeof(text), FRAME_ETHERNET "86dd %s %s", v6, tcp);
	assert_true(decode(text, LINK_ETHERNET | LINK_OFFLOAD));
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.payload.len, 5);
	assert_true(packet_sum_holds(&p));
	assert_true(decode(text, LINK_ETHERNET));
	assert_int_equal(p.payload.len, 0);
}

static void every_link_leads_to_the_same_udp(void **state)
{
	assert_true(decode(FRAME_ETHERNET "0800" IPV4_UDP UDP_HELLO, LINK_ETHERNET));
	assert_true(p.has_mac);
	assert_int_equal(p.src_mac[5], 1);
	assert_udp();
	assert_true(decode("0000 0001 0006 020000000001 0000 0800" IPV4_UDP UDP_HELLO, LINK_SLL));
	assert_int_equal(p.src_mac[5], 1);
	assert_udp();
	assert_true(decode("0800 0000 00000001 0001 00 06 020000000001 0000" IPV4_UDP UDP_HELLO,
			   LINK_SLL2));
	assert_int_equal(p.src_mac[5], 1);
	assert_udp();
	assert_true(decode(IPV4_UDP UDP_HELLO, LINK_RAW));
	assert_false(p.has_mac);
	assert_udp();
}

static void tags_and_snap_are_looked_through(void **state)
{
	decode(FRAME_ETHERNET "88a8 0064 8100 e0c8 0800" IPV4_UDP UDP_HELLO, LINK_ETHERNET);
	assert_int_equal(p.vlan_count, 2);
	assert_int_equal(p.vlan[0], 100);
	assert_int_equal(p.vlan[1], 200);
	assert_udp();
	decode(FRAME_ETHERNET "0028 aaaa03 000000 0800" IPV4_UDP UDP_HELLO, LINK_ETHERNET);
	assert_int_equal(p.ethertype, 0x0800);
	assert_udp();
	decode(FRAME_ETHERNET "0003 424203 0000", LINK_ETHERNET);
	assert_int_equal(p.ethertype, 0);
	assert_int_equal(p.l3.len, 3);
	assert_int_equal(p.anomalies, 0);
	decode(FRAME_ETHERNET "8100 0001 8100 0002 8100 0003 0800" IPV4_UDP, LINK_ETHERNET);
	assert_int_equal(p.anomalies, only(ANOMALY_VLAN_TOO_MANY));
	decode(FRAME_ETHERNET "8100 0001", LINK_ETHERNET);
	assert_int_equal(p.anomalies, only(ANOMALY_VLAN_TRUNCATED));
	assert_false(decode("020000000002", LINK_ETHERNET));
	assert_int_equal(p.anomalies, only(ANOMALY_ETHERNET_TRUNCATED));
}

static void a_cut_capture_is_no_anomaly(void **state)
{
	struct bytes whole = frame_hex(FRAME_ETHERNET "0800" IPV4_UDP UDP_HELLO);

	for (size_t n = 0; n <= whole.len; n++) {
		struct bytes cut = unit_exact(whole.data, n);

		packet_decode(cut, LINK_ETHERNET, 0, (uint32_t)whole.len, &p);
		assert_int_equal(p.anomalies, 0);
		assert_int_equal(p.has_ports, n >= 14 + 24);
		packet_decode(cut, LINK_ETHERNET, 0, (uint32_t)n, &p);
		assert_int_equal(p.anomalies != 0, n < whole.len);
		free((void *)cut.data);
	}
	free((void *)whole.data);
}

static void arp_is_read_and_checked(void **state)
{
#define ARP_REST "020000000001 0a000001 000000000000 0a000002"
	decode(FRAME_ETHERNET "0806 0001 0800 06 04 0001" ARP_REST, LINK_ETHERNET);
	assert_true(p.has_arp);
	assert_int_equal(p.arp.op, 1);
	assert_int_equal(p.arp.sender_ip.b[15], 1);
	assert_int_equal(p.arp.target_ip.b[15], 2);
	assert_int_equal(p.anomalies, 0);
	decode(FRAME_ETHERNET "0806 0001 0800 06 04 0002 020000000009 0a000001 000000000000"
			      "0a000002",
	       LINK_ETHERNET);
	assert_int_equal(p.anomalies, only(ANOMALY_ARP_SENDER_MISMATCH));
	decode(FRAME_ETHERNET "0806 0001 0800 08 04 0001" ARP_REST, LINK_ETHERNET);
	assert_int_equal(p.anomalies, only(ANOMALY_ARP_BAD_FORMAT));
	assert_false(p.has_arp);
	decode(FRAME_ETHERNET "0806 0001 0800 06 04", LINK_ETHERNET);
	assert_int_equal(p.anomalies, only(ANOMALY_ARP_TRUNCATED));
}

static void ipv4_lies_are_named(void **state)
{
	static const struct {
		const char *hex;
		anomaly_set anomalies;
	} cases[] = {
		{"6500 0020 0001 0000 4011 66c8 0a000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_VERSION},
		{"4400 0020 0001 0000 4011 67c8 0a000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_HEADER_LEN},
		{"4500 0013 0001 0000 4011 66d7 0a000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_TOTAL_LEN},
		{"4500 0021 0001 0000 4011 66c9 0a000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_TOTAL_LEN},
		{"4500 0020 0001 0000 4011 66cb 0a000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_CHECKSUM},
		{"4500 0020 0001 0000 4011 66cb 0a000001 0a000001" UDP_HELLO,
		 1ull << ANOMALY_IPV4_SAME_ENDS},
		{"4500 0020 0001 0000 4011 8fc9 e1000001 0a000002" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_SOURCE},
		{"4600 0024 0001 0000 4011 0000 0a000001 0a000002 8803 0000" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_CHECKSUM},
		{"4600 0024 0001 0000 4011 5cc1 0a000001 0a000002 0905 0000" UDP_HELLO,
		 1ull << ANOMALY_IPV4_BAD_OPTION},
		{"4600 0024 0001 0000 4011 dec2 0a000001 0a000002 8303 0400" UDP_HELLO,
		 1ull << ANOMALY_IPV4_SOURCE_ROUTE},
	};
	char hex[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(hex, sizeof(hex), FRAME_ETHERNET "0800%s", cases[i].hex);
		decode(hex, LINK_ETHERNET);
		if (p.anomalies != cases[i].anomalies)
			print_error("case %zu: %#lx\n", i, (unsigned long)p.anomalies);
		assert_int_equal(p.anomalies, cases[i].anomalies);
	}
}

#define IPV6(len, next) "60000000" len next "40" IPV6_ENDS
#define IPV6_ENDS                          \
	"20010db8000000000000000000000001" \
	"20010db8000000000000000000000002"

static void ipv6_chains_are_walked(void **state)
{
	char text[PACKET_IP_LEN];

	decode(IPV6("003c", "00") "2b00 0104 00000000"			/* hop-by-hop */
				  "3c00 0200 00000000"			/* routing, type 2 */
				  "3301 0104 00000000 0000000000000000" /* destination */
				  "1102 0000 00000000 00000000"
				  "00000000" UDP_HELLO,
	       LINK_RAW);
	/* AH of 16 bytes, then UDP; the rest of the payload is UDP's */
	assert_int_equal(p.proto, PROTO_UDP);
	assert_string_equal(packet_ip_text(&p.src_ip, text), "2001:db8::1");
	assert_int_equal(p.src_port, 1234);
	decode(IPV6("0008", "00") "1100 00", LINK_RAW);
	assert_true(p.anomalies & only(ANOMALY_IPV6_EXT_TRUNCATED));
	decode(IPV6("0018", "3c") "0000 0104 00000000 2b00 0104 00000000 3b00 0000 00000000",
	       LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_IPV6_EXT_ORDER) | only(ANOMALY_IPV6_ROUTING_0));
	decode(IPV6("0008", "00") "3b00 0109 00000000", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_IPV6_BAD_OPTION));
	decode(IPV6("0009", "3b") "00", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_IPV6_BAD_PAYLOAD_LEN));
	decode(IPV6("0060", "3c") "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 3c00010400000000 3b00010400000000",
	       LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_IPV6_EXT_TOO_MANY));
	/* As many, and of such kinds, as the floor in the kernel looks behind. */
	decode(IPV6("0044", "3c") "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 3c00010400000000 3c00010400000000"
				  "1100010400000000" UDP_HELLO,
	       LINK_RAW);
	assert_int_equal(p.src_port, 1234);
	decode(IPV6("004c", "3c") "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 3c00010400000000 3c00010400000000"
				  "3c00010400000000 1100010400000000" UDP_HELLO,
	       LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_IPV6_EXT_TOO_MANY));
	decode(IPV6("0014", "8b") "1100010400000000" UDP_HELLO, LINK_RAW);
	assert_int_equal(p.proto, 139);
	assert_false(p.has_ports);
}

static void fragments_are_described(void **state)
{
	decode("4500 001c 0007 2000 4011 46c8 0a000001 0a000002 04d2 0035 0010 0000", LINK_RAW);
	assert_true(p.fragment && p.fragment_more && p.has_ports);
	assert_int_equal(p.fragment_body.len, 8);
	assert_int_equal(p.anomalies, 0);
	decode("4500 001c 0007 0001 4011 66c7 0a000001 0a000002 04d2 0035 0010 0000", LINK_RAW);
	assert_true(p.fragment && !p.fragment_more && !p.has_ports);
	assert_int_equal(p.fragment_offset, 8);
	decode("4500 001c 0007 0001 4006 66d2 0a000001 0a000002 04d2 0035 0010 0000", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_FRAGMENT_TINY));
	decode("4500 001b 0007 2000 4011 46c9 0a000001 0a000002 04d2 0035 0010 00", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_FRAGMENT_BAD_LEN) | only(ANOMALY_FRAGMENT_TINY));
	decode("4500 001c 0007 1fff 4011 46c9 0a000001 0a000002 04d2 0035 0010 0000", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_FRAGMENT_TOO_BIG));
	decode(IPV6("0018", "3c") "2c00 0104 00000000 1100 0001 00000005"
				  "04d2 0035 0010 0000",
	       LINK_RAW);
	assert_true(p.fragment && p.fragment_more && p.has_ports);
	assert_int_equal(p.fragment_header, 48);
	assert_int_equal(p.fragment_next, 40);
	assert_int_equal(p.fragment_id, 5);
	assert_int_equal(p.fragment_body.len, 8);
	/* atomic: whole, RFC 6946 */
	decode(IPV6("0014", "2c") "1100 0000 00000005" UDP_HELLO, LINK_RAW);
	assert_false(p.fragment);
	assert_int_equal(p.payload.len, 4);
	decode(IPV6("0010", "2c") "2c00 0001 00000005 1100 0001 00000005", LINK_RAW);
	assert_true(p.anomalies & only(ANOMALY_IPV6_FRAGMENT_NESTED));
}

#define TCP(offset, flags) "04d2 0050 00000001 00000002" offset flags "2000 0000 0000"
#define IPV4_TCP(len, sum) "4500" len "0001 0000 4006" sum "0a000001 0a000002"

static void tcp_is_read_and_checked(void **state)
{
	decode(IPV4_TCP("002a", "66cb") TCP("50", "18") "6869", LINK_RAW);
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.tcp_flags, TCP_PSH | TCP_ACK);
	assert_int_equal(p.tcp_seq, 1);
	assert_int_equal(p.tcp_ack, 2);
	assert_int_equal(p.tcp_window, 0x2000);
	assert_int_equal(p.payload.len, 2);
	decode(IPV4_TCP("002c", "66c9") TCP("60", "02") "020405b4", LINK_RAW);
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.tcp_options.len, 4);
	decode(IPV4_TCP("002c", "66c9") TCP("60", "02") "020505b4", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_TCP_BAD_OPTION));
	decode(IPV4_TCP("002c", "66c9") TCP("70", "10") "01010101", LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_TCP_BAD_HEADER_LEN));
	decode(IPV4_TCP("0028", "66cd") TCP("40", "10"), LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_TCP_BAD_HEADER_LEN));
	decode(IPV4_TCP("0028", "66cd") TCP("50", "03"), LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_TCP_BAD_FLAGS));
	decode(IPV4_TCP("0028", "66cd") TCP("50", "00"), LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_TCP_BAD_FLAGS));
}

static void icmp_quotes_its_packet(void **state)
{
	decode("4500 0038 0001 0000 4001 66c2 0a000001 0a000002 0303 0000 00000000"
	       "4500 0040 0001 0000 4011 0000 0a000002 0a000001 0035 04d2 002c 0000",
	       LINK_RAW);
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.icmp_type, 3);
	assert_int_equal(p.embedded.len, 28);
	assert_ptr_equal(p.embedded.data, p.frame.data + 28);
	decode("4500 0020 0001 0000 4001 66da 0a000001 0a000002 0303 0000 00000000 45000040",
	       LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_ICMP_EMBEDDED));
	assert_int_equal(p.embedded.len, 4);
	decode("4500 001c 0001 0000 4001 66de 0a000001 0a000002 0800 0000 1234 0001", LINK_RAW);
	assert_int_equal(p.src_port, 0x1234);
	assert_int_equal(p.dst_port, 0x1234);
	decode(IPV6("0020", "3a") "8700 0000 00000000 20010db8000000000000000000000002"
				  "0101 020000000001",
	       LINK_RAW);
	assert_int_equal(p.anomalies, only(ANOMALY_ICMPV6_ND_HOP_LIMIT));
}

static void names_are_stable(void **state)
{
	char number[8], mac[PACKET_MAC_LEN];

	assert_string_equal(anomaly_name(ANOMALY_ETHERNET_TRUNCATED), "ethernet.truncated");
	for (unsigned a = 0; a < ANOMALY_COUNT; a++)
		assert_non_null(strchr(anomaly_name(a), '.'));
	assert_string_equal(packet_proto_name(PROTO_TCP, number), "TCP");
	assert_string_equal(packet_proto_name(50, number), "ESP");
	assert_string_equal(packet_proto_name(253, number), "253");
	assert_string_equal(packet_mac_text((uint8_t[]){0, 9, 0xfb, 1, 2, 0xff}, mac),
			    "00:09:fb:01:02:ff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_a_card_was_to_cut_up_is_as_long_as_its_frame,
					  teardown),
		cmocka_unit_test_teardown(every_link_leads_to_the_same_udp, teardown),
		cmocka_unit_test_teardown(tags_and_snap_are_looked_through, teardown),
		cmocka_unit_test_teardown(a_cut_capture_is_no_anomaly, teardown),
		cmocka_unit_test_teardown(arp_is_read_and_checked, teardown),
		cmocka_unit_test_teardown(ipv4_lies_are_named, teardown),
		cmocka_unit_test_teardown(ipv6_chains_are_walked, teardown),
		cmocka_unit_test_teardown(fragments_are_described, teardown),
		cmocka_unit_test_teardown(tcp_is_read_and_checked, teardown),
		cmocka_unit_test_teardown(icmp_quotes_its_packet, teardown),
		cmocka_unit_test(names_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
