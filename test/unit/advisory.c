/* Advisories: versions that can and cannot be told apart, names, CSAF and where it disagrees with
 * itself, SBOMs, and which device is meant. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "base/file.h"
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

#define DOCUMENT(category)                                                                     \
	"\"document\":{\"category\":\"" category "\",\"csaf_version\":\"2.0\",\"title\":"      \
	"\"Acme Pump\",\"publisher\":{\"name\":\"CISA\"},\"tracking\":{\"id\":\"A-1\","        \
	"\"version\":\"1\",\"status\":\"final\",\"initial_release_date\":\"2024-01-01T00:00:"  \
	"00Z\","                                                                               \
	"\"current_release_date\":\"2024-01-01T00:00:00Z\",\"revision_history\":[{\"number\":" \
	"\"1\",\"date\":\"2024-01-01T00:00:00Z\"}]}}"
#define VERSION(category, name, id)                                                            \
	"{\"category\":\"" category "\",\"name\":\"" name "\",\"product\":{\"name\":\"P " name \
	"\",\"product_id\":\"" id "\"}}"
#define TREE(versions)                                                                       \
	"\"product_tree\":{\"branches\":[{\"category\":\"vendor\",\"name\":\"Acme Medical, " \
	"Inc.\",\"branches\":[{\"category\":\"product_name\",\"name\":\"InfuMax 300\","      \
	"\"branches\":[" versions "]}]}]}"

static struct csaf *parse(const char *text)
{
	struct bytes copy = unit_exact(text, strlen(text));
	struct csaf *c = NULL;
	char why[160];

	if (csaf_parse(copy, NULL, &c, why) < 0)
		fail_msg("%s: %s", why, text);
	free((void *)copy.data);
	return c;
}

static bool has_fault(const struct csaf *c, const char *name)
{
	for (unsigned i = 0; i < c->fault_count; i++)
		if (strcmp(c->faults[i].name, name) == 0)
			return true;
	return false;
}

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

/* --- which device is meant ------------------------------------------------------------------ */

struct seen {
	unsigned count;
	enum match_status status;
	enum match_certainty certainty;
	bool contradicts;
	char why[512];
};

static void see(void *arg, const struct match *m)
{
	struct seen *s = arg;

	s->count++;
	s->status = m->status;
	s->certainty = m->certainty;
	s->contradicts = m->vulnerabilities[0].contradicts;
	match_explain(m, &m->reasons[0], s->why, sizeof(s->why));
}

static struct seen match_one(const struct csaf *c, struct match_device d)
{
	struct matcher *m = matcher_new();
	struct seen s = {0};

	d.name = "pump-1";
	d.vendor_from = "";
	d.vendor = d.vendor ? d.vendor : "";
	d.model = d.model ? d.model : "";
	d.version = d.version ? d.version : "";
	d.serial = d.serial ? d.serial : "";
	assert_int_equal(matcher_add_device(m, &d), 0);
	assert_int_equal(matcher_add_advisory(m, c), 0);
	assert_int_equal(matcher_run(m, see, &s), 0);
	matcher_free(m);
	return s;
}

static void says_how_sure_it_is(void **state)
{
	struct csaf *c = parse("{" DOCUMENT("csaf_security_advisory") "," TREE(
		VERSION("product_version_range", "< 1.5", "P1") "," VERSION(
			"product_version", "1.5", "P2")) ",\"vulnerabilities\":[{\"cve\":\"CVE-1\","
							 "\"product_status\":{\"known_affected\":"
							 "[\"P1\"],\"fixed\":[\"P2\"]}}]}");
	struct seen s = match_one(c, (struct match_device){.vendor = "Acme Medical",
							   .model = "infumax-300",
							   .version = "1.4.9"});

	assert_int_equal(s.status, MATCH_AFFECTED);
	assert_int_equal(s.certainty, MATCH_NAME_VERSION);
	assert_non_null(strstr(s.why, "within"));
	s = match_one(c, (struct match_device){.vendor = "Acme Medical",
					       .model = "InfuMax 300",
					       .version = "1.5"});
	assert_int_equal(s.status, MATCH_FIXED);
	s = match_one(c, (struct match_device){.vendor = "Acme Medical",
					       .model = "InfuMax 300",
					       .version = "1.6"});
	assert_int_equal(s.count, 0);
	s = match_one(c, (struct match_device){.vendor = "Acme Medical", .model = "InfuMax 300"});
	assert_int_equal(s.status, MATCH_CANNOT_TELL);
	assert_int_equal(s.certainty, MATCH_NAME);
	s = match_one(c, (struct match_device){.vendor = "Acme Medical",
					       .model = "InfuMax 300",
					       .version = "Rev Q"});
	assert_int_equal(s.status, MATCH_CANNOT_TELL);
	s = match_one(c, (struct match_device){
				 .vendor = "Acme Medical", .model = "InfuMax", .version = "1.4"});
	assert_int_equal(s.status, MATCH_CANNOT_TELL);
	assert_int_equal(s.certainty, MATCH_PART);
	assert_non_null(strstr(s.why, "resembles"));
	s = match_one(c, (struct match_device){
				 .vendor = "Other", .model = "InfuMax 300", .version = "1.4"});
	assert_int_equal(s.count, 0);
	s = match_one(c, (struct match_device){.model = "InfuMax 300", .version = "1.4"});
	assert_int_equal(s.certainty, MATCH_NAME);
	s = match_one(c, (struct match_device){.vendor = "Acme Medical", .version = "1.4"});
	assert_int_equal(s.count, 0);
	csaf_free(c);
}

static void follows_first_and_last_affected(void **state)
{
	struct csaf *c = parse("{" DOCUMENT("csaf_security_advisory") "," TREE(
		VERSION("product_version", "1.2", "P1") "," VERSION(
			"product_version", "1.5",
			"P2") "," VERSION("product_version", "1.6",
					  "P3")) ",\"vulnerabilities\":[{\"cve\":\"CVE-1\","
						 "\"product_status\":{\"first_affected\":"
						 "[\"P1\"],\"last_affected\":[\"P2\"],\"first_"
						 "fixed\":[\"P3\"]}}]}");
	static const struct {
		const char *version;
		int want; /* -1 none */
	} cases[] = {{"1.1", -1},
		     {"1.2", MATCH_AFFECTED},
		     {"1.4", MATCH_AFFECTED},
		     {"1.5", MATCH_AFFECTED},
		     {"1.6", MATCH_FIXED},
		     {"2.0", MATCH_FIXED},
		     {"B", MATCH_CANNOT_TELL}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct seen s = match_one(c, (struct match_device){.vendor = "Acme Medical",
								   .model = "InfuMax 300",
								   .version = cases[i].version});

		if ((s.count ? (int)s.status : -1) != cases[i].want)
			fail_msg("%s: %u %d", cases[i].version, s.count, s.status);
	}
	csaf_free(c);
}

static void says_when_the_file_contradicts_itself(void **state)
{
	struct csaf *c = parse("{" DOCUMENT("csaf_vex") "," TREE(VERSION(
		"product_version", "1.2", "P1")) ",\"vulnerabilities\":[{\"cve\":\"CVE-1\","
						 "\"product_status\":{\"known_affected\":"
						 "[\"P1\"],\"known_not_affected\":[\"P1\"]}}]}");
	struct seen s = match_one(c, (struct match_device){.vendor = "Acme Medical",
							   .model = "InfuMax 300",
							   .version = "1.2"});

	assert_int_equal(s.status, MATCH_AFFECTED);
	assert_true(s.contradicts);
	assert_true(has_fault(c, "status.contradicts"));
	csaf_free(c);
}

static struct sbom *sbom(const char *text)
{
	struct bytes copy = unit_exact(text, strlen(text));
	struct sbom *s = NULL;
	char why[160];

	if (sbom_parse(copy, &s, why) < 0)
		fail_msg("%s", why);
	free((void *)copy.data);
	return s;
}

static void matches_what_a_device_is_made_of(void **state)
{
	struct sbom *s = sbom(
		"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"metadata\":{\"component\":{"
		"\"name\":\"InfuMax "
		"300\",\"cpe\":\"cpe:2.3:h:acme:infumax_300:1.4:*:*:*:*:*:*:*\"}},"
		"\"components\":[{\"name\":\"TreckTCP\",\"components\":[{\"name\":\"openssl\","
		"\"version\":\"3.0.7-1\",\"purl\":\"pkg:deb/debian/openssl@3.0.7-1\"}]},{\"name\":"
		"\"VxWorks\",\"version\":\"6.9.4\",\"supplier\":{\"name\":\"Wind "
		"River\"}},{\"x\":1}]}");
	struct match_device d = {.vendor = "Acme", .model = "Zeta", .sbom = s};
	struct csaf *c = parse("{" DOCUMENT(
		"csaf_vex") ",\"product_tree\":{\"full_product_names\":[{\"name\":"
			    "\"openssl\",\"product_id\":\"P1\",\"product_identification_helper\":{"
			    "\"purl\":"
			    "\"pkg:deb/debian/"
			    "openssl@3.0.7-1\"}}]},\"vulnerabilities\":[{\"cve\":\"CVE-1\","
			    "\"product_status\":{\"known_affected\":[\"P1\"]}}]}");
	struct seen got = match_one(c, d);

	assert_int_equal(s->count, 3);
	assert_int_equal(s->nameless, 1);
	assert_int_equal(got.status, MATCH_AFFECTED);
	assert_int_equal(got.certainty, MATCH_IDENTIFIER);
	assert_non_null(strstr(got.why, "its part openssl 3.0.7-1"));
	csaf_free(c);
	c = parse("{" DOCUMENT(
		"csaf_security_advisory") ",\"product_tree\":{\"branches\":[{"
					  "\"category\":\"vendor\",\"name\":\"ENEA, Green Hills "
					  "Software, and Wind River\","
					  "\"branches\":[{\"category\":\"product_name\",\"name\":"
					  "\"VxWorks\",\"branches\":[" VERSION(
						  "product_version_range", "< 6.9.4.12",
						  "P1") "]}]}]},\"vulnerabilities\":[{"
							"\"cve\":\"CVE-1\",\"product_status\":{"
							"\"known_affected\":[\"P1\"]}}]}");
	got = match_one(c, d);
	assert_int_equal(got.status, MATCH_AFFECTED);
	assert_int_equal(got.certainty, MATCH_NAME_VERSION);
	csaf_free(c);
	c = parse("{" DOCUMENT(
		"csaf_security_advisory") ",\"product_tree\":{\"full_product_names\":[{"
					  "\"name\":\"x\",\"product_id\":\"P1\",\"product_"
					  "identification_helper\":{\"cpe\":"
					  "\"cpe:2.3:h:acme:infumax_300:*:*:*:*:*:*:*:*\"}}]},"
					  "\"vulnerabilities\":[{\"cve\":"
					  "\"CVE-1\",\"product_status\":{\"known_affected\":["
					  "\"P1\"]}}]}");
	got = match_one(c, d);
	assert_int_equal(got.status, MATCH_AFFECTED);
	assert_int_equal(got.certainty, MATCH_IDENTIFIER);
	csaf_free(c);
	sbom_free(s);
}

/* What differs between versions of the specification says nothing of parts; a version nobody knows is said so. */
static void reads_each_version_of_the_list_of_parts(void **state)
{
	static const struct {
		const char *spec, *more;
		bool good;
	} cases[] = {
		{"1.1", "", false},
		{"1.2", "", true},
		{"1.3", "", true},
		{"1.4", ",\"metadata\":{\"tools\":[{\"vendor\":\"x\",\"name\":\"y\"}]}", true},
		{"1.5", ",\"metadata\":{\"tools\":{\"components\":[{\"name\":\"y\"}]}}", true},
		{"1.6", ",\"metadata\":{\"manufacturer\":{\"name\":\"Acme\"}},\"declarations\":{}",
		 true},
		{"1.9", "", false},
		{"2.0", "", false},
	};
	char text[512], why[160];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sbom *s = NULL;
		struct bytes copy;

		snprintf(text, sizeof(text),
			 "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"%s\",\"version\":1%s,"
			 "\"components\":[{\"type\":\"library\",\"name\":\"radiod\","
			 "\"version\":\"1.9\",\"publisher\":\"Acme\"}]}",
			 cases[i].spec, cases[i].more);
		copy = unit_exact(text, strlen(text));
		assert_int_equal(sbom_parse(copy, &s, why) == 0, cases[i].good);
		free((void *)copy.data);
		if (!cases[i].good) {
			assert_non_null(strstr(why, cases[i].spec));
			continue;
		}
		assert_int_equal(s->count, 1);
		assert_string_equal(s->components[0].version, "1.9");
		sbom_free(s);
	}
}

#define HOSTED                                                                                     \
	"{" DOCUMENT("csaf_vex") ",\"product_tree\":{\"branches\":[{\"category\":\"vendor\","      \
				 "\"name\":\"Acme\",\"branches\":[{\"category\":\"product_name\"," \
				 "\"name\":\"InfuMax 300\","                                       \
				 "\"product\":{\"name\":\"InfuMax "                                \
				 "300\",\"product_id\":\"H\"}},{\"category\":"                     \
				 "\"product_name\",\"name\":\"radiod\",\"branches\":[" VERSION(    \
					 "product_version_range", "< 2.0",                         \
					 "C") "]}]}],\"relationships\":[{\"category\":"            \
					      "\"default_component_of\",\"product_reference\":"    \
					      "\"C\",\"relates_to_product_reference\":"            \
					      "\"H\",\"full_product_name\":{\"product_id\":"       \
					      "\"CH\",\"name\":\"radiod in InfuMax\"}}]},"         \
					      "\"vulnerabilities\":[{\"cve\":\"CVE-1\",\"product_" \
					      "status\":{\"known_affected\":[\"CH\"]}"             \
					      "}]}"

static void asks_the_list_of_parts_about_relationships(void **state)
{
	struct csaf *c = parse(HOSTED);
	struct sbom *with = sbom("{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.4\","
				 "\"components\":[{\"name\":\"radiod\",\"version\":\"1.9\","
				 "\"publisher\":\"Acme\"}]}");
	struct sbom *without = sbom("{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\"}");
	struct match_device d = {.vendor = "Acme", .model = "InfuMax 300", .version = "1"};

	assert_int_equal(match_one(c, d).status, MATCH_CANNOT_TELL);
	d.sbom = with;
	assert_int_equal(match_one(c, d).status, MATCH_AFFECTED);
	d.sbom = without;
	assert_int_equal(match_one(c, d).count, 0);
	d.vendor = "Other";
	d.sbom = with;
	assert_int_equal(match_one(c, d).count, 0);
	csaf_free(c);
	sbom_free(with);
	sbom_free(without);
}

static void goes_by_serial_numbers(void **state)
{
	struct csaf *c = parse("{" DOCUMENT(
		"csaf_security_advisory") ",\"product_tree\":{\"branches\":[{\"category\":"
					  "\"vendor\",\"name\":\"Acme\",\"product\":{\"product_"
					  "id\":\"P\",\"name\":\"x\"},"
					  "\"branches\":[{\"category\":\"product_name\",\"name\":"
					  "\"InfuMax 300\",\"product\":{"
					  "\"product_id\":\"P1\",\"name\":\"y\",\"product_"
					  "identification_helper\":{"
					  "\"serial_numbers\":[\"SN17*\",\"A?\"]}}}]}]},"
					  "\"vulnerabilities\":[{\"cve\":\"CVE-1\","
					  "\"product_status\":{\"known_affected\":[\"P1\"]}}]}");
	struct match_device d = {.vendor = "Acme", .model = "InfuMax 300", .serial = "SN1734"};

	assert_int_equal(match_one(c, d).status, MATCH_AFFECTED);
	assert_int_equal(match_one(c, d).certainty, MATCH_IDENTIFIER);
	d.serial = "SN18";
	assert_int_equal(match_one(c, d).count, 0);
	d.serial = "";
	assert_int_equal(match_one(c, d).status, MATCH_CANNOT_TELL);
	csaf_free(c);
}

static void nothing(void *arg, const struct match *m)
{
	++*(unsigned *)arg;
}

static void names_an_advisory_that_fits_everything(void **state)
{
	/* A list of makers of which every device's is one, and a name made of their models. */
	struct csaf *c = parse("{" DOCUMENT(
		"csaf_security_advisory") ",\"product_tree\":{\"branches\":[{\"category\":"
					  "\"vendor\",\"name\":\"A1, A2, A3, A4, A5, "
					  "A6\",\"branches\":[{\"category\":"
					  "\"product_name\",\"name\":\"m1 m2 m3 m4 m5 "
					  "m6\",\"branches\":[" VERSION(
						  "product_version", "vers:all/*",
						  "P1") "]}]}]},\"vulnerabilities\":[{\"cve\":"
							"\"CVE-1\",\"product_status\":{\"known_"
							"affected\":[\"P1\"]}}]}");
	struct matcher *m = matcher_new();
	char vendor[6][4], model[6][4];
	unsigned count = 0;

	for (int i = 0; i < 6; i++) {
		snprintf(vendor[i], 4, "A%d", i + 1);
		snprintf(model[i], 4, "m%d", i + 1);
		assert_int_equal(matcher_add_device(m, &(struct match_device){.name = "d",
									      .vendor = vendor[i],
									      .model = model[i],
									      .version = "",
									      .serial = "",
									      .vendor_from = ""}),
				 0);
	}
	assert_int_equal(matcher_add_advisory(m, c), 0);
	assert_int_equal(matcher_run(m, nothing, &count), 0);
	assert_int_equal(count, 6);
	assert_true(match_is_everything(m, c, 5));
	assert_false(match_is_everything(m, c, 7));
	matcher_free(m);
	csaf_free(c);
}

/* --- what CISA published ----------------------------------------------------------------------- */

#define CORPUS UNIT_SOURCE "/../shared/data/csaf"

static struct csaf *corpus[512];
static unsigned corpus_count;

static void read_folder(const char *path, unsigned deep)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char *name, why[160];

	while (d && (e = readdir(d)) != NULL) {
		struct bytes text;
		size_t len = strlen(e->d_name);

		assert_true(asprintf(&name, "%s/%s", path, e->d_name) > 0);
		if (*e->d_name != '.' && e->d_type == DT_DIR && deep < 3)
			read_folder(name, deep + 1);
		if (len < 5 || strcmp(e->d_name + len - 5, ".json") != 0 || corpus_count == 512) {
			free(name);
			continue;
		}
		assert_int_equal(file_read(name, CSAF_BYTES_MAX, &text), 0);
		if (csaf_parse(text, e->d_name, &corpus[corpus_count], why) < 0)
			fail_msg("%s: %s", name, why);
		corpus_count++;
		free((void *)text.data);
		free(name);
	}
	if (d)
		closedir(d);
}

static void reads_all_that_cisa_published(void **state)
{
	unsigned faults = 0, products = 0, vulnerabilities = 0;

	read_folder(CORPUS, 0);
	if (!corpus_count) {
		print_message("no advisories in ../shared/data/csaf\n");
		skip();
	}
	for (unsigned i = 0; i < corpus_count; i++) {
		const struct csaf *c = corpus[i];

		assert_true(c->product_count > 0 && c->vulnerability_count > 0);
		assert_true(*c->id && *c->title && *c->publisher);
		for (unsigned j = 0; j < c->vulnerability_count; j++)
			assert_true(c->vulnerabilities[j].score >= 0 &&
				    c->vulnerabilities[j].state_count > 0);
		faults += c->fault_count + c->faults_more;
		products += c->product_count;
		vulnerabilities += c->vulnerability_count;
		for (unsigned j = 0; getenv("UNIT_SHOW") && j < c->fault_count; j++)
			printf("%s %s: %s\n", c->id, c->faults[j].name, c->faults[j].text);
	}
	printf("# %u advisories, %u products, %u vulnerabilities, %u times at odds with "
	       "themselves\n",
	       corpus_count, products, vulnerabilities, faults);
	assert_true(faults > 0); /* they are not perfect */
}

struct expected {
	const char *vendor, *model, *version, *advisory;
	int want; /* -1 none */
	enum match_certainty certainty;
	int got, got_certainty;
};

static void compare(void *arg, const struct match *m)
{
	struct expected *x = (struct expected *)arg + m->device;

	if (getenv("UNIT_SHOW"))
		printf("%s %s %s: %s %s %s\n", m->about->vendor, m->about->model, m->about->version,
		       m->advisory->id, match_status_name(m->status),
		       match_certainty_name(m->certainty));
	if (strcmp(m->advisory->id, x->advisory) != 0)
		return;
	x->got = (int)m->status;
	x->got_certainty = (int)m->certainty;
}

static void finds_the_devices_that_cisa_means(void **state)
{
	static struct expected x[] = {
		{"Philips", "IntelliBridge EC40 Hub", "", "ICSMA-19-318-01", MATCH_AFFECTED,
		 MATCH_NAME_VERSION},
		{"Philips", "IntelliVue MX40", "B.06.17", "ICSMA-17-255-01", MATCH_CANNOT_TELL,
		 MATCH_PART},
		{"Philips", "IntelliVue MX40", "B.06.18", "ICSMA-17-255-01", -1, 0},
		{"BD", "Alaris 8015 PC unit", "9.7", "ICSMA-17-017-02", MATCH_AFFECTED,
		 MATCH_NAME_VERSION},
		{"Becton Dickinson", "Alaris 8015 PC unit", "9.40", "ICSMA-17-017-02", -1, 0},
		{"Philips", "Xcelera", "R4.0", "ICSMA-17-318-01", MATCH_AFFECTED,
		 MATCH_NAME_VERSION},
		{"Abbott", "Accent MRI", "1.0", "ICSMA-17-241-01", MATCH_CANNOT_TELL, MATCH_NAME},
		{"Philips", "IntelliSpace Portal 8.0.x", "8.0.1", "ICSMA-18-058-02",
		 MATCH_CANNOT_TELL, MATCH_PART},
		{"Canon", "Xcelera", "R4.0", "ICSMA-17-318-01", -1, 0},
	};
	struct matcher *m;

	if (!corpus_count)
		skip();
	m = matcher_new();
	for (unsigned i = 0; i < sizeof(x) / sizeof(*x); i++) {
		x[i].got = -1;
		assert_int_equal(
			matcher_add_device(m, &(struct match_device){.name = "d",
								     .vendor = x[i].vendor,
								     .model = x[i].model,
								     .version = x[i].version,
								     .serial = "",
								     .vendor_from = ""}),
			0);
	}
	for (unsigned i = 0; i < corpus_count; i++)
		assert_int_equal(matcher_add_advisory(m, corpus[i]), 0);
	assert_int_equal(matcher_run(m, compare, x), 0);
	for (unsigned i = 0; i < sizeof(x) / sizeof(*x); i++)
		if (x[i].got != x[i].want ||
		    (x[i].want >= 0 && x[i].got_certainty != (int)x[i].certainty))
			fail_msg("%s %s %s: %d %d", x[i].vendor, x[i].model, x[i].version, x[i].got,
				 x[i].got_certainty);
	matcher_free(m);
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

static int free_corpus(void **state)
{
	for (unsigned i = 0; i < corpus_count; i++)
		csaf_free(corpus[i]);
	corpus_count = 0;
	return 0;
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
		cmocka_unit_test(says_how_sure_it_is),
		cmocka_unit_test(follows_first_and_last_affected),
		cmocka_unit_test(says_when_the_file_contradicts_itself),
		cmocka_unit_test(matches_what_a_device_is_made_of),
		cmocka_unit_test(reads_each_version_of_the_list_of_parts),
		cmocka_unit_test(asks_the_list_of_parts_about_relationships),
		cmocka_unit_test(goes_by_serial_numbers),
		cmocka_unit_test(names_an_advisory_that_fits_everything),
		cmocka_unit_test(takes_from_folders_what_is_an_advisory),
		cmocka_unit_test(reads_all_that_cisa_published),
		cmocka_unit_test(finds_the_devices_that_cisa_means),
	};

	return cmocka_run_group_tests(tests, NULL, free_corpus);
}
