#ifndef BEDWARDEN_GUARD_PROTO_SDC_H
#define BEDWARDEN_GUARD_PROTO_SDC_H
/*
 * IEEE 11073 SDC as far as its bytes are clear: WS-Discovery 1.1 over UDP (Hello,
 * Bye, Probe, Resolve and their matches), and the SOAP 1.2 messages of DPWS 1.1
 * and IEEE 11073-20701 over HTTP/1.1, by their action and the first element of
 * their body. A body is read up to there; measurements and contexts are not told. A request has a message of
 * its own for each of HL7's that it carries (IHE PCD TF-2, CommunicatePCDData).
 *
 * `control` is what sets or activates (SetValue, SetContextState, Activate...),
 * by the action or by the body, whichever says so, and a message whose action
 * cannot be read, for it may be anything.
 */
#include "guard/proto/hl7_told.h"

#define SDC_NARROW 3072 /* characters: a datagram of discovery is not to be fragmented */

struct sdc {
	struct msg msg;
	struct bytes action;	 /* "SetValue": the last part of what is below */
	struct bytes action_uri; /* wsa:Action */
	struct bytes body;	 /* the body's first element, without prefix */
	struct bytes message_id, relates_to;
	struct bytes content; /* of discovery, encoded: endpoints, types and addresses */
	struct bytes method;  /* of an HTTP request */
	uint16_t status;      /* of a response */
	struct hl7_told hl7;  /* of a message that a request has inside; the texts are not zeroed */
	/* A datagram in UTF-16, with a byte a unit: what is told of it is borrowed from here. Not zeroed, either. */
	uint8_t narrow[SDC_NARROW];
};

extern const struct proto sdc_proto;

#endif
