#ifndef BEDWARDEN_GUARD_PROTO_HL7_FIELD_H
#define BEDWARDEN_GUARD_PROTO_HL7_FIELD_H
/*
 * Fields of a segment and components of a field (HL7 v2.9 §2.5), by whatever
 * separators the message has. Borrowed from it; data NULL where it is shorter.
 */
#include "base/bytes.h"

#define HL7_FIELD_LAST 11

/* From 0, the segment's name, on. */
struct hl7_fields {
	struct bytes at[HL7_FIELD_LAST + 1];
};

/* Field n, 1 the one behind the name. */
struct bytes hl7_field(struct bytes segment, uint8_t separator, unsigned n);
/* Component n, from 1 on. */
struct bytes hl7_component(struct bytes field, uint8_t separator, unsigned n);
/* The first of them at once, as hl7_field() gives them. */
void hl7_split(struct bytes segment, uint8_t separator, struct hl7_fields *ret_f);

#endif
