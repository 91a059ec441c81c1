#include "cli/batch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/meter.h"
#include "cli/single.h"
#include "cli/text.h"

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool batch_wanted(const struct batch_options *b, char *const *paths, int count)
{
	return count > 1 || b->in_place ||
	       (count == 1 && (is_folder(paths[0]) || (b->to && is_folder(b->to))));
}

static void failed(void *arg, const char *path, const char *why)
{
	char *clean = text_clean(path, strlen(path));

	meter_clear();
	cli_fail("%s: %s", clean, why);
	free(clean);
}

static void done(void *arg, const char *path)
{
	meter_clear();
	/* A line at once, and as it is: a program may wait for it. */
	printf("%s\n", path);
	fflush(stdout);
}

static void progress(void *arg, const struct tree_result *so_far)
{
	meter_tell(so_far->bytes, so_far->files);
}

/* A deep tree takes two or three descriptors a level. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void sum_up(const struct tree_options *o, const struct tree_result *r)
{
	char bytes[TEXT_SHORT], files[TEXT_SHORT];

	if (r->left_alone)
		fprintf(stderr, "bedwarden: %u left alone: %s, or no regular files\n",
			r->left_alone, o->open ? "without " TREE_SUFFIX : "sealed already");
	if (meter_watched())
		fprintf(stderr, "bedwarden: %s files, %s, %s\n", text_count(r->files, files),
			text_bytes(r->bytes, bytes), o->open ? "opened" : "sealed");
}

int batch_run(const struct batch_options *b, struct tree_options *o, char *const *paths, int count)
{
	struct tree_result total = {.files = 0}, result = {.files = 0};
	int r;

	text_init();
	raise_descriptors();
	/* Who opens a file that we hold a lease on: the lease is asked about, the signal is none. */
	signal(SIGIO, SIG_IGN);
	o->in_place = b->in_place;
	o->force = b->force;
	o->to = b->to;
	o->failed = failed;
	o->done = b->verbose ? done : NULL;
	if (meter_watched()) {
		o->progress = progress;
		tree_measure(o, paths, (unsigned)count, &total);
		meter_begin(total.bytes, total.files);
	}
	r = tree_run(o, paths, (unsigned)count, &result);
	meter_clear();
	sum_up(o, &result);
	if (r < 0 && !result.failed)
		return cli_fail("%s: %s", b->to ? b->to : paths[0], single_why(r, NULL));
	/* One failure of one is told already. */
	if (result.failed == 1 && !result.files)
		return CLI_FAILED;
	if (result.failed)
		return cli_fail("%u failed, as said above; %llu were done", result.failed,
				(unsigned long long)result.files);
	return CLI_OK;
}
