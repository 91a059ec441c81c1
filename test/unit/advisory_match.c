/* Which device an advisory means, by its name and by its parts, and what CISA published. */
#include "csaf_text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "update/advisory/match.h"

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
		cmocka_unit_test(says_how_sure_it_is),
		cmocka_unit_test(follows_first_and_last_affected),
		cmocka_unit_test(says_when_the_file_contradicts_itself),
		cmocka_unit_test(matches_what_a_device_is_made_of),
		cmocka_unit_test(reads_each_version_of_the_list_of_parts),
		cmocka_unit_test(asks_the_list_of_parts_about_relationships),
		cmocka_unit_test(goes_by_serial_numbers),
		cmocka_unit_test(names_an_advisory_that_fits_everything),
		cmocka_unit_test(reads_all_that_cisa_published),
		cmocka_unit_test(finds_the_devices_that_cisa_means),
	};

	return cmocka_run_group_tests(tests, NULL, free_corpus);
}
