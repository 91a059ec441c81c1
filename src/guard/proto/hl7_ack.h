#ifndef BEDWARDEN_GUARD_PROTO_HL7_ACK_H
#define BEDWARDEN_GUARD_PROTO_HL7_ACK_H
/*
 * Which of an end's messages wait for their acknowledgement, and how long each of the two took that
 * enhanced mode has (HL7 v2.9 §2.9.3): the commit's, and the application's.
 */
#include "base/bytes.h"

#define HL7_ACK_WAITING 12 /* messages; an older one is forgotten */

struct hl7_acks {
	/* Apart, since together they would take a third more. */
	uint32_t id[HL7_ACK_WAITING]; /* hashed */
	uint64_t ns[HL7_ACK_WAITING];
	/* Which of them have their commit and their application acknowledgement. */
	uint16_t done[2];
	uint8_t next;
};

/* A message of MSH-10 `id` was said; of none, nobody can say whether it is acknowledged. */
void hl7_ack_await(struct hl7_acks *a, struct bytes id, uint64_t now_ns);
/* From the message that is acknowledged by MSA-1 and MSA-2 on, in µs; 0 where none is known. Of two of
 * one number it is the older one. */
uint64_t hl7_ack_latency_us(struct hl7_acks *a, struct bytes code, struct bytes id,
			    uint64_t now_ns);

#endif
