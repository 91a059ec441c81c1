/* `bedwarden tuf`: the client of The Update Framework, by hand. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "update/fetch/confine.h"
#include "update/tuf/client.h"
#include "update/tuf/local.h"

#define ROOT_MAX  (512u << 10)
#define NAMES_MAX 64

struct tuf_cli {
	const char *metadata_dir, *metadata_url, *target_base_url, *target_dir;
	const char *names[NAMES_MAX];
	unsigned name_count;
};

static const struct option options[] = {
	{"metadata-dir", required_argument, NULL, 'd'},
	{"metadata-url", required_argument, NULL, 'u'},
	{"target-name", required_argument, NULL, 'n'},
	{"target-base-url", required_argument, NULL, 'b'},
	{"target-dir", required_argument, NULL, 't'},
	{NULL},
};

static int usage(void)
{
	return cli_usage(cli_find("tuf"));
}

static int take_options(struct tuf_cli *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->metadata_dir = optarg;
			break;
		case 'u':
			o->metadata_url = optarg;
			break;
		case 'n':
			if (o->name_count == NAMES_MAX)
				return cli_fail("more than %d targets at once", NAMES_MAX);
			o->names[o->name_count++] = optarg;
			break;
		case 'b':
			o->target_base_url = optarg;
			break;
		case 't':
			o->target_dir = optarg;
			break;
		default:
			return usage();
		}
	}
	return CLI_OK;
}

static int init(const struct tuf_cli *o, const char *path)
{
	struct tuf_error e;
	struct bytes root;
	int err = file_read(path, ROOT_MAX, &root);

	if (err < 0)
		return cli_fail("%s: %s", path, strerror(-err));
	err = tuf_init(o->metadata_dir, root, &e);
	free((void *)root.data);
	return err < 0 ? cli_fail("%s: %s", path, e.text) : CLI_OK;
}

static int download_one(const struct tuf_cli *o, struct tuf *t, struct tuf_source *targets,
			const char *name)
{
	struct tuf_file file;
	struct tuf_error e;
	bool cached;
	char *path;
	int err = tuf_find(t, name, &file, NULL, NULL, &e);

	if (err == 0)
		err = tuf_download(t, name, &file, targets, o->target_dir, &cached, &path, &e);
	if (err < 0)
		return cli_fail("%s", e.text);
	printf("%s%s\n", path, cached ? " (already there)" : "");
	free(path);
	return CLI_OK;
}

/* Every target has its try, so that one that is broken keeps no other from coming. */
static int download(const struct tuf_cli *o, struct tuf *t)
{
	struct tuf_source *targets;
	struct tuf_error e;
	int r = CLI_OK;

	if (tuf_http_new(o->target_base_url, &targets, &e) < 0)
		return cli_fail("%s", e.text);
	for (unsigned i = 0; i < o->name_count; i++)
		if (download_one(o, t, targets, o->names[i]) != CLI_OK)
			r = CLI_FAILED;
	tuf_source_free(targets);
	return r;
}

static void show(const struct tuf *t)
{
	int64_t v[4];

	tuf_versions(t, v);
	printf("root %" PRId64 ", timestamp %" PRId64 ", snapshot %" PRId64 ", targets %" PRId64
	       "\n",
	       v[0], v[1], v[2], v[3]);
}

/* A mirror's bytes are read by nobody who could do more than write these two folders. */
static int lock_in(const struct tuf_cli *o)
{
	const struct sandbox_path paths[] = {{o->metadata_dir, true}, {o->target_dir, true}};
	const struct confine c = {paths, o->target_dir ? 2 : 1, true};
	int err = 0;

	for (size_t i = 0; err >= 0 && i < c.count; i++) {
		err = local_folder(paths[i].path);
		if (err < 0)
			return cli_fail("%s: %s", paths[i].path, strerror(-err));
		close(err);
	}
	err = confine_enter(&c);
	return err < 0 ? cli_fail("could not lock itself in: %s", strerror(-err)) : CLI_OK;
}

static int refresh(const struct tuf_cli *o, bool then_download)
{
	struct tuf_source *source = NULL;
	struct tuf *t = NULL;
	struct tuf_error e;
	int err = tuf_http_new(o->metadata_url, &source, &e), r = CLI_OK;

	if (err == 0)
		err = tuf_open(o->metadata_dir, source, time(NULL), &t, &e);
	if (err == 0)
		err = tuf_refresh(t, &e);
	if (err < 0)
		r = cli_fail("%s", e.text);
	else if (then_download)
		r = download(o, t);
	else
		show(t);
	tuf_close(t);
	tuf_source_free(source);
	return r;
}

int cli_tuf(int argc, char **argv)
{
	struct tuf_cli o = {0};
	const char *verb;
	bool download;
	int r = take_options(&o, argc, argv);

	if (r != CLI_OK)
		return r;
	verb = optind < argc ? argv[optind++] : "";
	if (!o.metadata_dir)
		return usage();
	if (strcmp(verb, "init") == 0 && optind + 1 == argc)
		return init(&o, argv[optind]);
	if (optind != argc || !o.metadata_url)
		return usage();
	download = strcmp(verb, "download") == 0;
	if (download ? !o.name_count || !o.target_base_url || !o.target_dir
		     : strcmp(verb, "refresh") != 0)
		return usage();
	r = lock_in(&o);
	return r == CLI_OK ? refresh(&o, download) : r;
}
