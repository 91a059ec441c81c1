#include "guard/proto/http_head.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head h;

	http_head_probe((struct bytes){data, len});
	if (http_head_read((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	touch(h.host);
	touch(h.user_agent);
	touch(h.content_type);
	http_default_login(h.authorization);
	return 0;
}
