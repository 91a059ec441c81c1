#include "site.h"

#include <jansson.h>

#include "keep/store.h"
#include "role/census.h"
#include "role/setup.h"

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, mode: enforce}\n"
	"devices:\n"
	"  - {name: monitor-12, segment: icu, mac: '00:09:fb:01:02:03', ip: [10.1.1.12], fail: "
	"open}\n"
	"  - {name: pump-1, segment: icu, mac: '00:09:fb:01:02:04', ip: [10.1.1.13], mode: observe,"
	" fail: closed}\n";

static const char *const seen[] = {
	"{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":\"inventory\","
	"\"device\":\"pump-1\",\"inventory\":{\"mac\":\"00:09:FB:01:02:04\",\"vendor\":\"Acme\","
	"\"dhcp_class\":\"Acme 9\","
	"\"ips\":[\"10.1.1.13\"],\"peers\":[\"central-1\"],"
	"\"peer_names\":[\"files.example\"]}}",
	"{\"timestamp\":\"2026-01-01T00:01:00.0+0000\",\"event_type\":\"binding\","
	"\"reason\":\"binding.new_device\",\"inventory\":{\"mac\":\"02:00:00:00:00:09\","
	"\"name\":\"laptop\",\"profile\":\"workstation\",\"profile_reasons\":[\"says so\"]}}",
};

static void take(void *arg, struct bytes row)
{
	json_t *one = json_loadb((const char *)row.data, row.len, 0, NULL);

	assert_non_null(one);
	json_array_append_new(arg, one);
}

static json_t *patients; /* NULL: none are known */

static json_t *rows_of(const struct policy *p, struct store *s, const char *device)
{
	json_t *rows = json_array();

	assert_int_equal(census_rows(p, s ? store_db(s) : NULL, patients, device, take, rows), 0);
	return rows;
}

static const char *text(const json_t *rows, size_t i, const char *key)
{
	const char *s = json_string_value(json_object_get(json_array_get(rows, i), key));

	return s ? s : "(none)";
}

static struct store *make_store(void)
{
	struct store *s = store_new(":memory:", 100);

	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++)
		assert_int_equal(
			store_put(s, (struct bytes){(const uint8_t *)seen[i], strlen(seen[i])}), 0);
	assert_int_equal(store_commit(s), 0);
	return s;
}

static void registered_and_seen_are_one_list(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	struct store *s = make_store();
	json_t *rows = rows_of(p, s, "");

	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(text(rows, 0, "name"), "monitor-12");
	assert_string_equal(text(rows, 0, "mode"), "enforce");
	assert_string_equal(text(rows, 0, "fail"), "open");
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(json_array_get(rows, 0), "addresses"), 0)),
			    "10.1.1.12");
	assert_true(json_is_false(json_object_get(json_array_get(rows, 0), "seen")));
	assert_string_equal(text(rows, 1, "name"), "pump-1");
	assert_string_equal(text(rows, 1, "mode"), "observe");
	assert_string_equal(text(rows, 1, "fail"), "closed");
	assert_string_equal(text(rows, 1, "vendor"), "Acme");
	assert_string_equal(text(rows, 1, "dhcp_class"), "Acme 9");
	assert_int_equal(json_array_size(json_object_get(json_array_get(rows, 1), "peers")), 2);
	assert_string_equal(text(rows, 1, "last"), "2026-01-01T00:00:00.000000+0000");
	assert_string_equal(text(rows, 2, "name"), "");
	assert_string_equal(text(rows, 2, "mac"), "02:00:00:00:00:09");
	assert_string_equal(text(rows, 2, "likely_profile"), "workstation");
	assert_true(json_is_false(json_object_get(json_array_get(rows, 2), "registered")));
	json_decref(rows);
	store_free(s);
	policy_free(p);
}

static void one_is_found_by_name_or_address(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	struct store *s = make_store();
	json_t *rows = rows_of(p, s, "pump-1");

	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	rows = rows_of(p, s, "02:00:00:00:00:09");
	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	rows = rows_of(p, s, "nobody");
	assert_int_equal(json_array_size(rows), 0);
	json_decref(rows);
	store_free(s);
	policy_free(p);
}

static bool tell(const struct policy *p, const struct setup_patient *rows, size_t len)
{
	struct bytes exact = unit_exact(rows, len);
	bool r = census_patients(p, exact, patients);

	free((void *)exact.data);
	return r;
}

static uint32_t id_of(const struct policy *p, const char *name)
{
	uint32_t id = 0;

	while (strcmp(policy_device_name(p, id), name) != 0)
		id++;
	return id;
}

static void who_is_on_a_patient(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	const struct setup_patient said[] = {
		{id_of(p, "monitor-12"), 1, 1767225600000000000ull}, /* 2026-01-01 */
		{id_of(p, "pump-1"), 2, 1767225600000000000ull},     /* of another policy */
	};
	const struct setup_patient nobody = {70, 1, 1}, never = {0, 1, UINT64_MAX};
	json_t *rows;

	patients = json_object();
	assert_true(tell(p, said, sizeof(said)));
	assert_true(tell(NULL, said, sizeof(said)));
	assert_false(tell(p, said, sizeof(said) - 1));
	assert_false(tell(p, &nobody, sizeof(nobody)));
	assert_false(tell(p, &never, sizeof(never)));
	rows = rows_of(p, NULL, "");
	assert_string_equal(text(rows, 0, "vital_signs"), "2026-01-01T00:00:00+0000");
	assert_string_equal(text(rows, 1, "vital_signs"), "(none)");
	json_decref(rows);
	json_decref(patients);
	patients = NULL;
	policy_free(p);
}

static void half_of_it_is_enough(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	struct store *s = make_store();
	json_t *rows = rows_of(NULL, s, ""); /* no policy yet */

	assert_int_equal(json_array_size(rows), 2);
	json_decref(rows);
	rows = rows_of(p, NULL, ""); /* the disk is full since the start */
	assert_int_equal(json_array_size(rows), 2);
	json_decref(rows);
	store_free(s);
	policy_free(p);
}

static void modes_are_counted(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	struct census_modes m;

	census_modes(p, &m);
	assert_int_equal(m.registered, 2);
	assert_int_equal(m.enforce, 1);
	assert_int_equal(m.observe, 1);
	assert_int_equal(m.simulate, 0);
	assert_int_equal(m.open, 1);
	assert_int_equal(m.closed, 1);
	census_modes(NULL, &m);
	assert_int_equal(m.registered, 0);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registered_and_seen_are_one_list),
		cmocka_unit_test(one_is_found_by_name_or_address),
		cmocka_unit_test(who_is_on_a_patient),
		cmocka_unit_test(half_of_it_is_enough),
		cmocka_unit_test(modes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
