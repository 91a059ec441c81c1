#include "cli/clerk.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/config.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "cli/cli.h"

#define PARENT_FD 3
#define INPUT_FD  4
#define SAID_MAX  1000

/* A memfd in the place of an output of ours. */
static int catch (int output)
{
	int fd = memfd_create("clerk", MFD_CLOEXEC);

	if (fd < 0 || dup2(fd, output) < 0)
		fatal("no memory for what is printed: %s", strerror(errno));
	return fd;
}

/* The last line of what went wrong, without our name, which the answer needs not. */
static json_t *said(int fd)
{
	static const char name[] = "bedwarden: ";
	char text[SAID_MAX + 1], *line;
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, text, SAID_MAX, end > SAID_MAX ? end - SAID_MAX : 0);
	json_t *t;

	if (n < 0)
		n = 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (strncmp(line, name, sizeof(name) - 1) == 0)
		line += sizeof(name) - 1;
	t = json_string(line);
	return t ? t : json_string("");
}

/* What reads alone may read the policy, what belongs to it and the gateway's state, and write nothing. */
static void lock_in(const char *file)
{
	struct config_error e;
	size_t errors = 0, count = 0;
	struct config *c = config_load(file, &e, 1, &errors);
	char folder[PATH_MAX], *slash;
	struct sandbox_path paths[8] = {0};
	const char *wanted[] = {folder,
				"/etc",
				"/usr",
				c ? c->gateway.state_dir : NULL,
				c ? c->gateway.run_dir : NULL,
				c ? c->gateway.profiles_dir : NULL,
				c ? c->updates.dir : NULL,
				BEDWARDEN_DATADIR};
	int err;

	snprintf(folder, sizeof(folder), "%s", file);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (wanted[i] && *wanted[i] && access(wanted[i], F_OK) == 0)
			paths[count++].path = wanted[i];
	err = sandbox_files(paths, count);
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("could not give up the file system: %s", strerror(-err));
	err = sandbox_network();
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("could not give up the network: %s", strerror(-err));
	config_free(c); /* a file with errors is the command's to tell */
}

static void answer(int code, int out, int err)
{
	json_t *how = json_pack("{s:i, s:o}", "code", code, "said", said(err));
	char *text = how ? json_dumps(how, JSON_COMPACT) : NULL;

	if (!text || lseek(out, 0, SEEK_SET) < 0 ||
	    ipc_send(PARENT_FD, IPC_ERRAND, 0, (struct bytes){(const uint8_t *)text, strlen(text)},
		     out) < 0)
		fatal("the parent does not hear what came of it");
	free(text);
	json_decref(how);
}

int clerk_main(int argc, char **argv)
{
	/* The state is the keeper's, for whoever is not root to read. */
	static const unsigned reading[] = {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE};
	const struct cli_command *c = argc > 1 ? cli_find(argv[1]) : NULL;
	int out, err, code;

	log_init("clerk", LOG_INFO);
	if (!c || !c->what || argc < 4) /* the last word is the policy file */
		fatal("started by hand? 'bedwarden run' starts it");
	if (dup2(INPUT_FD, STDIN_FILENO) < 0)
		fatal("there is nothing to read: %s", strerror(errno));
	close(INPUT_FD);
	out = catch (STDOUT_FILENO);
	err = catch (STDERR_FILENO);
	code = sandbox_keep(reading, sizeof(reading) / sizeof(*reading));
	if (code < 0)
		fatal("could not give up its rights: %s", strerror(-code));
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		return CLI_FAILED;
	if (c->run != cli_update) /* which locks in what reads the bundle, as it always does */
		lock_in(argv[argc - 1]);
	optind = 1;
	code = c->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 && code == CLI_OK)
		code = cli_fail("what is printed is longer than there is memory");
	fflush(stderr);
	answer(code, out, err);
	return 0;
}
