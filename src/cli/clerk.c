#include "cli/clerk.h"

#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "cli/cli.h"

#define PARENT_FD 3
#define INPUT_FD  4
#define SAID_MAX  1000

/* A memfd in the place of an output of ours. */
static int catch(int output)
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

static void answer(int code, int out, int err)
{
	json_t *how = json_pack("{s:i, s:o}", "code", code, "said", said(err));
	char *text = how ? json_dumps(how, JSON_COMPACT) : NULL;

	if (!text || lseek(out, 0, SEEK_SET) < 0 ||
	    ipc_send(PARENT_FD, IPC_ERRAND, 0,
		     (struct bytes){(const uint8_t *)text, strlen(text)}, out) < 0)
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
	if (!c || !c->what)
		fatal("started by hand? 'bedwarden run' starts it");
	if (dup2(INPUT_FD, STDIN_FILENO) < 0)
		fatal("there is nothing to read: %s", strerror(errno));
	close(INPUT_FD);
	out = catch(STDOUT_FILENO);
	err = catch(STDERR_FILENO);
	code = sandbox_keep(reading, sizeof(reading) / sizeof(*reading));
	if (code < 0)
		fatal("could not give up its rights: %s", strerror(-code));
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		return CLI_FAILED;
	optind = 1;
	code = c->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 && code == CLI_OK)
		code = cli_fail("what is printed is longer than there is memory");
	fflush(stderr);
	answer(code, out, err);
	return 0;
}
