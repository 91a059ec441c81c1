/* `bedwarden keygen`: a new key pair, or the recipients of one (-y), as age-keygen writes them. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/keyfile.h"

/* Never over another one: that would lose what was sealed for it. */
static FILE *open_output(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!out)
		cli_fail("%s: %s", path,
			 errno == EEXIST ? "exists; a key is not overwritten, take another name"
					 : strerror(errno));
	return out;
}

static int not_written(const char *path, int why)
{
	return cli_fail("%s: writing failed: %s", path ? path : "standard output", strerror(why));
}

static int close_output(FILE *out, const char *path)
{
	int why = fflush(out) != 0 || (path && fsync(fileno(out)) != 0) ? errno : 0;

	if (path && fclose(out) != 0 && !why)
		why = errno;
	if (!why)
		return CLI_OK;
	if (path)
		unlink(path);
	return not_written(path, why);
}

static void warn_if_readable(FILE *out)
{
	struct stat st;

	if (fstat(fileno(out), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0004))
		fputs("bedwarden: warning: everybody can read the file that the secret key goes "
		      "to\n",
		      stderr);
}

static int generate(FILE *out, const char *path)
{
	char identity[AGE_IDENTITY_TEXT], recipient[AGE_RECIPIENT_TEXT], when[40];
	static char buffer[1024]; /* so that it can be wiped */
	time_t now = time(NULL);
	struct tm tm;
	int why, r = age_identity_new(identity, recipient);

	if (r < 0)
		return cli_fail("no key could be made: %s", strerror(-r));
	warn_if_readable(out);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	setvbuf(out, buffer, _IOFBF, sizeof(buffer));
	fprintf(out, "# created: %s\n# public key: %s\n%s\n", when, recipient, identity);
	why = fflush(out) != 0 ? errno : 0;
	secret_wipe(buffer, sizeof(buffer));
	secret_wipe(identity, sizeof(identity));
	if (why)
		return not_written(path, why);
	if (!isatty(fileno(out)))
		fprintf(stderr, "Public key: %s\n", recipient);
	return CLI_OK;
}

static int convert(const char *path, FILE *out)
{
	struct age_identities *ids = age_identities_new();
	char text[AGE_RECIPIENT_TEXT];
	int r = ids ? keyfile_identities(ids, path) : cli_fail("out of memory");

	for (size_t i = 0; r == CLI_OK && i < age_identities_count(ids); i++) {
		age_identity_recipient(ids, i, text);
		fprintf(out, "%s\n", text);
	}
	age_identities_free(ids);
	return r;
}

int cli_keygen(int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {NULL}};
	const struct cli_command *self = cli_find("keygen");
	const char *path = NULL;
	bool public_ = false;
	FILE *out;
	int c, r;

	secret_no_core();
	while ((c = getopt_long(argc, argv, "o:y", options, NULL)) != -1) {
		if (c == 'o')
			path = optarg;
		else if (c == 'y')
			public_ = true;
		else
			return cli_usage(self);
	}
	if (argc - optind > (public_ ? 1 : 0))
		return cli_usage(self);
	out = path ? open_output(path) : stdout;
	if (!out)
		return CLI_FAILED;
	r = public_ ? convert(optind < argc ? argv[optind] : "-", out) : generate(out, path);
	if (r != CLI_OK && path) {
		fclose(out);
		unlink(path);
		return r;
	}
	return r == CLI_OK ? close_output(out, path) : r;
}
