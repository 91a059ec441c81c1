#include "role/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/hex.h"
#include "people/auth/base64url.h"
#include "role/errands.h"

#define ID_BYTES 16
#define USER_MAX 128

struct upload {
	char id[2 * ID_BYTES + 1]; /* "": free */
	char user[USER_MAX];
	int fd;
	uint64_t size;
	uint64_t last_ns; /* monotonic */
};

struct uploads {
	char path[PATH_MAX]; /* where a file is for a moment */
	struct upload list[UPLOADS_MOST];
	uint8_t piece[UPLOAD_PIECE];
};

struct uploads *uploads_new(const char *state_dir)
{
	struct uploads *u = calloc(1, sizeof(*u));

	if (u)
		snprintf(u->path, sizeof(u->path), "%s/upload", state_dir);
	return u;
}

static void forget(struct upload *u)
{
	if (*u->id)
		close(u->fd);
	*u = (struct upload){.fd = -1};
}

void uploads_free(struct uploads *u)
{
	for (unsigned i = 0; u && i < UPLOADS_MOST; i++)
		forget(&u->list[i]);
	free(u);
}

void uploads_turn(struct keeper *k, uint64_t now_ns)
{
	for (unsigned i = 0; i < UPLOADS_MOST; i++) {
		struct upload *u = &k->uploads->list[i];

		if (*u->id && now_ns - u->last_ns > UPLOAD_IDLE_S * NSEC_PER_SEC)
			forget(u);
	}
}

/* --- update.upload, vault.upload ---------------------------------------------------------------------- */

/* A file that has no name: whatever becomes of us, nothing is left of it. */
static int open_file(const char *path)
{
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static struct upload *begin(struct keeper *k, const struct call_asker *by, struct call_error *e)
{
	struct upload *u = NULL;
	uint8_t id[ID_BYTES];

	for (unsigned i = 0; i < UPLOADS_MOST && !u; i++)
		if (!*k->uploads->list[i].id)
			u = &k->uploads->list[i];
	if (!u) {
		call_fail(e, 429, "upload.too_many", "Too many uploads are under way",
			  "%d at once; one that nobody goes on with is forgotten after %d minutes",
			  UPLOADS_MOST, UPLOAD_IDLE_S / 60);
		return NULL;
	}
	u->fd = open_file(k->uploads->path);
	if (u->fd < 0 || crypto_random(id, sizeof(id)) < 0) {
		call_fail(e, 503, "upload.no_place", "It cannot be kept", "%s: %s", k->state_dir,
			  strerror(u->fd < 0 ? -u->fd : EIO));
		if (u->fd >= 0)
			close(u->fd);
		u->fd = -1;
		return NULL;
	}
	hex_write(id, ID_BYTES, u->id);
	snprintf(u->user, sizeof(u->user), "%s", by->user);
	u->size = 0;
	u->last_ns = clock_mono_ns();
	return u;
}

/* Whoever began one goes on with it. */
static struct upload *find(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const char *id = call_text(args, "upload");

	for (unsigned i = 0; id && *id && i < UPLOADS_MOST; i++) {
		struct upload *u = &k->uploads->list[i];

		if (strcmp(u->id, id) == 0 && strcmp(u->user, by->user) == 0)
			return u;
	}
	call_fail(e, 404, "upload.none", "There is no such upload",
		  "it was forgotten after %d minutes, or never begun by you; begin anew without "
		  "'upload'",
		  UPLOAD_IDLE_S / 60);
	return NULL;
}

static bool has_room(const struct upload *u, size_t len, struct call_error *e)
{
	struct statvfs fs;

	if (u->size + len > UPLOAD_BYTES) {
		call_fail(e, 413, "upload.too_large", "It is too large",
			  "at most %llu MB; bring it on a stick: 'bedwarden update import'",
			  UPLOAD_BYTES >> 20);
		return false;
	}
	if (fstatvfs(u->fd, &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < UPLOAD_RESERVE + len) {
		call_fail(e, 507, "upload.disk_full", "There is no room on the disk",
			  "%llu MB of it stay free for what the gateway records; make room",
			  UPLOAD_RESERVE >> 20);
		return false;
	}
	return true;
}

static int write_all(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* What it has by now goes with the error: whoever lost an answer knows where to go on. */
static json_t *wrong_place(const struct upload *u, struct call_error *e)
{
	call_fail(e, 409, "upload.at", "The piece does not follow the last one",
		  "go on at %" PRIu64, u->size);
	e->more = json_pack("{s:s, s:I}", "upload", u->id, "size", (json_int_t)u->size);
	return NULL;
}

static json_t *upload(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	const char *data = call_text(args, "data");
	bool first = !json_object_get(args, "upload");
	struct upload *u;
	int64_t at = 0;
	size_t len = 0;
	int err;

	if (!data || base64url_read(data, k->uploads->piece, UPLOAD_PIECE, &len) < 0 || !len)
		return call_bad(e, "the body", "1 to 262144 bytes of the file");
	if (json_object_get(args, "at") && !call_number(args, "at", 0, (int64_t)UPLOAD_BYTES, &at))
		return call_bad(e, "at", "where in the file the piece begins");
	u = first ? begin(k, by, e) : find(k, by, args, e);
	if (!u)
		return NULL;
	if ((uint64_t)at != u->size) {
		wrong_place(u, e);
		if (first)
			forget(u);
		return NULL;
	}
	err = has_room(u, len, e) ? write_all(u->fd, k->uploads->piece, len, u->size) : 0;
	if (err < 0)
		call_fail(e, 507, "upload.disk_full", "It cannot be kept", "%s: %s", k->state_dir,
			  strerror(-err));
	if (e->status) {
		forget(u);
		return NULL;
	}
	u->size += len;
	u->last_ns = clock_mono_ns();
	return json_pack("{s:s, s:I}", "upload", u->id, "size", (json_int_t)u->size);
}

int upload_take(struct keeper *k, const struct call_asker *by, const json_t *args,
		struct call_error *e)
{
	struct upload *u = find(k, by, args, e);
	int fd = u ? u->fd : -1;

	if (u)
		*u = (struct upload){.fd = -1};
	return fd;
}

/* --- update.import ------------------------------------------------------------------------- */

static json_t *imported(struct keeper *k, uint32_t ticket, const json_t *order, int fd,
			struct call_error *e)
{
	json_t *o = errands_json(fd), *row;
	size_t i;

	if (!json_is_array(json_object_get(o, "targets"))) {
		json_decref(o);
		return call_fail(e, 500, "gateway.nonsense", "The answer made no sense",
				 "see the gateway's log");
	}
	json_array_foreach (json_object_get(o, "targets"), i, row)
		json_object_del(row, "path"); /* the box's own business */
	return o;
}

static json_t *import(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	int fd = upload_take(k, by, args, e);

	if (fd < 0)
		return NULL;
	return errands_send(k, by, json_pack("{s:s}", "do", "import"), fd, imported, e);
}

#define ADMIN PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)

extern const struct call_row upload_calls[]; /* call.c's */
const struct call_row upload_calls[] = {
	{.name = "update.upload", .fn = upload, .roles = ADMIN, .changes = true, .part = true},
	{.name = "vault.upload", .fn = upload, .roles = ADMIN, .changes = true, .part = true},
	{.name = "update.import", .fn = import, .roles = ADMIN, .step_up = true, .changes = true},
	{NULL},
};
