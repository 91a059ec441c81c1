#ifndef BEDWARDEN_SEAL_AGE_ARMOR_H
#define BEDWARDEN_SEAL_AGE_ARMOR_H
/*
 * ASCII armor: strict PEM (RFC 7468 §3, figure 3) with the label "AGE ENCRYPTED
 * FILE". Lines end with LF or CRLF, and there may be white space before and
 * after; nothing else varies.
 */
#include "base/bytes.h"
#include "seal/age/header.h"

enum { ARMOR_SPACE_MAX = 1024 }; /* white space around it, each side */

/* -- writing */
struct armor_writer {
	uint8_t held[AGE_LINE_BYTES];
	size_t held_len;
};
/* Bytes that len more may take, the last lines among them. */
#define ARMOR_ROOM(len) (((len) / AGE_LINE_BYTES + 2) * (AGE_COLUMNS + 1) + 80)
void armor_begin(struct writer *w);
void armor_write(struct armor_writer *a, struct bytes in, struct writer *w);
void armor_end(struct armor_writer *a, struct writer *w);

/* -- reading */
enum armor_state { ARMOR_BEFORE, ARMOR_BODY, ARMOR_SHORT, ARMOR_AFTER };
struct armor_reader {
	enum armor_state state;
	size_t space; /* seen around it */
};
/*
 * Takes whole lines as long as `w` has room for one; `ended` tells that no more
 * input comes. OK and how much it took; MORE it needs more input for the next
 * line; BAD. After the end of the input, OK with nothing left is the whole of it.
 */
enum parse armor_read(struct armor_reader *a, struct bytes in, bool ended, struct writer *w,
		      size_t *ret_used);

#endif
