#include "guard/proto/http.h"

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
	struct http_hints h;

	if (http_read_hints((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	touch(h.host);
	touch(h.user_agent);
	return 0;
}
