/* One item that is put, in the index. */
#include <errno.h>

#include "keep/vault_commit.h"

/* It is asked for once the index is locked: who destroys keys retires them before. */
int index_box(struct vault *v, struct sealing *by, const struct vault_item *it, const uint8_t *key,
	      struct object_head *h)
{
	uint32_t day = keys_day((uint64_t)it->meta.put_ns);
	char purpose[VAULT_PURPOSE];
	const uint8_t *data_key;
	int err = 0;

	if (!by->id || by->day != day || strcmp(by->class, it->meta.class) != 0) {
		vault_purpose(it->meta.class, purpose);
		err = keys_sealing(v->keys, purpose, day, &by->id, &data_key);
		if (err < 0) {
			by->id = 0;
			return err;
		}
		memcpy(by->key, data_key, CRYPTO_KEY);
		memcpy(by->class, it->meta.class, sizeof(by->class));
		by->day = day;
	}
	h->key = by->id;
	return object_box(v->sealer, by->key, h->address, key, h->box);
}

int index_name_again(struct vault *v, const struct catalog_object *known,
		     const struct vault_item *it, uint8_t *key, uint8_t *to, size_t *ret_len)
{
	int err = vault_object_key(v, &known->head, key);

	if (err == 0)
		err = object_seal_name(v->sealer, key, known->head.address, &it->meta, to, ret_len);
	return err;
}

int index_same_again(struct vault *v, const struct catalog_object *known,
		     const struct vault_item *it, const uint8_t *tag, bool *ret_same)
{
	struct catalog_name n;
	int err = catalog_name_by_tag(v->catalog, tag, &n);

	*ret_same = false;
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return err;
	*ret_same = n.object == known->id && strcmp(n.class, it->meta.class) == 0;
	return *ret_same ? catalog_keep(v->catalog, n.id, it->meta.until_ns) : 0;
}

int index_name(struct vault *v, const struct vault_item *it, const uint8_t *tag, int64_t object,
	       uint32_t pack, struct bytes record, uint64_t at)
{
	struct catalog_name n = {
		.object = object,
		.sealed = {record.data + OBJECT_NAME_HEAD, record.len - OBJECT_NAME_HEAD},
		.put_ns = it->meta.put_ns,
		.until_ns = it->meta.until_ns,
		.pack = pack,
		.at = at,
	};

	memcpy(n.tag, tag, OBJECT_TAG);
	memcpy(n.class, it->meta.class, OBJECT_CLASS_MAX);
	return catalog_add_name(v->catalog, &n);
}
