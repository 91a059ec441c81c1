#ifndef BEDWARDEN_GUARD_PROTO_MAIL_H
#define BEDWARDEN_GUARD_PROTO_MAIL_H
/*
 * How conversations about mail begin: SMTP (RFC 5321, AUTH of RFC 4954), POP3 (RFC
 * 1939, RFC 5034) and IMAP (RFC 9051). All three are lines, a login and STARTTLS;
 * what differs is a table. A message for each command without what it says, and
 * one for the answer to a login. Behind TLS, or with the first mail, nothing is
 * read any more: of mail only that it goes in clear text is told.
 */
#include "guard/proto/proto.h"

struct mail_msg {
	struct msg msg;
	struct bytes command;	/* none where a login goes on */
	struct bytes mechanism; /* of SASL */
	const char *login;	/* "user", "password", "failed", "succeeded" */
	uint8_t failed_logins;
	bool default_login;
	bool encrypted;	  /* the answer behind which all is TLS */
	bool unencrypted; /* mail goes in clear text from here on */
};

extern const struct proto smtp_proto, pop3_proto, imap_proto;

#endif
