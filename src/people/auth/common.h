#ifndef BEDWARDEN_PEOPLE_AUTH_COMMON_H
#define BEDWARDEN_PEOPLE_AUTH_COMMON_H
/*
 * The blocklist: what guessing programs try first. Not a list of leaked passwords but what
 * those are made of: words that people choose, dressed up ("P4ssw0rd2024!"), doubled or
 * in pairs; walks over a keyboard; rows of digits; dates. The password as a whole is compared,
 * never a part of it (SP 800-63B-4 §3.1.1.2).
 */
#include <stdbool.h>

bool common_password(const char *password);
/* Is it one of these words, dressed up, doubled, or in a pair with a common one? Up to a NULL. */
bool common_word(const char *password, const char *const *words);

#endif
