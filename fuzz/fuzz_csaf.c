/* An advisory: read, checked for what it disagrees with itself about, and held against devices that are made of
 * its own names, so that every way to fit is gone. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "update/advisory/hint.h"
#include "update/advisory/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void told(void *arg, const struct match *m)
{
	char text[768];

	assert(m->status < MATCH_STATUSES && m->certainty < MATCH_CERTAINTIES);
	assert(m->reason_count && m->vulnerability_count && m->device < *(unsigned *)arg);
	for (unsigned i = 0; i < m->reason_count; i++) {
		assert(m->reasons[i].product < m->advisory->product_count);
		match_explain(m, &m->reasons[i], text, sizeof(text));
		assert(*text);
	}
	for (unsigned i = 0; i < m->vulnerability_count; i++)
		assert(m->vulnerabilities[i].vulnerability < m->advisory->vulnerability_count);
}

static void hold_against(const struct csaf *c)
{
	struct matcher *m = matcher_new();
	unsigned count = 0;

	assert(m && matcher_add_advisory(m, c) == 0);
	for (unsigned i = 0; i < c->product_count && i < 16; i++) {
		const struct csaf_product *p = &c->products[i];
		struct match_device d = {
			.name = "d",
			.vendor = i % 3 == 2 ? "" : p->vendor.given,
			.model = i % 2 ? p->title : p->product.given,
			.version = p->range && p->range->count ? p->range->part[0].version : "1.4",
			.serial = p->serial_count ? p->serials[0] : "",
			.vendor_from = ""};

		assert(matcher_add_device(m, &d) == 0);
		count++;
	}
	assert(matcher_run(m, told, &count) == 0);
	matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct csaf *c = NULL;
	struct hints h;
	char why[160] = "";

	assert(copy);
	if (len)
		memcpy(copy, data, len);
	if (csaf_parse((struct bytes){copy, len}, "a.json", &c, why) < 0) {
		assert(*why && !c);
	} else {
		assert(*c->id && c->fault_count <= CSAF_FAULTS_MAX);
		hints_of(c, &h);
		hold_against(c);
		csaf_free(c);
	}
	free(copy);
	return 0;
}
