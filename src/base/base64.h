#ifndef BEDWARDEN_BASE_BASE64_H
#define BEDWARDEN_BASE_BASE64_H
/*
 * RFC 4648 §4, canonical: a value has one encoding, so that a file cannot be altered
 * without notice (§3.5), and there is no character besides.
 */
#include "base/bytes.h"

/* Characters that n bytes take without padding. */
#define BASE64_LEN(n) (((n)*4 + 2) / 3)

/* Writes BASE64_LEN(len) characters, no padding, no zero. */
void base64_write(const void *data, size_t len, char *ret_text);
/* The same, filled up with '=' to a multiple of four; tells the length. */
size_t base64_write_padded(const void *data, size_t len, char *ret_text);

/*
 * Without padding. 0 and the length, at most max; -EINVAL for what no encoder
 * writes or what is longer than max.
 */
int base64_read(struct bytes text, uint8_t *ret_data, size_t max, size_t *ret_len);
/* With padding where it belongs, else the same. */
int base64_read_padded(struct bytes text, uint8_t *ret_data, size_t max, size_t *ret_len);

#endif
