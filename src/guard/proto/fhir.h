#ifndef BEDWARDEN_GUARD_PROTO_FHIR_H
#define BEDWARDEN_GUARD_PROTO_FHIR_H
/*
 * What a Bundle of FHIR asks for (R4 §3.1.0.11, batch and transaction): each of its entries has a request
 * with a method and a URL of its own, in JSON or XML. They are found as the text comes, by the names of
 * elements alone, whatever else the resources say; in XML below a root that is a Bundle.
 */
#include "base/bytes.h"

#define FHIR_WORD 8  /* "request", or a method */
#define FHIR_URL  96 /* bytes of a URL up to its query */

/* All zero where nothing was seen yet. */
struct fhir_bundle {
	uint8_t form;	  /* JSON, XML or neither: by the first character */
	uint8_t place;	  /* where in XML */
	uint8_t quote;	  /* that is open */
	uint8_t depth;	  /* JSON: how much is open within a request, with it; XML: 1 within one */
	uint8_t value_of; /* method or URL, whose value comes next; or a request */
	uint8_t escape; /* characters of one that were before what comes, as far as one of ASCII goes */
	bool escaped; /* such a one is in the word */
	bool key;     /* the word may be one, if a colon follows */
	bool rooted, closing, attribute;
	bool twice; /* something is said twice, or so that it cannot be kept, or another name hides */
	bool has_method, has_url, query;
	uint8_t word_len, method_len, url_len;
	uint8_t word[FHIR_WORD], method[FHIR_WORD], url[FHIR_URL];
};

/* Takes what comes next, up to the end of the first request, or all of it: *ret_used bytes. True: there is one. */
bool fhir_bundle_take(struct fhir_bundle *s, struct bytes piece, size_t *ret_used);
/* Of that request; borrowed from *s, and empty where it could be read in two ways. */
struct bytes fhir_bundle_method(const struct fhir_bundle *s);
struct bytes fhir_bundle_url(const struct fhir_bundle *s);

#endif
