#include "guard/proto/tls_hello.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char ja3[TLS_JA3_LEN], ja4[TLS_JA4_LEN], text[TLS_JA3_TEXT];
	struct writer w = writer_new(text, sizeof(text));
	struct tls_hello h;

	if (tls_hello_first((struct bytes){data, len}, &h) == PARSE_BAD)
		return 0;
	touch(h.server_name);
	touch(h.alpn);
	tls_ja3(&h, ja3, &w);
	tls_ja4(&h, ja4);
	return 0;
}
