#include "filled.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "keep/vault_internal.h"

static void count_done(void *arg, struct vault_item *it)
{
	(*(unsigned *)arg)++;
}

/* One file, under a name, of a class, kept for so many days. */
static struct vault_item put_as(struct vault *v, const char *path, const char *name,
				const char *class, int days)
{
	unsigned done = 0;
	struct putter *p = putter_new(v, count_done, &done);
	struct vault_item it = {.path = path,
				.meta = {.name = {(const uint8_t *)name, strlen(name)},
					 .until_ns = (int64_t)clock_wall_ns() + days * DAY_NS}};

	strcpy(it.meta.class, class);
	assert_non_null(p);
	putter_add(p, &it);
	putter_flush(p);
	assert_int_equal(done, 1);
	putter_free(p);
	return it;
}

static struct vault_item put(struct vault *v, const char *path, const char *name)
{
	struct vault_item it = put_as(v, path, name, "file", 100);

	assert_int_equal(it.err, 0);
	return it;
}

static int64_t wrong_quietly(struct vault *v)
{
	struct vault_report r = {.found = NULL};

	return vault_check(v, true, &r);
}

/* --- what is put can be got ---------------------------------------------------------- */

static void gives_back_what_was_put(void **state)
{
	static const size_t sizes[] = {0,      1,      63,     64,     4096,	262143, 262144,
				       262145, 524288, 524289, 786432, 1000000, 3000001};
	struct vault *v = open_vault();
	char name[32];

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(name, sizeof(name), "n%u", i);
		put(v, make_file("f", sizes[i], i), name);
	}
	vault_close(v);
	v = open_vault();
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(holds(v, name, sizes[i], i), 0);
	}
	assert_int_equal(holds(v, "n99", 0, 0), -ENOENT);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

static void one_content_is_kept_once(void **state)
{
	struct vault *v = open_vault();
	struct vault_totals t;
	struct vault_item a, b;

	a = put(v, make_file("f", 5000, 1), "a");
	b = put(v, make_file("g", 5000, 1), "b");
	assert_false(a.known);
	assert_true(b.known);
	assert_memory_equal(a.address, b.address, 32);
	put(v, make_file("h", 900000, 2), "c");
	assert_true(put(v, make_file("i", 900000, 2), "d").known);
	assert_true(put(v, in_dir("i"), "d").known); /* again: no second name */
	assert_int_equal(vault_totals(v, &t), 0);
	assert_int_equal(t.objects, 2);
	assert_int_equal(t.names, 4);
	put(v, make_file("f", 5000, 3), "a"); /* another content under the name */
	assert_int_equal(holds(v, "a", 5000, 3), 0);
	assert_int_equal(holds(v, "b", 5000, 1), 0);
	assert_int_equal(holds(v, "d", 900000, 2), 0);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

static void two_vaults_have_different_addresses(void **state)
{
	struct vault *v = open_vault(), *w;
	struct vault_item a = put(v, make_file("f", 5000, 1), "a"), b;
	struct holder_ask ask = {.dir = in_dir("w"), .place = ""};

	assert_int_equal(vault_init(in_dir("w"), &holder_file, &ask, NULL, error), 0);
	w = vault_open(in_dir("w"), &ask, 1, error);
	b = put(w, in_dir("f"), "a");
	assert_memory_not_equal(a.address, b.address, 32);
	vault_close(w);
	vault_close(v);
}

static int count_entry(void *arg, const struct vault_entry *e)
{
	(*(unsigned *)arg)++;
	return 0;
}

static bool want_all(void *arg, const struct vault_entry *e)
{
	return true;
}

static void count_got(void *arg, const struct vault_entry *e, int err)
{
	int *last = arg;

	*last = err;
}

static void names_may_hold_any_byte_and_lead_nowhere(void **state)
{
	struct vault *v = open_vault();
	char name[OBJECT_NAME_MAX + 2], odd[256];
	struct vault_getting g = {.wanted = want_all, .done = count_got};
	int folder, last = 1;
	unsigned count = 0;
	struct stat st;

	for (unsigned i = 1; i < 256; i++)
		odd[i - 1] = (char)(i == '/' ? '_' : i);
	odd[255] = 0;
	make_file("f", 10, 1);
	put(v, in_dir("f"), odd);
	assert_int_equal(holds(v, odd, 10, 1), 0);
	put(v, in_dir("f"), "../../evil");
	memset(name, 'x', sizeof(name));
	name[OBJECT_NAME_MAX + 1] = 0;
	assert_int_equal(put_as(v, in_dir("f"), name, "file", 1).err, -EINVAL);
	assert_int_equal(put_as(v, in_dir("f"), "", "file", 1).err, -EINVAL);
	assert_int_equal(vault_each(v, count_entry, &count), 0);
	assert_int_equal(count, 2);
	mkdir(in_dir("out"), 0700);
	folder = open(in_dir("out"), O_RDONLY | O_DIRECTORY);
	g.arg = &last;
	assert_int_equal(vault_get(v, folder, &g), 0);
	assert_int_equal(last, 0); /* of the last one */
	assert_int_not_equal(stat(in_dir("evil"), &st), 0);
	assert_int_equal(fstatat(folder, "__/__/evil", &st, 0), 0);
	assert_int_equal(fstatat(folder, odd, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(symlink(dir, in_dir("out/link")), 0);
	assert_true(vault_create_below(folder, (struct bytes){(uint8_t *)"link/x", 6}, 0600) < 0);
	close(folder);
	vault_close(v);
}

static void a_file_that_cannot_be_read_costs_nothing_else(void **state)
{
	struct vault *v = open_vault();

	assert_int_equal(put_as(v, in_dir("none"), "a", "file", 1).err, -ENOENT);
	assert_int_equal(put_as(v, dir, "a", "file", 1).err, -EISDIR);
	assert_int_equal(symlink("/etc/passwd", in_dir("link")), 0);
	assert_int_equal(put_as(v, in_dir("link"), "a", "file", 1).err, -ELOOP);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(put_as(v, in_dir("fifo"), "a", "file", 1).err, -EINVAL);
	put(v, make_file("f", 10, 1), "b");
	assert_int_equal(holds(v, "b", 10, 1), 0);
	vault_close(v);
}

/* --- damage ------------------------------------------------------------------------------- */

static void flip(const char *path, long at)
{
	FILE *f = fopen(path, "r+b");
	int c;

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	c = fgetc(f);
	fseek(f, at, SEEK_SET);
	fputc(c ^ 0x10, f);
	fclose(f);
}

#define PACK in_dir("v/packs/00000001.pack")

/* Whatever bit of an object falls over, it is never given out, and is found. */
static void a_damaged_object_is_found_and_not_given_out(void **state)
{
	struct vault *v = open_vault();
	struct stat st;

	put(v, make_file("f", 3000, 1), "short");
	put(v, make_file("g", 600000, 2), "long");
	stat(PACK, &st);
	for (long at = PACK_HEAD; at < st.st_size; at += st.st_size / 97) {
		int a, b;

		flip(PACK, at);
		a = holds(v, "short", 3000, 1);
		b = holds(v, "long", 600000, 2);
		assert_true(a == 0 || a == -EBADMSG);
		assert_true(b == 0 || b == -EBADMSG);
		/* Names' records in the pack are only there to make the index again. */
		if (a < 0 || b < 0)
			assert_true(wrong_quietly(v) > 0);
		flip(PACK, at);
	}
	assert_int_equal(wrong(v), 0);
	assert_int_equal(truncate(PACK, st.st_size / 2), 0);
	assert_int_equal(holds(v, "long", 600000, 2), -EBADMSG);
	assert_int_equal(holds(v, "short", 3000, 1), 0);
	vault_close(v);
}

static void a_torn_index_is_made_again_from_the_packs(void **state)
{
	struct vault *v = open_vault();
	struct vault_totals before, after;
	char name[16];

	for (uint32_t i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		put(v, make_file("f", 1000 + i * 37, i % 40), name); /* some twice */
	}
	put(v, make_file("f", 700000, 99), "long");
	assert_int_equal(vault_totals(v, &before), 0);
	vault_close(v);
	assert_int_equal(truncate(in_dir("v/index.db"), 5000), 0);
	flip(in_dir("v/index.db"), 10);
	assert_null(vault_open(in_dir("v"), asking(), 1, error));
	assert_int_equal(errno, EUCLEAN);
	assert_non_null(strstr(error, "fsck --mend"));
	unlink(in_dir("v/index.db"));
	assert_null(vault_open(in_dir("v"), asking(), 1, error)); /* no empty one in its place */
	mend();
	v = open_vault();
	assert_int_equal(vault_totals(v, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	for (uint32_t i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(holds(v, name, 1000 + i * 37, i % 40), 0);
	}
	assert_int_equal(holds(v, "long", 700000, 99), 0);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

/* What is left in the pack of an object whose writer was killed, cut off after `len` bytes. */
static void leave_half(size_t len)
{
	struct object_head h = {.size = 3000, .length = 3000, .key = 1};
	uint8_t record[OBJECT_HEAD + 3000];
	int fd = open(PACK, O_WRONLY | O_APPEND);

	crypto_random(h.address, sizeof(h.address));
	crypto_random(record, sizeof(record));
	object_write_head(&h, record);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, (struct bytes){record, len}), 0);
	close(fd);
}

/* It says that it goes on to where others have written since. */
static void what_is_left_of_one_that_was_not_put_takes_no_other_along(void **state)
{
	static const size_t left[] = {3, 7, 8, 24, 60, 119, 120, 700, 3119};
	const unsigned count = sizeof(left) / sizeof(*left);
	struct vault *v;
	char name[16];

	v = open_vault();
	put(v, make_file("f", 500, 1000), "first");
	vault_close(v);
	for (unsigned i = 0; i < count; i++) {
		leave_half(left[i]);
		v = open_vault();
		snprintf(name, sizeof(name), "n%u", i);
		put(v, make_file("f", 600 + i, i), name);
		vault_close(v);
	}
	for (unsigned round = 0; round < 2; round++) {
		v = open_vault();
		assert_int_equal(vault_punch_unknown(v), 0);
		for (unsigned i = 0; i < count; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			assert_int_equal(holds(v, name, 600 + i, i), 0);
		}
		assert_int_equal(wrong(v), 0);
		vault_close(v);
		mend();
	}
}

static void a_full_disk_loses_nothing(void **state)
{
	struct vault *v = open_vault();
	struct rlimit old, little;

	put(v, make_file("f", 3000, 1), "before");
	make_file("g", 100000, 2);
	make_file("h", 900000, 3);
	getrlimit(RLIMIT_FSIZE, &old);
	little = (struct rlimit){20000, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &little);
	assert_true(put_as(v, in_dir("g"), "g", "file", 1).err < 0);
	assert_true(put_as(v, in_dir("h"), "h", "file", 1).err < 0);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(holds(v, "before", 3000, 1), 0);
	put(v, in_dir("g"), "g");
	put(v, in_dir("h"), "h");
	assert_int_equal(holds(v, "g", 100000, 2), 0);
	assert_int_equal(holds(v, "h", 900000, 3), 0);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

/* --- destroying -------------------------------------------------------------------------------- */

struct picking {
	const char *name;
	bool expired;
};

static bool pick(void *arg, const struct vault_entry *e)
{
	struct picking *p = arg;

	if (p->expired)
		return e->meta.until_ns <= (int64_t)clock_wall_ns();
	return e->meta.name.len == strlen(p->name) &&
	       memcmp(e->meta.name.data, p->name, e->meta.name.len) == 0;
}

static uint64_t shred(struct vault *v, const char *name)
{
	struct picking p = {.name = name, .expired = !name};
	uint64_t count = 77;

	assert_int_equal(vault_shred(v, pick, &p, "test", &count), 0);
	return count;
}

static bool tree_has(const char *needle)
{
	char command[256];

	snprintf(command, sizeof(command), "grep -rqaF '%s' %s/v", needle, dir);
	return system(command) == 0;
}

struct log {
	unsigned lines;
	char text[8192];
};

static int read_line(void *arg, int64_t time_ns, struct bytes line)
{
	struct log *l = arg;
	size_t len = strlen(l->text);

	l->lines++;
	snprintf(l->text + len, sizeof(l->text) - len, "%.*s\n", (int)line.len, line.data);
	return 0;
}

/* A copy of everything but the keyring, taken before: it opens nothing of what was destroyed. */
static void what_was_shredded_is_gone_even_from_a_copy(void **state)
{
	struct vault *v = open_vault();
	struct log l = {.lines = 0};
	char command[256];

	put(v, make_file("f", 3000, 1), "goes");
	put(v, make_file("g", 700000, 2), "goes too");
	put(v, make_file("h", 4000, 3), "stays");
	put(v, make_file("i", 800000, 4), "stays long");
	vault_close(v);
	snprintf(command, sizeof(command), "cp -r %s/v %s/copy", dir, dir);
	assert_int_equal(system(command), 0);
	v = open_vault();
	assert_int_equal(shred(v, "goes"), 1);
	assert_int_equal(shred(v, "goes too"), 1);
	assert_int_equal(shred(v, "goes"), 0);
	assert_int_equal(holds(v, "goes", 3000, 1), -ENOENT);
	assert_int_equal(holds(v, "goes too", 700000, 2), -ENOENT);
	assert_int_equal(holds(v, "stays", 4000, 3), 0);
	assert_int_equal(holds(v, "stays long", 800000, 4), 0);
	assert_int_equal(wrong(v), 0);
	assert_int_equal(vault_log(v, read_line, &l), 0);
	assert_int_equal(l.lines, 6);
	assert_non_null(strstr(l.text, "\"action\":\"destroyed\""));
	assert_null(strstr(l.text, "goes"));
	vault_close(v);
	/* The old index and packs with the keyring of today. */
	snprintf(command, sizeof(command), "cp %s/v/keyring* %s/copy/", dir, dir);
	assert_int_equal(system(command), 0);
	v = vault_open(in_dir("copy"), asking(), 1, error);
	assert_non_null(v);
	assert_int_not_equal(holds(v, "goes", 3000, 1), 0);
	assert_int_not_equal(holds(v, "goes too", 700000, 2), 0);
	vault_close(v);
	mend(); /* and no index made again knows them */
	v = open_vault();
	assert_int_equal(holds(v, "goes", 3000, 1), -ENOENT);
	assert_int_equal(holds(v, "stays", 4000, 3), 0);
	assert_int_equal(holds(v, "stays long", 800000, 4), 0);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

static void a_shared_content_stays_with_its_other_name(void **state)
{
	struct vault *v = open_vault();

	put(v, make_file("f", 3000, 1), "one");
	put(v, in_dir("f"), "two");
	assert_int_equal(shred(v, "one"), 1);
	assert_int_equal(holds(v, "one", 3000, 1), -ENOENT);
	assert_int_equal(holds(v, "two", 3000, 1), 0);
	vault_close(v);
	mend();
	v = open_vault();
	assert_int_equal(holds(v, "one", 3000, 1), -ENOENT);
	assert_int_equal(holds(v, "two", 3000, 1), 0);
	assert_int_equal(shred(v, "two"), 1);
	assert_int_equal(holds(v, "two", 3000, 1), -ENOENT);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

static void what_was_kept_long_enough_goes(void **state)
{
	struct vault *v = open_vault();

	assert_int_equal(put_as(v, make_file("f", 300, 1), "old", "hl7", -1).err, 0);
	assert_int_equal(put_as(v, make_file("g", 300, 2), "young", "hl7", 1).err, 0);
	assert_int_equal(put_as(v, make_file("h", 300, 3), "renewed", "hl7", -1).err, 0);
	assert_int_equal(put_as(v, in_dir("h"), "renewed", "hl7", 1).err, 0);
	assert_int_equal(shred(v, NULL), 1);
	assert_int_equal(holds(v, "old", 300, 1), -ENOENT);
	assert_int_equal(holds(v, "young", 300, 2), 0);
	assert_int_equal(holds(v, "renewed", 300, 3), 0);
	vault_close(v);
}

static void rotation_changes_every_key_and_no_content(void **state)
{
	struct vault *v = open_vault();
	struct keys_state before, after;
	uint64_t count = 0;

	assert_int_equal(put_as(v, make_file("f", 3000, 1), "a", "hl7", 1).err, 0);
	assert_int_equal(put_as(v, make_file("g", 700000, 2), "b", "dicom", 1).err, 0);
	keys_state(vault_keys(v), &before);
	assert_int_equal(keys_rotate(vault_keys(v)), 0);
	assert_int_equal(vault_rotate_data(v, &count), 0);
	assert_int_equal(count, 2);
	keys_state(vault_keys(v), &after);
	assert_int_equal(after.generation, before.generation + 1);
	assert_int_equal(after.count, before.count + 1); /* the log's own came */
	assert_int_equal(holds(v, "a", 3000, 1), 0);
	assert_int_equal(holds(v, "b", 700000, 2), 0);
	assert_int_equal(wrong(v), 0);
	vault_close(v);
	mend();
	v = open_vault();
	assert_int_equal(holds(v, "a", 3000, 1), 0);
	assert_int_equal(holds(v, "b", 700000, 2), 0);
	vault_close(v);
}

static void an_altered_log_is_found(void **state)
{
	struct vault *v = open_vault();
	char command[256];

	put(v, make_file("f", 300, 1), "a");
	shred(v, "a");
	vault_close(v);
	snprintf(command, sizeof(command),
		 "sqlite3 %s/v/index.db \"UPDATE log SET line = replace(line, 'test', 'flood')\"",
		 dir);
	assert_int_equal(system(command), 0);
	v = open_vault();
	assert_true(wrong_quietly(v) > 0);
	vault_close(v);
}

/* --- nothing readable -------------------------------------------------------------------------- */

static void the_files_alone_tell_nothing(void **state)
{
	struct vault *v = open_vault();
	const char text[] = "PID|1||4711^^^HOSP||DOE^JANE||19700101|F\r";
	FILE *f = fopen(in_dir("DOE_JANE_4711.hl7"), "w");

	for (unsigned i = 0; i < 50; i++)
		fputs(text, f);
	fclose(f);
	put(v, in_dir("DOE_JANE_4711.hl7"), "export/DOE_JANE_4711.hl7");
	assert_false(tree_has("DOE"));
	assert_false(tree_has("JANE"));
	assert_false(tree_has("4711"));
	shred(v, "export/DOE_JANE_4711.hl7");
	assert_false(tree_has("DOE"));
	vault_close(v);
	assert_false(tree_has("JANE"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, safe_open, safe_close)
	const struct CMUnitTest tests[] = {
		T(gives_back_what_was_put),
		T(one_content_is_kept_once),
		T(two_vaults_have_different_addresses),
		T(names_may_hold_any_byte_and_lead_nowhere),
		T(a_file_that_cannot_be_read_costs_nothing_else),
		T(a_damaged_object_is_found_and_not_given_out),
		T(a_torn_index_is_made_again_from_the_packs),
		T(what_is_left_of_one_that_was_not_put_takes_no_other_along),
		T(a_full_disk_loses_nothing),
		T(what_was_shredded_is_gone_even_from_a_copy),
		T(a_shared_content_stays_with_its_other_name),
		T(what_was_kept_long_enough_goes),
		T(rotation_changes_every_key_and_no_content),
		T(an_altered_log_is_found),
		T(the_files_alone_tell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
