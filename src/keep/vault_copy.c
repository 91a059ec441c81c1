#include "keep/vault_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "keep/pack.h"
#include "keep/snapshot.h"
#include "keep/vault_internal.h"

#define MARK	 "copy-of" /* in both folders: the vault's number, so that none is taken for another */
#define MARK_LEN 32	   /* hexadecimal digits */
#define PART	 ".part"
#define BLOCK	 (256u << 10)
#define LOOKS	 100 /* for who destroys to be done, … */
#define LOOK_MS	 100 /* … this far apart */

struct copying {
	const struct vault_copy_options *o;
	int from, to; /* folders */
	uint8_t *block;
	struct vault_copy_result result;
	char *error;
};

__attribute__((format(printf, 3, 4))) static int fail(struct copying *c, int err,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->error, VAULT_COPY_ERROR, format, args);
	va_end(args);
	return err;
}

static int fail_at(struct copying *c, int err, const char *folder, const char *name)
{
	return fail(c, err, "%s%s%s: %s", folder, *name ? "/" : "", name,
		    err == -ENOSPC ? "the disk is full; make room there" : strerror(-err));
}

static bool stopped(const struct copying *c)
{
	return c->o->stop && c->o->stop(c->o->arg);
}

/* --- files ---------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *data, size_t len)
{
	return len && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Holes stay holes: where objects were destroyed a pack has them. */
static int copy_bytes(struct copying *c, int in, int out)
{
	off_t at = 0;
	ssize_t n = 0;

	while (!stopped(c) && (n = pread(in, c->block, BLOCK, at)) > 0) {
		if (!is_zero(c->block, (size_t)n)) {
			int err =
				pack_write(out, (uint64_t)at, (struct bytes){c->block, (size_t)n});

			if (err < 0)
				return err;
		}
		at += n;
		c->result.bytes += (uint64_t)n;
	}
	if (n < 0)
		return -errno;
	return stopped(c) ? -ECANCELED : ftruncate(out, at) < 0 ? -errno : 0;
}

static void part_of(const char *name, char ret_part[NAME_MAX])
{
	snprintf(ret_part, NAME_MAX, "%.200s" PART, name);
}

/* To the disk, with the times that the original had before it was read. */
static int finish_part(int out, const struct stat *st)
{
	struct timespec times[2] = {st->st_mtim, st->st_mtim};

	return fchmod(out, 0600) < 0 || futimens(out, times) < 0 || fsync(out) < 0 ? -errno : 0;
}

/* A file of `from` as NAME.part of `to`; -ENOENT there is none. */
static int copy_part(struct copying *c, int from, int to, const char *name)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), out = -1, err = 0;
	char part[NAME_MAX];
	struct stat st;

	if (in < 0)
		return -errno;
	part_of(name, part);
	if (fstat(in, &st) < 0)
		err = -errno;
	if (err == 0)
		out = openat(to, part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (err == 0 && out < 0)
		err = -errno;
	if (err == 0)
		err = copy_bytes(c, in, out);
	if (err == 0)
		err = finish_part(out, &st);
	if (out >= 0)
		close(out);
	close(in);
	if (err < 0)
		unlinkat(to, part, 0);
	return err;
}

static int name_part(int to, const char *name)
{
	char part[NAME_MAX];

	part_of(name, part);
	return renameat(to, part, to, name) < 0 ? -errno : 0;
}

/* --- packs ---------------------------------------------------------------------------- */

static bool is_same(int from, int to, const char *name)
{
	struct stat a, b;

	return fstatat(from, name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(to, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_size == b.st_size &&
	       a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

static int copy_packs(struct copying *c, int from, int to)
{
	uint32_t *ids = NULL;
	int count = pack_list(c->o->from, &ids), err = count < 0 ? count : 0;

	c->result.packs = count > 0 ? (uint64_t)count : 0;
	for (int i = 0; err == 0 && i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%08x.pack", ids[i]);
		if (is_same(from, to, name))
			continue;
		err = copy_part(c, from, to, name);
		if (err == 0)
			err = name_part(to, name);
		c->result.copied += err == 0;
		if (err < 0)
			fail_at(c, err, c->o->to, name);
	}
	free(ids);
	return err;
}

/* What the vault has no more, its copy has no more: mended, packs have other numbers. */
static int drop_packs(int from, int to)
{
	int fd = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len != 13 || strcmp(e->d_name + 8, ".pack") != 0)
			continue;
		if (fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			unlinkat(to, e->d_name, 0);
	}
	closedir(d);
	return fsync(to) < 0 ? -errno : 0;
}

/* --- index and keyring ------------------------------------------------------------------ */

/* By SQLite alone: opened and closed by anybody else of this process, it would lose its locks. */
static int copy_index(struct copying *c)
{
	char from[PATH_MAX], to[PATH_MAX];
	int fd, err;

	if (snprintf(from, sizeof(from), "%s/index.db", c->o->from) >= PATH_MAX ||
	    snprintf(to, sizeof(to), "%s/index.db" PART, c->o->to) >= PATH_MAX)
		return -ENAMETOOLONG;
	unlinkat(c->to, "index.db" PART, 0);
	err = snapshot_database(from, to);
	fd = err == 0 ? open(to, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	if (err == 0 && fd < 0)
		err = -errno;
	if (err == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Their log, of a copy that somebody opened, belongs to the old index. */
static int name_all(struct copying *c)
{
	static const char *const names[] = {"keyring", "keyring.copy", "index.db"};
	int err = 0;

	unlinkat(c->to, "index.db-wal", 0);
	unlinkat(c->to, "index.db-shm", 0);
	for (unsigned i = 0; err == 0 && i < 3; i++)
		err = name_part(c->to, names[i]);
	if (err == 0 && fsync(c->to) < 0)
		err = -errno;
	return err < 0 ? fail_at(c, err, c->o->to, "") : 0;
}

/*
 * While nobody destroys anything, so that index, keyring and the packs' heads tell of the same
 * keys. What is put meanwhile is in the packs, which are looked at last, or it is not in the index.
 */
static int copy_rest(struct copying *c, int from, int to)
{
	int err = copy_index(c);

	if (err < 0)
		return fail_at(c, err, c->o->from, "index.db");
	err = copy_packs(c, from, to);
	if (err < 0)
		return err;
	err = copy_part(c, c->from, c->to, "keyring");
	if (err == 0)
		err = copy_part(c, c->from, c->to, "keyring.copy");
	return err < 0 ? fail_at(c, err, c->o->from, "keyring") : name_all(c);
}

static int take_turn(struct copying *c)
{
	int lock = vault_shred_lock(c->o->from, false);

	for (int i = 0; lock == -EWOULDBLOCK && i < LOOKS && !stopped(c); i++) {
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000l}, NULL);
		lock = vault_shred_lock(c->o->from, false);
	}
	if (lock == -EWOULDBLOCK)
		return stopped(c)
			       ? -ECANCELED
			       : fail(c, -EBUSY,
				      "%s: objects are being destroyed just now; try again later",
				      c->o->from);
	return lock < 0 ? fail_at(c, lock, c->o->from, "shred.lock") : lock;
}

/* --- whose copy it is --------------------------------------------------------------------- */

static int read_mark(int folder, char ret_mark[MARK_LEN])
{
	int fd = openat(folder, MARK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = pack_read(fd, 0, ret_mark, MARK_LEN);
	close(fd);
	return err;
}

static int write_mark(int folder, const char mark[MARK_LEN])
{
	int fd = openat(folder, MARK, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, (struct bytes){(const uint8_t *)mark, MARK_LEN});
	if (err == 0 && (fsync(fd) < 0 || fsync(folder) < 0))
		err = -errno;
	close(fd);
	return err;
}

static int new_mark(int folder, char ret_mark[MARK_LEN])
{
	uint8_t random[MARK_LEN / 2];
	char mark[MARK_LEN + 1];
	int err = crypto_random(random, sizeof(random));

	for (unsigned i = 0; i < sizeof(random); i++)
		snprintf(mark + 2 * i, 3, "%02x", random[i]);
	if (err == 0)
		err = write_mark(folder, mark);
	if (err == 0)
		memcpy(ret_mark, mark, MARK_LEN);
	return err;
}

/* Nothing of another vault's, or of anybody's, may be written over. */
static int claim(struct copying *c)
{
	char own[MARK_LEN], theirs[MARK_LEN];
	int err = read_mark(c->from, own), there;

	if (err < 0)
		err = new_mark(c->from, own);
	if (err < 0)
		return fail_at(c, err, c->o->from, MARK);
	there = read_mark(c->to, theirs);
	if (there == 0 && memcmp(own, theirs, MARK_LEN) == 0)
		return 0;
	if (there == 0 || faccessat(c->to, "keyring", F_OK, 0) == 0 ||
	    faccessat(c->to, "index.db", F_OK, 0) == 0)
		return fail(
			c, -EEXIST,
			"%s: there is another vault's copy, or a vault, in it; give it a folder "
			"of its own",
			c->o->to);
	err = write_mark(c->to, own);
	return err < 0 ? fail_at(c, err, c->o->to, MARK) : 0;
}

/* --- the call ------------------------------------------------------------------------------- */

static int open_folders(struct copying *c)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat from, to;

	c->from = open(c->o->from, flags);
	if (c->from < 0)
		return fail_at(c, -errno, c->o->from, "");
	c->to = open(c->o->to, flags);
	if (c->to < 0)
		return errno == ENOENT
			       ? fail(c, -ENOENT,
				      "%s: there is no such folder; is the disk mounted?", c->o->to)
			       : fail_at(c, -errno, c->o->to, "");
	if (faccessat(c->from, "keyring", F_OK, 0) < 0)
		return fail(c, -ENOENT, "%s: it is no vault", c->o->from);
	if (fstat(c->from, &from) < 0 || fstat(c->to, &to) < 0)
		return fail_at(c, -errno, c->o->to, "");
	if (from.st_ino == to.st_ino && from.st_dev == to.st_dev)
		return fail(c, -EEXIST, "%s: it is the vault itself", c->o->to);
	c->result.same_disk = from.st_dev == to.st_dev;
	if (mkdirat(c->to, "packs", 0700) < 0 && errno != EEXIST)
		return fail_at(c, -errno, c->o->to, "packs");
	return 0;
}

static int copy_all(struct copying *c)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int from = openat(c->from, "packs", flags), to = openat(c->to, "packs", flags);
	int err = from < 0 || to < 0 ? fail_at(c, -errno, c->o->to, "packs") : claim(c), lock;

	if (err == 0)
		err = copy_packs(c, from, to); /* most of them, in peace */
	lock = err == 0 ? take_turn(c) : -1;
	if (err == 0)
		err = lock < 0 ? lock : copy_rest(c, from, to);
	if (err == 0 && (err = drop_packs(from, to)) < 0)
		fail_at(c, err, c->o->to, "packs");
	if (lock >= 0)
		close(lock);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return err;
}

int vault_copy(const struct vault_copy_options *o, struct vault_copy_result *ret_result,
	       char ret_error[VAULT_COPY_ERROR])
{
	struct copying c = {
		.o = o, .from = -1, .to = -1, .block = malloc(BLOCK), .error = ret_error};
	int err = c.block ? open_folders(&c) : fail(&c, -ENOMEM, "out of memory");

	if (err == 0)
		err = copy_all(&c);
	if (err == -ECANCELED)
		fail(&c, err, "%s: it was interrupted", o->to);
	if (c.from >= 0)
		close(c.from);
	if (c.to >= 0)
		close(c.to);
	free(c.block);
	*ret_result = c.result;
	return err;
}
