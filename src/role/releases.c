#include "role/releases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "role/gateway.h"
#include "role/notify.h"
#include "role/supervisor.h"
#include "update/place/place.h"

/* ".../releases/VERSION/bin/bedwarden" */
static void find_release(char ret_release[PLACE_NAME])
{
	char self[PATH_MAX], *at = NULL, *end;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	*ret_release = 0;
	if (len <= 0)
		return;
	self[len] = 0;
	end = strstr(self, "/bin/bedwarden");
	if (end)
		*end = 0;
	at = end ? strrchr(self, '/') : NULL;
	if (!at || at - self < 9 || strncmp(at - 9, "/releases", 9) != 0)
		return;
	if (place_name_is_good(at + 1))
		snprintf(ret_release, PLACE_NAME, "%s", at + 1);
}

void releases_open(struct gateway *g)
{
	const char *fd = getenv(SUPERVISOR_ENV);

	find_release(g->release);
	g->supervisor = -1;
	if (!fd || strspn(fd, "0123456789") != strlen(fd) || !*fd)
		return;
	g->supervisor = atoi(fd);
	if (fcntl(g->supervisor, F_SETFD, FD_CLOEXEC) < 0) {
		g->supervisor = -1;
		return;
	}
	unsetenv(SUPERVISOR_ENV);
	notify_through(g->supervisor);
}

void releases_hear(struct gateway *g)
{
	char word[32];
	ssize_t n = recv(g->supervisor, word, sizeof(word), MSG_DONTWAIT);

	if (n == sizeof(SUPERVISOR_HEIR) - 1 && memcmp(word, SUPERVISOR_HEIR, (size_t)n) == 0)
		g->heir = true;
	else if (n > 0)
		install_look(g);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	/* We end with it: the kernel's signal is on its way. */
	notify_through(-1);
	close(g->supervisor);
	g->supervisor = -1;
}

static const char *ask(struct gateway *g, struct bytes release)
{
	char word[16 + PLACE_NAME], name[PLACE_NAME];

	snprintf(name, sizeof(name), "%.*s", (int)release.len, (const char *)release.data);
	if (release.len >= PLACE_NAME || (release.len && !place_name_is_good(name)))
		return NULL;
	if (g->supervisor < 0)
		return "the gateway was started by hand; started by 'bedwarden supervise', it can "
		       "change releases";
	if (strcmp(name, g->release) == 0)
		return "that release runs already";
	snprintf(word, sizeof(word), "SWITCH=%s", name);
	if (send(g->supervisor, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return "the supervisor does not listen; see its log";
	return "";
}

bool releases_take(struct gateway *g, struct member *keeper, const struct ipc_message *m)
{
	const char *answer = ask(g, m->body);

	if (!answer)
		return false;
	member_send(keeper, IPC_SWITCH, m->id,
		    (struct bytes){(const uint8_t *)answer, strlen(answer)}, -1);
	return true;
}
