#ifndef BEDWARDEN_SEAL_AGE_IDENTITY_H
#define BEDWARDEN_SEAL_AGE_IDENTITY_H
/*
 * Who may open: private keys ("AGE-SECRET-KEY-1…") and passphrases, in memory
 * that is locked and wiped.
 */
#include "seal/age/header.h"
#include "seal/age/recipient.h"

enum {
	AGE_IDENTITY_TEXT = 75, /* with the zero */
	AGE_IDENTITIES_MAX = 1024,
	AGE_WORK_MAX = 22, /* 2^22: a quarter of a minute and 4 GiB; more is refused, as age does */
};

struct age_identities;

struct age_identities *age_identities_new(void);
void age_identities_free(struct age_identities *ids);
size_t age_identities_count(const struct age_identities *ids);

/* "AGE-SECRET-KEY-1…". 0; -EINVAL; -ENOTSUP for one of a plugin or a post-quantum one; -E2BIG. */
int age_identities_add(struct age_identities *ids, struct bytes text);
/* One a line, '#' begins a comment; as age_recipients_read(). */
int age_identities_read(struct age_identities *ids, struct bytes text, unsigned *ret_line);
/* One at most. */
int age_identities_passphrase(struct age_identities *ids, struct bytes passphrase,
			      unsigned max_log_n);
/* Their public halves. -EBUSY beside a passphrase. */
int age_identities_recipients(const struct age_identities *ids, struct age_recipients *r);
/* The public half of the n-th. */
void age_identity_recipient(const struct age_identities *ids, size_t n,
			    char ret_text[AGE_RECIPIENT_TEXT]);

/*
 * The file key of a header, its MAC not yet checked. An age_unwrap (age.h) over
 * identities. 0; -ENOKEY nobody's; -EPROTO a stanza that the specification
 * refuses; -ERANGE a work factor above the limit; or -errno.
 */
int age_identities_unwrap(void *ids, const struct age_header *h,
			  uint8_t ret_file_key[AGE_FILE_KEY]);
/*
 * What holds of a header whoever opens it: scrypt stands alone and is well-formed.
 * 0 or -EPROTO; the binary logarithm of its work factor, 0 where keys open it.
 */
int age_header_work(const struct age_header *h, unsigned *ret_log_n);

/* A new key pair; both texts with their zero. 0 or -errno. */
int age_identity_new(char ret_identity[AGE_IDENTITY_TEXT], char ret_recipient[AGE_RECIPIENT_TEXT]);

#endif
