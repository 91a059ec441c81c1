#ifndef BEDWARDEN_BASE_HTTP_STATUS_H
#define BEDWARDEN_BASE_HTTP_STATUS_H
/* What HTTP calls its status codes: RFC 9110 §15, RFC 6585 §4, RFC 4918 §11.5. */

/* Of those that we answer by; of any other what its class is. */
const char *http_phrase(unsigned status);

#endif
