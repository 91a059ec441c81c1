#include "keep/vault_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define WINDOW (64u << 10)

/* The next place in the window that may begin a record, behind its first byte. */
static size_t skip_to_record(const uint8_t *buf, size_t len)
{
	static const uint8_t begin[] = {0x42, 0x57, 0x31, 0x01};
	const uint8_t *found = len > 1 ? memmem(buf + 1, len - 1, begin, sizeof(begin)) : NULL;

	return found ? (size_t)(found - buf) : len > sizeof(begin) ? len - sizeof(begin) + 1 : len;
}

/* Where there is data again from `at` on; holes of what was destroyed may be long. */
static uint64_t skip_hole(int fd, uint64_t at, uint64_t end)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : at;
	return (uint64_t)data > at ? (uint64_t)data : at;
}

int vault_scan(int fd, uint64_t begin, uint64_t end, vault_scan_fn *fn, void *arg)
{
	uint8_t *buf = malloc(WINDOW);
	uint64_t at = begin, from = 0;
	size_t len = 0;
	int err = buf ? 0 : -ENOMEM;

	while (err >= 0 && at < end) {
		struct object_record r;
		struct bytes here;

		if (at < from || at + OBJECT_NAME_RECORD > from + len) {
			from = at = skip_hole(fd, at, end);
			len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
			err = pack_read(fd, from, buf, len);
			if (err < 0 || !len)
				break;
		}
		here = (struct bytes){buf + (at - from), len - (size_t)(at - from)};
		err = SCAN_INSIDE;
		if (object_read(here, &r) == PARSE_OK && r.length <= end - at)
			err = fn(arg, at, &r);
		at += err == SCAN_WHOLE ? r.length : skip_to_record(here.data, here.len);
	}
	free(buf);
	return err > 0 || err == -ENODATA ? 0 : err;
}

/* --- what the index does not know ---------------------------------------------------------- */

struct punching {
	struct vault *v;
	uint32_t pack;
	int fd;
	uint64_t hole, until; /* what is to be one, as far as is known; equal: nothing */
};

/* No further than `end`, where there is something that the index knows. */
static int punch_hole(struct punching *p, uint64_t end)
{
	uint64_t from = p->hole, until = p->until < end ? p->until : end;

	p->hole = p->until = 0;
	return from < until ? pack_punch(p->fd, from, until - from) : 0;
}

static bool has_name_at(struct vault *v, int64_t object, uint32_t pack, uint64_t at)
{
	struct catalog_name n = {.id = 0};

	while (catalog_name_of(v->catalog, object, n.id, &n) == 0)
		if (n.pack == pack && n.at == at)
			return true;
	return false;
}

static int punch_unknown(void *arg, uint64_t at, const struct object_record *r)
{
	struct punching *p = arg;
	bool content = r->kind == OBJECT_CONTENT, known;
	struct catalog_object o;
	int err = catalog_object_by_address(p->v->catalog, content ? r->head.address : r->address,
					    &o);

	if (err < 0 && err != -ENOENT)
		return err;
	known = err == 0 &&
		(content ? o.pack == p->pack && o.at == at : has_name_at(p->v, o.id, p->pack, at));
	err = known || at >= p->until ? punch_hole(p, at) : 0;
	if (known || err < 0)
		return err;
	if (p->hole == p->until)
		p->hole = at;
	if (p->until < at + r->length)
		p->until = at + r->length;
	return SCAN_INSIDE;
}

int vault_punch_unknown(struct vault *v)
{
	uint32_t *ids = NULL;
	int count = pack_list(v->dir, &ids), err = 0;

	for (int i = 0; err == 0 && i < count; i++) {
		struct punching p = {v, ids[i], pack_open(v->dir, ids[i], true), 0, 0};
		uint64_t end;

		if (p.fd < 0)
			continue;
		err = catalog_pack_end(v->catalog, p.pack, &end);
		if (err == 0)
			err = vault_scan(p.fd, PACK_HEAD, end, punch_unknown, &p);
		if (err == 0)
			err = punch_hole(&p, end);
		if (err == 0 && fdatasync(p.fd) < 0)
			err = -errno;
		close(p.fd);
	}
	free(ids);
	return count < 0 ? count : err;
}
