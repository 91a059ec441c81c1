#ifndef BEDWARDEN_GUARD_PROTO_DATABASE_H
#define BEDWARDEN_GUARD_PROTO_DATABASE_H
/*
 * How conversations with databases begin: PostgreSQL (protocol 3), MySQL and
 * MariaDB (protocol 10), Microsoft's SQL Server (MS-TDS). Whether TLS is agreed
 * on, and how one logs in; nothing behind that is read.
 */
#include "guard/proto/proto.h"

struct database_msg {
	struct msg msg;
	const char *login; /* "password": in clear text; "failed", "succeeded" */
	bool no_password;  /* let in without one */
	bool encrypted;	   /* from here on, by TLS or Kerberos */
	bool unencrypted;  /* what is asked and answered goes in clear text */
};

extern const struct proto pgsql_proto, mysql_proto, tds_proto;

#endif
