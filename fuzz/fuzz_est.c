/* A request for enrolment by HTTP: whole, and in every shorter piece; what is in it as a CSR. */
#include <stdlib.h>

#include "fuzz/touch.h"
#include "seal/pki/certificate.h"
#include "seal/pki/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_request r, half;
	char error[CERT_ERROR];
	struct csr csr;
	unsigned status = 0;
	size_t step = size / 16 + 1;

	for (size_t n = 0; n < size; n += step)
		est_read((struct bytes){data, n}, &half, &status);
	if (est_read((struct bytes){data, size}, &r, &status) != PARSE_OK)
		return 0;
	if (status || strlen(r.code) >= EST_CODE_MAX || r.body.len > EST_BODY_MAX)
		abort();
	touch(r.body);
	if (r.body.len && csr_read(r.body, &csr, error) == 0)
		csr_free(&csr);
	return 0;
}
