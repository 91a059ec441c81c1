#ifndef BEDWARDEN_GUARD_PROTO_PRINT_H
#define BEDWARDEN_GUARD_PROTO_PRINT_H
/*
 * Print jobs: by LPD (RFC 1179) and as they are (port 9100). That there is one, and
 * in which language; nothing of what is printed is read. IPP is HTTP.
 */
#include "guard/proto/proto.h"

struct print_msg {
	struct msg msg;
	const char *command;  /* of LPD: "receive_job" */
	const char *language; /* "PJL", "PostScript", "PCL", "PDF" */
	bool unencrypted;     /* a job */
};

extern const struct proto print_proto;

#endif
