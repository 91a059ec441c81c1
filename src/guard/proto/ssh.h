#ifndef BEDWARDEN_GUARD_PROTO_SSH_H
#define BEDWARDEN_GUARD_PROTO_SSH_H
/*
 * SSH (RFC 4253): the programs at both ends and what they offer (HASSH). A
 * message for each end's offer, with what is known of both.
 *
 * What follows is encrypted, but not how much it is and who says it: the
 * server's answer to a login that fails is always as long as the one before
 * (RFC 4252 §5.1), and what holds a password is of a length of its own. So failed
 * logins by password are counted, not the keys that a client offers in turn. It is one too few where
 * the server shows a banner, or prompts, and the client is not OpenSSH; one too
 * many where another client asks for prompts that there are not; none where the
 * server answers in lengths of its own.
 */
#include "guard/proto/proto.h"

#define SSH_SOFTWARE_MAX 120
#define SSH_HASSH_LEN	 33

struct ssh_msg {
	struct msg msg;
	struct {
		struct bytes version, software, hassh, hassh_text;
	} end[2];	   /* client, server */
	const char *login; /* "failed", "succeeded" */
	uint8_t failed_logins;
	char text[2048]; /* the offer that is being told */
};

extern const struct proto ssh_proto;

#endif
