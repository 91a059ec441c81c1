#include "guard/proto/mdns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mdns m;

	if (mdns_read((struct bytes){data, len}, &m) != PARSE_OK)
		return 0;
	if (m.service_count > MDNS_SERVICES || strlen(m.host) >= MDNS_NAME ||
	    strlen(m.instance) >= MDNS_NAME)
		__builtin_trap();
	return 0;
}
