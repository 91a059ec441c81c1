#ifndef BEDWARDEN_GUARD_PROTO_HL7_XML_H
#define BEDWARDEN_GUARD_PROTO_HL7_XML_H
/*
 * HL7 version 2 in XML (HL7 Version 2: XML Encoding Syntax, release 2): the elements of a segment as a
 * segment with separators that no XML can hold, so that one reader reads both. What some receivers might
 * take otherwise is refused: comments within or with tags, CDATA, definitions, prefixes, other character sets, other orders.
 */
#include "base/bytes.h"

#define HL7_XML_FIELD	  0x1f
#define HL7_XML_COMPONENT 0x1e
#define HL7_XML_ROOT	  32 /* bytes of a root's name at most */
#define HL7_XML_WINDOW \
	16384 /* bytes of a segment that are read at once; what is longer is passed */

struct hl7_xml {
	uint8_t phase;	  /* zero at first */
	uint8_t depth;	  /* of the root, its groups */
	bool comment;	  /* it is amid one */
	uint16_t scanned; /* of the segment at hand, without its end */
};

struct hl7_xml_unit {
	size_t used;
	struct bytes root; /* its name, where the unit is the root's tag */
	struct bytes text; /* a segment; its name alone, where it is empty or not clear */
	bool clear;
};

/* Behind a frame's first byte: OK a root that HL7 names so, behind what may stand before it. */
enum parse hl7_xml_probe(struct bytes b);
/* A tag, white space, or a segment. BAD: not to be read in one way alone. */
enum parse hl7_xml_next(struct hl7_xml *x, struct bytes b, uint8_t room[HL7_XML_WINDOW],
			struct hl7_xml_unit *ret_u);
/* Is the document whole? */
bool hl7_xml_is_whole(const struct hl7_xml *x);

#endif
