#include "cli/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/passphrase.h"
#include "seal/age/age.h"

#define FILE_LIMIT (16u << 20)
#define PLAIN_ROOM (1u << 20) /* of identities that were sealed */

static const char *stdin_for;

int keyfile_take_stdin(const char *purpose)
{
	if (stdin_for)
		return cli_fail("standard input is %s already; name a file for %s", stdin_for,
				purpose);
	stdin_for = purpose;
	return CLI_OK;
}

static int read_file(const char *path, const char *purpose, struct bytes *ret_text)
{
	int r;

	if (strcmp(path, "-") == 0) {
		if (keyfile_take_stdin(purpose) != CLI_OK)
			return CLI_FAILED;
		r = file_read_fd(STDIN_FILENO, FILE_LIMIT, ret_text);
	} else {
		r = file_read(path, FILE_LIMIT, ret_text);
	}
	return r < 0 ? cli_fail("%s: cannot be read: %s", path, strerror(-r)) : CLI_OK;
}

static void wipe(struct bytes text)
{
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
}

/* Says nothing of what a line holds: the wrong file may have been named. */
static int line_fail(const char *path, unsigned line, int error, const char *what)
{
	if (error == -ENOENT)
		return cli_fail("%s: holds no %s", path, what);
	if (error == -ENOTSUP)
		return cli_fail("%s:%u: a %s of a kind that is not built in (SSH, a plugin, "
				"post-quantum); use one that 'bedwarden keygen' makes",
				path, line, what);
	if (error == -EINVAL)
		return cli_fail("%s:%u: is no %s", path, line, what);
	return cli_fail("%s:%u: %s", path, line, strerror(-error));
}

int keyfile_recipient(struct age_recipients *to, const char *text)
{
	int r = age_recipients_add(to, (struct bytes){(const uint8_t *)text, strlen(text)});

	if (r == 0)
		return CLI_OK;
	if (strncmp(text, "AGE-SECRET-KEY-", 15) == 0)
		return cli_fail(
			"-r was given a secret key, which others can now see in the list of "
			"processes; 'bedwarden keygen -y' tells its recipient");
	if (r == -ENOTSUP)
		return cli_fail("-r %s: a recipient of a kind that is not built in (SSH, a plugin, "
				"post-quantum)",
				text);
	return cli_fail("-r %s: %s", text,
			r == -EINVAL ? "is no recipient (age1…); check that it was copied whole"
				     : strerror(-r));
}

int keyfile_recipients(struct age_recipients *to, const char *path)
{
	struct bytes text;
	unsigned line = 0;
	int r;

	if (read_file(path, "the recipients", &text) != CLI_OK)
		return CLI_FAILED;
	r = age_recipients_read(to, text, &line);
	free((void *)text.data);
	return r == 0 ? CLI_OK : line_fail(path, line, r, "recipient");
}

/* -- identities that are sealed themselves */

struct plain {
	struct bytes in;
	uint8_t *data;
	size_t len;
};

static ssize_t read_sealed(void *arg, void *data, size_t max)
{
	struct plain *p = arg;

	max = max < p->in.len ? max : p->in.len;
	memcpy(data, p->in.data, max);
	p->in = (struct bytes){p->in.data + max, p->in.len - max};
	return (ssize_t)max;
}

static int write_plain(void *arg, const void *data, size_t len)
{
	struct plain *p = arg;

	if (len > PLAIN_ROOM - p->len)
		return -EFBIG;
	memcpy(p->data + p->len, data, len);
	p->len += len;
	return 0;
}

static int open_sealed(const char *path, struct bytes sealed, struct plain *p)
{
	struct age_identities *key = age_identities_new();
	struct age_engine *engine = age_engine_new(1);
	struct age_open_options o = {.unwrap = age_identities_unwrap, .unwrap_arg = key};
	struct age_result result = {.why = NULL};
	char prompt[512], *passphrase;
	int r;

	snprintf(prompt, sizeof(prompt), "Enter passphrase for identity file \"%.400s\": ", path);
	passphrase = passphrase_in_environment() ? passphrase_from_environment()
						 : passphrase_ask(prompt);
	if (!passphrase || !key || !engine) {
		r = passphrase ? cli_fail("out of memory") : CLI_FAILED;
		goto done;
	}
	p->in = sealed;
	r = age_identities_passphrase(
		key, (struct bytes){(uint8_t *)passphrase, strlen(passphrase)}, AGE_WORK_MAX);
	if (r == 0)
		r = age_open(engine, &o, &(struct age_input){.read = read_sealed, .arg = p},
			     &(struct age_output){.write = write_plain, .arg = p}, &result);
	if (r < 0)
		r = cli_fail("%s: %s", path,
			     r == -ENOKEY || r == -EINVAL ? "the passphrase does not open it"
			     : result.why		  ? result.why
							  : strerror(-r));
done:
	passphrase_free(passphrase);
	age_engine_free(engine);
	age_identities_free(key);
	return r;
}

static bool starts(struct bytes text, const char *with)
{
	return text.len >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

int keyfile_identities(struct age_identities *ids, const char *path)
{
	struct bytes text;
	struct plain plain = {.len = 0};
	unsigned line = 0;
	int r = CLI_OK;

	if (read_file(path, "the identities", &text) != CLI_OK)
		return CLI_FAILED;
	if (starts(text, "age-encryption.org/") || starts(text, "-----BEGIN AGE")) {
		plain.data = secret_new(PLAIN_ROOM);
		r = plain.data ? open_sealed(path, text, &plain) : cli_fail("out of memory");
		wipe(text);
		text = (struct bytes){plain.data, plain.len};
	}
	if (r == CLI_OK) {
		if (starts(text, "-----BEGIN"))
			r = cli_fail(
				"%s: SSH keys are not built in; use one that 'bedwarden keygen' "
				"makes",
				path);
		else if ((r = age_identities_read(ids, text, &line)) < 0)
			r = line_fail(path, line, r, "secret key");
	}
	if (plain.data)
		secret_free(plain.data, PLAIN_ROOM);
	else
		wipe(text);
	return r;
}

int keyfile_plugin(const char *name)
{
	if (strcmp(name, "batchpass") == 0)
		return CLI_OK;
	return cli_fail("-j %s: plugins are not run; only batchpass is built in", name);
}
