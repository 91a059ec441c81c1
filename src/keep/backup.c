#include "keep/backup.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "keep/snapshot.h"

#define TRIES 3 /* for a file that is written over just then */

struct backup {
	const struct backup_options *o;
	struct putter *putter;
	const char *moment;
	struct stat vault; /* its folder, which is left out */
	FILE *list;
	struct backup_result result;
};

void backup_moment(int64_t wall_ns, char ret_moment[BACKUP_MOMENT])
{
	time_t now = (time_t)(wall_ns / (int64_t)NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret_moment, BACKUP_MOMENT, "%Y%m%dT%H%M%SZ", &tm);
}

static const char *why(int err)
{
	return err == -EBUSY	 ? "it was written over while it was read, again and again"
	       : err == -EUCLEAN ? "the database is damaged"
	       : err == -EAGAIN	 ? "others keep the database locked"
	       : err == -ENOSPC	 ? "the disk is full; make room and begin again"
				 : strerror(-err);
}

static void fail(struct backup *b, const char *path, int err)
{
	b->result.failed++;
	b->o->failed(b->o->arg, path, why(err));
}

static bool stopped(const struct backup *b)
{
	return b->o->stop && b->o->stop(b->o->arg);
}

/* "MOMENT/path", of which no part begins with a slash. */
static int put_item(struct backup *b, const char *path, struct vault_item *it)
{
	char name[OBJECT_NAME_MAX + 1];
	int n = snprintf(name, sizeof(name), "%s/%s", b->moment, path + strspn(path, "/"));

	if (n >= (int)sizeof(name))
		return -ENAMETOOLONG;
	it->meta.name = (struct bytes){(const uint8_t *)name, (size_t)n};
	it->meta.until_ns = b->o->until_ns;
	snprintf(it->meta.class, OBJECT_CLASS_MAX, "%s", BACKUP_CLASS);
	putter_add(b->putter, it);
	putter_flush(b->putter);
	return it->err;
}

static ssize_t read_snapshot(void *user, uint8_t *to, size_t len)
{
	return snapshot_read(user, to, len);
}

static int put_once(struct backup *b, const char *path, uint64_t *ret_size)
{
	struct snapshot s;
	int err = snapshot_open(path, b->o->dir, &s);
	struct vault_item it = {.read = read_snapshot, .user = &s};

	if (err < 0)
		return err;
	it.st = &s.st;
	it.size = *ret_size = s.size;
	err = put_item(b, path, &it);
	if (err == 0)
		err = snapshot_check(&s);
	snapshot_close(&s);
	return err;
}

static void note(struct backup *b, const char *path, const struct stat *st)
{
	fprintf(b->list, "%o %s %s %s%s%c", st->st_mode & 07777u,
		b->o->owner(b->o->arg, st->st_uid), b->o->group(b->o->arg, st->st_gid),
		path + strspn(path, "/"), S_ISDIR(st->st_mode) ? "/" : "", 0);
}

static void put_file(struct backup *b, const char *path, const struct stat *st)
{
	uint64_t size = 0;
	int err = -EBUSY;

	if (snapshot_is_log(path))
		return; /* the database's copy has what is in it */
	for (int i = 0; err == -EBUSY && i < TRIES; i++)
		err = put_once(b, path, &size);
	if (err == -ENOENT)
		return; /* it went meanwhile */
	if (err < 0) {
		fail(b, path, err);
		return;
	}
	b->result.files++;
	b->result.bytes += size;
	note(b, path, st);
	if (b->o->put)
		b->o->put(b->o->arg, path);
}

/* A folder and all below it but the vault; links and sockets are left out. */
static void put_tree(struct backup *b, char *path)
{
	char *paths[] = {path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	while (tree && !stopped(b) && (e = fts_read(tree)) != NULL) {
		const struct stat *st = e->fts_statp;

		if (e->fts_info == FTS_D && st->st_ino == b->vault.st_ino &&
		    st->st_dev == b->vault.st_dev)
			fts_set(tree, e, FTS_SKIP);
		else if (e->fts_info == FTS_D)
			note(b, e->fts_path, st);
		else if (e->fts_info == FTS_F)
			put_file(b, e->fts_path, st);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
			 (e->fts_info == FTS_NS && e->fts_errno != ENOENT))
			fail(b, e->fts_path, -e->fts_errno);
	}
	if (tree)
		fts_close(tree);
	else
		fail(b, path, -ENOMEM);
}

static void put_path(struct backup *b, const struct backup_path *p)
{
	char *real = realpath(p->path, NULL);

	if (real)
		put_tree(b, real);
	else if (!p->optional || errno != ENOENT)
		fail(b, p->path, -errno);
	free(real);
}

struct text {
	const char *data;
	size_t len, at;
};

static ssize_t read_text(void *user, uint8_t *to, size_t len)
{
	struct text *t = user;
	size_t n = t->len - t->at < len ? t->len - t->at : len;

	if (n)
		memcpy(to, t->data + t->at, n);
	t->at += n;
	return (ssize_t)n;
}

static int put_list(struct backup *b, struct text *list)
{
	struct vault_item it = {.read = read_text, .user = list, .size = list->len};

	if (stopped(b))
		return -ECANCELED;
	return b->result.failed ? -EIO : put_item(b, BACKUP_LIST, &it);
}

int backup_run(struct putter *p, const struct backup_options *o, const char *moment,
	       const struct backup_path *paths, unsigned count, struct backup_result *ret_result)
{
	struct backup b = {.o = o, .putter = p, .moment = moment};
	struct text list = {0};
	int err = stat(o->dir, &b.vault) < 0 ? -errno : 0;

	if (err == 0)
		b.list = open_memstream((char **)&list.data, &list.len);
	if (err == 0 && !b.list)
		err = -ENOMEM;
	for (unsigned i = 0; err == 0 && i < count; i++)
		put_path(&b, &paths[i]);
	if (b.list && fclose(b.list) != 0 && err == 0)
		err = -ENOMEM;
	if (err == 0)
		err = put_list(&b, &list);
	free((char *)list.data);
	*ret_result = b.result;
	return err;
}
