#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define OUTPUT_MAX 65536

/* No shell: the words of the setting are the arguments, "{}" is the file, "{was}" the slot to go back to. */
static int run(const struct program *p, const char *file, const char *was, char error[AGENT_ERROR])
{
	char *argv[AGENT_ARGS + 1] = {NULL};
	int status, err;
	pid_t pid;

	if (!p->argv[0])
		return 0;
	for (unsigned i = 0; p->argv[i]; i++)
		argv[i] = file && strcmp(p->argv[i], "{}") == 0	    ? (char *)file
			  : was && strcmp(p->argv[i], "{was}") == 0 ? (char *)was
								    : p->argv[i];
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

char *install_output(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	char *text = malloc(OUTPUT_MAX + 1);
	size_t len = 0;
	int pipes[2], status = -1, err;
	ssize_t n;
	pid_t pid;

	if (!text || pipe2(pipes, O_CLOEXEC) < 0) {
		free(text);
		return NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	while (err == 0 && (n = read(pipes[0], text + len, OUTPUT_MAX - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
	}
	close(pipes[0]);
	while (err == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	text[len] = 0;
	if (err == 0 && status == 0)
		return text;
	free(text);
	errno = err ? err : EIO;
	return NULL;
}

/* The first word of what it writes. */
static int ask_slot(const struct program *p, char ret_slot[AGENT_SLOT], char error[AGENT_ERROR])
{
	char *text = install_output(p->argv);
	size_t len = text ? strcspn(text, " \t\r\n") : 0;
	int err = !text ? -errno : len == 0 || len >= AGENT_SLOT ? -EBADMSG : 0;

	if (err < 0)
		snprintf(error, AGENT_ERROR, "%.100s does not say which slot runs: %s", p->argv[0],
			 strerror(-err));
	else
		snprintf(ret_slot, AGENT_SLOT, "%.*s", (int)len, text);
	free(text);
	return err;
}

int install_current(const struct settings *s, char ret_slot[AGENT_SLOT],
		    char ret_error[AGENT_ERROR])
{
	if (s->rauc)
		return rauc_booted(ret_slot, ret_error);
	if (s->slot.argv[0])
		return ask_slot(&s->slot, ret_slot, ret_error);
	ret_slot[0] = s->folder ? slots_current(s->folder) : 0;
	ret_slot[1] = 0;
	return 0;
}

int install_begin(const struct settings *s, const char *was, const char *file,
		  char ret_error[AGENT_ERROR])
{
	if (s->folder)
		return slots_install(s->folder, *was, file, ret_error);
	return run(&s->install, file, was, ret_error);
}

int install_keep(const struct settings *s, char ret_error[AGENT_ERROR])
{
	return run(&s->keep, NULL, NULL, ret_error);
}

int install_back(const struct settings *s, const char *was, char ret_error[AGENT_ERROR])
{
	if (s->folder)
		return slots_back(s->folder, *was, ret_error);
	return run(&s->back, NULL, was, ret_error);
}

int install_restart(const struct settings *s, char ret_error[AGENT_ERROR])
{
	return run(&s->restart, NULL, NULL, ret_error);
}

bool install_is_healthy(const struct settings *s)
{
	char error[AGENT_ERROR];

	return run(&s->health, NULL, NULL, error) == 0;
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
