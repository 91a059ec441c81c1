#ifndef BEDWARDEN_SEAL_RELAY_PROXY_H
#define BEDWARDEN_SEAL_RELAY_PROXY_H
/*
 * The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt §2.2): a header
 * before everything else, by which a server behind a relay learns the address of
 * the real sender. Version 1, the one in text, is neither read nor written.
 */
#include <sys/socket.h>

#include "base/bytes.h"

#define PROXY_HEAD 16  /* bytes that every header has */
#define PROXY_MAX  536 /* longest we take: with addresses of sockets in files and what follows */
#define PROXY_OURS 52  /* longest we write */

struct proxy_header {
	bool local;		  /* LOCAL: the proxy speaks for itself; no addresses */
	bool known;		  /* addresses that we know: TCP over IPv4 or IPv6 */
	uint8_t from[16], to[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t from_port, to_port;
};

/* *ret_used bytes are the header. MORE where it goes on; BAD where it is none, or of another kind. */
enum parse proxy_read(struct bytes in, struct proxy_header *ret_h, size_t *ret_used);
/* Its length. */
size_t proxy_write(const struct proxy_header *h, uint8_t ret_data[PROXY_OURS]);

/* An IPv4 or IPv6 socket address as the two are kept above; false for another family. */
bool proxy_address(const struct sockaddr *sa, uint8_t ret_ip[16], uint16_t *ret_port);

#endif
