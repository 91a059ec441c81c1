#ifndef BEDWARDEN_SEAL_LINK_ESTATE_H
#define BEDWARDEN_SEAL_LINK_ESTATE_H
/*
 * What a link's process leaves to its successor: the keys in use, so that what peers go on
 * sending is opened by whoever comes next (ADR 37). It lies in memory that the owner gave
 * (links_estate()) and that outlives the process, plain values without a pointer; where none was
 * given, in memory of its own. The process may end between any two stores:
 *
 *   - `whole` is set last and cleared first;
 *   - `seq` is raised before a record is sealed by the number, so no number serves twice;
 *   - of numbers that came, only the highest is believed by a successor: all up to it count as
 *     having come (window_shut()).
 *
 * Whatever does not add up is wiped, not used: a handshake replaces it.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "seal/link/record.h"
#include "seal/link/window.h"
#include "seal/pki/tls.h"

#define ESTATE_SESSIONS 192 /* LINK_PEERS times LINK_KEYS */

/* An address as the kernel gave it. */
struct where {
	struct sockaddr_storage sa;
	socklen_t len; /* 0: none */
};

/* What one handshake has agreed on. */
struct session {
	uint32_t whole; /* ESTATE_WHOLE, or all of it means nothing */
	uint32_t used;	/* 1: the peer's frames are sealed by it */
	char peer[256];
	char cipher[64]; /* OpenSSL's name */
	struct record_secrets secrets;
	uint64_t seq; /* of the next record to be sealed */
	uint64_t born_ns;
	uint64_t old_ns; /* when its successor came in use; 0: none has */
	uint64_t forged;
	uint32_t client, heard; /* 0 or 1 */
	struct where at;	/* of its handshake, then where the peer is */
	struct tls_peer who;
	struct window window;
};
#define ESTATE_WHOLE 0x57b10e01u

struct estate {
	uint64_t form; /* another release's is not believed */
	struct session sessions[ESTATE_SESSIONS];
};

/* Memory of a predecessor, or zeros: what cannot be is wiped, the rest stands. */
void estate_open(struct estate *e);
/* A free place, wiped; NULL: there is none. Whole once the caller says so. */
struct session *estate_place(struct estate *e);
/* Says that it is whole. */
void session_keep(struct session *s);
void session_wipe(struct session *s);

#endif
