#ifndef BEDWARDEN_PEOPLE_AUTH_CLIENTDATA_H
#define BEDWARDEN_PEOPLE_AUTH_CLIENTDATA_H
/*
 * What the browser says it did (WebAuthn L3 §5.8.1): JSON that the signature
 * covers. Members we do not know, and tokenBinding, are ignored, as the
 * standard wants.
 */
#include <jansson.h>

#include "base/bytes.h"

#define CLIENTDATA_MAX 8192

/* Texts are good until clientdata_free(). */
struct clientdata {
	json_t *root;
	const char *type;      /* "webauthn.create", "webauthn.get" */
	const char *challenge; /* base64url */
	const char *origin;
	bool cross_origin;	/* inside another site's frame */
	const char *top_origin; /* whose; NULL */
};

/* 0; -EBADMSG: no JSON object, a member twice, one missing or of another type. */
int clientdata_parse(struct bytes json, struct clientdata *ret_c);
void clientdata_free(struct clientdata *c);

#endif
