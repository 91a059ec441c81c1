#include "guard/proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	volatile uint8_t touched = 0;
	struct http_hints h;

	if (http_read_hints((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	for (size_t i = 0; i < h.host.len; i++)
		touched ^= h.host.data[i];
	for (size_t i = 0; i < h.user_agent.len; i++)
		touched ^= h.user_agent.data[i];
	return 0;
}
