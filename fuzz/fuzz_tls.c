#include "guard/proto/tls.h"

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
	struct tls_hello h;

	if (tls_read_hello((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	touch(h.server_name);
	touch(h.alpn);
	return 0;
}
