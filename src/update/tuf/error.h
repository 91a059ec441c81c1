#ifndef BEDWARDEN_UPDATE_TUF_ERROR_H
#define BEDWARDEN_UPDATE_TUF_ERROR_H
/*
 * Why an update stopped, as one sentence for a person: what, where, and what to do where that
 * is known. Names that come from metadata are made printable, so that a mirror cannot write to a
 * terminal.
 *
 * The codes that the TUF client gives besides the system's:
 *   -EBADMSG       it is no metadata of this kind, or bytes do not fit their hash
 *   -EKEYREJECTED  signed by too few of the keys that count
 *   -ESTALE        older than what was seen before: a rollback
 *   -ETIME         expired: a freeze, or a wrong clock
 *   -EFBIG         longer than it may be
 *   -ENOENT        the repository has no such file or target
 */
struct tuf_error {
	char text[512];
};

/* Writes the sentence (`e` may be NULL) and returns `code`. */
int tuf_fail(struct tuf_error *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
