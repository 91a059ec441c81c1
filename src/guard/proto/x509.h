#ifndef BEDWARDEN_GUARD_PROTO_X509_H
#define BEDWARDEN_GUARD_PROTO_X509_H
/*
 * What an X.509 certificate (RFC 5280 §4.1) says of itself: whose it is, who
 * vouches, from when to when. A walk through its DER (X.690) that checks every
 * length and no signature; trust is not decided here. Borrows the bytes.
 */
#include "base/bytes.h"

#define X509_TIME_LEN 20 /* "2031-05-04T12:00:00" with its end */

struct x509 {
	struct bytes serial;	       /* the integer's bytes, the highest first */
	struct bytes issuer, subject;  /* names in DER, for x509_name() and to be compared */
	struct bytes names;	       /* the value of subjectAltName; empty where there is none */
	int64_t not_before, not_after; /* seconds since 1970, both included */
	bool self_signed;	       /* names itself as its issuer */
};

/* PARSE_BAD where it is no certificate, or its lengths lie. */
enum parse x509_read(struct bytes der, struct x509 *ret_x);

/* "C=DE, O=Clinic, CN=pump-7 + UID=7", as far as it fits. */
void x509_name(struct bytes name, struct writer *w);

/*
 * RFC 5280 §4.2.1.6: the next of the names that a certificate is good for: hosts, mail
 * addresses and URIs as they stand there, addresses of IP as text in `address`. *at is 0 at
 * first; data NULL behind the last. What is of another kind is passed over.
 */
#define X509_ADDRESS_LEN 48
struct bytes x509_next_name(struct bytes names, size_t *at, char address[X509_ADDRESS_LEN]);

/* A time as Suricata writes it, "2031-05-04T12:00:00". */
void x509_time(int64_t t, char ret_text[X509_TIME_LEN]);

#endif
