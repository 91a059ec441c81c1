/* `bedwarden update import`: what a stick carries, by the same verification as from a mirror. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/update.h"
#include "update/bundle/bundle.h"
#include "update/tuf/client.h"

#define METADATA_DIR "/var/lib/bedwarden/update/metadata"
#define TARGET_DIR   "/var/lib/bedwarden/update/targets"
#define NAMES_MAX    64

struct import {
	const char *metadata_dir, *target_dir;
	const char *names[NAMES_MAX];
	unsigned name_count;
};

static const struct option options[] = {
	{"metadata-dir", required_argument, NULL, 'd'},
	{"target-dir", required_argument, NULL, 't'},
	{"target-name", required_argument, NULL, 'n'},
	{NULL},
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
		printf("%s, vouched for by %s%s\n", path, role, cached ? " (already there)" : "");
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

static int import(const struct import *o, const char *path)
{
	struct bundle *b = NULL;
	struct tuf *t = NULL;
	struct tuf_error e;
	int64_t v[4];
	int r = CLI_OK, err = bundle_open(path, &b, &e);

	if (err == 0)
		err = tuf_open(o->metadata_dir, bundle_metadata(b), tuf_now(o->metadata_dir), &t,
			       &e);
	if (err == 0)
		err = tuf_refresh(t, &e);
	if (err < 0) {
		r = cli_fail("%s", e.text);
	} else {
		tuf_versions(t, v);
		printf("root %" PRId64 ", timestamp %" PRId64 ", snapshot %" PRId64
		       ", targets %" PRId64 "\n",
		       v[0], v[1], v[2], v[3]);
		r = import_targets(o, t, b);
	}
	tuf_close(t);
	bundle_close(b);
	return r;
}

int update_cli_import(int argc, char **argv)
{
	struct import o = {.metadata_dir = METADATA_DIR, .target_dir = TARGET_DIR};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			o.metadata_dir = optarg;
		else if (c == 't')
			o.target_dir = optarg;
		else if (c == 'n' && o.name_count < NAMES_MAX)
			o.names[o.name_count++] = optarg;
		else
			return cli_usage(cli_find("update"));
	}
	if (argc - optind != 1)
		return cli_usage(cli_find("update"));
	return import(&o, argv[optind]);
}
