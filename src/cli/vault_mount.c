/* `bedwarden vault mount`: the vault as a folder that can only be read. */
#define FUSE_USE_VERSION 35

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "keep/vault_file.h"
#include "keep/view.h"

#define FRESH_S	 1.0	    /* for so long the kernel believes what it was told */
#define READ_MAX (1u << 20) /* what is read at once */

struct mounted {
	struct vault *v;
	struct vault_cache *cache;
	struct view *view;
	uid_t uid;
	gid_t gid;
	bool others;
	uint8_t *buf; /* READ_MAX bytes; locked memory */
};

/* What one open file holds. */
struct opened {
	struct view_node *node;
	struct vault_file *file;
};

/* What one open folder showed when it was opened: the nodes are held. */
struct listing {
	struct view_node **nodes;
	size_t count;
};

static struct mounted *of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The kernel names a node by its address, which it got from us with a reference. */
static struct view_node *node_of(struct mounted *m, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? view_root(m->view) : (struct view_node *)(uintptr_t)ino;
}

static fuse_ino_t ino_of(struct mounted *m, struct view_node *n)
{
	return n == view_root(m->view) ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

static struct stat stat_of(const struct mounted *m, const struct view_node *n)
{
	mode_t read = m->others ? 0444 : 0400, enter = m->others ? 0555 : 0500;
	struct stat st = {.st_ino = n->ino,
			  .st_mode = n->id ? S_IFREG | read : S_IFDIR | enter,
			  .st_nlink = 1,
			  .st_uid = m->uid,
			  .st_gid = m->gid,
			  .st_size = (off_t)n->size,
			  .st_blocks = (blkcnt_t)((n->size + 511) / 512),
			  .st_blksize = OBJECT_CHUNK};

	st.st_mtim.tv_sec = (time_t)(n->mtime_ns / (int64_t)NSEC_PER_SEC);
	st.st_mtim.tv_nsec = n->mtime_ns % (int64_t)NSEC_PER_SEC;
	st.st_atim = st.st_ctim = st.st_mtim;
	return st;
}

/* --- folders ------------------------------------------------------------------------------------ */

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mounted *m = of(req);
	int err = view_follow(m->view);
	struct view_node *n = err < 0 ? NULL : view_find(m->view, node_of(m, parent), name);
	struct fuse_entry_param e = {.attr_timeout = FRESH_S, .entry_timeout = FRESH_S};

	if (!n || !view_alive(m->view, n)) {
		fuse_reply_err(req, err < 0 ? -err : ENOENT);
		return;
	}
	e.ino = ino_of(m, n);
	e.attr = stat_of(m, n);
	n->refs++;
	if (fuse_reply_entry(req, &e) < 0)
		view_drop(m->view, n, 1);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct mounted *m = of(req);

	view_drop(m->view, node_of(m, ino), count);
	fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct view_node *n = node_of(m, ino);
	struct stat st;

	/* An open file can be asked about although its name is gone. */
	if (!fi && !view_alive(m->view, n)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	st = stat_of(m, n);
	fuse_reply_attr(req, &st, FRESH_S);
}

static void free_listing(struct mounted *m, struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		view_drop(m->view, l->nodes[i], 1);
	free(l->nodes);
	free(l);
}

static struct listing *list(struct mounted *m, struct view_node *folder)
{
	struct listing *l = calloc(1, sizeof(*l));
	size_t room = 0;

	for (struct view_node *n = folder->first, *after; l && n; n = after) {
		after = n->after;
		if (!view_alive(m->view, n))
			continue;
		if (l->count == room) {
			struct view_node **more;

			room = room ? 2 * room : 64;
			more = realloc(l->nodes, room * sizeof(struct view_node *));
			if (!more) {
				free_listing(m, l);
				return NULL;
			}
			l->nodes = more;
		}
		n->refs++;
		l->nodes[l->count++] = n;
	}
	return l;
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct view_node *n = node_of(m, ino);
	int err = view_follow(m->view);
	struct listing *l;

	if (err == 0 && !view_alive(m->view, n))
		err = -ENOENT;
	n->refs++; /* the last file in it may be found gone */
	l = err < 0 ? NULL : list(m, n);
	view_drop(m->view, n, 1);
	if (!l) {
		fuse_reply_err(req, err < 0 ? -err : ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)l;
	if (fuse_reply_open(req, fi) < 0)
		free_listing(m, l);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	char *buf = (char *)m->buf;
	size_t len = 0;

	size = size < READ_MAX ? size : READ_MAX;
	for (size_t i = (size_t)off; i < l->count; i++) {
		struct stat st = stat_of(m, l->nodes[i]);
		size_t n = fuse_add_direntry(req, buf + len, size - len, l->nodes[i]->name, &st,
					     (off_t)i + 1);

		if (n > size - len)
			break;
		len += n;
	}
	fuse_reply_buf(req, buf, len);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	free_listing(of(req), (struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/* --- files ------------------------------------------------------------------------------------------ */

struct opening {
	struct mounted *m;
	const struct view_node *node;
	struct vault_file *file;
};

static int open_entry(void *arg, const struct vault_entry *e)
{
	struct opening *o = arg;

	if (e->id != o->node->id || e->meta.put_ns != o->node->put_ns)
		return -ENOENT;
	o->file = vault_file_open(o->m->cache, e);
	return o->file ? 0 : -ENOMEM;
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct opening o = {.m = m, .node = node_of(m, ino)};
	struct opened *f = NULL;
	int err = 0;

	if ((fi->flags & O_ACCMODE) != O_RDONLY)
		err = -EROFS;
	else if (!view_alive(m->view, node_of(m, ino)))
		err = -ENOENT;
	if (err == 0)
		err = vault_next(m->v, o.node->id - 1, open_entry, &o);
	if (err == 0) {
		f = malloc(sizeof(*f));
		err = f ? 0 : -ENOMEM;
	}
	if (err < 0) {
		vault_file_close(o.file);
		fuse_reply_err(req, err == -EBADMSG || err == -EUCLEAN ? EIO : -err);
		return;
	}
	*f = (struct opened){node_of(m, ino), o.file};
	f->node->refs++;
	fi->fh = (uint64_t)(uintptr_t)f;
	if (fuse_reply_open(req, fi) == 0)
		return;
	view_drop(m->view, f->node, 1);
	vault_file_close(f->file);
	free(f);
}

/* Once for each file: who copies a tree has to hear of it, not to read it a thousand times. */
static void complain(struct view_node *n, int err)
{
	char *name = text_clean(n->name, strlen(n->name));

	if (!n->complained)
		cli_fail("%s: %s", name,
			 err == -EBADMSG  ? "it is damaged; 'bedwarden vault fsck --content' tells "
					    "what else is"
			 : err == -ESTALE ? "it was destroyed while it was open"
					  : strerror(-err));
	n->complained = true;
	free(name);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct opened *f = (struct opened *)(uintptr_t)fi->fh;
	size_t most = size < READ_MAX ? size : READ_MAX;
	ssize_t n = vault_file_read(f->file, (uint64_t)off, m->buf, most);

	if (n < 0) {
		complain(f->node, (int)n);
		fuse_reply_err(req, n == -ESTALE ? ESTALE : EIO);
		return;
	}
	fuse_reply_buf(req, (const char *)m->buf, (size_t)n);
	secret_wipe(m->buf, (size_t)n);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mounted *m = of(req);
	struct opened *f = (struct opened *)(uintptr_t)fi->fh;

	view_drop(m->view, f->node, 1);
	vault_file_close(f->file);
	free(f);
	fuse_reply_err(req, 0);
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	/* Splicing would take pipes, and one request is served at a time anyway. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_READDIRPLUS);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.getattr = on_getattr,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.open = on_open,
	.read = on_read,
	.release = on_release,
};

/* --- the process --------------------------------------------------------------------------------------- */

/* Besides what every role lives on: reading packs and keyring, SQLite's locks and shared memory. */
static const char *const calls[] = {
	"access",     "faccessat", "faccessat2", "fcntl",   "fdatasync", "flock",
	"fstatfs",    "fsync",	   "ftruncate",	 "getcwd",  "getegid",	 "geteuid",
	"getgid",     "getuid",	   "lstat",	 "mlock",   "mlock2",	 "munlock",
	"newfstatat", "open",	   "openat",	 "pread64", "pwrite64",	 "readlink",
	"readlinkat", "stat",	   "statfs",	 "sysinfo", "unlink",
};

/* From here on the process reads the vault and answers the kernel, and nothing else. */
static int lock_in(const struct vault_cli *o)
{
	static const char *const written[] = {"index.db", "index.db-wal", "index.db-shm"};
	struct sandbox_path paths[4] = {{.path = o->dir}};
	char names[3][PATH_MAX];
	size_t count = 1;
	int err;

	for (unsigned i = 0; i < 3; i++) {
		snprintf(names[i], PATH_MAX, "%s/%s", o->dir, written[i]);
		if (access(names[i], F_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = names[i], .write = true};
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	err = sandbox_files(paths, count);
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		return err;
	err = sandbox_network();
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		return err;
	return sandbox_calls(calls, sizeof(calls) / sizeof(*calls));
}

static int serve(const struct vault_cli *o, struct fuse_session *se, const char *where)
{
	int err;

	if (fuse_set_signal_handlers(se) != 0)
		return cli_fail("signals cannot be handled");
	printf("%s shows what is in %s, until Ctrl-C or 'fusermount3 -u %s'\n", where, o->dir,
	       where);
	fflush(stdout);
	err = lock_in(o);
	if (err < 0)
		return cli_fail("the process cannot be locked in: %s", strerror(-err));
	err = fuse_session_loop(se);
	/* A signal is a way to end it. */
	return err < 0 ? cli_fail("%s: %s", where, strerror(-err)) : CLI_OK;
}

static int open_view(const struct vault_cli *o, struct mounted *m)
{
	m->v = vault_cli_open(o, 1);
	if (!m->v)
		return CLI_FAILED;
	vault_lone(m->v);
	m->uid = getuid();
	m->gid = getgid();
	m->others = o->allow_other;
	m->buf = secret_new(READ_MAX);
	m->cache = vault_cache_new(m->v);
	m->view = view_new(m->v, o->class);
	if (!m->view)
		return cli_fail("%s: %s", o->dir, strerror(errno));
	return m->buf && m->cache ? CLI_OK : cli_fail("out of memory");
}

static void close_view(struct mounted *m)
{
	view_free(m->view);
	vault_cache_free(m->cache);
	secret_free(m->buf, READ_MAX);
	vault_close(m->v);
}

/* What a process that was killed has left there, if the helper found it in use just then. */
static void clear_dead(const char *path)
{
	char *const argv[] = {(char *)"fusermount3", (char *)"-uzq", (char *)"--", (char *)path,
			      NULL};
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

/* Absolute: the helper that takes the mount away has another folder. */
static int find_place(const struct vault_cli *o, char ret_path[PATH_MAX])
{
	char path[PATH_MAX];
	const char *given = o->count ? o->args[0] : path;

	snprintf(path, sizeof(path), "%.*s/view", PATH_MAX - 8, o->dir);
	if (!o->count && mkdir(path, 0700) < 0 && errno != EEXIST && errno != ENOTCONN)
		return cli_fail("%s: %s", path, strerror(errno));
	/* The helper may be about to take away what was killed. */
	for (unsigned i = 0; i < 20 && access(given, F_OK) < 0 && errno == ENOTCONN; i++)
		usleep(100000);
	if (access(given, F_OK) < 0 && errno == ENOTCONN)
		clear_dead(given);
	if (!realpath(given, ret_path))
		return errno == ENOTCONN
			       ? cli_fail("%s: what was mounted there has ended; take it away with "
					  "'fusermount3 -u %s'",
					  given, given)
			       : cli_fail("%s: %s", given, strerror(errno));
	return CLI_OK;
}

/* Whoever ends this process, even by SIGKILL: a helper that holds no key takes the mount away. */
static struct fuse_session *new_session(const struct vault_cli *o, struct mounted *m)
{
	char *argv[] = {(char *)"bedwarden", (char *)"-o",
			(char *)"ro,nosuid,nodev,noexec,default_permissions,auto_unmount,"
				"fsname=bedwarden-vault,subtype=bedwarden",
			(char *)"-o", (char *)"allow_other"};
	struct fuse_args args = FUSE_ARGS_INIT(o->allow_other ? 5 : 3, argv);
	struct fuse_session *se = fuse_session_new(&args, &operations, sizeof(operations), m);

	fuse_opt_free_args(&args);
	return se;
}

/*
 * The helper hears of the end by a socket, and takes the mount away only where opening it says
 * ENOTCONN: not while the kernel is still about to end the connection. So that has to be over when
 * the socket goes. A process that is killed has what it closes last released first: that should be
 * the connection, whose highest descriptor this is.
 */
static int hold_last(struct fuse_session *se)
{
	return fcntl(fuse_session_fd(se), F_DUPFD_CLOEXEC, 64);
}

int vault_cli_mount(const struct vault_cli *o)
{
	struct mounted m = {0};
	struct fuse_session *se;
	char where[PATH_MAX];
	int code = find_place(o, where), last;

	if (code != CLI_OK)
		return code;
	secret_no_core();
	code = open_view(o, &m);
	se = code == CLI_OK ? new_session(o, &m) : NULL;
	if (code == CLI_OK && !se)
		code = cli_fail("%s: FUSE cannot be had", where);
	if (code == CLI_OK && fuse_session_mount(se, where) != 0)
		code = cli_fail("%s: cannot be mounted; /dev/fuse and fusermount3 (Debian: the "
				"package fuse3) are needed",
				where);
	else if (code == CLI_OK) {
		last = hold_last(se);
		code = serve(o, se, where);
		close(fuse_session_fd(se));
		if (last >= 0)
			close(last);
	}
	/* The helper's socket ends with the process, and with it the mount. */
	close_view(&m);
	return code;
}
