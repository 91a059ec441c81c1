#include "update/advisory/match_internal.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/fnv.h"

uint64_t match_hash(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = fnv64_step(h, (uint8_t)tolower((unsigned char)*s));
	return fnv64_step(h, 0xff);
}

uint64_t match_identifier_key(const struct identifier *id)
{
	uint64_t h = id->cpe ? 7 : 11;

	return match_hash(match_hash(match_hash(h, id->kind), id->vendor), id->product);
}

static bool add_entry(struct matcher *m, enum key_kind kind, uint64_t key, uint32_t product)
{
	void *list = m->entries;

	if (!match_grow(&list, m->entry_count, &m->entry_cap, sizeof(*m->entries)))
		return false;
	m->entries = list;
	m->entries[m->entry_count++] =
		(struct entry){key, m->advisory_count, product, (uint32_t)kind};
	return true;
}

bool match_index(struct matcher *m, const struct csaf_product *p, uint32_t i)
{
	bool ok = true;

	for (unsigned f = 0; ok && f < p->vendor.count; f++) {
		ok = add_entry(m, BY_VENDOR, p->vendor.form[f].whole, i);
		if (ok && p->vendor.form[f].first != p->vendor.form[f].whole)
			ok = add_entry(m, BY_VENDOR, p->vendor.form[f].first, i);
	}
	for (unsigned f = 0; ok && f < p->product.count; f++)
		if (p->product.form[f].telling)
			ok = add_entry(m, BY_NAME, p->product.form[f].whole, i);
	if (ok && p->cpe)
		ok = add_entry(m, BY_IDENTIFIER, match_identifier_key(p->cpe), i);
	if (ok && p->purl)
		ok = add_entry(m, BY_IDENTIFIER, match_identifier_key(p->purl), i);
	return ok;
}

static int entry_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->advisory != y->advisory)
		return x->advisory < y->advisory ? -1 : 1;
	return (x->product > y->product) - (x->product < y->product);
}

void match_index_sort(struct matcher *m)
{
	if (!m->sorted && m->entry_count)
		qsort(m->entries, m->entry_count, sizeof(*m->entries), entry_order);
	m->sorted = true;
}

size_t match_entries(const struct matcher *m, enum key_kind kind, uint64_t key, size_t *ret_end)
{
	size_t low = 0, high = m->entry_count, at;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct entry *e = &m->entries[mid];

		if (e->kind < (uint32_t)kind || (e->kind == (uint32_t)kind && e->key < key))
			low = mid + 1;
		else
			high = mid;
	}
	for (at = low; at < m->entry_count && m->entries[at].kind == (uint32_t)kind &&
		       m->entries[at].key == key;)
		at++;
	*ret_end = at;
	return low;
}
