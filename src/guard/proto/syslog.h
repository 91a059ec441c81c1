#ifndef BEDWARDEN_GUARD_PROTO_SYSLOG_H
#define BEDWARDEN_GUARD_PROTO_SYSLOG_H
/*
 * Syslog (RFC 5424, and the older manner that RFC 3164 describes) over UDP and
 * TCP (RFC 6587): how grave it is and which program of which machine says it.
 * What it says stays where it is: it may be about a patient.
 */
#include "guard/proto/proto.h"

struct syslog_msg {
	struct msg msg;
	const char *facility, *severity;
	uint8_t version; /* 1 of RFC 5424, 0 the older manner */
	struct bytes hostname, appname;
};

extern const struct proto syslog_proto;

#endif
