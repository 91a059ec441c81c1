#ifndef BEDWARDEN_UPDATE_BUNDLE_TAR_H
#define BEDWARDEN_UPDATE_BUNDLE_TAR_H
/*
 * The blocks of a tar archive, as far as a bundle needs them: POSIX.1-2017 pax, "ustar Interchange
 * Format"; a name of more than 100 bytes stands in a pax header before its file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"

enum {
	TAR_BLOCK = 512,
	TAR_NAME_MAX = 2048, /* with its zero */
};
#define TAR_SIZE_MAX  077777777777ull /* 8 GiB less one */
#define TAR_PADDED(n) (((n) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK)

struct tar_entry {
	char name[TAR_NAME_MAX];
	char type; /* '0' a file; 'x' a pax header for the next */
	uint64_t size;
};

/* Header blocks for a file, one or three; how many bytes. */
size_t tar_write_header(const char *name, uint64_t size, uint8_t ret_blocks[6 * TAR_BLOCK]);

/* 0; -ENODATA for a block of zeros; -EBADMSG. */
int tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *ret_entry);
/* The path in a pax header's records. 0; -ENOENT; -EBADMSG. */
int tar_read_path(struct bytes records, char ret_name[TAR_NAME_MAX]);

/*
 * Every file of an archive that is whole to its last byte and holds nothing but files: its name, where
 * it begins and how long it is. 0; what `fn` gave; -EBADMSG for anything else in there.
 */
int tar_walk(int fd, uint64_t size,
	     int (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg);

#endif
