#ifndef BEDWARDEN_SEAL_AGE_RECIPIENT_H
#define BEDWARDEN_SEAL_AGE_RECIPIENT_H
/*
 * Whom a file is sealed for: public keys ("age1…"), or one passphrase, which
 * nothing can stand beside.
 */
#include "seal/age/header.h"

enum {
	AGE_RECIPIENT_TEXT = 63, /* an X25519 recipient, with the zero */
	AGE_RECIPIENTS_MAX = 10000,
	AGE_WORK_DEFAULT = 18, /* 2^18: a second and 256 MiB, as age has it */
};

struct age_recipients;

struct age_recipients *age_recipients_new(void);
void age_recipients_free(struct age_recipients *r);
size_t age_recipients_count(const struct age_recipients *r);

/*
 * "age1…". 0; -EINVAL for no recipient; -ENOTSUP for a kind that is not built
 * in: SSH, a plugin, a post-quantum one; -EBUSY beside a passphrase; -E2BIG;
 * -ENOMEM. One that is there already is taken once.
 */
int age_recipients_add(struct age_recipients *r, struct bytes text);
int age_recipients_add_key(struct age_recipients *r, const uint8_t key[CRYPTO_KEY]);
/* As age writes a file of them: one a line, '#' begins a comment. Also tells the line that is
 * wrong, 0 where it is none of them; -ENOENT where no line holds one. */
int age_recipients_read(struct age_recipients *r, struct bytes text, unsigned *ret_line);
/* Copied into memory that is locked and wiped. -EBUSY beside anything else. log_n 1..30. */
int age_recipients_passphrase(struct age_recipients *r, struct bytes passphrase, unsigned log_n);

/* Bytes of the longest header for them. */
size_t age_recipients_header(const struct age_recipients *r);
/* A stanza for each. 0 or -errno; -ENOENT where there is nobody. */
int age_recipients_wrap(const struct age_recipients *r, const uint8_t file_key[AGE_FILE_KEY],
			struct writer *w);
void age_recipient_write(const uint8_t key[CRYPTO_KEY], char ret_text[AGE_RECIPIENT_TEXT]);

/* The next line of a file of keys that says something, without its end; false after the last.
 * `line` counts from one. */
bool age_line_next(struct reader *r, unsigned *line, struct bytes *ret_line);

#endif
