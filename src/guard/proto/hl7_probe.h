#ifndef BEDWARDEN_GUARD_PROTO_HL7_PROBE_H
#define BEDWARDEN_GUARD_PROTO_HL7_PROBE_H
/*
 * How HL7 version 2 begins: in a frame of MLLP or of the hybrid lower layer
 * protocol, in characters of two or four bytes, as XML, and, since many devices
 * do, in no such frame at all.
 */
#include "guard/proto/proto.h"

#define HL7_STX 0x02
#define HL7_ETX 0x03

enum parse hl7_probe(const struct proto_input *in);
/* Behind STX or nothing: a header that no text is like, with its separators up to the second of fields'. */
enum parse hl7_probe_bare(struct bytes b);
/* A header as far as it is told from a line of text: its name and two separators. */
enum parse hl7_probe_header(struct bytes b);
/*
 * A header in UTF-16 or UTF-32 of either order, with a mark or without, behind the frame's first
 * byte, which may be of the same encoding: what such characters have besides ASCII is zero bytes.
 */
enum parse hl7_probe_wide(struct bytes b);
/* Where the first byte of a frame is that of a wide character. */
enum parse hl7_probe_wide_start(struct bytes b);

/*
 * HL7 v2.9 §2.5.4: separators are printable, no letters or digits, and all different. Those
 * that nothing here is read by may be alike: some senders write the escape character twice.
 */
bool hl7_are_separators(uint8_t field, struct bytes others);
/* The mark that some programs set before UTF-8. */
bool hl7_has_mark(struct bytes b);
/* Hybrid lower layer protocol (Implementation Support Guide, appendix C.3): D for data, N for a
 * refusal, and a version of two digits, are the first line of a frame. */
bool hl7_is_hybrid(struct bytes line);

/* The name of a header segment; those that may open a message. */
static inline bool hl7_opens(const uint8_t *name)
{
	return !memcmp(name, "MSH", 3) || !memcmp(name, "BHS", 3) || !memcmp(name, "FHS", 3);
}

/* MLLP release 2 §3: a frame that says no more than that one came in, or did not. */
static inline bool hl7_is_commit(uint8_t c)
{
	return c == 0x06 || c == 0x15;
}

#endif
