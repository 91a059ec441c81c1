#ifndef BEDWARDEN_UPDATE_TUF_GLOB_H
#define BEDWARDEN_UPDATE_TUF_GLOB_H
/*
 * The path patterns of a delegation, TUF §4.5: '*' any characters, '?' one, [abc], [a-z] and
 * [!abc] one of a set; none of them is ever a '/', so that a pattern has as many parts as the
 * paths it covers. There is no escape. A character is a UTF-8 one. Takes a time that grows
 * with the product of both lengths at most, whatever the pattern.
 */
#include <stdbool.h>

bool glob_match(const char *pattern, const char *path);

#endif
