#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/keyfile.h"
#include "cli/meter.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "seal/age/age.h"
#include "seal/age/recipient.h"
#include "seal/tree/walk.h"

/* A name that may hold any byte, for a terminal. */
static char *clean(struct bytes name)
{
	return text_clean((const char *)name.data, name.len);
}

/* --- put --------------------------------------------------------------------------------- */

struct put {
	const struct vault_cli *o;
	struct vault *v;
	struct putter *putter;
	uint64_t files, bytes, known, failed;
};

/* One file on its way; freed when it is done. */
struct file {
	struct vault_item item;
	char path[];
};

static void put_done(void *arg, struct vault_item *it)
{
	struct put *p = arg;
	char address[VAULT_ADDRESS], *name = NULL;

	if (it->err < 0 || p->o->verbose)
		name = clean(it->meta.name);
	if (it->err < 0) {
		meter_clear();
		cli_fail("%s: %s", name,
			 it->err == -EBUSY    ? "it changed while it was read; put it again"
			 : it->err == -ENOSPC ? "the disk is full; make room and put it again"
					      : strerror(-it->err));
		p->failed++;
	} else {
		p->files++;
		p->bytes += it->size;
		p->known += it->known;
		if (p->o->verbose)
			printf("%s  %s\n", vault_cli_address(it->address, address), name);
		if (p->o->verbose)
			fflush(stdout); /* said as soon as it is on the disk */
		meter_tell(p->bytes, p->files);
	}
	free(name);
	free(it);
}

static void add(struct put *p, struct file *f, const char *name)
{
	f->item.meta.until_ns = vault_cli_until(p->o);
	snprintf(f->item.meta.class, OBJECT_CLASS_MAX, "%s", p->o->class ? p->o->class : "file");
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	f->item.meta.name = (struct bytes){(const uint8_t *)name, strlen(name)};
	putter_add(p->putter, &f->item);
}

static void fail(void *arg, const char *path, int err)
{
	struct put *p = arg;
	char *name = text_clean(path, strlen(path));

	meter_clear();
	cli_fail("%s: %s", name,
		 err == -ELOOP ? "a symbolic link, which is not followed; give what it leads to"
			       : strerror(-err));
	free(name);
	p->failed++;
}

static void leave_out(void *arg, const char *path)
{
	char *name = text_clean(path, strlen(path));

	meter_clear();
	fprintf(stderr, "bedwarden: %s: no plain file, left out\n", name);
	free(name);
}

static bool pass_over(void *arg, const char *path, const struct stat *st)
{
	const struct put *p = arg;
	char *name;

	if (!vault_is_own(p->v, st))
		return false;
	name = text_clean(path, strlen(path));
	meter_clear();
	fprintf(stderr, "bedwarden: %s: the vault's own folder, left out\n", name);
	free(name);
	return true;
}

static void put_stdin(struct put *p)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f) {
		fail(p, p->o->name, -ENOMEM);
		return;
	}
	f->item.fd = STDIN_FILENO;
	add(p, f, p->o->name);
}

static void put_item(struct put *p, const struct walk_item *w)
{
	size_t folder = strlen(w->folder->path), len = strlen(w->name);
	bool slash = folder && w->folder->path[folder - 1] != '/';
	struct file *f = calloc(1, sizeof(*f) + folder + slash + len + 1);

	if (!f) {
		fail(p, w->name, -ENOMEM);
		return;
	}
	memcpy(f->path, w->folder->path, folder);
	f->path[folder] = '/';
	memcpy(f->path + folder + slash, w->name, len);
	f->item.below = true;
	f->item.fd = w->folder->in;
	f->item.path = f->path + folder + slash;
	add(p, f, w->given && p->o->name ? p->o->name : f->path);
}

/* A file, or a folder and all below it; links and what is no file are left out, and said. */
static void put_argument(struct put *p, char *path)
{
	struct walk_options o = {.paths = &path,
				 .count = 1,
				 .dry = true,
				 .unfinished = true,
				 .failed = fail,
				 .passed = pass_over,
				 .left = leave_out,
				 .arg = p};
	struct walk_item item;
	struct walk *w;
	int err = walk_new(&o, &w);

	if (err < 0) {
		fail(p, path, err);
		return;
	}
	while (walk_next(w, &item)) {
		put_item(p, &item);
		walk_done(&item);
	}
	walk_free(w);
}

int vault_cli_put(const struct vault_cli *o)
{
	struct put p = {.o = o};
	char size[TEXT_SHORT], files[TEXT_SHORT];

	for (int i = 0; i < o->count; i++)
		if (strcmp(o->args[i], "-") == 0 && !o->name)
			return vault_cli_misused("what comes from standard input needs a --name");
	if (o->name && o->count != 1)
		return vault_cli_misused("--name is for one file");
	p.v = vault_cli_open(o, 0);
	if (!p.v)
		return CLI_FAILED;
	p.putter = putter_new(p.v, put_done, &p);
	if (!p.putter) {
		vault_close(p.v);
		return cli_fail("out of memory");
	}
	meter_begin(0, 0);
	for (int i = 0; i < o->count; i++)
		if (strcmp(o->args[i], "-") == 0)
			put_stdin(&p);
		else
			put_argument(&p, o->args[i]);
	putter_free(p.putter);
	meter_clear();
	vault_close(p.v);
	printf("%s %s in the vault, %s; the content of %" PRIu64 " was there already\n",
	       text_count(p.files, files), p.files == 1 ? "file is" : "files are",
	       text_bytes(p.bytes, size), p.known);
	if (p.failed)
		return cli_fail("%" PRIu64 " could not be put", p.failed);
	return CLI_OK;
}

/* --- get ---------------------------------------------------------------------------------- */

struct get {
	const struct vault_cli *o;
	struct vault *v;
	int folder; /* or -1: to `fd` */
	int fd;
	uint64_t files, bytes, failed;
};

static const char *why(int err)
{
	if (err == -EBADMSG)
		return "it is damaged; only what was sound before was written";
	if (err == -ENOKEY)
		return "it was destroyed";
	if (err == -EEXIST)
		return "such a file is there already";
	return vault_cli_error(err);
}

static void got(void *arg, const struct vault_entry *e, int err)
{
	struct get *g = arg;

	if (err < 0) {
		char *name = clean(e->meta.name);

		meter_clear();
		cli_fail("%s: %s", name, why(err));
		free(name);
		g->failed++;
		return;
	}
	g->files++;
	g->bytes += e->size;
	meter_tell(g->bytes, g->files);
}

static bool get_wanted(void *arg, const struct vault_entry *e)
{
	const struct get *g = arg;

	return !g->o->class || strcmp(e->meta.class, g->o->class) == 0;
}

static int get_one(void *arg, const struct vault_entry *e)
{
	struct get *g = arg;
	int fd = g->fd, err;

	if (g->folder >= 0)
		fd = vault_create_below(g->folder, e->meta.name, e->meta.mode);
	err = fd < 0 ? fd : vault_read(g->v, e, fd);
	if (g->folder >= 0 && fd >= 0 && close(fd) < 0 && err == 0)
		err = -errno;
	got(g, e, err);
	return 0;
}

/* Each by name or address, into the folder or to where `fd` leads. */
static void get_named(struct get *g)
{
	for (int i = 0; i < g->o->count; i++) {
		int err = vault_find(g->v, g->o->args[i], get_one, g);

		if (err < 0) {
			cli_fail("%s: %s", g->o->args[i],
				 err == -ENOENT ? "the vault has nothing of that name or address"
						: why(err));
			g->failed++;
		}
	}
}

int vault_cli_folder(const char *path)
{
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		cli_fail("%s: %s", path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		cli_fail("%s: %s", path, strerror(errno));
	return fd;
}

/* A device or pipe is written to; a file that is there stays as it is. */
static int open_out(struct get *g)
{
	struct stat st;
	int how = O_CREAT | O_EXCL;

	if (g->o->folder) {
		g->folder = vault_cli_folder(g->o->folder);
		return g->folder;
	}
	if (!g->o->out || strcmp(g->o->out, "-") == 0)
		return 0;
	if (stat(g->o->out, &st) == 0 && !S_ISREG(st.st_mode))
		how = O_NOCTTY;
	g->fd = open(g->o->out, O_WRONLY | O_CLOEXEC | how, 0600);
	if (g->fd < 0)
		cli_fail("%s: %s", g->o->out, why(-errno));
	return g->fd;
}

static void get_all(struct get *g)
{
	struct vault_getting how = {.wanted = get_wanted, .done = got, .arg = g};
	int err = vault_get(g->v, g->folder, &how);

	if (err < 0) {
		cli_fail("%s: %s", g->o->dir, vault_cli_error(err));
		g->failed++;
	}
}

int vault_cli_get(const struct vault_cli *o)
{
	struct get g = {.o = o, .folder = -1, .fd = STDOUT_FILENO};

	if (o->count == 0 && !o->folder)
		return vault_cli_misused(
			"name what to get, or give a folder for everything with -C");
	if (o->count != 1 && !o->folder)
		return vault_cli_misused("several things need a folder, -C");
	g.v = vault_cli_open(o, 0);
	if (!g.v)
		return CLI_FAILED;
	if (open_out(&g) < 0) {
		vault_close(g.v);
		return CLI_FAILED;
	}
	meter_begin(0, 0);
	if (o->count)
		get_named(&g);
	else
		get_all(&g);
	meter_clear();
	if (g.fd != STDOUT_FILENO && close(g.fd) < 0)
		g.failed++;
	if (g.folder >= 0)
		close(g.folder);
	vault_close(g.v);
	return g.failed ? CLI_FAILED : CLI_OK;
}

#define EXPORT_SHORT (64u << 10)

/* --- export ----------------------------------------------------------------------------------- */

/* Of long ones the vault writes into a pipe, and a second thread seals what comes out of it: what is exported is
 * nowhere in the clear. */
struct export
{
	struct get get;
	struct age_engine *engine, *alone; /* on all cores; on this one */
	struct age_recipients *recipients;
	int from, to; /* the pipe's end to read, the file */
	int err;
	uint8_t *whole; /* a short one, EXPORT_SHORT bytes; locked memory */
	size_t len, at;
};

static int take_short(void *arg, struct bytes data)
{
	struct export *x = arg;

	if (data.len > EXPORT_SHORT - x->len)
		return -EMSGSIZE;
	memcpy(x->whole + x->len, data.data, data.len);
	x->len += data.len;
	return 0;
}

static ssize_t read_short(void *arg, void *data, size_t max)
{
	struct export *x = arg;
	size_t n = x->len - x->at < max ? x->len - x->at : max;

	memcpy(data, x->whole + x->at, n);
	x->at += n;
	return (ssize_t)n;
}

static int export_short(struct export *x, const struct vault_entry *e)
{
	struct age_seal_options how = {.recipients = x->recipients};
	struct age_result result;
	int err;

	x->len = x->at = 0;
	err = vault_stream(x->get.v, e, take_short, x, false);
	if (err == 0)
		err = age_seal(x->alone, &how, &(struct age_input){.read = read_short, .arg = x},
			       &(struct age_output){.fd = x->to}, &result);
	secret_wipe(x->whole, x->len);
	return err;
}

static void *seal_file(void *arg)
{
	struct export *x = arg;
	struct age_seal_options how = {.recipients = x->recipients};
	struct age_input in = {.fd = x->from};
	struct age_output out = {.fd = x->to};
	struct age_result result;

	x->err = age_seal(x->engine, &how, &in, &out, &result);
	close(x->from); /* whoever writes on hears of it */
	return NULL;
}

static int export_long(struct export *x, const struct vault_entry *e)
{
	pthread_t thread;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	x->from = ends[0];
	err = -pthread_create(&thread, NULL, seal_file, x);
	if (err < 0) {
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	err = vault_read(x->get.v, e, ends[1]);
	close(ends[1]);
	pthread_join(thread, NULL);
	return x->err < 0 ? x->err : err;
}

static int export_to(struct export *x, const struct vault_entry *e)
{
	int err = e->size <= EXPORT_SHORT ? export_short(x, e) : export_long(x, e);

	return err == 0 && fsync(x->to) < 0 ? -errno : err;
}

/* NAME.age below the folder; one that is not whole is taken away again. */
static int export_one(void *arg, const struct vault_entry *e)
{
	struct export *x = arg;
	char path[OBJECT_NAME_MAX + 5];
	struct bytes name = {(const uint8_t *)path, e->meta.name.len + 4};
	int err;

	if (!get_wanted(&x->get, e))
		return 0;
	memcpy(path, e->meta.name.data, e->meta.name.len);
	memcpy(path + e->meta.name.len, ".age", 5);
	x->to = vault_create_below(x->get.folder, name, 0600);
	err = x->to < 0 ? x->to : export_to(x, e);
	if (x->to >= 0)
		close(x->to);
	if (x->to >= 0 && err < 0)
		vault_remove_below(x->get.folder, name);
	got(&x->get, e, err);
	return 0;
}

static struct age_recipients *read_recipients(const struct vault_cli *o)
{
	struct age_recipients *r = age_recipients_new();

	for (unsigned i = 0; r && i < o->recipient_count; i++)
		if (keyfile_recipient(r, o->recipients[i]) != CLI_OK) {
			age_recipients_free(r);
			return NULL;
		}
	return r;
}

static void export_all(struct export *x)
{
	const struct vault_cli *o = x->get.o;
	int err = 0;

	if (!o->count)
		err = vault_newest(x->get.v, export_one, x);
	for (int i = 0; err == 0 && i < o->count; i++) {
		err = vault_find(x->get.v, o->args[i], export_one, x);
		if (err == -ENOENT) {
			cli_fail("%s: the vault has nothing of that name or address", o->args[i]);
			x->get.failed++;
			err = 0;
		}
	}
	if (err < 0) {
		cli_fail("%s: %s", o->dir, vault_cli_error(err));
		x->get.failed++;
	}
}

int vault_cli_export(const struct vault_cli *o)
{
	struct export x = {.get = {.o = o, .folder = -1}};
	char size[TEXT_SHORT];

	if (!o->recipient_count || !o->folder)
		return vault_cli_misused("export needs recipients, -r, and a folder, -C");
	signal(SIGPIPE, SIG_IGN);
	x.recipients = read_recipients(o);
	if (!x.recipients)
		return CLI_FAILED;
	x.engine = age_engine_new(0);
	x.alone = age_engine_new(1);
	x.whole = secret_new(EXPORT_SHORT);
	x.get.v = x.engine && x.alone && x.whole ? vault_cli_open(o, 0) : NULL;
	x.get.folder = x.get.v ? vault_cli_folder(o->folder) : -1;
	if (x.get.folder >= 0) {
		export_all(&x);
		close(x.get.folder);
		printf("%" PRIu64 " file%s, %s, exported as age files\n", x.get.files,
		       x.get.files == 1 ? "" : "s", text_bytes(x.get.bytes, size));
	} else {
		x.get.failed++;
	}
	vault_close(x.get.v);
	age_engine_free(x.engine);
	age_engine_free(x.alone);
	secret_free(x.whole, EXPORT_SHORT);
	age_recipients_free(x.recipients);
	return x.get.failed ? CLI_FAILED : CLI_OK;
}
