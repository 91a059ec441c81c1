#include "keep/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cipher.h"
#include "base/file.h"
#include "base/secret.h"

#define CHUNK  (32u << 10) /* sealed at once */
#define SEALED (CHUNK + CRYPTO_TAG)
#define FIRST  2048 /* bytes of memory that most things are content with */

struct spool {
	const char *folder;
	int fd;	       /* -1: all of it is in memory */
	uint8_t *data; /* of the chunk at hand: those written, or those read and not yet given */
	size_t cap, len;
	size_t at;	/* how far that was given */
	uint32_t chunk; /* the number of that chunk */
	bool reading;
	uint64_t size;
	uint8_t *key; /* locked memory; NULL before there is a file */
	struct cipher *cipher;
	uint8_t *sealed;
};

struct spool *spool_new(const char *folder)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->folder = folder;
	s->fd = -1;
	return s;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->data)
		secret_wipe(s->data, s->cap);
	free(s->data);
	free(s->sealed);
	secret_free(s->key, CRYPTO_KEY);
	cipher_free(s->cipher);
	free(s);
}

uint64_t spool_size(const struct spool *s)
{
	return s->size;
}

/* Not realloc(), which would leave what it copied. */
static int grow(struct spool *s, size_t want)
{
	size_t cap = s->cap ? s->cap : FIRST;
	uint8_t *more;

	while (cap < want)
		cap *= 2;
	if (cap <= s->cap)
		return 0;
	more = malloc(cap);
	if (!more)
		return -ENOMEM;
	if (s->data) {
		memcpy(more, s->data, s->len);
		secret_wipe(s->data, s->cap);
		free(s->data);
	}
	s->data = more;
	s->cap = cap;
	return 0;
}

/* Nobody but us ever finds it by its name. */
static int make_file(struct spool *s)
{
	char path[PATH_MAX];
	int err = 0;

	if (snprintf(path, sizeof(path), "%s/spool.part", s->folder) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	unlink(path); /* of one that was killed just then */
	s->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	unlink(path);
	s->key = secret_new(CRYPTO_KEY);
	s->cipher = cipher_new();
	s->sealed = malloc(SEALED);
	if (!s->key || !s->cipher || !s->sealed)
		err = -ENOMEM;
	return err == 0 ? crypto_random(s->key, CRYPTO_KEY) : err;
}

/* The key seals one spool, so that numbers serve as nonces. */
static void nonce_of(uint32_t chunk, uint8_t ret_nonce[CRYPTO_NONCE])
{
	struct writer w = writer_new(ret_nonce, CRYPTO_NONCE);

	memset(ret_nonce, 0, CRYPTO_NONCE);
	write_be32(&w, chunk);
}

/* The chunk at hand into the file. */
static int put_away(struct spool *s)
{
	uint8_t nonce[CRYPTO_NONCE];
	int err = s->fd < 0 ? make_file(s) : 0;

	if (err < 0)
		return err;
	if (s->chunk == UINT32_MAX)
		return -EFBIG;
	nonce_of(s->chunk, nonce);
	err = cipher_seal(s->cipher, s->key, nonce, (struct bytes){0},
			  (struct bytes){s->data, s->len}, s->sealed);
	if (err == 0)
		err = file_write(s->fd, (struct bytes){s->sealed, s->len + CRYPTO_TAG});
	s->chunk++;
	s->len = 0;
	return err;
}

int spool_add(struct spool *s, struct bytes piece)
{
	int err = 0;

	while (err == 0 && piece.len) {
		size_t n = piece.len < CHUNK - s->len ? piece.len : CHUNK - s->len;

		err = grow(s, s->len + n);
		if (err < 0)
			break;
		memcpy(s->data + s->len, piece.data, n);
		s->len += n;
		s->size += n;
		piece = (struct bytes){piece.data + n, piece.len - n};
		if (s->len == CHUNK)
			err = put_away(s);
	}
	return err;
}

int spool_rewind(struct spool *s)
{
	int err = s->fd >= 0 && s->len && !s->reading ? put_away(s) : 0;

	s->reading = true;
	s->at = 0;
	if (s->fd < 0 || err < 0)
		return err;
	s->chunk = 0;
	s->len = 0;
	return lseek(s->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static ssize_t read_sealed(const struct spool *s)
{
	size_t len = 0;

	while (len < SEALED) {
		ssize_t n = read(s->fd, s->sealed + len, SEALED - len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

/* The next chunk of the file. How many bytes; 0 at its end. */
static ssize_t fetch(struct spool *s)
{
	uint8_t nonce[CRYPTO_NONCE];
	ssize_t n = s->fd < 0 ? 0 : read_sealed(s);
	int err;

	if (n <= 0)
		return n;
	if (n <= CRYPTO_TAG)
		return -EBADMSG;
	nonce_of(s->chunk, nonce);
	err = cipher_open(s->cipher, s->key, nonce, (struct bytes){0},
			  (struct bytes){s->sealed, (size_t)n}, s->data);
	if (err < 0)
		return err;
	s->chunk++;
	s->at = 0;
	s->len = (size_t)n - CRYPTO_TAG;
	return (ssize_t)s->len;
}

ssize_t spool_read(struct spool *s, uint8_t *to, size_t len)
{
	size_t given = 0;

	while (given < len) {
		size_t n = s->len - s->at < len - given ? s->len - s->at : len - given;
		ssize_t more;

		if (n) {
			memcpy(to + given, s->data + s->at, n);
			s->at += n;
			given += n;
			continue;
		}
		more = fetch(s);
		if (more < 0)
			return more;
		if (more == 0)
			break;
	}
	return (ssize_t)given;
}
