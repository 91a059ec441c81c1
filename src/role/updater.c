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
#include "base/number.h"
#include "role/rolling.h"
#include "role/setup.h"
#include "role/talks.h"
#include "update/fetch/confine.h"
#include "update/fetch/fetch.h"
#include "update/fetch/schedule.h"

#define PARENT_FD    3
#define LIST_MAX     16
#define ROOT_MAX     (512u << 10)
#define FOLDER_TRIES 100

enum { FROM_PARENT, FROM_KEEPER, FROM_LINK };

/* Who may say what to the updater. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_UPDATER},  {FROM_PARENT, IPC_STOP},
	{FROM_PARENT, IPC_FIRMWARE},				 /* who gets any, and how */
	{FROM_PARENT, IPC_AGENTS},				 /* the link's socket */
	{FROM_KEEPER, IPC_FETCHED},  {FROM_KEEPER, IPC_ROLLOUT}, /* a person's word */
	{FROM_KEEPER, IPC_SIGHT},    {FROM_LINK, IPC_AGENT},
};

struct updater {
	const char *user, *root_file;
	struct fetch_options fetch;
	char *mirrors[LIST_MAX], *roles[LIST_MAX];
	uint64_t interval_s;
	unsigned failures;
	uint64_t due_ns;  /* monotonic */
	int keeper, link; /* -1 none */
	struct rolling *rolling;
	struct talks *talks;
	uint64_t roll_ns; /* when rollouts are looked at next */
	json_t *report;	  /* of the last look; NULL: none yet */
	struct bytes root;
	bool stop, now;
};

#define ROLL_NS NSEC_PER_SEC

static char ipc_buf[IPC_BUF];

static unsigned number_of(const char *text)
{
	uint64_t n;

	if (!number_read(text, 0, UINT32_MAX, &n))
		fatal("'%s' is no number", text);
	return (unsigned)n;
}

static void take_options(struct updater *u, int argc, char **argv)
{
	int c;

	u->fetch.mirrors = u->mirrors;
	u->fetch.roles = u->roles;
	while ((c = getopt(argc, argv, "d:u:r:i:b:m:R:p:")) != -1)
		if (c == 'd')
			u->fetch.dir = optarg;
		else if (c == 'u')
			u->user = optarg;
		else if (c == 'r')
			u->root_file = optarg;
		else if (c == 'p')
			u->fetch.place = optarg;
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

/* How rollouts stand, where that has changed. */
static void tell_rollouts(struct updater *u)
{
	char *text = u->keeper >= 0 ? rolling_status(u->rolling) : NULL;
	int fd;

	if (!text)
		return;
	fd = file_memory("rollouts", (struct bytes){(const uint8_t *)text, strlen(text)});
	if (fd < 0 || ipc_send(u->keeper, IPC_ROLLOUTS, 0, (struct bytes){0}, fd) < 0)
		rolling_untold(u->rolling);
	if (fd >= 0)
		close(fd);
	free(text);
}

static json_t *json_of(const struct ipc_message *m)
{
	json_t *o = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

static bool take_word(struct updater *u, const struct ipc_message *m)
{
	json_t *word = json_of(m), *answer;
	char *text;

	if (!word)
		return false;
	answer = rolling_word(u->rolling, word);
	text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	tell_rollouts(u); /* first how it stands, then that it was heard */
	if (text)
		ipc_send(u->keeper, IPC_ROLLOUT, 0,
			 (struct bytes){(const uint8_t *)text, strlen(text)}, -1);
	free(text);
	json_decref(answer);
	json_decref(word);
	return true;
}

static void lose_keeper(struct updater *u)
{
	close(u->keeper); /* the next keeper is introduced */
	u->keeper = -1;
	rolling_blind(u->rolling);
	rolling_untold(u->rolling);
}

static void take_agent(struct updater *u, struct ipc_message *m)
{
	char name[64];

	if (m->body.len == 0 || m->body.len >= sizeof(name))
		return;
	memcpy(name, m->body.data, m->body.len);
	name[m->body.len] = 0;
	talks_begin(u->talks, name, m->fd, clock_mono_ns());
	m->fd = -1; /* it is theirs now */
}

static void take(struct updater *u, struct ipc_message *m)
{
	if (m->type == IPC_STOP) {
		u->stop = true;
	} else if (m->type == IPC_UPDATER) {
		if (u->keeper >= 0)
			lose_keeper(u);
		u->keeper = m->fd;
		m->fd = -1;
		tell(u);
		tell_rollouts(u);
	} else if (m->type == IPC_FIRMWARE) {
		u->now = rolling_firmware(u->rolling, m->fd) || u->now;
	} else if (m->type == IPC_AGENTS) {
		if (u->link >= 0)
			close(u->link);
		u->link = m->fd;
		m->fd = -1;
	} else if (m->type == IPC_AGENT) {
		take_agent(u, m);
	} else if (m->type == IPC_FETCHED) {
		u->now = true;
	}
}

/* Its next message. False: that socket is over. */
static bool hear(struct updater *u, int sock, int from)
{
	struct ipc_message m;
	int err = ipc_hear(sock, ipc_buf, rights, sizeof(rights) / sizeof(*rights), from, &m);
	bool fine = true;

	if (err < 0)
		return err == -EAGAIN;
	if (m.type == IPC_ROLLOUT)
		fine = take_word(u, &m);
	else if (m.type == IPC_SIGHT)
		fine = rolling_sights(u->rolling, m.body);
	else
		take(u, &m);
	if (m.fd >= 0)
		close(m.fd);
	return fine;
}

static int answer_agent(void *arg, const char *device, const struct talk_report *said,
			struct talk_order *ret_order, int *ret_fd)
{
	struct updater *u = arg;
	int err = rolling_report(u->rolling, device, said, ret_order, ret_fd);

	if (err == -EACCES)
		log_warn("an agent called as '%s', which is no device with driver: agent", device);
	return err;
}

/* Rollouts go on while something is fetched, too. */
static void roll(struct updater *u)
{
	uint64_t now = clock_mono_ns();

	if (now < u->roll_ns)
		return;
	u->roll_ns = now + ROLL_NS;
	rolling_turn(u->rolling);
	tell_rollouts(u);
}

static void turn(struct updater *u, int ms)
{
	struct pollfd fds[3 + TALKS_MAX] = {{.fd = PARENT_FD, .events = POLLIN},
					    {.fd = u->keeper, .events = POLLIN},
					    {.fd = u->link, .events = POLLIN}};
	unsigned talks = talks_poll(u->talks, fds + 3);

	if (poll(fds, 3 + talks, ms) < 0)
		return;
	talks_turn(u->talks, fds + 3, talks, clock_mono_ns());
	if (fds[0].revents && !hear(u, PARENT_FD, FROM_PARENT))
		u->stop = true;
	if (fds[1].revents && fds[1].fd == u->keeper && !hear(u, u->keeper, FROM_KEEPER))
		lose_keeper(u);
	if (fds[2].revents && fds[2].fd == u->link && !hear(u, u->link, FROM_LINK)) {
		close(u->link); /* and so is the next link */
		u->link = -1;
	}
	roll(u);
}

/* While something is fetched: whoever waits for us is heard. */
static bool is_over(void *arg)
{
	struct updater *u = arg;

	turn(u, 0);
	return u->stop;
}

static bool wants(void *arg, const json_t *list, const json_t *target)
{
	const struct updater *u = arg;

	return rolling_wants(u->rolling, list, target);
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
	rolling_listed(u->rolling, json_object_get(report, "targets"));
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
	const struct sandbox_path own[] = {{.path = u->fetch.dir, .write = true},
					   {.path = u->fetch.place}};
	struct confine c = {own, 1, true};
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
	if (u->fetch.place && access(u->fetch.place, R_OK | X_OK) == 0)
		c.count = 2;
	else
		u->fetch.place = NULL;
	err = confine_enter(&c);
	if (err < 0)
		fatal("could not lock itself in: %s", strerror(-err));
	u->rolling = rolling_new(u->fetch.dir);
	u->talks = talks_new(answer_agent, u);
	if (!u->rolling || !u->talks)
		fatal("%s: %s", u->fetch.dir, strerror(errno));
}

int updater_main(int argc, char **argv)
{
	struct updater u = {.keeper = -1, .link = -1};
	uint32_t random = 0;

	log_init("updater", LOG_INFO);
	take_options(&u, argc, argv);
	u.fetch.stop = is_over;
	u.fetch.wants = wants;
	u.fetch.arg = &u;
	lock_in(&u);
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	(void)crypto_random(&random, sizeof(random));
	u.due_ns = clock_mono_ns() + schedule_first(u.interval_s, random) * NSEC_PER_SEC;
	while (!u.stop) {
		uint64_t now = clock_mono_ns();

		if ((u.fetch.mirror_count || u.fetch.place) && (u.now || now >= u.due_ns)) {
			u.now = false;
			look(&u);
			continue;
		}
		turn(&u, u.roll_ns > now ? (int)((u.roll_ns - now) / NSEC_PER_MSEC + 1) : 0);
	}
	talks_free(u.talks);
	rolling_free(u.rolling);
	json_decref(u.report);
	free((void *)u.root.data);
	return 0;
}
