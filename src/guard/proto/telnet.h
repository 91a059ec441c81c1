#ifndef BEDWARDEN_GUARD_PROTO_TELNET_H
#define BEDWARDEN_GUARD_PROTO_TELNET_H
/*
 * Telnet (RFC 854): that it is spoken, what is negotiated of the terminal (RFC
 * 1091, RFC 1572), and logins, found by what the server asks for. Names and
 * passwords are compared with those that machines are delivered with, and never
 * given out.
 */
#include "guard/proto/proto.h"

struct telnet_msg {
	struct msg msg;
	const char *type;  /* "begin", "terminal", "login"; "input": the first outside of a login */
	const char *login; /* "user", "password", "failed", "succeeded" */
	struct bytes terminal;
	uint8_t attempts, failed_logins;
	bool default_login;
	bool no_password; /* typed at a prompt for commands, and none was ever said */
};

extern const struct proto telnet_proto;

#endif
