#ifndef BEDWARDEN_BASE_HEX_H
#define BEDWARDEN_BASE_HEX_H
/*
 * Bytes as hexadecimal text (RFC 4648 §8, but in small letters): digests, serial numbers, marks.
 * base/digits.h writes single numbers into an event's line.
 */
#include "base/bytes.h"

/* What the text of n bytes takes, with its zero. */
#define HEX_LEN(n) (2 * (n) + 1)

/* Small letters and a zero: HEX_LEN(len) bytes. */
void hex_write(const void *data, size_t len, char *ret_text);
/* Both cases. 0 and the length; -EINVAL for anything else, or longer than max, which leaves
 * ret_data as it may be. */
int hex_read(const char *text, size_t text_len, uint8_t *ret_data, size_t max, size_t *ret_len);
/* Exactly `len` bytes, in small letters: a value has one text. */
bool hex_read_small(struct bytes text, void *ret_data, size_t len);

#endif
