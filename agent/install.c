#include "agent/agent.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* No shell: the words of the setting are the arguments, and "{}" is the file. */
static int run(const struct program *p, const char *file, char error[AGENT_ERROR])
{
	char *argv[AGENT_ARGS + 1] = {NULL};
	int status, err;
	pid_t pid;

	if (!p->argv[0])
		return 0;
	for (unsigned i = 0; p->argv[i]; i++)
		argv[i] = file && strcmp(p->argv[i], "{}") == 0 ? (char *)file : p->argv[i];
	err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (err) {
		snprintf(error, AGENT_ERROR, "%.100s: %s", argv[0], strerror(err));
		return -err;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(error, AGENT_ERROR, "%.100s %s %d", argv[0],
		 WIFEXITED(status) ? "ended with code" : "was ended by signal",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return -EIO;
}

char install_current(const struct settings *s)
{
	return s->folder ? slots_current(s->folder) : 0;
}

int install_begin(const struct settings *s, char was, const char *file, char ret_error[AGENT_ERROR])
{
	if (s->folder)
		return slots_install(s->folder, was, file, ret_error);
	return run(&s->install, file, ret_error);
}

int install_keep(const struct settings *s, char ret_error[AGENT_ERROR])
{
	return run(&s->keep, NULL, ret_error);
}

int install_back(const struct settings *s, char was, char ret_error[AGENT_ERROR])
{
	if (s->folder)
		return slots_back(s->folder, was, ret_error);
	return run(&s->back, NULL, ret_error);
}

int install_restart(const struct settings *s, char ret_error[AGENT_ERROR])
{
	return run(&s->restart, NULL, ret_error);
}

bool install_is_healthy(const struct settings *s)
{
	char error[AGENT_ERROR];

	return run(&s->health, NULL, error) == 0;
}

/* A file of one line; without a setting, VERSION in the current slot. */
void install_version(const struct settings *s, char ret_version[64])
{
	char path[4096];
	struct bytes text;
	size_t n;

	*ret_version = 0;
	if (s->version_file)
		n = (size_t)snprintf(path, sizeof(path), "%s", s->version_file);
	else if (s->folder)
		n = (size_t)snprintf(path, sizeof(path), "%s/current/VERSION", s->folder);
	else
		return;
	if (n >= sizeof(path) || file_read(path, 4096, &text) < 0)
		return;
	for (n = 0; n < text.len && n < 63 && text.data[n] > ' ' && text.data[n] < 127; n++)
		ret_version[n] = (char)text.data[n];
	ret_version[n] = 0;
	free((void *)text.data);
}
