#include "guard/proto/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	volatile uint8_t touched = 0;
	struct tls_hello h;

	if (tls_read_hello((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	for (size_t i = 0; i < h.server_name.len; i++)
		touched ^= h.server_name.data[i];
	for (size_t i = 0; i < h.alpn.len; i++)
		touched ^= h.alpn.data[i];
	return 0;
}
