#ifndef BEDWARDEN_UPDATE_ADVISORY_VERSION_H
#define BEDWARDEN_UPDATE_ADVISORY_VERSION_H
/*
 * Which of two versions is the later one, where that can be told, and whether a version is in a range
 * that an advisory names. Makers number as they like: what no scheme orders is
 * "cannot tell", never a guess.
 */
#include <stdbool.h>
#include <stddef.h>

enum version_order { VERSION_LESS, VERSION_EQUAL, VERSION_GREATER, VERSION_UNKNOWN };

/*
 * By `scheme`, a versioning scheme of the vers notation: semver, npm, cargo, golang, nuget, intdot, deb, rpm are
 * compared as those say; "", generic and other schemes that are known number by number, where
 * both number alike ("B.06.18" and "B.06.9", "1.8.4 SP1" and "1.8.4"). An unknown scheme orders
 * nothing: equal texts are equal.
 */
enum version_order version_compare(const char *scheme, const char *a, const char *b);
bool version_scheme_known(const char *scheme);

enum version_op { VERSION_EQ, VERSION_NE, VERSION_LT, VERSION_LE, VERSION_GT, VERSION_GE };

enum { VERSION_MAX = 96, RANGE_PARTS = 64, RANGE_CONDITION = 128 };

struct range_part {
	enum version_op op;
	char version[VERSION_MAX];
};

/* As an advisory names it. Plain data; see range_size(). */
struct range {
	bool vers; /* the vers notation; else words of the publisher's own */
	bool all;
	char scheme[32];
	char condition[RANGE_CONDITION]; /* prose beside it that no version answers; "" none */
	unsigned count;
	struct range_part part[RANGE_PARTS]; /* a copy may end behind the last */
};

/*
 * The vers notation ("vers:semver/>=1.0|<1.4.2"), or what publishers write instead: "<= 1.4",
 * ">= 1.0 | <= 1.3", "5.0|5.1", "all versions", "prior to 3.2", "1.0 through 1.3", "5.x". A bare version
 * stands for itself. 0; -EINVAL: it says no versions that can be read.
 */
int range_parse(const char *text, struct range *ret_range);

/* Bytes of it that a copy needs. */
static inline size_t range_size(const struct range *r)
{
	return offsetof(struct range, part) + r->count * sizeof(r->part[0]);
}

enum range_answer { RANGE_NO, RANGE_YES, RANGE_UNKNOWN };

/* RANGE_UNKNOWN where a part cannot be compared, or a condition would have to hold. */
enum range_answer range_contains(const struct range *r, const char *version);
/* Do two say the same, whatever their notation? */
bool range_equal(const struct range *a, const struct range *b);

#endif
