#include "people/console/client_cert.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/hex.h"

/* All of the authorities or none: who is missing would be kept out without a word. */
static int read_authorities(BIO *in, X509_STORE *store, STACK_OF(X509_NAME) * names)
{
	bool good = true;
	unsigned count = 0;
	X509_NAME *name;
	X509 *x;

	while (good && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		name = X509_NAME_dup(X509_get_subject_name(x));
		good = name && X509_STORE_add_cert(store, x) == 1 &&
		       sk_X509_NAME_push(names, name) > 0;
		if (!good)
			X509_NAME_free(name);
		X509_free(x);
		count++;
	}
	if (!good)
		return -ENOMEM;
	return count && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : -EBADMSG;
}

int client_cert_ask(SSL_CTX *tls, struct bytes pem)
{
	BIO *in = pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	X509_STORE *store = X509_STORE_new();
	int err = !pem.len ? -EBADMSG : !in || !names || !store ? -ENOMEM : 0;

	if (err == 0)
		err = read_authorities(in, store, names);
	if (err == 0) {
		SSL_CTX_set1_verify_cert_store(tls, store);
		SSL_CTX_set_client_CA_list(tls, names);
		names = NULL;
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_num_tickets(tls, 0); /* it is looked at again in every handshake */
	}
	ERR_clear_error();
	sk_X509_NAME_pop_free(names, X509_NAME_free);
	X509_STORE_free(store);
	BIO_free(in);
	return err;
}

static void write_subject(X509 *x, char *ret_text, size_t cap)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len = 0;

	*ret_text = 0;
	/* RFC 4514, with everything but printable ASCII escaped. */
	if (out && X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_get_mem_data(out, &text);
	if (text && len > 0)
		snprintf(ret_text, cap, "%.*s", (int)len, text);
	BIO_free(out);
}

bool client_cert_text(const SSL *ssl, char ret_text[CLIENT_CERT_TEXT])
{
	X509 *x = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : NULL;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!x || X509_digest(x, EVP_sha256(), hash, &len) != 1 || len * 2 != CLIENT_CERT_PRINT)
		return false;
	hex_write(hash, len, ret_text);
	ret_text[CLIENT_CERT_PRINT] = ' ';
	write_subject(x, ret_text + CLIENT_CERT_PRINT + 1,
		      CLIENT_CERT_TEXT - CLIENT_CERT_PRINT - 1);
	return true;
}
