#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "keep/watch.h"

#define SETTLE_MS 2000

/* A line each, as soon as it is gone from the folder. */
static void sealed(void *arg, struct bytes name, const struct vault_item *item)
{
	char *clean = text_clean((const char *)name.data, name.len), address[VAULT_ADDRESS];

	printf("%s  %s\n", vault_cli_address(item->address, address), clean);
	fflush(stdout);
	free(clean);
}

static void kept(void *arg, struct bytes name, int err)
{
	char *clean = text_clean((const char *)name.data, name.len);

	if (err == -ENOENT)
		cli_fail("%s: the folder is gone; it is looked for until it is there again", clean);
	else
		cli_fail("%s stays where it is: %s", clean,
			 err == -ENOSPC ? "the disk of the vault is full; make room"
			 : err == -ETXTBSY
				 ? "somebody has had it open for writing for long; 'fuser' says who"
				 : strerror(-err));
	free(clean);
}

static int stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGIO, SIG_IGN); /* somebody waits for a file that is being removed */
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The vault's own, where none is named. */
static int make_in(const struct vault_cli *o, char ret_path[PATH_MAX])
{
	if (snprintf(ret_path, PATH_MAX, "%s/in", o->dir) >= PATH_MAX)
		return cli_fail("%s: the path is too long", o->dir);
	if (mkdir(ret_path, 0700) < 0 && errno != EEXIST)
		return cli_fail("%s: %s", ret_path, strerror(errno));
	return CLI_OK;
}

static int check_folder(const char *path, const struct vault *v)
{
	struct stat st;
	int err = stat(path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;

	if (err == 0 && v && vault_is_own(v, &st))
		return cli_fail("%s: the vault keeps everything in there, and what is watched is "
				"removed; watch another folder, or one in it",
				path);
	return err == 0 ? CLI_OK : cli_fail("%s: %s", path, strerror(err));
}

/* Before a passphrase is asked for, without a vault, and with it. */
static int check_folders(const struct watch_options *w, const struct vault *v)
{
	for (unsigned i = 0; i < w->count; i++)
		if (check_folder(w->folders[i], v) != CLI_OK)
			return CLI_FAILED;
	return CLI_OK;
}

int vault_cli_watch(const struct vault_cli *o)
{
	struct watch_options w = {
		.class = o->class ? o->class : "file",
		.settle_ms = o->settle_ms >= 0 ? (unsigned)o->settle_ms : SETTLE_MS,
		.once = o->once,
		.sealed = sealed,
		.kept = kept,
		.keep_ns = vault_cli_until(o) - (int64_t)clock_wall_ns(),
	};
	char in[PATH_MAX];
	struct vault *v;
	int err;

	if (o->count > WATCH_FOLDERS)
		return cli_fail("at most %d folders at once", WATCH_FOLDERS);
	for (int i = 0; i < o->count; i++)
		w.folders[w.count++] = o->args[i];
	if (!w.count) {
		if (make_in(o, in) != CLI_OK)
			return CLI_FAILED;
		w.folders[w.count++] = in;
	}
	if (check_folders(&w, NULL) != CLI_OK)
		return CLI_FAILED;
	w.stop = stop_signals();
	v = w.stop < 0 ? NULL : vault_cli_open(o, 0);
	if (!v)
		return CLI_FAILED;
	if (check_folders(&w, v) != CLI_OK) {
		vault_close(v);
		return CLI_FAILED;
	}
	err = watch_run(v, &w);
	vault_close(v);
	return err == 0 ? CLI_OK : cli_fail("watching ended: %s", vault_cli_error(err));
}
