#include "update/rollout/rollouts.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define FILE_MAX    (16u << 20)
#define REACHABLE_S 300 /* an agent that was silent for so long is not there */

/* A transfer in a thread of its own. */
struct job {
	struct job *next;
	pthread_t thread;
	char device[ROLLOUT_NAME], error[PUSH_ERROR];
	struct push push;
	int fd, result;
	uint64_t length;
	bool back; /* brings the old one */
	volatile bool stop, done;
};

struct held {
	struct held *next;
	struct rollout *r;
	char *kept; /* as it is on the disk */
};

struct rollouts {
	struct rollouts_calls calls;
	char folder[4096];
	struct held *list;
	struct agents *agents;
	struct job *jobs;
	int64_t now;
};

/* --- on the disk ---------------------------------------------------------------- */

static bool is_id(const char *id)
{
	return *id && *id != '.' &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       strlen(id);
}

static struct held *held_of(struct rollouts *s, const struct rollout *r)
{
	struct held *h = s->list;

	while (h && h->r != r)
		h = h->next;
	return h;
}

int rollouts_keep(struct rollouts *s, struct rollout *r)
{
	struct held *h = held_of(s, r);
	json_t *o = rollout_json(r);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	char path[sizeof(s->folder) + ROLLOUT_NAME + 8];
	int err = text ? 0 : -ENOMEM;

	snprintf(path, sizeof(path), "%s/%s.json", s->folder, r->id);
	if (err == 0 && !(h && h->kept && strcmp(h->kept, text) == 0))
		err = file_replace(path, (struct bytes){(uint8_t *)text, strlen(text)}, 0600);
	json_decref(o);
	if (!h || err < 0) {
		free(text);
		return err;
	}
	free(h->kept);
	h->kept = text;
	return 0;
}

static int load_one(struct rollouts *s, const char *name)
{
	char path[sizeof(s->folder) + 264];
	struct bytes text;
	struct held *h;
	json_t *o;
	int err;

	snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	err = file_read(path, FILE_MAX, &text);
	if (err < 0)
		return err;
	o = json_loadb((const char *)text.data, text.len, 0, NULL);
	free((void *)text.data);
	h = calloc(1, sizeof(*h));
	if (h)
		h->r = rollout_of(o);
	json_decref(o);
	if (!h || !h->r || !is_id(h->r->id)) {
		rollout_free(h ? h->r : NULL);
		free(h);
		return -EBADMSG;
	}
	h->next = s->list;
	s->list = h;
	return 0;
}

static int load(struct rollouts *s)
{
	DIR *d = opendir(s->folder);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);
		int err;

		if (len < 6 || e->d_name[0] == '.' || strcmp(e->d_name + len - 5, ".json") != 0)
			continue;
		err = load_one(s, e->d_name);
		if (err < 0)
			log_error("rollout %s/%s cannot be read: %s; it stands still", s->folder,
				  e->d_name, strerror(-err));
	}
	closedir(d);
	return 0;
}

struct rollouts *rollouts_open(const char *folder, const struct rollouts_calls *calls)
{
	struct rollouts *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (s)
		s->agents = agents_new();
	if (!s || !s->agents)
		goto fail;
	s->calls = *calls;
	err = snprintf(s->folder, sizeof(s->folder), "%s", folder) < (int)sizeof(s->folder)
		      ? load(s)
		      : -ENAMETOOLONG;
	if (err == 0)
		return s;
fail:
	rollouts_close(s);
	errno = -err;
	return NULL;
}

static void job_free(struct job *j)
{
	pthread_join(j->thread, NULL);
	close(j->fd);
	explicit_bzero(j->push.password, sizeof(j->push.password));
	free(j);
}

void rollouts_close(struct rollouts *s)
{
	if (!s)
		return;
	for (struct job *j = s->jobs; j; j = j->next)
		j->stop = true;
	while (s->jobs) {
		struct job *j = s->jobs;

		s->jobs = j->next;
		job_free(j);
	}
	while (s->list) {
		struct held *h = s->list;

		s->list = h->next;
		rollout_free(h->r);
		free(h->kept);
		free(h);
	}
	agents_free(s->agents);
	free(s);
}

int rollouts_add(struct rollouts *s, struct rollout *r)
{
	struct held *h;
	int err;

	if (!is_id(r->id))
		return -EINVAL;
	if (rollouts_find(s, r->id))
		return -EEXIST;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	err = rollouts_keep(s, r);
	if (err < 0) {
		free(h);
		return err;
	}
	h->r = r;
	h->next = s->list;
	s->list = h;
	return 0;
}

struct rollout *rollouts_find(struct rollouts *s, const char *id)
{
	for (struct held *h = s->list; h; h = h->next)
		if (strcmp(h->r->id, id) == 0)
			return h->r;
	return NULL;
}

struct rollout *rollouts_next(struct rollouts *s, const struct rollout *r)
{
	struct held *h = r ? held_of(s, r)->next : s->list;

	return h ? h->r : NULL;
}

int rollouts_drop(struct rollouts *s, struct rollout *r)
{
	char path[sizeof(s->folder) + ROLLOUT_NAME + 8];
	struct held **at = &s->list, *h = held_of(s, r);

	snprintf(path, sizeof(path), "%s/%s.json", s->folder, r->id);
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	rollout_free(r);
	free(h->kept);
	free(h);
	return 0;
}

json_t *rollouts_status(const struct rollouts *s)
{
	json_t *list = json_array();

	for (const struct held *h = s->list; h; h = h->next)
		json_array_append_new(list, rollout_json(h->r));
	return list;
}

/* --- what is seen ----------------------------------------------------------------- */

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	struct rollouts *s = arg;
	const struct talk_report *said;
	struct push p;
	int64_t when;

	s->calls.see(s->calls.arg, device, ret_seen);
	if (s->calls.how(s->calls.arg, device, &p) != DRIVER_AGENT)
		return;
	said = agents_last(s->agents, device, &when);
	ret_seen->reachable = said && s->now - when < REACHABLE_S;
	if (!said)
		return;
	snprintf(ret_seen->version, sizeof(ret_seen->version), "%s", said->version);
	ret_seen->said = when;
	ret_seen->unhealthy = !said->healthy || said->state == TALK_FAILED;
}

/* --- push ---------------------------------------------------------------------------- */

static struct job *job_of(const struct rollouts *s, const char *device)
{
	for (struct job *j = s->jobs; j; j = j->next)
		if (strcmp(j->device, device) == 0)
			return j;
	return NULL;
}

static void *transfer(void *arg)
{
	struct job *j = arg;

	j->result = push_run(&j->push, j->fd, j->length, &j->stop, j->error);
	__atomic_store_n(&j->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static int job_start(struct rollouts *s, const char *device, const struct push *p, int fd,
		     uint64_t length)
{
	struct job *j = calloc(1, sizeof(*j));
	int err;

	if (!j) {
		close(fd);
		return -ENOMEM;
	}
	snprintf(j->device, sizeof(j->device), "%s", device);
	j->push = *p;
	j->fd = fd;
	j->length = length;
	err = pthread_create(&j->thread, NULL, transfer, j);
	if (err) {
		close(fd);
		free(j);
		return -err;
	}
	j->next = s->jobs;
	s->jobs = j;
	return 0;
}

static void job_end(struct rollouts *s, struct job *j)
{
	struct job **at = &s->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	job_free(j);
}

/* --- orders --------------------------------------------------------------------------- */

static void told(struct rollouts *s, struct rollout *r, const char *device, bool well,
		 const char *text)
{
	rollout_told(r, device, well, text, s->now);
}

static const char *target_of(const struct rollout *r, enum rollout_do what)
{
	return what == DO_SEND ? r->target : r->previous;
}

static void order_push(struct rollouts *s, struct rollout *r, const struct rollout_order *o,
		       const struct push *p)
{
	const char *target = target_of(r, o->what);
	struct job *j = job_of(s, o->device);
	struct agents_file f;
	int fd, err;

	if (j && __atomic_load_n(&j->done, __ATOMIC_ACQUIRE)) {
		told(s, r, o->device, j->result == 0, j->error);
		job_end(s, j);
		return;
	}
	if (j)
		return;
	if (!*target) {
		told(s, r, o->device, false, "the firmware it had is not in the repository");
		return;
	}
	err = s->calls.file(s->calls.arg, target, &f, &fd);
	if (err == 0)
		err = job_start(s, o->device, p, fd, f.length);
	if (err < 0)
		told(s, r, o->device, false,
		     err == -ENOENT ? "the firmware is not on this gateway" : strerror(-err));
}

/* Through its agent: what is wanted, until it stands so. */
static void want_file(struct rollouts *s, struct rollout *r, const char *device, const char *target)
{
	char text[TALK_TEXT];
	struct agents_file f;
	int fd, err = s->calls.file(s->calls.arg, target, &f, &fd);

	if (err < 0) {
		told(s, r, device, false, "the firmware is not on this gateway");
		return;
	}
	close(fd);
	if (agents_want(s->agents, device, &f) < 0)
		return;
	switch (agents_stand(s->agents, device, text)) {
	case AGENTS_DONE:
		told(s, r, device, true, NULL);
		break;
	case AGENTS_REFUSED:
		agents_want_nothing(s->agents, device);
		told(s, r, device, false, text);
		break;
	case AGENTS_AT_IT:
		break;
	}
}

/* It was taken back and runs on until it has restarted: the older one is there, not to be brought. */
static bool is_going_back(const struct rollouts *s, const struct rollout *r,
			  const struct rollout_order *o, const struct talk_report *said)
{
	return said->state == TALK_FAILED && strcmp(said->target, r->target) == 0 &&
	       strcmp(said->version, r->version) == 0 && s->now - o->since <= r->plan.install_s;
}

static void order_agent(struct rollouts *s, struct rollout *r, const struct rollout_order *o)
{
	const struct talk_report *said;
	int64_t when;

	if (o->what == DO_SEND) {
		want_file(s, r, o->device, r->target);
		return;
	}
	said = agents_last(s->agents, o->device, &when);
	if (!said || is_going_back(s, r, o, said))
		return; /* until it speaks, as what it is then */
	if (said->state == TALK_TRIAL && strcmp(said->target, r->target) == 0)
		agents_want_back(s->agents, o->device, r->target);
	else if (strcmp(said->version, r->version) != 0)
		told(s, r, o->device, true, NULL);
	else if (*r->previous)
		want_file(s, r, o->device, r->previous);
	else
		told(s, r, o->device, false,
		     "it has kept the new one, and the old one is not in the repository");
}

static void obey(struct rollouts *s, struct rollout *r, const struct rollout_order *o)
{
	struct push p;

	switch (s->calls.how(s->calls.arg, o->device, &p)) {
	case DRIVER_AGENT:
		order_agent(s, r, o);
		break;
	case DRIVER_PUSH:
		order_push(s, r, o, &p);
		break;
	default:
		break; /* a person will say so */
	}
}

/* One that is well is told to keep what it runs on trial. */
static void settle(struct rollouts *s, const struct rollout *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct rollout_device *d = &r->devices[i];
		const char *target = d->step == STEP_DONE ? r->target : r->previous;
		const struct talk_report *said;
		int64_t when;

		if (d->step != STEP_DONE && d->step != STEP_UNDONE)
			continue;
		said = agents_last(s->agents, d->name, &when);
		if (said && said->state == TALK_TRIAL && strcmp(said->target, target) == 0)
			agents_want_kept(s->agents, d->name, target);
	}
}

static int turn_one(struct rollouts *s, struct rollout *r, int local_minute)
{
	struct rollout_order o;
	int err;

	if (rollout_tick(r, see, s, s->now, local_minute)) {
		err = rollouts_keep(s, r);
		if (err < 0)
			return err;
	}
	/* An order that is carried out is not there any longer: the next has its number. */
	for (unsigned i = 0; (o = rollout_next(r, i)).what;) {
		char device[ROLLOUT_NAME];

		snprintf(device, sizeof(device), "%s", o.device);
		o.device = device;
		obey(s, r, &o);
		if (rollout_next(r, i).what && strcmp(rollout_next(r, i).device, device) == 0)
			i++;
	}
	settle(s, r);
	return rollouts_keep(s, r);
}

int rollouts_turn(struct rollouts *s, int64_t now, int local_minute)
{
	int err = 0;

	s->now = now;
	for (struct held *h = s->list; h; h = h->next) {
		int one = turn_one(s, h->r, local_minute);

		if (one < 0) {
			log_error("rollout %s cannot be kept: %s; it stands still", h->r->id,
				  strerror(-one));
			err = one;
		}
	}
	return err;
}

int rollouts_report(struct rollouts *s, const char *device, const struct talk_report *r,
		    int64_t now, struct talk_order *ret_order, int *ret_fd)
{
	struct agents_file f;
	int err = agents_report(s->agents, device, r, now, ret_order);

	*ret_fd = -1;
	if (err < 0 || ret_order->what != TALK_BYTES)
		return err;
	err = s->calls.file(s->calls.arg, ret_order->target, &f, ret_fd);
	if (err < 0)
		*ret_order = (struct talk_order){.what = TALK_WAIT, .seconds = 60};
	return 0;
}
