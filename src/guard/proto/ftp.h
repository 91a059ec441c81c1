#ifndef BEDWARDEN_GUARD_PROTO_FTP_H
#define BEDWARDEN_GUARD_PROTO_FTP_H
/*
 * FTP's control connection (RFC 959, RFC 2428, RFC 4217): a message for each
 * command and each reply, without passwords. Where data will go is told; once
 * TLS is agreed on, nothing is read any more.
 */
#include "guard/proto/proto.h"

struct ftp_msg {
	struct msg msg;
	struct bytes command, data; /* data: not of PASS and ACCT */
	struct bytes code, reply;
	const char *mode; /* "active", "passive" */
	uint16_t dynamic_port;
	uint8_t address[16]; /* beside it, IPv4 as ::ffff:a.b.c.d */
	bool has_address;
	bool asked;	   /* of 227 and 229: by a PASV or EPSV that had no answer yet */
	const char *login; /* "user", "password", "failed", "succeeded" */
	uint8_t failed_logins;
	bool default_login;
	bool no_password; /* let in by a name alone, or as anonymous (RFC 1635) */
	bool encrypted; /* the reply behind which nothing is read any more (RFC 4217 §4, RFC 2228) */
};

extern const struct proto ftp_proto;

#endif
