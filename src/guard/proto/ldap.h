#ifndef BEDWARDEN_GUARD_PROTO_LDAP_H
#define BEDWARDEN_GUARD_PROTO_LDAP_H
/*
 * LDAP over TCP (RFC 4511): who logs in to a directory and how, and what is asked
 * of it: operations and results, not what is in its entries. Behind StartTLS, or
 * once a login of SASL seals what follows, nothing is read any more.
 */
#include "guard/proto/proto.h"

struct ldap_msg {
	struct msg msg;
	uint32_t id;
	const char *operation;	/* "bind_request" */
	struct bytes name;	/* of a bind: who; empty: nobody */
	struct bytes mechanism; /* of SASL */
	const char *result;	/* "success", "invalid_credentials" */
	uint8_t result_code;
	const char *login; /* "password", "anonymous", "failed", "succeeded" */
	uint8_t failed_logins;
	bool default_login;
	bool no_password; /* gives its entries to who has not logged in */
	bool encrypted;
	bool unencrypted; /* about an entry, and in clear text */
};

extern const struct proto ldap_proto;

#endif
