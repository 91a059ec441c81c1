#ifndef BEDWARDEN_UPDATE_TUF_SOURCE_H
#define BEDWARDEN_UPDATE_TUF_SOURCE_H
/*
 * Where a repository's files come from: a mirror, or a bundle that somebody carried. Nothing that
 * it gives is trusted, neither its bytes nor how many or how fast they come.
 */
#include "base/bytes.h"
#include "update/tuf/error.h"

struct tuf_source {
	/*
	 * Hands what is at `path`, relative to the source and already escaped
	 * (RFC 3986 §2.1), to `take`, from byte `from` on, piece by piece in order, and
	 * never more than `max` bytes. 0; -ENOENT where there is none; -EFBIG it has
	 * more; -ERANGE it cannot begin in the middle; -ETIMEDOUT too slow; what `take`
	 * gave; or another -errno.
	 */
	int (*get)(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
		   int (*take)(void *arg, const void *data, size_t len), void *arg,
		   struct tuf_error *e);
	void (*free)(struct tuf_source *s);
};

void tuf_source_free(struct tuf_source *s);
/* All of it, at most max bytes. 0, the block is the caller's to free(). */
int tuf_source_read(struct tuf_source *s, const char *path, size_t max, struct bytes *ret_data,
		    struct tuf_error *e);

/*
 * Over HTTP or HTTPS, from below `url`. Redirects lead to the same host only, three times at most,
 * and never from HTTPS to HTTP: what a mirror says must not make us call at other doors of the
 * hospital. Less than 1,000 bytes a second for 20 seconds is too slow, and so are less than 10,000 on
 * the whole, after two minutes. HTTPS trusts the system's
 * authorities, or those in the file SSL_CERT_FILE. A URL without a scheme we speak: -EPROTONOSUPPORT.
 */
int tuf_http_new(const char *url, struct tuf_source **ret_source, struct tuf_error *e);

/* For what is fetched over HTTP: at most so many bytes a second (0: no limit), and `stop`, where
 * not NULL, is asked now and then whether to give up, with -ECANCELED. */
void tuf_http_limit(struct tuf_source *http, uint64_t bytes_per_s, bool (*stop)(void *arg),
		    void *arg);

/* Percent-encodes all but the unreserved characters and those in `keep`. NULL: no memory. */
char *tuf_escape(const char *text, const char *keep);

#endif
