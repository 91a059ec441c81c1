#ifndef BEDWARDEN_GUARD_PROTO_HL7_CHARSET_H
#define BEDWARDEN_GUARD_PROTO_HL7_CHARSET_H
/*
 * Headers in sets of characters of two bytes (MSH-18, HL7 table 0211: Shift_JIS, Big5, GB 18030, and
 * what ISO 2022 switches to), whose second byte may be a separator's. Receivers split by bytes or by
 * characters, and take sets to be what they are told or what they are set up for: all are thought of.
 */
#include "guard/proto/hl7_field.h"

/*
 * The header's fields: by bytes, or by characters where only those make a message of it, as "レポ" in
 * Shift_JIS has them. False where one reading has a type and another one another: then by bytes.
 */
bool hl7_charset_split(struct bytes header, uint8_t separator, uint8_t component,
		       struct hl7_fields *ret_f);

#endif
