#include "role/deposit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "keep/intake.h"
#include "role/custody.h"
#include "role/secrets.h"

#define EVIDENCE   "evidence"
#define ARCHIVE	   "archive"
#define FIRMWARE   "firmware"
#define DAY_NS	   (24 * 60 * 60 * NSEC_PER_SEC)
#define FIRST_NS   (10 * NSEC_PER_SEC)	    /* after the start, the first look at what is old */
#define AGAIN_NS   (60 * 60 * NSEC_PER_SEC) /* after one that failed */
#define TELL_NS	   (60 * NSEC_PER_SEC)	    /* between two words about what was lost */
#define RESERVE	   (64ull << 20)	    /* of the disk, that others have */
#define UNDER_WAY  1024			    /* objects of all guards, */
#define OF_ONE	   256			    /* and of each */
#define FILES	   8192
#define MISSED_MAX 1000000	 /* said at once */
#define OBJECT_MAX (8ull << 30)	 /* bytes */
#define LEAP_NS	   (30 * DAY_NS) /* that a clock does not make by itself */

/* What a deposit is; with its case in the same number. */
enum kind { OF_EVIDENCE, OF_OLD_FILE, OF_ARCHIVE, OF_FIRMWARE, OF_UPLOAD };

struct under_way {
	struct deposit *d; /* NULL: free, … */
	uint64_t object;
	unsigned guard;
	bool lost; /* … unless it was lost, and only its end is awaited */
};

struct deposits {
	char folder[PATH_MAX];
	struct under_way *objects; /* UNDER_WAY of them */
	unsigned object_count;	   /* of the first so many there are some in use */
	uint64_t sealed;	   /* evidence, since the start */
	uint64_t sealed_bytes;	   /* of it, since the last look at what is beyond the bound */
	uint64_t archived, archived_bytes;
	uint64_t firmware; /* images, since the start */
	uint64_t lost, lost_told, tell_ns;
	int lost_for; /* why the last one was */
	bool moving;  /* an old file is on its way */
	uint64_t retain_ns;
	bool retaining, doubted, stuck;
	uint64_t wall_minus_mono; /* at the start */
};

/* --- evidence ---------------------------------------------------------------------- */

/* Where the packets are: found by the conversation's id, too. */
static void tell_evidence(struct keeper *k, const struct pcaps_case *c, bool sealed)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .flow_id = c->id,
				 .src_port = -1,
				 .dest_port = -1};
	char buf[EVENT_MAX], name[sizeof(EVIDENCE) + PCAPS_NAME];
	struct json j = event_begin(&e, buf);

	snprintf(name, sizeof(name), "%s%s", sealed ? EVIDENCE "/" : "", c->name);
	json_open(&j, "audit");
	json_str(&j, "message", sealed ? "evidence was sealed" : "evidence was kept");
	json_str(&j, "file", name);
	json_str(&j, "finding", reason_name(c->why));
	json_u64(&j, "packets", c->packets);
	json_close(&j);
	keeper_put(k, &j);
}

void deposit_kept(void *keeper, const struct pcaps_case *c)
{
	tell_evidence(keeper, c, false);
}

static uint64_t tag_of(enum kind kind, enum reason why, unsigned packets)
{
	return (uint64_t)kind | (uint64_t)why << 8 | (uint64_t)packets << 32;
}

static int deposit_whole(struct keeper *k, const char *class, const char *name, uint64_t keep_s,
			 struct bytes content, const uint64_t tag[2])
{
	struct deposit *d = intake_begin(k->intake);
	int err = d ? intake_add(k->intake, d, content) : -errno;

	if (err < 0) {
		if (d)
			intake_drop(k->intake, d);
		return err;
	}
	snprintf(d->name, sizeof(d->name), "%s/%s", class, name);
	snprintf(d->class, sizeof(d->class), "%s", class);
	d->until_ns = (int64_t)(clock_wall_ns() + keep_s * NSEC_PER_SEC);
	memcpy(d->tag, tag, sizeof(d->tag));
	intake_end(k->intake, d);
	return 0;
}

int deposit_evidence(void *keeper, const struct pcaps_case *c, struct bytes file)
{
	struct keeper *k = keeper;
	const uint64_t tag[2] = {tag_of(OF_EVIDENCE, c->why, c->packets), c->id};

	return deposit_whole(k, EVIDENCE, c->name, k->evidence_age_s, file, tag);
}

/* What was written before there were keys follows, one file after the other. */
static void move_old(struct keeper *k)
{
	const uint64_t tag[2] = {tag_of(OF_OLD_FILE, REASON_NONE, 0), 0};
	struct pcaps_case c;
	struct bytes file;
	int err;

	if (!k->pcaps || k->deposits->moving || pcaps_oldest(k->pcaps, &c, &file) < 0)
		return;
	err = deposit_whole(k, EVIDENCE, c.name, k->evidence_age_s, file, tag);
	free((void *)file.data);
	k->deposits->moving = err == 0;
}

static void evidence_done(struct keeper *k, const struct deposit *d)
{
	struct pcaps_case c = {.id = d->tag[1],
			       .why = (enum reason)(d->tag[0] >> 8 & 0xffffff),
			       .packets = (unsigned)(d->tag[0] >> 32)};
	bool old = (d->tag[0] & 0xff) == OF_OLD_FILE;

	snprintf(c.name, sizeof(c.name), "%.*s", PCAPS_NAME - 1, d->name + sizeof(EVIDENCE));
	if (old)
		k->deposits->moving = false;
	if (d->err == 0) {
		k->deposits->sealed++;
		k->deposits->sealed_bytes += d->size;
		tell_evidence(k, &c, true);
		if (old && k->pcaps)
			pcaps_erase(k->pcaps, c.name);
	} else if (!old && k->pcaps) {
		pcaps_unsealed(k->pcaps, d->err);
	}
}

/* --- what is archived ---------------------------------------------------------------- */

static void lose_object(struct keeper *k, struct under_way *u, int why)
{
	if (u->d)
		intake_drop(k->intake, u->d);
	u->d = NULL;
	u->lost = true;
	k->deposits->lost++;
	k->deposits->lost_for = why;
}

static bool is_used(const struct under_way *u)
{
	return u->d || u->lost;
}

static struct under_way *find_object(struct deposits *p, unsigned guard, uint64_t object)
{
	for (unsigned i = 0; i < p->object_count; i++) {
		struct under_way *u = &p->objects[i];

		if (is_used(u) && u->object == object && u->guard == guard)
			return u;
	}
	return NULL;
}

static int begin_object(struct keeper *k, unsigned guard, uint64_t object)
{
	struct deposits *p = k->deposits;
	unsigned i = 0, own = 0;

	if (find_object(p, guard, object))
		return -EBADMSG;
	for (unsigned n = 0; n < p->object_count; n++)
		own += is_used(&p->objects[n]) && p->objects[n].guard == guard;
	while (i < p->object_count && is_used(&p->objects[i]))
		i++;
	if (i == UNDER_WAY || own == OF_ONE) {
		p->lost++;
		p->lost_for = -ENOBUFS;
		return 0;
	}
	if (i == p->object_count)
		p->object_count++;
	p->objects[i] = (struct under_way){.object = object, .guard = guard};
	p->objects[i].d = k->intake ? intake_begin(k->intake) : NULL;
	if (!p->objects[i].d)
		lose_object(k, &p->objects[i], k->intake ? -errno : -ENOKEY);
	return 0;
}

static void add_object(struct keeper *k, struct under_way *u, struct bytes piece)
{
	int err = u->d->size + piece.len > OBJECT_MAX ? -EFBIG : intake_add(k->intake, u->d, piece);

	if (err < 0)
		lose_object(k, u, err);
}

/* What a peer chose may stand in a name, but lead nowhere. */
static void clean(char *text)
{
	for (char *c = text; *c; c++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-^",
			    *c) ||
		    (*c == '.' && (c == text || c[1] == '.')))
			*c = '_';
}

/* "archive/dicom/ct-1/2026-11-26/031500.250-1.2.840.1.dcm": by device and day, in order. */
static void name_object(struct deposit *d, struct archive_about *a)
{
	time_t s = (time_t)(a->time_ns / NSEC_PER_SEC);
	char day[32] = "0", hour[32] = "0";
	struct tm tm;

	clean(a->device);
	clean(a->proto);
	clean(a->label);
	clean(a->suffix + (*a->suffix == '.'));
	if (gmtime_r(&s, &tm)) {
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
		strftime(hour, sizeof(hour), "%H%M%S", &tm);
	}
	snprintf(d->name, sizeof(d->name), ARCHIVE "/%.15s/%.63s/%.10s/%.6s.%06u-%.95s%.7s",
		 a->proto, a->device, day, hour, (unsigned)(a->time_ns / 1000 % 1000000), a->label,
		 a->suffix);
}

static int end_object(struct keeper *k, struct under_way *u, struct bytes body)
{
	struct archive_about a;

	if (!archive_about(body, &a))
		return -EBADMSG;
	name_object(u->d, &a);
	snprintf(u->d->class, sizeof(u->d->class), ARCHIVE);
	u->d->until_ns = (int64_t)clock_wall_ns() + VAULT_KEEP_DAYS * (int64_t)DAY_NS;
	u->d->tag[0] = OF_ARCHIVE;
	u->d->tag[1] = a.flow_id;
	intake_end(k->intake, u->d);
	*u = (struct under_way){0};
	return 0;
}

static int take_record(struct keeper *k, unsigned guard, const struct archive_record *r,
		       struct bytes body)
{
	struct under_way *u;

	if (r->what == ARCHIVE_MISSED) {
		k->deposits->lost += r->object < MISSED_MAX ? r->object : MISSED_MAX;
		k->deposits->lost_for = -ENODATA;
		return 0;
	}
	if (r->what == ARCHIVE_BEGIN)
		return begin_object(k, guard, r->object);
	u = find_object(k->deposits, guard, r->object);
	if (!u)
		return 0; /* there was no room for it */
	if (r->what == ARCHIVE_MORE && u->d)
		add_object(k, u, body);
	else if (r->what == ARCHIVE_END && u->d)
		return end_object(k, u, body);
	if (r->what == ARCHIVE_DROP && u->d)
		intake_drop(k->intake, u->d);
	if (r->what != ARCHIVE_MORE)
		*u = (struct under_way){0};
	return 0;
}

int deposit_take(struct keeper *k, unsigned guard, struct bytes records)
{
	struct archive_record r;
	struct bytes body;
	int err = 0;

	while (err == 0 && archive_next(&records, &r, &body))
		err = take_record(k, guard, &r, body);
	return err < 0 || records.len ? -EBADMSG : 0;
}

void deposit_lose(struct keeper *k, unsigned guard)
{
	struct deposits *p = k->deposits;

	for (unsigned i = 0; i < p->object_count; i++) {
		struct under_way *u = &p->objects[i];

		if (u->guard != guard)
			continue;
		if (u->d)
			lose_object(k, u, -EPIPE);
		*u = (struct under_way){0};
	}
}

static void archive_done(struct keeper *k, const struct deposit *d)
{
	struct deposits *p = k->deposits;

	if (d->err == 0) {
		p->archived++;
		p->archived_bytes += d->size;
	} else {
		p->lost++;
		p->lost_for = d->err;
	}
}

/* --- firmware ---------------------------------------------------------------------------- */

/* Other processes made it: what it is is looked at once it is open. */
bool deposit_firmware(struct keeper *k, const char *name, const char *path)
{
	int fd = k->intake ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	struct deposit *d = fd < 0 ? NULL : intake_begin(k->intake);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (intake_file(k->intake, d, fd) < 0) {
		intake_drop(k->intake, d);
		return false;
	}
	snprintf(d->name, sizeof(d->name), FIRMWARE "/%.240s", name);
	snprintf(d->class, sizeof(d->class), FIRMWARE);
	d->until_ns = (int64_t)clock_wall_ns() + VAULT_KEEP_DAYS * (int64_t)DAY_NS;
	d->tag[0] = OF_FIRMWARE;
	intake_end(k->intake, d);
	return true;
}

static void firmware_done(struct keeper *k, const struct deposit *d)
{
	if (d->err == 0)
		k->deposits->firmware++;
	else
		log_error("%s is not kept in the vault: %s", d->name, strerror(-d->err));
}

/* --- what people put ------------------------------------------------------------------- */

int deposit_upload(struct keeper *k, const struct deposit_order *o, int fd)
{
	struct deposit *d = intake_begin(k->intake);
	int err;

	if (!d) {
		err = -errno;
		close(fd);
		return err;
	}
	err = intake_file(k->intake, d, fd);
	if (err < 0) {
		intake_drop(k->intake, d);
		return err;
	}
	memcpy(d->name, o->name, sizeof(d->name));
	memcpy(d->class, o->class, sizeof(d->class));
	d->until_ns = (int64_t)clock_wall_ns() + o->days * (int64_t)DAY_NS;
	d->tag[0] = OF_UPLOAD;
	d->tag[1] = o->ticket;
	intake_end(k->intake, d);
	return 0;
}

/* --- what was kept long enough --------------------------------------------------------- */

static void tell_retention(struct keeper *k, const struct retention *r)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = REASON_GATEWAY_RETENTION};
	char buf[EVENT_MAX], chain[2 * CRYPTO_HASH + 1];
	struct json j = event_begin(&e, buf);

	hex_write(r->log_chain, CRYPTO_HASH, chain);
	json_open(&j, "audit");
	json_str(&j, "message", "what the vault had kept long enough was destroyed");
	json_u64(&j, "destroyed", r->destroyed);
	json_u64(&j, "expired", r->expired);
	json_u64(&j, "keys_destroyed", r->keys);
	json_u64(&j, "log_line", r->log_lines);
	json_str(&j, "log_chain", chain);
	json_close(&j);
	keeper_put(k, &j);
}

/*
 * Six years can pass in a moment where a battery is empty or somebody sets the
 * date: nothing is destroyed by a clock that leapt since we started, or since the
 * newest thing that the database knows of.
 */
static bool is_clock_believed(struct keeper *k, uint64_t now_ns, uint64_t wall_ns)
{
	struct deposits *p = k->deposits;
	int64_t leap = (int64_t)(wall_ns - now_ns - p->wall_minus_mono);
	bool leapt = leap > (int64_t)LEAP_NS || leap < -(int64_t)LEAP_NS;
	bool slept =
		k->last_event_ns && (int64_t)wall_ns - k->last_event_ns > 12 * (int64_t)LEAP_NS;

	if (!leapt && !slept) {
		p->doubted = false;
		return true;
	}
	if (!p->doubted)
		keeper_report(k, REASON_GATEWAY_RETENTION_HELD, 0,
			      leapt ? "the clock leapt by more than a month"
				    : "by the clock a year passed without any event");
	p->doubted = true;
	return false;
}

static void begin_retention(struct keeper *k, uint64_t now_ns)
{
	const struct retention_bound bound = {EVIDENCE, k->evidence_bytes, pcaps_device};
	struct deposits *p = k->deposits;
	uint64_t wall = clock_wall_ns();
	bool believed = is_clock_believed(k, now_ns, wall);

	/* What is too much is so by any clock. */
	p->retain_ns = now_ns + (believed ? DAY_NS : AGAIN_NS);
	p->retaining = true;
	p->sealed_bytes = 0;
	intake_retain(k->intake, believed ? (int64_t)wall : INT64_MIN, &bound,
		      k->evidence_bytes ? 1 : 0);
}

static void end_retention(struct keeper *k, const struct retention *r, uint64_t now_ns)
{
	k->deposits->retaining = false;
	if (r->err < 0) {
		log_error("the vault: what was kept long enough is not destroyed yet: %s",
			  strerror(-r->err));
		k->deposits->retain_ns = now_ns + AGAIN_NS;
	} else if (r->destroyed) {
		tell_retention(k, r);
	}
}

/* --- the keeper's turn ------------------------------------------------------------------- */

static const char *why_stuck(int err)
{
	return err == -EKEYREVOKED ? "its keys have another holder: restart the gateway"
				   : strerror(-err);
}

static void tell_lost(struct keeper *k, uint64_t now_ns)
{
	struct deposits *p = k->deposits;

	if (p->lost == p->lost_told || now_ns < p->tell_ns)
		return;
	keeper_report(k, REASON_GATEWAY_ARCHIVE_LOST, p->lost - p->lost_told,
		      p->lost_for == -ENOKEY ? "the keys are locked" : strerror(-p->lost_for));
	p->lost_told = p->lost;
	p->tell_ns = now_ns + TELL_NS;
}

static void tell_stuck(struct keeper *k)
{
	struct intake_counts n;

	intake_counts(k->intake, &n);
	if (!n.error == !k->deposits->stuck)
		return;
	k->deposits->stuck = n.error != 0;
	if (n.error)
		keeper_report(k, REASON_GATEWAY_VAULT_STUCK, 0, why_stuck(n.error));
	else
		keeper_report(k, REASON_GATEWAY_VAULT_FREED, 0, NULL);
}

static void take_done(struct keeper *k)
{
	struct deposit *d;

	while ((d = intake_next(k->intake)) != NULL) {
		if ((d->tag[0] & 0xff) == OF_ARCHIVE)
			archive_done(k, d);
		else if ((d->tag[0] & 0xff) == OF_FIRMWARE)
			firmware_done(k, d);
		else if ((d->tag[0] & 0xff) == OF_UPLOAD)
			custody_put_done(k, (uint32_t)d->tag[1], d);
		else
			evidence_done(k, d);
		intake_drop(k->intake, d);
	}
}

void deposit_turn(struct keeper *k, uint64_t now_ns)
{
	struct deposits *p = k->deposits;
	struct retention r;

	tell_lost(k, now_ns);
	if (!k->intake)
		return;
	take_done(k);
	tell_stuck(k);
	move_old(k);
	if (intake_retained(k->intake, &r))
		end_retention(k, &r, now_ns);
	if (!p->retaining && (p->retain_ns <= now_ns ||
			      (k->evidence_bytes && p->sealed_bytes > k->evidence_bytes / 8)))
		begin_retention(k, now_ns);
}

uint64_t deposit_due(const struct keeper *k)
{
	const struct deposits *p = k->deposits;
	uint64_t at = k->intake && !p->retaining ? p->retain_ns : UINT64_MAX;

	if (p->lost != p->lost_told && p->tell_ns < at)
		at = p->tell_ns;
	return at;
}

/* --- start, end, status ------------------------------------------------------------------- */

void deposit_open(struct keeper *k, uint64_t archive_bytes)
{
	struct deposits *p = calloc(1, sizeof(*p));
	uint64_t now = clock_mono_ns();
	char error[KEYS_ERROR];
	struct rlimit files;

	k->deposits = p;
	if (p)
		p->objects = calloc(UNDER_WAY, sizeof(*p->objects));
	if (!p || !p->objects)
		fatal("keeper: no memory");
	p->wall_minus_mono = clock_wall_ns() - now;
	p->retain_ns = now + FIRST_NS;
	snprintf(p->folder, sizeof(p->folder), "%s/vault", k->state_dir);
	if (!k->secrets || !secrets_keys(k->secrets))
		return;
	/* What is longer than little has a file, and people have connections besides. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES) {
		files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	k->intake = intake_new(&(struct intake_options){.dir = p->folder,
							.keys = secrets_keys(k->secrets),
							.max_bytes = archive_bytes,
							.reserve_bytes = RESERVE},
			       error);
	if (!k->intake)
		log_error("the vault stays closed: %s", error);
}

void deposit_close(struct keeper *k)
{
	if (k->intake) {
		intake_finish(k->intake);
		take_done(k);
	}
	k->deposits->tell_ns = 0;
	tell_lost(k, clock_mono_ns());
	intake_free(k->intake);
	k->intake = NULL;
	free(k->deposits->objects);
	k->deposits->objects = NULL;
	k->deposits->object_count = 0;
}

void deposit_status(const struct keeper *k, struct json *j)
{
	const struct deposits *p = k->deposits;
	struct intake_counts n = {0};

	if (k->intake)
		intake_counts(k->intake, &n);
	json_open(j, "vault");
	json_bool(j, "open", k->intake != NULL);
	json_str(j, "folder", p->folder);
	json_str(j, "evidence",
		 !k->evidence_bytes ? "off"
		 : !k->pcaps	    ? "broken"
		 : k->intake	    ? "sealed"
				    : "plain");
	json_u64(j, "evidence_sealed", p->sealed);
	json_u64(j, "archived", p->archived);
	json_u64(j, "archived_bytes", p->archived_bytes);
	json_u64(j, "archive_lost", p->lost);
	json_u64(j, "firmware", p->firmware);
	json_u64(j, "waiting", n.waiting);
	json_u64(j, "waiting_bytes", n.bytes);
	json_close(j);
}

const char *deposit_nag(const struct keeper *k, unsigned n, char *buf, size_t cap)
{
	struct intake_counts c = {0};

	if (k->intake)
		intake_counts(k->intake, &c);
	if (c.error && n-- == 0) {
		snprintf(buf, cap,
			 "the vault takes nothing (%s); evidence and what is archived wait "
			 "in memory as far as they fit; look after %s",
			 why_stuck(c.error), k->deposits->folder);
		return buf;
	}
	if (k->evidence_bytes && !k->pcaps && n-- == 0) {
		snprintf(buf, cap,
			 "no evidence is kept: %s/evidence was no folder of the gateway's when it "
			 "started; look after it, then restart the gateway",
			 k->state_dir);
		return buf;
	}
	if (!k->intake && k->pcaps && n-- == 0) {
		snprintf(buf, cap, "evidence rests unsealed in %s/evidence: the vault is not open",
			 k->state_dir);
		return buf;
	}
	if (!k->intake && k->deposits->lost && n-- == 0) {
		snprintf(buf, cap, "nothing is archived: the vault is not open");
		return buf;
	}
	return NULL;
}
