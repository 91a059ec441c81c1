#ifndef BEDWARDEN_KEEP_PERSON_H
#define BEDWARDEN_KEEP_PERSON_H
/*
 * What an event says that could name a patient: a file's name, a web address, a
 * topic, a user, a machine that somebody called after himself. The list is one
 * table in person.c. In the database each such value is sealed by the day's data
 * key for "events"; in the event file, which leaves the gateway, a keyed hash
 * stands for it, the same for the same value. Who asks the keeper sees it opened.
 *
 *   "url":"sealed:BASE64"      in the database
 *   "url":"hashed:16 DIGITS"   in the event file
 *   "url":"withheld"           in both, while the keys are locked
 */
#include "base/bytes.h"

struct keys;
struct person;

/* `keys` are borrowed, NULL: they are locked. NULL with errno ENOMEM. */
struct person *person_new(struct keys *keys);
void person_free(struct person *p);

/*
 * An EVE line without its newline. False: it holds nothing of the kind, or is no
 * event. Else *ret_stored and *ret_told are the lines for the database and for the
 * event file, the caller's to free(); NULL: no memory, and nothing is to be written.
 */
bool person_hide(struct person *p, struct bytes line, uint64_t wall_ns, char **ret_stored,
		 char **ret_told);
/* A text of the database, a JSON row or one value, with all that is sealed in it opened, the
 * caller's to free(); what cannot be opened reads "withheld". NULL: there is nothing to open. */
char *person_open(struct person *p, struct bytes text, size_t *ret_len);

/* Does it stand for a value that is not told? For who reads an event file. */
bool person_is_hidden(const char *value);

#endif
