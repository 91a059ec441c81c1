#ifndef BEDWARDEN_GUARD_PROTO_HL7_OBSERVATION_H
#define BEDWARDEN_GUARD_PROTO_HL7_OBSERVATION_H
/*
 * What an OBX segment says in numbers (HL7 v2.9 §7.4.2).
 */
#include "guard/proto/hl7.h"
#include "guard/proto/hl7_field.h"

/* False where it is no number, or of what nobody can tell; then *ret_o is anything. */
bool hl7_observation_read(const struct hl7_fields *f, uint8_t component,
			  struct hl7_observation *ret_o);

#endif
