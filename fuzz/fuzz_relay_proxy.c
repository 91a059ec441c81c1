/* The PROXY header: whatever is taken for one is written the same way again. */
#include <stdlib.h>

#include "seal/relay/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h = {0}, again = {0};
	uint8_t text[PROXY_OURS];
	size_t used = 0, len;

	if (!size || proxy_read((struct bytes){data, size}, &h, &used) != PARSE_OK)
		return 0;
	if (used > size || used < PROXY_HEAD)
		abort();
	len = proxy_write(&h, text);
	if (proxy_read((struct bytes){text, len}, &again, &used) != PARSE_OK || used != len ||
	    memcmp(&h, &again, sizeof(h)) != 0)
		abort();
	/* Every beginning of it goes on. */
	for (size_t n = 1; n < len; n++)
		if (proxy_read((struct bytes){text, n}, &again, &used) != PARSE_MORE)
			abort();
	return 0;
}
