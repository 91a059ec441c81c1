#ifndef BEDWARDEN_BASE_FILE_H
#define BEDWARDEN_BASE_FILE_H
/*
 * Files that are read whole: a policy, a profile, a registry.
 */
#include "base/bytes.h"

/*
 * A regular file, or what a pipe has to give. 0, the block is the caller's to
 * free(); -EFBIG it is longer than `max`; -EISDIR; or -errno.
 */
int file_read(const char *path, size_t max, struct bytes *ret_text);
/* The same of what is open already, such as standard input. */
int file_read_fd(int fd, size_t max, struct bytes *ret_text);

#endif
