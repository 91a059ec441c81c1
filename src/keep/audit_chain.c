#include "keep/audit_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"

#define BUF (4 * AUDIT_LINE_MAX)

int audit_chain_hash(const uint8_t before[CRYPTO_HASH], struct bytes row,
		     uint8_t ret_hash[CRYPTO_HASH])
{
	uint8_t all[CRYPTO_HASH + AUDIT_LINE_MAX];

	if (row.len > AUDIT_LINE_MAX)
		return -EMSGSIZE;
	memcpy(all, before, CRYPTO_HASH);
	memcpy(all + CRYPTO_HASH, row.data, row.len);
	return crypto_sha256((struct bytes){all, CRYPTO_HASH + row.len}, ret_hash);
}

int audit_chain_begin(struct audit_chain *c, int fd)
{
	*c = (struct audit_chain){.fd = fd, .buf = malloc(BUF)};
	return c->buf ? 0 : -ENOMEM;
}

void audit_chain_end(struct audit_chain *c)
{
	free(c->buf);
	c->buf = NULL;
}

/* More of the file behind what is there. 1 some; 0 its end; -errno. */
static int more(struct audit_chain *c)
{
	ssize_t n;

	memmove(c->buf, c->buf + c->at, c->have - c->at);
	c->have -= c->at;
	c->at = 0;
	n = pread(c->fd, c->buf + c->have, BUF - c->have, (off_t)(c->off + c->have));
	if (n < 0)
		return -errno;
	c->have += (size_t)n;
	return n > 0;
}

/* The next whole line, without its end. 1, 0, -EAGAIN, -EUCLEAN, -errno. */
static int line(struct audit_chain *c, struct bytes *ret_line)
{
	const uint8_t *newline;
	int r;

	while (!(newline = memchr(c->buf + c->at, '\n', c->have - c->at))) {
		if (c->have - c->at > AUDIT_LINE_MAX)
			return -EUCLEAN;
		r = more(c);
		if (r < 0)
			return r;
		if (r == 0)
			return c->have ? -EAGAIN : 0;
	}
	*ret_line = (struct bytes){c->buf + c->at, (size_t)(newline - (c->buf + c->at))};
	return ret_line->len < AUDIT_LINE_MAX ? 1 : -EUCLEAN;
}

int audit_chain_next(struct audit_chain *c)
{
	uint8_t said[CRYPTO_HASH], hash[CRYPTO_HASH];
	struct bytes text, row;
	int r = line(c, &text);

	if (r <= 0)
		return r;
	if (text.len <= AUDIT_HEAD || text.data[AUDIT_HEAD - 1] != ' ' ||
	    !hex_read_small((struct bytes){text.data, AUDIT_HEAD - 1}, said, sizeof(said)))
		return -EUCLEAN;
	row = (struct bytes){text.data + AUDIT_HEAD, text.len - AUDIT_HEAD};
	r = audit_chain_hash(c->hash, row, hash);
	if (r < 0)
		return r;
	if (memcmp(hash, said, sizeof(hash)) != 0)
		return -EUCLEAN;
	memcpy(c->hash, hash, sizeof(hash));
	if (c->count++ == 0)
		memcpy(c->trail, hash, sizeof(hash));
	c->row = row;
	c->at += text.len + 1;
	c->off += text.len + 1;
	return 1;
}
