#include "demo/weakness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/actor.h"
#include "demo/folder.h"
#include "demo/frame.h"

#define ORDER	  "GET /service?command=erase HTTP/1.0\r\n\r\n"
#define OBEYED	  "HTTP/1.0 200 OK\r\n\r\nerased\n"
#define CLI_MS	  20000
#define WORDS_MAX 24

/* As the maker would publish it; the sentence about the port is what the proposal comes from. */
static const char advisory[] =
	"{\"document\":{\"category\":\"csaf_security_advisory\",\"csaf_version\":\"2.0\","
	"\"title\":\"" WEAKNESS_VENDOR " " WEAKNESS_MODEL "\","
	"\"publisher\":{\"category\":\"vendor\",\"name\":\"" WEAKNESS_VENDOR "\","
	"\"namespace\":\"https://demo.example\"},"
	"\"tracking\":{\"id\":\"" WEAKNESS_ADVISORY "\",\"version\":\"1\",\"status\":\"final\","
	"\"initial_release_date\":\"2026-01-15T00:00:00Z\","
	"\"current_release_date\":\"2026-01-15T00:00:00Z\",\"revision_history\":[{"
	"\"number\":\"1\",\"date\":\"2026-01-15T00:00:00Z\",\"summary\":\"First\"}]}},"
	"\"product_tree\":{\"branches\":[{\"category\":\"vendor\",\"name\":\"" WEAKNESS_VENDOR "\","
	"\"branches\":[{\"category\":\"product_name\",\"name\":\"" WEAKNESS_MODEL "\","
	"\"branches\":[{\"category\":\"product_version_range\",\"name\":\"vers:intdot/<2.2\","
	"\"product\":{\"name\":\"" WEAKNESS_MODEL " before 2.2\",\"product_id\":\"P1\"}}]}]}]},"
	"\"vulnerabilities\":[{\"cwe\":{\"id\":\"CWE-306\",\"name\":\"Missing Authentication for "
	"Critical Function\"},\"product_status\":{\"known_affected\":[\"P1\"]},"
	"\"notes\":[{\"category\":\"summary\",\"text\":\"The service page on Port 8080/TCP runs "
	"commands without asking who sends them.\"}],"
	"\"scores\":[{\"products\":[\"P1\"],\"cvss_v3\":{\"version\":\"3.1\",\"baseScore\":9.8,"
	"\"baseSeverity\":\"CRITICAL\",\"vectorString\":"
	"\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}}],"
	"\"remediations\":[{\"category\":\"none_available\",\"details\":\"A fix is being made.\","
	"\"product_ids\":[\"P1\"]}]}]}";

/* --- the scanner and who has it obey ------------------------------------------------ */

int weakness_serve(void *board)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(WEAKNESS_PORT)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct timeval patience = {1, 0};
	struct board *b = board;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 8))
		return 1;
	for (;;) {
		int client = accept(sock, NULL, NULL);
		char text[256] = "";

		if (client < 0)
			continue;
		setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (recv(client, text, sizeof(text) - 1, 0) > 0 && strstr(text, "command=")) {
			b->commands++;
			(void)!send(client, OBEYED, strlen(OBEYED), MSG_NOSIGNAL);
		}
		close(client);
	}
}

int weakness_exploit(void *arg)
{
	const struct attacker *a = arg;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(WEAKNESS_PORT)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd pfd = {.fd = sock, .events = POLLOUT};
	char text[256];

	to.sin_addr.s_addr = frame_ip_of(a->victim.ip);
	if (sock < 0 ||
	    (connect(sock, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) ||
	    poll(&pfd, 1, a->ms) <= 0 || (pfd.revents & (POLLERR | POLLHUP)))
		return 1;
	(void)!send(sock, ORDER, strlen(ORDER), MSG_NOSIGNAL);
	pfd.events = POLLIN;
	return poll(&pfd, 1, a->ms) <= 0 || recv(sock, text, sizeof(text), 0) <= 0;
}

/* --- what a clinic does ----------------------------------------------------------------- */

static int run(const char *const *argv, const char *output)
{
	struct actor_tool t = {.argv = argv, .output = output};

	return actor_run(-1, &t, CLI_MS) ? -EIO : 0;
}

/* What is proposed for the one device that the advisory concerns; to be freed, or NULL. */
static char *proposal(const struct gateway *g, const char *folder, const char *output)
{
	const char *argv[] = {"/proc/self/exe", "update", "advisories",
			      "--advisories",	folder,	  "-c",
			      g->config,	"--json", NULL};
	struct bytes text = {NULL, 0};
	json_t *said, *match;
	const char *what, *command;
	char *found = NULL;

	if (run(argv, output) == 0)
		text = folder_read(output);
	said = text.data ? json_loadb((const char *)text.data, text.len, 0, NULL) : NULL;
	match = json_array_get(json_object_get(said, "matches"), 0);
	what = json_string_value(json_object_get(match, "do"));
	command = json_string_value(
		json_object_get(json_object_get(match, "shield_hint"), "command"));
	if (what && strcmp(what, "shield") == 0 && command &&
	    json_array_size(json_object_get(said, "matches")) == 1)
		found = strdup(command);
	json_decref(said);
	free((void *)text.data);
	return found;
}

/* "bedwarden update shield …", as a person would take it from the screen. */
static int take(const struct gateway *g, char *command, const char *output)
{
	const char *argv[WORDS_MAX + 4];
	unsigned n = 0;
	char *rest = NULL;

	for (char *w = strtok_r(command, " ", &rest); w && n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &rest))
		argv[n++] = w;
	argv[0] = "/proc/self/exe";
	argv[n++] = "-c";
	argv[n++] = g->config;
	argv[n] = NULL;
	return run(argv, output);
}

int weakness_shield(const struct gateway *g, const char *dir, char *ret_why)
{
	const char *folder = folder_path(dir, "csaf"), *output = folder_path(dir, "advisories.out");
	char enforce[] = "bedwarden update shield " WEAKNESS_ADVISORY " --enforce", *command;
	struct bytes text = {(const uint8_t *)advisory, strlen(advisory)};
	char file[FOLDER_MAX + 32];
	int err = folder_make(folder);

	snprintf(file, sizeof(file), "%s/demo.json", folder);
	err = err ? err : folder_write(file, text);
	if (err)
		return err;
	command = proposal(g, folder, output);
	if (!command) {
		snprintf(ret_why, 96, "the advisory does not lead to a shield of the CT");
		return -ENOENT;
	}
	err = take(g, command, output);
	free(command);
	err = err ? err : take(g, enforce, output);
	if (err)
		snprintf(ret_why, 96, "the shield could not be put up");
	return err;
}
