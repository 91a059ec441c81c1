#include "keep/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "keep/keys.h"

#define BLOCK 64 /* lines that the index counts as one */
#define SHORT 240

struct audit_log {
	char dir[PATH_MAX - 64], path[PATH_MAX - 32];
	int fd;
	struct keys *keys;
	struct audit_chain chain;
	struct audit_checkpoint checkpoint;
	uint64_t *blocks; /* where every BLOCKth line begins */
	size_t block_count, block_cap;
	bool short_of_memory;
	char found[AUDIT_ERROR];
};

static int fail(char *error, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, AUDIT_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- where lines are ---- */

static void note_line(void *arg, uint64_t off)
{
	struct audit_log *a = arg;
	uint64_t *more;

	/* The chain has counted the line already. */
	if ((a->chain.count - 1) % BLOCK)
		return;
	if (a->block_count == a->block_cap) {
		size_t cap = a->block_cap ? 2 * a->block_cap : 256;

		more = reallocarray(a->blocks, cap, sizeof(*more));
		if (!more) {
			a->short_of_memory = true;
			return;
		}
		a->blocks = more;
		a->block_cap = cap;
	}
	a->blocks[a->block_count++] = off;
}

/* ---- opening ---- */

/* What root makes in a gateway's folder is the keeper's, whose the folder is. */
static void hand_over(const struct audit_log *a, const char *path)
{
	struct stat st;

	if (geteuid() == 0 && stat(a->dir, &st) == 0 && st.st_uid != 0)
		(void)!lchown(path, st.st_uid, st.st_gid);
}

static int open_log(struct audit_log *a, char *error)
{
	bool fresh = access(a->path, F_OK) < 0;

	a->fd = open(a->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (a->fd < 0)
		return fail(error, -errno, "%.400s: %s", a->path, strerror(errno));
	if (fresh)
		hand_over(a, a->path);
	if (flock(a->fd, LOCK_EX) < 0)
		return fail(error, -errno, "%.400s: cannot be locked: %s", a->path,
			    strerror(errno));
	return fresh ? file_sync_folder(a->path) : 0;
}

/* What one that was set aside is called now. */
static void aside_name(const char *path, const char *kind, char ret_name[PATH_MAX])
{
	char stamp[CLOCK_EVE_LEN];
	struct stat st;

	clock_eve(clock_wall_ns(), stamp);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(ret_name, PATH_MAX, "%.4000s.%.16s-%.19sZ.%u", path, kind, stamp, i);
		if (lstat(ret_name, &st) < 0)
			return;
	}
}

/* A line without its end was acknowledged to nobody; it is kept beside for somebody to look at. */
static int cut_torn(struct audit_log *a)
{
	char name[PATH_MAX], buf[AUDIT_LINE_MAX];
	ssize_t n = pread(a->fd, buf, sizeof(buf), (off_t)a->chain.off);
	struct bytes torn = {(const uint8_t *)buf, n > 0 ? (size_t)n : 0};

	aside_name(a->path, "torn", name);
	file_replace(name, torn, 0640);
	if (ftruncate(a->fd, (off_t)a->chain.off) < 0 || fdatasync(a->fd) < 0)
		return -errno;
	a->chain.have = a->chain.at = 0;
	snprintf(a->found, sizeof(a->found),
		 "the last line had no end (power cut?); kept as %.300s", name);
	return 0;
}

/* The whole trail under another name, checkpoint with it; the next one begins empty. */
static int set_aside(struct audit_log *a, const struct audit_report *r, char *error)
{
	char name[PATH_MAX], from[PATH_MAX];

	aside_name(a->path, "broken", name);
	if (rename(a->path, name) < 0)
		return fail(error, -errno, "%.400s: %s", a->path, strerror(errno));
	snprintf(a->found, sizeof(a->found), "%.250s; the trail is kept as %.200s", r->text, name);
	snprintf(from, sizeof(from), "%s/" AUDIT_CHECKPOINT_NAME, a->dir);
	aside_name(from, "broken", name);
	if (rename(from, name) < 0 && errno != ENOENT)
		return fail(error, -errno, "%.400s: %s", from, strerror(errno));
	close(a->fd);
	audit_chain_end(&a->chain);
	a->block_count = 0;
	if (open_log(a, error) < 0 || audit_chain_begin(&a->chain, a->fd) < 0)
		return -EIO;
	return 0;
}

static int write_checkpoint(struct audit_log *a)
{
	struct audit_checkpoint c = {.count = a->chain.count, .time_ns = clock_wall_ns()};
	char path[PATH_MAX], text[AUDIT_CHECKPOINT_MAX];
	size_t len;
	int err;

	memcpy(c.head, a->chain.hash, sizeof(c.head));
	memcpy(c.trail, a->chain.trail, sizeof(c.trail));
	/* Keys that were destroyed or damaged meanwhile do not keep anybody from being recorded. */
	if (audit_checkpoint_sign(&c, a->keys) < 0)
		audit_checkpoint_sign(&c, NULL);
	/* Who has no key does not take a signature away: the next who has covers this, too. */
	if (!audit_checkpoint_signed(&c) && audit_checkpoint_signed(&a->checkpoint))
		return 0;
	len = audit_checkpoint_text(&c, text);
	text[len++] = '\n';
	snprintf(path, sizeof(path), "%s/" AUDIT_CHECKPOINT_NAME, a->dir);
	err = file_replace(path, (struct bytes){(const uint8_t *)text, len}, 0640);
	if (err == 0) {
		hand_over(a, path);
		a->checkpoint = c;
	}
	return err;
}

/* Reads all of it and holds it against its checkpoint. */
static int take_up(struct audit_log *a, char *error)
{
	struct audit_proof p = {0};
	uint8_t key[CRYPTO_KEY];
	struct audit_report r;
	int err;

	p.own_error = audit_checkpoint_read(a->dir, &p.own);
	if (a->keys && keys_public(a->keys, AUDIT_PURPOSE, key) == 0)
		p.key = key;
	err = audit_chain_begin(&a->chain, a->fd);
	if (err == 0)
		err = audit_judge(&a->chain, &p, note_line, a, &r);
	if (err < 0)
		return fail(error, err, "%.400s: %s", a->path, strerror(-err));
	if (r.state == AUDIT_CHANGED || r.state == AUDIT_CUT || r.state == AUDIT_FORGED)
		return set_aside(a, &r, error);
	if (r.torn)
		err = cut_torn(a);
	else if (p.own_error == -ENOENT && r.count)
		snprintf(a->found, sizeof(a->found), "%s", r.text);
	if (p.own_error == 0)
		a->checkpoint = p.own;
	if (err == 0 && a->chain.count &&
	    (p.own_error || p.own.count < r.count || (a->keys && !audit_checkpoint_signed(&p.own))))
		err = write_checkpoint(a);
	return err < 0 ? fail(error, err, "%.400s: %s", a->path, strerror(-err)) : 0;
}

/* The first line of a new trail, and the line of one that had something wrong. */
static int open_entry(struct audit_log *a)
{
	struct audit_entry e = {.who = "gateway",
				.as = "gateway",
				.what = a->chain.count ? "audit.open" : "audit.begin",
				.outcome = *a->found ? AUDIT_MAJOR : AUDIT_SUCCESS,
				.text = a->found};

	return a->chain.count && !*a->found ? 0 : audit_append(a, &e);
}

struct audit_log *audit_open(const char *dir, struct keys *keys, char ret_error[AUDIT_ERROR])
{
	struct audit_log *a = calloc(1, sizeof(*a));
	int err = -ENAMETOOLONG;

	if (!a) {
		errno = ENOMEM;
		return NULL;
	}
	a->fd = -1;
	a->keys = keys;
	if (snprintf(a->dir, sizeof(a->dir), "%s", dir) < (int)sizeof(a->dir)) {
		snprintf(a->path, sizeof(a->path), "%s/" AUDIT_LOG_NAME, a->dir);
		err = open_log(a, ret_error);
	}
	if (err == 0)
		err = take_up(a, ret_error);
	if (a->fd >= 0)
		flock(a->fd, LOCK_UN);
	if (err == 0) {
		err = open_entry(a);
		if (err < 0)
			fail(ret_error, err, "%.400s: %s", a->path, strerror(-err));
	}
	if (err == 0)
		return a;
	audit_free(a);
	errno = -err;
	return NULL;
}

struct audit_log *audit_open_to_read(const char *dir, char ret_error[AUDIT_ERROR])
{
	struct audit_log *a = calloc(1, sizeof(*a));
	struct audit_proof p = {0};
	struct audit_report r;
	int err = -ENOMEM;

	if (!a)
		goto out;
	snprintf(a->dir, sizeof(a->dir), "%s", dir);
	snprintf(a->path, sizeof(a->path), "%s/" AUDIT_LOG_NAME, a->dir);
	p.own_error = audit_checkpoint_read(a->dir, &p.own);
	a->fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	err = a->fd < 0 ? -errno : audit_chain_begin(&a->chain, a->fd);
	if (err == 0)
		err = audit_judge(&a->chain, &p, note_line, a, &r);
	if (err == 0 && p.own_error == 0)
		a->checkpoint = p.own;
	if (err == 0)
		snprintf(a->found, sizeof(a->found), "%s", r.text);
out:
	if (err == 0)
		return a;
	fail(ret_error, err, "%.400s: the audit trail cannot be read: %s", dir, strerror(-err));
	audit_free(a);
	errno = -err;
	return NULL;
}

void audit_free(struct audit_log *a)
{
	if (!a)
		return;
	audit_chain_end(&a->chain);
	if (a->fd >= 0)
		close(a->fd);
	free(a->blocks);
	free(a);
}

const char *audit_found(const struct audit_log *a)
{
	return a->found;
}

uint64_t audit_count(const struct audit_log *a)
{
	return a->chain.count;
}

void audit_checkpoint_of(const struct audit_log *a, struct audit_checkpoint *ret_c)
{
	*ret_c = a->checkpoint;
}

/* ---- appending ---- */

/* Cut where a character ends. */
static void put_field(struct json *j, const char *key, const char *value, size_t max)
{
	char cut[AUDIT_TEXT_MAX + 8];
	size_t len = value ? strlen(value) : 0;

	if (!len)
		return;
	if (len <= max) {
		json_str(j, key, value);
		return;
	}
	for (len = max; len && ((uint8_t)value[len] & 0xc0) == 0x80; len--)
		;
	memcpy(cut, value, len);
	memcpy(cut + len, "\u2026", 4);
	json_str(j, key, cut);
}

static size_t make_row(const struct audit_log *a, const struct audit_entry *e, char *buf,
		       size_t cap)
{
	struct json j = json_new(buf, cap);
	char time[CLOCK_EVE_LEN];

	clock_eve(e->time_ns ? e->time_ns : clock_wall_ns(), time);
	json_open(&j, NULL);
	json_u64(&j, "seq", a->chain.count + 1);
	json_str(&j, "time", time);
	put_field(&j, "who", e->who, SHORT);
	put_field(&j, "as", e->as, SHORT);
	put_field(&j, "role", e->role, SHORT);
	put_field(&j, "source", e->source, SHORT);
	put_field(&j, "mac", e->mac, SHORT);
	put_field(&j, "session", e->session, SHORT);
	put_field(&j, "what", e->what, SHORT);
	put_field(&j, "object", e->object, SHORT);
	json_u64(&j, "outcome", (uint64_t)e->outcome);
	put_field(&j, "reason", e->reason, SHORT);
	put_field(&j, "text", e->text, AUDIT_TEXT_MAX);
	if (e->count > 1)
		json_u64(&j, "count", e->count);
	json_close(&j);
	return j.out.bad ? 0 : j.out.len;
}

/* What others appended since is followed; -EUCLEAN where the file is no longer what it was. */
static int catch_up(struct audit_log *a)
{
	struct stat ours, there;
	uint64_t off = a->chain.off;
	int n;

	if (fstat(a->fd, &ours) < 0 || lstat(a->path, &there) < 0)
		return errno == ENOENT ? -EUCLEAN : -errno;
	if (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev ||
	    (uint64_t)ours.st_size < a->chain.off)
		return -EUCLEAN;
	if ((uint64_t)ours.st_size == a->chain.off)
		return 0;
	a->chain.have = a->chain.at = 0;
	while ((n = audit_chain_next(&a->chain)) == 1) {
		note_line(a, off);
		off = a->chain.off;
	}
	return n == -EAGAIN ? -EUCLEAN : n;
}

/* The chain as it was before a line that did not come to be. */
struct before {
	uint64_t off, count;
	uint8_t hash[CRYPTO_HASH];
	size_t blocks;
};

static int write_row(struct audit_log *a, struct bytes row)
{
	static char line[AUDIT_HEAD + AUDIT_LINE_MAX + 1];
	struct before was = {a->chain.off, a->chain.count, {0}, a->block_count};
	uint8_t hash[CRYPTO_HASH];
	size_t len = AUDIT_HEAD + row.len + 1;
	int err = audit_chain_hash(a->chain.hash, row, hash);

	memcpy(was.hash, a->chain.hash, sizeof(was.hash));
	hex_write(hash, sizeof(hash), line);
	line[AUDIT_HEAD - 1] = ' ';
	memcpy(line + AUDIT_HEAD, row.data, row.len);
	line[len - 1] = '\n';
	if (err == 0 && lseek(a->fd, (off_t)was.off, SEEK_SET) < 0)
		err = -errno;
	if (err == 0)
		err = file_write(a->fd, (struct bytes){(const uint8_t *)line, len});
	if (err == 0 && fdatasync(a->fd) < 0)
		err = -errno;
	if (err == 0) {
		memcpy(a->chain.hash, hash, sizeof(hash));
		if (a->chain.count++ == 0)
			memcpy(a->chain.trail, hash, sizeof(hash));
		a->chain.off += len;
		a->chain.have = a->chain.at = 0;
		note_line(a, was.off);
		err = write_checkpoint(a);
	}
	if (err == 0)
		return 0;
	a->chain.off = was.off;
	a->chain.count = was.count;
	memcpy(a->chain.hash, was.hash, sizeof(was.hash));
	a->block_count = was.blocks;
	if (ftruncate(a->fd, (off_t)was.off) < 0)
		return -EUCLEAN; /* half a line stays: caught at the next opening */
	return err;
}

int audit_append(struct audit_log *a, const struct audit_entry *e)
{
	static char row[AUDIT_LINE_MAX];
	size_t len;
	int err;

	if (!e->who || !*e->who || !e->what || !*e->what)
		return -EINVAL;
	if (flock(a->fd, LOCK_EX) < 0)
		return -errno;
	err = catch_up(a);
	if (err == 0) {
		len = make_row(a, e, row, sizeof(row) - AUDIT_HEAD - 2);
		err = len ? write_row(a, (struct bytes){(const uint8_t *)row, len}) : -EMSGSIZE;
	}
	flock(a->fd, LOCK_UN);
	return err;
}

/* ---- reading ---- */

static bool begins(const json_t *o, const char *key, const char *want, bool whole)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!want || !*want)
		return true;
	if (!s)
		return false;
	return whole ? strcmp(s, want) == 0 : strncmp(s, want, strlen(want)) == 0;
}

static bool wanted(const struct audit_query *q, struct bytes row)
{
	json_t *o;
	bool yes;

	if ((!q->who || !*q->who) && (!q->what || !*q->what) && (!q->object || !*q->object))
		return true;
	o = json_loadb((const char *)row.data, row.len, 0, NULL);
	yes = begins(o, "who", q->who, true) && begins(o, "what", q->what, false) &&
	      begins(o, "object", q->object, false);
	json_decref(o);
	return yes;
}

/* A block's lines as rows: as many as were written, or -errno. The bytes are the caller's to free. */
static int read_block(const struct audit_log *a, size_t block, struct bytes ret_rows[BLOCK],
		      uint8_t **ret_data)
{
	uint64_t from = a->blocks[block],
		 to = block + 1 < a->block_count ? a->blocks[block + 1] : a->chain.off;
	uint64_t written = a->chain.count - block * BLOCK;
	size_t len = (size_t)(to - from), at = 0;
	uint8_t *data = malloc(len ? len : 1);
	int n = 0;

	if (!data)
		return -ENOMEM;
	for (size_t have = 0; have < len;) {
		ssize_t got = pread(a->fd, data + have, len - have, (off_t)(from + have));

		if (got <= 0) {
			free(data);
			return got < 0 ? -errno : -EUCLEAN;
		}
		have += (size_t)got;
	}
	while (at < len && n < BLOCK) {
		const uint8_t *end = memchr(data + at, '\n', len - at);
		size_t line = end ? (size_t)(end - (data + at)) : 0;

		if (line <= AUDIT_HEAD) {
			free(data);
			return -EUCLEAN;
		}
		ret_rows[n++] = (struct bytes){data + at + AUDIT_HEAD, line - AUDIT_HEAD};
		at += line + 1;
	}
	if (at < len || (uint64_t)n != (written < BLOCK ? written : BLOCK)) {
		free(data);
		return -EUCLEAN;
	}
	*ret_data = data;
	return n;
}

int audit_list(struct audit_log *a, const struct audit_query *q, audit_row_fn fn, void *arg,
	       uint64_t *ret_next)
{
	uint64_t seq = q->before && q->before <= a->chain.count ? q->before - 1 : a->chain.count;
	struct bytes rows[BLOCK];
	uint32_t given = 0;
	uint8_t *data;

	while (seq && given < q->limit) {
		size_t block = (size_t)((seq - 1) / BLOCK);
		int n = block < a->block_count ? read_block(a, block, rows, &data) : -EIO;

		if (n < 0)
			return n;
		for (; seq > block * BLOCK && given < q->limit; seq--) {
			struct bytes row = rows[seq - 1 - block * BLOCK];

			if (wanted(q, row)) {
				fn(arg, row);
				given++;
			}
		}
		free(data);
	}
	*ret_next = seq ? seq + 1 : 0;
	return 0;
}

int audit_since(struct audit_log *a, uint64_t from, uint32_t limit, audit_row_fn fn, void *arg)
{
	struct bytes rows[BLOCK];
	uint64_t seq = from ? from : 1;
	uint8_t *data;

	while (seq <= a->chain.count && limit) {
		size_t block = (size_t)((seq - 1) / BLOCK);
		int n = block < a->block_count ? read_block(a, block, rows, &data) : -EIO;

		if (n < 0)
			return n;
		for (size_t i = (size_t)(seq - 1 - block * BLOCK); i < (size_t)n && limit;
		     i++, seq++, limit--)
			fn(arg, rows[i]);
		free(data);
	}
	return 0;
}
