#ifndef BEDWARDEN_BASE_NEWFILE_H
#define BEDWARDEN_BASE_NEWFILE_H
/*
 * A file that gets its name only once it is whole. Until then it has none: a
 * process that is killed leaves nothing behind. (Where the file system cannot
 * do that, it has a name beginning with NEWFILE_PREFIX.)
 */
#include <stdbool.h>

#define NEWFILE_PREFIX ".bedwarden-"

struct newfile {
	int fd;	       /* to write, and to read back; mode 0600 */
	int folder;    /* borrowed, open for reading */
	char name[40]; /* the one it has meanwhile, or "" */
};

/* 0 or -errno. */
int newfile_begin(int folder, struct newfile *ret_file);
/* As the former does where the file system has no files without a name. */
int newfile_begin_named(int folder, struct newfile *ret_file);
/*
 * Gives it its name, which closes it. 0 or -errno, and then it still is to be
 * given up: -EEXIST where the name is taken and not to be replaced, or taken by
 * a device, pipe or socket, which never is. What was there is replaced in one step.
 */
int newfile_commit(struct newfile *f, const char *name, bool replace);
/* Leaves nothing; harmless after a commit. */
void newfile_abandon(struct newfile *f);

#endif
