#ifndef BEDWARDEN_UPDATE_ADVISORY_CSAF_H
#define BEDWARDEN_UPDATE_ADVISORY_CSAF_H
/*
 * One security advisory in the Common Security Advisory Framework 2.0 (OASIS), of whatever profile,
 * VEX among them: what it says of which products, as plain data. Written by others, and fetched: bounded
 * in depth, size and number, never believed to be consistent. Where a file disagrees with itself, the
 * advisory lists by name what it found; that list is part of the evidence of every match.
 */
#include <stdint.h>

#include <jansson.h>

#include "base/bytes.h"
#include "update/advisory/arena.h"
#include "update/advisory/identifier.h"
#include "update/advisory/name.h"
#include "update/advisory/version.h"

enum {
	CSAF_BYTES_MAX = 16 << 20,
	CSAF_PRODUCTS_MAX = 16384,
	CSAF_VULNERABILITIES_MAX = 4096,
	CSAF_STATUSES_MAX = 262144, /* in all vulnerabilities together */
	CSAF_FAULTS_MAX = 64,	    /* kept; the rest is counted */
};

#define CSAF_NONE UINT32_MAX

/* CSAF §3.2.3.9 */
enum csaf_status {
	CSAF_KNOWN_AFFECTED,
	CSAF_FIRST_AFFECTED,
	CSAF_LAST_AFFECTED,
	CSAF_FIXED,
	CSAF_FIRST_FIXED,
	CSAF_NOT_AFFECTED,
	CSAF_RECOMMENDED,
	CSAF_INVESTIGATED,
	CSAF_STATUSES,
};

struct csaf_product {
	const char *id, *title;	     /* full product name */
	struct name vendor, product; /* of its branches; where it has none, product is the title */
	bool misspelt;	     /* its vendor is a letter off what the title says: both are taken */
	const char *version; /* its branch's words; "" none */
	const struct range *range;	     /* of those, or of its identifiers; NULL none */
	bool unreadable;		     /* it says a version that nobody can compare */
	const struct identifier *cpe, *purl; /* NULL none */
	const char **serials, **models; /* patterns, with * and ?; CSAF §3.1.3.3.4, §3.1.3.3.8 */
	unsigned serial_count, model_count;
	uint32_t component, host; /* of a relationship: `component` in or on `host`; CSAF_NONE */
};

struct csaf_state {
	uint32_t product;
	uint32_t status; /* enum csaf_status */
};

struct csaf_remedy {
	const char
		*category; /* vendor_fix, mitigation, workaround, no_fix_planned, none_available */
	const char *details, *url;
	uint32_t *products;
	unsigned product_count; /* 0: it says none, so all are meant */
};

struct csaf_vulnerability {
	const char *cve, *title, *cwe, *summary;
	int score;	    /* highest CVSS 3 base score, in tenths; -1 none */
	const char *vector; /* its vector */
	struct csaf_state *states;
	unsigned state_count;
	struct csaf_remedy *remedies;
	unsigned remedy_count;
	const char *impact; /* why a product is not affected, in its words (VEX); "" */
};

/* What disagrees, in a word that stays and a sentence. */
struct csaf_fault {
	const char *name; /* "status.contradicts" */
	const char *text;
};

struct csaf {
	const char *id, *title, *publisher, *category, *version, *tracking; /* its status */
	const char *url;						    /* of itself */
	const char *released, *revised;					    /* as written */
	struct csaf_product *products;
	unsigned product_count;
	struct csaf_vulnerability *vulnerabilities;
	unsigned vulnerability_count;
	struct csaf_fault faults[CSAF_FAULTS_MAX];
	unsigned fault_count, faults_more;
	struct arena arena;
};

/*
 * `name` is the file's, without folders, or NULL. 0, to csaf_free(); -EBADMSG: it is no CSAF 2.0 that
 * can be read, -EFBIG: beyond a bound above; ret_why (160 bytes) says what and where.
 */
int csaf_parse(struct bytes text, const char *name, struct csaf **ret_csaf, char ret_why[160]);
void csaf_free(struct csaf *c);

/* Notes a fault; once for each name and text. */
void csaf_fault(struct csaf *c, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Finds what disagrees in a file that was read; csaf_parse() does. */
void csaf_check(struct csaf *c, const json_t *whole, const char *name);
/* A member's text; "" where it is none. Borrowed. */
const char *csaf_text(const json_t *o, const char *key);

#endif
