#include "guard/proto/dhcp.h"

#include "touch.h"

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
