/* A bill of materials, held against an advisory that names what such lists name. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "update/advisory/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char advisory[] =
	"{\"document\":{\"csaf_version\":\"2.0\",\"tracking\":{\"id\":\"F\"}},\"product_tree\":{"
	"\"full_product_names\":[{\"name\":\"openssl\",\"product_id\":\"1\","
	"\"product_identification_helper\":{\"purl\":\"pkg:deb/debian/openssl\",\"cpe\":"
	"\"cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*\"}},{\"name\":\"busybox\",\"product_id\":"
	"\"2\"}]},"
	"\"vulnerabilities\":[{\"cve\":\"C\",\"product_status\":{\"known_affected\":[\"1\",\"2\"]}}"
	"]}";

static void told(void *arg, const struct match *m)
{
	char text[768];

	for (unsigned i = 0; i < m->reason_count; i++) {
		assert(m->reasons[i].component == CSAF_NONE ||
		       m->reasons[i].component < m->about->sbom->count);
		match_explain(m, &m->reasons[i], text, sizeof(text));
	}
}

static void hold_against(const struct sbom *s)
{
	struct match_device d = {.name = "d",
				 .vendor = "",
				 .model = "openssl",
				 .version = "",
				 .serial = "",
				 .vendor_from = "",
				 .sbom = s};
	struct matcher *m = matcher_new();
	struct csaf *c = NULL;
	char why[160];

	assert(m && csaf_parse((struct bytes){(const uint8_t *)advisory, sizeof(advisory) - 1},
			       NULL, &c, why) == 0);
	assert(matcher_add_advisory(m, c) == 0 && matcher_add_device(m, &d) == 0);
	assert(matcher_run(m, told, NULL) == 0);
	matcher_free(m);
	csaf_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct sbom *s = NULL;
	char why[160] = "";

	assert(copy);
	if (len)
		memcpy(copy, data, len);
	if (sbom_parse((struct bytes){copy, len}, &s, why) < 0) {
		assert(*why && !s);
	} else {
		assert(s->count <= SBOM_COMPONENTS_MAX);
		hold_against(s);
		sbom_free(s);
	}
	free(copy);
	return 0;
}
