#ifndef BEDWARDEN_SEAL_PKI_KEYBLOCK_H
#define BEDWARDEN_SEAL_PKI_KEYBLOCK_H
/* What keys of (D)TLS 1.2 are cut from, for who seals records itself. */
#include <stddef.h>
#include <stdint.h>

struct ssl_st;

/* The key block (RFC 5246 §6.3) of a handshake that is over: client's keys, server's, client's
 * IV, server's. 0 or -EIO. */
int keyblock(struct ssl_st *ssl, uint8_t *ret_block, size_t len);

#endif
