#include "demo/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/actor.h"
#include "demo/folder.h"

#define START_MS 20000
#define REASONS	 32

/* Its own view of the file system: a bpffs, and the sysfs of its namespace. */
static void prepare(void *arg)
{
	const struct gateway *g = arg;
	const char *bpf = folder_path(g->dir, "bpf");

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		perror("demo: a private mount namespace");
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL))
		perror("demo: mounting sysfs"); /* only its numbers are missed */
	if (mount("bpffs", bpf, "bpf", 0, "mode=0700"))
		perror("demo: mounting a bpffs"); /* then the gateway says what it lacks */
}

static int dial(const struct gateway *g)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {3, 0};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -errno;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(to.sun_path, sizeof(to.sun_path), "%.107s", g->socket);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) == 0)
		return sock;
	close(sock);
	return -ECONNREFUSED;
}

json_t *gateway_status(const struct gateway *g)
{
	static const char ask[] = "{\"cmd\":\"status\"}\n";
	static char text[65536];
	size_t len = 0;
	int sock = dial(g);
	char *end = NULL;

	if (sock < 0)
		return NULL;
	if (send(sock, ask, sizeof(ask) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(ask) - 1) {
		while (!end && len + 1 < sizeof(text)) {
			ssize_t n = recv(sock, text + len, sizeof(text) - 1 - len, 0);

			if (n <= 0)
				break;
			len += (size_t)n;
			text[len] = 0;
			end = strchr(text, '\n');
		}
	}
	close(sock);
	return end ? json_loadb(text, (size_t)(end - text), 0, NULL) : NULL;
}

/* Every port has its link, and every guard that should be there has the policy. */
static bool guarding(const struct gateway *g)
{
	json_t *s = gateway_status(g), *one;
	json_t *guards = json_object_get(s, "guards"), *ports = json_object_get(s, "ports");
	json_int_t generation = json_integer_value(json_object_get(s, "generation"));
	bool yes = generation > 0 && json_array_size(guards) && json_array_size(ports) == 2;
	size_t i;

	json_array_foreach (guards, i, one) {
		yes &= json_is_true(json_object_get(one, "alive")) &&
		       json_integer_value(json_object_get(one, "generation")) == generation;
	}
	json_array_foreach (ports, i, one) {
		const char *link = json_string_value(json_object_get(one, "link"));

		yes &= link && strcmp(link, "up") == 0;
	}
	json_decref(s);
	return yes;
}

static bool said(const struct gateway *g, const char *key, char *ret_text, size_t cap)
{
	json_t *s = gateway_status(g);
	const char *text = json_string_value(json_object_get(s, key));

	if (text)
		snprintf(ret_text, cap, "%s", text);
	json_decref(s);
	return text != NULL;
}

bool gateway_capture(const struct gateway *g, char *ret_name, size_t cap)
{
	return said(g, "capture", ret_name, cap);
}

bool gateway_release(const struct gateway *g, char *ret_release, size_t cap)
{
	return said(g, "release", ret_release, cap);
}

int gateway_await(struct gateway *g, char *ret_why)
{
	uint64_t end = clock_mono_ns() + START_MS * NSEC_PER_MSEC;

	while (clock_mono_ns() < end) {
		if (waitpid(g->pid, NULL, WNOHANG) == g->pid) {
			g->pid = 0;
			snprintf(ret_why, 256, "the gateway ended at once");
			return -ECHILD;
		}
		if (guarding(g))
			return 0;
		actor_sleep(50);
	}
	snprintf(ret_why, 256, "the gateway was not guarding after %d s", START_MS / 1000);
	return -ETIMEDOUT;
}

int gateway_prepare(struct gateway *g, const char *dir)
{
	static const char *const folders[] = {"state", "run", "bpf"};
	int err = 0;

	memset(g, 0, sizeof(*g));
	snprintf(g->dir, sizeof(g->dir), "%s", dir);
	snprintf(g->config, sizeof(g->config), "%s/bedwarden.yaml", dir);
	snprintf(g->eve, sizeof(g->eve), "%s/state/eve.json", dir);
	snprintf(g->socket, sizeof(g->socket), "%s/run/control", dir);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]) && !err; i++)
		err = folder_make(folder_path(dir, folders[i]));
	return err;
}

int gateway_start(struct gateway *g, const struct ward *w, enum ward_place place)
{
	const char *run[] = {"/proc/self/exe", "run", "-c", g->config, NULL},
		   *supervise[] = {"/proc/self/exe", "supervise", "-c", g->config,
				   "--updates",	     g->place,	  NULL};
	char log[FOLDER_MAX + 32];
	struct actor_tool t = {.argv = g->place ? supervise : run,
			       .output = log,
			       .prepare = prepare,
			       .prepare_arg = g};

	snprintf(log, sizeof(log), "%s/gateway.log", g->dir);
	g->pid = actor_exec(w->netns[place], &t);
	return g->pid < 0 ? (int)g->pid : 0;
}

void gateway_stop(struct gateway *g)
{
	if (g->pid <= 0)
		return;
	kill(g->pid, SIGTERM);
	actor_wait(g->pid, 5000);
	g->pid = 0;
}

void gateway_mark(const struct gateway *g, struct gateway_mark *ret_mark)
{
	struct bytes b = folder_read(g->eve);

	free((void *)b.data);
	ret_mark->offset = b.len;
	clock_eve(clock_wall_ns(), ret_mark->since);
}

/* A summary comes late and may be all about what was before: then it is not of this. */
static bool since(const json_t *event, const struct gateway_mark *mark)
{
	const json_t *own =
		json_object_get(event, json_string_value(json_object_get(event, "event_type")));
	const char *last = json_string_value(json_object_get(own, "last"));
	const char *time = json_string_value(json_object_get(event, "timestamp"));

	time = last ? last : time;
	return time && strcmp(time, mark->since) >= 0;
}

static bool mentions(const json_t *event, const char *const *about)
{
	static const char *const fields[] = {"src_ip", "dest_ip", "device", "peer"};

	for (unsigned i = 0; about && i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *v = json_string_value(json_object_get(event, fields[i]));

		for (unsigned k = 0; v && about[k]; k++)
			if (strcmp(v, about[k]) == 0)
				return true;
	}
	return !about;
}

bool gateway_dropped(const json_t *event)
{
	const char *action =
		json_string_value(json_object_get(json_object_get(event, "verdict"), "action"));

	return action && strcmp(action, "drop") == 0;
}

struct tally {
	char reason[REASONS][GATEWAY_REASON];
	unsigned count[REASONS], used;
};

/* Blocked, or, where a type is asked for, of that type. */
static bool is_wanted(const json_t *event, const char *type)
{
	const char *is = json_string_value(json_object_get(event, "event_type"));

	return type ? is && strcmp(is, type) == 0 : gateway_dropped(event);
}

static void tally_line(struct tally *t, const char *line, size_t len, const char *type,
		       const struct gateway_mark *mark, const char *const *about)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	const char *reason = json_string_value(json_object_get(event, "reason"));
	unsigned i = 0;

	if (reason && is_wanted(event, type) && since(event, mark) && mentions(event, about)) {
		while (i < t->used && strcmp(t->reason[i], reason) != 0)
			i++;
		if (i < REASONS) {
			snprintf(t->reason[i], GATEWAY_REASON, "%s", reason);
			t->count[i]++;
			t->used = i == t->used ? i + 1 : t->used;
		}
	}
	json_decref(event);
}

/* What was told since the mark, by reason. */
static void tally(const struct gateway *g, const struct gateway_mark *mark,
		  const char *const *about, const char *type, struct tally *t)
{
	struct bytes b = folder_read(g->eve);
	size_t at = mark->offset <= b.len ? mark->offset
					  : 0; /* shorter than before: a new file was begun */

	memset(t, 0, sizeof(*t));
	while (b.data && at < b.len) {
		const uint8_t *end = memchr(b.data + at, '\n', b.len - at);

		if (!end)
			break;
		tally_line(t, (const char *)b.data + at, (size_t)(end - b.data) - at, type, mark,
			   about);
		at = (size_t)(end - b.data) + 1;
	}
	free((void *)b.data);
}

void gateway_reported(const struct gateway *g, const struct gateway_mark *mark,
		      const char *const *about, const char *type, int wait_ms,
		      char ret_reason[GATEWAY_REASON])
{
	uint64_t end = clock_mono_ns() + (uint64_t)wait_ms * NSEC_PER_MSEC;
	struct tally t;
	unsigned best = 0;

	do {
		tally(g, mark, about, type, &t);
		if (t.used)
			break;
		actor_sleep(100);
	} while (clock_mono_ns() < end);
	ret_reason[0] = 0;
	for (unsigned i = 0; i < t.used; i++) {
		if (t.count[i] <= best)
			continue;
		best = t.count[i];
		snprintf(ret_reason, GATEWAY_REASON, "%s", t.reason[i]);
	}
}

bool gateway_told(const struct gateway *g, const struct gateway_mark *mark,
		  const char *const *about, const char *reason, int wait_ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)wait_ms * NSEC_PER_MSEC;
	struct tally t;

	for (;;) {
		tally(g, mark, about, "update", &t);
		for (unsigned i = 0; i < t.used; i++)
			if (strcmp(t.reason[i], reason) == 0)
				return true;
		if (clock_mono_ns() >= end)
			return false;
		actor_sleep(100);
	}
}
