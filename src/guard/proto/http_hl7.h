#ifndef BEDWARDEN_GUARD_PROTO_HTTP_HL7_H
#define BEDWARDEN_GUARD_PROTO_HTTP_HL7_H
/*
 * HL7 version 2 as the body of an HTTP message (HL7 over HTTP, as HAPI and others speak it): type and
 * number of the message, read as behind MLLP's first byte.
 */
#include "guard/proto/hl7_inside.h"
#include "guard/proto/hl7_told.h"
#include "guard/proto/http_head.h"

/* "application/hl7-v2" and its XML, as HAPI and older senders write them. */
bool http_hl7_is_type(struct bytes content_type);
/* By its first bytes, which many receivers go by whatever its type: a header, perhaps in a frame of MLLP. */
enum parse http_hl7_probe(struct bytes body);
/*
 * Of a body, or its beginning, *m. Its texts are blank of what is no such message, of messages
 * of several types, of one that is read in two ways, and where `rest`, what follows unseen, may have another:
 * http_hl7_search() finds none in a rest of two bytes a character, nor in what is compressed.
 */
enum http_hl7_rest { HTTP_HL7_NOTHING, HTTP_HL7_SEARCHED, HTTP_HL7_UNSEEN };
void http_hl7_read(struct bytes body, enum http_hl7_rest rest, struct hl7_told *m);

/* May the body of such a request have messages in other text? Images are nothing but that (PS3.18 §8.6). */
bool http_hl7_is_inside(const struct http_head *h);
/* Of a header that was found so, *m as http_hl7_read() sets it. */
void http_hl7_tell_inside(const struct hl7_inside *s, struct hl7_told *m);
/* Takes all of a text, perhaps the last of it: of all headers that are found, *m. */
void http_hl7_look_inside(struct hl7_inside *s, struct bytes text, bool last, struct hl7_told *m);

/* The last bytes before a piece: another header behind the beginning begins a message to some. */
struct http_hl7_search {
	uint8_t behind[3];
};

/* Takes all of the piece; is there one in it? */
bool http_hl7_search(struct http_hl7_search *s, struct bytes piece);

#endif
