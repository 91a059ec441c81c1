#ifndef BEDWARDEN_UPDATE_PLACE_DEB_VERSION_H
#define BEDWARDEN_UPDATE_PLACE_DEB_VERSION_H
/*
 * Which of two versions is newer. Runs of digits are compared as numbers, all else by letters, and
 * '~' comes before everything, even the end: 1.9 < 1.10~rc1 < 1.10 < 1.10.1, as Debian has it
 * (deb-version(7)).
 */

/* < 0, 0, > 0 as strcmp(). */
int deb_version_compare(const char *a, const char *b);

#endif
