#ifndef BEDWARDEN_GUARD_POLICY_WEAKNESS_H
#define BEDWARDEN_GUARD_POLICY_WEAKNESS_H
/*
 * What a message shows of a machine's weaknesses: that it speaks in clear text,
 * by an outdated protocol, with a certificate nobody should trust, or with a
 * login that everybody knows. Each has a reason, and what to do about it.
 */
#include "base/reason.h"
#include "guard/proto/proto.h"

enum weakness {
	WEAKNESS_TELNET,
	WEAKNESS_FTP,
	WEAKNESS_TFTP,
	WEAKNESS_HTTP,
	WEAKNESS_PASSWORD,
	WEAKNESS_VNC,
	WEAKNESS_NO_PASSWORD,
	WEAKNESS_RDP,
	WEAKNESS_SMB1,
	WEAKNESS_SNMP,
	WEAKNESS_COMMUNITY,
	WEAKNESS_LOG,
	WEAKNESS_CALL,
	WEAKNESS_MEDICAL,
	WEAKNESS_IOT,
	WEAKNESS_DEFAULT_LOGIN,
	WEAKNESS_OLD_TLS,
	WEAKNESS_EXPIRED,
	WEAKNESS_SELF_SIGNED,
	WEAKNESS_PEER_CERTIFICATE,
	WEAKNESS_CONTROL,
	WEAKNESS_SMB,
	WEAKNESS_SNMP3_CLEAR,
	WEAKNESS_EARLY,
	WEAKNESS_MAIL,
	WEAKNESS_DIRECTORY,
	WEAKNESS_DATABASE,
	WEAKNESS_PRINT,
	WEAKNESS_NFS,
	WEAKNESS_VIDEO,
	WEAKNESS_COUNT,
};

typedef uint32_t weakness_set; /* bits by enum weakness */

/* Of the one who said the message, and of the one it was said to. */
struct weaknesses {
	weakness_set by, to;
};

struct weaknesses weaknesses_of(const struct proto *p, const struct msg *m);
/* Of a conversation that no parser reads, by the name it has (app_name()), of both its ends. */
weakness_set weaknesses_of_app(const char *app);

const char *weakness_name(enum weakness w); /* "telnet", "expired certificate" */
enum reason weakness_reason(enum weakness w);
const char *weakness_advice(enum weakness w); /* what to do, a sentence */

#endif
