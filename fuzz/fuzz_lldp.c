#include "guard/proto/lldp.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct lldp l;

	if (lldp_read((struct bytes){data, len}, &l) != PARSE_OK)
		return 0;
	touch(l.system_name);
	touch(l.model);
	return 0;
}
