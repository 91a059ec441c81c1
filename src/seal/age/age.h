#ifndef BEDWARDEN_SEAL_AGE_AGE_H
#define BEDWARDEN_SEAL_AGE_AGE_H
/*
 * Files in the format age v1 (c2sp.org/age), as streams of any length in bounded
 * memory, their chunks on as many cores as there are.
 *
 * Sealing writes a header for the recipients and then the payload. Opening
 * finds the file key with the help of the caller, who alone knows keys, and
 * writes plain bytes only once they are authenticated, in order.
 */
#include <sys/types.h>

#include "seal/age/header.h"

struct age_recipients;

/* From a descriptor, or from a function: bytes, 0 at the end, or -errno. Not called twice at
 * once, but from any thread. */
struct age_input {
	int fd;
	ssize_t (*read)(void *arg, void *data, size_t max); /* NULL: the descriptor */
	void *arg;
};

/* To a descriptor, or to a function that takes all of it or gives -errno; as above. */
struct age_output {
	int fd;
	int (*write)(void *arg, const void *data, size_t len); /* NULL: the descriptor */
	void *arg;
};

struct age_result {
	uint64_t plain;	 /* bytes sealed, or authenticated and written */
	const char *why; /* what was wrong, for a person; NULL where errno says it */
};

/* After each batch, with the plain bytes so far; from any thread. */
typedef void (*age_progress)(void *arg, uint64_t plain);
/*
 * Gives the file key of a header: 0; -ENOKEY where no key fits; -EPROTO for a
 * stanza that is refused; or -errno. age_identities_unwrap() is one. The MAC is
 * checked after it.
 */
typedef int (*age_unwrap)(void *arg, const struct age_header *h,
			  uint8_t ret_file_key[AGE_FILE_KEY]);

struct age_seal_options {
	const struct age_recipients *recipients;
	bool armor;
	age_progress progress; /* or NULL */
	void *progress_arg;
	uint8_t *ret_file_key; /* where the caller wants it, to read back what was written */
};

struct age_open_options {
	age_unwrap unwrap;
	void *unwrap_arg;
	age_progress progress; /* or NULL */
	void *progress_arg;
};

/*
 * What a stream needs: buffers and keyed ciphers, used again for every file.
 * One file at a time; with one thread, none is started.
 */
struct age_engine;
enum { AGE_THREADS_MAX = 8 };
/* 0 threads: as the machine has cores. NULL with errno. */
struct age_engine *age_engine_new(unsigned threads);
/* Wipes what it held; NULL is fine. */
void age_engine_free(struct age_engine *e);

/* 0, or -errno of the input, the output or the system; -ENOENT where there is no recipient, -EDOM
 * for one that nobody can have. */
int age_seal(struct age_engine *e, const struct age_seal_options *o, const struct age_input *in,
	     const struct age_output *out, struct age_result *ret_result);

/*
 * 0, or
 *   -EILSEQ        the armor is broken
 *   -EPROTO        it is no age file, or its header is refused
 *   -ENOKEY        no key fits
 *   -EKEYREJECTED  the header's MAC does not fit its key
 *   -EBADMSG       the payload is altered, cut or followed by something; what was
 *                  authenticated before has been written
 * or what the caller's functions or the system gave.
 */
int age_open(struct age_engine *e, const struct age_open_options *o, const struct age_input *in,
	     const struct age_output *out, struct age_result *ret_result);

/* Does a file that starts so look like an age file, armored or not? The first AGE_START bytes tell,
 * or all there are. */
enum { AGE_START = 64 };
bool age_begins(struct bytes start);

#endif
