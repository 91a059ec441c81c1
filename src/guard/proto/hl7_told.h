#ifndef BEDWARDEN_GUARD_PROTO_HL7_TOLD_H
#define BEDWARDEN_GUARD_PROTO_HL7_TOLD_H
/* What is told of a message of HL7 within one of another protocol, as struct hl7_msg has it. */
#include "guard/proto/proto.h"

#define HL7_TOLD_TEXTS 128

/* Of several messages, what they have in common. Texts are borrowed from `texts`, which need not be zeroed. */
struct hl7_told {
	struct bytes type, structure, control_id, ack_code; /* data NULL where there is none */
	char texts[HL7_TOLD_TEXTS];
};

/* The fields of a protocol whose message has it as `hl7`. */
#define HL7_TOLD_FIELD(name, owner, member, flags)                                      \
	{                                                                               \
		PROTO_KEY("hl7." name), offsetof(struct owner, hl7.member), FIELD_TEXT, \
			FIELD_INNER | (flags)                                           \
	}
#define HL7_TOLD_FIELDS(owner)                                      \
	HL7_TOLD_FIELD("message_type", owner, type, FIELD_MATCH),   \
		{PROTO_KEY("hl7.type_by_structure"),                \
		 offsetof(struct owner, hl7.structure),             \
		 FIELD_TEXT,                                        \
		 FIELD_MATCH | FIELD_INNER,                         \
		 NULL,                                              \
		 {"hl7.message_type"}},                             \
		HL7_TOLD_FIELD("control_id", owner, control_id, 0), \
		HL7_TOLD_FIELD("ack_code", owner, ack_code, 0)

#endif
