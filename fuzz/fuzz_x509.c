#include "guard/proto/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[128], time[X509_TIME_LEN], address[X509_ADDRESS_LEN];
	struct writer w = writer_new(name, sizeof(name));
	struct x509 x;
	size_t at = 0;

	if (x509_read((struct bytes){data, len}, &x) != PARSE_OK)
		return 0;
	x509_name(x.issuer, &w);
	x509_name(x.subject, &w);
	x509_time(x.not_before, time);
	x509_time(x.not_after, time);
	while (x509_next_name(x.names, &at, address).data)
		;
	return 0;
}
