#ifndef BEDWARDEN_GUARD_ANNOUNCE_H
#define BEDWARDEN_GUARD_ANNOUNCE_H
/*
 * Data that a conversation under a grant asks for and that comes by a conversation of its own: FTP's
 * PORT, EPRT and answers to PASV and EPSV (RFC 959 §3.2, RFC 2428), TFTP's requests (RFC 1350 §4). A
 * message that announces one is turned into the door that lets it through: between the grant's two
 * ends alone, at the announced port, until the grant's end.
 */
#include "bpf/shared.h"
#include "guard/session.h"

/*
 * `grant` is the row that the message's own conversation stands under. False: the message announces
 * nothing, its grant is for a service without data of its own (GATE_GRANT_DATA), the wrong end says
 * it, or it names a port below 1024 or somebody else's address.
 */
bool announce_door(const struct session_message *m, const struct gate_grant_row *grant,
		   struct gate_grant_row *ret_row);
/*
 * Does the message say that from here on nobody can read what is announced? A reply by which FTP goes
 * over to TLS or Kerberos (RFC 4217 §4, RFC 2228 §3), or FTP that began so (port 990).
 */
bool announce_hidden(const struct session_message *m, const struct gate_grant_row *grant);

#endif
