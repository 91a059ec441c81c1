#include "role/backups.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "keep/backup.h"
#include "keep/vault_copy.h"
#include "role/secrets.h"

#define LAST	 "backup.last"
#define HOUR_NS	 (60 * 60 * NSEC_PER_SEC)
#define DAY_NS	 (24 * HOUR_NS)
#define FIRST_NS (20 * NSEC_PER_SEC)   /* after the start, where one is due already */
#define LOOK_NS	 (500 * NSEC_PER_MSEC) /* for one under way to be done */
#define WHY	 600

/* One backup, the thread's from begin to `done`. */
struct backup_work {
	struct job job;
	struct backups *of;
	char moment[BACKUP_MOMENT];
	int64_t at_ns;
	struct backup_result put;
	struct vault_copy_result copy;
	char why[WHY]; /* "" it is made and copied */
};

struct backups {
	uint64_t every_hours, keep_days;
	char state_dir[PATH_MAX - 64], vault_dir[PATH_MAX], last_file[PATH_MAX], to[PATH_MAX];
	char config[PATH_MAX - 16], profiles[PATH_MAX]; /* "" none */
	char user[64], group[64];			/* us */
	struct keys *keys;
	struct vault *vault; /* NULL: the keys are locked */
	struct putter *putter;
	struct pool *pool;
	struct backup_work work;
	atomic_bool done, stop;
	bool running;
	uint64_t retry_ns; /* not before */
	int64_t last_ns;   /* wall clock; 0: never */
	bool same_disk;
	char why[WHY]; /* the last attempt failed; "" it did not */
};

/* --- in the thread ------------------------------------------------------------------------ */

static const char *owner(void *arg, uid_t uid)
{
	struct backups *b = arg;

	return uid == 0 ? "root" : uid == geteuid() ? b->user : "-";
}

static const char *group(void *arg, gid_t gid)
{
	struct backups *b = arg;

	return gid == 0 ? "root" : gid == getegid() ? b->group : "-";
}

static bool stop(void *arg)
{
	return ((struct backups *)arg)->stop;
}

/* The first is told; the others are as many as they are. */
static void failed(void *arg, const char *path, const char *why)
{
	struct backup_work *w = &((struct backups *)arg)->work;

	if (!*w->why)
		snprintf(w->why, sizeof(w->why), "%.300s: %.200s", path, why);
}

static void put_done(void *arg, struct vault_item *it)
{
}

/* With what is beside the policy: all of its folder if that is the gateway's own, else the profiles. */
static unsigned list_paths(struct backups *b, struct backup_path ret_paths[3])
{
	const char *slash = strrchr(b->config, '/');
	size_t folder = slash ? (size_t)(slash - b->config) : 0;
	unsigned n = 0;

	ret_paths[n++] = (struct backup_path){b->state_dir, false};
	if (!slash)
		return n;
	if (folder == strlen(BEDWARDEN_SYSCONFDIR) &&
	    memcmp(b->config, BEDWARDEN_SYSCONFDIR, folder) == 0) {
		ret_paths[n++] = (struct backup_path){BEDWARDEN_SYSCONFDIR, false};
		return n;
	}
	ret_paths[n++] = (struct backup_path){b->config, false};
	ret_paths[n++] = (struct backup_path){b->profiles, true};
	return n;
}

static void put(struct backups *b, struct backup_work *w)
{
	const struct backup_options o = {
		.dir = b->vault_dir,
		.until_ns = w->at_ns + (int64_t)(b->keep_days * DAY_NS),
		.owner = owner,
		.group = group,
		.failed = failed,
		.stop = stop,
		.arg = b,
	};
	struct backup_path paths[3];
	unsigned count = list_paths(b, paths);
	int err = backup_run(b->putter, &o, w->moment, paths, count, &w->put);

	if (err < 0 && !*w->why)
		snprintf(w->why, sizeof(w->why), "%.300s: %s", b->vault_dir, strerror(-err));
}

/* The vault is copied also where something could not be put into it: it holds much besides. */
static void run(struct job *job, unsigned worker)
{
	struct backup_work *w = (struct backup_work *)job;
	struct backups *b = w->of;
	char error[VAULT_COPY_ERROR] = "";
	const struct vault_copy_options o = {
		.from = b->vault_dir, .to = b->to, .stop = stop, .arg = b};

	put(b, w);
	if (!b->stop && vault_copy(&o, &w->copy, error) < 0 && !*w->why)
		snprintf(w->why, sizeof(w->why), "%s", error);
	b->done = true;
}

/* --- in the keeper's ------------------------------------------------------------------------- */

static void begin(struct keeper *k, struct backups *b, int64_t wall_ns)
{
	struct backup_work *w = &b->work;

	*w = (struct backup_work){.job.run = run, .of = b, .at_ns = wall_ns};
	backup_moment(wall_ns, w->moment);
	b->done = false;
	b->running = true;
	pool_submit(b->pool, &w->job);
}

static void tell_made(struct keeper *k, const struct backups *b)
{
	const struct backup_work *w = &b->work;
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = REASON_GATEWAY_BACKUP};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	json_open(&j, "audit");
	json_str(&j, "message", "the gateway was backed up");
	json_str(&j, "moment", w->moment);
	json_u64(&j, "files", w->put.files);
	json_u64(&j, "bytes", w->put.bytes);
	json_str(&j, "to", b->to);
	json_u64(&j, "packs", w->copy.packs);
	json_u64(&j, "packs_copied", w->copy.copied);
	json_close(&j);
	keeper_put(k, &j);
}

static void end(struct keeper *k, struct backups *b, uint64_t now_ns)
{
	struct backup_work *w = &b->work;
	int err;

	pool_wait(b->pool, &w->job);
	b->running = false;
	snprintf(b->why, sizeof(b->why), "%s", w->why);
	if (*w->why) {
		b->retry_ns = now_ns + HOUR_NS;
		log_error("no backup was made: %s", w->why);
		keeper_report(k, REASON_GATEWAY_BACKUP_FAILED, 0, w->why);
		return;
	}
	b->last_ns = w->at_ns;
	b->same_disk = w->copy.same_disk;
	err = file_replace(b->last_file, (struct bytes){(uint8_t *)w->moment, strlen(w->moment)},
			   0640);
	if (err < 0) /* then one is made too many after the next start */
		log_error("%s: %s", b->last_file, strerror(-err));
	tell_made(k, b);
}

/* A last one in the future: the clock was set back. */
static bool is_due(const struct backups *b, int64_t wall_ns)
{
	return b->last_ns == 0 || wall_ns - b->last_ns >= (int64_t)(b->every_hours * HOUR_NS) ||
	       b->last_ns > wall_ns + (int64_t)HOUR_NS;
}

void backups_turn(struct keeper *k, uint64_t now_ns)
{
	struct backups *b = k->backups;
	int64_t wall = (int64_t)clock_wall_ns();

	if (!b || !b->putter)
		return;
	if (b->running && b->done)
		end(k, b, now_ns);
	if (!b->running && now_ns >= b->retry_ns && is_due(b, wall))
		begin(k, b, wall);
}

int backups_now(struct keeper *k)
{
	struct backups *b = k->backups;

	if (!b)
		return -ENOENT;
	if (!b->putter)
		return -ENOKEY;
	if (b->running)
		return -EBUSY;
	begin(k, b, (int64_t)clock_wall_ns());
	return 0;
}

uint64_t backups_due(const struct keeper *k, uint64_t now_ns)
{
	const struct backups *b = k->backups;
	int64_t wall = (int64_t)clock_wall_ns();

	if (!b || !b->putter)
		return UINT64_MAX;
	if (b->running)
		return now_ns + LOOK_NS;
	if (now_ns < b->retry_ns)
		return b->retry_ns;
	return is_due(b, wall) ? now_ns
			       : now_ns + (uint64_t)(b->last_ns - wall) + b->every_hours * HOUR_NS;
}

/* --- start, end, status ----------------------------------------------------------------------- */

static int64_t read_last(const char *path)
{
	struct bytes text;
	char moment[BACKUP_MOMENT] = "";
	struct tm tm = {0};

	if (file_read(path, 64, &text) < 0)
		return 0;
	snprintf(moment, sizeof(moment), "%.*s", (int)text.len, (const char *)text.data);
	free((void *)text.data);
	if (!strptime(moment, "%Y%m%dT%H%M%SZ", &tm))
		return 0;
	return (int64_t)timegm(&tm) * (int64_t)NSEC_PER_SEC;
}

static int set_paths(struct backups *b, const struct keeper *k, const struct backups_options *o)
{
	const char *slash;
	int n = snprintf(b->state_dir, sizeof(b->state_dir), "%s", k->state_dir);

	if (n >= (int)sizeof(b->state_dir))
		return -ENAMETOOLONG;
	snprintf(b->vault_dir, sizeof(b->vault_dir), "%s/vault", b->state_dir);
	snprintf(b->last_file, sizeof(b->last_file), "%s/" LAST, b->state_dir);
	snprintf(b->to, sizeof(b->to), "%s", o->to);
	if (o->config_file && *o->config_file == '/')
		snprintf(b->config, sizeof(b->config), "%s", o->config_file);
	slash = strrchr(b->config, '/');
	snprintf(b->profiles, sizeof(b->profiles), "%.*s/profiles",
		 slash ? (int)(slash - b->config) : 0, b->config);
	return 0;
}

/* A handle of its own, for a thread of its own. */
static void open_vault(struct backups *b, const struct keys *keys)
{
	char error[KEYS_ERROR] = "no memory";

	b->keys = keys_again(keys, error);
	b->vault = b->keys ? vault_open_with(b->vault_dir, b->keys, 1, error) : NULL;
	b->putter = b->vault ? putter_new(b->vault, put_done, NULL) : NULL;
	b->pool = b->putter ? pool_new(1) : NULL;
	if (b->pool)
		return;
	log_error("no backups are made: %s", error);
	snprintf(b->why, sizeof(b->why), "%s", error);
	putter_free(b->putter);
	b->putter = NULL;
}

void backups_open(struct keeper *k, const struct backups_options *o)
{
	struct backups *b;

	if (!o->to)
		return;
	b = k->backups = calloc(1, sizeof(*b));
	if (!b || set_paths(b, k, o) < 0)
		fatal("keeper: backup: no memory, or state_dir is too long");
	b->every_hours = o->every_hours;
	b->keep_days = o->keep_days;
	memcpy(b->user, o->user, sizeof(b->user));
	memcpy(b->group, o->group, sizeof(b->group));
	b->last_ns = read_last(b->last_file);
	b->retry_ns = clock_mono_ns() + FIRST_NS;
	if (k->secrets && secrets_keys(k->secrets))
		open_vault(b, secrets_keys(k->secrets));
	else
		snprintf(b->why, sizeof(b->why), "the keys are locked");
}

void backups_close(struct keeper *k)
{
	struct backups *b = k->backups;

	if (!b)
		return;
	b->stop = true;
	if (b->running)
		pool_wait(b->pool, &b->work.job);
	pool_free(b->pool);
	putter_free(b->putter);
	vault_close(b->vault);
	keys_free(b->keys);
	free(b);
	k->backups = NULL;
}

void backups_status(const struct keeper *k, struct json *j)
{
	const struct backups *b = k->backups;
	char moment[BACKUP_MOMENT] = "";

	json_open(j, "backup");
	json_bool(j, "on", b != NULL);
	if (b) {
		if (b->last_ns)
			backup_moment(b->last_ns, moment);
		json_str(j, "to", b->to);
		json_u64(j, "every_hours", b->every_hours);
		json_str(j, "last", moment);
		if (b->last_ns)
			json_u64(j, "age_s",
				 (uint64_t)llabs((int64_t)clock_wall_ns() - b->last_ns) /
					 NSEC_PER_SEC);
		json_bool(j, "running", b->running);
		json_str(j, "failed", b->why);
	}
	json_close(j);
}

static const char *nag_age(const struct backups *b, char *buf, size_t cap)
{
	int64_t age = (int64_t)clock_wall_ns() - b->last_ns;

	if (b->last_ns && !*b->why && age < (int64_t)(2 * b->every_hours * HOUR_NS))
		return NULL;
	if (!b->last_ns && !*b->why)
		return NULL; /* the first is to come */
	if (b->last_ns)
		snprintf(buf, cap, "the last backup is %lld hours old%s%s",
			 (long long)(age / (int64_t)HOUR_NS),
			 *b->why ? ", for the next failed: " : "", b->why);
	else
		snprintf(buf, cap, "no backup was ever made: %s", b->why);
	return buf;
}

const char *backups_nag(const struct keeper *k, unsigned n, char *buf, size_t cap)
{
	const struct backups *b = k->backups;

	if (!b) {
		if (n || !k->intake)
			return NULL;
		snprintf(buf, cap,
			 "nothing of this gateway is backed up by itself; name a folder of another "
			 "disk in the policy (backup: {to: FOLDER})");
		return buf;
	}
	if (nag_age(b, buf, cap) && n-- == 0)
		return buf;
	if (b->same_disk && n-- == 0) {
		snprintf(buf, cap,
			 "the backup in %s is on the same disk as what it is a copy of; name a "
			 "folder of another",
			 b->to);
		return buf;
	}
	return NULL;
}
