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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_follow_the_file),
		cmocka_unit_test(shipped_profiles_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
