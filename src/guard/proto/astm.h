#ifndef BEDWARDEN_GUARD_PROTO_ASTM_H
#define BEDWARDEN_GUARD_PROTO_ASTM_H
/*
 * Laboratory analyzers over TCP: the frames of ASTM E1381 (CLSI LIS1-A §8: ENQ,
 * numbered frames with a checksum, ACK and NAK, EOT) and the kinds of record in
 * them (ASTM E1394, CLSI LIS2-A2 §6). Of a header it tells who sends, to whom
 * and in which version; of orders and results, which test. Nothing of a patient
 * record, a comment or a result's value, and no specimen, is told.
 *
 * Analyzers that know no serial line send the records as they are, each a line:
 * they are told one by one, and one that its sender's close leaves without an
 * end is told, too.
 *
 * A frame's number follows the one before it, or repeats it (§8.3.1.2): any
 * other, like a frame out of turn, is one that was lost or put in.
 */
#include "guard/proto/proto.h"

struct astm {
	struct msg msg;
	const char *frame;   /* "enq", "ack", "nak", "eot", "data"; "record" where there is none */
	struct bytes number; /* one digit; data NULL in all but data */
	bool intermediate;   /* the record goes on in the next frame */
	bool repeated;
	struct bytes text; /* of a data frame */
	bool continued;	   /* it begins with the rest of a record */
	struct bytes sender, receiver, processing_id, version; /* of H */
	bool headed;					       /* an H was read */
	struct bytes termination; /* of L: "N" normal, "T" sender aborted... */
};

extern const struct proto astm_proto;

#endif
