#ifndef BEDWARDEN_GUARD_PROTO_SOAP_BODY_H
#define BEDWARDEN_GUARD_PROTO_SOAP_BODY_H
/*
 * How HTTP carries a SOAP 1.2 message that is no plain text: compressed (RFC 9110
 * §8.4.1), as the root of several parts (RFC 2387; MTOM, SOAP with Attachments),
 * in UTF-16 (RFC 7303 §3). Such a body is read in one go, once it is there; what
 * could be understood in two ways is malformed.
 */
#include "guard/proto/coding.h"
#include "guard/proto/hl7_told.h"
#include "guard/proto/soap.h"

#define SOAP_BODY_MAX  60000   /* bytes of a body as it travels */
#define SOAP_PLAIN_MAX 0x40000 /* and of what it is when it is not compressed */
#define SOAP_BOUNDARY  70      /* RFC 2046 §5.1.1 */
#define SOAP_ROOT      100

struct soap_form {
	uint8_t coding; /* enum coding */
	bool parts;
	uint8_t boundary_len, root_len; /* of the root's Content-ID; 0: it is the first part */
	uint8_t boundary[SOAP_BOUNDARY], root[SOAP_ROOT];
};

/* Is what has this Content-Type a message of SOAP 1.2? */
bool soap_is_type(struct bytes type);
/* The value of the field Content-Type, of which that is true. */
void soap_form_type(struct soap_form *f, struct bytes type);
/* Can the body not be read as it comes? */
bool soap_is_held(const struct soap_form *f);
/* Does the text that begins so have two bytes a character? At least two bytes. */
bool soap_is_wide(const uint8_t *start);
/*
 * Such a text with a byte a unit, in `plain`, which has room for half of it: none of XML's own characters
 * is beyond ASCII, and nothing but ASCII is told. BAD: half a character.
 */
enum parse soap_narrow(uint8_t *plain, struct bytes *text);

/*
 * Takes what the body holds; all of it, where *hl7 is to be told what that has inside, or, where that is NULL,
 * up to where it is known what it asks for. MORE: that is more than is read, and *s is worth nothing.
 */
enum parse soap_body_read(const struct soap_form *f, struct bytes body, struct soap *s,
			  struct hl7_told *hl7);

#endif
