#ifndef BEDWARDEN_GUARD_PROTO_TLS_CIPHER_H
#define BEDWARDEN_GUARD_PROTO_TLS_CIPHER_H
/*
 * Names of cipher suites, as the IANA registry "TLS Cipher Suites" has them: all
 * that libraries still speak, those of pre-shared keys among them, and the weak ones
 * that old devices agree to.
 */
#include <stdint.h>

/* NULL where it has none here. */
const char *tls_cipher_name(uint16_t cipher);

#endif
