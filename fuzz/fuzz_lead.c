/* Who leads traffic of IPv6: a router's advertisement, from its type on; anything else as DHCPv6. */
#include "guard/proto/dhcp6.h"
#include "guard/proto/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct router r;
	struct dhcp6 d;

	if (router_read((struct bytes){data, len}, &r) == PARSE_BAD)
		(void)dhcp6_read((struct bytes){data, len}, &d);
	return 0;
}
