/* Virtual patches: what a policy may say of them, what is compiled, what is decided, and how their lines
 * get into a policy that people wrote. What is lived with, until when. And the report. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"

#include "cli/shield_edit.h"
#include "guard/policy/shield.h"
#include "update/advisory/accept.h"
#include "update/advisory/hint.h"
#include "update/report/compliance.h"

#define SITE                                                                               \
	"segments:\n  - {name: w, ward: eth1, hospital: eth0}\n"                           \
	"hosts:\n  - {name: desk, ip: [10.0.0.5], role: [maintenance]}\n"                  \
	"devices:\n  - {name: a, segment: w, mac: \"02:00:00:00:00:01\", ip: [10.0.1.1], " \
	"accepts: "                                                                        \
	"[{service: s, proto: tcp, port: [80], peer: maintenance, action: pass}]}\n"       \
	"  # kept\n"                                                                       \
	"  - {name: b, segment: w, mac: \"02:00:00:00:00:02\", ip: [10.0.1.2], accepts: "  \
	"[{service: s, proto: tcp, port: [80], peer: maintenance, action: pass}]}\n"

static struct config *config_of(const char *text, struct config_error *ret_e)
{
	size_t count = 0;

	*ret_e = (struct config_error){.line = 0};
	return config_parse("p.yaml", (struct bytes){(const uint8_t *)text, strlen(text)}, ret_e, 1,
			    &count);
}

static struct config *good(const char *text)
{
	struct config_error e;
	struct config *c = config_of(text, &e);

	if (!c)
		fail_msg("%u:%u: %s\n%s", e.line, e.column, e.text, text);
	return c;
}

static void a_shield_that_cannot_be_is_named(void **state)
{
	static const struct {
		const char *shield, *want;
	} cases[] = {
		{"{advisory: A, device: [c]}", "no device is called 'c'"},
		{"{advisory: A, device: [a], peer: nobody}", "nobody is called 'nobody'"},
		{"{advisory: A, device: [a], peer: broadcast}", "kept from one"},
		{"{advisory: A, device: [a], port: [80]}", "has no ports"},
		{"{advisory: A, device: [a], mode: observe}", "mode"},
		{"{advisory: A, device: [a], deny: [\"command=X\"]}", "expected app"},
		{"{advisory: A, device: [a], control: no}", "expected app"},
		{"{device: [a]}", "advisory"},
		{"{advisory: A}", "device"},
	};
	char text[2048];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config_error e;

		snprintf(text, sizeof(text), SITE "shields:\n  - %s\n", cases[i].shield);
		assert_null(config_of(text, &e));
		if (!strstr(e.text, cases[i].want))
			fail_msg("%s: %s", cases[i].shield, e.text);
	}
}

static struct policy *compile(const char *shields)
{
	char text[4096], why[256];
	struct config *c;
	struct policy *p;

	snprintf(text, sizeof(text), SITE "shields:\n%s", shields);
	c = good(text);
	p = policy_compile(c, NULL, 0, 1, why);
	assert_non_null(p);
	config_free(c);
	return p;
}

static void what_the_kernel_can_hold_it_holds(void **state)
{
	struct policy *p = compile(
		"  - {advisory: A-1, device: [a], mode: enforce, direction: accepts, proto: tcp, "
		"port: "
		"[80]}\n  - {advisory: A-2, device: [a, b], proto: tcp, port: [80], peer: desk}\n");
	uint32_t rules, shields, devices;
	const struct gate_rule *r = policy_rules(p, &rules);
	const struct policy_shield *s = policy_shields(p, &shields);
	const struct gate_device *d = policy_devices(p, &devices);
	struct bytes b = policy_bytes(p);
	uint8_t *copy = aligned_alloc(8, (b.len + 7) & ~(size_t)7);

	assert_int_equal(shields, 5); /* A-1 once; A-2 both ways at both */
	assert_int_equal(r[d[1].rule_first].action, GATE_DROP);
	assert_string_equal(policy_rule_service(p, d[1].rule_first), "A-1");
	assert_int_equal(s[0].rule, d[1].rule_first);
	assert_int_equal(s[0].flags, POLICY_SHIELD_ENFORCE);
	assert_int_equal(s[1].rule, ~0u);
	/* A shield that must see what is said has nothing pass unread. */
	assert_int_equal(r[d[1].rule_first + 1].action, GATE_INSPECT);
	assert_int_equal(r[d[2].rule_first].action, GATE_INSPECT);
	/* A block whose shields lie does not open. */
	memcpy(copy, b.data, b.len);
	assert_non_null(policy_open((struct bytes){copy, b.len}));
	for (size_t i = 0; i < sizeof(*s); i++) {
		size_t at = (size_t)((const uint8_t *)s - b.data) + i;

		copy[at] ^= 0xff;
		(void)policy_open((struct bytes){copy, b.len});
		copy[at] ^= 0xff;
	}
	((struct policy_shield *)(copy + ((const uint8_t *)s - b.data)))->rule = rules;
	assert_null(policy_open((struct bytes){copy, b.len}));
	free(copy);
	policy_free(p);
}

static void the_stricter_word_counts(void **state)
{
	struct policy *p = compile(
		"  - {advisory: A-1, device: [a], direction: accepts, proto: tcp, port: "
		"[\"80-90\"], peer: "
		"maintenance}\n  - {advisory: A-2, device: [b], mode: enforce, direction: starts, "
		"proto: udp, peer: a}\n");
	struct shields *s = shields_new(p);
	struct shield_talk t = {.device = 1, .peer = 0, .port = 85, .proto = 6, .towards = true};

	assert_non_null(s);
	assert_false(shields_are_none(s));
	assert_int_equal(shield_conversation(s, &t), SHIELD_WOULD_DROP);
	t.port = 91;
	assert_int_equal(shield_conversation(s, &t), SHIELD_PASS);
	t.port = 85;
	t.towards = false;
	assert_int_equal(shield_conversation(s, &t), SHIELD_PASS);
	t.towards = true;
	t.peer = GATE_PEER_NONE; /* holds no role */
	assert_int_equal(shield_conversation(s, &t), SHIELD_PASS);
	/* Device to device: b begins towards a, which a's own shields say nothing of. */
	t = (struct shield_talk){
		.device = 1, .peer = GATE_PEER_DEVICE | 2, .proto = 17, .towards = true};
	assert_int_equal(shield_conversation(s, &t), SHIELD_DROP);
	t.device = 77;
	t.peer = GATE_PEER_NONE;
	assert_int_equal(shield_conversation(s, &t), SHIELD_PASS);
	shields_free(s);
	policy_free(p);
}

/* --- editing ----------------------------------------------------------------------- */

static struct config_shield shield_of(char **devices, unsigned count)
{
	return (struct config_shield){.advisory = (char *)"A-\"9\"",
				      .device = devices,
				      .device_count = count,
				      .direction = CONFIG_ACCEPTS,
				      .proto = (char *)"tcp",
				      .peer = (char *)"any",
				      .control = true};
}

static char *edit(int (*fn)(const char *, const struct config *, const struct config_shield *,
			    char **, char *),
		  const char *text, const struct config_shield *s)
{
	struct config *c = good(text);
	char why[SHIELD_WHY] = "", *out = NULL;

	if (fn(text, c, s, &out, why) < 0)
		fail_msg("%s", why);
	config_free(c);
	config_free(good(out));
	return out;
}

static int enforce(const char *text, const struct config *c, const struct config_shield *s,
		   char **out, char *why)
{
	return shield_edit_mode(text, c, s, true, out, why);
}

static void editing_leaves_what_people_wrote(void **state)
{
	char *devices[] = {(char *)"a", (char *)"b"}, why[SHIELD_WHY], *one = NULL, *two = NULL,
	     *now;
	struct config_shield s = shield_of(devices, 1), t = shield_of(devices + 1, 1);
	struct config *c;

	assert_int_equal(shield_edit_add(SITE, &s, &one, why), 0);
	assert_non_null(strstr(one, "# kept"));
	assert_memory_equal(one, SITE, strlen(SITE));
	assert_int_equal(shield_edit_add(one, &t, &two, why), 0);
	c = good(two);
	assert_int_equal(c->shields_count, 2);
	assert_string_equal(c->shields[0].device[0], "b");
	assert_string_equal(c->shields[1].advisory, "A-\"9\"");
	assert_false(c->shields[1].enforce);
	config_free(c);
	now = edit(enforce, two, &s); /* of device a alone */
	c = good(now);
	assert_false(c->shields[0].enforce);
	assert_true(c->shields[1].enforce);
	config_free(c);
	free(two);
	two = edit(shield_edit_remove, now, &t);
	free(now);
	now = edit(shield_edit_remove, two, &s);
	assert_null(strstr(now, "shields"));
	assert_memory_equal(now, SITE, strlen(SITE));
	free(one);
	free(two);
	free(now);
}

static void editing_takes_other_hands(void **state)
{
	static const char block[] =
		SITE "shields:\n    # why\n    - advisory: \"A-\\\"9\\\"\"\n      device: [a]\n"
		     "      proto: tcp # note\n";
	static const char flow[] = SITE "shields: [{advisory: 'A-\"9\"', device: [a]}]\n";
	char *devices[] = {(char *)"a"}, why[SHIELD_WHY], *out = NULL;
	struct config_shield s = shield_of(devices, 1);
	struct config *c = good(block), *d;

	out = edit(enforce, block, &s);
	assert_non_null(strstr(out, "# note"));
	d = good(out);
	assert_true(d->shields[0].enforce);
	config_free(d);
	free(out);
	assert_int_equal(shield_edit_remove(block, c, &s, &out, why), -EINVAL);
	assert_non_null(strstr(why, "by hand"));
	config_free(c);
	assert_int_equal(shield_edit_add(flow, &s, &out, why), -EINVAL);
	out = edit(enforce, flow, &s);
	free(out);
	s.advisory = (char *)"B";
	c = good(flow);
	assert_int_equal(shield_edit_mode(flow, c, &s, true, &out, why), -ENOENT);
	config_free(c);
}

/* --- accepting ------------------------------------------------------------------------ */

static void what_is_accepted_ends(void **state)
{
	const int64_t now = 1795677636; /* 26 November 2026 */
	struct accept a = {.device = "p", .advisory = "A", .reason = "r", .who = "anna"}, got;
	char folder[] = "/tmp/accept-XXXXXX", path[64];
	json_t *list = NULL;
	static const char *const bad[] = {"2026-11-25", "2029-01-01", "2027-02-30", "2027-2-3",
					  "tomorrow",	"",	      "2027-01-011"};

	assert_non_null(mkdtemp(folder));
	assert_int_equal(accept_load(folder, &list), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		a.until = bad[i];
		assert_int_equal(accept_add(list, &a, now), -EINVAL);
	}
	a.until = "2026-11-30";
	a.reason = "";
	assert_int_equal(accept_add(list, &a, now), -ENAMETOOLONG);
	a.reason = "r";
	assert_int_equal(accept_add(list, &a, now), 0);
	a.reason = "better";
	assert_int_equal(accept_add(list, &a, now), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(accept_save(folder, list), 0);
	json_decref(list);
	assert_int_equal(accept_load(folder, &list), 0);
	assert_true(accept_find(list, "p", "A", now, &got));
	assert_string_equal(got.reason, "better");
	assert_string_equal(got.who, "anna");
	assert_true(accept_find(list, "p", "A", got.until_s - 1, &got));
	assert_false(accept_find(list, "p", "A", got.until_s, &got));
	assert_false(accept_find(list, "q", "A", now, &got));
	assert_int_equal(accept_remove(list, "p", "A"), 0);
	assert_int_equal(accept_remove(list, "p", "A"), -ENOENT);
	json_decref(list);
	snprintf(path, sizeof(path), "%s/" ACCEPT_FILE, folder);
	assert_int_equal(truncate(path, 7), 0);
	assert_int_equal(accept_load(folder, &list), -EBADMSG);
	unlink(path);
	rmdir(folder);
}

static void ports_are_those_that_the_words_name(void **state)
{
	struct csaf_remedy r = {.details = "Block UDP port 69, 80/tcp and ports 5000-5010."};
	struct csaf_vulnerability v = {.summary = "First. Reached over Port 80/TCP or TCP port "
						  "443; 70000/TCP is none, CVE-2020-22/x.",
				       .remedies = &r,
				       .remedy_count = 1};
	struct csaf c = {.vulnerabilities = &v, .vulnerability_count = 1};
	struct hints h;

	hints_of(&c, &h);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.ports[0].port, 80);
	assert_int_equal(h.ports[1].port, 443);
	assert_int_equal(h.ports[2].port, 69);
	assert_true(h.ports[2].udp);
	assert_int_equal(strncmp(h.sentence, "Reached over Port 80", 20), 0);
}

/* --- the report ------------------------------------------------------------------------- */

static void nobody_answered_is_not_measured(void **state)
{
	struct compliance_facts x = {.days = 30, .now_s = 1795677636};
	json_t *about = json_pack("{s:s, s:s, s:s, s:i}", "gateway", "<b>&\"x\x01", "made", "t",
				  "version", "1", "days", 30);
	static const char *const names[] = {"hipaa", "csf"};

	assert_null(compliance_find("pci"));
	for (int i = 0; i < 2; i++) {
		json_t *r = compliance_report(compliance_find(names[i]), &x, about);
		const json_t *sum = json_object_get(r, "summary");
		char *page = NULL;
		size_t len;
		FILE *out = open_memstream(&page, &len);

		assert_int_equal(json_integer_value(json_object_get(sum, "met")), 0);
		assert_int_equal(json_integer_value(json_object_get(sum, "partly")), 0);
		assert_true(json_integer_value(json_object_get(sum, "not_measured")) > 5);
		assert_true(json_integer_value(json_object_get(sum, "organisation")) > 3);
		assert_true(compliance_page(out, r));
		fclose(out);
		assert_non_null(strstr(page, "&lt;b&gt;&amp;&quot;x "));
		assert_null(strstr(page, "<b>&"));
		assert_null(strstr(page, "<script"));
		assert_null(strstr(page, "http://"));
		free(page);
		json_decref(r);
	}
	json_decref(about);
}

static const json_t *row_of(const json_t *report, const char *section, bool proposed)
{
	const json_t *p, *r;
	size_t i, j;

	json_array_foreach (json_object_get(report, "parts"), i, p)
		json_array_foreach (json_object_get(p, "requirements"), j, r)
			if (strcmp(json_string_value(json_object_get(r, "section")), section) ==
				    0 &&
			    json_is_true(json_object_get(r, "proposed")) == proposed)
				return r;
	fail_msg("%s", section);
	return NULL;
}

static void a_broken_trail_and_an_old_weakness_are_missing(void **state)
{
	struct config *c = good(SITE);
	json_t *audit = json_pack("{s:s, s:i, s:s, s:b}", "state", "changed", "count", 5, "text",
				  "entry 3", "key_known", 1);
	json_t *matches =
		json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "device", "a", "advisory", "A-1", "do",
			  "update", "severity", "critical", "released", "2026-11-01T00:00:00Z");
	json_t *about = json_object();
	struct compliance_facts x = {.config = c,
				     .audit = audit,
				     .matches = matches,
				     .advisories = 3,
				     .days = 30,
				     .now_s = 1795677636};
	json_t *r = compliance_report(&compliance_hipaa, &x, about);
	char *text = json_dumps(row_of(r, "164.308(a)(4)", true), 0);

	assert_non_null(strstr(text, "25 days ago: A-1 at a"));
	assert_non_null(strstr(text, "1 open ones are older than 15 days"));
	free(text);
	text = json_dumps(row_of(r, "164.312(b)", false), 0);
	assert_non_null(strstr(text, "the audit trail is changed: entry 3"));
	free(text);
	assert_string_equal(
		json_string_value(json_object_get(row_of(r, "164.308(a)(2)", false), "state")),
		"organisation");
	json_decref(r);
	json_decref(about);
	json_decref(matches);
	json_decref(audit);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shield_that_cannot_be_is_named),
		cmocka_unit_test(what_the_kernel_can_hold_it_holds),
		cmocka_unit_test(the_stricter_word_counts),
		cmocka_unit_test(editing_leaves_what_people_wrote),
		cmocka_unit_test(editing_takes_other_hands),
		cmocka_unit_test(what_is_accepted_ends),
		cmocka_unit_test(ports_are_those_that_the_words_name),
		cmocka_unit_test(nobody_answered_is_not_measured),
		cmocka_unit_test(a_broken_trail_and_an_old_weakness_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
