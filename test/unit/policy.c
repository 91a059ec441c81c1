#include "unit.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>

#include "base/address.h"
#include "guard/policy/policy.h"

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, net: [10.1.1.0/24]}\n"
	"  - {name: or, ward: w1, hospital: h1, mode: simulate, binding: report}\n"
	"hosts:\n"
	"  - {name: central-1, ip: [10.1.0.5], role: [central]}\n"
	"  - {name: central-2, ip: [10.1.0.6], mac: '02:00:00:00:00:06', role: [central, store]}\n"
	"  - {name: office, ip: [10.9.0.0/16, 'fd00:9::/32'], role: [viewer]}\n"
	"devices:\n"
	"  - name: m1\n"
	"    segment: icu\n"
	"    mac: '00:09:fb:01:02:03'\n"
	"    ip: [10.1.1.12]\n"
	"    peer: [central-1]\n"
	"    starts:\n"
	"      - {service: vital signs, proto: udp, port: [24105], peer: central}\n"
	"      - {service: store, proto: tcp, port: [80, 8000-8010], peer: store, action: pass}\n"
	"      - {service: nobody, proto: tcp, peer: m2}\n"
	"    accepts:\n"
	"      - {service: hello, proto: udp, port: [24005], peer: broadcast}\n"
	"  - {name: m2, segment: or, mac: '00:09:fb:01:02:04', ip: [10.1.2.12], fail: open}\n";

static struct config *load(const char *text)
{
	struct config_error errors[8];
	size_t count;
	struct config *c = config_parse(
		"t.yaml", (struct bytes){(const uint8_t *)text, strlen(text)}, errors, 8, &count);

	for (size_t i = 0; i < count; i++)
		print_message("%u:%u: %s\n", errors[i].line, errors[i].column, errors[i].text);
	assert_non_null(c);
	return c;
}

static struct policy *compile(const char *text)
{
	struct config *c = load(text);
	char error[256];
	struct policy *p = policy_compile(c, NULL, 0, 7, error);

	config_free(c);
	assert_non_null(p);
	assert_ptr_equal(policy_open(policy_bytes(p)), p);
	return p;
}

static void rules_follow_the_file(void **state)
{
	struct policy *p = compile(site);
	uint32_t devices, rules;
	const struct gate_device *d = policy_devices(p, &devices);
	const struct gate_rule *r = policy_rules(p, &rules);

	assert_int_equal(policy_generation(p), 7);
	assert_int_equal(devices, 4);
	assert_true(d[0].flags & GATE_DEVICE_STRANGER && d[1].flags & GATE_DEVICE_STRANGER);
	assert_int_equal(d[2].rule_count, 5);
	r += d[2].rule_first;
	/* Narrowed to the one central station the device names. */
	assert_int_equal(r[0].peer_kind, GATE_PEER_ID);
	assert_int_equal(r[0].peer, 0);
	assert_int_equal(r[0].proto, 17);
	assert_int_equal(r[0].port_lo, 24105);
	assert_int_equal(r[0].action, GATE_INSPECT);
	/* None of its peers is a store: any store will do, once for each port. */
	assert_int_equal(r[1].peer_kind, GATE_PEER_ROLES);
	assert_int_equal(r[1].peer, 2);
	assert_int_equal(r[2].port_lo, 8000);
	assert_int_equal(r[2].port_hi, 8010);
	assert_int_equal(r[2].action, GATE_PASS);
	assert_int_equal(r[3].peer, GATE_PEER_DEVICE | 3);
	assert_int_equal(r[4].towards, 1);
	assert_int_equal(r[4].peer, GATE_ROLE_BROADCAST);
	assert_int_equal(d[3].mode, GATE_SIMULATE);
	assert_int_equal(d[3].fail, GATE_OPEN);
	assert_string_equal(policy_rule_service(p, d[2].rule_first), "vital signs");
	assert_string_equal(policy_device_name(p, 3), "m2");
	assert_string_equal(policy_peer_name(p, 1), "central-2");
	assert_string_equal(policy_peer_name(p, GATE_PEER_DEVICE | 2), "m1");
	assert_string_equal(policy_peer_name(p, GATE_PEER_NONE), "");
	policy_free(p);
}

static const struct policy_ip_row *ip_row(const struct policy *p, uint32_t segment,
					  const char *text)
{
	struct policy_ip_row key = {.key = {.segment = segment}};
	const struct policy_ip_row *rows;
	uint32_t count;
	unsigned len;

	assert_true(address_prefix(text, key.key.ip.b, &len));
	rows = policy_ips(p, &count);
	for (uint32_t i = 0; i < count; i++)
		if (memcmp(&rows[i].key, &key.key, sizeof(key.key)) == 0)
			return &rows[i];
	return NULL;
}

static const struct policy_net_row *net_row(const struct policy *p, const char *text)
{
	const struct policy_net_row *rows;
	uint32_t count;
	uint8_t ip[16];
	unsigned len;

	assert_true(address_prefix(text, ip, &len));
	rows = policy_nets(p, &count);
	for (uint32_t i = 0; i < count; i++)
		if (rows[i].key.prefix_len == len && memcmp(rows[i].key.ip.b, ip, 16) == 0)
			return &rows[i];
	return NULL;
}

static void addresses_have_owners(void **state)
{
	struct policy *p = compile(site);
	const struct policy_mac_row *macs;
	const struct policy_ip_row *row;
	const struct policy_net_row *net;
	uint32_t count;

	row = ip_row(p, 0, "10.1.1.12");
	assert_non_null(row);
	assert_int_equal(row->bind.peer, GATE_PEER_DEVICE | 2);
	assert_int_equal(row->bind.side, GATE_WARD);
	assert_int_equal(row->bind.flags, GATE_BIND_MAC);
	/* m1 names m2, which is in the other segment: it is met on the hospital's side there. */
	row = ip_row(p, 0, "10.1.2.12");
	assert_non_null(row);
	assert_int_equal(row->bind.side, GATE_HOSPITAL);
	assert_int_equal(row->bind.flags, 0);
	assert_int_equal(ip_row(p, 1, "10.1.2.12")->bind.side, GATE_WARD);
	assert_null(ip_row(p, 1, "10.1.1.12"));
	/* A host bound to a MAC stands in every segment; one without only in the nets. */
	assert_non_null(ip_row(p, 0, "10.1.0.6"));
	assert_non_null(ip_row(p, 1, "10.1.0.6"));
	assert_null(ip_row(p, 0, "10.1.0.5"));
	net = net_row(p, "10.1.0.5");
	assert_int_equal(net->net.flags, GATE_NET_HOST);
	assert_int_equal(net->net.roles, 1);
	assert_int_equal(net_row(p, "10.1.0.6")->net.roles, 3);
	assert_int_equal(net_row(p, "10.9.0.0/16")->net.flags, 0);
	assert_int_equal(net_row(p, "fd00:9::/32")->net.peer, 2);
	assert_int_equal(net_row(p, "255.255.255.255")->net.roles, GATE_ROLE_BROADCAST);
	assert_int_equal(net_row(p, "10.1.1.255")->net.roles, GATE_ROLE_BROADCAST);
	assert_int_equal(net_row(p, "224.0.0.0/4")->net.roles, GATE_ROLE_MULTICAST);
	assert_int_equal(net_row(p, "ff00::/8")->net.roles, GATE_ROLE_MULTICAST);
	macs = policy_macs(p, &count);
	assert_int_equal(count, 4); /* two devices, and one host in two segments */
	assert_int_equal(macs[0].key.segment, 0);
	policy_free(p);
}

static void a_host_may_be_a_multicast_group(void **state)
{
	struct policy *p = compile("segments: [{name: a, ward: w, hospital: h}]\n"
				   "hosts:\n"
				   "  - {name: g, ip: [239.1.2.3, 224.0.0.0/4], role: [waves]}\n"
				   "  - {name: d, ip: [10.0.0.1], role: [dhcp]}\n");
	const struct policy_port_row *ports;
	uint32_t count;

	assert_int_equal(net_row(p, "239.1.2.3")->net.roles, GATE_ROLE_MULTICAST | 1);
	assert_int_equal(net_row(p, "239.1.2.3")->net.flags, 0);
	assert_int_equal(net_row(p, "224.0.0.0/4")->net.roles, GATE_ROLE_MULTICAST | 1);
	assert_int_equal(net_row(p, "224.0.0.0/4")->net.peer, 0);
	assert_int_equal(net_row(p, "10.0.0.1")->net.roles, GATE_ROLE_DHCP);
	ports = policy_ports(p, &count);
	assert_int_equal(count, 2);
	assert_false(ports[0].port.flags & GATE_PORT_DHCP_ANY);
	policy_free(p);
}

static void ports_are_found_by_name(void **state)
{
	struct policy_port here[] = {{"h0", 17, {2, 0, 0, 0, 0, 1}},
				     {"w0", 4, {2, 0, 0, 0, 0, 2}},
				     {"w1", 9, {2, 0, 0, 0, 0, 3}}};
	struct config *c = load(site);
	char error[256];
	struct policy *p = policy_compile(c, here, 3, 1, error);
	const struct policy_port_row *rows;
	uint32_t count;

	config_free(c);
	rows = policy_ports(p, &count);
	assert_int_equal(count, 3); /* h1 is not there: no row, and w1 leads nowhere */
	assert_int_equal(rows[0].ifindex, 4);
	assert_int_equal(rows[0].port.partner, 17);
	assert_int_equal(rows[0].port.mac[5], 2);
	assert_int_equal(rows[0].port.flags, GATE_PORT_DHCP_ANY);
	assert_int_equal(rows[1].ifindex, 9);
	assert_int_equal(rows[1].port.partner, 0);
	assert_int_equal(rows[1].port.flags, GATE_PORT_DHCP_ANY | GATE_PORT_BIND_REPORT);
	assert_int_equal(rows[2].port.side, GATE_HOSPITAL);
	policy_free(p);
}

/* What any device of the segment takes from broadcast, its stranger takes: once. */
static void strangers_take_the_wards_broadcasts(void **state)
{
	struct policy *p = compile(site);
	uint32_t count;
	const struct gate_device *d = policy_devices(p, &count);
	const struct gate_rule *r = policy_rules(p, &count);

	assert_int_equal(d[0].rule_count, 1);
	assert_int_equal(r[d[0].rule_first].peer, GATE_ROLE_BROADCAST);
	assert_int_equal(r[d[0].rule_first].port_lo, 24005);
	assert_int_equal(d[1].rule_count, 0);
	assert_int_equal(d[1].mode, GATE_SIMULATE);
	policy_free(p);
}

static void too_many_rules_are_refused(void **state)
{
	char text[8192], error[256] = "";
	int len = snprintf(text, sizeof(text),
			   "segments: [{name: a, ward: w, hospital: h}]\n"
			   "devices:\n  - name: greedy\n    segment: a\n"
			   "    mac: '02:00:00:00:00:01'\n    starts:\n");
	struct config *c;

	for (int i = 0; i < 5; i++) {
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"      - {service: s%d, proto: tcp, peer: any, port: [1", i);
		for (int j = 2; j <= 13; j++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, ", %d", j);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "]}\n");
	}
	c = load(text);
	errno = 0;
	assert_null(policy_compile(c, NULL, 0, 1, error)); /* 65 */
	assert_int_equal(errno, E2BIG);
	assert_non_null(strstr(error, "'greedy' would need more than 64 rules"));
	config_free(c);
}

/* Any byte of the header, and any that an index lives in, must not go unnoticed. */
static void a_damaged_block_is_refused(void **state)
{
	struct policy *p = compile(site);
	struct bytes whole = policy_bytes(p), copy;
	uint32_t opened = 0;

	for (size_t cut = 0; cut < whole.len; cut++) {
		copy = unit_exact(whole.data, cut);
		assert_null(policy_open(copy));
		free((void *)copy.data);
	}
	for (size_t i = 0; i < whole.len; i++) {
		const struct policy *q;

		copy = unit_exact(whole.data, whole.len);
		((uint8_t *)(uintptr_t)copy.data)[i] ^= 0x80;
		q = policy_open(copy);
		/* Magic, layout, sizes: 8 + 4 + 4, then behind the generation. */
		assert_true(!q || (i >= 16 && i < 24) || i >= 120);
		opened += q != NULL;
		free((void *)copy.data);
	}
	assert_true(opened < whole.len);
	copy = unit_exact(whole.data, whole.len);
	assert_null(policy_open((struct bytes){copy.data, whole.len - 1}));
	free((void *)copy.data);
	policy_free(p);
}

/* A peer, segment or rule that is not there, put where the floor would follow it. */
static void indexes_lead_somewhere(void **state)
{
	struct policy *p = compile(site);
	struct bytes whole = policy_bytes(p);
	uint32_t count;
	struct gate_device *d = (struct gate_device *)(uintptr_t)policy_devices(p, &count);
	struct gate_rule *r = (struct gate_rule *)(uintptr_t)policy_rules(p, &count);
	struct policy_ip_row *ips = (struct policy_ip_row *)(uintptr_t)policy_ips(p, &count);
	struct gate_device device = d[2];
	struct gate_rule rule = r[d[2].rule_first];
	struct policy_ip_row row = ips[1];

	assert_non_null(policy_open(whole));
	d[2].rule_first = UINT32_MAX;
	assert_null(policy_open(whole));
	d[2] = device;
	d[2].rule_count = 65;
	assert_null(policy_open(whole));
	d[2] = device;
	d[2].segment = 2;
	assert_null(policy_open(whole));
	d[2] = device;
	r[d[2].rule_first].peer = 3;
	assert_null(policy_open(whole));
	r[d[2].rule_first] = rule;
	r[d[2].rule_first].port_lo = 65535;
	assert_null(policy_open(whole));
	r[d[2].rule_first] = rule;
	ips[1].bind.peer = GATE_PEER_DEVICE | 4;
	assert_null(policy_open(whole));
	ips[1] = ips[0]; /* the same key twice */
	assert_null(policy_open(whole));
	ips[1] = row;
	assert_non_null(policy_open(whole));
	policy_free(p);
}

/* Every shipped profile, with a site that has nobody for it to talk to and one that has everybody. */
static void shipped_profiles_compile(void **state)
{
	static const char *const roles[] = {
		"central", "records", "pumps", "pacs",	 "worklist",  "print",	    "audit",
		"lab",	   "poct",    "ecg",   "broker", "files",     "update",	    "recorder",
		"proxy",   "time",    "dns",   "dhcp",	 "directory", "maintenance"};
	char text[4096], error[256];
	glob_t found;

	assert_int_equal(glob(UNIT_SOURCE "/profiles/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 12);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *base = strrchr(found.gl_pathv[i], '/') + 1;
		int len = snprintf(text, sizeof(text),
				   "gateway: {profiles_dir: " UNIT_SOURCE "/profiles}\n"
				   "segments: [{name: a, ward: w, hospital: h}]\n"
				   "devices: [{name: d, segment: a, mac: '02:00:00:00:00:01', "
				   "profile: %.*s}]\nhosts:\n",
				   (int)strlen(base) - 5, base);
		struct config *c;
		struct policy *p;
		uint32_t count;

		for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					"  - {name: h%zu, ip: [10.0.0.%zu], role: [%s]}\n", r,
					r + 1, roles[r]);
		c = load(text);
		p = policy_compile(c, NULL, 0, 1, error);
		assert_non_null(p);
		policy_rules(p, &count);
		/* A role that no profile of the site's vocabulary has would make a rule vanish. */
		assert_true(count >= c->profiles[0].starts_count + c->profiles[0].accepts_count);
		assert_string_equal(policy_device_profile(p, 1), c->profiles[0].name);
		policy_free(p);
		config_free(c);
	}
	globfree(&found);
}

/* The example of doc/policy.md is what it says it is: complete. */
static void the_guides_example_is_good(void **state)
{
	static char guide[65536];
	FILE *f = fopen(UNIT_SOURCE "/doc/policy.md", "r");
	struct config_error errors[8];
	char *begin, *end, error[256];
	struct config *c;
	struct policy *p;
	size_t count = 0;

	assert_non_null(f);
	guide[fread(guide, 1, sizeof(guide) - 1, f)] = 0;
	fclose(f);
	begin = strstr(guide, "```yaml\n");
	assert_non_null(begin);
	begin += strlen("```yaml\n");
	end = strstr(begin, "\n```");
	assert_non_null(end);
	c = config_parse(UNIT_SOURCE "/guide.yaml",
			 (struct bytes){(const uint8_t *)begin, (size_t)(end - begin)}, errors, 8,
			 &count);
	for (size_t i = 0; i < count; i++)
		print_message("%u:%u: %s\n", errors[i].line, errors[i].column, errors[i].text);
	assert_non_null(c);
	p = policy_compile(c, NULL, 0, 1, error);
	assert_non_null(p);
	policy_free(p);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_follow_the_file),
		cmocka_unit_test(addresses_have_owners),
		cmocka_unit_test(a_host_may_be_a_multicast_group),
		cmocka_unit_test(ports_are_found_by_name),
		cmocka_unit_test(strangers_take_the_wards_broadcasts),
		cmocka_unit_test(too_many_rules_are_refused),
		cmocka_unit_test(a_damaged_block_is_refused),
		cmocka_unit_test(indexes_lead_somewhere),
		cmocka_unit_test(shipped_profiles_compile),
		cmocka_unit_test(the_guides_example_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
