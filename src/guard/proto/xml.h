#ifndef BEDWARDEN_GUARD_PROTO_XML_H
#define BEDWARDEN_GUARD_PROTO_XML_H
/*
 * The tokens of an XML document (XML 1.0 §2), as far as message protocols need
 * them, out of a stream: a tag at a time, text in pieces as it comes. Tags must
 * close in the order in which they opened. A document type may be named but
 * define nothing, so that no entity is ever expanded.
 */
#include "base/bytes.h"

#define XML_DEPTH 48
#define XML_TAG	  32768 /* bytes of a tag at most: a second's samples of a wave are one attribute */

struct xml {
	uint16_t open[XML_DEPTH]; /* hashes of the names of what is open */
	uint16_t scanned;	  /* bytes of the tag under way that hold no end */
	uint8_t depth;
	uint8_t quote;	/* the tag under way is in an attribute's value */
	uint8_t inside; /* a comment or CDATA section: which */
};

enum xml_kind {
	XML_OPEN,  /* <name attributes> */
	XML_EMPTY, /* <name attributes/> */
	XML_CLOSE, /* </name> */
	XML_TEXT,  /* a piece of it */
	XML_OTHER, /* of no concern: a comment, a declaration; of an instruction, its name and attributes */
};

struct xml_token {
	enum xml_kind kind;
	struct bytes name; /* as it stands, prefix and all */
	struct bytes attributes, text;
};

/* How a document is written. */
enum xml_encoding { XML_BYTES, XML_UTF16LE, XML_UTF16BE };

/* By its first two bytes (XML 1.0 appendix F.1); *e stays where they do not tell. MORE: there is but one. */
enum parse xml_sniff(struct bytes in, enum xml_encoding *e);
/* Of UTF-16 a byte a character, as many as fit: ASCII as it is, of others one that is no ASCII. */
struct bytes xml_narrow(struct bytes in, enum xml_encoding e, uint8_t *room, size_t cap);

/* One token from the front of `in`, *ret_used bytes of it. BAD: this is no XML. */
enum parse xml_next(struct xml *x, struct bytes in, struct xml_token *ret_t, size_t *ret_used);
/* The same of UTF-16, too: the token is then borrowed from `room`. */
enum parse xml_next_of(struct xml *x, enum xml_encoding e, struct bytes in, uint8_t room[XML_TAG],
		       struct xml_token *ret_t, size_t *ret_used);
/* The value of an attribute, not unescaped; data NULL where there is none. */
struct bytes xml_attribute(const struct xml_token *t, const char *name);
/*
 * As much of it as fits, with what references stand for (XML 1.0 §4.1, §4.6) in their place, where that
 * is ASCII; returns the bytes.
 */
size_t xml_unescape(struct bytes value, uint8_t *ret_text, size_t cap);
/* A name without its prefix. */
struct bytes xml_local(struct bytes name);
bool xml_is(struct bytes b, const char *text);
/* May the text stand outside of the root: nothing but white space, and the mark that some programs set
 * before UTF-8 (XML 1.0 §4.3.3)? */
bool xml_is_outside(struct bytes text);

#endif
