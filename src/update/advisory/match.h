#ifndef BEDWARDEN_UPDATE_ADVISORY_MATCH_H
#define BEDWARDEN_UPDATE_ADVISORY_MATCH_H
/*
 * Which advisories are about which devices, how sure that is and why. What is not known is
 * said to be not known: a device without a version, a version that no scheme
 * orders or a name that fits in part only make a match that a person must look at, never a
 * guess either way.
 */
#include "update/advisory/csaf.h"
#include "update/advisory/sbom.h"

/* What is known of a device. Borrowed; "" where nothing is. */
struct match_device {
	const char *name, *vendor, *model, *version, *serial;
	const char *vendor_from; /* what says who made it, where that is not the policy */
	const struct sbom *sbom; /* of its model; NULL none */
};

/* How well a device, or a part of it, is a product that an advisory names; best first. */
enum match_certainty {
	MATCH_IDENTIFIER,   /* CPE, package URL, serial or model number: the same */
	MATCH_NAME_VERSION, /* vendor and name are the same, and the version was compared */
	MATCH_NAME, /* they are the same; of its version nothing is known, or nothing can be told */
	MATCH_PART, /* the names fit in part: a person must look */
	MATCH_CERTAINTIES,
};
const char *match_certainty_name(enum match_certainty c); /* "identifier", "name_and_version" … */

/* What the advisory says of it; worst first. */
enum match_status {
	MATCH_AFFECTED,
	MATCH_CANNOT_TELL,
	MATCH_INVESTIGATED,
	MATCH_FIXED,
	MATCH_NOT_AFFECTED,
	MATCH_STATUSES,
};
const char *match_status_name(enum match_status s);

/* Why a product is taken for the device's. */
struct match_reason {
	uint32_t product;   /* of the advisory */
	uint32_t component; /* of the device's SBOM; CSAF_NONE: the device itself */
	enum match_certainty certainty;
	enum range_answer version; /* is its version among those? */
	bool vendor_unknown, identifier, serial;
};

struct match_vulnerability {
	uint32_t vulnerability; /* of the advisory */
	enum match_status status;
	bool contradicts; /* the advisory says affected, and not affected or fixed, of the same */
};

/* Everything is borrowed, for the call alone. */
struct match {
	uint32_t device; /* as they were added */
	const struct match_device *about;
	const struct csaf *advisory;
	enum match_status status;	/* the worst of those below */
	enum match_certainty certainty; /* the best of the reasons for that */
	int score; /* the highest of those that are affected or may be; tenths, -1 none */
	const struct match_reason *reasons; /* in the order of their products */
	unsigned reason_count;
	const struct match_vulnerability *vulnerabilities;
	unsigned vulnerability_count;
};

struct matcher;
typedef void (*match_fn)(void *arg, const struct match *m);

struct matcher *matcher_new(void); /* NULL: no memory */
void matcher_free(struct matcher *m);
/* Both are borrowed until the matcher is freed. 0 or -ENOMEM. */
int matcher_add_device(struct matcher *m, const struct match_device *d);
int matcher_add_advisory(struct matcher *m, const struct csaf *c);
/*
 * Every pair that has to do with each other, device by device. Pairs whose products are all of other
 * versions are none. 0 or -ENOMEM.
 */
int matcher_run(struct matcher *m, match_fn fn, void *arg);

/* Devices of which more fitted than is looked at; asked after matcher_run(). */
unsigned matcher_cut(const struct matcher *m);

/* Why, as a sentence. */
void match_explain(const struct match *m, const struct match_reason *r, char *ret_text,
		   size_t size);

/*
 * Advisories that fit every model of the inventory, where it has at least `least` different
 * ones: they say nothing of any. Asked after matcher_run().
 */
bool match_is_everything(const struct matcher *m, const struct csaf *c, unsigned least);

#endif
