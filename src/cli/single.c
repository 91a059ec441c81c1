#include "cli/single.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/keyfile.h"
#include "cli/meter.h"
#include "cli/output.h"

static const char *in_name(const struct single *s)
{
	return s->in && strcmp(s->in, "-") != 0 ? s->in : "standard input";
}

static const char *out_name(const struct single *s)
{
	return s->out && strcmp(s->out, "-") != 0 ? s->out : "standard output";
}

static int open_input(const struct single *s, int *ret_fd, struct stat *ret_st)
{
	int fd = STDIN_FILENO;

	if (!s->in || strcmp(s->in, "-") == 0) {
		if (keyfile_take_stdin("the input") != CLI_OK)
			return CLI_FAILED;
	} else {
		fd = open(s->in, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, ret_st) != 0)
		return cli_fail("%s: cannot be read: %s", in_name(s), strerror(errno));
	if (S_ISDIR(ret_st->st_mode))
		return cli_fail("%s: is a folder; give it without -o -, or with -o FOLDER",
				in_name(s));
	*ret_fd = fd;
	return CLI_OK;
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int begin_file(const struct single *s, const struct stat *in, struct output *o)
{
	struct stat st;

	if (stat(s->out, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == in->st_dev &&
	    st.st_ino == in->st_ino)
		return cli_fail("%s: is the input itself; use --in-place", s->out);
	return output_begin(s->out, default_mode(), o);
}

static int open_output(const struct single *s, const struct stat *in, struct output *o)
{
	if (s->out && strcmp(s->out, "-") != 0)
		return begin_file(s, in, o);
	o->fd = STDOUT_FILENO;
	if (!s->open && !s->out && !s->seal.armor && isatty(STDOUT_FILENO))
		return cli_fail(
			"what is sealed is no text and would upset the terminal; use -a, or -o "
			"FILE, or -o - if you mean it");
	return CLI_OK;
}

/* What was authentic of a broken file is what OUT holds then, as with `age -o`; but nobody's whole
 * file is replaced by half of one: beside it, it is OUT.part. Into which; false: nothing is kept. */
static bool keep_part(const struct single *s, struct output *o, uint64_t plain, bool *ret_beside)
{
	char name[NAME_MAX + 1];
	int r = -EEXIST;

	if (o->file.fd < 0 || !s->open || !plain)
		return false;
	if (!o->replaces)
		r = output_finish(o, o->name, false);
	*ret_beside = r == -EEXIST;
	if (*ret_beside && snprintf(name, sizeof(name), "%s.part", o->name) < (int)sizeof(name))
		r = output_finish(o, name, true);
	return r == 0;
}

const char *single_why(int error, const char *why)
{
	if (why)
		return why;
	if (error == -ERANGE)
		return "it asks for more scrypt work than 2^22; only whoever sealed it for you "
		       "would "
		       "need that, so it is not tried";
	if (error == -EDOM)
		return "one of the recipients is a key that nobody can have";
	if (error == -ENOMEM)
		return "there is not enough memory for the work that the passphrase takes";
	return strerror(-error);
}

/* Of what the system gives, most errors concern the output. */
static int failed(const struct single *s, int error, const struct age_result *r, const char *kept)
{
	bool output = error == -ENOSPC || error == -EPIPE || error == -EDQUOT || error == -EFBIG;

	if (kept)
		return cli_fail("%s: %s; %s%s holds the %llu bytes before that, which are "
				"authentic%s",
				in_name(s), single_why(error, r->why), s->out, kept,
				(unsigned long long)r->plain,
				*kept ? ", and what was there before stays" : "");
	return cli_fail("%s: %s%s", output ? out_name(s) : in_name(s),
			output ? "writing failed: " : "", single_why(error, r->why));
}

static void tell(void *arg, uint64_t plain)
{
	meter_tell(plain, 0);
}

static int run(const struct single *s, int in, uint64_t size, struct output *o)
{
	struct age_engine *engine = age_engine_new(0);
	struct age_seal_options seal = s->seal;
	struct age_open_options opening = s->opening;
	struct age_result result = {.plain = 0};
	int r;

	if (!engine)
		return cli_fail("out of memory");
	seal.progress = opening.progress = tell;
	meter_begin(size, 0);
	if (s->open)
		r = age_open(engine, &opening, &(struct age_input){.fd = in},
			     &(struct age_output){.fd = o->fd}, &result);
	else
		r = age_seal(engine, &seal, &(struct age_input){.fd = in},
			     &(struct age_output){.fd = o->fd}, &result);
	meter_clear();
	age_engine_free(engine);
	/* The caller's function has said it itself. */
	if (r == -ECANCELED)
		return CLI_FAILED;
	if (r < 0) {
		bool broken = r == -EBADMSG || r == -EILSEQ || r == -EIO, beside = false;
		bool kept = broken && keep_part(s, o, result.plain, &beside);

		return failed(s, r, &result, !kept ? NULL : beside ? ".part" : "");
	}
	r = o->file.fd >= 0 ? output_finish(o, o->name, o->replaces) : 0;
	return r < 0 ? cli_fail("%s: writing failed: %s", s->out, strerror(-r)) : CLI_OK;
}

int single_run(const struct single *s)
{
	struct output o = OUTPUT_NONE;
	struct stat st;
	int in = -1, r = open_input(s, &in, &st);

	if (r == CLI_OK)
		r = open_output(s, &st, &o);
	if (r == CLI_OK)
		r = run(s, in, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, &o);
	output_free(&o);
	return r;
}
