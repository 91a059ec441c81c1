#ifndef BEDWARDEN_PEOPLE_AUTH_AUTHDATA_H
#define BEDWARDEN_PEOPLE_AUTH_AUTHDATA_H
/*
 * What an authenticator says of itself and of a credential (WebAuthn L3 §6.1). Borrowed.
 */
#include "people/auth/cose.h"

enum authdata_flag {
	AUTHDATA_UP = 0x01, /* somebody was there */
	AUTHDATA_UV = 0x04, /* and the authenticator made sure who: PIN, finger, face */
	AUTHDATA_BE = 0x08, /* the key may be copied to other devices */
	AUTHDATA_BS = 0x10, /* and was */
	AUTHDATA_AT = 0x40, /* a new credential follows */
	AUTHDATA_ED = 0x80, /* extensions follow */
};

#define AUTHDATA_ID_MAX 1023 /* L3 §4, of a credential id */
#define AUTHDATA_AAGUID 16

struct authdata {
	const uint8_t *rp_id_hash; /* 32 bytes */
	uint8_t flags;
	uint32_t count;
	struct bytes aaguid, id; /* with AUTHDATA_AT */
	struct cose_key key;
	struct bytes extensions; /* a CBOR map; empty: none */
};

/* 0; -EBADMSG: not one of that form, or bytes left over. */
int authdata_parse(struct bytes data, struct authdata *ret_a);

#endif
