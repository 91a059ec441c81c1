/* What an agent and the gateway say to each other: read, written, read again the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "update/agent/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void report_again(const struct talk_report *r)
{
	static uint8_t out[TALK_MAX + 4];
	struct talk_report again;
	size_t n = talk_write_report(r, out), used;

	if (!n || talk_read_report((struct bytes){out, n}, &again, &used) != PARSE_OK || used != n)
		abort();
	if (strcmp(r->version, again.version) != 0 || strcmp(r->text, again.text) != 0 ||
	    r->state != again.state || r->asks != again.asks || (r->asks && r->from != again.from))
		abort();
}

static void order_again(const struct talk_order *o)
{
	static uint8_t out[TALK_MAX + 4];
	struct talk_order again;
	size_t n = talk_write_order(o, out), used;

	if (!n || talk_read_order((struct bytes){out, n}, &again, &used) != PARSE_OK || used != n)
		abort();
	if (o->what != again.what || strcmp(o->target, again.target) != 0 ||
	    (o->what == TALK_GET && memcmp(o->sha256, again.sha256, sizeof(again.sha256)) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct talk_report r;
	struct talk_order o;
	size_t used;

	if (talk_read_report((struct bytes){data, len}, &r, &used) == PARSE_OK) {
		if (used > len)
			abort();
		report_again(&r);
	}
	if (talk_read_order((struct bytes){data, len}, &o, &used) == PARSE_OK) {
		if (used > len)
			abort();
		order_again(&o);
	}
	return 0;
}
