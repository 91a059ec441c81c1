#ifndef BEDWARDEN_GUARD_PROTO_SOAP_H
#define BEDWARDEN_GUARD_PROTO_SOAP_H
/*
 * The head of a SOAP 1.2 message (§5) with WS-Addressing, token by token: which
 * action it asks for, and what its body begins with. Copies both, for a message
 * may come in pieces.
 */
#include "guard/proto/xml.h"

#define SOAP_ACTION 160
#define SOAP_BODY   40

enum soap_place {
	SOAP_START,
	SOAP_ENVELOPE,
	SOAP_HEADER,
	SOAP_IN_ACTION,
	SOAP_IN_BODY,
	SOAP_KNOWN
};

struct soap {
	struct xml xml;
	uint8_t place; /* enum soap_place: KNOWN where the body's first element was seen */
	uint8_t action_len, body_len;
	uint8_t action[SOAP_ACTION], body[SOAP_BODY];
};

/* False where the token makes it no SOAP message, or hides what it asks for. */
bool soap_take(struct soap *s, const struct xml_token *t);
/* The last part of the action's URI. */
struct bytes soap_action(const struct soap *s);
/* Does the action, or the body, set or activate something of a device? */
bool soap_commands(const struct soap *s);
/* Is it an answer, by its action? */
bool soap_answers(const struct soap *s);

#endif
