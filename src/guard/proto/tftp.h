#ifndef BEDWARDEN_GUARD_PROTO_TFTP_H
#define BEDWARDEN_GUARD_PROTO_TFTP_H
/*
 * What is asked of a TFTP server (RFC 1350, options of RFC 2347): which file,
 * to read or to write. The data goes between ports of its own and is not read.
 */
#include "guard/proto/proto.h"

struct tftp_msg {
	struct msg msg;
	const char *packet; /* "read", "write", "error" */
	struct bytes file, mode;
	uint16_t error_code;
};

extern const struct proto tftp_proto;

#endif
