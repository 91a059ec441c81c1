#include "keep/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keep/db.h"

#define LOCKED_MS 10000

static const char magic[16] = "SQLite format 3";

static bool is_database(int fd)
{
	char head[sizeof(magic)];

	return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       memcmp(head, magic, sizeof(head)) == 0;
}

bool snapshot_is_log(const char *name)
{
	static const char *const tails[] = {"-wal", "-shm", "-journal"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		size_t tail = strlen(tails[i]);

		if (len > tail && strcmp(name + len - tail, tails[i]) == 0)
			return true;
	}
	return false;
}

static int open_database(const char *path, int flags, sqlite3 **ret_sql)
{
	int rc = sqlite3_open_v2(
		path, ret_sql,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW, NULL);

	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(*ret_sql, LOCKED_MS);
	return db_error(*ret_sql, rc);
}

/* All pages in one step are one transaction: whoever writes to the database goes on. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!b)
		return db_error(to, sqlite3_extended_errcode(to));
	do
		rc = sqlite3_backup_step(b, -1);
	while (rc == SQLITE_OK);
	sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? 0 : db_error(from, rc);
}

int snapshot_database(const char *path, const char *copy)
{
	sqlite3 *from = NULL, *to = NULL;
	int err = open_database(path, SQLITE_OPEN_READONLY, &from);

	if (err == 0)
		err = open_database(copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to);
	/* Whoever is killed begins again: the copy needs no journal, and no patience. */
	if (err == 0)
		err = db_error(to, sqlite3_exec(to,
						"PRAGMA journal_mode = OFF;"
						"PRAGMA synchronous = OFF;",
						NULL, NULL, NULL));
	if (err == 0)
		err = copy_pages(from, to);
	sqlite3_close(to);
	sqlite3_close(from);
	return err;
}

/* The copy's name is gone before anything can go wrong with it. */
static int take_database(const char *path, const char *scratch, struct snapshot *s)
{
	char copy[PATH_MAX];
	int n = snprintf(copy, sizeof(copy), "%s/.snapshot-XXXXXX", scratch), fd, err;
	struct stat st;

	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = mkostemp(copy, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = snapshot_database(path, copy);
	if (unlink(copy) < 0 && err == 0)
		err = -errno;
	if (err == 0 && fstat(fd, &st) < 0)
		err = -errno;
	if (err < 0) {
		close(fd);
		return err;
	}
	snapshot_close(s);
	s->fd = fd;
	s->copied = true;
	s->size = (uint64_t)st.st_size;
	s->st.st_size = st.st_size;
	return 0;
}

/* Where this process itself may have it open: whoever closes a file takes with it all locks that the
 * process has on it (POSIX fcntl), so SQLite alone may open it. */
static bool is_called_database(const char *path)
{
	size_t len = strlen(path);

	return len > 3 && strcmp(path + len - 3, ".db") == 0;
}

static int open_called_database(const char *path, const char *scratch, struct snapshot *s)
{
	if (lstat(path, &s->st) < 0)
		return -errno;
	if (!S_ISREG(s->st.st_mode))
		return -EINVAL;
	return take_database(path, scratch, s);
}

static int open_any(const char *path, const char *scratch, struct snapshot *s)
{
	s->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	if (fstat(s->fd, &s->st) < 0)
		return -errno;
	if (!S_ISREG(s->st.st_mode))
		return -EINVAL;
	s->size = (uint64_t)s->st.st_size;
	return is_database(s->fd) ? take_database(path, scratch, s) : 0;
}

int snapshot_open(const char *path, const char *scratch, struct snapshot *ret_snapshot)
{
	struct snapshot s = {.fd = -1};
	int err = is_called_database(path) ? open_called_database(path, scratch, &s) : -EUCLEAN;

	if (err == -EUCLEAN) /* Thumbs.db is none */
		err = open_any(path, scratch, &s);
	if (err == 0)
		*ret_snapshot = s;
	else
		snapshot_close(&s);
	return err;
}

ssize_t snapshot_read(struct snapshot *s, uint8_t *to, size_t len)
{
	uint64_t left = s->size - s->at;
	size_t want = len < left ? len : (size_t)left, got = 0;

	while (got < want) {
		ssize_t n = pread(s->fd, to + got, want - got, (off_t)(s->at + got));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EBUSY; /* it was cut off */
		got += n > 0 ? (size_t)n : 0;
	}
	s->at += got;
	return (ssize_t)got;
}

int snapshot_check(const struct snapshot *s)
{
	struct stat st;

	if (s->copied)
		return 0;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > s->size)
		return 0;
	return st.st_size == s->st.st_size && st.st_mtim.tv_sec == s->st.st_mtim.tv_sec &&
			       st.st_mtim.tv_nsec == s->st.st_mtim.tv_nsec
		       ? 0
		       : -EBUSY;
}

void snapshot_close(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
