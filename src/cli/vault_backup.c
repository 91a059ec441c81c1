/* backup and restore: what a gateway is made of, put into its vault, and brought back from there. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "keep/snapshot.h"

#define CLASS	  "backup"
#define KEEP_DAYS 90
#define TRIES	  3	     /* for a file that is written over just then */
#define LIST	  "contents" /* a backup's last object: there only if all others are */
#define LIST_MAX  (16u << 20)
#define MOMENT	  sizeof("20260131T071502Z")
#define DAY_NS	  (86400ll * (int64_t)NSEC_PER_SEC)

/*
 * The list has a text for every folder and file, each ended by a zero:
 * "MODE OWNER GROUP PATH", the mode in octal, a folder's path with a '/' at its end.
 */

static char *clean(const char *name)
{
	return text_clean(name, strlen(name));
}

static int fail_at(const char *path, const char *why)
{
	char *name = clean(path);

	cli_fail("%s: %s", name, why);
	free(name);
	return CLI_FAILED;
}

/* --- backup ------------------------------------------------------------------------------ */

struct backup {
	const struct vault_cli *o;
	struct putter *putter;
	struct stat vault; /* its folder, which is left out */
	char moment[MOMENT];
	FILE *list;
	uint64_t files, bytes, failed;
};

static void put_done(void *arg, struct vault_item *it)
{
}

/* "MOMENT/path", of which no part begins with a slash. */
static int put_item(struct backup *b, const char *path, struct vault_item *it)
{
	char name[OBJECT_NAME_MAX + 1];
	long days = b->o->keep_days >= 0 ? b->o->keep_days : KEEP_DAYS;
	int n = snprintf(name, sizeof(name), "%s/%s", b->moment, path + strspn(path, "/"));

	if (n >= (int)sizeof(name))
		return -ENAMETOOLONG;
	it->meta.name = (struct bytes){(const uint8_t *)name, (size_t)n};
	it->meta.until_ns = (int64_t)clock_wall_ns() + days * DAY_NS;
	snprintf(it->meta.class, OBJECT_CLASS_MAX, "%s", CLASS);
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
	const struct passwd *owner = getpwuid(st->st_uid);
	const struct group *group = getgrgid(st->st_gid);

	fprintf(b->list, "%o %s %s %s%s%c", st->st_mode & 07777u, owner ? owner->pw_name : "-",
		group ? group->gr_name : "-", path + strspn(path, "/"),
		S_ISDIR(st->st_mode) ? "/" : "", 0);
}

static const char *why(int err)
{
	return err == -EBUSY	 ? "it was written over while it was read, again and again"
	       : err == -EUCLEAN ? "the database is damaged"
	       : err == -EAGAIN	 ? "others keep the database locked"
	       : err == -ENOSPC	 ? "the disk is full; make room and begin again"
				 : strerror(-err);
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
		fail_at(path, why(err));
		b->failed++;
		return;
	}
	b->files++;
	b->bytes += size;
	note(b, path, st);
	if (b->o->verbose) {
		char *name = clean(path);

		printf("%s\n", name);
		free(name);
	}
}

/* A folder and all below it but the vault; links and sockets are left out. */
static void put_tree(struct backup *b, char *path)
{
	char *paths[] = {path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	while (tree && (e = fts_read(tree)) != NULL) {
		const struct stat *st = e->fts_statp;

		if (e->fts_info == FTS_D && st->st_ino == b->vault.st_ino &&
		    st->st_dev == b->vault.st_dev) {
			fts_set(tree, e, FTS_SKIP);
		} else if (e->fts_info == FTS_D) {
			note(b, e->fts_path, st);
		} else if (e->fts_info == FTS_F) {
			put_file(b, e->fts_path, st);
		} else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
			   (e->fts_info == FTS_NS && e->fts_errno != ENOENT)) {
			fail_at(e->fts_path, strerror(e->fts_errno));
			b->failed++;
		}
	}
	if (tree)
		fts_close(tree);
}

/* With its links resolved: what is restored lies where it really was. */
static void put_argument(struct backup *b, const char *path, bool must)
{
	char *real = realpath(path, NULL);

	if (real) {
		put_tree(b, real);
	} else if (must || errno != ENOENT) {
		fail_at(path, strerror(errno));
		b->failed++;
	}
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

static int put_all(struct backup *b)
{
	struct text list = {0};
	struct vault_item it = {.read = read_text, .user = &list};
	char state[PATH_MAX], log[PATH_MAX + 16];
	int err;

	snprintf(state, sizeof(state), "%s/..", b->o->dir);
	snprintf(log, sizeof(log), "%s/events.db", state);
	if (!b->o->count && access(log, F_OK) < 0)
		return cli_fail("%s: it is no gateway's vault; name the files and folders to back "
				"up",
				b->o->dir);
	b->list = open_memstream((char **)&list.data, &list.len);
	if (!b->list)
		return cli_fail("out of memory");
	for (int i = 0; i < b->o->count; i++)
		put_argument(b, b->o->args[i], true);
	if (!b->o->count) {
		put_argument(b, state, true);
		put_argument(b, BEDWARDEN_SYSCONFDIR, false);
	}
	err = fclose(b->list) == 0 ? 0 : -ENOMEM;
	it.size = list.len;
	if (err == 0 && !b->failed)
		err = put_item(b, LIST, &it);
	free((char *)list.data);
	if (b->failed)
		return cli_fail("%" PRIu64 " could not be put: this backup is not whole, and none "
				"that is restored",
				b->failed);
	return err == 0 ? CLI_OK : cli_fail("%s: %s", b->o->dir, why(err));
}

static void stamp(char ret_moment[MOMENT])
{
	time_t now = (time_t)(clock_wall_ns() / NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret_moment, MOMENT, "%Y%m%dT%H%M%SZ", &tm);
}

int vault_cli_backup(const struct vault_cli *o)
{
	struct backup b = {.o = o};
	char size[TEXT_SHORT], files[TEXT_SHORT];
	struct vault *v = vault_cli_open(o, 1);
	int code;

	if (!v)
		return CLI_FAILED;
	if (stat(o->dir, &b.vault) < 0) {
		vault_close(v);
		return cli_fail("%s: %s", o->dir, strerror(errno));
	}
	stamp(b.moment);
	code = vault_cli_note(o, vault_keys(v), "vault.backup", b.moment);
	b.putter = code == CLI_OK ? putter_new(v, put_done, NULL) : NULL;
	if (code == CLI_OK)
		code = b.putter ? put_all(&b) : cli_fail("out of memory");
	putter_free(b.putter);
	vault_close(v);
	if (code == CLI_OK)
		printf("%s: %s files, %s, are in the vault; copy its folder to another machine\n",
		       b.moment, text_count(b.files, files), text_bytes(b.bytes, size));
	return code;
}

/* --- restore --------------------------------------------------------------------------------- */

struct restore {
	const struct vault_cli *o;
	struct vault *v;
	int folder;
	char moment[MOMENT]; /* "" none yet */
	int to;		     /* where an object goes */
	uint64_t files, bytes, failed;
};

/* One line of the list, taken apart in place. */
struct line {
	mode_t mode;
	const char *owner, *group, *path;
	bool is_folder;
};

static bool read_line(char *text, struct line *ret_line)
{
	struct line l;
	char *rest = text, *mode = strsep(&rest, " "), *end;
	size_t len;

	l.owner = strsep(&rest, " ");
	l.group = strsep(&rest, " ");
	l.path = rest;
	if (!rest || !*rest)
		return false;
	l.mode = (mode_t)strtoul(mode, &end, 8);
	if (*end || l.mode > 07777)
		return false;
	len = strlen(rest);
	l.is_folder = rest[len - 1] == '/';
	if (l.is_folder)
		rest[len - 1] = 0;
	*ret_line = l;
	return *rest;
}

/* The newest whose list is there, or the one that was asked for. */
static int look(void *arg, const struct vault_entry *e)
{
	struct restore *r = arg;
	char name[MOMENT + sizeof("/" LIST)], moment[MOMENT];

	if (strcmp(e->meta.class, CLASS) != 0 ||
	    e->meta.name.len != MOMENT - 1 + sizeof("/" LIST) - 1)
		return 0;
	memcpy(name, e->meta.name.data, e->meta.name.len);
	name[e->meta.name.len] = 0;
	if (strcmp(name + MOMENT - 1, "/" LIST) != 0)
		return 0;
	memcpy(moment, name, MOMENT - 1);
	moment[MOMENT - 1] = 0;
	if (r->o->count ? strcmp(moment, r->o->args[0]) == 0 : strcmp(moment, r->moment) > 0)
		memcpy(r->moment, moment, MOMENT);
	return 0;
}

static int write_to(void *arg, const struct vault_entry *e)
{
	struct restore *r = arg;

	r->bytes += e->size;
	return vault_read(r->v, e, r->to);
}

static int find(struct restore *r, const char *path, int to)
{
	char name[OBJECT_NAME_MAX + 1];

	r->to = to;
	snprintf(name, sizeof(name), "%s/%s", r->moment, path);
	return vault_find(r->v, name, write_to, r);
}

/* Names, not numbers: another machine may have others. Who is not there leaves it to us. */
static void give(int fd, const struct line *l)
{
	const struct passwd *owner = getpwnam(l->owner);
	const struct group *group = getgrnam(l->group);

	if (geteuid() == 0 &&
	    fchown(fd, owner ? owner->pw_uid : (uid_t)-1, group ? group->gr_gid : (gid_t)-1) < 0)
		fail_at(l->path, strerror(errno));
	if (geteuid() == 0 && strcmp(l->owner, "-") != 0 && !owner)
		fprintf(stderr, "bedwarden: %s: there is no user '%s' here; it is yours now\n",
			l->path, l->owner);
}

static int make_folder(struct restore *r, const struct line *l)
{
	int fd = vault_folder_below(r->folder, l->path);

	if (fd < 0)
		return fd;
	if (fchmod(fd, l->mode) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	give(fd, l);
	close(fd);
	return 0;
}

static int restore_file(struct restore *r, const struct line *l)
{
	struct bytes name = {(const uint8_t *)l->path, strlen(l->path)};
	int fd = vault_create_below(r->folder, name, 0600), err;

	if (fd < 0)
		return fd;
	err = find(r, l->path, fd);
	if (err == 0 && fchmod(fd, l->mode & 0777) < 0)
		err = -errno;
	if (err == 0)
		give(fd, l);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	close(fd);
	if (err < 0)
		unlinkat(r->folder, l->path, 0);
	r->files += err == 0;
	return err;
}

static void restore_line(struct restore *r, char *text)
{
	struct line l;
	int err;

	if (!read_line(text, &l)) {
		r->failed++;
		return;
	}
	err = l.is_folder ? make_folder(r, &l) : restore_file(r, &l);
	if (err == 0)
		return;
	r->failed++;
	fail_at(l.path, err == -EEXIST	  ? "it is there already; move it away, or restore into an "
					    "empty folder, -C"
			: err == -ENOENT  ? "the backup has it no more: it was destroyed"
			: err == -EBADMSG ? "it is damaged"
					  : strerror(-err));
}

static int read_list(struct restore *r, struct bytes *ret_list)
{
	FILE *f = tmpfile();
	int err = f ? find(r, LIST, fileno(f)) : -errno;

	if (err == 0 && lseek(fileno(f), 0, SEEK_SET) < 0)
		err = -errno;
	if (err == 0)
		err = file_read_fd(fileno(f), LIST_MAX, ret_list);
	if (f)
		fclose(f);
	return err;
}

/* A list of paths is no secret of a patient's: it may lie in a nameless file for a moment. */
static int restore_all(struct restore *r)
{
	struct bytes list;
	int err = vault_each(r->v, look, r);
	char *text, *end;

	if (err < 0)
		return cli_fail("%s: %s", r->o->dir, strerror(-err));
	if (!*r->moment)
		return r->o->count ? cli_fail("%s: there is no whole backup '%s'", r->o->dir,
					      r->o->args[0])
				   : cli_fail("%s: there is no whole backup in it", r->o->dir);
	err = read_list(r, &list);
	if (err < 0)
		return cli_fail("%s: %s/" LIST ": %s", r->o->dir, r->moment, strerror(-err));
	r->bytes = 0;
	text = (char *)list.data;
	for (end = text + list.len; text < end;) {
		char *next = memchr(text, 0, (size_t)(end - text));

		if (!next) {
			r->failed++;
			break;
		}
		restore_line(r, text);
		text = next + 1;
	}
	free((char *)list.data);
	return CLI_OK;
}

int vault_cli_restore(const struct vault_cli *o)
{
	struct restore r = {.o = o, .folder = -1};
	char size[TEXT_SHORT], files[TEXT_SHORT];
	int code;

	if (!o->folder)
		return cli_fail("say where to with -C; 'restore DIR -C /' puts everything where it "
				"was");
	r.folder = vault_cli_folder(o->folder);
	r.v = r.folder >= 0 ? vault_cli_open(o, 1) : NULL;
	if (!r.v) {
		if (r.folder >= 0)
			close(r.folder);
		return CLI_FAILED;
	}
	code = restore_all(&r);
	if (code == CLI_OK && syncfs(r.folder) < 0)
		code = cli_fail("%s: %s", o->folder, strerror(errno));
	close(r.folder);
	vault_close(r.v);
	if (code != CLI_OK)
		return code;
	printf("%s: %s files, %s, restored below %s\n", r.moment, text_count(r.files, files),
	       text_bytes(r.bytes, size), o->folder);
	return r.failed ? cli_fail("%" PRIu64 " could not be restored", r.failed) : CLI_OK;
}
