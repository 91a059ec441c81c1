/* backup, copy and restore: what a gateway is made of, put into its vault, the vault on another disk,
 * and all of it brought back from there. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "keep/backup.h"
#include "keep/vault_copy.h"

#define KEEP_DAYS 90
#define LIST_MAX  (16u << 20)
#define DAY_NS	  (86400ll * (int64_t)NSEC_PER_SEC)

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

static void put_done(void *arg, struct vault_item *it)
{
}

static const char *owner(void *arg, uid_t uid)
{
	const struct passwd *p = getpwuid(uid);

	return p ? p->pw_name : "-";
}

static const char *group(void *arg, gid_t gid)
{
	const struct group *g = getgrgid(gid);

	return g ? g->gr_name : "-";
}

static void tell_put(void *arg, const char *path)
{
	char *name = clean(path);

	printf("%s\n", name);
	free(name);
}

static void tell_failed(void *arg, const char *path, const char *why)
{
	fail_at(path, why);
}

/* Those that were named; else what the gateway is made of, whose vault it is. */
static int backup(const struct vault_cli *o, struct putter *p, const char *moment,
		  struct backup_result *r)
{
	long days = o->keep_days >= 0 ? o->keep_days : KEEP_DAYS;
	const struct backup_options b = {.dir = o->dir,
					 .until_ns = (int64_t)clock_wall_ns() + days * DAY_NS,
					 .owner = owner,
					 .group = group,
					 .put = o->verbose ? tell_put : NULL,
					 .failed = tell_failed};
	unsigned count = o->count ? (unsigned)o->count : 2;
	char state[PATH_MAX], log[PATH_MAX + 16];
	struct backup_path *paths = calloc(count, sizeof(*paths));
	int err;

	snprintf(state, sizeof(state), "%s/..", o->dir);
	snprintf(log, sizeof(log), "%s/events.db", state);
	if (!o->count && access(log, F_OK) < 0) {
		free(paths);
		return cli_fail("%s: it is no gateway's vault; name the files and folders to back "
				"up",
				o->dir);
	}
	if (paths && !o->count) {
		paths[0] = (struct backup_path){state, false};
		paths[1] = (struct backup_path){BEDWARDEN_SYSCONFDIR, true};
	}
	for (int i = 0; paths && i < o->count; i++)
		paths[i] = (struct backup_path){o->args[i], false};
	err = paths ? backup_run(p, &b, moment, paths, count, r) : -ENOMEM;
	free(paths);
	if (r->failed)
		return cli_fail("%" PRIu64 " could not be put: this backup is not whole, and none "
				"that is restored",
				r->failed);
	return err == 0 ? CLI_OK : cli_fail("%s: %s", o->dir, vault_cli_error(err));
}

int vault_cli_backup(const struct vault_cli *o)
{
	struct vault *v = vault_cli_open(o, 1);
	char moment[BACKUP_MOMENT], size[TEXT_SHORT], files[TEXT_SHORT];
	struct backup_result r = {0};
	struct putter *p;
	int code;

	if (!v)
		return CLI_FAILED;
	backup_moment((int64_t)clock_wall_ns(), moment);
	code = vault_cli_note(o, vault_keys(v), "vault.backup", moment);
	p = code == CLI_OK ? putter_new(v, put_done, NULL) : NULL;
	if (code == CLI_OK)
		code = p ? backup(o, p, moment, &r) : cli_fail("out of memory");
	putter_free(p);
	vault_close(v);
	if (code == CLI_OK)
		printf("%s: %s files, %s, are in the vault; copy its folder to another machine\n",
		       moment, text_count(r.files, files), text_bytes(r.bytes, size));
	return code;
}

/* --- copy -------------------------------------------------------------------------------------- */

int vault_cli_copy(const struct vault_cli *o)
{
	char size[TEXT_SHORT], error[VAULT_COPY_ERROR] = "";
	struct vault_copy_result r = {0};
	const struct vault_copy_options c = {.from = o->dir, .to = o->args[0]};
	int err = vault_copy(&c, &r, error);

	if (err < 0)
		return cli_fail("%s", error);
	printf("%s: it is a copy of the vault now; %" PRIu64 " of %" PRIu64
	       " packs were new or other, %s\n",
	       o->args[0], r.copied, r.packs, text_bytes(r.bytes, size));
	return CLI_OK;
}

/* --- restore --------------------------------------------------------------------------------- */

struct restore {
	const struct vault_cli *o;
	struct vault *v;
	int folder;
	char moment[BACKUP_MOMENT]; /* "" none yet */
	int to;			    /* where an object goes */
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
	char name[BACKUP_MOMENT + sizeof("/" BACKUP_LIST)], moment[BACKUP_MOMENT];

	if (strcmp(e->meta.class, BACKUP_CLASS) != 0 ||
	    e->meta.name.len != BACKUP_MOMENT - 1 + sizeof("/" BACKUP_LIST) - 1)
		return 0;
	memcpy(name, e->meta.name.data, e->meta.name.len);
	name[e->meta.name.len] = 0;
	if (strcmp(name + BACKUP_MOMENT - 1, "/" BACKUP_LIST) != 0)
		return 0;
	memcpy(moment, name, BACKUP_MOMENT - 1);
	moment[BACKUP_MOMENT - 1] = 0;
	if (r->o->count ? strcmp(moment, r->o->args[0]) == 0 : strcmp(moment, r->moment) > 0)
		memcpy(r->moment, moment, BACKUP_MOMENT);
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
	int err = f ? find(r, BACKUP_LIST, fileno(f)) : -errno;

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
		return cli_fail("%s: %s", r->o->dir, vault_cli_error(err));
	if (!*r->moment)
		return r->o->count ? cli_fail("%s: there is no whole backup '%s'", r->o->dir,
					      r->o->args[0])
				   : cli_fail("%s: there is no whole backup in it", r->o->dir);
	err = read_list(r, &list);
	if (err < 0)
		return cli_fail("%s: %s/" BACKUP_LIST ": %s", r->o->dir, r->moment, strerror(-err));
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
