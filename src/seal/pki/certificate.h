#ifndef BEDWARDEN_SEAL_PKI_CERTIFICATE_H
#define BEDWARDEN_SEAL_PKI_CERTIFICATE_H
/*
 * Making certificates and revocation lists (RFC 5280), and what is asked for in
 * requests (PKCS #10, RFC 2986), which come from outside and are believed in
 * nothing: size, form, key, signature and every name are checked before use.
 *
 * Keys are whatever OpenSSL can sign with, here seal/pki/signer.h's. Time and
 * randomness are the caller's.
 */
#include "base/bytes.h"

#include <openssl/x509.h>

#define CERT_ERROR     256
#define CERT_NAME      64 /* bytes of a common name, RFC 5280's ub-common-name, and a zero: 65 */
#define CERT_NAMES     16 /* alternative names of a certificate */
#define CERT_HOST      254
#define CERT_CSR_MAX   16384 /* bytes of a request, in DER */
#define CERT_SERIAL    16
#define CERT_CLOCK_OFF 300 /* seconds that a certificate is valid before it was made */

/* What a certificate is for. */
enum cert_profile {
	CERT_GATEWAY, /* another gateway, and servers behind its relays: both ends of TLS */
	CERT_SERVER,  /* a hospital's server: it answers, and calls devices back */
	CERT_DEVICE,  /* a device that can do TLS by itself: it calls */
	CERT_CONSOLE, /* the page of this gateway: it answers browsers */
	CERT_PROFILES,
};
const char *cert_profile_name(enum cert_profile p);
/* CERT_PROFILES where there is none of that name. */
enum cert_profile cert_profile_find(const char *name);

/* Names of a machine: DNS names and addresses, as text. */
struct cert_names {
	char name[CERT_NAMES][CERT_HOST];
	unsigned count;
};
/* Adds one that is well-formed and not there yet. 0; -EINVAL; -ENOSPC. */
int cert_names_add(struct cert_names *n, const char *name);
bool cert_names_have(const struct cert_names *n, const char *name);
/* Those of a certificate's subjectAltName. */
int cert_names_of(X509 *x, struct cert_names *ret_names);

struct csr {
	EVP_PKEY *key;		  /* csr_free() */
	char name[CERT_NAME + 1]; /* its common name; "" none */
	struct cert_names names;
};
/*
 * DER, PEM, or DER in base64 (as EST has it). -EBADMSG no request; -EMSGSIZE; -EACCES a key or
 * a signature that is too weak, or a signature that is not its own (proof of possession);
 * -EINVAL names that are none, or something asked for that nobody gets. ret_error says it.
 */
int csr_read(struct bytes text, struct csr *ret_csr, char ret_error[CERT_ERROR]);
void csr_free(struct csr *c);
/* A request of our own, to take to another authority. NULL. */
X509_REQ *csr_make(EVP_PKEY *key, EVP_PKEY *public, const char *name,
		   const struct cert_names *names);

struct cert_order {
	enum cert_profile profile;
	const char *name; /* common name */
	const struct cert_names *names;
	EVP_PKEY *key;		     /* public half */
	uint8_t serial[CERT_SERIAL]; /* random; its top bit is cleared, RFC 5280 §4.1.2.2 */
	int64_t now_s;
	uint32_t days;
};
/* Not longer than its issuer is valid. NULL: OpenSSL failed, or the issuer is over. */
X509 *cert_issue(X509 *issuer, EVP_PKEY *issuer_key, const struct cert_order *o);
/* An authority that signs itself; pathlen 0: it has none below it. */
X509 *cert_root(EVP_PKEY *key, EVP_PKEY *public, const struct cert_order *o);

struct cert_revoked {
	uint8_t serial[CERT_SERIAL];
	int64_t when_s;
	int reason; /* RFC 5280 §5.3.1; 0 unspecified, which is left out */
};
X509_CRL *cert_crl(X509 *issuer, EVP_PKEY *issuer_key, const struct cert_revoked *list,
		   size_t count, uint64_t number, int64_t now_s, uint32_t hours);

/* As text for files: the caller's to free(). NULL without memory. */
char *cert_text(X509 *x);
char *cert_crl_text(X509_CRL *crl);
char *cert_csr_text(X509_REQ *r);
/* Certificates only, PKCS #7 in DER: the answer of EST (RFC 7030 §4.1.3). OPENSSL_free(). 0: none. */
size_t cert_pkcs7(STACK_OF(X509) * chain, uint8_t **ret_der);
/* PEM certificates one after the other; NULL: none, or a broken one. */
STACK_OF(X509) * cert_chain(struct bytes pem);
void cert_serial(X509 *x, uint8_t ret_serial[CERT_SERIAL]);

#endif
