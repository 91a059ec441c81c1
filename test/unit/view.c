#include "safe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "keep/catalog.h"
#include "keep/vault_file.h"
#include "keep/view.h"

static void ignore(void *arg, struct vault_item *it)
{
	assert_int_equal(it->err, 0);
}

static uint8_t byte_at(uint64_t at, uint32_t seed)
{
	uint64_t x = (at / 7 + seed) * 0x9e3779b97f4a7c15ull;

	return at / 5000 % 2 ? (uint8_t)(x >> 56) : (uint8_t)('a' + at % 17);
}

static void put(struct vault *v, const char *name, size_t len, uint32_t seed, int days)
{
	struct putter *p = putter_new(v, ignore, NULL);
	struct vault_item it = {.path = in_dir("f"),
				.meta = {.name = {(const uint8_t *)name, strlen(name)},
					 .until_ns = (int64_t)clock_wall_ns() + days * DAY_NS}};
	uint8_t *data = malloc(len + 1);
	int fd = open(it.path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(i, seed);
	assert_int_equal(file_write(fd, (struct bytes){data, len}), 0);
	close(fd);
	free(data);
	strcpy(it.meta.class, "file");
	assert_non_null(p);
	putter_add(p, &it);
	putter_free(p);
}

static bool is_name(void *arg, const struct vault_entry *e)
{
	return e->meta.name.len == strlen(arg) &&
	       memcmp(e->meta.name.data, arg, e->meta.name.len) == 0;
}

static void shred(struct vault *v, const char *name)
{
	uint64_t count = 0;

	assert_int_equal(vault_shred(v, is_name, (void *)name, "test", &count), 0);
	assert_true(count > 0);
}

/* A path below the one day that there is; NULL: not there. */
static struct view_node *find(struct view *t, const char *path)
{
	struct view_node *n = view_find(t, view_root(t), "file");
	char text[1024], *part, *save = NULL;

	snprintf(text, sizeof(text), "%s", path);
	n = n ? n->first : NULL;
	for (part = strtok_r(text, "/", &save); n && part; part = strtok_r(NULL, "/", &save))
		n = view_find(t, n, part);
	return n && view_alive(t, n) ? n : NULL;
}

static void a_name_has_its_place(void **state)
{
	char longer[400] = "long/", cut[256 + 8] = "long/";
	struct vault *v = open_vault();
	struct view *t;

	memset(longer + 5, 'x', 300);
	memset(cut + 5, 'x', 255);
	put(v, "src/ct/scan.dcm", 10, 1, 9);
	put(v, "/absolute/file", 11, 2, 9);
	put(v, "../../etc/passwd", 12, 3, 9);
	put(v, "a//b/./c", 13, 4, 9);
	put(v, "\xff\x01\n~*", 14, 5, 9);
	put(v, "/", 15, 6, 9);
	put(v, longer, 16, 7, 9);
	t = view_new(v, NULL);
	assert_non_null(t);
	assert_int_equal(find(t, "src/ct/scan.dcm")->size, 10);
	assert_int_equal(find(t, "absolute/file")->size, 11);
	assert_int_equal(find(t, "__/__/etc/passwd")->size, 12);
	assert_int_equal(find(t, "a/b/c")->size, 13);
	assert_int_equal(find(t, "\xff\x01\n~*")->size, 14);
	assert_int_equal(find(t, "unnamed")->size, 15);
	assert_int_equal(find(t, cut)->size, 16);
	assert_null(find(t, "src/ct/none"));
	view_free(t);
	t = view_new(v, "other");
	assert_non_null(t);
	assert_null(view_root(t)->first);
	view_free(t);
	vault_close(v);
}

static void two_of_a_name_are_told_apart(void **state)
{
	struct vault *v = open_vault();
	struct view_node *folder;
	unsigned count = 0;
	struct view *t;

	put(v, "report", 10, 1, 9);
	put(v, "report", 20, 2, 9);
	put(v, "report", 30, 3, 9);
	put(v, "thing", 40, 4, 9); /* a file, and then a folder of the name */
	put(v, "thing/inside", 50, 5, 9);
	put(v, "place/inside", 60, 6, 9); /* and the other way round */
	put(v, "place", 70, 7, 9);
	t = view_new(v, NULL);
	assert_non_null(t);
	assert_int_equal(find(t, "report")->size, 30);
	assert_int_equal(find(t, "thing/inside")->size, 50);
	assert_int_equal(find(t, "place/inside")->size, 60);
	folder = view_find(t, view_root(t), "file")->first;
	for (struct view_node *n = folder->first; n; n = n->after) {
		count++;
		if (n->size == 10 || n->size == 20)
			assert_memory_equal(n->name, "report~", 7);
		if (n->size == 40)
			assert_memory_equal(n->name, "thing~", 6);
		if (n->size == 70)
			assert_memory_equal(n->name, "place~", 6);
	}
	assert_int_equal(count, 7);
	view_free(t);
	vault_close(v);
}

static void the_tree_follows_the_vault(void **state)
{
	struct vault *v = open_vault(), *other = open_vault();
	struct view_node *held;
	struct view *t;

	put(v, "gone/already", 5, 9, 0); /* kept no longer */
	put(v, "a/first", 10, 1, 9);
	put(v, "a/second", 20, 2, 9);
	t = view_new(v, NULL);
	assert_null(find(t, "gone/already"));
	held = find(t, "a/second");
	held->refs++;
	put(other, "b/third", 30, 3, 9);
	assert_int_equal(view_follow(t), 0);
	assert_int_equal(find(t, "b/third")->size, 30);
	/* The highest numbers are given again. */
	shred(other, "a/second");
	shred(other, "b/third");
	put(other, "c/fourth", 40, 4, 9);
	assert_int_equal(view_follow(t), 0);
	assert_int_equal(find(t, "c/fourth")->size, 40);
	assert_null(find(t, "a/second"));
	assert_null(find(t, "b/third"));
	assert_true(held->gone);
	view_drop(t, held, 1);
	shred(other, "a/first");
	shred(other, "c/fourth");
	assert_int_equal(view_follow(t), 0);
	assert_null(find(t, "a/first"));
	assert_null(find(t, "c/fourth"));
	assert_null(view_root(t)->first); /* no folder of what is gone */
	for (int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many/%d/%d", i % 7, i);
		if (i < 20)
			put(other, name, 1 + i, (uint32_t)i, 9);
	}
	assert_int_equal(view_follow(t), 0);
	assert_int_equal(find(t, "many/5/19")->size, 20);
	view_free(t);
	vault_close(other);
	vault_close(v);
}

/* --- reading at any place ------------------------------------------------------------------------ */

struct opening {
	struct vault_cache *cache;
	struct vault_file *file;
	uint64_t at, length; /* of the object in its pack */
};

static int open_it(void *arg, const struct vault_entry *e)
{
	struct opening *o = arg;

	o->file = vault_file_open(o->cache, e);
	o->at = e->object->at;
	o->length = e->object->head.length;
	return o->file ? 0 : -ENOMEM;
}

static ssize_t reads(struct vault_file *f, uint64_t at, size_t len, size_t size, uint32_t seed)
{
	uint8_t *buf = malloc(len ? len : 1); /* exactly as long */
	ssize_t n = vault_file_read(f, at, buf, len);

	if (n >= 0)
		assert_int_equal(n, at >= size ? 0 : len < size - at ? len : size - at);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != byte_at(at + (uint64_t)i, seed))
			fail_msg("byte %llu", (unsigned long long)at + (unsigned long long)i);
	free(buf);
	return n;
}

static void any_place_can_be_read(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 262143, 262144, 262145, 524288, 3000001};
	struct vault *v = open_vault();
	struct opening o = {.cache = vault_cache_new(v)};
	char name[16];

	assert_non_null(o.cache);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(name, sizeof(name), "n%u", i);
		put(v, name, sizes[i], i, 9);
	}
	vault_lone(v);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i];

		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(vault_find(v, name, open_it, &o), 0);
		reads(o.file, 0, size + 100, size, i);
		reads(o.file, size, 1, size, i);
		reads(o.file, UINT64_MAX - 3, 10, size, i);
		reads(o.file, 262140, 10, size, i);
		for (unsigned n = 0; n < 200; n++)
			reads(o.file, (uint64_t)random() % (size + 10), (size_t)random() % 300000,
			      size, i);
		vault_file_close(o.file);
	}
	vault_cache_free(o.cache);
	vault_close(v);
}

static void flip(uint64_t at)
{
	uint8_t byte;
	int fd = open(in_dir("v/packs/00000001.pack"), O_RDWR);

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void damage_is_not_given_out(void **state)
{
	struct vault *v = open_vault();
	struct opening o = {.cache = vault_cache_new(v)};

	put(v, "n", 2000000, 5, 9);
	assert_int_equal(vault_find(v, "n", open_it, &o), 0);
	flip(o.at + OBJECT_HEAD + o.length / 2); /* not in the first chunk, nor in the last */
	assert_int_equal(reads(o.file, 0, 1000, 2000000, 5), 1000);
	assert_int_equal(reads(o.file, 0, 2000000, 2000000, 5), -EBADMSG);
	assert_int_equal(reads(o.file, 1900000, 1000, 2000000, 5), 1000);
	flip(o.at + OBJECT_HEAD + o.length / 2);
	assert_int_equal(reads(o.file, 0, 2000000, 2000000, 5), 2000000);
	vault_file_close(o.file);
	/* A length that leads nowhere. */
	assert_int_equal(vault_find(v, "n", open_it, &o), 0);
	flip(o.at + OBJECT_HEAD + 1);
	assert_int_equal(reads(o.file, 1900000, 1000, 2000000, 5), -EBADMSG);
	flip(o.at + OBJECT_HEAD + 1);
	vault_file_close(o.file);
	vault_cache_free(o.cache);
	vault_close(v);
}

static void what_is_destroyed_reads_no_more(void **state)
{
	struct vault *v = open_vault(), *other = open_vault();
	struct opening o = {.cache = vault_cache_new(v)};
	uint64_t count;

	put(v, "stays", 600000, 1, 9);
	put(v, "goes", 600000, 2, 9);
	assert_int_equal(vault_find(v, "goes", open_it, &o), 0);
	assert_int_equal(reads(o.file, 0, 10, 600000, 2), 10);
	shred(other, "goes");
	usleep(2 * KEYS_STALE_MS * 1000);
	assert_int_equal(reads(o.file, 300000, 10, 600000, 2), -ESTALE);
	vault_file_close(o.file);
	assert_int_equal(vault_find(v, "stays", open_it, &o), 0);
	assert_int_equal(reads(o.file, 0, 10, 600000, 1), 10);
	assert_int_equal(vault_rotate_data(other, &count), 0);
	assert_int_equal(reads(o.file, 300000, 300000, 600000, 1), 300000);
	vault_file_close(o.file);
	vault_cache_free(o.cache);
	vault_close(other);
	vault_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_has_its_place, safe_open, safe_close),
		cmocka_unit_test_setup_teardown(two_of_a_name_are_told_apart, safe_open,
						safe_close),
		cmocka_unit_test_setup_teardown(the_tree_follows_the_vault, safe_open, safe_close),
		cmocka_unit_test_setup_teardown(any_place_can_be_read, safe_open, safe_close),
		cmocka_unit_test_setup_teardown(damage_is_not_given_out, safe_open, safe_close),
		cmocka_unit_test_setup_teardown(what_is_destroyed_reads_no_more, safe_open,
						safe_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
