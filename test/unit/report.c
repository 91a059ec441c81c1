#include "unit.h"

#include "base/event.h"
#include "guard/report.h"

static char lines[4][EVENT_MAX];
static unsigned count;

static void keep(void *arg, const char *line, size_t len)
{
	assert_true(count < 4);
	memcpy(lines[count], line, len);
	lines[count++][len] = 0;
}

static struct report start(void)
{
	count = 0;
	return (struct report){.sink = keep};
}

static struct flow tcp_flow(void)
{
	static const uint8_t client[4] = {10, 0, 0, 1}, server[4] = {10, 0, 0, 2};
	struct flow f;

	memset(&f, 0, sizeof(f));
	packet_ip_map(client, &f.key.ip[0]);
	packet_ip_map(server, &f.key.ip[1]);
	f.key.port[0] = 40000;
	f.key.port[1] = 104;
	f.key.proto = PROTO_TCP;
	f.key.vlan = 7;
	f.id = 42;
	f.first_ns = 1700000000000000000ull;
	f.last_ns = 1700000002500000000ull;
	f.packets[0] = 3;
	f.packets[1] = 2;
	f.bytes[0] = 300;
	f.bytes[1] = 200;
	f.tcp_flags[0] = TCP_SYN | TCP_ACK | TCP_FIN;
	f.tcp_flags[1] = TCP_SYN | TCP_ACK;
	f.state = TCP_CLOSED;
	return f;
}

static void a_flow_is_told_in_suricatas_form(void **state)
{
	struct report r = start();
	struct flow f = tcp_flow();

	report_flow(&r, &f, FLOW_SHUTDOWN, 0);
	assert_int_equal(r.events, 1);
	assert_string_equal(
		lines[0],
		"{\"timestamp\":\"2023-11-14T22:13:22.500000+0000\",\"flow_id\":42,"
		"\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\"src_port\":40000,"
		"\"dest_ip\":\"10.0.0.2\",\"dest_port\":104,\"proto\":\"TCP\",\"vlan\":[7],"
		"\"flow\":{\"pkts_toserver\":3,\"pkts_toclient\":2,\"bytes_toserver\":300,"
		"\"bytes_toclient\":200,\"start\":\"2023-11-14T22:13:20.000000+0000\","
		"\"end\":\"2023-11-14T22:13:22.500000+0000\",\"age\":2,\"state\":\"closed\","
		"\"reason\":\"shutdown\"},\"tcp\":{\"tcp_flags\":\"13\",\"tcp_flags_ts\":\"13\","
		"\"tcp_flags_tc\":\"12\",\"syn\":true,\"fin\":true,\"ack\":true,"
		"\"state\":\"closed\"}}");
}

/* Who started is the source, whichever end of the key that is. */
static void the_source_of_a_flow_is_who_started_it(void **state)
{
	struct report r = start();
	struct flow f = tcp_flow();

	f.starter = 1;
	f.reason = REASON_POLICY_NOT_ALLOWED;
	f.would = GATE_DROP;
	report_flow(&r, &f, FLOW_EVICTED, 12);
	assert_non_null(strstr(lines[0], "\"src_ip\":\"10.0.0.2\",\"src_port\":104"));
	assert_non_null(strstr(lines[0], "\"verdict\":{\"action\":\"pass\",\"would\":\"drop\"}"));
	assert_non_null(strstr(lines[0], "\"reason\":\"forced\",\"untold\":12"));
}

static void reasons_go_out_under_their_event_type(void **state)
{
	assert_int_equal(report_kind_of(REASON_BINDING_ARP_SPOOF), REPORT_BINDING);
	assert_int_equal(report_kind_of(REASON_DHCP_ROGUE_SERVER), REPORT_BINDING);
	assert_int_equal(report_kind_of(REASON_POLICY_NOT_ALLOWED), REPORT_POLICY);
	assert_int_equal(report_kind_of(REASON_FLOOR_MALFORMED), REPORT_POLICY);
}

static void a_count_says_what_it_stands_for(void **state)
{
	struct report r = start();
	struct tally_row row;

	memset(&row, 0, sizeof(row));
	row.topic.kind = REPORT_POLICY;
	row.topic.reason = REASON_POLICY_NOT_ALLOWED;
	row.topic.many = 1;
	row.last.action = GATE_DROP;
	row.last.rule = ~0u;
	row.packets = 9;
	row.bytes = 900;
	row.unsaid = 5;
	report_count(&r, &row);
	assert_non_null(strstr(lines[0], "\"summary\":true,\"packets\":9,\"bytes\":900,"
					 "\"unsaid\":5"));
	assert_non_null(strstr(lines[0], "\"many_peers\":true"));
	assert_non_null(strstr(lines[0], "\"verdict\":{\"action\":\"drop\"}"));
}

/* Every reason and anomaly at once still fits one line. */
static void the_largest_stats_event_fits(void **state)
{
	struct report r = start();
	struct engine_stats s;

	memset(&s, 0xff, sizeof(s));
	report_stats(&r, &s, UINT32_MAX, UINT64_MAX);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_told_in_suricatas_form),
		cmocka_unit_test(the_source_of_a_flow_is_who_started_it),
		cmocka_unit_test(reasons_go_out_under_their_event_type),
		cmocka_unit_test(a_count_says_what_it_stands_for),
		cmocka_unit_test(the_largest_stats_event_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
