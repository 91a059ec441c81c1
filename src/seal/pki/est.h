#ifndef BEDWARDEN_SEAL_PKI_EST_H
#define BEDWARDEN_SEAL_PKI_EST_H
/*
 * Enrolment over Secure Transport, RFC 7030, as far as machines need it: cacerts,
 * simpleenroll (by a one-time code, the password of HTTP's Basic) and simplereenroll (by
 * the certificate that TLS was spoken with). One request a connection; whatever
 * else HTTP could carry is refused by its number.
 */
#include "base/bytes.h"

#define EST_HEAD_MAX 8192
#define EST_BODY_MAX 32768 /* a request in base64 */
#define EST_CODE_MAX 64

enum est_call { EST_CACERTS, EST_ENROLL, EST_REENROLL };

struct est_request {
	enum est_call call;
	char code[EST_CODE_MAX]; /* the password; "" none */
	struct bytes body;	 /* base64, borrowed */
};

/*
 * OK: a request. MORE: it goes on; *ret_status 100: the client waits to be told to. BAD: refused, with
 * HTTP's *ret_status.
 */
enum parse est_read(struct bytes in, struct est_request *ret_r, unsigned *ret_status);

/* An answer, the caller's to free(); NULL no memory. */
char *est_certificates(struct bytes pkcs7_der, bool enrolled, size_t *ret_len);
char *est_refusal(unsigned status, const char *text, size_t *ret_len);

#endif
