#include "update/tuf/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct block {
	uint8_t *data;
	size_t len, cap, max;
};

void tuf_source_free(struct tuf_source *s)
{
	if (s)
		s->free(s);
}

static int keep(void *arg, const void *data, size_t len)
{
	struct block *b = arg;
	size_t cap = b->cap ? b->cap : 16384;
	uint8_t *more;

	if (len > b->max - b->len)
		return -EFBIG;
	while (cap - b->len < len)
		cap *= 2;
	if (cap != b->cap) {
		more = realloc(b->data, cap);
		if (!more)
			return -ENOMEM;
		b->data = more;
		b->cap = cap;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

int tuf_source_read(struct tuf_source *s, const char *path, size_t max, struct bytes *ret_data,
		    struct tuf_error *e)
{
	struct block b = {.max = max};
	int err = s->get(s, path, 0, max, keep, &b, e);

	if (err < 0) {
		free(b.data);
		return err == -ENOMEM ? tuf_fail(e, err, "out of memory") : err;
	}
	*ret_data = (struct bytes){b.data, b.len};
	return 0;
}

char *tuf_escape(const char *text, const char *keep)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789_.-~";
	static const char digits[] = "0123456789ABCDEF";
	char *out = malloc(strlen(text) * 3 + 1), *to = out;

	if (!out)
		return NULL;
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (strchr(unreserved, c) || strchr(keep, c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	*to = 0;
	return out;
}
