#include "seal/tree/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/newfile.h"
#include "seal/age/stream.h"
#include "seal/tree/attributes.h"

#define LONG_FILE  (8u << 20) /* worth several threads */
#define HEADER_CUT 65536      /* of a file that we may have made before */

struct entry {
	struct entry_tools *tools;
	const struct walk_item *item;
	struct entry_report *report;
	char result[NAME_MAX + 1];
	int in;
	struct stat st; /* when reading began */
	struct newfile out;
	bool leased;
};

static int why(struct entry *e, int error, const char *text)
{
	e->report->why = text;
	return error;
}

static bool is_sealed_name(const char *name)
{
	size_t n = strlen(name), s = strlen(TREE_SUFFIX);

	return n > s && strcmp(name + n - s, TREE_SUFFIX) == 0;
}

/* The name alone promises nothing: who seals a folder must not be left with something in the clear
 * because it is called so. What cannot be read is not taken for sealed either. */
static bool is_sealed(const struct walk_item *item)
{
	uint8_t start[AGE_START];
	ssize_t n = -1;
	int fd;

	if (!is_sealed_name(item->name))
		return false;
	fd = openat(item->folder->in, item->name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		n = pread(fd, start, sizeof(start), 0);
		close(fd);
	}
	return n > 0 && age_begins((struct bytes){start, (size_t)n});
}

bool entry_wanted(const struct tree_options *o, const struct walk_item *item)
{
	return o->open ? is_sealed_name(item->name) : !is_sealed(item);
}

static int name_result(struct entry *e)
{
	const char *name = e->item->name;
	size_t n = strlen(name), s = strlen(TREE_SUFFIX);

	if (e->tools->options->open)
		n -= s;
	else if (n + s > NAME_MAX)
		return why(e, -ENAMETOOLONG, "its name is too long to add " TREE_SUFFIX " to it");
	snprintf(e->result, sizeof(e->result), "%.*s%s", (int)n, name,
		 e->tools->options->open ? "" : TREE_SUFFIX);
	return 0;
}

/*
 * A lease tells whether anybody has the file open to write, and holds up who
 * would until it is given back. Not every file system, and not every user's
 * file, has it; then times and size have to tell.
 */
static int lease(struct entry *e)
{
	if (fcntl(e->in, F_SETLEASE, F_RDLCK) == 0)
		e->leased = true;
	else if (errno == EAGAIN)
		return why(e, -EBUSY, "somebody is writing to it; it stays as it is");
	return 0;
}

static int open_source(struct entry *e)
{
	const struct tree_options *o = e->tools->options;
	int follow = e->item->given && !o->in_place ? 0 : O_NOFOLLOW;

	e->in = openat(e->item->folder->in, e->item->name,
		       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);
	if (e->in < 0 || fstat(e->in, &e->st) != 0)
		return -errno;
	if (!S_ISREG(e->st.st_mode))
		return why(e, -EINVAL, "it is no regular file");
	if (!o->in_place)
		return 0;
	if (e->st.st_nlink > 1 && !o->force)
		return why(e, -EMLINK,
			   "it has another name (a hard link) that would keep its content");
	return lease(e);
}

/* Whether it still is what it was when reading began. */
static bool unchanged(const struct entry *e)
{
	struct stat now;

	return fstat(e->in, &now) == 0 && now.st_size == e->st.st_size &&
	       now.st_mtim.tv_sec == e->st.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == e->st.st_mtim.tv_nsec;
}

static bool still_leased(const struct entry *e)
{
	return !e->leased || fcntl(e->in, F_GETLEASE) == F_RDLCK;
}

/* -- contents */

static int transfer(struct entry *e)
{
	struct entry_tools *t = e->tools;
	const struct tree_options *o = t->options;
	bool is_long = t->big && e->st.st_size >= LONG_FILE;
	struct age_engine *engine = is_long ? t->big : t->engine;
	struct age_input in = {.fd = e->in};
	struct age_output out = {.fd = e->out.fd};
	struct age_result result = {.plain = 0};
	int r;

	if (is_long)
		pthread_mutex_lock(t->big_lock);
	if (o->open) {
		struct age_open_options open = {.unwrap = o->unwrap,
						.unwrap_arg = o->unwrap_arg,
						.progress = t->progress,
						.progress_arg = t->progress_arg};

		r = age_open(engine, &open, &in, &out, &result);
	} else {
		struct age_seal_options seal = o->seal;

		seal.progress = t->progress;
		seal.progress_arg = t->progress_arg;
		seal.ret_file_key = t->file_key;
		r = age_seal(engine, &seal, &in, &out, &result);
	}
	if (is_long)
		pthread_mutex_unlock(t->big_lock);
	e->report->plain = result.plain;
	if (r < 0)
		return why(e, r, result.why);
	if (!unchanged(e) || (!o->open && result.plain != (uint64_t)e->st.st_size))
		return why(e, -EAGAIN, "it changed while it was read; try again");
	return 0;
}

struct comparison {
	int fd;
	uint64_t off;
	uint8_t *buffer;
};

static int compare(void *arg, const void *data, size_t len)
{
	struct comparison *c = arg;

	while (len) {
		size_t want = len < AGE_CHUNK ? len : AGE_CHUNK;
		ssize_t n = pread(c->fd, c->buffer, want, (off_t)c->off);

		if (n < 0)
			return -errno;
		if (n == 0 || memcmp(c->buffer, data, (size_t)n) != 0)
			return -EBADE;
		c->off += (uint64_t)n;
		data = (const uint8_t *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

static int give_file_key(void *arg, const struct age_header *h, uint8_t ret_file_key[AGE_FILE_KEY])
{
	(void)h;
	memcpy(ret_file_key, arg, AGE_FILE_KEY);
	return 0;
}

/* Reads both back, the sealed one from the disk, and compares what it holds with the plain one. */
static int verify(struct entry *e)
{
	struct entry_tools *t = e->tools;
	const struct tree_options *o = t->options;
	int sealed = o->open ? e->in : e->out.fd, plain = o->open ? e->out.fd : e->in;
	struct comparison c = {.fd = plain, .buffer = t->buffer};
	struct age_open_options open = {.unwrap = o->open ? o->unwrap : give_file_key,
					.unwrap_arg = o->open ? o->unwrap_arg : t->file_key};
	struct age_result result;
	struct stat st;
	int r;

	if (fsync(e->out.fd) != 0)
		return -errno;
	/* What is in the cache would prove nothing about the disk. */
	(void)posix_fadvise(e->out.fd, 0, 0, POSIX_FADV_DONTNEED);
	if (lseek(sealed, 0, SEEK_SET) != 0 || fstat(plain, &st) != 0)
		return -errno;
	r = age_open(t->engine, &open, &(struct age_input){.fd = sealed},
		     &(struct age_output){.write = compare, .arg = &c}, &result);
	if (r < 0 || c.off != (uint64_t)st.st_size)
		return why(e, r < 0 ? r : -EBADE,
			   "read back, its result does not hold the same; the file stays");
	return 0;
}

/* -- names */

static int copy_metadata(struct entry *e)
{
	const struct timespec times[] = {e->st.st_atim, e->st.st_mtim};
	int err;

	if (geteuid() == 0 && fchown(e->out.fd, e->st.st_uid, e->st.st_gid) != 0)
		return -errno;
	if (fchmod(e->out.fd, e->st.st_mode & 0777) != 0)
		return -errno;
	err = attributes_copy(e->in, e->out.fd, e->tools->options->in_place);
	if (err < 0)
		return why(e, err, "its extended attributes cannot be kept");
	return futimens(e->out.fd, times) != 0 ? -errno : 0;
}

/* The plain length that a sealed file tells of itself. */
static bool plain_length(int fd, const struct stat *st, uint64_t *ret_len)
{
	uint8_t *text = malloc(HEADER_CUT);
	struct age_header h;
	ssize_t n = text ? pread(fd, text, HEADER_CUT, 0) : -1;
	bool ok = n > 0 && age_header_read((struct bytes){text, (size_t)n}, &h) == PARSE_OK &&
		  (uint64_t)st->st_size > h.text.len &&
		  stream_plain_len((uint64_t)st->st_size - h.text.len, ret_len);

	free(text);
	return ok;
}

/*
 * Whether what has the result's name is the result of this very file, from a
 * run that did not come to its end: of the same time, and as long.
 */
static bool made_before(struct entry *e)
{
	int fd = openat(e->item->folder->out, e->result,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	uint64_t len = 0;
	bool same = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_mtim.tv_sec == e->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == e->st.st_mtim.tv_nsec)
		same = e->tools->options->open
			       ? plain_length(e->in, &e->st, &len) && len == (uint64_t)st.st_size
			       : plain_length(fd, &st, &len) && len == (uint64_t)e->st.st_size;
	close(fd);
	return same;
}

static int commit(struct entry *e)
{
	int r = newfile_commit(&e->out, e->result, e->tools->options->force);

	if (r == -EEXIST && made_before(e))
		r = newfile_commit(&e->out, e->result, true);
	if (r == -EEXIST) {
		snprintf(e->report->text, sizeof(e->report->text),
			 "its result's name is taken by another version; move that away, or "
			 "--force");
		e->report->why = e->report->text;
	}
	return r;
}

/* The source goes, if it still is the file that was read, and only after the result's name is on
 * the disk. */
static int remove_source(struct entry *e)
{
	struct stat now;
	int folder = e->item->folder->in;

	if (fsync(e->item->folder->out) != 0)
		return -errno;
	if (fstatat(folder, e->item->name, &now, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!unchanged(e) || !still_leased(e) || now.st_ino != e->st.st_ino ||
	    now.st_dev != e->st.st_dev)
		return why(e, -EAGAIN,
			   "somebody wrote to it meanwhile; it stays beside its result");
	if (unlinkat(folder, e->item->name, 0) != 0)
		return -errno;
	/* Who is told that it is gone must be able to rely on it. */
	return e->tools->options->done && fsync(folder) != 0 ? -errno : 0;
}

static int process(struct entry *e)
{
	const struct tree_options *o = e->tools->options;
	int r = name_result(e);

	if (r == 0)
		r = open_source(e);
	if (r == 0)
		r = newfile_begin(e->item->folder->out, &e->out);
	if (r == 0)
		r = transfer(e);
	if (r == 0)
		r = copy_metadata(e);
	if (r == 0 && o->in_place)
		r = verify(e);
	if (r == 0)
		r = commit(e);
	if (r == 0 && o->in_place)
		r = remove_source(e);
	return r;
}

enum entry_outcome entry_process(struct entry_tools *t, const struct walk_item *item,
				 struct entry_report *ret_report)
{
	struct entry e = {
		.tools = t, .item = item, .report = ret_report, .in = -1, .out = {.fd = -1}};
	int r;

	ret_report->why = NULL;
	ret_report->plain = 0;
	if (!entry_wanted(t->options, item))
		return ENTRY_LEFT;
	r = process(&e);
	newfile_abandon(&e.out);
	if (e.in >= 0)
		close(e.in);
	if (r < 0 && !ret_report->why) {
		snprintf(ret_report->text, sizeof(ret_report->text), "%s", strerror(-r));
		ret_report->why = ret_report->text;
	}
	return r < 0 ? ENTRY_FAILED : ENTRY_DONE;
}
