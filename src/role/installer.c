#include "role/installer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "update/fetch/confine.h"
#include "update/place/install.h"

#define PARENT_FD 3
#define MIRROR_FD 4
#define LIST_MAX  16
#define ROOT_MAX  (512u << 10)
#define ORDER_S	  10

struct installer {
	struct install_options install;
	const char *root_file;
	char *roles[LIST_MAX];
};

static void take_options(struct installer *i, int argc, char **argv)
{
	int c;

	i->install.roles = i->roles;
	i->install.running = "";
	while ((c = getopt(argc, argv, "d:r:V:R:")) != -1)
		if (c == 'd')
			i->install.dir = optarg;
		else if (c == 'r')
			i->root_file = optarg;
		else if (c == 'V')
			i->install.running = optarg;
		else if (c == 'R' && i->install.role_count < LIST_MAX)
			i->roles[i->install.role_count++] = optarg;
		else
			fatal("started by hand? 'bedwarden run' starts it");
	if (!i->install.dir || !i->root_file || optind != argc)
		fatal("started by hand? 'bedwarden run' starts it");
}

/* Root's alone, or others could put something else in the place of what was verified. */
static bool make_place(const char *dir, char *ret_wrong, size_t size)
{
	struct stat st;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		snprintf(ret_wrong, size,
			 "%s: %s; make it, root's alone, or set updates.dir to another place", dir,
			 strerror(errno));
		return false;
	}
	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH))) {
		snprintf(ret_wrong, size,
			 "%s must be a folder that is root's alone to write: others could put "
			 "something else in the place of what was verified",
			 dir);
		return false;
	}
	return true;
}

static void lock_in(struct installer *i, char *ret_wrong, size_t size)
{
	struct sandbox_path paths[] = {{.path = "/proc/self/fd/4"},
				       {.path = i->install.dir, .write = true}};
	struct confine c = {paths, 2, false};
	int err;

	umask(0022);
	i->install.mirror = fcntl(MIRROR_FD, F_GETFD) < 0 ? -1 : MIRROR_FD;
	if (i->install.mirror < 0)
		c = (struct confine){paths + 1, 1, false};
	c.count -= !make_place(i->install.dir, ret_wrong, size);
	(void)file_read(i->root_file, ROOT_MAX, &i->install.root);
	err = sandbox_keep(NULL, 0);
	if (err < 0)
		fatal("could not give up its rights: %s", strerror(-err));
	err = confine_enter(&c);
	if (err < 0)
		fatal("could not lock itself in: %s", strerror(-err));
}

/* The one order there is; NULL: the parent says stop, or nothing. */
static json_t *take_order(void)
{
	static char buf[IPC_BUF];
	struct pollfd fd = {.fd = PARENT_FD, .events = POLLIN};
	struct ipc_message m;

	if (poll(&fd, 1, ORDER_S * 1000) <= 0 || ipc_recv(PARENT_FD, buf, &m) != 0)
		return NULL;
	if (m.fd >= 0)
		close(m.fd);
	if (m.type != IPC_INSTALL)
		return NULL;
	return json_loadb((const char *)m.body.data, m.body.len, 0, NULL);
}

static void answer(json_t *report, const struct install_sets *sets)
{
	static char body[IPC_BODY_MAX];
	struct installer_head head = {sets->before, sets->now};
	size_t room = sizeof(body) - sizeof(head), len;

	memcpy(body, &head, sizeof(head));
	len = json_dumpb(report, body + sizeof(head), room, JSON_COMPACT);
	if (len > room) { /* what is listed can be asked of the updater */
		json_object_del(report, "targets");
		json_object_set_new(report, "error",
				    json_string("the repository lists more than can be told"));
		len = json_dumpb(report, body + sizeof(head), room, JSON_COMPACT);
	}
	if (len == 0 || len > room ||
	    ipc_send(PARENT_FD, IPC_INSTALL, 0,
		     (struct bytes){(const uint8_t *)body, sizeof(head) + len}, -1) < 0)
		fatal("the parent does not hear what was done");
}

int installer_main(int argc, char **argv)
{
	struct installer i = {0};
	struct install_sets sets = {0};
	char wrong[PATH_MAX + 200] = "";
	json_t *order, *report;

	log_init("installer", LOG_INFO);
	take_options(&i, argc, argv);
	lock_in(&i, wrong, sizeof(wrong));
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	order = take_order();
	if (!order)
		return 0;
	report = *wrong ? json_pack("{s:s}", "error", wrong)
			: install_run(&i.install, json_object_get(order, "targets"), &sets);
	json_decref(order);
	if (!report)
		fatal("out of memory");
	answer(report, &sets);
	json_decref(report);
	free((void *)i.install.root.data);
	return 0;
}
