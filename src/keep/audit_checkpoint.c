#include "keep/audit_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "keep/keys.h"

#define WORD "audit-checkpoint-1"

static const uint8_t zeros[CIPHER_SIGN];

/* What is signed: the line up to the key, which stands for itself. */
static size_t signed_text(const struct audit_checkpoint *c, char ret_text[AUDIT_CHECKPOINT_MAX])
{
	char trail[2 * CRYPTO_HASH + 1], head[2 * CRYPTO_HASH + 1];

	hex_write(c->trail, sizeof(c->trail), trail);
	hex_write(c->head, sizeof(c->head), head);
	return (size_t)snprintf(ret_text, AUDIT_CHECKPOINT_MAX,
				WORD " %s %" PRIu64 " %s %" PRIu64 " ", trail, c->count, head,
				c->time_ns);
}

size_t audit_checkpoint_text(const struct audit_checkpoint *c, char ret_text[AUDIT_CHECKPOINT_MAX])
{
	size_t len = signed_text(c, ret_text);

	hex_write(c->key, sizeof(c->key), ret_text + len);
	len += 2 * sizeof(c->key);
	ret_text[len++] = ' ';
	hex_write(c->sign, sizeof(c->sign), ret_text + len);
	return len + 2 * sizeof(c->sign);
}

/* Up to the next blank, or the end. */
static struct bytes word(struct reader *r)
{
	struct bytes rest = {r->in.data + r->off, reader_left(r)}, w;
	const uint8_t *blank = rest.len ? memchr(rest.data, ' ', rest.len) : NULL;

	w = read_bytes(r, blank ? (size_t)(blank - rest.data) : rest.len);
	if (blank)
		read_skip(r, 1);
	return w;
}

static bool number(struct bytes w, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!w.len || w.len > 19 || (w.data[0] == '0' && w.len > 1))
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.data[i] < '0' || w.data[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(w.data[i] - '0');
	}
	*ret_n = n;
	return true;
}

bool audit_checkpoint_parse(struct bytes text, struct audit_checkpoint *ret_c)
{
	struct audit_checkpoint c;
	struct bytes w;
	struct reader r;

	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	r = reader_new(text.data, text.len);
	w = word(&r);
	if (w.len != strlen(WORD) || memcmp(w.data, WORD, w.len) != 0 ||
	    !hex_read_small(word(&r), c.trail, sizeof(c.trail)) || !number(word(&r), &c.count) ||
	    !hex_read_small(word(&r), c.head, sizeof(c.head)) || !number(word(&r), &c.time_ns) ||
	    !hex_read_small(word(&r), c.key, sizeof(c.key)) ||
	    !hex_read_small(word(&r), c.sign, sizeof(c.sign)) || reader_left(&r))
		return false;
	*ret_c = c;
	return true;
}

bool audit_checkpoint_signed(const struct audit_checkpoint *c)
{
	return memcmp(c->sign, zeros, sizeof(c->sign)) != 0;
}

int audit_checkpoint_sign(struct audit_checkpoint *c, struct keys *keys)
{
	char text[AUDIT_CHECKPOINT_MAX];
	size_t len;
	int err;

	memset(c->key, 0, sizeof(c->key));
	memset(c->sign, 0, sizeof(c->sign));
	if (!keys)
		return 0;
	len = signed_text(c, text);
	err = keys_sign(keys, AUDIT_PURPOSE, (struct bytes){(const uint8_t *)text, len}, c->sign);
	if (err == 0)
		err = keys_public(keys, AUDIT_PURPOSE, c->key);
	return err;
}

bool audit_checkpoint_valid(const struct audit_checkpoint *c)
{
	char text[AUDIT_CHECKPOINT_MAX];
	size_t len = signed_text(c, text);

	return audit_checkpoint_signed(c) &&
	       sign_check(c->key, (struct bytes){(const uint8_t *)text, len}, c->sign);
}

int audit_checkpoint_read(const char *dir, struct audit_checkpoint *ret_c)
{
	char path[PATH_MAX];
	struct bytes text;
	int err;

	if (snprintf(path, sizeof(path), "%s/" AUDIT_CHECKPOINT_NAME, dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = file_read(path, AUDIT_CHECKPOINT_MAX, &text);
	if (err < 0)
		return err == -EFBIG ? -EBADMSG : err;
	err = audit_checkpoint_parse(text, ret_c) ? 0 : -EBADMSG;
	free((void *)text.data);
	return err;
}
