#ifndef BEDWARDEN_GUARD_PROTO_HL7_INSIDE_H
#define BEDWARDEN_GUARD_PROTO_HL7_INSIDE_H
/*
 * HL7 version 2 within other text: among the parts of a body, in a field of a form, in an element of XML
 * or a string of JSON. Headers are found by their bytes wherever a word may begin, behind whatever is
 * written with the escapes of forms (%7C), XML (&#124;), JSON (\u007c) and mail (=7C), which is read as
 * what it stands for, and in base64.
 */
#include "base/bytes.h"

#define HL7_INSIDE_HEADER 352 /* bytes of a header up to MSH-10, and MSH-18 */
#define HL7_INSIDE_ESCAPE 10
#define HL7_INSIDE_START \
	10 /* bytes that tell a header: "MSH|^~\&#|", with five separators at most */

struct hl7_seek {
	uint8_t len, before; /* of `start`; the byte ahead of it */
	bool behind_escape;  /* which was written so? */
	bool escaped;	     /* and its first separator? */
	uint8_t start[HL7_INSIDE_START];
};

/* All zero where nothing was seen yet. */
struct hl7_inside {
	uint32_t group;	   /* of base64, the last characters, and … */
	uint8_t bits;	   /* … how many of their bits made no byte yet */
	uint8_t line_ends; /* behind the last of them */
	uint8_t escape_len;
	uint8_t escape[HL7_INSIDE_ESCAPE];
	struct hl7_seek plain, packed;
	uint8_t reading; /* in which of the two a header was found and goes on */
	uint8_t field;	 /* of that header */
	bool escaped;	 /* its separator is written with an escape */
	bool found, unsure;
	uint16_t len;
	uint8_t header[HL7_INSIDE_HEADER];
};

/*
 * Takes what comes next, up to the end of the first header, or all of it: *ret_used bytes. True: there is
 * one, in `header`, of which fields that tell no type, number or character set are left out. `unsure`: who
 * reads it might read another one; it is too long, or one of XML, and not there.
 */
bool hl7_inside_take(struct hl7_inside *s, struct bytes piece, size_t *ret_used);
/* The text ends: does a header end with it? */
bool hl7_inside_end(struct hl7_inside *s);

#endif
