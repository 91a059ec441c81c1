#include "role/updater.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "role/setup.h"
#include "update/fetch/confine.h"
#include "update/fetch/fetch.h"
#include "update/fetch/schedule.h"

#define PARENT_FD    3
#define LIST_MAX     16
#define ROOT_MAX     (512u << 10)
#define FOLDER_TRIES 100

enum { FROM_PARENT, FROM_KEEPER };

/* Who may say what to the updater. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_UPDATER},
	{FROM_PARENT, IPC_STOP},
	{FROM_KEEPER, IPC_FETCHED},
};

struct updater {
	const char *user, *root_file;
	struct fetch_options fetch;
	char *mirrors[LIST_MAX], *roles[LIST_MAX];
	uint64_t interval_s;
	unsigned failures;
	uint64_t due_ns; /* monotonic */
	int keeper;	 /* -1 none */
	json_t *report;	 /* of the last look; NULL: none yet */
	struct bytes root;
	bool stop, now;
};

static char ipc_buf[IPC_BUF];

static unsigned number_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > UINT32_MAX)
		fatal("'%s' is no number", text);
	return (unsigned)n;
}

static void take_options(struct updater *u, int argc, char **argv)
{
	int c;

	u->fetch.mirrors = u->mirrors;
	u->fetch.roles = u->roles;
	while ((c = getopt(argc, argv, "d:u:r:i:b:m:R:")) != -1)
		if (c == 'd')
			u->fetch.dir = optarg;
		else if (c == 'u')
			u->user = optarg;
		else if (c == 'r')
			u->root_file = optarg;
		else if (c == 'i')
			u->interval_s = 60ull * number_of(optarg);
		else if (c == 'b')
			u->fetch.bytes_per_s = 1000ull * number_of(optarg);
		else if (c == 'm' && u->fetch.mirror_count < LIST_MAX)
			u->mirrors[u->fetch.mirror_count++] = optarg;
		else if (c == 'R' && u->fetch.role_count < LIST_MAX)
			u->roles[u->fetch.role_count++] = optarg;
		else
			fatal("started by hand? 'bedwarden run' starts it");
	if (!u->fetch.dir || !u->user || !u->root_file || optind != argc)
		fatal("started by hand? 'bedwarden run' starts it");
}

/* --- talk ---------------------------------------------------------------------- */

static void tell(struct updater *u)
{
	uint64_t now = clock_mono_ns(), in = u->due_ns > now ? (u->due_ns - now) / NSEC_PER_SEC : 0;
	char *text;

	if (u->keeper < 0 || !u->report)
		return;
	json_object_set_new(u->report, "next", json_integer((json_int_t)(time(NULL) + (time_t)in)));
	json_object_set_new(u->report, "failures", json_integer(u->failures));
	text = json_dumps(u->report, JSON_COMPACT);
	if (text && strlen(text) > IPC_BODY_MAX) {
		log_warn("what the repository lists is too long to be told; ask it for less");
		json_object_del(u->report, "targets");
		free(text);
		text = json_dumps(u->report, JSON_COMPACT);
	}
	if (text)
		ipc_send(u->keeper, IPC_FETCHED, 0,
			 (struct bytes){(const uint8_t *)text, strlen(text)}, -1);
	free(text);
}

/* Its next message. False: that socket is over. */
static bool hear(struct updater *u, int sock, int from)
{
	struct ipc_message m;
	int err = ipc_hear(sock, ipc_buf, rights, sizeof(rights) / sizeof(*rights), from, &m);

	if (err < 0)
		return err == -EAGAIN;
	if (m.type == IPC_STOP) {
		u->stop = true;
	} else if (m.type == IPC_UPDATER) {
		if (u->keeper >= 0)
			close(u->keeper);
		u->keeper = m.fd;
		tell(u);
	} else {
		u->now = true;
	}
	return true;
}

static void turn(struct updater *u, int ms)
{
	struct pollfd fds[] = {{.fd = PARENT_FD, .events = POLLIN},
			       {.fd = u->keeper, .events = POLLIN}};

	if (poll(fds, 2, ms) <= 0)
		return;
	if (fds[0].revents && !hear(u, PARENT_FD, FROM_PARENT))
		u->stop = true;
	if (fds[1].revents && fds[1].fd == u->keeper && !hear(u, u->keeper, FROM_KEEPER)) {
		close(u->keeper); /* the next keeper is introduced */
		u->keeper = -1;
	}
}

/* While something is fetched: whoever waits for us is heard. */
static bool is_over(void *arg)
{
	struct updater *u = arg;

	turn(u, 0);
	return u->stop;
}

/* --- a look -------------------------------------------------------------------- */

static void note(struct updater *u, json_t *report)
{
	const char *error = json_string_value(json_object_get(report, "error"));
	bool fresh = json_is_true(json_object_get(report, "fresh"));
	const json_t *before = json_object_get(u->report, "targets");

	if (error)
		log_warn("%s", error);
	/* What is known of targets stays known while no mirror answers. */
	if (before && !json_object_get(report, "targets")) {
		json_object_set(report, "targets", (json_t *)before);
		json_object_set(report, "expires", json_object_get(u->report, "expires"));
	}
	u->failures = fresh && !error ? 0 : u->failures + 1;
	json_decref(u->report);
	u->report = report;
}

static void look(struct updater *u)
{
	struct tuf_error e;
	json_t *report = NULL;
	uint32_t random = 0;
	int err = 0;

	if (u->root.len)
		err = fetch_begin(u->fetch.dir, u->root, &e);
	if (err < 0)
		report = json_pack("{s:I, s:b, s:s}", "at", (json_int_t)time(NULL), "fresh", 0,
				   "error", e.text);
	else
		report = fetch_look(&u->fetch);
	if (u->stop || !report) {
		json_decref(report);
		return;
	}
	note(u, report);
	(void)crypto_random(&random, sizeof(random));
	u->due_ns =
		clock_mono_ns() + schedule_next(u->interval_s, u->failures, random) * NSEC_PER_SEC;
	tell(u);
}

/* In state_dir, which the keeper makes as it starts, and which is our user's. */
static void make_folder(const char *dir)
{
	for (unsigned i = 0; i < FOLDER_TRIES; i++) {
		if (mkdir(dir, 0755) == 0 || errno == EEXIST)
			break;
		usleep(100 * 1000);
	}
	if (access(dir, W_OK | X_OK) < 0)
		fatal("%s: %s", dir, strerror(errno));
}

static void lock_in(struct updater *u)
{
	const struct sandbox_path own[] = {{.path = u->fetch.dir, .write = true}};
	const struct confine c = {own, 1, true};
	int err;

	umask(0022); /* the installer, who is somebody else, reads it */
	err = file_read(u->root_file, ROOT_MAX, &u->root);
	if (err < 0)
		log_info("%s: %s; a root must be there before anything can be fetched",
			 u->root_file, strerror(-err));
	err = sandbox_drop(u->user);
	if (err < 0)
		fatal("could not give up its rights: %s", strerror(-err));
	make_folder(u->fetch.dir);
	err = confine_enter(&c);
	if (err < 0)
		fatal("could not lock itself in: %s", strerror(-err));
}

int updater_main(int argc, char **argv)
{
	struct updater u = {.keeper = -1};
	uint32_t random = 0;

	log_init("updater", LOG_INFO);
	take_options(&u, argc, argv);
	u.fetch.stop = is_over;
	u.fetch.arg = &u;
	lock_in(&u);
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	(void)crypto_random(&random, sizeof(random));
	u.due_ns = clock_mono_ns() + schedule_first(u.interval_s, random) * NSEC_PER_SEC;
	while (!u.stop) {
		uint64_t now = clock_mono_ns();

		if (u.now || now >= u.due_ns) {
			u.now = false;
			look(&u);
			continue;
		}
		turn(&u, u.due_ns - now > 60 * NSEC_PER_SEC
				 ? 60000
				 : (int)((u.due_ns - now) / NSEC_PER_MSEC + 1));
	}
	json_decref(u.report);
	free((void *)u.root.data);
	return 0;
}
