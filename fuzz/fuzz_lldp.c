#include "guard/proto/lldp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile uint8_t sink;

/* Reads every byte, so that a range beyond the input is found. */
static void touch(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		sink = b.data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct lldp l;

	if (lldp_read((struct bytes){data, len}, &l) != PARSE_OK)
		return 0;
	touch(l.system_name);
	touch(l.model);
	return 0;
}
