/*
 * `bedwarden agent`: the program for devices, which is one of its own so that it stays small there
 * (doc/agent.md); here it is found beside this one, or where programs are installed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define AGENT "bedwarden-agent"

int cli_agent(int argc, char **argv)
{
	static const char *const beside[] = {AGENT, "agent/" AGENT, "../sbin/" AGENT};
	char self[3072], path[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	argv[0] = (char *)AGENT;
	for (unsigned i = 0; slash && i < sizeof(beside) / sizeof(*beside); i++) {
		snprintf(path, sizeof(path), "%.*s%s", (int)(slash + 1 - self), self, beside[i]);
		execv(path, argv); /* comes back where it is not there */
	}
	execvp(AGENT, argv);
	return cli_fail("agent: " AGENT
			" cannot be started (%s); it is installed with the package, "
			"and built as agent/" AGENT,
			strerror(errno));
}
