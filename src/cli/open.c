/* `bedwarden open`: what `age --decrypt` does, with its options. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "cli/batch.h"
#include "cli/keyfile.h"
#include "cli/passphrase.h"
#include "cli/single.h"

struct open {
	struct age_identities *ids;
	const char *out;
	bool batchpass, given; /* -i was */
	struct batch_options batch;
	pthread_mutex_t asking;
	bool asked;
};

static const struct option options[] = {
	{"decrypt", no_argument, NULL, 'd'},
	{"identity", required_argument, NULL, 'i'},
	{"output", required_argument, NULL, 'o'},
	{"in-place", no_argument, NULL, 'I'},
	{"force", no_argument, NULL, 'F'},
	{"verbose", no_argument, NULL, 'v'},
	{NULL},
};

static int take_option(struct open *o, int c)
{
	switch (c) {
	case 'd':
		return CLI_OK;
	case 'i':
		o->given = true;
		return keyfile_identities(o->ids, optarg);
	case 'j':
		o->batchpass = true;
		return keyfile_plugin(optarg);
	case 'o':
		o->out = optarg;
		return CLI_OK;
	case 'I':
		o->batch.in_place = true;
		return CLI_OK;
	case 'F':
		o->batch.force = true;
		return CLI_OK;
	case 'v':
		o->batch.verbose = true;
		return CLI_OK;
	case 'a':
		cli_fail("open finds out itself whether a file is armored: leave out -a");
		return CLI_USAGE;
	case 'p':
		cli_fail("open asks for a passphrase where a file needs one: leave out -p");
		return CLI_USAGE;
	case 'r':
	case 'R':
		cli_fail("open takes secret keys: use -i FILE, not -%c", c);
		return CLI_USAGE;
	default:
		return cli_usage(cli_find("open"));
	}
}

static unsigned work_limit(const struct open *o)
{
	const char *text = o->batchpass ? getenv("AGE_PASSPHRASE_MAX_WORK_FACTOR") : NULL;
	long n = text && *text ? strtol(text, NULL, 10) : AGE_WORK_MAX;

	return n >= 1 && n <= 30 ? (unsigned)n : AGE_WORK_MAX;
}

/* Once, and only for a file that it can open. */
static int ask(struct open *o)
{
	char *text;
	int r;

	if (o->asked)
		return age_identities_count(o->ids) ? 0 : -ECANCELED;
	o->asked = true;
	text = o->batchpass ? passphrase_from_environment() : passphrase_ask("Enter passphrase: ");
	if (!text)
		return -ECANCELED;
	r = age_identities_passphrase(o->ids, (struct bytes){(uint8_t *)text, strlen(text)},
				      work_limit(o));
	passphrase_free(text);
	/* An empty one opens nothing, as a wrong one does. */
	return r == -EINVAL ? -ENOKEY : r;
}

static int unwrap(void *arg, const struct age_header *h, uint8_t ret_file_key[AGE_FILE_KEY])
{
	struct open *o = arg;
	unsigned log_n = 0;
	int r = age_header_work(h, &log_n);

	if (r < 0)
		return r;
	if (log_n > work_limit(o))
		return -ERANGE;
	if (log_n && o->given) {
		cli_fail("the file is sealed with a passphrase, but -i was given; leave that out "
			 "to be "
			 "asked for it");
		return -ECANCELED;
	}
	if (log_n) {
		pthread_mutex_lock(&o->asking);
		r = ask(o);
		pthread_mutex_unlock(&o->asking);
	} else if (o->batchpass) {
		cli_fail("the file is not sealed with a passphrase; use -i FILE");
		return -ECANCELED;
	}
	if (r < 0)
		return r;
	return age_identities_unwrap(o->ids, h, ret_file_key);
}

static int run(struct open *o, char **paths, int count)
{
	struct age_open_options opening = {.unwrap = unwrap, .unwrap_arg = o};
	struct tree_options tree = {.open = true, .unwrap = unwrap, .unwrap_arg = o};

	o->batch.to = o->out;
	if (count && batch_wanted(&o->batch, paths, count))
		return batch_run(&o->batch, &tree, paths, count);
	return single_run(&(struct single){
		.in = count ? paths[0] : NULL, .out = o->out, .open = true, .opening = opening});
}

int cli_open(int argc, char **argv)
{
	struct open o = {.ids = age_identities_new(), .asking = PTHREAD_MUTEX_INITIALIZER};
	int c, r = o.ids ? CLI_OK : cli_fail("out of memory");

	while (r == CLI_OK && (c = getopt_long(argc, argv, "di:j:o:vapr:R:", options, NULL)) != -1)
		r = take_option(&o, c);
	if (r == CLI_OK && o.batch.in_place && optind == argc)
		r = cli_usage(cli_find("open"));
	if (r == CLI_OK && o.given && o.batchpass)
		r = cli_fail("-i and -j cannot be combined");
	if (r == CLI_OK)
		r = run(&o, argv + optind, argc - optind);
	age_identities_free(o.ids);
	return r;
}
