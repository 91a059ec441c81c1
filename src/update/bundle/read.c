/* An archive as a mirror. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/bundle/bundle.h"
#include "update/bundle/tar.h"

#define ENTRIES_MAX 65536
#define PIECE	    (256u << 10)

struct part {
	struct tuf_source s;
	struct bundle *b;
	const char *below;
};

struct bundle {
	int fd;
	uint64_t size;
	json_t *index; /* path → [offset, size] */
	struct part metadata, targets;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 §2.1; false for what does not fit or is no escape. */
static bool unescape(const char *from, char *to, size_t size)
{
	for (size_t n = 0; n < size; n++, from++) {
		int high, low;

		to[n] = *from;
		if (!*from)
			return true;
		if (*from != '%')
			continue;
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		to[n] = (char)(high << 4 | low);
		from += 2;
	}
	return false;
}

static int give(struct bundle *b, uint64_t at, uint64_t size,
		int (*take)(void *arg, const void *data, size_t len), void *arg,
		struct tuf_error *e)
{
	uint8_t *piece = malloc(PIECE);
	int err = piece ? 0 : tuf_fail(e, -ENOMEM, "out of memory");

	while (err == 0 && size > 0) {
		ssize_t n = pread(b->fd, piece, size < PIECE ? (size_t)size : PIECE, (off_t)at);

		if (n <= 0) {
			err = tuf_fail(e, n < 0 ? -errno : -EIO,
				       "the bundle cannot be read: is the stick still there?");
			break;
		}
		err = take(arg, piece, (size_t)n);
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	free(piece);
	return err;
}

static int get(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
	       int (*take)(void *arg, const void *data, size_t len), void *arg, struct tuf_error *e)
{
	struct part *p = (struct part *)s;
	char name[TAR_NAME_MAX];
	size_t below = strlen(p->below);
	const json_t *at = NULL;
	uint64_t start, size;

	memcpy(name, p->below, below);
	if (unescape(path, name + below, sizeof(name) - below))
		at = json_object_get(p->b->index, name);
	if (!at)
		return tuf_fail(e, -ENOENT, "the bundle has no %s%s", p->below, path);
	start = (uint64_t)json_integer_value(json_array_get(at, 0));
	size = (uint64_t)json_integer_value(json_array_get(at, 1));
	if (from > size)
		return tuf_fail(e, -ERANGE, "%s%s in the bundle is shorter", p->below, path);
	if (size - from > max)
		return tuf_fail(e, -EFBIG, "%s%s in the bundle is longer than it may be", p->below,
				path);
	return give(p->b, start + from, size - from, take, arg, e);
}

static void keep(struct tuf_source *s)
{
}

/* --- the index ------------------------------------------------------------------------------- */

/* Below one of the two folders, and no way out of it. */
static bool is_good(const char *name)
{
	const char *rest = strncmp(name, "metadata/", 9) == 0  ? name + 9
			   : strncmp(name, "targets/", 8) == 0 ? name + 8
							       : "";

	return !repo_judge_stored(rest);
}

static int add(void *arg, const char *name, uint64_t at, uint64_t size)
{
	struct bundle *b = arg;

	if (!is_good(name) || json_object_get(b->index, name) ||
	    json_object_size(b->index) == ENTRIES_MAX)
		return -EBADMSG;
	return json_object_set_new(b->index, name,
				   json_pack("[I,I]", (json_int_t)at, (json_int_t)size)) < 0
		       ? -EBADMSG /* such as a name that is no UTF-8 */
		       : 0;
}

int bundle_open_fd(int fd, const char *path, struct bundle **ret_bundle, struct tuf_error *e)
{
	struct bundle *b = calloc(1, sizeof(*b));
	struct stat st;
	int err;

	if (!b) {
		close(fd);
		return tuf_fail(e, -ENOMEM, "out of memory");
	}
	b->fd = fd;
	b->index = json_object();
	b->metadata = (struct part){{get, keep}, b, "metadata/"};
	b->targets = (struct part){{get, keep}, b, "targets/"};
	err = fstat(fd, &st) < 0 ? -errno : !b->index ? -ENOMEM : 0;
	if (err == 0) {
		b->size = (uint64_t)st.st_size;
		err = S_ISREG(st.st_mode) && b->size % TAR_BLOCK == 0
			      ? tar_walk(b->fd, b->size, add, b)
			      : -EBADMSG;
	}
	if (err < 0) {
		bundle_close(b);
		return tuf_fail(e, err,
				err == -EBADMSG ? "%s is no bundle, or was cut or altered on its "
						  "way: copy it again"
						: "%s cannot be read",
				path);
	}
	*ret_bundle = b;
	return 0;
}

void bundle_close(struct bundle *b)
{
	if (!b)
		return;
	close(b->fd);
	json_decref(b->index);
	free(b);
}

struct tuf_source *bundle_metadata(struct bundle *b)
{
	return &b->metadata.s;
}

struct tuf_source *bundle_targets(struct bundle *b)
{
	return &b->targets.s;
}

/* "targets/a/HASH.name" is of the target "a/name". */
json_t *bundle_names(const struct bundle *b)
{
	json_t *names = json_array(), *entry;
	char name[TAR_NAME_MAX];
	const char *path;

	json_object_foreach (b->index, path, entry) {
		const char *slash, *dot;

		if (strncmp(path, "targets/", 8) != 0)
			continue;
		slash = strrchr(path, '/');
		dot = strchr(slash + 1, '.');
		if (!dot)
			continue;
		snprintf(name, sizeof(name), "%.*s%s", (int)(slash - path) - 7, path + 8, dot + 1);
		json_array_append_new(names, json_string(name));
	}
	return names;
}
