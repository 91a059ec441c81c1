#include "unit.h"

#include <stdio.h>

#include "cli/explain_internal.h"
#include "guard/proto/proto.h"
#include "guard/policy/message.h"

#define SITE(lines)                                                                     \
	"segments: [{name: icu, ward: w, hospital: h}]\n"                               \
	"hosts: [{name: lab-1, ip: [10.1.0.9], role: [lab]}]\n"                         \
	"devices: [{name: d, segment: icu, mac: '02:00:00:00:00:07', ip: [10.1.1.7],\n" \
	"  starts: [{service: s, proto: tcp, port: [2575], peer: lab" lines "}]}]\n"

static struct policy *compile(const char *text, struct config **ret_config)
{
	struct config_error errors[4];
	size_t count = 0;
	char error[256];
	struct policy *p;

	*ret_config = config_parse("site.yaml", (struct bytes){(const uint8_t *)text, strlen(text)},
				   errors, 4, &count);
	assert_non_null(*ret_config);
	p = policy_compile(*ret_config, NULL, 0, 1, error);
	assert_non_null(p);
	return p;
}

/* What is said of the one line, and as JSON. */
static void expect(const char *text, const char *words, const char *json)
{
	struct config *c;
	struct policy *p = compile(text, &c);
	char *got = NULL, *told;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);
	json_t *root = explain_json(c, p), *rule;

	explain_text(out, c, p);
	fclose(out);
	if (words && !strstr(got, words))
		print_message("expected:\n%sin:\n%s", words, got);
	assert_true(words ? strstr(got, words) != NULL : strstr(got, "spoken") == NULL);
	rule = json_array_get(
		json_object_get(json_array_get(json_object_get(root, "devices"), 0), "rules"), 0);
	told = json_dumps(json_object_get(rule, "messages"), JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(told, json);
	free(told);
	free(got);
	json_decref(root);
	policy_free(p);
	config_free(c);
}

static void messages_are_told_in_words(void **state)
{
	expect(SITE(""), NULL, "null");
	expect(SITE(", app: hl7"),
	       "      only hl7 is spoken there; what changes a device may pass\n",
	       "{\"app\":\"hl7\",\"control\":true,\"allow\":{}}");
	expect(SITE(", app: hl7, control: no"),
	       "      only hl7 is spoken there; nothing that changes a device\n",
	       "{\"app\":\"hl7\",\"control\":false,\"allow\":{}}");
	expect(SITE(", app: hl7, control: no,\n"
		    "    allow: ['message_type=ORU^R01', version=2.5, 'message_type=ACK']"),
	       "      only hl7 is spoken there; messages: type ORU^R01 (results and measurements) "
	       "or "
	       "ACK (acknowledgements), and version of HL7 2.5; nothing that changes a device\n",
	       "{\"app\":\"hl7\",\"control\":false,\"allow\":{\"message_type\":[\"ORU^R01\","
	       "\"ACK\"],\"version\":[\"2.5\"]}}");
}

/* One of each kind that a nurse manager has to judge; what is empty, or anything, says so. */
static void every_kind_is_told_in_words(void **state)
{
	static const struct {
		const char *line, *words;
	} kinds[] = {
		{", app: dicom, allow: [calling_ae=CT1, 'command=C-STORE-*', 'sop_class=*']",
		 "messages: from the AE title CT1, and operation C-STORE-* (sends images), and of "
		 "the "
		 "kind any; what changes a device may pass\n"},
		{", app: mqtt, allow: ['publish.to_broker=ward/*', 'subscribe.topics=pump/3/+']",
		 "messages: sent to the broker on the topic ward/*, and asked from the broker: the "
		 "topic pump/3/+; what changes a device may pass\n"},
		{", app: snmp, allow: [version=3, security_level=authPriv]",
		 "messages: version of SNMP 3, and protected by authPriv (a password and "
		 "encryption); what changes a device may pass\n"},
		{", app: tls, allow: ['version=TLS 1.3', 'sni=*.clinic.example', 'sni=']",
		 "messages: version of the encryption TLS 1.3 (good), and the server is called "
		 "*.clinic.example or (none given)\n"},
		/* Nobody reads what is sealed: no promise. */
		{", app: tls, control: no",
		 "only tls is spoken there; what changes a device is NOT told apart there\n"},
		{", app: hl7, allow: ['message_type=ORU^R40*', 'message_type=ZZZ']",
		 "messages: type ORU^R40* (alarms of a device) or ZZZ; what changes"},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char site[1024], *got = NULL;
		struct config *c;
		struct policy *p;
		size_t len = 0;
		FILE *out;

		snprintf(site, sizeof(site), SITE("%s"), kinds[i].line);
		p = compile(site, &c);
		out = open_memstream(&got, &len);
		explain_text(out, c, p);
		fclose(out);
		if (!strstr(got, kinds[i].words))
			print_message("expected:\n%sin:\n%s", kinds[i].words, got);
		assert_non_null(strstr(got, kinds[i].words));
		free(got);
		policy_free(p);
		config_free(c);
	}
}

static void services_are_told_in_words(void **state)
{
	static const char site[] =
		"segments: [{name: icu, ward: w, hospital: h}]\n"
		"devices: [{name: d, segment: icu, mac: '02:00:00:00:00:07', ip: [10.1.1.7],\n"
		"  accepts: [{service: setup, proto: tcp, port: [20-30], peer: any}],\n"
		"  services: [{name: telnet, ask: [vendor], minutes: 9, record: yes},\n"
		"             {name: x, port: [5000-5010], proto: udp, alone: [administrator],\n"
		"              break_glass: no}]}]\n";
	struct config *c;
	struct policy *p = compile(site, &c);
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	explain_text(out, c, p);
	fclose(out);
	assert_non_null(strstr(got,
			       "  for one person at a time: telnet (tcp/23), at most 9 minutes, "
			       "if asked for by: vendor\n"
			       "      a second person has to allow it; opens at once in an "
			       "emergency; every packet is kept\n"));
	assert_non_null(strstr(got,
			       "x (udp/5000-5010), at most 60 minutes, if asked for by: "
			       "clinical engineer, administrator\n"
			       "      nobody's leave is needed by: administrator; no emergency "
			       "opens it\n"));
	assert_non_null(strstr(got, "warning: device 'd': the service 'telnet' is open to some "
				    "without being asked for, by the line 'setup' of accepts\n"));
	assert_non_null(strstr(got, "which needs evidence: on\n"));
	assert_null(strstr(got, "the service 'x' is open"));
	free(got);
	policy_free(p);
	config_free(c);
}

/* How many warnings name the role dhcp where the address server is written as `host`, a device as
 * `ip`. */
static unsigned dhcp_warnings(const char *host, const char *ip)
{
	struct config *c;
	struct policy *p;
	json_t *root, *list, *one;
	unsigned found = 0;
	size_t i;
	char site[512];

	snprintf(site, sizeof(site),
		 "segments: [{name: icu, ward: w, hospital: h}]\n"
		 "hosts: [{name: addresses, %s}]\n"
		 "devices: [{name: d, segment: icu, mac: '02:00:00:00:00:07', ip: [%s]}]\n",
		 host, ip);
	p = compile(site, &c);
	root = explain_json(c, p);
	list = json_object_get(root, "warnings");
	json_array_foreach (list, i, one) {
		const char *text = json_string_value(one);

		if (!strstr(text, "role dhcp"))
			continue;
		assert_non_null(strstr(text, "host 'addresses'"));
		assert_non_null(strstr(text, "give it 'mac'"));
		found++;
	}
	json_decref(root);
	policy_free(p);
	config_free(c);
	return found;
}

static void a_dhcpv6_server_that_nobody_could_know_is_warned_of(void **state)
{
	assert_int_equal(dhcp_warnings("ip: [10.1.0.2, 'fd00::2'], role: [dhcp]", "10.1.1.7"), 1);
	assert_int_equal(dhcp_warnings("ip: [10.1.0.2], role: [time, dhcp]", "'fd00::7'"), 1);
	assert_int_equal(dhcp_warnings("ip: [10.1.0.2], role: [dhcp]", "10.1.1.7"), 0);
	assert_int_equal(dhcp_warnings("ip: ['fd00::2'], role: [time]", "'fd00::7'"), 0);
	assert_int_equal(dhcp_warnings("ip: ['fd00::2'], mac: '02:00:00:00:00:09', role: [dhcp]",
				       "'fd00::7'"),
			 0);
	assert_int_equal(dhcp_warnings("ip: ['fd00::2', 'fe80::2'], role: [dhcp]", "'fd00::7'"), 0);
	/* The whole internet is no link-local address. */
	assert_int_equal(dhcp_warnings("ip: ['::/0'], role: [dhcp]", "'fd00::7'"), 1);
}

/* Who has to judge a rule need not know what a member is called. */
static void every_member_has_words(void **state)
{
	for (unsigned i = 0; i < proto_count; i++)
		for (const struct proto_field *f = protos[i]->fields; *f->name; f++)
			if (f->flags & FIELD_MATCH &&
			    !explain_member(protos[i]->name, f->name, f->len))
				fail_msg("%s: no words for %s", protos[i]->name, f->name);
}

/* A line behind one that fits the same decides nothing there, and does not look as if it did. */
static void what_is_decided_above_is_said(void **state)
{
	static const char site[] =
		"segments: [{name: s, ward: a, hospital: b}]\n"
		"hosts: [{name: lab, ip: [10.1.0.7]}, {name: pacs, ip: [10.1.0.8]}]\n"
		"devices:\n"
		"  - name: d\n"
		"    segment: s\n"
		"    mac: '02:00:00:00:00:01'\n"
		"    starts:\n"
		"      - {service: one, proto: tcp, port: [2575], peer: lab, app: hl7}\n"
		"      - {service: two, proto: tcp, port: [2570-2580], peer: any}\n"
		"      - {service: three, proto: udp, port: [2575], peer: lab}\n"
		"      - {service: four, proto: tcp, port: [2581], peer: pacs}\n"
		"      - {service: five, proto: tcp, port: [2575], peer: pacs}\n";
	struct config *c;
	struct policy *p = compile(site, &c);
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	explain_text(out, c, p);
	fclose(out);
	assert_non_null(strstr(got, "one: lab (tcp 2575)\n"));
	assert_non_null(strstr(got, "two: anyone (tcp 2570-2580), where no line above fits\n"));
	assert_non_null(strstr(got, "three: lab (udp 2575)\n"));
	assert_non_null(strstr(got, "four: pacs (tcp 2581)\n"));
	assert_non_null(strstr(got, "five: pacs (tcp 2575), where no line above fits\n"));
	free(got);
	policy_free(p);
	config_free(c);
}

/* Whether one of the warnings about `text` has `words` in it; NULL: whether there is any of a line. */
static bool warns(const char *text, const char *words)
{
	struct config *c;
	struct policy *p = compile(text, &c);
	json_t *root = explain_json(c, p), *list = json_object_get(root, "warnings"), *it;
	bool found = false;
	size_t i;

	json_array_foreach (list, i, it)
		found |= strstr(json_string_value(it), words ? words : "the line '") != NULL;
	json_decref(root);
	policy_free(p);
	config_free(c);
	return found;
}

#define SAYS(app, allow) SITE(", app: " app ", control: no, allow: ['" allow "']")

static void what_a_line_names_and_refuses_is_said(void **state)
{
	static const char *const each[] = {
		SAYS("hl7", "message_type=RGV^O15"),
		SAYS("hl7", "message_type=TCU"),
		SAYS("dicom", "command=C-MOVE-RQ"),
		SAYS("snmp", "pdu_type=set_request"),
		SAYS("modbus", "function_code=WrMultRegs"),
		SAYS("coap", "code_name=iPATCH"),
		SAYS("http", "http_method=DELETE"),
		SAYS("ftp", "command=STOR"),
		SAYS("tftp", "packet=write"),
		SAYS("intellivue", "message=set"),
		SAYS("bacnet", "service=writeProperty"),
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		if (!warns(each[i], "and refuses it"))
			fail_msg("not said of: %s", each[i]);
	assert_false(warns(SITE(", app: hl7, allow: ['message_type=RGV^O15']"), NULL));
	assert_false(warns(SAYS("hl7", "message_type=ORU^R01"), NULL));
	assert_false(warns(SAYS("hl7", "message_type=R*"), NULL));
	assert_false(warns(SAYS("http", "http_method=GET"), NULL));
}

static void a_type_that_nobody_sends_is_said(void **state)
{
	assert_true(warns(SAYS("hl7", "message_type=ORC^R01"), "ORC^R01: HL7 has no message"));
	assert_true(warns(SAYS("hl7", "message_type=OUR"), "HL7 has no message"));
	assert_false(warns(SAYS("hl7", "message_type=ZPT^Z01"), NULL));
	assert_false(warns(SAYS("hl7", "message_type=OR?^R01"), NULL));
	assert_false(warns(SAYS("hl7", "message_type=VXX"), NULL));
}

static void a_line_that_is_never_reached_is_said(void **state)
{
	assert_true(warns(SITE("}, {service: t, proto: tcp, port: [2575], peer: lab, app: hl7"),
			  "the line 't' of d is never reached: 's' above it"));
	assert_false(warns(SITE("}, {service: t, proto: udp, port: [2575], peer: lab"), NULL));
	assert_false(warns(SITE("}, {service: t, proto: tcp, port: [2575, 80], peer: lab"), NULL));
	assert_false(warns(SITE("}, {service: t, proto: tcp, peer: lab"), NULL));
	assert_false(warns(SITE("}, {service: t, proto: tcp, port: [2575], peer: any"), NULL));
	assert_true(warns(SITE("}, {service: t, proto: tcp, port: [10-20], peer: any},"
			       " {service: u, proto: tcp, port: [12, 14-20], peer: lab"),
			  "'u' of d is never reached: 't'"));
}

#define AT(net, ip)                                                       \
	"segments: [{name: icu, ward: w, hospital: h, net: [" net "]}]\n" \
	"devices: [{name: d, segment: icu, mac: '02:00:00:00:00:07', ip: [" ip "]}]\n"

static void an_address_of_another_network_is_said(void **state)
{
	assert_true(warns(AT("10.1.0.0/23", "10.1.2.7"), "'d' has the address 10.1.2.7"));
	assert_true(warns(AT("10.1.0.0/24, 'fd00:1::/64'", "10.1.0.7, 'fd00:2::7'"), "fd00:2::7"));
	assert_false(warns(AT("10.1.0.0/23", "10.1.1.7"), "has the address"));
	assert_false(warns(AT("10.1.0.0/24", "'fd00::7'"), "has the address"));
	assert_false(warns(AT("'fd00::/64'", "'fe80::7'"), "has the address"));
	assert_false(warns(SITE(""), "has the address"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_told_in_words),
		cmocka_unit_test(every_kind_is_told_in_words),
		cmocka_unit_test(every_member_has_words),
		cmocka_unit_test(what_is_decided_above_is_said),
		cmocka_unit_test(what_a_line_names_and_refuses_is_said),
		cmocka_unit_test(a_type_that_nobody_sends_is_said),
		cmocka_unit_test(a_line_that_is_never_reached_is_said),
		cmocka_unit_test(an_address_of_another_network_is_said),
		cmocka_unit_test(services_are_told_in_words),
		cmocka_unit_test(a_dhcpv6_server_that_nobody_could_know_is_warned_of),
	};

	config_check_words(message_is_wrong);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
