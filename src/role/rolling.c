#include "role/rolling.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "role/firmware.h"
#include "update/fetch/listing.h"
#include "update/rollout/offer.h"
#include "update/tuf/local.h"

#define LISTING_BYTES (4u << 20)
#define SIGHT_S	      30 /* a word about a device that is older says nothing of now */
#define SILENT_S      300
#define SOON_S	      5
#define PROPOSE_S     30
#define CHECKED_MAX   16

/* A device's last word, and what is seen of it. */
struct sighted {
	struct setup_sight seen;
	int64_t heard; /* when the keeper said so; 0 never */
	struct talk_report said;
	int64_t when; /* it said that; 0 never */
};

/* A file whose content was once held against its hash, and is the same since. */
struct checked {
	struct stat st;
	char sha256[65];
};

struct rolling {
	char dir[PATH_MAX];
	struct rollouts *all;
	struct firmware *firmware; /* NULL: the parent has not told of any yet */
	struct sighted *sighted;   /* a device of `firmware` each */
	json_t *targets;	   /* as listed last */
	struct checked checked[CHECKED_MAX];
	unsigned next_checked;
	bool news;		 /* something is to be looked at for proposals, */
	int64_t looked;		 /* as it was then */
	unsigned unfinished;	 /* rollouts, after the last turn */
	char held[ROLLOUT_TEXT]; /* why nothing is begun; "" it is */
	char *told;
	json_int_t last_word; /* of this keeper's */
	int64_t now;
};

static struct sighted *sighted_of(const struct rolling *r, const char *device)
{
	const struct firmware_device *d = firmware_find(r->firmware, device);

	return d ? &r->sighted[d - r->firmware->devices] : NULL;
}

/* --- files ---------------------------------------------------------------------- */

static const json_t *target_of(const struct rolling *r, const char *name)
{
	return offer_target(r->targets, name);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool hash_fits(int fd, const char *sha256)
{
	struct digest d = digest_new(DIGEST_SHA256);
	char hex[DIGEST_HEX_MAX];
	static uint8_t buf[1 << 18];
	ssize_t n;

	for (off_t at = 0; (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n)
		digest_add(&d, buf, (size_t)n);
	digest_hex(&d, hex);
	return n == 0 && strcmp(hex, sha256) == 0;
}

/* It was verified as it came; what lies on a disk is held against its hash once more. */
static bool is_whole(struct rolling *r, int fd, const char *sha256)
{
	struct checked *c;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	for (unsigned i = 0; i < CHECKED_MAX; i++)
		if (is_same(&r->checked[i].st, &st) && strcmp(r->checked[i].sha256, sha256) == 0)
			return true;
	if (!hash_fits(fd, sha256))
		return false;
	c = &r->checked[r->next_checked++ % CHECKED_MAX];
	c->st = st;
	snprintf(c->sha256, sizeof(c->sha256), "%s", sha256);
	return true;
}

static int open_target(const struct rolling *r, const char *target)
{
	char path[PATH_MAX + 300], *name = local_name(target, "");
	int fd = -1;

	if (name && snprintf(path, sizeof(path), "%s/targets/%s", r->dir, name) < (int)sizeof(path))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(name);
	return fd;
}

static int file_of(void *arg, const char *target, struct agents_file *ret_file, int *ret_fd)
{
	struct rolling *r = arg;
	const json_t *t = target_of(r, target);
	const char *sha256 = listing_text(t, "sha256");
	struct agents_file f = {.length = 0};
	size_t len;
	int fd;

	if (!t || hex_read(sha256, strlen(sha256), f.sha256, sizeof(f.sha256), &len) < 0 ||
	    len != sizeof(f.sha256))
		return -ENOENT;
	fd = open_target(r, target);
	if (fd < 0)
		return -ENOENT;
	if (!is_whole(r, fd, sha256)) {
		close(fd);
		log_error("%s/targets: %s is not what was verified; it is fetched again", r->dir,
			  target);
		return -ENOENT;
	}
	snprintf(f.target, sizeof(f.target), "%s", target);
	snprintf(f.version, sizeof(f.version), "%s", listing_text(t, "version"));
	f.length = (uint64_t)json_integer_value(json_object_get(t, "length"));
	*ret_file = f;
	*ret_fd = fd;
	return 0;
}

/* --- what is seen --------------------------------------------------------------- */

static const char *why_blind(const struct rolling *r, const struct firmware_device *d,
			     const struct sighted *s)
{
	if (!d->seen && d->driver == DRIVER_PERSON)
		return NULL; /* who does it stands in front of it */
	if (!d->seen)
		return "none of its rules is inspected, so nobody can see whether it is on a "
		       "patient";
	if (!s->heard || r->now - s->heard > SIGHT_S || r->now < s->heard || !s->seen.since)
		return "nobody looks at its packets now, so nobody can see whether it is on a "
		       "patient";
	if (r->now - s->seen.since < r->firmware->plan.patient_s)
		return "its packets have not been looked at for long enough to say that it is on "
		       "no patient";
	return NULL;
}

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	const struct rolling *r = arg;
	const struct firmware_device *d = firmware_find(r->firmware, device);
	const struct sighted *s = sighted_of(r, device);

	if (!d)
		return;
	*ret_seen = (struct rollout_seen){
		.known = true,
		.reachable = true,
		.held = *r->held ? r->held : NULL,
		.blind = why_blind(r, d, s),
		.vitals = s->seen.vitals,
		.talked = s->seen.talked,
		.misbehaved = s->seen.misbehaved,
	};
	if (!d->seen && d->driver == DRIVER_PERSON)
		ret_seen->talked = r->now; /* whose word it is that it is well */
}

static enum driver how(void *arg, const char *device, struct push *ret_push)
{
	const struct rolling *r = arg;
	const struct firmware_device *d = firmware_find(r->firmware, device);

	if (d && d->driver == DRIVER_PUSH)
		*ret_push = d->push;
	return d ? d->driver : DRIVER_PERSON;
}

bool rolling_sights(struct rolling *r, struct bytes body)
{
	struct setup_sight row;

	if (body.len % sizeof(row))
		return false;
	for (size_t at = 0; at < body.len; at += sizeof(row)) {
		struct sighted *s;

		memcpy(&row, body.data + at, sizeof(row));
		row.name[sizeof(row.name) - 1] = 0;
		s = sighted_of(r, row.name);
		if (!s)
			continue;
		s->seen = row;
		s->heard = time(NULL);
	}
	return true;
}

void rolling_blind(struct rolling *r)
{
	for (unsigned i = 0; r->firmware && i < r->firmware->count; i++)
		r->sighted[i].heard = 0;
	r->last_word = 0;
}

/* --- beginning and end ------------------------------------------------------------ */

static json_t *read_listing(const char *dir)
{
	char path[PATH_MAX + 16];
	struct bytes text = {0};
	json_t *o = NULL;

	snprintf(path, sizeof(path), "%s/listing.json", dir);
	if (file_read(path, LISTING_BYTES, &text) == 0)
		o = json_loadb((const char *)text.data, text.len, 0, NULL);
	free((void *)text.data);
	if (json_is_array(o))
		return o;
	json_decref(o);
	return json_array();
}

struct rolling *rolling_new(const char *dir)
{
	struct rollouts_calls calls = {.see = see, .how = how, .file = file_of};
	struct rolling *r = calloc(1, sizeof(*r));
	char folder[PATH_MAX + 16];

	if (!r)
		return NULL;
	calls.arg = r;
	snprintf(r->dir, sizeof(r->dir), "%s", dir);
	snprintf(folder, sizeof(folder), "%s/rollouts", dir);
	r->targets = read_listing(dir);
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		r->all = rollouts_open(folder, &calls);
	if (r->all && r->targets)
		return r;
	rolling_free(r);
	return NULL;
}

void rolling_free(struct rolling *r)
{
	if (!r)
		return;
	rollouts_close(r->all);
	firmware_free(r->firmware);
	free(r->sighted);
	json_decref(r->targets);
	free(r->told);
	free(r);
}

bool rolling_firmware(struct rolling *r, int fd)
{
	struct firmware *f = firmware_read(fd), *was = r->firmware;
	struct sighted *list = f ? calloc(f->count + 1, sizeof(*list)) : NULL;
	bool fresh = false; /* after a start the first look comes by its own time */

	if (!list) {
		log_error("what the parent tells of devices cannot be read");
		firmware_free(f);
		return false;
	}
	for (unsigned i = 0; i < f->count; i++) {
		const struct firmware_device *d = firmware_find(was, f->devices[i].name);

		if (d)
			list[i] = r->sighted[d - was->devices];
		fresh = fresh || (was && !d) ||
			(d && (strcmp(d->vendor, f->devices[i].vendor) != 0 ||
			       strcmp(d->model, f->devices[i].model) != 0));
	}
	free(r->sighted);
	firmware_free(was);
	r->firmware = f;
	r->sighted = list;
	r->news = true;
	return fresh;
}

void rolling_listed(struct rolling *r, const json_t *targets)
{
	char path[PATH_MAX + 16], *text;
	json_t *copy;

	if (!json_is_array(targets) || json_equal(targets, r->targets))
		return;
	copy = json_deep_copy(targets);
	text = copy ? json_dumps(copy, JSON_COMPACT) : NULL;
	if (!text) {
		json_decref(copy);
		return;
	}
	snprintf(path, sizeof(path), "%s/listing.json", r->dir);
	if (file_replace(path, (struct bytes){(const uint8_t *)text, strlen(text)}, 0600) < 0)
		log_warn("%s cannot be written; after a restart firmware waits for the next look",
			 path);
	free(text);
	json_decref(r->targets);
	r->targets = copy;
	r->news = true;
}

/* --- versions ----------------------------------------------------------------------- */

enum source { SAID_BY_POLICY, SAID_BY_ROLLOUT, SAID_BY_AGENT };
static const char *const sources[] = {"policy", "rollout", "agent"};

static const char *version_of(const struct rolling *r, const struct firmware_device *d,
			      enum source *ret_source)
{
	const struct sighted *s = sighted_of(r, d->name);
	const char *left;

	*ret_source = SAID_BY_AGENT;
	if (d->driver == DRIVER_AGENT && s->when)
		return s->said.version;
	*ret_source = SAID_BY_ROLLOUT;
	left = offer_left(r->all, d->name);
	if (left)
		return left;
	*ret_source = SAID_BY_POLICY;
	return d->version;
}

/* --- proposals ------------------------------------------------------------------------ */

/* What is known of each device now. Its texts are borrowed until something changes. */
static bool begin_offer(const struct rolling *r, const json_t *targets, struct offer *ret_o)
{
	unsigned count = r->firmware ? r->firmware->count : 0;
	struct offer_device *list = calloc(count + 1, sizeof(*list));
	enum source source;

	for (unsigned i = 0; list && i < count; i++) {
		const struct firmware_device *d = &r->firmware->devices[i];
		const struct sighted *s = &r->sighted[i];

		list[i] = (struct offer_device){.name = d->name,
						.vendor = d->vendor,
						.model = d->model,
						.version = version_of(r, d, &source),
						.hardware = s->said.hardware,
						.driver = d->driver,
						.heard = s->when != 0};
	}
	*ret_o = (struct offer){.targets = targets,
				.devices = list,
				.count = list ? count : 0,
				.all = r->all,
				.plan = r->firmware ? &r->firmware->plan : NULL,
				.now = r->now};
	return list;
}

static void end_offer(struct offer *o)
{
	free((void *)o->devices);
}

bool rolling_wants(const struct rolling *r, const json_t *list, const json_t *target)
{
	struct offer o;
	bool wants = begin_offer(r, list, &o) && offer_wants(&o, target);

	end_offer(&o);
	return wants;
}

static bool is_there(const struct rolling *r, const json_t *target)
{
	int fd = open_target(r, listing_text(target, "name"));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void drop_overtaken(const struct offer *o, const json_t *target)
{
	struct rollout *p, *next = rollouts_next(o->all, NULL);

	while ((p = next)) {
		next = rollouts_next(o->all, p);
		if (offer_overtakes(o, target, p))
			rollouts_drop(o->all, p);
	}
}

static void propose(struct rolling *r, const struct offer *o, const json_t *target)
{
	struct rollout *made = is_there(r, target) ? offer_make(o, target) : NULL;
	int err;

	if (!made)
		return;
	drop_overtaken(o, target);
	if (r->firmware->automatic)
		rollout_approve(made, "the policy", r->now);
	err = rollouts_add(r->all, made);
	if (err < 0) {
		log_error("rollout %s cannot be kept: %s", made->id, strerror(-err));
		rollout_free(made);
	}
}

static void propose_all(struct rolling *r)
{
	struct offer o;
	const json_t *t;
	size_t i;

	if (begin_offer(r, r->targets, &o))
		json_array_foreach (r->targets, i, t)
			propose(r, &o, t);
	end_offer(&o);
}

/* Devices of a rollout that has ended are free for what waited. */
static void take_ends(struct rolling *r)
{
	unsigned unfinished = 0;

	for (struct rollout *o = NULL; (o = rollouts_next(r->all, o));)
		unfinished += rollout_is_unfinished(o);
	r->news = r->news || unfinished < r->unfinished;
	r->unfinished = unfinished;
}

void rolling_turn(struct rolling *r)
{
	struct tm local;
	time_t now = time(NULL);

	r->now = now;
	if (!r->firmware || !localtime_r(&now, &local))
		return;
	if (r->news || now - r->looked >= PROPOSE_S || now < r->looked) {
		propose_all(r);
		r->news = false;
		r->looked = now;
	}
	(void)rollouts_turn(r->all, now, local.tm_hour * 60 + local.tm_min); /* says so itself */
	take_ends(r);
}

/* --- people ----------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int obey(struct rolling *r, struct rollout *o, const json_t *word)
{
	const char *what = text_of(word, "do"), *by = text_of(word, "by"),
		   *why = text_of(word, "why");
	char text[ROLLOUT_TEXT];

	if (strcmp(what, "approve") == 0)
		return rollout_approve(o, by, r->now);
	if (strcmp(what, "release") == 0)
		return rollout_resume(o, r->now);
	if (strcmp(what, "rollback") == 0)
		return rollout_undo(o, r->now);
	snprintf(text, sizeof(text), "%.63s%s%.180s", by, *why ? ": " : "", why);
	if (strcmp(what, "hold") == 0)
		return rollout_hold(o, text, r->now);
	if (strcmp(what, "person") == 0)
		return rollout_person(o, text_of(word, "device"),
				      json_is_true(json_object_get(word, "well")), text, r->now);
	return -EINVAL;
}

json_t *rolling_word(struct rolling *r, const json_t *word)
{
	const char *what = text_of(word, "do");
	struct rollout *o = rollouts_find(r->all, text_of(word, "id"));
	json_int_t n = json_integer_value(json_object_get(word, "n"));
	int err;

	r->now = time(NULL);
	if (strcmp(what, "hold_all") == 0 || strcmp(what, "release_all") == 0) {
		*r->held = 0;
		if (*what == 'h')
			snprintf(r->held, sizeof(r->held), "updates are held by %.63s%s%.150s",
				 text_of(word, "by"), *text_of(word, "why") ? ": " : "",
				 text_of(word, "why"));
		return NULL;
	}
	err = n && n <= r->last_word ? -EALREADY : o ? obey(r, o, word) : -ENOENT;
	if (err == 0)
		err = rollouts_keep(r->all, o);
	if (err == 0 && n > r->last_word)
		r->last_word = n;
	if (!n) /* nobody waits for the answer */
		return NULL;
	if (err == 0 || err == -EALREADY)
		return json_pack("{s:I}", "n", n);
	return json_pack("{s:I, s:s}", "n", n, "error",
			 err == -ENOENT	 ? "there is no such rollout, or no such device in it"
			 : err == -EPERM ? "nobody has approved it yet"
					 : strerror(-err));
}

/* --- what is told ------------------------------------------------------------------------- */

static const char *driver_name(const struct rolling *r, const char *device)
{
	static const char *const names[DRIVERS] = {
		[DRIVER_PERSON] = "person", [DRIVER_AGENT] = "agent", [DRIVER_PUSH] = "push"};
	const struct firmware_device *d = firmware_find(r->firmware, device);

	return d ? names[d->driver] : "";
}

static void dress(const struct rolling *r, json_t *o)
{
	const json_t *t = target_of(r, text_of(o, "target"));
	bool trust = false;
	json_t *d;
	size_t i;

	json_array_foreach (json_object_get(o, "devices"), i, d) {
		const char *driver = driver_name(r, text_of(d, "name"));

		json_object_set_new(d, "driver", json_string(driver));
		trust = trust || strcmp(driver, "push") == 0;
	}
	json_object_set_new(o, "on_trust", json_boolean(trust));
	json_object_set_new(o, "vendor", json_string(listing_text(t, "vendor")));
	json_object_set_new(o, "model", json_string(listing_text(t, "model")));
}

static json_t *device_json(const struct rolling *r, unsigned i)
{
	const struct firmware_device *d = &r->firmware->devices[i];
	const struct sighted *s = &r->sighted[i];
	enum source source;
	const char *version = version_of(r, d, &source);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "device", d->name, "driver",
			      driver_name(r, d->name), "vendor", d->vendor, "model", d->model,
			      "version", version, "source", sources[source]);

	if (d->driver != DRIVER_AGENT)
		return o;
	json_object_set_new(o, "reachable", json_boolean(s->when && r->now - s->when < SILENT_S));
	if (s->when)
		json_object_update_new(o, json_pack("{s:b, s:s, s:s, s:s}", "healthy",
						    s->said.healthy, "state",
						    talk_state_name(s->said.state), "hardware",
						    s->said.hardware, "text", s->said.text));
	return o;
}

char *rolling_status(struct rolling *r)
{
	json_t *list = rollouts_status(r->all), *devices = json_array(), *o;
	char *text;
	size_t i;

	json_array_foreach (list, i, o)
		dress(r, o);
	for (unsigned d = 0; r->firmware && d < r->firmware->count; d++)
		json_array_append_new(devices, device_json(r, d));
	o = json_pack("{s:o, s:o}", "rollouts", list, "devices", devices);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text || (r->told && strcmp(r->told, text) == 0)) {
		free(text);
		return NULL;
	}
	free(r->told);
	r->told = strdup(text);
	return text;
}

void rolling_untold(struct rolling *r)
{
	free(r->told);
	r->told = NULL;
}

/* --- agents --------------------------------------------------------------------------------- */

static bool is_in(const struct rollout *o, const char *device)
{
	for (unsigned i = 0; i < o->count; i++)
		if (strcmp(o->devices[i].name, device) == 0)
			return true;
	return false;
}

/* Whoever may soon be asked for something speaks again soon. */
static bool is_busy(const struct rolling *r, const char *device)
{
	for (struct rollout *o = NULL; (o = rollouts_next(r->all, o));)
		if ((rollout_is_unfinished(o) || o->state == ROLLOUT_PROPOSED) && is_in(o, device))
			return true;
	return false;
}

int rolling_report(struct rolling *r, const char *device, const struct talk_report *said,
		   struct talk_order *ret_order, int *ret_fd)
{
	const struct firmware_device *d = firmware_find(r->firmware, device);
	struct sighted *s = sighted_of(r, device);
	bool first;
	int err;

	if (!d || d->driver != DRIVER_AGENT)
		return -EACCES;
	r->now = time(NULL);
	first = !s->when;
	r->news = r->news || first || strcmp(s->said.version, said->version) != 0;
	s->said = *said;
	s->when = r->now;
	err = rollouts_report(r->all, device, said, r->now, ret_order, ret_fd);
	if (err == 0 && ret_order->what == TALK_WAIT && ret_order->seconds > SOON_S &&
	    (first || is_busy(r, device)))
		ret_order->seconds = SOON_S;
	return err;
}
