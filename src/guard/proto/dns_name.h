#ifndef BEDWARDEN_GUARD_PROTO_DNS_NAME_H
#define BEDWARDEN_GUARD_PROTO_DNS_NAME_H
/*
 * Names in DNS messages (RFC 1035 §3.1, §4.1.4), compressed or not. A pointer
 * leads to before the name it ends, each further back than the last, so every
 * name ends; whatever else is refused.
 */
#include "base/bytes.h"

#define DNS_LABELS   128 /* more than a name of 255 bytes has */
#define DNS_NAME_MAX 255

struct dns_name {
	struct bytes label[DNS_LABELS]; /* borrowed from the message */
	unsigned count;
};

/* `r` is over the whole message and ends up behind the name. */
bool dns_name_read(struct reader *r, struct dns_name *ret_n);
/* The same without the labels; costs what the name's own bytes do. */
bool dns_name_skip(struct reader *r);
/* "pacs.clinic.example", as far as it fits; the root is "". */
void dns_name_write(const struct dns_name *n, struct writer *w);

#endif
