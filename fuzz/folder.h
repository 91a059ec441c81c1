#ifndef BEDWARDEN_FUZZ_FOLDER_H
#define BEDWARDEN_FUZZ_FOLDER_H
/* A folder for what a target writes: in memory where there is such a place, for a disk would set the pace. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FUZZ_FOLDER 64

static inline void folder_new(char ret_folder[FUZZ_FOLDER])
{
	snprintf(ret_folder, FUZZ_FOLDER, "%s/bedwarden-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(ret_folder))
		abort();
}

static inline int folder_erase(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

/* With all that is in it. */
static inline void folder_drop(char *folder)
{
	if (*folder)
		nftw(folder, folder_erase, 8, FTW_DEPTH | FTW_PHYS);
	*folder = 0;
}

#endif
