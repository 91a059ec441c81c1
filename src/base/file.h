#ifndef BEDWARDEN_BASE_FILE_H
#define BEDWARDEN_BASE_FILE_H
/*
 * Files that are read and replaced whole: a policy, a profile, a keyring.
 */
#include <sys/types.h>

#include "base/bytes.h"

/*
 * A regular file, or what a pipe has to give. 0, the block is the caller's to
 * free(); -EFBIG it is longer than `max`; -EISDIR; or -errno.
 */
int file_read(const char *path, size_t max, struct bytes *ret_text);
/* The same of what is open already, such as standard input. */
int file_read_fd(int fd, size_t max, struct bytes *ret_text);
/*
 * The same from its beginning, of a memfd that another process sent. Read and never mapped: whoever
 * sent it may still cut it short, and mapped memory that is gone ends the process that looks.
 */
int file_read_memory(int fd, size_t max, struct bytes *ret_text);

/*
 * Puts `text` in the place of whatever is at `path`: on the disk, with its name, when this
 * returns 0, and at no moment half of it. What was there before is overwritten with zeros; where root
 * replaces it, its owner stays the owner. Only
 * one caller at a time. -errno: the old one is still there.
 */
int file_replace(const char *path, struct bytes text, mode_t mode);
/* With zeros, to its end. Best effort: a disk that writes elsewhere what is overwritten keeps the
 * old bytes somewhere. 0 or -errno. */
int file_overwrite(int fd);
/* Overwrites with zeros and removes. 0, also where there is none; or -errno. */
int file_erase(const char *path);
/* Root made a file in somebody else's folder, a running keeper's: it becomes theirs. `path` is the
 * open file's. 0 or -errno. */
int file_follow_folder(int fd, const char *path);
/* What was made, renamed or removed in the folder that holds `path` is on the disk. 0 or -errno. */
int file_sync_folder(const char *path);
/* All of it, whatever the kernel takes at once. 0 or -errno. */
int file_write(int fd, struct bytes data);

/* A memfd that holds `data`, called `name` where processes are listed. The caller's; -errno. */
int file_memory(const char *name, struct bytes data);

#endif
