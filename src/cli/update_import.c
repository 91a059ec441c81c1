/* `bedwarden update import`: what a stick carries, by the same verification as from a mirror. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "cli/control.h"
#include "cli/update.h"
#include "update/bundle/bundle.h"
#include "update/fetch/confine.h"
#include "update/tuf/client.h"
#include "update/tuf/local.h"

#define UPDATES_DIR "/var/lib/bedwarden-updates" /* as updates.dir of the policy file */
#define ROOT_FILE   BEDWARDEN_SYSCONFDIR "/root.json"
#define ROOT_MAX    (512u << 10)
#define NAMES_MAX   64

struct import {
	const char *metadata_dir, *target_dir; /* NULL: those of the gateway that runs here */
	char metadata[PATH_MAX], targets[PATH_MAX];
	char root[PATH_MAX];
	struct control_options control;
	const char *names[NAMES_MAX];
	unsigned name_count;
	json_t *told; /* with --json: what came of each target */
};

static int import_one(const struct import *o, struct tuf *t, struct bundle *b, const char *name)
{
	struct tuf_file file;
	struct tuf_error e;
	char *path, *role;
	bool cached;
	int err = tuf_find(t, name, &file, &role, NULL, &e);

	if (err < 0)
		return cli_fail("%s", e.text);
	err = tuf_download(t, name, &file, bundle_targets(b), o->target_dir, &cached, &path, &e);
	if (err < 0) {
		cli_fail("%s", e.text);
	} else {
		if (o->told)
			json_array_append_new(o->told, json_pack("{s:s, s:s, s:s, s:b}", "name",
								 name, "path", path, "by", role,
								 "known", (int)cached));
		else
			printf("%s, vouched for by %s%s\n", path, role,
			       cached ? " (already there)" : "");
		free(path);
	}
	free(role);
	return err < 0 ? CLI_FAILED : CLI_OK;
}

static int import_targets(const struct import *o, struct tuf *t, struct bundle *b)
{
	json_t *names = bundle_names(b), *entry;
	size_t i;
	int r = CLI_OK;

	for (i = 0; i < o->name_count; i++)
		if (import_one(o, t, b, o->names[i]) != CLI_OK)
			r = CLI_FAILED;
	if (!o->name_count)
		json_array_foreach (names, i, entry)
			if (import_one(o, t, b, json_string_value(entry)) != CLI_OK)
				r = CLI_FAILED;
	json_decref(names);
	return r;
}

/* What the keys of a gateway begin with, where nothing was imported or fetched yet. */
static int trust_root(const struct import *o)
{
	char path[PATH_MAX + 16];
	struct bytes root;
	struct tuf_error e;
	int err;

	snprintf(path, sizeof(path), "%s/root.json", o->metadata_dir);
	if (!*o->root || access(path, F_OK) == 0 || file_read(o->root, ROOT_MAX, &root) < 0)
		return CLI_OK;
	err = tuf_init(o->metadata_dir, root, &e);
	free((void *)root.data);
	return err < 0 ? cli_fail("%s: %s", o->root, e.text) : CLI_OK;
}

static void print_told(const struct import *o, const int64_t v[4])
{
	json_t *all = json_pack("{s:I, s:I, s:I, s:I, s:O}", "root", (json_int_t)v[0], "timestamp",
				(json_int_t)v[1], "snapshot", (json_int_t)v[2], "targets_version",
				(json_int_t)v[3], "targets", o->told);

	if (all)
		json_dumpf(all, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(all);
}

static int import(const struct import *o, struct bundle *b)
{
	struct tuf *t = NULL;
	struct tuf_error e;
	int64_t v[4];
	int r = trust_root(o), err;

	if (r != CLI_OK)
		return r;
	err = tuf_open(o->metadata_dir, bundle_metadata(b), tuf_now(o->metadata_dir), &t, &e);
	if (err == 0)
		err = tuf_refresh(t, &e);
	if (err < 0) {
		r = cli_fail("%s", e.text);
	} else {
		tuf_versions(t, v);
		if (!o->told)
			printf("root %" PRId64 ", timestamp %" PRId64 ", snapshot %" PRId64
			       ", targets %" PRId64 "\n",
			       v[0], v[1], v[2], v[3]);
		r = import_targets(o, t, b);
		if (o->told)
			print_told(o, v);
	}
	tuf_close(t);
	return r;
}

static int make_folder(const char *path)
{
	int fd = local_folder(path);

	if (fd < 0)
		return cli_fail("%s: %s", path, strerror(-fd));
	close(fd);
	return CLI_OK;
}

/* In a process of its own, which may read the stick and write the two folders, and nothing else. */
static int import_confined(const struct import *o, const char *path)
{
	const struct sandbox_path paths[] = {{o->metadata_dir, true},
					     {o->target_dir, true},
					     {*o->root ? o->root : "/dev/null", false}};
	const struct confine c = {paths, access(paths[2].path, R_OK) == 0 ? 3 : 2, false};
	struct bundle *b = NULL;
	struct tuf_error e;
	bool in = strcmp(path, "-") == 0;
	int fd = in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		    : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int status, err;
	pid_t pid;

	if (fd < 0)
		return cli_fail("%s: %s", path, strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		err = confine_enter(&c);
		if (err < 0)
			_exit(cli_fail("could not lock itself in: %s", strerror(-err)));
		status = bundle_open_fd(fd, in ? "the bundle" : path, &b, &e) < 0
				 ? cli_fail("%s", e.text)
				 : import(o, b);
		bundle_close(b);
		fflush(NULL);
		_exit(status);
	}
	close(fd);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return cli_fail("no process can be made: %s", strerror(errno));
	if (!WIFEXITED(status))
		return cli_fail("%s: what reads it was ended by signal %d; nothing was taken that "
				"was not verified",
				path, WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* Where the gateway that runs here has it, by its policy file. */
static void find_place(struct import *o, const char *config_file)
{
	struct config_error error;
	size_t errors;
	struct config *c = config_load(config_file, &error, 1, &errors);

	snprintf(o->metadata, sizeof(o->metadata), "%s/metadata", c ? c->updates.dir : UPDATES_DIR);
	snprintf(o->targets, sizeof(o->targets), "%s/targets", c ? c->updates.dir : UPDATES_DIR);
	snprintf(o->root, sizeof(o->root), "%s", c ? c->updates.root : ROOT_FILE);
	config_free(c);
	o->metadata_dir = o->metadata;
	o->target_dir = o->targets;
}

static void nothing(void *arg, json_t *row)
{
}

/* A gateway that runs looks at what is there now; one that does not will when it starts. */
static void tell_gateway(struct import *o)
{
	json_t *request =
		json_pack("{s:s, s:s}", "call", "update.look", "operator", control_operator());

	if (access(o->control.socket, W_OK) == 0 && request)
		control_ask(&o->control, request, false, nothing, NULL);
	json_decref(request);
}

int update_cli_import(int argc, char **argv)
{
	static const struct option options[] = {
		CONTROL_OPTIONS,
		{"metadata-dir", required_argument, NULL, 'd'},
		{"target-dir", required_argument, NULL, 't'},
		{"target-name", required_argument, NULL, 'n'},
		{NULL},
	};
	const char *config_file = BEDWARDEN_SYSCONFDIR "/bedwarden.yaml";
	struct import o = {0};
	bool own;
	int c, r;

	control_defaults(&o.control);
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		r = control_option(&o.control, c);
		if (r > 0)
			return r;
		if (c == 'c')
			config_file = optarg;
		else if (c == 'd')
			o.metadata_dir = optarg;
		else if (c == 't')
			o.target_dir = optarg;
		else if (c == 'n' && o.name_count < NAMES_MAX)
			o.names[o.name_count++] = optarg;
		else if (r < 0)
			return cli_usage(cli_find("update"));
	}
	if (argc - optind != 1 || !o.metadata_dir != !o.target_dir)
		return cli_usage(cli_find("update"));
	own = !o.metadata_dir;
	if (own)
		find_place(&o, config_file);
	o.told = o.control.json ? json_array() : NULL;
	umask(0022);
	r = make_folder(o.metadata_dir);
	if (r == CLI_OK)
		r = make_folder(o.target_dir);
	if (r == CLI_OK)
		r = import_confined(&o, argv[optind]);
	if (own)
		tell_gateway(&o);
	json_decref(o.told);
	return r;
}
