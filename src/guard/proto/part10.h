#ifndef BEDWARDEN_GUARD_PROTO_PART10_H
#define BEDWARDEN_GUARD_PROTO_PART10_H
/*
 * The head of a DICOM file (PS3.10 §7.1): 128 bytes that DICOM gives no meaning
 * to, then "DICM". An image viewer passes over the preamble, so a program put
 * there makes one file that is an image to a hospital and an executable to the
 * system it is opened on. A preamble of zeros is usual, one that makes the file
 * a TIFF too is what PS3.10 meant it for; what starts a program is neither. Most
 * start by a file's first bytes; HTML and PHP by what stands anywhere.
 *
 * Pure, and holds no bytes but the first few: a file may come in any pieces, by
 * any protocol. All zero is a file of which nothing was seen yet.
 */
#include "base/bytes.h"

#define PART10_HEAD  132
#define PART10_START 12

struct part10 {
	uint8_t seen; /* bytes of the head, PART10_HEAD at most */
	uint8_t start[PART10_START];
	bool other;    /* no such file */
	bool markup;   /* holds what an interpreter finds wherever it stands */
	uint32_t last; /* four bytes of the preamble, the newest lowest */
};

/*
 * Takes what comes next of a file; what lies behind its head is not looked at.
 * MORE until that is complete, then OK for a DICOM file and BAD for any other,
 * again for each further piece. *ret_program, on OK alone, names what the
 * preamble would start ("PE", "ELF", "script"); NULL where it starts nothing.
 */
enum parse part10_take(struct part10 *p, struct bytes piece, const char **ret_program);

#define PART10_BEHIND (1 + PART10_HEAD - 1) /* a line's end, and a head but for its last byte */

/*
 * For files that stand within something else, one behind the other, each where a
 * line begins (RFC 2046 §5.1.1: a part's body, behind the empty line of its
 * head). What separates them is not asked for, so nobody hides one by it. All
 * zero is the beginning of what is searched, where no file is found.
 */
struct part10_search {
	uint8_t behind[PART10_BEHIND]; /* the last bytes before the next piece */
};

/*
 * Takes what comes next, up to the end of the first head of a file, or all of it: how many bytes.
 * *ret_found: there was one; *ret_program is as above.
 */
size_t part10_search(struct part10_search *s, struct bytes piece, bool *ret_found,
		     const char **ret_program);

#define PART10_META 104 /* bytes behind a head, up to the SOP class and with it, at most */

/* What stands behind the head of a file, as far as what kind of image it is. All zero at first. */
struct part10_meta {
	uint8_t len, need, at; /* of bytes; how many are to be there; of an element's first */
	uint8_t bytes[PART10_META];
};

/*
 * Takes what comes next, *ret_used bytes of it. OK: *ret_class is the SOP class's UID (PS3.10 §7.1,
 * (0002,0002)), borrowed from *m. BAD: it does not stand where it should.
 */
enum parse part10_meta_take(struct part10_meta *m, struct bytes piece, size_t *ret_used,
			    struct bytes *ret_class);

#endif
