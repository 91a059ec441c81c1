#include "keep/keyring.h"

#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"

#define MAGIC	  "bedwarden keyring 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define TAIL	  (2 * CRYPTO_HASH)

/* A text with its length before it; it may hold no zero. */
static void read_text(struct reader *r, char *ret_text, size_t cap)
{
	size_t len = read_be16(r);
	struct bytes b = read_bytes(r, len);

	if (b.len >= cap || memchr(b.data ? b.data : (const uint8_t *)"", 0, b.len)) {
		r->bad = true;
		return;
	}
	if (b.len)
		memcpy(ret_text, b.data, b.len);
	ret_text[b.len] = 0;
}

static void read_blob(struct reader *r, uint8_t *ret_blob, size_t cap, size_t *ret_len)
{
	struct bytes b = read_bytes(r, read_be16(r));

	if (b.len > cap) {
		r->bad = true;
		return;
	}
	if (b.len)
		memcpy(ret_blob, b.data, b.len);
	*ret_len = b.len;
}

static void read_box(struct reader *r, uint8_t ret_box[CIPHER_BOX])
{
	struct bytes b = read_bytes(r, CIPHER_BOX);

	if (b.len)
		memcpy(ret_box, b.data, b.len);
}

static int read_entries(struct reader *r, struct keyring *ring)
{
	uint32_t count = read_be32(r), before = 0;

	for (uint32_t i = 0; i < count && !r->bad; i++) {
		struct keyring_entry e = {.id = read_be32(r), .day = read_be32(r)};
		uint8_t retired = read_u8(r);
		int err;

		e.retired = retired;
		read_text(r, e.purpose, sizeof(e.purpose));
		read_box(r, e.box);
		if (r->bad || retired > 1 || e.id <= before || e.id >= ring->next_id || !*e.purpose)
			return -EPROTO;
		before = e.id;
		err = keyring_add(ring, &e);
		if (err < 0)
			return err == -ENOSPC ? -EPROTO : err;
	}
	return r->bad || reader_left(r) ? -EPROTO : 0;
}

static int read_ring(struct reader *r, struct keyring *ring)
{
	ring->generation = read_be32(r);
	ring->next_id = read_be32(r);
	read_text(r, ring->holder, sizeof(ring->holder));
	read_text(r, ring->place, sizeof(ring->place));
	read_blob(r, ring->blob, sizeof(ring->blob), &ring->blob_len);
	read_text(r, ring->recipient, sizeof(ring->recipient));
	read_blob(r, ring->recovery, sizeof(ring->recovery), &ring->recovery_len);
	read_box(r, ring->master);
	if (r->bad || !ring->generation)
		return -EPROTO;
	return read_entries(r, ring);
}

int keyring_parse(struct bytes file, struct keyring *ret_ring, struct bytes *ret_text,
		  struct bytes *ret_mac)
{
	struct keyring *ring;
	struct reader r;
	uint8_t sum[CRYPTO_HASH];
	size_t len;
	int err;

	if (file.len < MAGIC_LEN + TAIL || file.len > KEYRING_MAX)
		return -EUCLEAN;
	len = file.len - CRYPTO_HASH;
	if (crypto_sha256((struct bytes){file.data, len}, sum) < 0)
		return -ENOMEM;
	if (!crypto_equal(sum, file.data + len, CRYPTO_HASH))
		return -EUCLEAN;
	len -= CRYPTO_HASH;
	if (memcmp(file.data, MAGIC, MAGIC_LEN) != 0)
		return -EPROTO;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	r = reader_new(file.data + MAGIC_LEN, len - MAGIC_LEN);
	err = read_ring(&r, ring);
	if (err == 0) {
		*ret_ring = *ring;
		*ret_text = (struct bytes){file.data, len};
		*ret_mac = (struct bytes){file.data + len, CRYPTO_HASH};
	} else {
		keyring_free(ring);
	}
	free(ring);
	return err;
}

void keyring_free(struct keyring *r)
{
	free(r->entries);
	*r = (struct keyring){0};
}

static void write_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	write_be16(w, (uint16_t)len);
	write_bytes(w, text, len);
}

static void write_blob(struct writer *w, const uint8_t *blob, size_t len)
{
	write_be16(w, (uint16_t)len);
	write_bytes(w, blob, len);
}

static void write_ring(struct writer *w, const struct keyring *r)
{
	write_bytes(w, MAGIC, MAGIC_LEN);
	write_be32(w, r->generation);
	write_be32(w, r->next_id);
	write_text(w, r->holder);
	write_text(w, r->place);
	write_blob(w, r->blob, r->blob_len);
	write_text(w, r->recipient);
	write_blob(w, r->recovery, r->recovery_len);
	write_bytes(w, r->master, CIPHER_BOX);
	write_be32(w, r->count);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct keyring_entry *e = &r->entries[i];

		write_be32(w, e->id);
		write_be32(w, e->day);
		write_u8(w, e->retired);
		write_text(w, e->purpose);
		write_bytes(w, e->box, CIPHER_BOX);
	}
}

uint8_t *keyring_write(const struct keyring *r, struct mac *m, size_t *ret_len)
{
	size_t cap =
		MAGIC_LEN + TAIL + sizeof(*r) + (size_t)r->count * sizeof(struct keyring_entry);
	uint8_t *file = malloc(cap);
	struct writer w = writer_new(file, cap);
	struct bytes text;
	uint8_t mac[CRYPTO_HASH], sum[CRYPTO_HASH];

	if (!file)
		return NULL;
	write_ring(&w, r);
	text = (struct bytes){file, w.len};
	if (mac_of(m, &text, 1, mac) < 0)
		w.bad = true;
	write_bytes(&w, mac, sizeof(mac));
	if (w.bad || crypto_sha256((struct bytes){file, w.len}, sum) < 0)
		w.bad = true;
	write_bytes(&w, sum, sizeof(sum));
	if (w.bad) {
		free(file);
		return NULL;
	}
	*ret_len = w.len;
	return file;
}

int keyring_add(struct keyring *r, const struct keyring_entry *e)
{
	if (r->count == KEYRING_ENTRIES_MAX)
		return -ENOSPC;
	if (r->count == r->room) {
		uint32_t room = r->room ? r->room * 2 : 16;
		struct keyring_entry *more = realloc(r->entries, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->entries = more;
		r->room = room;
	}
	r->entries[r->count++] = *e;
	return 0;
}

struct keyring_entry *keyring_find(const struct keyring *r, uint32_t id)
{
	uint32_t low = 0, high = r->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (r->entries[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->count && r->entries[low].id == id ? &r->entries[low] : NULL;
}

struct keyring_entry *keyring_current(const struct keyring *r, const char *purpose, uint32_t day)
{
	for (uint32_t i = r->count; i > 0; i--) {
		struct keyring_entry *e = &r->entries[i - 1];

		if (!e->retired && e->day == day && strcmp(e->purpose, purpose) == 0)
			return e;
	}
	return NULL;
}

void keyring_remove(struct keyring *r, uint32_t id)
{
	struct keyring_entry *e = keyring_find(r, id);
	size_t at;

	if (!e)
		return;
	at = (size_t)(e - r->entries);
	memmove(e, e + 1, (r->count - at - 1) * sizeof(*e));
	r->count--;
	secret_wipe(&r->entries[r->count], sizeof(*e));
}
