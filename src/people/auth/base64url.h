#ifndef BEDWARDEN_PEOPLE_AUTH_BASE64URL_H
#define BEDWARDEN_PEOPLE_AUTH_BASE64URL_H
/*
 * RFC 4648 §5 without padding, as WebAuthn, tokens and tickets are written.
 * One value has one text: what no encoder writes is refused.
 */
#include "base/bytes.h"

/* Characters that n bytes take. */
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)

/* Writes BASE64URL_LEN(len) characters and a zero. */
void base64url_write(const void *data, size_t len, char *ret_text);
/* 0 and the length, at most max; -EINVAL. */
int base64url_read(const char *text, uint8_t *ret_data, size_t max, size_t *ret_len);

#endif
