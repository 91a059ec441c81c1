#ifndef BEDWARDEN_CLI_OUTPUT_H
#define BEDWARDEN_CLI_OUTPUT_H
/*
 * What a command writes to the file that its -o names. A file has its name once it is whole and on
 * the disk, through a link where there is one; what had it before stays until then, and lends its
 * mode. A device, pipe or terminal is no file to be replaced: it is written to.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/newfile.h"

struct output {
	int fd; /* to write to */
	/* Where that is a file that is to appear whole: */
	struct newfile file; /* .fd -1: it is none */
	int folder;
	char *path; /* links resolved */
	const char *name;
	mode_t mode;
	bool replaces;
};

#define OUTPUT_NONE ((struct output){.fd = -1, .folder = -1, .file = {.fd = -1}})

/* `mode` is that of a file which was not there. CLI_OK, or CLI_FAILED and said. Either way to be
 * ended by output_free(). */
int output_begin(const char *path, mode_t mode, struct output *ret_output);
/* The file to the disk, and only then under `name` in its folder. 0 or -errno. */
int output_finish(struct output *o, const char *name, bool replace);
/* Leaves nothing of what was not finished. */
void output_free(struct output *o);

/* A whole text, to standard output where `path` is NULL or "-". CLI_OK, or CLI_FAILED and said. */
int output_put(const char *path, struct bytes text, mode_t mode);

#endif
