#ifndef BEDWARDEN_BASE_PIN_H
#define BEDWARDEN_BASE_PIN_H
/* A key that the other end must have, as a policy writes it: SHA-256 of its SubjectPublicKeyInfo. */
#include "base/crypto.h"

/* "sha256/BASE64" (RFC 7469 §2.1.1) or 64 hexadecimal digits, maybe with colons; false: neither. */
bool pin_parse(const char *text, uint8_t ret_pin[CRYPTO_HASH]);

#endif
