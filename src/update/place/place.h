#ifndef BEDWARDEN_UPDATE_PLACE_PLACE_H
#define BEDWARDEN_UPDATE_PLACE_PLACE_H
/*
 * The folder where verified updates are put to use, root's alone (`updates.dir`):
 *
 *   metadata/ targets/      what TUF vouches for, by the installer's own verification
 *   content/N/              a set of profiles/, rules/ and advisories/, with manifest.json
 *   content/current         → N, the set in use; next, previous: the one that may be, the one before
 *   releases/VERSION/       a release of the gateway: bin/bedwarden and what belongs to it
 *   current                 → releases/VERSION, the release that is started; absent: the packaged one
 *   trial                   "TO\nFROM\n" while a release has still to prove itself
 *   outcome                 "WHAT\nTO\nFROM\nWHY\n" of the last change of release
 *
 * Links and notes are replaced in one step, and are on the disk when a call returns: whenever a
 * machine stops, it goes on with the old or the new.
 */
#include <stdbool.h>

#define PLACE_NAME 64 /* bytes of a version's name, with its zero */
#define PLACE_NOTE 1024

/* Letters, digits and ".+~-", the first one a letter or a digit: no way out of a folder. */
bool place_name_is_good(const char *name);

/* The folder, open; -errno. */
int place_open(const char *path);
/* What a link leads to, without its folder ("" where there is none): "current" → "0.2.0". */
void place_link(int dir, const char *link, char ret_name[PLACE_NAME]);
/* Lets it lead to FOLDER/NAME (`folder` "" for none), or to nothing where `name` is "". 0; -errno. */
int place_point(int dir, const char *link, const char *folder, const char *name);

/* A note whole, "" where there is none. 0; -errno. */
int place_note(int dir, const char *name, const char *text);
void place_read(int dir, const char *name, char ret_text[PLACE_NOTE]);
/* Line `n` of a note, from 0; "" where it has none. */
void place_line(const char *note, unsigned n, char *ret_text, unsigned size);
/* 0, also where there is none. */
int place_drop(int dir, const char *name);

#endif
