#ifndef BEDWARDEN_UPDATE_ADVISORY_NAME_H
#define BEDWARDEN_UPDATE_ADVISORY_NAME_H
/*
 * Whether two names mean one vendor or one product, as far as the names themselves say.
 * Publishers write "Becton, Dickinson and Company (BD)" and "Pulsera (718095) and
 * Endura (718075)": such a name stands for each of its parts. Case, punctuation, blanks and company forms
 * (Inc., GmbH) do not count, everything else does.
 */
#include <stdbool.h>
#include <stdint.h>

#include "update/advisory/arena.h"

enum { NAME_FORMS = 16, NAME_WORDS = 16 };

/* One of the things a name stands for. */
struct name_form {
	const char *text; /* words in lower case, a blank between */
	uint64_t whole;	  /* hash of its letters and digits in a row; never 0 */
	uint64_t first;	  /* of its first word */
	uint8_t words;
	bool telling; /* has a word that says more than "monitor" or "system" does */
};

struct name {
	const char *given;
	struct name_form *form;
	unsigned count; /* 0: the name says nothing */
};

/* `given` is copied into the arena. */
void name_vendor(struct arena *a, const char *given, struct name *ret_name);
void name_product(struct arena *a, const char *given, struct name *ret_name);

enum name_fit {
	NAME_NO,
	NAME_PART, /* all words of one are in the other, or its number is in a range there */
	NAME_SAME,
};

/* Vendors: NAME_PART where one name begins with the other ("Philips", "Philips Medical Systems"). */
enum name_fit name_vendor_fit(const struct name *a, const struct name *b);
enum name_fit name_product_fit(const struct name *a, const struct name *b);

#endif
