#ifndef BEDWARDEN_SEAL_AGE_FEED_H
#define BEDWARDEN_SEAL_AGE_FEED_H
/*
 * The bytes of an age file from where it comes: out of its armor if it wears
 * one, the header found, then the payload as it is asked for.
 */
#include "seal/age/age.h"

struct age_feed;

/* The input must outlive it. NULL with errno. */
struct age_feed *feed_new(const struct age_input *in);
void feed_free(struct age_feed *f);
/* 0, -EILSEQ, -EPROTO or -errno, and why. The header is borrowed until feed_read(). */
int feed_header(struct age_feed *f, struct age_header *ret_header, const char **ret_why);
/* As much as there is, up to len: less only at the end (0), or before what is wrong: -EILSEQ or
 * -errno. */
int feed_read(struct age_feed *f, void *data, size_t len, size_t *ret_len);

/* The same of an input as it is. */
int input_read(const struct age_input *in, void *data, size_t len, size_t *ret_len);

#endif
