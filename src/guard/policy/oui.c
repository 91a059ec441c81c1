#include "guard/policy/oui.h"

#include <errno.h>
#include <stdlib.h>

#define NAME_LONGEST 96
#define LOCAL_BIT    2 /* IEEE 802-2014 §8.2.2: chosen by the machine itself */

struct entry {
	uint64_t prefix; /* the assignment's first address */
	uint32_t name;	 /* offset into names */
	uint8_t bits;
};

struct oui {
	struct entry *entries;
	size_t count, room;
	char *names; /* each ended by zero; the first one is empty */
	size_t len, cap;
	uint32_t block; /* of the lines that follow */
};

struct oui *oui_new(void)
{
	struct oui *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->cap = 4096;
	o->len = 1;
	o->names = calloc(1, o->cap);
	if (!o->names) {
		free(o);
		errno = ENOMEM;
		return NULL;
	}
	return o;
}

void oui_free(struct oui *o)
{
	if (!o)
		return;
	free(o->entries);
	free(o->names);
	free(o);
}

static int grow(struct oui *o)
{
	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 1024;
		struct entry *e = reallocarray(o->entries, room, sizeof(*e));

		if (!e)
			return -ENOMEM;
		o->entries = e;
		o->room = room;
	}
	if (o->cap - o->len <= NAME_LONGEST) {
		char *names = realloc(o->names, o->cap * 2);

		if (!names)
			return -ENOMEM;
		o->names = names;
		o->cap *= 2;
	}
	return 0;
}

static int add_entry(struct oui *o, uint64_t prefix, uint8_t bits, struct bytes name)
{
	int r = grow(o);

	if (r < 0)
		return r;
	if (name.len >= NAME_LONGEST)
		name.len = NAME_LONGEST - 1;
	o->entries[o->count++] = (struct entry){prefix, (uint32_t)o->len, bits};
	if (name.len) /* an assignment may name nobody */
		memcpy(o->names + o->len, name.data, name.len);
	o->len += name.len;
	o->names[o->len++] = 0;
	return 0;
}

/* Exactly six hex digits, with a dash between bytes or without. */
static bool read_hex(struct reader *r, bool dashes, uint32_t *ret_v)
{
	uint32_t v = 0;

	for (int i = 0; i < 6; i++) {
		uint8_t c, d;

		if (dashes && i && i % 2 == 0 && read_u8(r) != '-')
			return false;
		c = read_u8(r);
		d = (uint8_t)(c >= '0' && c <= '9'		   ? c - '0'
			      : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
								   : 255);
		if (r->bad || d == 255)
			return false;
		v = v << 4 | d;
	}
	*ret_v = v;
	return true;
}

/* What follows the tabs, without the line's end. */
static struct bytes organisation(struct bytes line)
{
	const uint8_t *tab = memrchr(line.data, '\t', line.len);
	struct bytes name = {NULL, 0};

	if (!tab)
		return name;
	name.data = tab + 1;
	name.len = line.len - (size_t)(name.data - line.data);
	while (name.len && (name.data[name.len - 1] == '\r' || name.data[name.len - 1] == ' '))
		name.len--;
	return name;
}

/*
 * "00-22-72   (hex)\t\tName", then "002272     (base 16)\t\tName"; in the finer
 * registries the second line is a range, "900000-9FFFFF     (base 16)\t\tName",
 * within the block of the first.
 */
int oui_add(struct oui *o, struct bytes line)
{
	struct reader r = reader_new(line.data, line.len);
	uint32_t first, last;
	uint8_t bits = 24;
	int done;

	if (!line.len || line.data[0] <= ' ')
		return 0;
	if (read_hex(&r, true, &o->block))
		return 0;
	r = reader_new(line.data, line.len);
	if (!read_hex(&r, false, &first) || !memmem(line.data, line.len, "(base 16)", 9))
		return 0;
	if (read_u8(&r) == '-') {
		if (!read_hex(&r, false, &last) || last < first)
			return 0;
		bits = (uint8_t)(24 + __builtin_clz((last - first) | 1) - 8);
		done = add_entry(o, (uint64_t)o->block << 24 | first, bits, organisation(line));
	} else {
		done = add_entry(o, (uint64_t)first << 24, bits, organisation(line));
	}
	return done < 0 ? done : 1;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return (x->prefix > y->prefix) - (x->prefix < y->prefix);
}

void oui_sort(struct oui *o)
{
	if (o->count)
		qsort(o->entries, o->count, sizeof(*o->entries), compare);
}

static const char *find(const struct oui *o, uint64_t address, uint8_t bits)
{
	struct entry key = {address >> (48 - bits) << (48 - bits), 0, bits};
	const struct entry *e;

	if (!o->count)
		return NULL;
	e = bsearch(&key, o->entries, o->count, sizeof(key), compare);
	return e ? o->names + e->name : NULL;
}

const char *oui_vendor(const struct oui *o, const uint8_t mac[6])
{
	static const uint8_t lengths[] = {36, 28, 24};
	uint64_t address = 0;

	if (mac[0] & LOCAL_BIT)
		return "";
	for (int i = 0; i < 6; i++)
		address = address << 8 | mac[i];
	for (size_t i = 0; i < sizeof(lengths); i++) {
		const char *name = find(o, address, lengths[i]);

		if (name)
			return name;
	}
	return "";
}
