#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/address.h"
#include "base/config.h"

#define SEGMENT "segments: [{name: icu, ward: w, hospital: h}]\n"
#define HOST	"hosts: [{name: c1, ip: [10.1.0.5], role: [central]}]\n"
#define MAC(n)	"mac: '02:00:00:00:00:0" n "'"
#define DEVICE	"name: d, segment: icu, " MAC("1")

static struct config *parse(const char *text, struct config_error *ret_errors, size_t *ret_count)
{
	struct bytes in = unit_exact(text, strlen(text));
	struct config *c = config_parse("test.yaml", in, ret_errors, 32, ret_count);

	free((void *)in.data);
	return c;
}

static void defaults_are_filled_in(void **state)
{
	struct config_error errors[32];
	size_t count;
	struct config *c = parse(SEGMENT HOST "devices:\n  - {" DEVICE ", starts: [{service: s, "
					      "proto: udp, port: [24105], peer: central}]}\n",
				 errors, &count);

	assert_int_equal(count, 0);
	assert_non_null(c);
	assert_string_equal(c->gateway.run_dir, "/run/bedwarden");
	assert_int_equal(c->gateway.flows, 262144);
	assert_int_equal(c->gateway.workers, 0);
	assert_int_equal(c->gateway.eve_keep, 8);
	assert_int_equal(c->segments[0].mode, GATE_ENFORCE);
	assert_true(c->segments[0].block_strangers && c->segments[0].block_binding);
	assert_false(c->segments[0].isolated);
	assert_int_equal(c->devices[0].starts[0].action, GATE_INSPECT);
	assert_null(c->devices[0].mode);
	assert_string_equal(c->devices[0].profile, "");
	config_free(c);
}

static void what_is_given_counts(void **state)
{
	struct config_error errors[32];
	size_t count;
	struct config *c =
		parse("gateway: {flows: 4096, eve_keep: 0, eve_file: '', name: \"a:b\"}\n"
		      "segments: [{name: icu, ward: w, hospital: h, isolated: on, mode: observe,\n"
		      "  unknown_devices: observe, binding: report}]\n"
		      "devices: [{" DEVICE ", mode: observe, fail: open,\n"
		      "  accepts: [{service: s, proto: '132', peer: any, action: pass},\n"
		      "    {service: s, proto: any, peer: broadcast, action: drop}]}]\n",
		      errors, &count);

	assert_non_null(c);
	assert_int_equal(c->gateway.flows, 4096);
	assert_int_equal(c->gateway.eve_keep, 0);
	assert_string_equal(c->gateway.eve_file, "");
	assert_string_equal(c->gateway.name, "a:b");
	assert_int_equal(c->segments[0].mode, GATE_OBSERVE);
	assert_true(c->segments[0].isolated);
	assert_false(c->segments[0].block_strangers || c->segments[0].block_binding);
	assert_int_equal(*c->devices[0].mode, GATE_OBSERVE);
	assert_int_equal(*c->devices[0].fail, GATE_OPEN);
	assert_int_equal(c->devices[0].accepts[0].action, GATE_PASS);
	assert_int_equal(c->devices[0].accepts[1].action, GATE_DROP);
	config_free(c);
}

#define BOM "\xef\xbb\xbf"

/* Editors that set it, or end lines by CR LF, change nothing of what is read. */
static void a_byte_order_mark_is_no_mistake(void **state)
{
	struct config_error errors[32];
	size_t count;
	struct config *c = parse(BOM "segments:\r\n  - {name: icu, ward: w, hospital: h}\r\n"
				     "gateway:\r\n  name: \"a\\u00e4\"\r\n",
				 errors, &count);

	assert_int_equal(count, 0);
	assert_non_null(c);
	assert_string_equal(c->gateway.name, "a\xc3\xa4");
	config_free(c);
}

/* One mistake each: where it must be found, and what must be said of it. */
static const struct mistake {
	const char *text;
	unsigned line, column;
	const char *says;
} mistakes[] = {
	{"", 1, 1, "the file is empty"},
	{BOM, 1, 1, "the file is empty"},
	{BOM SEGMENT "gateway: {flows: x}\n", 2, 18, "expected a number"},
	{"segments: [", 2, 1, "not YAML"},
	{"segments:\n\t- x\n", 2, 1, "not YAML: a tab stands here"},
	{"a: \"\xc3\xa9\"\n\xc3\xa9:\n  \t- x: y\n", 3, 3, "not YAML: a tab stands here"},
	{"segments:\n  \"\xff\"\n", 2, 4,
	 "not YAML: invalid leading UTF-8 octet; save the file as UTF-8"},
	{"segments:\n  caf\xe9\n", 2, 6, "save the file as UTF-8"},
	{"\xff\xfe s", 1, 1, "the file is in UTF-16 or UTF-32; save it as UTF-8"},
	{"\xfe\xff", 1, 1, "save it as UTF-8"},
	{"- 1\n", 1, 1,
	 "the file is a list; expected a mapping with the keys gateway, console, people, audit, "
	 "backup, updates, pki, relays, link, peers, segments"},
	{SEGMENT "---\n" SEGMENT, 2, 1, "a second document begins"},
	{"segments: &a [{name: icu, ward: w, hospital: h}]\nhosts: *a\n", 2, 8, "an alias"},
	{"[[[[[[[[[[[[[[[[[[[[", 1, 17, "nested too deeply"},
	{SEGMENT "devices: [{" DEVICE ", name2: \"a\\0b\"}]\n", 2, 68, "zero byte"},
	{"hosts: []\n", 1, 1, "'segments' is missing"},
	{SEGMENT "host: []\n", 2, 1, "unknown key 'host'; did you mean 'hosts'?"},
	{SEGMENT "zebra: 1\n", 2, 1,
	 "unknown key 'zebra'; expected one of gateway, console, people, audit, backup, updates, "
	 "pki, "
	 "relays, "
	 "link, peers, "
	 "segments, "
	 "hosts, devices"},
	{SEGMENT "backup: {to: mnt}\n", 2, 14, "'mnt' begins with no /"},
	{SEGMENT "backup: {to: /var/lib/bedwarden/copy}\n", 2, 14, "would be lost with it"},
	{SEGMENT "backup: {to: /mnt, every_hours: 0}\n", 2, 33, "expected a number from 1 to 744"},
	{SEGMENT "hosts:\n", 2, 7, "'hosts' is nothing; expected a list of entries"},
	{SEGMENT "hosts: 7\n", 2, 8, "'hosts' is a single value; expected a list"},
	{SEGMENT SEGMENT, 2, 1, "'segments' is given twice, first on line 1"},
	{"segments: [{name: icu, name: x, ward: w, hospital: h}]", 1, 24, "'name' is given twice"},
	{"segments: [{name: icu, ward: w}]", 1, 12,
	 "'hospital' is missing from this entry of segments"},
	{"segments: [{name: '', ward: w, hospital: h}]", 1, 19, "'name' is empty; expected text"},
	{"segments: [{name: icu, ward: w, hospital: abcdefghijklmnopq}]", 1, 43,
	 "17 characters long; expected at most 15"},
	{"segments: [{name: icu, ward: w, hospital: h, mode: inforce}]", 1, 52,
	 "'mode' is 'inforce'; did you mean 'enforce'? Expected observe, simulate or enforce"},
	{"segments: [{name: icu, ward: w, hospital: h, isolated: flase}]", 1, 56,
	 "'isolated' is 'flase'; did you mean 'false'?"},
	/* One that would be believed here and fit nobody's key afterwards. */
	{SEGMENT "relays: [{name: r, listen: '[::1]:1', connect: '[::1]:2', tls: in, pin: "
		 "['sha256/0123456789012345678901234567890123456789!!!=']}]",
	 2, 74, "is no pin"},
	{SEGMENT "relays: [{name: r, listen: '[::1]:1', connect: '[::1]:2', tls: in, pin: "
		 "['0123456789:0123456789:0123456789:0123456789:0123456789:0123456789:']}]",
	 2, 74, "is no pin"},
	{SEGMENT "relays: [{name: r, listen: '[::1]:1', connect: '[::1]:2', tls: in, app: ''}]", 2,
	 73, "'app' is empty; expected text"},
	{"gateway: {flows: 12}\n" SEGMENT, 1, 18,
	 "'flows' is '12'; expected a number from 1024 to"},
	{"gateway: {flows: many}\n" SEGMENT, 1, 18, "'flows' is 'many'; expected a number"},
	{"gateway: {flows: -1}\n" SEGMENT, 1, 18, "'flows' is '-1'; expected a number"},
	{"gateway: {flows: 99999999999999999999}\n" SEGMENT, 1, 18, "expected a number"},
	{"gateway: {flows: [1]}\n" SEGMENT, 1, 18, "'flows' is a list; expected a number"},
	{"gateway: {capture: xpd}\n" SEGMENT, 1, 20, "'capture' is 'xpd'; did you mean 'xdp'?"},
	{"segments: [{name: a, ward: w, hospital: w}]", 1, 41,
	 "interface 'w' is in use by segment 'a'"},
	{"segments:\n- {name: a, ward: w, hospital: h}\n- {name: a, ward: x, hospital: y}\n", 3, 10,
	 "a second segment is called 'a'"},
	{"segments:\n- {name: a, ward: w, hospital: h}\n- {name: b, ward: h, hospital: y}\n", 3, 19,
	 "interface 'h' is in use by segment 'a' already"},
	{"segments: [{name: a, ward: w, hospital: h, net: [10.1.1.5/24]}]", 1, 50,
	 "'10.1.1.5/24' has bits set behind its prefix; expected 10.1.1.0/24"},
	{"segments: [{name: \"a\\0b\", ward: w, hospital: h}]", 1, 19, "zero byte"},
	{"segments: [{name: \"a\\e[31m\", ward: w, hospital: h}]", 1, 19,
	 "is not shown or changes"},
	{"segments: [{name: \"a\\x7f\", ward: w, hospital: h}]", 1, 19, "is not shown or changes"},
	{"segments: [{name: \"a\\x9b\", ward: w, hospital: h}]", 1, 19, "is not shown or changes"},
	{"segments: [{name: \"a\\u202e\", ward: w, hospital: h}]", 1, 19,
	 "is not shown or changes"},
	{"segments: [{name: a\u2066b, ward: w, hospital: h}]", 1, 19, "is not shown or changes"},
	{"segments: [{name: \"a\\nb\", ward: w, hospital: h}]", 1, 19,
	 "'name' has a tab or a line break in it"},
	{SEGMENT "devices: [{" DEVICE ", ip: [255.255.255.255]}]", 2, 66,
	 "'255.255.255.255' is the address of no single machine"},
	{SEGMENT "devices: [{" DEVICE ", ip: [224.0.0.251]}]", 2, 66, "of no single machine"},
	{SEGMENT "devices: [{" DEVICE ", ip: [127.0.0.1]}]", 2, 66, "of no single machine"},
	{SEGMENT "devices: [{" DEVICE ", ip: [0.0.0.0]}]", 2, 66, "of no single machine"},
	{SEGMENT "devices: [{" DEVICE ", ip: ['::']}]", 2, 66, "of no single machine"},
	{SEGMENT "devices: [{" DEVICE ", ip: ['ff02::1']}]", 2, 66, "of no single machine"},
	{SEGMENT "hosts: [{name: c, ip: [10.1.0.300]}]", 2, 24, "'10.1.0.300' is no address"},
	{SEGMENT "hosts: [{name: c, ip: [10.1.0.0/33]}]", 2, 24, "'10.1.0.0/33' is no address"},
	{SEGMENT "hosts: [{name: c, ip: [fd00::1/32]}]", 2, 24,
	 "has bits set behind its prefix; expected fd00::/32"},
	{SEGMENT "hosts: [{name: c, ip: []}]", 2, 23, "'ip' has 0 entries; expected 1 to 64"},
	{SEGMENT "hosts: [{name: c, ip: 10.1.0.5}]", 2, 23,
	 "'ip' is a single value; expected a list, as"},
	{SEGMENT "hosts: [{name: c, ip: [10.1.0.5], mac: '01:00:5e:00:00:01'}]", 2, 40,
	 "is the address of no single machine"},
	{SEGMENT "hosts: [{name: c, ip: [10.1.0.5], mac: '01:00:5e:00:00:xx'}]", 2, 40,
	 "is no hardware address; expected one as"},
	{SEGMENT "hosts: [{name: c, ip: [10.1.0.5], role: [any]}]", 2, 42,
	 "'any' has a meaning of its own"},
	{SEGMENT "hosts:\n- {name: c, ip: [10.1.0.5]}\n- {name: d, ip: [10.1.0.5]}\n", 4, 18,
	 "'10.1.0.5' belongs to 'c' already"},
	{SEGMENT "hosts:\n- {name: c, ip: [10.1.0.5]}\n- {name: c, ip: [10.1.0.6]}\n", 4, 10,
	 "a second host or device is called 'c'"},
	{SEGMENT "hosts: [{name: dhcp, ip: [10.1.0.5]}]", 2, 16, "'dhcp' has a meaning of its own"},
	{SEGMENT "devices: [{name: d, segment: icv, " MAC("1") "}]", 2, 30,
	 "there is no segment 'icv'; did you mean 'icu'?"},
	{SEGMENT "devices: [{name: d, segment: icu, mac: '00:09:fb:01:02:0g'}]", 2, 40,
	 "is no hardware address"},
	{SEGMENT "devices: [{" DEVICE ", ip: [10.1.1.0/24]}]", 2, 66,
	 "'10.1.1.0/24' is a prefix; expected a single address"},
	{SEGMENT HOST "devices: [{" DEVICE ", ip: [10.1.0.5]}]", 3, 66,
	 "'10.1.0.5' belongs to 'c1' already"},
	{SEGMENT "devices:\n- {" DEVICE "}\n- {name: e, segment: icu, " MAC("1") "}\n", 4, 32,
	 "'02:00:00:00:00:01' belongs to 'd' already"},
	{SEGMENT HOST "devices: [{" DEVICE ", peer: [c2]}]", 3, 68,
	 "there is no host 'c2'; did you mean 'c1'?"},
	{SEGMENT "devices:\n- {" DEVICE ", peer: [d]}\n", 3, 60,
	 "'d' is a device; expected a host"},
	{SEGMENT "devices: [{" DEVICE ", profile: No}]", 2, 70, "'No' is no profile's name"},
	{SEGMENT "devices: [{" DEVICE ", profile: ../x}]", 2, 70, "'../x' is no profile's name"},
	{SEGMENT "devices: [{" DEVICE ", profile: none-such}]", 2, 70,
	 "there is no profile 'none-such'; expected none-such.yaml in"},
	{SEGMENT "devices: [{" DEVICE ", profile: philips-inteliview}]", 2, 70,
	 "there is no profile 'philips-inteliview'; did you mean 'philips-intellivue'?"},
	{SEGMENT "devices: [{" DEVICE ",\n starts: [{service: s, proto: tpc, peer: any}]}]", 3, 31,
	 "'tpc' is no protocol"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: tcp, port: [0x50], peer: any}]}]",
	 3, 43, "'0x50' is no port"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: tcp, port: [9-1], peer: any}]}]",
	 3, 43, "'9-1' is no port; expected a number from 1 to 65535 or a range"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: tcp, port: [0], peer: any}]}]",
	 3, 43, "'0' is no port; expected a number from 1 to 65535 or a range"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: icmp, port: [300], peer: any}]}]",
	 3, 44, "'300' is no icmp type"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: igmp, port: [3], peer: any}]}]",
	 3, 43, "'igmp' has no ports"},
	{SEGMENT HOST "devices: [{" DEVICE ",\n starts: [{service: s, proto: tcp, peer: centrl}]}]",
	 4, 42, "nobody is called 'centrl' or has that role; did you mean 'central'?"},
	{SEGMENT "devices: [{" DEVICE
		 ",\n starts: [{service: s, proto: tcp, peer: any, action: seal}]}]",
	 3, 55, "'seal' needs a gateway at the other end"},
	{SEGMENT HOST
	 "peers:\n- {name: b, address: 10.0.0.9, hosts: [c1]}\nlink: {listen: '10.0.0.1:9'}",
	 4, 22, "'10.0.0.9' is no place to send to"},
	{SEGMENT HOST "peers:\n- {name: b, hosts: [c1]}\nlink: {listen: ten}", 5, 16,
	 "'ten' is no place to listen at"},
	{SEGMENT HOST "peers:\n- {name: b, hosts: [c1]}\n", 4, 1, "nowhere to hear them"},
	{SEGMENT HOST "link: {listen: '10.0.0.1:9'}\npeers:\n- {name: b, hosts: [c2]}\n", 5, 21,
	 "no host is called 'c2'; did you mean 'c1'?"},
	{SEGMENT HOST "link: {listen: '10.0.0.1:9'}\npeers:\n- {name: b, hosts: [c1]}\n"
		      "- {name: c, hosts: [c1]}\n",
	 6, 21, "'c1' is behind a gateway already"},
	{SEGMENT HOST
	 "link: {listen: '10.0.0.1:9'}\npeers:\n- {name: b, segment: no, hosts: [c1]}\n",
	 5, 22, "no segment is called 'no'"},
	{SEGMENT "updates: {window: ['02:00-02:00']}", 2, 20, "'02:00-02:00' is no span of time"},
	{SEGMENT "updates: {rollout: {window: '2-5'}}", 2, 29, "'2-5' is no span of time"},
	{SEGMENT "devices: [{" DEVICE ",\n starts: [{service: s, proto: tcp}]}]", 3, 11,
	 "'peer' is missing from this entry of starts"},
};

static void every_mistake_has_its_place(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];
		struct config_error errors[32];
		bool found = false;
		size_t count = 0;
		struct config *c = parse(m->text, errors, &count);

		for (size_t j = 0; j < count; j++)
			found |= strstr(errors[j].text, m->says) && errors[j].line == m->line &&
				 errors[j].column == m->column;
		if (c || !found || count != 1) {
			print_message("of:\n%s\nexpected %u:%u: %s\n", m->text, m->line, m->column,
				      m->says);
			for (size_t j = 0; j < count; j++)
				print_message("was      %u:%u: %s\n", errors[j].line,
					      errors[j].column, errors[j].text);
			wrong++;
		}
		config_free(c);
	}
	assert_int_equal(wrong, 0);
}

static void all_mistakes_are_found_at_once(void **state)
{
	struct config_error errors[32];
	size_t count;

	/* An unknown key hides nothing of what else can be checked. */
	assert_null(parse("segments: [{name: icu, ward: w, hospital: h, colour: red}]\n"
			  "hosts: [{name: c, ip: [10.1.0.300]}]\n"
			  "devices:\n"
			  "  - {name: d, segment: icv, mac: '02:00:00:00:00:01', ip: [10.1.1.1]}\n"
			  "  - {name: e, segment: icu, mac: '02:00:00:00:00:01', profile: none}\n",
			  errors, &count));
	assert_int_equal(count, 5);
	for (size_t i = 1; i < count; i++)
		assert_true(errors[i].line >= errors[i - 1].line);
	/* No more than asked for are written. */
	assert_null(config_parse("t", (struct bytes){(const uint8_t *)"a: 1\nb: 2\nc: 3\n", 15},
				 errors, 2, &count));
	assert_int_equal(count, 2);
}

static void a_profiles_own_mistakes_name_its_file(void **state)
{
	static const char profile[] =
		"title: t\nkind: montor\nfail: open\nsource: [x]\nstarts:\n"
		"  - {service: s, proto: tcp, port: [99999], peer: anyone-at-all}\n"
		"identify: {service: [24105]}\n";
	struct config_error errors[8];
	struct config_profile *p;
	size_t count;

	p = config_profile_parse("dir/x.yaml",
				 (struct bytes){(const uint8_t *)profile, strlen(profile)}, errors,
				 8, &count);
	assert_null(p);
	assert_int_equal(count, 3);
	assert_string_equal(errors[0].file, "dir/x.yaml");
	assert_int_equal(errors[0].line, 2);
	assert_non_null(strstr(errors[0].text, "did you mean 'monitor'?"));
	assert_int_equal(errors[1].line, 6);
	assert_int_equal(errors[1].column, 37);
	assert_int_equal(errors[2].line, 7);
	p = config_profile_parse("dir/x.yaml", (struct bytes){NULL, 0}, errors, 8, &count);
	assert_null(p);
	assert_int_equal(count, 1);
}

static void addresses_are_read_whole(void **state)
{
	uint8_t ip[16], mac[6], proto;
	char text[ADDRESS_IP_LEN], mac_text[ADDRESS_MAC_LEN];
	uint16_t lo, hi;
	unsigned len;

	assert_true(address_prefix("10.2.0.0/16", ip, &len));
	assert_int_equal(len, 112);
	assert_string_equal(address_ip_text(ip, text), "10.2.0.0");
	assert_true(address_prefix("fd00::", ip, &len));
	assert_int_equal(len, 128);
	address_mask(ip, 8, true);
	assert_string_equal(address_ip_text(ip, text), "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_false(address_prefix("10.0.0.1 ", ip, &len));
	assert_false(address_prefix("10.0.0.0/", ip, &len));
	assert_false(address_prefix("10.0.0.0/8x", ip, &len));
	assert_false(address_prefix("10.0.0.0/-1", ip, &len));
	assert_true(address_mac("AA-bb-CC:dd-ee:0f", mac));
	assert_string_equal(address_mac_text(mac, mac_text), "aa:bb:cc:dd:ee:0f");
	assert_false(address_mac("aabbccddeeff", mac));
	assert_true(address_ports("0-65535", &lo, &hi));
	assert_true(lo == 0 && hi == 65535);
	assert_false(address_ports("65536", &lo, &hi));
	assert_false(address_ports("1-", &lo, &hi));
	assert_false(address_ports("", &lo, &hi));
	assert_true(address_proto("255", &proto) && proto == 255);
	assert_false(address_proto("256", &proto));
	assert_false(address_proto("TCP", &proto));
}

static void files_that_cannot_be_read_say_so(void **state)
{
	char path[] = "/tmp/unit-config-XXXXXX";
	struct config_error errors[4];
	size_t count = 0;
	int fd;

	assert_null(config_load("/nonexistent/x.yaml", errors, 4, &count));
	assert_int_equal(count, 1);
	assert_non_null(strstr(errors[0].text, "No such file"));
	assert_null(config_load("/tmp", errors, 4, &count));
	assert_non_null(strstr(errors[0].text, "directory"));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
	assert_null(config_load(path, errors, 4, &count));
	assert_non_null(strstr(errors[0].text, "too long; expected at most 16 MiB"));
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(what_is_given_counts),
		cmocka_unit_test(a_byte_order_mark_is_no_mistake),
		cmocka_unit_test(every_mistake_has_its_place),
		cmocka_unit_test(all_mistakes_are_found_at_once),
		cmocka_unit_test(a_profiles_own_mistakes_name_its_file),
		cmocka_unit_test(addresses_are_read_whole),
		cmocka_unit_test(files_that_cannot_be_read_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
