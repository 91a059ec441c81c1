/* Targets: how they come into the public folder. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"
#include "update/repo/folder.h"

#define PIECE	    (1u << 20)
#define NAME_MAX_   1024
#define SEGMENT_MAX 180 /* a hash and a dot come before the last */

static const char *judge(const char *name, size_t segment_max)
{
	if (!*name || strlen(name) > NAME_MAX_)
		return "it is empty or longer than 1024 bytes";
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "it has a control character";
	for (const char *p = name;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 0 || len > segment_max || (len == 1 && *p == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return "a part of it is empty, '.', '..' or too long";
		p += len;
		if (!*p)
			return NULL;
	}
}

const char *repo_judge_name(const char *name)
{
	return judge(name, SEGMENT_MAX);
}

const char *repo_judge_stored(const char *name)
{
	return judge(name, 255);
}

/* The folder of a target, made where `make`; a descriptor or -errno. */
static int open_folder(int targets, const char *name, bool make, const char **ret_base)
{
	int at = fcntl(targets, F_DUPFD_CLOEXEC, 0), next;
	char part[SEGMENT_MAX + 1];
	const char *slash;

	while (at >= 0 && (slash = strchr(name, '/'))) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
		if (make && mkdirat(at, part, 0755) < 0 && errno != EEXIST) {
			next = -errno;
			close(at);
			return next;
		}
		next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			next = -errno;
		close(at);
		at = next;
		name = slash + 1;
	}
	*ret_base = name;
	return at;
}

/* `to` -1: only looked at. */
static int copy(int from, int to, struct tuf_file *ret_file)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t *piece = malloc(PIECE);
	struct tuf_file f = {.hashed = true, .known = {[HASH_SHA256] = true}};
	ssize_t n = 0;
	int err = md && piece && EVP_DigestInit_ex(md, EVP_sha256(), NULL) ? 0 : -ENOMEM;

	while (err == 0 && (n = read(from, piece, PIECE)) > 0) {
		if (!EVP_DigestUpdate(md, piece, (size_t)n))
			err = -EIO;
		else if (to >= 0)
			err = file_write(to, (struct bytes){piece, (size_t)n});
		f.length += n;
	}
	if (err == 0 && n < 0)
		err = -errno;
	if (err == 0 && !EVP_DigestFinal_ex(md, f.hash[HASH_SHA256], NULL))
		err = -EIO;
	EVP_MD_CTX_free(md);
	free(piece);
	if (err == 0)
		*ret_file = f;
	return err;
}

static int put(struct repo *r, int from, const char *name, struct tuf_file *ret_file)
{
	char hex[HASH_HEX_MAX], file[SEGMENT_MAX + HASH_HEX_MAX + 2];
	struct newfile f = {.fd = -1};
	const char *base;
	int folder = open_folder(r->targets, name, true, &base), err = folder;

	if (err >= 0)
		err = newfile_begin(folder, &f);
	if (err == 0)
		err = copy(from, f.fd, ret_file);
	if (err == 0 && (fchmod(f.fd, 0644) < 0 || fsync(f.fd) < 0))
		err = -errno;
	if (err == 0) {
		snprintf(file, sizeof(file), "%s.%s", tuf_file_name(ret_file, hex), base);
		err = newfile_commit(&f, file, true);
	}
	newfile_abandon(&f);
	if (err == 0 && fsync(folder) < 0)
		err = -errno;
	if (folder >= 0)
		close(folder);
	return err;
}

static int open_file(const char *path, struct tuf_error *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return tuf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return tuf_fail(e, -EINVAL, "%s is no file", path);
}

int repo_hash_file(const char *path, struct tuf_file *ret_file, struct tuf_error *e)
{
	int fd = open_file(path, e), err;

	if (fd < 0)
		return fd;
	err = copy(fd, -1, ret_file);
	close(fd);
	return err < 0 ? tuf_fail(e, err, "%s: %s", path, strerror(-err)) : 0;
}

int repo_put_target(struct repo *r, const char *path, const char *name, struct tuf_file *ret_file,
		    struct tuf_error *e)
{
	const char *wrong = repo_judge_name(name);
	int fd, err;

	if (wrong)
		return tuf_fail(e, -EINVAL, "'%s' is no path for a target: %s", name, wrong);
	fd = open_file(path, e);
	if (fd < 0)
		return fd;
	err = put(r, fd, name, ret_file);
	close(fd);
	return err < 0 ? tuf_fail(e, err, "%s cannot be taken: %s", path, strerror(-err)) : 0;
}

bool repo_has_target(struct repo *r, const char *name, const struct tuf_file *file)
{
	char hex[HASH_HEX_MAX], path[SEGMENT_MAX + HASH_HEX_MAX + 2];
	const char *base, *hash = tuf_file_name(file, hex);
	struct stat st;
	int folder =
		hash && !repo_judge_name(name) ? open_folder(r->targets, name, false, &base) : -1;
	bool there;

	if (folder < 0)
		return false;
	snprintf(path, sizeof(path), "%s.%s", hash, base);
	there = fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		st.st_size == file->length;
	close(folder);
	return there;
}
