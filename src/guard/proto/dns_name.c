#include "guard/proto/dns_name.h"

#define POINTER 0xc0
#define LABEL	63

bool dns_name_read(struct reader *r, struct dns_name *ret_n)
{
	struct reader at = *r;
	size_t limit = r->off, total = 0;
	bool jumped = false;

	ret_n->count = 0;
	for (;;) {
		uint8_t len = read_u8(&at);

		if (at.bad)
			return false;
		if (len >= POINTER) {
			size_t to = (len & 0x3fu) << 8 | read_u8(&at);

			if (at.bad || to >= limit)
				return false;
			if (!jumped)
				r->off = at.off;
			jumped = true;
			limit = at.off = to;
			continue;
		}
		if (len > LABEL)
			return false;
		if (len == 0)
			break;
		total += len + 1u;
		if (total > DNS_NAME_MAX || ret_n->count == DNS_LABELS)
			return false;
		ret_n->label[ret_n->count++] = read_bytes(&at, len);
	}
	if (!jumped)
		r->off = at.off;
	return true;
}

bool dns_name_skip(struct reader *r)
{
	size_t start = r->off;

	while (r->off - start <= DNS_NAME_MAX) {
		uint8_t len = read_u8(r);

		if (len >= POINTER) {
			size_t to = (len & 0x3fu) << 8 | read_u8(r);

			return !r->bad && to < start;
		}
		if (r->bad || len > LABEL)
			return false;
		if (len == 0)
			return true;
		read_skip(r, len);
	}
	return false;
}

static void put(struct writer *w, const void *data, size_t len)
{
	write_bytes(w, data, len < w->cap - w->len ? len : w->cap - w->len);
}

void dns_name_write(const struct dns_name *n, struct writer *w)
{
	for (unsigned i = 0; i < n->count; i++) {
		put(w, ".", i ? 1 : 0);
		put(w, n->label[i].data, n->label[i].len);
	}
}
