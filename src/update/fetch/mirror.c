#include "update/fetch/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/tuf/local.h"

#define ROOT_MAX (512u << 10) /* TUF §5.3.3 as update/tuf/client.c has it */
#define PIECE	 (256u << 10)
#define NAME_LEN 255

struct mirror {
	struct tuf_source s;
	struct tuf_source *of;
	int fd;
};

static void release(struct tuf_source *s)
{
	struct mirror *m = (struct mirror *)s;

	tuf_source_free(m->of);
	free(m);
}

static struct tuf_source *new (int (*get)(struct tuf_source *s, const char *path, uint64_t from,
					  uint64_t max,
					  int (*take)(void *arg, const void *data, size_t len),
					  void *arg, struct tuf_error *e),
			       struct tuf_source *of, int fd)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	*m = (struct mirror){{get, release}, of, fd};
	return &m->s;
}

/* "12.root.json" */
static bool is_root(const char *path, char ret_role[32])
{
	size_t digits = strspn(path, "0123456789");

	if (digits == 0 || digits > 19 || strcmp(path + digits, ".root.json") != 0)
		return false;
	snprintf(ret_role, 32, "%.*s.root", (int)digits, path);
	return true;
}

static int get_and_keep(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
			int (*take)(void *arg, const void *data, size_t len), void *arg,
			struct tuf_error *e)
{
	struct mirror *m = (struct mirror *)s;
	struct bytes raw;
	char role[32];
	int err;

	if (from > 0 || !is_root(path, role))
		return m->of->get(m->of, path, from, max, take, arg, e);
	err = tuf_source_read(m->of, path, max < ROOT_MAX ? (size_t)max : ROOT_MAX, &raw, e);
	if (err < 0)
		return err;
	/* Before it is trusted: were it kept after, a crash in between would leave a gap for ever. */
	err = local_put(m->fd, role, raw);
	if (err < 0)
		tuf_fail(e, err, "%s cannot be kept: %s", path, strerror(-err));
	else
		err = take(arg, raw.data, raw.len);
	free((void *)raw.data);
	return err;
}

struct tuf_source *mirror_keep_roots(struct tuf_source *of, int store)
{
	return new (get_and_keep, of, store);
}

void mirror_settle(int store, int64_t root_version)
{
	char role[32];

	if (root_version < 1)
		return;
	/* A refresh asks for one root beyond those that it trusts. */
	snprintf(role, sizeof(role), "%" PRId64 ".root", root_version + 1);
	local_drop(store, role);
}

/* --- files as answers --------------------------------------------------------- */

static int give(int fd, uint64_t from, uint64_t max,
		int (*take)(void *arg, const void *data, size_t len), void *arg,
		struct tuf_error *e)
{
	uint8_t *piece = malloc(PIECE);
	struct stat st;
	int err = piece ? 0 : tuf_fail(e, -ENOMEM, "out of memory");
	ssize_t n = 1;

	if (err == 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		err = tuf_fail(e, -ENOENT, "it is no file");
	if (err == 0 && from > (uint64_t)st.st_size)
		err = tuf_fail(e, -ERANGE, "the file is shorter");
	for (uint64_t at = from; err == 0 && n > 0; at += (uint64_t)n) {
		n = pread(fd, piece, PIECE, (off_t)at);
		if (n < 0)
			err = tuf_fail(e, -errno, "the file cannot be read");
		else if (at - from + (uint64_t)n > max)
			err = tuf_fail(e, -EFBIG, "the file is longer than it may be");
		else if (n > 0)
			err = take(arg, piece, (size_t)n);
	}
	free(piece);
	return err;
}

static int open_plain(int folder, const char *name)
{
	return openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Under its own name, or under that of its role: "7.acme.json" is what lies there as "acme.json". */
static int get_of_folder(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
			 int (*take)(void *arg, const void *data, size_t len), void *arg,
			 struct tuf_error *e)
{
	struct mirror *m = (struct mirror *)s;
	size_t digits = strspn(path, "0123456789");
	char role[32];
	int fd = -1, err;

	if (!strchr(path, '/') && strlen(path) <= NAME_LEN) {
		fd = open_plain(m->fd, path);
		/* Of a root only that version will do: the newest is no answer for its successor. */
		if (fd < 0 && digits > 0 && path[digits] == '.' && !is_root(path, role))
			fd = open_plain(m->fd, path + digits + 1);
	}
	if (fd < 0)
		return tuf_fail(e, -ENOENT, "%.200s is not there", path);
	err = give(fd, from, max, take, arg, e);
	close(fd);
	return err;
}

struct tuf_source *mirror_of_folder(int store)
{
	return new (get_of_folder, NULL, store);
}

static int get_of_file(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
		       int (*take)(void *arg, const void *data, size_t len), void *arg,
		       struct tuf_error *e)
{
	struct mirror *m = (struct mirror *)s;

	return give(m->fd, from, max, take, arg, e);
}

struct tuf_source *mirror_of_file(int fd)
{
	return new (get_of_file, NULL, fd);
}
