#ifndef BEDWARDEN_KEEP_PCAPNG_H
#define BEDWARDEN_KEEP_PCAPNG_H
/*
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, interfaces with names
 * and nanoseconds, Ethernet packets with a comment each. Big-endian, so the
 * bytes are the same everywhere. A writer too small turns bad, as writers do.
 */
#include "base/bytes.h"

#define PCAPNG_COMMENT_MAX 512
#define PCAPNG_HEAD	   128 /* bytes a section's head takes, at most; */
#define PCAPNG_INTERFACE   64  /* an interface; */
#define PCAPNG_PACKET(len) (48 + (len) + PCAPNG_COMMENT_MAX) /* a packet */

/* §4.1: the section header; `application` wrote it. */
void pcapng_begin(struct writer *w, const char *application);
/* §4.2: the next interface, numbered from 0 on. A name of at most 15 bytes. */
void pcapng_interface(struct writer *w, const char *name);
/* §4.3: of a frame of `wire_len` bytes, `data` was kept. A comment is cut; "" writes none. */
void pcapng_packet(struct writer *w, uint32_t interface, uint64_t time_ns, struct bytes data,
		   uint32_t wire_len, const char *comment);

#endif
