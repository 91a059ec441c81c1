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

/* Is it samples of a wave (NA), or how many of them there are in a second? */
bool hl7_is_samples(const struct hl7_fields *f);
bool hl7_is_rate(const struct hl7_fields *f, uint8_t component);
/* Of the one, and of the other: its period alone. False where it is none that anybody can read. */
bool hl7_samples_read(const struct hl7_fields *f, uint8_t component, struct hl7_wave *ret_w);
bool hl7_rate_read(const struct hl7_fields *f, struct hl7_wave *ret_w);

#endif
