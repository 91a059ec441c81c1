#include "seal/pki/keyblock.h"

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

int keyblock(SSL *ssl, uint8_t *ret_block, size_t len)
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
	const EVP_MD *md = suite ? SSL_CIPHER_get_handshake_digest(suite) : NULL;
	uint8_t secret[SSL_MAX_MASTER_KEY_LENGTH],
		seed[13 + 2 * SSL3_RANDOM_SIZE] = "key expansion";
	size_t secret_len =
		SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof(secret));
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST,
				       (char *)(uintptr_t)(md ? EVP_MD_get0_name(md) : ""), 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, secret, secret_len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
		OSSL_PARAM_END,
	};
	int err = -EIO;

	if (ctx && md && secret_len && SSL_get_server_random(ssl, seed + 13, SSL3_RANDOM_SIZE) &&
	    SSL_get_client_random(ssl, seed + 13 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE) &&
	    EVP_KDF_derive(ctx, ret_block, len, params) == 1)
		err = 0;
	OPENSSL_cleanse(secret, sizeof(secret));
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return err;
}
