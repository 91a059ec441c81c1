/* What rules counted, as people see it: whose each number is, and who a rule's other end is. */
#include "site.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf/shared.h"
#include "role/counters.h"

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, mode: enforce}\n"
	"hosts:\n"
	"  - {name: central-1, ip: [10.1.0.5], role: [central]}\n"
	"  - {name: central-2, ip: [10.1.0.6], role: [central], mac: '02:00:00:00:00:06'}\n"
	"devices:\n"
	"  - name: monitor-12\n"
	"    segment: icu\n"
	"    mac: '00:09:fb:01:02:03'\n"
	"    ip: [10.1.1.12]\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: ['24105'], peer: central, action: inspect}\n"
	"      - {service: web, proto: tcp, port: ['8000-8010'], peer: central-2, action: pass}\n"
	"    accepts:\n"
	"      - {service: ping, proto: icmp, port: ['8'], peer: any, action: pass}\n"
	"  - {name: pump-1, segment: icu, mac: '00:09:fb:01:02:04', ip: [10.1.1.13]}\n";

static void take(void *arg, struct bytes row)
{
	json_t *one = json_loadb((const char *)row.data, row.len, 0, NULL);

	assert_non_null(one);
	json_array_append_new(arg, one);
}

static const json_t *row_of(const json_t *rows, const char *service)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		if (strcmp(json_string_value(json_object_get(row, "service")), service) == 0)
			return row;
	fail();
	return NULL;
}

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static void each_number_is_of_its_rule(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	uint32_t count;
	struct gate_count *counts;
	json_t *rows = json_array();
	const json_t *row;

	policy_rules(p, &count);
	assert_true(count >= 3);
	counts = calloc(count, sizeof(*counts));
	assert_non_null(counts);
	for (uint32_t i = 0; i < count; i++)
		counts[i] = (struct gate_count){100 + i, 1ull << 40 | i};
	assert_int_equal(counters_rows(p, counts, "monitor-12", take, rows), 0);
	assert_int_equal(json_array_size(rows), 3);
	row = row_of(rows, "vitals");
	assert_string_equal(text(row, "device"), "monitor-12");
	assert_string_equal(text(row, "segment"), "icu");
	assert_string_equal(text(row, "direction"), "starts");
	assert_string_equal(text(row, "proto"), "UDP");
	assert_string_equal(text(row, "port"), "24105");
	assert_non_null(strstr(text(row, "peer"), "central-1"));
	assert_non_null(strstr(text(row, "peer"), "central-2"));
	assert_string_equal(text(row, "action"), "inspect");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *one = json_array_get(rows, i);
		json_int_t rule = json_integer_value(json_object_get(one, "rule"));

		assert_string_equal(text(one, "service"), policy_rule_service(p, (uint32_t)rule));
		assert_int_equal(json_integer_value(json_object_get(one, "packets")), 100 + rule);
		assert_true(json_integer_value(json_object_get(one, "bytes")) ==
			    (json_int_t)(1ull << 40 | (uint64_t)rule));
	}
	row = row_of(rows, "web");
	assert_string_equal(text(row, "peer"), "central-2");
	assert_string_equal(text(row, "port"), "8000-8010");
	assert_string_equal(text(row, "action"), "pass");
	row = row_of(rows, "ping");
	assert_string_equal(text(row, "direction"), "accepts");
	assert_string_equal(text(row, "peer"), "any");
	json_decref(rows);
	free(counts);
	policy_free(p);
}

static void a_device_that_is_none_is_said(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	uint32_t count;
	struct gate_count *counts;
	json_t *rows = json_array();

	policy_rules(p, &count);
	counts = calloc(count, sizeof(*counts));
	assert_int_equal(counters_rows(p, counts, "monitor-13", take, rows), -ENOENT);
	assert_int_equal(json_array_size(rows), 0);
	assert_int_equal(counters_rows(p, counts, "", take, rows), 0);
	assert_true(json_array_size(rows) >= 3);
	json_decref(rows);
	free(counts);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_of_its_rule),
		cmocka_unit_test(a_device_that_is_none_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
