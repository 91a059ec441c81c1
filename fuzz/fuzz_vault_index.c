/*
 * A vault whose index somebody damaged, or wrote himself who can write to the disk. The first
 * byte says how: 0, the rest is the whole file; else edits of the vault's own, whose keys fit, so
 * that they get far: bytes of the file (odd), or values of its rows (even).
 *
 * Whatever it says, what comes out under a name is that name's content, or its beginning where an
 * error was told; and an index made again from the packs has everything that keys are left for.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "keep/vault.h"

#define FILES 4
#define KEPT  8 /* files of the vault's folder */

static const size_t lengths[FILES] = {0, 3000, 600000, 3000}; /* of the last, the second's bytes */
static char dir[64], error[KEYS_ERROR];
static struct holder_ask ask = {.place = ""};
static struct kept {
	char path[128];
	struct bytes data;
} kept[KEPT];
static size_t kept_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *at(const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static uint8_t byte_of(size_t file, size_t i)
{
	return (uint8_t)(i / 4096 % 2 ? i * 2654435761u >> 13 : i % 61 + (file == 2));
}

/* --- the vault as it was ------------------------------------------------------------------ */

static void count_done(void *arg, struct vault_item *it)
{
	assert(it->err == 0);
}

static void put_all(struct vault *v)
{
	static const char *const names[FILES] = {"0", "1", "2", "3"};
	struct putter *p = putter_new(v, count_done, NULL);

	assert(p);
	for (size_t i = 0; i < FILES; i++) {
		struct vault_item it = {
			.path = at("plain"),
			.meta = {.class = "file",
				 .until_ns = INT64_MAX / 2,
				 .name = {(const uint8_t *)names[i], 1}},
		};
		FILE *f = fopen(it.path, "w");

		assert(f);
		for (size_t n = 0; n < lengths[i]; n++)
			fputc(byte_of(i, n), f);
		fclose(f);
		putter_add(p, &it);
		putter_flush(p);
	}
	putter_free(p);
}

static void keep(const char *name)
{
	struct kept *k = &kept[kept_count++];

	snprintf(k->path, sizeof(k->path), "%s", at(name));
	assert(file_read(k->path, 4 << 20, &k->data) == 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void clean_up(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < kept_count; i++)
		free((void *)kept[i].data.data);
}

static void make_vault(void)
{
	static char v_dir[80];
	struct vault *v;

	snprintf(dir, sizeof(dir), "%s/bw-index-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert(mkdtemp(dir));
	atexit(clean_up);
	snprintf(v_dir, sizeof(v_dir), "%s", at("v"));
	ask.dir = v_dir;
	assert(vault_init(v_dir, &holder_file, &ask, NULL, error) == 0);
	assert(mkdir(at("out"), 0700) == 0);
	v = vault_open(v_dir, &ask, 1, error);
	assert(v);
	put_all(v);
	vault_close(v);
	keep("v/index.db");
	keep("v/keyring");
	keep("v/keyring.copy");
	keep("v/packs/00000001.pack");
}

static void put_back(void)
{
	glob_t aside;

	/* What earlier mending has set aside. */
	if (glob(at("v/index.db.broken*"), 0, NULL, &aside) == 0)
		for (size_t i = 0; i < aside.gl_pathc; i++)
			unlink(aside.gl_pathv[i]);
	globfree(&aside);
	for (size_t i = 0; i < kept_count; i++) {
		int fd = open(kept[i].path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert(fd >= 0 && file_write(fd, kept[i].data) == 0);
		close(fd);
	}
	unlink(at("v/index.db-wal"));
	unlink(at("v/index.db-shm"));
}

/* --- damaging its index --------------------------------------------------------------------- */

static void patch_bytes(struct reader *r)
{
	int fd = open(at("v/index.db"), O_WRONLY);

	assert(fd >= 0);
	while (!r->bad && r->off < r->in.len) {
		uint64_t where = read_be32(r) % (kept[0].data.len + 1);
		struct bytes with = read_bytes(r, read_u8(r));

		if (!r->bad && pwrite(fd, with.data, with.len, (off_t)where) < 0)
			break;
	}
	close(fd);
}

/* Which column of which row becomes what: a number, or some bytes. */
static void patch_rows(struct reader *r)
{
	static const char *const columns[] = {
		"object SET address", "object SET key",	 "object SET box",  "object SET size",
		"object SET length",  "object SET pack", "object SET at",   "object SET mark",
		"name SET object",    "name SET tag",	 "name SET sealed", "name SET class",
		"name SET put",	      "name SET until",	 "name SET pack",   "name SET at",
		"name SET mark",      "name SET id",	 "pack SET end",    "object SET id",
		"log SET line",	      "log SET chain",
	};
	sqlite3 *sql;
	char text[128];

	assert(sqlite3_open(at("v/index.db"), &sql) == SQLITE_OK);
	sqlite3_exec(sql, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF", NULL, NULL,
		     NULL);
	while (!r->bad && r->off < r->in.len) {
		uint8_t column = read_u8(r) % (sizeof(columns) / sizeof(*columns) + 1);
		uint8_t row = read_u8(r), blob = read_u8(r);
		sqlite3_stmt *s;

		if (column == sizeof(columns) / sizeof(*columns))
			snprintf(text, sizeof(text), "INSERT OR IGNORE INTO doomed VALUES(?1)");
		else
			snprintf(text, sizeof(text), "UPDATE OR IGNORE %s = ?1 WHERE rowid = %u",
				 columns[column], row % 5u);
		if (sqlite3_prepare_v2(sql, text, -1, &s, NULL) != SQLITE_OK)
			break;
		if (blob & 1) {
			struct bytes value = read_bytes(r, blob >> 1);

			sqlite3_bind_blob(s, 1, value.data, (int)value.len, SQLITE_TRANSIENT);
		} else {
			uint64_t high = read_be32(r);

			sqlite3_bind_int64(s, 1, (sqlite3_int64)(high << 32 | read_be32(r)));
		}
		sqlite3_step(s);
		sqlite3_finalize(s);
	}
	sqlite3_close(sql);
}

static void damage(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data + 1, len - 1);
	int fd;

	if (*data & 1) {
		patch_bytes(&r);
	} else if (*data) {
		patch_rows(&r);
	} else {
		fd = open(at("v/index.db"), O_WRONLY | O_TRUNC);
		assert(fd >= 0 && file_write(fd, (struct bytes){data + 1, len - 1}) == 0);
		close(fd);
	}
}

/* --- what comes out ---------------------------------------------------------------------------- */

static bool want(void *arg, const struct vault_entry *e)
{
	return true;
}

static void got(void *arg, const struct vault_entry *e, int err)
{
	bool *whole = arg;

	if (err == 0 && e->meta.name.len == 1 && *e->meta.name.data - '0' < FILES)
		whole[*e->meta.name.data - '0'] = true;
}

/* False: there is no such file. */
static bool holds_beginning(size_t i, bool whole)
{
	char name[8];
	struct bytes content;

	snprintf(name, sizeof(name), "out/%zu", i);
	if (file_read(at(name), 1 << 20, &content) < 0)
		return false;
	assert(content.len <= lengths[i] && (!whole || content.len == lengths[i]));
	for (size_t n = 0; n < content.len; n++)
		assert(content.data[n] == byte_of(i, n));
	free((void *)content.data);
	assert(unlink(at(name)) == 0);
	return true;
}

/* Every file of them, and nothing else: a name that the vault never had leaves its file there. */
static unsigned get_all(struct vault *v)
{
	bool whole[FILES] = {false};
	struct vault_getting how = {.wanted = want, .done = got, .arg = whole};
	int folder = open(at("out"), O_RDONLY | O_DIRECTORY);
	unsigned count = 0;

	assert(folder >= 0);
	vault_get(v, folder, &how);
	close(folder);
	for (size_t i = 0; i < FILES; i++) {
		bool there = holds_beginning(i, whole[i]);

		assert(there || !whole[i]);
		count += there && whole[i];
	}
	assert(rmdir(at("out")) == 0 && mkdir(at("out"), 0700) == 0);
	return count;
}

static int look(void *arg, const struct vault_entry *e)
{
	return 0;
}

static int pass_over(void *arg, int64_t time_ns, struct bytes line)
{
	return 0;
}

static void ask_everything(struct vault *v)
{
	static const struct vault_report r;
	struct vault_totals totals;

	vault_totals(v, &totals);
	vault_find(v, "1", look, NULL);
	vault_next(v, 0, look, NULL);
	vault_has(v, 1, 0);
	vault_log(v, pass_over, NULL);
	vault_check(v, true, &r);
}

/* Only packs and keys tell: all is there again, unless the index had keys destroyed. */
static void mend(bool keys_as_they_were)
{
	static const struct vault_report r;
	struct keys *k = keys_open(ask.dir, &ask, error);
	struct vault *v;

	if (!k)
		return;
	assert(vault_mend(ask.dir, k, &r, error) == 0);
	v = vault_open_with(ask.dir, k, 1, error);
	assert(v);
	assert(get_all(v) == FILES || !keys_as_they_were);
	vault_close(v);
	keys_free(k);
}

static bool is_as_kept(const struct kept *k)
{
	struct bytes now;
	bool same;

	if (file_read(k->path, 4 << 20, &now) < 0)
		return false;
	same = now.len == k->data.len && memcmp(now.data, k->data.data, now.len) == 0;
	free((void *)now.data);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vault *v;

	if (!len)
		return 0;
	if (!*dir)
		make_vault();
	put_back();
	damage(data, len);
	v = vault_open(ask.dir, &ask, 1, error);
	if (v) {
		get_all(v);
		ask_everything(v);
		vault_close(v);
	} else {
		assert(*error); /* it says what is wrong */
	}
	if (len % 8 == 0)
		mend(is_as_kept(&kept[1]) && is_as_kept(&kept[3]));
	return 0;
}
