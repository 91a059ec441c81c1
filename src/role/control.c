#include "role/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "role/setup.h"

#define BACKLOG 64

static bool place(struct sockaddr_un *a, const char *run_dir)
{
	int n = snprintf(a->sun_path, sizeof(a->sun_path), "%s/control", run_dir);

	a->sun_family = AF_UNIX;
	return n > 0 && n < (int)sizeof(a->sun_path);
}

static int lock_dir(const char *run_dir)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd, err;

	snprintf(path, sizeof(path), "%s/lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

/* Born with no rights for anyone else, then opened to the group: nobody slips in between. */
static int listen_at(const struct sockaddr_un *a)
{
	const struct group *group = getgrnam(SETUP_USER);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before;
	int err;

	if (s < 0)
		return -errno;
	if (unlink(a->sun_path) < 0 && errno != ENOENT)
		goto fail;
	before = umask(0177);
	err = bind(s, (const struct sockaddr *)a, sizeof(*a));
	umask(before);
	if (err < 0 || listen(s, BACKLOG) < 0)
		goto fail;
	/* In a user namespace the group may be nobody's here: then it is root's alone. */
	if (group && chown(a->sun_path, (uid_t)-1, group->gr_gid) == 0 &&
	    chmod(a->sun_path, 0660) < 0)
		goto fail;
	return s;

fail:
	err = -errno;
	close(s);
	return err;
}

/* The socket is the group's to use: is there a folder on the way that keeps it out? */
static void check_way(const char *run_dir)
{
	const struct group *group = getgrnam(SETUP_USER);
	char part[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;

	for (const char *p = strchr(run_dir + 1, '/'); group && p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - run_dir), run_dir);
		if (stat(part, &st) < 0 || (st.st_mode & S_IXOTH) ||
		    (st.st_gid == group->gr_gid && (st.st_mode & S_IXGRP)))
			continue;
		log_warn("run_dir '%s': group '%s' cannot pass through '%s', so only root can ask "
			 "the gateway; chmod o+x it, or set run_dir to another place",
			 run_dir, SETUP_USER, part);
		return;
	}
}

/* Whoever may rename in there could put a gateway of their own in the place of this one. */
static bool is_ours(const char *run_dir)
{
	struct stat st;

	return stat(run_dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (!(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX);
}

int control_open(const char *run_dir, struct control *ret_control)
{
	struct sockaddr_un a;
	int lock, sock;

	if (!place(&a, run_dir))
		return -ENAMETOOLONG;
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (!is_ours(run_dir))
		return -EPERM;
	lock = lock_dir(run_dir);
	if (lock < 0)
		return lock;
	sock = listen_at(&a);
	if (sock < 0) {
		close(lock);
		return sock;
	}
	check_way(run_dir);
	*ret_control = (struct control){.sock = sock, .lock = lock};
	return 0;
}

void control_close(struct control *c, const char *run_dir)
{
	struct sockaddr_un a;

	if (place(&a, run_dir))
		unlink(a.sun_path);
	close(c->sock);
	close(c->lock);
}
