/* Advisories: versions that can and cannot be told apart, names, CSAF and where it disagrees with
 * itself, and the folders that they come from. */
#include "csaf_text.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "update/advisory/cvss.h"
#include "update/advisory/library.h"
#include "update/advisory/match.h"

/* --- versions --------------------------------------------------------------------------- */

static void orders_versions_that_number_alike(void **state)
{
	static const struct {
		const char *scheme, *a, *b;
		enum version_order want;
	} cases[] = {
		{"", "1.2.3", "1.2.10", VERSION_LESS},
		{"", "v2.0", "2.0", VERSION_EQUAL},
		{"", "Version 2.0.0", "2.0", VERSION_EQUAL},
		{"", "B.06.18", "B.06.9", VERSION_GREATER},
		{"", "1.8.4 Service Pack 01", "1.8.4", VERSION_GREATER},
		{"", "4.20 SR1", "4.20", VERSION_GREATER},
		{"", "4.20 Turbo", "4.20", VERSION_UNKNOWN},
		{"", "2.0-rc1", "2.0", VERSION_LESS},
		{"", "2.0-beta2", "2.0-rc1", VERSION_UNKNOWN},
		{"", "B.12", "A.05", VERSION_UNKNOWN},
		{"", "3002", "5.0", VERSION_UNKNOWN},
		{"", "2023.3", "2023", VERSION_GREATER},
		{"", "5.17.1-754993421", "5.17.1", VERSION_UNKNOWN},
		{"", "R8.0.3", "8.0.3", VERSION_UNKNOWN},
		{"", "99999999999999999999999.1", "99999999999999999999998.9", VERSION_GREATER},
		{"", "", "1", VERSION_UNKNOWN},
		{"semver", "1.0.0-alpha.1", "1.0.0-alpha.beta", VERSION_LESS},
		{"semver", "1.0.0-rc.1", "1.0.0", VERSION_LESS},
		{"semver", "1.0.0+build5", "1.0.0", VERSION_EQUAL},
		{"semver", "one", "1.0", VERSION_UNKNOWN},
		{"deb", "1.0~rc1-1", "1.0-1", VERSION_LESS},
		{"deb", "1:0.9", "2.0", VERSION_GREATER},
		{"deb", "2.36-9+deb12u4", "2.36-9+deb12u10", VERSION_LESS},
		{"rpm", "1.0a-1", "1.0-1", VERSION_GREATER},
		{"rpm", "3.0.7-27.el9", "3.0.7-28.el9", VERSION_LESS},
		{"martian", "1.0", "2.0", VERSION_UNKNOWN},
		{"martian", "1.0", "1.0", VERSION_EQUAL},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum version_order got = version_compare(cases[i].scheme, cases[i].a, cases[i].b);
		enum version_order back = version_compare(cases[i].scheme, cases[i].b, cases[i].a);

		if (got != cases[i].want)
			fail_msg("%s '%s' '%s': %d, want %d", cases[i].scheme, cases[i].a,
				 cases[i].b, got, cases[i].want);
		assert_int_equal(back, got == VERSION_LESS	? VERSION_GREATER
				       : got == VERSION_GREATER ? VERSION_LESS
								: got);
	}
}

static void answers_ranges_as_publishers_write_them(void **state)
{
	static const struct {
		const char *range, *version;
		int want; /* -1: the range cannot be read */
	} cases[] = {
		{"vers:all/*", "1.0", RANGE_YES},
		{"all versions", "", RANGE_YES},
		{"<= 1.4.0", "1.4", RANGE_YES},
		{"<=1.4.0", "1.4.1", RANGE_NO},
		{"<= 1.4.0", "", RANGE_UNKNOWN},
		{">= 1.0.0  | <= 1.3.1", "1.2", RANGE_YES},
		{">= 1.0.0  | <= 1.3.1", "1.4", RANGE_NO},
		{">= 1.0.0  | <= 1.3.1", "0.9", RANGE_NO},
		{"9.13 | 9.19 | 9.33 | 12.1", "9.19", RANGE_YES},
		{"9.13 | 9.19 | 9.33 | 12.1", "9.20", RANGE_NO},
		{"5.0|5.1", "5.1.0", RANGE_YES},
		{"5.x.x", "5.3.1", RANGE_YES},
		{"5.x.x", "6.0", RANGE_NO},
		{"< 3.x", "2.9", RANGE_YES},
		{"< 3.x", "3.1", RANGE_UNKNOWN},
		{"< 3.x", "4.0", RANGE_NO},
		{"Versions 9.33 and prior", "9.5", RANGE_YES},
		{"all versions prior to Version B.06.18", "B.06.17", RANGE_YES},
		{"all versions prior to Version B.06.18", "B.06.18", RANGE_NO},
		{"Versions 1.1.7.333 and 2.1.1.3069", "2.1.1.3069", RANGE_YES},
		{"1.0 through 1.3", "1.2", RANGE_YES},
		{"1.0 through 1.3", "1.3.1", RANGE_NO},
		{"<= 1.54 (integrated into GE MobileLink)", "1.50", RANGE_UNKNOWN},
		{"<= 1.54 (integrated into GE MobileLink)", "1.60", RANGE_NO},
		{"<=11.2 on Windows 8.1 with IIS 7.5", "11.0", RANGE_UNKNOWN},
		{"<= 3.0 D15", "2.9", RANGE_YES},
		{"< 1.8.4 Service Pack 01", "1.8.4", RANGE_YES},
		{"<= K", "C", RANGE_UNKNOWN},
		{"with wireless option (shipped between 2016-August 2018)", "1.0", -1},
		{"distributed  < april 1, 2018", "1.0", -1},
		{"<May 2018", "1.0", -1},
		{"A.01 <= C.0x | 4.0", "4.0", -1},
		{"", "1", -1},
		{"vers:semver/>=1.0.0|<1.4.2", "1.4.1", RANGE_YES},
		{"vers:semver/>=1.0.0|<1.4.2|>=2.0.0|<2.0.5", "1.5.0", RANGE_NO},
		{"vers:semver/>=1.0.0|<1.4.2|>=2.0.0|<2.0.5", "2.0.4", RANGE_YES},
		{"vers:semver/>=1.0.0|!=1.2.0", "1.2.0", RANGE_NO},
		{"vers:semver/!=1.2.0", "1.3.0", RANGE_YES},
		{"vers:deb/<1%3A2.0-1", "1.9", RANGE_YES},
		{"vers:martian/<2.0", "1.0", RANGE_UNKNOWN},
		{"vers:semver", "1", -1},
		{"vers:/1", "1", -1},
		{"vers:semver/|", "1", -1},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes text = unit_exact(cases[i].range, strlen(cases[i].range) + 1);
		struct range r;
		int got = range_parse((const char *)text.data, &r) < 0
				  ? -1
				  : (int)range_contains(&r, cases[i].version);

		if (got != cases[i].want)
			fail_msg("'%s' of '%s': %d, want %d", cases[i].version, cases[i].range, got,
				 cases[i].want);
		free((void *)text.data);
	}
}

/* --- names and identifiers ---------------------------------------------------------------- */

static void tells_vendors_and_products_by_name(void **state)
{
	static const struct {
		bool vendor;
		const char *a, *b;
		enum name_fit want;
	} cases[] = {
		{true, "BD", "Becton, Dickinson and Company (BD)", NAME_SAME},
		{true, "Becton Dickinson", "Becton, Dickinson and Company (BD)", NAME_SAME},
		{true, "Philips", "Philips Medical Systems", NAME_PART},
		{true, "Philips", "Phillips", NAME_NO},
		{true, "GE Healthcare", "Silex Technology and GE Healthcare", NAME_SAME},
		{true, "B. Braun", "B. Braun", NAME_SAME},
		{true, "Dräger", "dräger", NAME_SAME},
		{true, "", "Philips", NAME_NO},
		{true, "Medical", "Medtronic", NAME_NO},
		{false, "IntelliBridge EC40 Hub", "IntelliBridge EC 40 Hub", NAME_SAME},
		{false, "IntelliVue MX40", "IntelliVue MX40 Patient Worn Monitor (WLAN only)",
		 NAME_PART},
		{false, "IntelliVue MP50", "IntelliVue MP monitors MP20-MP90 (M8001A/2A) WLAN",
		 NAME_PART},
		{false, "IntelliVue MP95", "IntelliVue MP monitors MP20-MP90 (M8001A/2A) WLAN",
		 NAME_NO},
		{false, "Endura", "Pulsera (718095) and Endura (718075)", NAME_SAME},
		{false, "Patient Monitor", "IntelliVue Patient Monitor", NAME_NO},
		{false, "Monitor", "Monitor", NAME_NO},
		{false, "Alaris 8015", "Alaris 8015 PC unit", NAME_PART},
		{false, "OpenSSL", "openssl", NAME_SAME},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena a = {0};
		struct name x, y;
		enum name_fit got;

		(cases[i].vendor ? name_vendor : name_product)(&a, cases[i].a, &x);
		(cases[i].vendor ? name_vendor : name_product)(&a, cases[i].b, &y);
		got = (cases[i].vendor ? name_vendor_fit : name_product_fit)(&x, &y);
		if (got != cases[i].want ||
		    (cases[i].vendor ? name_vendor_fit : name_product_fit)(&y, &x) != got)
			fail_msg("'%s' '%s': %d, want %d", cases[i].a, cases[i].b, got,
				 cases[i].want);
		arena_free(&a);
	}
}

static void reads_identifiers(void **state)
{
	struct identifier a, b;

	assert_int_equal(identifier_parse("cpe:2.3:o:acme:pump\\:os:1.2:*:*:*:*:*:*:*", &a), 0);
	assert_string_equal(a.product, "pump:os");
	assert_string_equal(a.version, "1.2");
	assert_int_equal(identifier_parse("cpe:/o:acme:pump%3aos", &b), 0);
	assert_true(identifier_same(&a, &b));
	assert_string_equal(b.version, "");
	assert_int_equal(identifier_parse("pkg:deb/debian/openssl@3.0.7-1?arch=arm64#x", &a), 0);
	assert_string_equal(a.vendor, "debian");
	assert_string_equal(a.version, "3.0.7-1");
	assert_int_equal(identifier_parse("pkg:generic/openssl", &b), 0);
	assert_false(identifier_same(&a, &b));
	assert_int_equal(identifier_parse("pkg:", &a), -EINVAL);
	assert_int_equal(identifier_parse("cpe:2.3:o", &a), -EINVAL);
	assert_int_equal(identifier_parse("urn:x", &a), -EINVAL);
}

static void computes_cvss(void **state)
{
	assert_int_equal(cvss_base("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 98);
	assert_int_equal(cvss_base("CVSS:3.0/AV:P/AC:H/PR:N/UI:N/S:C/C:H/I:N/A:N"), 49);
	assert_int_equal(cvss_base("CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"), 63);
	assert_int_equal(cvss_base("CVSS:3.0/AV:N/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H"), 91);
	assert_int_equal(cvss_base("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), 0);
	assert_int_equal(cvss_base("CVSS:3.1/AV:N/AC:L"), -1);
	assert_int_equal(cvss_base("(AV:N/AC:L/Au:N/C:P/I:P/A:P)"), -1);
	assert_string_equal(cvss_severity(98), "critical");
}

/* --- CSAF ----------------------------------------------------------------------------------- */

static void reads_an_advisory(void **state)
{
	struct csaf *c = parse("{" DOCUMENT("csaf_security_advisory") "," TREE(
		VERSION("product_version_range", "vers:intdot/<1.5",
			"P1") "," VERSION("product_version", "1.5",
					  "P2")) ",\"vulnerabilities\":[{\"cve\":\"CVE-2024-1\","
						 "\"product_status\":{\"known_affected\":"
						 "[\"P1\"],\"fixed\":[\"P2\"]},\"scores\":[{"
						 "\"products\":[\"P1\"],\"cvss_v3\":{"
						 "\"version\":\"3.1\",\"baseScore\":9.8,"
						 "\"baseSeverity\":\"CRITICAL\",\"vectorString\":"
						 "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/"
						 "A:H\"}}],\"remediations\":[{\"category\":"
						 "\"vendor_fix\",\"details\":\"Update to "
						 "1.5\",\"url\":\"https://acme.example\","
						 "\"product_ids\":[\"P1\"]}]}]}");

	assert_int_equal(c->product_count, 2);
	assert_string_equal(c->products[0].product.given, "InfuMax 300");
	assert_int_equal(c->vulnerabilities[0].score, 98);
	assert_string_equal(c->vulnerabilities[0].remedies[0].details, "Update to 1.5");
	for (unsigned i = 0; i < c->fault_count; i++)
		fail_msg("%s: %s", c->faults[i].name, c->faults[i].text);
	csaf_free(c);
}

static void names_where_it_disagrees_with_itself(void **state)
{
	struct csaf *c = parse(
		"{\"document\":{\"category\":\"csaf_vex\",\"csaf_version\":\"2.0\",\"title\":"
		"\"Acme Pump\",\"tracking\":{\"id\":\"A-1\",\"version\":\"3\",\"status\":\"final\","
		"\"initial_release_date\":\"2024-03-01T00:00:00Z\",\"current_release_date\":"
		"\"2024-02-01T00:00:00Z\",\"revision_history\":[{\"number\":\"2\",\"date\":"
		"\"2024-01-05T00:00:00Z\"},{\"number\":\"2\",\"date\":\"2024-01-01T00:00:00Z\"}]}},"
		"\"product_tree\":{\"branches\":[{\"category\":\"vendor\",\"name\":\"Acmee\","
		"\"branches\":[{\"category\":\"product_version\",\"name\":\"vers:all/"
		"*\",\"product\":"
		"{\"name\":\"Pump: < 3.0\",\"product_id\":\"P1\"}},{\"category\":"
		"\"product_version\",\"name\":\"1\",\"product\":{\"name\":\"Pump\",\"product_id\":"
		"\"P1\"}},{\"category\":\"product_version_range\",\"name\":\"<= 4\",\"product\":{"
		"\"name\":\"Pump\",\"product_id\":\"P3\"}}]}]},\"vulnerabilities\":[{\"cve\":\"CVE-"
		"1\","
		"\"product_status\":{\"known_affected\":[\"P1\",\"P9\"],\"fixed\":[\"P1\"],"
		"\"known_not_affected\":[\"P3\"]},\"notes\":[{\"text\":\"A CVSS v3 base score of "
		"9.8 has "
		"been calculated; the CVSS vector string is "
		"(AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H).\"}],"
		"\"scores\":[{\"products\":[\"P3\"],\"cvss_v3\":{\"version\":\"3.1\",\"baseScore\":"
		"5.0,"
		"\"baseSeverity\":\"HIGH\",\"vectorString\":"
		"\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/"
		"A:H\"}},{\"products\":[\"P3\"],\"cvss_v3\":{"
		"\"version\":\"3.1\",\"baseScore\":5.0,\"vectorString\":\"x\"}}]},"
		"{\"cve\":\"CVE-1\",\"product_status\":{},\"remediations\":[{\"category\":"
		"\"mitigation\",\"details\":\"x\"}]}]}");
	static const char *const want[] = {
		"revision.twice",
		"revision.order",
		"revision.version",
		"revision.date",
		"revision.first",
		"tracking.dates",
		"product.twice",
		"product.undefined",
		"product.version_disagrees",
		"range.in_product_version",
		"range.not_vers",
		"vendor.spelling",
		"status.contradicts",
		"score.computation",
		"score.severity",
		"score.twice",
		"score.vector",
		"score.not_affected",
		"score.words_disagree",
		"vulnerability.twice",
		"vulnerability.no_product",
		"remediation.no_product",
		"vex.no_justification",
		"vex.no_action",
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++)
		if (!has_fault(c, want[i]))
			fail_msg("%s is not noted", want[i]);
	csaf_free(c);
}

static void refuses_what_is_hostile(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"document\":{\"csaf_version\":\"2.0\"}}", -EBADMSG},
		{"{\"document\":{\"csaf_version\":\"1.2\",\"tracking\":{\"id\":\"A\"}}}", -EBADMSG},
		{"{\"document\":{},\"document\":{\"csaf_version\":\"2.0\"}}", -EBADMSG},
		{"{\"document\":{\"csaf_version\":\"2.0\",\"tracking\":{\"id\":\"\\ud800\"}}}",
		 -EBADMSG},
	};
	char why[160], *deep = malloc(200000);
	struct csaf *c = NULL;
	struct sbom *s = NULL;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes b = unit_exact(cases[i].text, strlen(cases[i].text));

		assert_int_equal(csaf_parse(b, NULL, &c, why), cases[i].want);
		assert_int_equal(sbom_parse(b, &s, why), -EBADMSG);
		free((void *)b.data);
	}
	memset(deep, '[', 200000);
	assert_int_equal(csaf_parse((struct bytes){(uint8_t *)deep, 200000}, NULL, &c, why),
			 -EBADMSG);
	assert_non_null(strstr(why, "deep"));
	assert_null(c);
	free(deep);
}

/* Too many products, and members of every wrong type. */
static void is_bounded(void **state)
{
	size_t size = 2 << 20;
	char *text = malloc(size), why[160];
	size_t n = (size_t)snprintf(text, size, "{%s,\"product_tree\":{\"full_product_names\":[",
				    DOCUMENT("csaf_base"));
	struct csaf *c = NULL;

	for (int i = 0; i <= CSAF_PRODUCTS_MAX; i++)
		n += (size_t)snprintf(text + n, size - n,
				      "%s{\"product_id\":\"%d\",\"name\":\"n%d\"}", i ? "," : "", i,
				      i);
	n += (size_t)snprintf(text + n, size - n, "]}}");
	assert_int_equal(csaf_parse((struct bytes){(uint8_t *)text, n}, NULL, &c, why), -EFBIG);
	assert_non_null(strstr(why, "products"));
	free(text);
	c = parse("{" DOCUMENT("csaf_base") ",\"product_tree\":{\"branches\":{\"a\":1},"
					    "\"relationships\":[1,null,{\"product_reference\":[]}],"
					    "\"product_groups\":\"x\","
					    "\"full_product_names\":[[],3,{\"product_id\":7}]},"
					    "\"vulnerabilities\":[1,{"
					    "\"product_status\":[],\"remediations\":[1],\"scores\":"
					    "[[],{\"cvss_v3\":7}],"
					    "\"notes\":[false]}]}");
	assert_int_equal(c->product_count, 0);
	csaf_free(c);
}

/* --- folders ------------------------------------------------------------------------------------- */

#define ANOTHER(id, day)                                                     \
	"{\"document\":{\"csaf_version\":\"2.0\",\"tracking\":{\"id\":\"" id \
	"\",\"current_release_date\":\"2024-01-" day "T00:00:00Z\"}}}"

static void put(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void takes_from_folders_what_is_an_advisory(void **state)
{
	static const char *const files[] = {"advisories%2F2024%2Fa.json", "profiles%2Fb.json",
					    "advisories%2Fbad.json", "advisories%2Fa.json.part",
					    "advisories%2Fnewer.json"};
	char folder[] = "/tmp/library-XXXXXX", path[512];
	struct library l = {0};

	assert_non_null(mkdtemp(folder));
	put(folder, files[0], ANOTHER("A", "01"));
	put(folder, files[1], ANOTHER("B", "01"));
	put(folder, files[2], "{\"a\":1,\"a\":2}");
	put(folder, files[3], ANOTHER("C", "01"));
	put(folder, files[4], ANOTHER("A", "02"));
	assert_int_equal(library_read(&l, folder, true), 0);
	assert_int_equal(library_read(&l, "/nonexistent/folder", false), 0);
	library_settle(&l);
	assert_int_equal(l.count, 1); /* the newer of A; B is no advisory */
	assert_string_equal(l.list[0]->revised, "2024-01-02T00:00:00Z");
	assert_int_equal(l.superseded, 1);
	assert_int_equal(l.refusal_count, 1);
	assert_non_null(strstr(l.refusals[0].why, "duplicate"));
	library_free(&l);
	assert_int_equal(library_read(&l, folder, false), 0);
	assert_int_equal(l.count, 3);
	library_free(&l);
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_versions_that_number_alike),
		cmocka_unit_test(answers_ranges_as_publishers_write_them),
		cmocka_unit_test(tells_vendors_and_products_by_name),
		cmocka_unit_test(reads_identifiers),
		cmocka_unit_test(computes_cvss),
		cmocka_unit_test(reads_an_advisory),
		cmocka_unit_test(names_where_it_disagrees_with_itself),
		cmocka_unit_test(refuses_what_is_hostile),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(takes_from_folders_what_is_an_advisory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
