#include "base/clock.h"
#include "guard/policy/inventory.h"

#include "frames.h"

#define WARD   0x0a010107u
#define SERVER 0x0a010005u

static struct oui *oui;
static struct inventory *inv;
static struct flow_table *flows;
static unsigned told_new, told_more;

static void note(void *arg, const struct machine *m, bool is_new)
{
	told_new += is_new;
	told_more += !is_new;
}

static const char registry[] = "OUI/MA-L\t\tOrganization\r\n\r\n"
			       "00-09-FB   (hex)\t\tPhilips Patient Monitoring\r\n"
			       "0009FB     (base 16)\t\tPhilips Patient Monitoring\r\n"
			       "\t\t\t\tBoeblingen  DE  71034\r\n"
			       "zz (base 16)\t\tnobody\r\n"
			       "00-11-22   (hex)\t\tMaker\r\n001122     (base 16)\t\tMaker";
static const char registry_28[] = "00-11-22   (hex)\t\tFine Maker\n"
				  "900000-9FFFFF     (base 16)\t\tFine Maker\n";

static void open_inventory(uint32_t machines)
{
	static char *vendor[] = {"Philips Patient"}, *service[] = {"udp/24105"}, *app[] = {"MQTT"};
	static char *dhcp[] = {"fridge"};
	static struct config_identify monitor = {
		.vendor = vendor, .vendor_count = 1, .service = service, .service_count = 1};
	static struct config_identify sensor = {
		.app = app, .app_count = 1, .dhcp = dhcp, .dhcp_count = 1};
	static struct inventory_profile profiles[] = {
		{"philips-intellivue", &monitor}, {"mqtt-sensor", &sensor}, {"other", NULL}};
	struct inventory_options o = {
		.machines = machines, .profiles = profiles, .profile_count = 3, .quiet_ms = 2000};

	oui = oui_new();
	assert_int_equal(
		oui_add(oui, (struct bytes){(const uint8_t *)registry, sizeof(registry) - 1}), 2);
	o.oui = oui;
	told_new = told_more = 0;
	inv = inventory_new(&o, note, NULL);
	flows = flow_table_new(64, NULL, NULL, NULL);
	assert_non_null(inv);
}

static int teardown(void **state)
{
	inventory_free(inv);
	oui_free(oui);
	flow_table_free(flows);
	inv = NULL;
	return 0;
}

/* The frame as from `mac`, through flow table and inventory. */
static const struct machine *see(struct bytes frame, const char *mac, double at_s, const char *app)
{
	struct packet p;
	struct flow *f = NULL;
	uint8_t end = 0;

	memcpy((void *)(frame.data + 6), mac, 6);
	packet_decode(frame, LINK_ETHERNET, (uint64_t)(at_s * 1e9), (uint32_t)frame.len, &p);
	if (p.ip_version)
		f = flow_lookup(flows, &p, 0, &end);
	inventory_see(inv, &p, 0, GATE_WARD, f, end, app);
	free((void *)frame.data);
	return inventory_find(inv, 0, (const uint8_t *)mac);
}

#define MONITOR "\x00\x09\xfb\1\2\3"
#define OTHER	"\x02\x09\xfb\1\2\3"

static void vendors_are_found_by_the_longest_prefix(void **state)
{
	open_inventory(4);
	assert_string_equal(oui_vendor(oui, (const uint8_t *)MONITOR),
			    "Philips Patient Monitoring");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)OTHER), "");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x91\2\3"), "Maker");
	assert_int_equal(
		oui_add(oui, (struct bytes){(const uint8_t *)registry_28, sizeof(registry_28) - 1}),
		1);
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x91\2\3"), "Fine Maker");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x81\2\3"), "Maker");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x23\x81\2\3"), "");
}

static void a_monitor_is_recognised_with_reasons(void **state)
{
	char reasons[MACHINE_REASONS][128];
	const struct machine *m;

	open_inventory(4);
	m = see(frame_ipv4_udp(SERVER, 5000, WARD, 24105, "hi", 2), OTHER, 1, NULL);
	assert_int_equal(m->profile, -1);
	m = see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 2, NULL);
	assert_int_equal(told_new, 2);
	assert_int_equal(m->profile, 0);
	assert_int_equal(m->ip[0].b[15], 7);
	assert_int_equal(m->peer[0].b[15], 5);
	assert_int_equal(inventory_reasons(inv, m, reasons), 2);
	assert_string_equal(reasons[0], "its network card was made by Philips Patient Monitoring");
	assert_string_equal(reasons[1], "it answers on udp/24105");
}

static void what_dhcp_says_is_kept(void **state)
{
	uint8_t body[400] = {1, 1, 6};
	const struct machine *m;
	struct writer w = writer_new(body, sizeof(body));
	char line[2048];
	struct json j;

	w.len = 28;
	write_bytes(&w, OTHER, 6);
	w.len = 236;
	write_bytes(&w,
		    "\x63\x82\x53\x63\x35\1\1\x0c\x08"
		    "fridge\x01\0\x37\2\1\3\xff",
		    22);
	open_inventory(4);
	m = see(frame_ipv4_udp(0, 68, 0xffffffff, 67, body, w.len), OTHER, 1, NULL);
	assert_string_equal(m->name, "fridge?");
	assert_int_equal(m->ip_count, 0);
	assert_int_equal(m->dhcp_params_len, 2);
	assert_int_equal(m->profile, 1);
	j = json_new(line, sizeof(line));
	json_open(&j, NULL);
	inventory_write(inv, m, "icu", &j);
	json_close(&j);
	line[j.out.len] = 0;
	assert_string_equal(line,
			    "{\"inventory\":{\"mac\":\"02:09:fb:01:02:03\",\"segment\":\"icu\","
			    "\"name\":\"fridge?\",\"name_from\":\"dhcp\","
			    "\"profile\":\"mqtt-sensor\","
			    "\"profile_reasons\":[\"its name is fridge?\"],\"ips\":[],"
			    "\"peers\":[],\"services\":[\"udp/68\"],\"apps\":[]}}");
}

static void changes_are_told_together(void **state)
{
	open_inventory(4);
	see(frame_ipv4_udp(WARD, 40000, SERVER, 53, "hi", 2), MONITOR, 10, NULL);
	see(frame_ipv4_udp(WARD, 40001, SERVER + 1, 53, "hi", 2), MONITOR, 10.1, NULL);
	see(frame_ipv4_udp(WARD, 40002, SERVER + 2, 53, "hi", 2), MONITOR, 10.2, "mqtt");
	inventory_tick(inv, 11 * NSEC_PER_SEC);
	assert_int_equal(told_more, 0);
	inventory_tick(inv, 12 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	inventory_tick(inv, 15 * NSEC_PER_SEC);
	see(frame_ipv4_udp(WARD, 40002, SERVER + 2, 53, "hi", 2), MONITOR, 20, "mqtt");
	inventory_tick(inv, 23 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	assert_int_equal(told_new, 1);
}

static void a_full_inventory_forgets_the_most_silent(void **state)
{
	char mac[6] = "\0\1\2\3";

	open_inventory(4);
	for (unsigned i = 0; i < 100; i++) {
		mac[5] = (char)i;
		see(frame_ipv4_udp(WARD + i, 9, SERVER, 9, "x", 1), mac, i, NULL);
		see(frame_ipv4_udp(WARD, 9, SERVER, 9, "x", 1), MONITOR, i, NULL);
	}
	assert_int_equal(inventory_count(inv), 4);
	assert_non_null(inventory_find(inv, 0, (const uint8_t *)MONITOR));
	assert_null(inventory_find(inv, 1, (const uint8_t *)MONITOR));
	assert_int_equal(told_new, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(vendors_are_found_by_the_longest_prefix, teardown),
		cmocka_unit_test_teardown(a_monitor_is_recognised_with_reasons, teardown),
		cmocka_unit_test_teardown(what_dhcp_says_is_kept, teardown),
		cmocka_unit_test_teardown(changes_are_told_together, teardown),
		cmocka_unit_test_teardown(a_full_inventory_forgets_the_most_silent, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
