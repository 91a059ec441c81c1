#include "keep/audit_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BUF (4 * AUDIT_LINE_MAX)

void audit_hex(const void *data, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *d = data;

	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = digits[d[i] >> 4];
		ret_text[2 * i + 1] = digits[d[i] & 15];
	}
	ret_text[2 * len] = 0;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool audit_unhex(struct bytes text, void *ret_data, size_t len)
{
	uint8_t *d = ret_data;

	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit(text.data[2 * i]), low = digit(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		d[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

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
	    !audit_unhex((struct bytes){text.data, AUDIT_HEAD - 1}, said, sizeof(said)))
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
