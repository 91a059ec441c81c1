#include "guard/proto/claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct gate_ip ip = {
		.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9, [14] = 1, [15] = 66}};
	uint32_t names[CLAIMS];

	if (claim_read((struct bytes){data, len}, &ip, names) > CLAIMS)
		__builtin_trap();
	return 0;
}
