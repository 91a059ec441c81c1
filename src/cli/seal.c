/* `bedwarden seal`: files in the format age v1, with the options of `age`. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "cli/batch.h"
#include "cli/keyfile.h"
#include "cli/passphrase.h"
#include "cli/single.h"

struct seal {
	struct age_recipients *to;
	struct age_identities *ids; /* -i: sealed for who holds them */
	const char *out;
	bool armor, passphrase, batchpass;
	struct batch_options batch;
};

static const struct option options[] = {
	{"encrypt", no_argument, NULL, 'e'},
	{"recipient", required_argument, NULL, 'r'},
	{"recipients-file", required_argument, NULL, 'R'},
	{"identity", required_argument, NULL, 'i'},
	{"passphrase", no_argument, NULL, 'p'},
	{"armor", no_argument, NULL, 'a'},
	{"output", required_argument, NULL, 'o'},
	{"in-place", no_argument, NULL, 'I'},
	{"force", no_argument, NULL, 'F'},
	{"verbose", no_argument, NULL, 'v'},
	{NULL},
};

static int take_option(struct seal *s, int c)
{
	switch (c) {
	case 'e':
		return CLI_OK;
	case 'r':
		return keyfile_recipient(s->to, optarg);
	case 'R':
		return keyfile_recipients(s->to, optarg);
	case 'i':
		return keyfile_identities(s->ids, optarg);
	case 'j':
		s->batchpass = true;
		return keyfile_plugin(optarg);
	case 'p':
		s->passphrase = true;
		return CLI_OK;
	case 'a':
		s->armor = true;
		return CLI_OK;
	case 'o':
		s->out = optarg;
		return CLI_OK;
	case 'I':
		s->batch.in_place = true;
		return CLI_OK;
	case 'F':
		s->batch.force = true;
		return CLI_OK;
	case 'v':
		s->batch.verbose = true;
		return CLI_OK;
	default:
		return cli_usage(cli_find("seal"));
	}
}

/* 2^18 unless the environment says otherwise, as age-plugin-batchpass reads it. */
static unsigned work_factor(const struct seal *s)
{
	const char *text = s->batchpass ? getenv("AGE_PASSPHRASE_WORK_FACTOR") : NULL;
	long n = text && *text ? strtol(text, NULL, 10) : AGE_WORK_DEFAULT;

	return n >= 1 && n <= 30 ? (unsigned)n : 0;
}

static int take_passphrase(struct seal *s)
{
	char *text;
	int r = -EINVAL;

	if (age_recipients_count(s->to) || age_identities_count(s->ids) ||
	    (s->passphrase && s->batchpass))
		return cli_fail("a passphrase cannot be combined with other recipients");
	if (!work_factor(s))
		return cli_fail("AGE_PASSPHRASE_WORK_FACTOR must be between 1 and 30");
	text = s->passphrase ? passphrase_new() : passphrase_from_environment();
	if (!text)
		return CLI_FAILED;
	r = age_recipients_passphrase(s->to, (struct bytes){(uint8_t *)text, strlen(text)},
				      work_factor(s));
	passphrase_free(text);
	return r < 0 ? cli_fail("the passphrase cannot be used: %s", strerror(-r)) : CLI_OK;
}

static int take_recipients(struct seal *s)
{
	int r;

	if (s->passphrase || s->batchpass)
		return take_passphrase(s);
	r = age_identities_recipients(s->ids, s->to);
	if (r < 0)
		return cli_fail("the recipients cannot be used: %s", strerror(-r));
	if (age_recipients_count(s->to))
		return CLI_OK;
	cli_fail("for whom? name recipients with -r or -R, or use a passphrase with -p");
	return CLI_USAGE;
}

static int seal(struct seal *s, char **paths, int count)
{
	struct age_seal_options o = {.recipients = s->to, .armor = s->armor};
	struct tree_options tree = {.seal = o};

	s->batch.to = s->out;
	if (count && batch_wanted(&s->batch, paths, count))
		return batch_run(&s->batch, &tree, paths, count);
	return single_run(
		&(struct single){.in = count ? paths[0] : NULL, .out = s->out, .seal = o});
}

int cli_seal(int argc, char **argv)
{
	struct seal s = {.to = age_recipients_new(), .ids = age_identities_new()};
	int c, r = s.to && s.ids ? CLI_OK : cli_fail("out of memory");

	while (r == CLI_OK && (c = getopt_long(argc, argv, "er:R:i:j:pao:v", options, NULL)) != -1)
		r = take_option(&s, c);
	if (r == CLI_OK && s.batch.in_place && optind == argc)
		r = cli_usage(cli_find("seal"));
	if (r == CLI_OK)
		r = take_recipients(&s);
	if (r == CLI_OK)
		r = seal(&s, argv + optind, argc - optind);
	age_recipients_free(s.to);
	age_identities_free(s.ids);
	return r;
}
