#ifndef BEDWARDEN_SEAL_AGE_HEADER_H
#define BEDWARDEN_SEAL_AGE_HEADER_H
/*
 * The header of an age v1 file (c2sp.org/age): a version line, stanzas that
 * each wrap the file key for one recipient, and a MAC over all of it. Read
 * strictly: what no encoder writes is refused.
 */
#include "base/bytes.h"
#include "base/crypto.h"

enum {
	AGE_FILE_KEY = 16,
	AGE_HEADER_MAX = 2u << 20, /* bytes; a thousand recipients take 120,000 */
	AGE_COLUMNS = 64,
	AGE_LINE_BYTES = 48, /* that AGE_COLUMNS digits stand for */
};

struct age_stanza {
	struct bytes args; /* what stands behind "-> ", the type among it */
	struct bytes type; /* the first of them */
	unsigned arg_count;
	struct bytes body_text; /* lines of base64 */
	size_t body_len;	/* bytes they stand for */
};

struct age_header {
	struct bytes text;   /* whole, with the last line feed */
	struct bytes sealed; /* what the MAC covers: up to and with "---" */
	struct bytes stanzas;
	unsigned stanza_count; /* at least one */
	uint8_t mac[CRYPTO_HASH];
};

/*
 * Every stanza is read; they and the header borrow the text. BAD also for one
 * that does not end within AGE_HEADER_MAX.
 */
enum parse age_header_read(struct bytes in, struct age_header *ret_header);
/* Over a reader of `stanzas`; false after the last, and with the reader bad for a malformed one. */
bool age_stanza_next(struct reader *r, struct age_stanza *ret_stanza);
/* The n-th argument, 0 is the type; an empty range where there is none. */
struct bytes age_stanza_arg(const struct age_stanza *s, unsigned n);
/* -EMSGSIZE where the body is not of exactly that length. */
int age_stanza_body(const struct age_stanza *s, uint8_t *ret_body, size_t len);

/* 0, -EKEYREJECTED where the MAC is not the one of this file key, or -errno. */
int age_header_check(const struct age_header *h, const uint8_t file_key[AGE_FILE_KEY]);

/* Writers; the version line first, the MAC last. */
void age_header_begin(struct writer *w);
/* `args` without "-> ", with its spaces. */
void age_header_stanza(struct writer *w, const char *args, const void *body, size_t len);
/* 0 or -errno; the writer must hold the header from its first byte on. */
int age_header_end(struct writer *w, const uint8_t file_key[AGE_FILE_KEY]);

#endif
