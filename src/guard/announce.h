#ifndef BEDWARDEN_GUARD_ANNOUNCE_H
#define BEDWARDEN_GUARD_ANNOUNCE_H
/*
 * Data that a conversation asks for and that comes by a conversation of its own: FTP's PORT, EPRT and
 * answers to PASV and EPSV (RFC 959 §3.2, RFC 2428), TFTP's requests (RFC 1350 §4). Read from a
 * message: which of the two ends is to be met, and at which port.
 */
#include "bpf/shared.h"
#include "guard/session.h"

struct announce {
	uint8_t at; /* the end that listens; the other one begins */
	uint16_t port;
};

enum announce_word {
	ANNOUNCE_NOTHING,
	ANNOUNCE_DATA,
	/* The server names an address that is not its own, as one behind a translation does: a client
	 * that knows its trade comes to the server itself (RFC 2428 §3 says nothing else). */
	ANNOUNCE_TRANSLATED,
	/* A third machine is to be called (RFC 2577 §3), or a port below 1024, which is a service and to be
	 * allowed as one. */
	ANNOUNCE_ELSEWHERE,
};

/* The client is end 0. ret_a holds with ANNOUNCE_DATA and ANNOUNCE_TRANSLATED. */
enum announce_word announce_read(const struct session_message *m, struct announce *ret_a);
/*
 * Does the message say that from here on nobody can read what is announced? A reply by which FTP goes
 * over to TLS or Kerberos (RFC 4217 §4, RFC 2228 §3), or FTP that began so (port 990).
 */
bool announce_hidden(const struct session_message *m);

/* The door for data between a device, which is `device_end` of the message's conversation, and the
 * other end, as `opener` has them: its id, time and flags are the opener's. */
void announce_door(const struct announce *a, const struct gate_grant_row *opener,
		   unsigned device_end, struct gate_grant_row *ret_row);

#endif
