#include "guard/proto/lldp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	volatile uint8_t touched = 0;
	struct lldp l;

	if (lldp_read((struct bytes){data, len}, &l) != PARSE_OK)
		return 0;
	for (size_t i = 0; i < l.system_name.len; i++)
		touched ^= l.system_name.data[i];
	for (size_t i = 0; i < l.model.len; i++)
		touched ^= l.model.data[i];
	return 0;
}
