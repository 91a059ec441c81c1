#include "guard/proto/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	volatile uint8_t touched = 0;
	struct dhcp d;

	if (dhcp_read((struct bytes){data, len}, &d) != PARSE_OK)
		return 0;
	for (size_t i = 0; i < d.params.len; i++)
		touched ^= d.params.data[i];
	for (size_t i = 0; i < d.host_name.len; i++)
		touched ^= d.host_name.data[i];
	for (size_t i = 0; i < d.vendor_class.len; i++)
		touched ^= d.vendor_class.data[i];
	return 0;
}
