#ifndef BEDWARDEN_GUARD_PROTO_RFB_H
#define BEDWARDEN_GUARD_PROTO_RFB_H
/*
 * VNC's opening (RFC 6143 §7.1 to §7.3, with the versions before 3.8): versions,
 * how the client must prove itself, whether it could, and what screen it gets.
 * Then nothing is read; nor where a kind of security is chosen that goes on in
 * its own way, or a version that does (RealVNC's 4 and 5). Of VeNCrypt, which most
 * servers encrypt by, it is told which of its kinds.
 */
#include "guard/proto/proto.h"

struct rfb_msg {
	struct msg msg;
	struct bytes server_major, server_minor, client_major, client_minor;
	uint8_t security;   /* RFC 6143 §7.1.2: 1 none, 2 a password */
	uint32_t subtype;   /* of VeNCrypt (19): 256 a password in clear text, more: TLS */
	bool encrypted;	    /* what follows, by the kind that was chosen */
	const char *result; /* "OK", "FAIL" */
	const char *login;  /* "succeeded", "failed" */
	bool no_password;
	uint16_t width, height;
	struct bytes name;
};

extern const struct proto rfb_proto;

#endif
