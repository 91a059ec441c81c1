#ifndef BEDWARDEN_GUARD_PROTO_HL7_STRUCTURE_H
#define BEDWARDEN_GUARD_PROTO_HL7_STRUCTURE_H
/*
 * Which abstract message structures (MSH-9.3) the standard gives a message of a
 * code and a trigger (HL7 v2.3.1 to v2.9, table 0354; IHE PCD).
 */
#include "base/bytes.h"

/*
 * No other is meant: the structure is empty, the code alone, both in one, one of the table's or, of a
 * trigger that is a site's own (Z), any of that code.
 */
bool hl7_structure_fits(struct bytes code, struct bytes trigger, struct bytes structure);

#endif
