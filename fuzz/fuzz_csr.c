/* A certificate request, in DER, PEM or base64: what is believed of it holds. */
#include <stdlib.h>

#include "seal/pki/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CERT_ERROR] = "";
	struct cert_names again = {0};
	struct csr r;

	if (csr_read((struct bytes){data, size}, &r, error) < 0) {
		if (!*error || memchr(error, 0, sizeof(error)) == NULL)
			abort();
		return 0;
	}
	if (!r.key || strlen(r.name) > CERT_NAME || r.names.count > CERT_NAMES)
		abort();
	for (unsigned i = 0; i < r.names.count; i++)
		if (cert_names_add(&again, r.names.name[i]) < 0)
			abort();
	csr_free(&r);
	return 0;
}
