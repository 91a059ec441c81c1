#include "guard/proto/dhcp.h"

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
	struct dhcp d;

	if (dhcp_read((struct bytes){data, len}, &d) != PARSE_OK)
		return 0;
	touch(d.params);
	touch(d.host_name);
	touch(d.vendor_class);
	return 0;
}
