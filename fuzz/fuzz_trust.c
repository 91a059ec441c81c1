/* Files with issuers, revocation lists and chains. */
#include <stdlib.h>

#include "base/pin.h"
#include "seal/pki/certificate.h"
#include "seal/pki/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trust *t = trust_new();
	struct cert_names names;
	STACK_OF(X509) * chain;
	char text[128];
	uint8_t pin[CRYPTO_HASH], serial[CERT_SERIAL];
	int n = trust_add(t, (struct bytes){data, size});

	if (n > 0 && trust_count(t) > (unsigned)n)
		abort();
	trust_free(t);
	chain = cert_chain((struct bytes){data, size});
	for (int i = 0; i < sk_X509_num(chain); i++) {
		cert_names_of(sk_X509_value(chain, i), &names);
		cert_serial(sk_X509_value(chain, i), serial);
		tls_pin(sk_X509_value(chain, i), pin);
	}
	sk_X509_pop_free(chain, X509_free);
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = 0;
		pin_parse(text, pin);
	}
	return 0;
}
